/* SPDX-License-Identifier: Apache-2.0 */
/* The one URL that an account may name for the dialect's own webhook. */
#include "../flow/webhooks.h"
#include "../hook/url.h"
#include "resources.h"

struct webhook_input {
	const char *url;
};

static const struct spec_field put_fields[] = {
	IN(struct webhook_input, "url", SPEC_TEXT, url, .required = true,
	   .ascii = true, .min = 1, .max = URL_MAX,
	   .doc = "https only; it must not lead to an address that is not "
		  "public."),
};
static const struct spec put_spec = SPEC("WebhookPut", put_fields);
const struct shape privacy_webhook_body = {&put_spec,
					   sizeof(struct webhook_input), NULL};

static const char *const state_names[] = {"ENABLED", "DISABLED", NULL};

struct webhook_view {
	struct webhook_row row;
	const char *state;
};

#define WEBHOOK(...) OUT(struct webhook_view, __VA_ARGS__)
static const struct emit_field webhook_fields[] = {
	WEBHOOK("url", EMIT_TEXT, row.url, ),
	WEBHOOK("state", EMIT_TEXT, state, .values = state_names,
		.doc = "DISABLED after five days of failures, or by the "
		       "operator; name it again to enable it."),
	WEBHOOK("created", EMIT_TIME, row.created_at, ),
	WEBHOOK("last_success", EMIT_TIME, row.last_success_at,
		.nullable = true),
	WEBHOOK("last_failure", EMIT_TIME, row.last_failure_at,
		.nullable = true),
};
const struct emit_object privacy_webhook_object =
	EMIT("Webhook", webhook_fields);

struct deleted_view {
	bool deleted;
};

static const struct emit_field deleted_fields[] = {
	OUT(struct deleted_view, "deleted", EMIT_BOOL, deleted, ),
};
const struct emit_object privacy_webhook_deleted_object =
	EMIT("WebhookDeleted", deleted_fields);

static void webhook_print(const struct webhook_row *row, struct text *body)
{
	struct webhook_view view = {
		.row = *row,
		.state = state_names[row->active ? 0 : 1],
	};

	emit_object(body, &privacy_webhook_object, &view);
}

void privacy_webhook_get(struct call *call)
{
	struct webhook_row row;
	enum db_result result = privacy_webhook_find(
		call->service->db, call->arena, call->login->wallet_id, &row);

	if (result != DB_OK) {
		reply_error(call, error_of_result(result), NULL);
		return;
	}
	call->reply->status = call->route->status;
	webhook_print(&row, &call->reply->body);
}

struct webhook_put {
	struct url_lookup lookup;
	struct privacy_webhook_command command;
};

static enum db_result put_run(const struct flow *flow, void *arg,
			      enum error_code *refusal)
{
	struct webhook_put *put = arg;

	if (url_lookup_refused(&put->lookup, refusal))
		return DB_OK;
	return privacy_webhook_name_run(flow, &put->command, refusal);
}

static void put_print(const void *arg, struct text *body)
{
	const struct webhook_put *put = arg;

	webhook_print(&put->command.answer.webhook, body);
}

void privacy_webhook_put(struct call *call)
{
	const struct webhook_input *input = call->body;
	struct webhook_put put = {
		.lookup = url_lookup(call, input->url),
		.command = {.url = input->url},
	};

	if (url_fits(call, input->url))
		call_effect(call, put_run, put_print, &put);
}

static void deleted_print(const void *arg, struct text *body)
{
	struct deleted_view view = {.deleted = true};

	(void)arg;
	emit_object(body, &privacy_webhook_deleted_object, &view);
}

void privacy_webhook_delete(struct call *call)
{
	struct privacy_webhook_command command = {.url = NULL};

	call_effect(call, privacy_webhook_delete_run, deleted_print, &command);
}
