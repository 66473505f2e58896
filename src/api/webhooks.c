/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../base/arena.h"
#include "../base/config.h"
#include "../flow/webhooks.h"
#include "../hook/sign.h"
#include "../hook/url.h"
#include "resources.h"

/* What goes in. */

struct webhook_input {
	const char *url, *description, *secret;
	struct spec_list events;
	bool active;
	bool description_given, events_given, active_given;
};

#define URL_DOC                                                                \
	"https only, without user name and fragment; it must not lead to an "  \
	"address that is not public."
#define EVENTS_DOC "Event types, or \"*\" alone for all."
#define SECRET_DOC                                                             \
	"whsec_ and the base64 of 24 to 64 bytes, or 16 to 255 printable "     \
	"ASCII characters; made for you when left out."

#define INPUT(...) IN(struct webhook_input, __VA_ARGS__)
#define URL_FIELD(must)                                                        \
	INPUT("url", SPEC_TEXT, url, .required = (must), .ascii = true,        \
	      .min = 1, .max = URL_MAX, .doc = URL_DOC)
#define EVENTS_FIELD(must)                                                     \
	INPUT("events", SPEC_TEXT_LIST, events, .required = (must), .min = 1,  \
	      .max = 64,                                                       \
	      .given = offsetof(struct webhook_input, events_given),           \
	      .doc = EVENTS_DOC)
#define DESCRIPTION_FIELD                                                      \
	INPUT("description", SPEC_TEXT, description, .nullable = true,         \
	      .max = 255,                                                      \
	      .given = offsetof(struct webhook_input, description_given),      \
	      .doc = "Your own words, at most 255 characters.")
#define SECRET_FIELD                                                           \
	INPUT("secret", SPEC_TEXT, secret, .ascii = true,                      \
	      .max = WEBHOOK_SECRET_MAX, .doc = SECRET_DOC)

static const struct spec_field create_fields[] = {
	URL_FIELD(true),
	EVENTS_FIELD(true),
	SECRET_FIELD,
	DESCRIPTION_FIELD,
};
static const struct spec_field patch_fields[] = {
	URL_FIELD(false),
	EVENTS_FIELD(false),
	INPUT("active", SPEC_BOOL, active,
	      .given = offsetof(struct webhook_input, active_given),
	      .doc = "false disables it; true enables it again, whoever "
		     "disabled it."),
	DESCRIPTION_FIELD,
};
static const struct spec_field rotate_fields[] = {SECRET_FIELD};

static const struct spec create_spec = SPEC("WebhookCreate", create_fields);
static const struct spec patch_spec = SPEC("WebhookUpdate", patch_fields);
static const struct spec rotate_spec = SPEC("WebhookRotate", rotate_fields);
const struct shape webhook_create_body = {&create_spec,
					  sizeof(struct webhook_input), NULL};
const struct shape webhook_patch_body = {&patch_spec,
					 sizeof(struct webhook_input), NULL};
const struct shape webhook_rotate_body = {&rotate_spec,
					  sizeof(struct webhook_input), NULL};

struct webhooks_query {
	struct page_query page;
};

static const struct spec_field query_fields[] = {
	PAGE_FIELDS(struct webhooks_query, page),
};
static const struct spec query_spec = SPEC("WebhookQuery", query_fields);
static const struct webhooks_query query_defaults = {.page = PAGE_DEFAULT(25)};
const struct shape webhooks_query = {&query_spec, sizeof(struct webhooks_query),
				     &query_defaults};

/* What comes out. */

struct webhook_view {
	struct webhook_row row;
	const char *events, *secret;
};

static const char *const status_names[] = {"enabled", "failing", "disabled",
					   NULL};
static const char *const reason_names[] = {"customer", "gone", "failing",
					   "operator", NULL};

#define VIEW(...) OUT(struct webhook_view, __VA_ARGS__)
#define ROW(title, kind, member, ...)                                          \
	OUT(struct webhook_view, title, kind, row.member, __VA_ARGS__)
#define FIELDS_BEFORE                                                          \
	ROW("id", EMIT_TEXT, public_id), ROW("url", EMIT_TEXT, url),           \
		VIEW("events", EMIT_JSON, events,                              \
		     .json_schema = TEXT_LIST_SCHEMA)
