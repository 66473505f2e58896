/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../db/db.h"
#include "../http/metrics.h"
#include "../store/courier.h"
#include "resources.h"

#ifndef CARDSTOCK_VERSION
#define CARDSTOCK_VERSION "unversioned"
#endif

struct status_view {
	const char *status, *version;
	bool database;
};

static const char *const status_names[] = {"ok", "degraded", NULL};
static const struct emit_field status_fields[] = {
	OUT(struct status_view, "status", EMIT_TEXT, status,
	    .values = status_names),
	OUT(struct status_view, "database", EMIT_BOOL, database,
	    .doc = "Whether the database answers."),
	OUT(struct status_view, "version", EMIT_TEXT, version, ),
};
const struct emit_object status_object = EMIT("Status", status_fields);

void status_get(struct call *call)
{
	struct status_view view = {
		.version = CARDSTOCK_VERSION,
		.database = db_ping(call->service->db),
	};

	view.status = view.database ? "ok" : "degraded";
	reply_object(call, &status_object, &view);
	if (!view.database) {
		call->reply->status = 503;
		reply_header(call->reply, "Retry-After", "1");
	}
}

struct openapi_query {
	const char *dialect;
};

static const char *const dialect_names[] = {"native", "privacy", NULL};
static const struct spec_field openapi_fields[] = {
	IN(struct openapi_query, "dialect", SPEC_ENUM, dialect,
	   .values = dialect_names,
	   .doc = "Whose document; left out, that of the credential."),
};
static const struct spec openapi_spec = SPEC("OpenapiQuery", openapi_fields);
const struct shape openapi_query = {&openapi_spec, sizeof(struct openapi_query),
				    NULL};

void openapi_get(struct call *call)
{
	const struct openapi_query *query = call->query;
	const char *name =
		query->dialect == NULL ? call->dialect->name : query->dialect;

	call->reply->status = call->route->status;
	for (int i = 0; i < DIALECTS; i++)
		if (strcmp(dialects[i].name, name) == 0)
			text_add(&call->reply->body, call->service->openapi[i]);
}

static void print_total(struct text *out, const char *name, const char *kind,
			const char *help, int64_t value)
{
	text_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %lld\n", name, help,
		    name, kind, name, (long long)value);
}

static void print_attempts(struct text *out,
			   const struct courier_totals *totals)
{
	const char *name = "cardstock_webhook_attempts_total";
	const struct {
		const char *outcome;
		int64_t count;
	} rows[] = {
		{"delivered", totals->delivered},
		{"retry", totals->retried},
		{"failed", totals->failed},
		{"gone", totals->gone},
	};

	text_printf(out,
		    "# HELP %s Attempts to deliver, by outcome.\n"
		    "# TYPE %s counter\n",
		    name, name);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		text_printf(out, "%s{outcome=\"%s\"} %lld\n", name,
			    rows[i].outcome, (long long)rows[i].count);
	name = "cardstock_webhook_attempt_duration_seconds_total";
	text_printf(out,
		    "# HELP %s Time that attempts took, together.\n"
		    "# TYPE %s counter\n%s %lld.%03lld\n",
		    name, name, name, (long long)totals->duration_ms / 1000,
		    (long long)totals->duration_ms % 1000);
}

/* The couriers', wherever they run: the database counts for them. */
static void print_courier(struct text *out, const struct courier_totals *totals)
{
	print_total(out, "cardstock_webhook_queue", "gauge",
		    "Deliveries that wait, counted up to 100001.",
		    totals->waiting);
	print_total(out, "cardstock_webhook_queue_oldest_seconds", "gauge",
		    "For how long the first of them has been due, to endpoints "
		    "that neither fail nor asked to wait.",
		    totals->oldest_s);
	print_total(out, "cardstock_webhooks_failing", "gauge",
		    "Endpoints of which nothing succeeds.", totals->failing);
	print_total(out, "cardstock_webhooks_disabled", "gauge",
		    "Endpoints that nothing is sent to.", totals->disabled);
	print_attempts(out, totals);
}

/* A database that is away takes nothing but the couriers' numbers. */
void metrics_get(struct call *call)
{
	struct courier_totals totals;

	call->reply->status = call->route->status;
	call->reply->content_type = "text/plain; version=0.0.4";
	metrics_print(&call->reply->body, call->service->metrics);
	if (courier_totals(call->service->db, call->arena, &totals) == DB_OK)
		print_courier(&call->reply->body, &totals);
}
