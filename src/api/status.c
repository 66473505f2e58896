/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../db/db.h"
#include "../http/metrics.h"
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

void metrics_get(struct call *call)
{
	call->reply->status = call->route->status;
	call->reply->content_type = "text/plain; version=0.0.4";
	metrics_print(&call->reply->body, call->service->metrics);
}