#define FIELDS_AFTER                                                           \
	ROW("active", EMIT_BOOL, active,                                       \
	    .doc = "Whether events are sent to it."),                          \
		ROW("created_at", EMIT_TIME, created_at),                      \
		ROW("status", EMIT_TEXT, status, .values = status_names,       \
		    .doc = "failing: nothing has succeeded of late."),         \
		ROW("description", EMIT_TEXT, description),                    \
		ROW("last_success_at", EMIT_TIME, last_success_at,             \
		    .nullable = true),                                         \
		ROW("last_failure_at", EMIT_TIME, last_failure_at,             \
		    .nullable = true),                                         \
		ROW("disabled_reason", EMIT_TEXT, disabled_reason,             \
		    .nullable = true, .values = reason_names)

static const struct emit_field webhook_fields[] = {FIELDS_BEFORE, FIELDS_AFTER};
static const struct emit_field secret_fields[] = {
	FIELDS_BEFORE,
	VIEW("secret", EMIT_TEXT, secret, .doc = "Shown this once."),
	FIELDS_AFTER,
};
const struct emit_object webhook_object = EMIT("Webhook", webhook_fields);
const struct emit_object webhook_secret_object =
	EMIT("WebhookWithSecret", secret_fields);

struct deleted_view {
	const char *public_id;
	bool deleted;
};

static const struct emit_field deleted_fields[] = {
	OUT(struct deleted_view, "id", EMIT_TEXT, public_id, ),
	OUT(struct deleted_view, "deleted", EMIT_BOOL, deleted, ),
};
const struct emit_object webhook_deleted_object =
	EMIT("WebhookDeleted", deleted_fields);

/* "a,b" as ["a","b"]: event types need no escape. */
static const char *events_json(struct arena *arena, const char *types)
{
	struct text json;

	text_init(&json, arena);
	text_add(&json, "[\"");
	for (; *types != '\0'; types++) {
		if (*types == ',')
			text_add(&json, "\",\"");
		else
			text_add_char(&json, *types);
	}
	text_add(&json, "\"]");
	return json.data;
}

static struct webhook_view webhook_show(struct arena *arena,
					const struct webhook_row *row)
{
	return (struct webhook_view){
		.row = *row,
		.events = events_json(arena, row->event_types),
	};
}

static void webhook_print(const struct webhook_row *row, struct text *body)
{
	struct webhook_view view = webhook_show(body->arena, row);

	emit_object(body, &webhook_object, &view);
}

static void secret_print(const struct webhook_row *row, const char *secret,
			 struct text *body)
{
	struct webhook_view view = webhook_show(body->arena, row);

	view.secret = secret;
	emit_object(body, &webhook_secret_object, &view);
}

bool webhook_snapshot_print(struct arena *arena, const struct keyring *keyring,
			    const json_t *snapshot, struct text *body)
{
	struct webhook_row row;

	(void)keyring;
	if (!snapshot_read(arena, snapshot, &webhook_row_shape, &row) ||
	    row.event_types == NULL || row.status == NULL)
		return false;
	webhook_print(&row, body);
	return true;
}

/* What a request may say. */

static bool refuse(struct call *call, const char *param, const char *message)
{
	struct fault fault = {ERR_INVALID_PARAMETER, param, message};

	reply_refuse(call, &fault);
	return false;
}

static bool listed(const struct spec_list *list, size_t count, const char *item)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list->items[i], item) == 0)
			return true;
	return false;
}

/* "a,b"; NULL when they are not good: the reply is written. */
static const char *events_read(struct call *call, const struct spec_list *list)
{
	struct text types;

	text_init(&types, call->arena);
	for (size_t i = 0; i < list->count; i++) {
		const char *item = list->items[i];
		bool all = strcmp(item, "*") == 0;

		if (all ? list->count > 1 : !event_type_known(item)) {
			refuse(call, "events",
			       "events must be types of events, or \"*\" "
			       "alone.");
			return NULL;
		}
		if (listed(list, i, item)) {
			refuse(call, "events",
			       "events must name each type once.");
			return NULL;
		}
		text_add(&types, i == 0 ? "" : ",");
		text_add(&types, item);
	}
	return types.data;
}

/* The caller's, or a new one; NULL when the caller's is not good: the reply is
 * written. */
static const char *secret_read(struct call *call, const char *secret)
{
	if (secret == NULL)
		return webhook_secret_new(call->arena);
	if (webhook_secret_valid(call->arena, secret))
		return secret;
	refuse(call, "secret",
	       "secret must be whsec_ and the base64 of 24 to 64 bytes, or 16 "
	       "to 255 printable ASCII characters that do not begin so.");
	return NULL;
}

/* The handlers. */

/* A change that may bring a URL. */
struct url_change {
	struct url_lookup lookup;
	struct webhook_register new;
	struct webhook_command command;
};

static enum db_result create_run(const struct flow *flow, void *arg,
				 enum error_code *refusal)
{
	struct url_change *change = arg;

	if (url_lookup_refused(&change->lookup, refusal))
		return DB_OK;
	return webhook_register_run(flow, &change->new, refusal);
}

static void created_print(const void *arg, struct text *body)
{
	const struct url_change *change = arg;

	secret_print(&change->new.answer.webhook, change->new.secret, body);
}

void webhooks_create(struct call *call)
{
	const struct webhook_input *input = call->body;
	struct url_change change = {
		.lookup = url_lookup(call, input->url),
	};
	struct webhook_new *webhook = &change.new.webhook;

	if (!url_fits(call, input->url))
		return;
	webhook->url = input->url;
	webhook->description =
		input->description == NULL ? "" : input->description;
	webhook->event_types = events_read(call, &input->events);
	if (webhook->event_types == NULL)
		return;
	change.new.secret = secret_read(call, input->secret);
	if (change.new.secret != NULL)
		call_effect(call, create_run, created_print, &change);
}

static enum db_result patch_run(const struct flow *flow, void *arg,
				enum error_code *refusal)
{
	struct url_change *change = arg;

	if (url_lookup_refused(&change->lookup, refusal))
		return DB_OK;
	return webhook_update_run(flow, &change->command, refusal);
}

static void patched_print(const void *arg, struct text *body)
{
	const struct url_change *change = arg;

	webhook_print(&change->command.answer.webhook, body);
}

void webhooks_patch(struct call *call)
{
	const struct webhook_input *input = call->body;
	struct url_change change = {
		.lookup = url_lookup(call, input->url),
		.command = {.public_id = call->args[0]},
	};
	struct webhook_patch *patch = &change.command.patch;

	if (input->url != NULL && !url_fits(call, input->url))
		return;
	patch->url = input->url;
	if (input->events_given) {
		patch->event_types = events_read(call, &input->events);
		if (patch->event_types == NULL)
			return;
	}
	if (input->active_given)
		patch->active = input->active ? "1" : "0";
	if (input->description_given)
		patch->description =
			input->description == NULL ? "" : input->description;
	call_effect(call, patch_run, patched_print, &change);
}

static struct list_place webhook_list_show(struct call *call, const void *row,
					   void *view)
{
	*(struct webhook_view *)view = webhook_show(call->arena, row);
	return webhook_place(row);
}

void webhooks_list(struct call *call)
{
	static const struct list_shape shape = {
		&webhook_object, sizeof(struct webhook_row),
		sizeof(struct webhook_view), webhook_list_show};
	const struct webhooks_query *query = call->query;
	struct webhook_row *rows = NULL;
	struct list_call list;
	enum db_result status;

	if (!list_open(call, &list, &query->page, "webhooks", true))
		return;
	status = webhook_list(call->service->db, call->arena,
			      call->login->wallet_id, &list.window, &rows,
			      &list.result);
	list_reply(call, &list, &shape, status, rows);
}

void webhooks_get(struct call *call)
{
	struct webhook_row row;
	enum db_result status;

	status = webhook_get(call->service->db, call->arena,
			     call->login->wallet_id, call->args[0], &row);
	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	call->reply->status = call->route->status;
	webhook_print(&row, &call->reply->body);
}

static void deleted_print(const void *arg, struct text *body)
{
	const struct webhook_command *command = arg;
	struct deleted_view view = {command->public_id, true};

	emit_object(body, &webhook_deleted_object, &view);
}

void webhooks_delete(struct call *call)
{
	struct webhook_command command = {.public_id = call->args[0]};

	call_effect(call, webhook_delete_run, deleted_print, &command);
}

static void rotated_print(const void *arg, struct text *body)
{
	const struct webhook_command *command = arg;

	secret_print(&command->answer.webhook, command->secret, body);
}

void webhooks_rotate(struct call *call)
{
	const struct webhook_input *input = call->body;
	struct webhook_command command = {
		.public_id = call->args[0],
		.secret = secret_read(call, input->secret),
	};

	if (command.secret != NULL)
		call_effect(call, webhook_rotate_run, rotated_print, &command);
}

/* data of a ping is the webhook itself: no key is needed to show it. */
static void pinged_print(const void *arg, struct text *body)
{
	const struct webhook_command *command = arg;

	event_print(body->arena, NULL, &command->ping, body);
}

void webhooks_ping(struct call *call)
{
	struct webhook_command command = {.public_id = call->args[0]};

	call_effect(call, webhook_ping_run, pinged_print, &command);
}
