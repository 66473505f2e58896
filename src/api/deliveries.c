/* SPDX-License-Identifier: Apache-2.0 */
/* Looking back: what was sent to a webhook and what it answered, and sending
 * it again. */
#include <string.h>

#include "../base/arena.h"
#include "../base/log.h"
#include "../base/secret.h"
#include "../flow/webhooks.h"
#include "resources.h"

struct deliveries_query {
	const char *status, *event_id;
	struct page_query page;
};

static const char *const status_names[] = {"pending", "delivered", "failed",
					   NULL};
static const struct deliveries_query query_defaults = {
	.page = PAGE_DEFAULT(25),
};

#define QUERY(...) IN(struct deliveries_query, __VA_ARGS__)
static const struct spec_field query_fields[] = {
	QUERY("status", SPEC_ENUM, status, .values = status_names),
	QUERY("event_id", SPEC_TEXT, event_id, .ascii = true, .min = 1,
	      .max = 32),
	PAGE_FIELDS(struct deliveries_query, page),
};
static const struct spec query_spec = SPEC("DeliveryQuery", query_fields);
const struct shape deliveries_query = {
	&query_spec, sizeof(struct deliveries_query), &query_defaults};

struct replay_input {
	int64_t from, to;
	bool failed;
};

#define REPLAY(...) IN(struct replay_input, __VA_ARGS__)
static const struct spec_field replay_fields[] = {
	REPLAY("from", SPEC_TIME, from, .doc = "Events made at or after."),
	REPLAY("to", SPEC_TIME, to, .doc = "Events made before."),
	REPLAY("failed", SPEC_BOOL, failed,
	       .doc = "true: only those whose delivery has failed."),
};
static const struct spec replay_spec = SPEC("WebhookReplay", replay_fields);
const struct shape webhook_replay_body = {&replay_spec,
					  sizeof(struct replay_input), NULL};

struct resend_input {
	const char *webhook_id;
};

static const struct spec_field resend_fields[] = {
	IN(struct resend_input, "webhook_id", SPEC_TEXT, webhook_id,
	   .required = true, .ascii = true, .min = 1, .max = 32,
	   .doc = "Where to; whether or not it subscribes to the type."),
};
static const struct spec resend_spec = SPEC("EventResend", resend_fields);
const struct shape event_resend_body = {&resend_spec,
					sizeof(struct resend_input), NULL};

struct attempt_view {
	struct attempt_row row;
	const char *status, *answer;
};

#define ATTEMPT(title, kind, member, ...)                                      \
	OUT(struct attempt_view, title, kind, row.member, __VA_ARGS__)
static const struct emit_field attempt_fields[] = {
	ATTEMPT("number", EMIT_INT, number),
	ATTEMPT("at", EMIT_TIME, started_at),
	ATTEMPT("duration_ms", EMIT_INT, duration_ms),
	OUT(struct attempt_view, "status", EMIT_JSON, status, .nullable = true,
	    .json_schema = "{\"type\":[\"integer\",\"null\"]}",
	    .doc = "Of the HTTP answer; null when none came."),
	ATTEMPT("error", EMIT_TEXT, error, .nullable = true,
		.doc = "Why it did not succeed; null when it did."),
	OUT(struct attempt_view, "answer", EMIT_TEXT, answer, .nullable = true,
	    .doc = "The first bytes of the answer's body, as text."),
};
static const struct emit_object attempt_object =
	EMIT("DeliveryAttempt", attempt_fields);

struct delivery_view {
	struct delivery_row row;
	struct emit_list attempts;
};

#define DELIVERY(title, kind, member, ...)                                     \
	OUT(struct delivery_view, title, kind, row.member, __VA_ARGS__)
static const struct emit_field delivery_fields[] = {
	DELIVERY("event_id", EMIT_TEXT, event_public_id),
	DELIVERY("event_type", EMIT_TEXT, event_type),
	DELIVERY("webhook_id", EMIT_TEXT, webhook_public_id),
	DELIVERY("status", EMIT_TEXT, status, .values = status_names),
	DELIVERY("last_error", EMIT_TEXT, last_error, .nullable = true),
	DELIVERY("created_at", EMIT_TIME, created_at),
	DELIVERY("finished_at", EMIT_TIME, finished_at, .nullable = true),
	DELIVERY("next_attempt_at", EMIT_TIME, next_attempt_at,
		 .nullable = true, .doc = "While it is pending."),
	DELIVERY("attempt_count", EMIT_INT, attempts,
		 .doc = "All that were ever made."),
	OUT(struct delivery_view, "attempts", EMIT_LIST, attempts,
	    .object = &attempt_object,
	    .doc = "The newest twenty, oldest first."),
};
const struct emit_object delivery_object = EMIT("Delivery", delivery_fields);

struct replay_view {
	const char *webhook_id;
	int64_t deliveries;
};

static const struct emit_field replayed_fields[] = {
	OUT(struct replay_view, "webhook_id", EMIT_TEXT, webhook_id, ),
	OUT(struct replay_view, "deliveries", EMIT_INT, deliveries,
	    .doc = "How many events are sent again."),
};
const struct emit_object webhook_replay_object =
	EMIT("WebhookReplayed", replayed_fields);

/* Bytes as text: what is not UTF-8 is U+FFFD, REPLACEMENT CHARACTER. */
static const char *text_of(struct arena *arena, const char *bytes, size_t len)
{
	struct text text;
	size_t size;

	text_init(&text, arena);
	for (size_t i = 0; i < len; i += size) {
		for (size = 1; size <= 4 && i + size <= len; size++)
			if (utf8_valid(bytes + i, size))
				break;
		if (size <= 4 && i + size <= len) {
			text_add_n(&text, bytes + i, size);
		} else {
			text_add(&text, "\xef\xbf\xbd");
			size = 1;
		}
	}
	return text.data;
}

static const char *answer_open(struct arena *arena,
			       const struct keyring *keyring,
			       const char *event_id, struct bytes sealed)
{
	char *plain;

	if (sealed.data == NULL)
		return NULL;
	plain = arena_alloc(arena, sealed.len + 1);
	if (sealed.len < SEAL_OVERHEAD ||
	    !secret_open(keyring, KEY_EVENT, event_id, sealed,
			 (unsigned char *)plain)) {
		log_broken("event=answer_unreadable id=%s", event_id);
		return NULL;
	}
	return text_of(arena, plain, sealed.len - SEAL_OVERHEAD);
}

static struct delivery_view delivery_show(struct arena *arena,
					  const struct keyring *keyring,
					  const struct delivery_shown *shown)
{
	const struct delivery_row *row = &shown->row;
	struct attempt_view *views =
		arena_alloc(arena, (shown->count + 1) * sizeof(*views));

	for (size_t i = 0; i < shown->count; i++) {
		const struct attempt_row *attempt = &shown->attempts[i];

		views[i].row = *attempt;
		views[i].answer =
			answer_open(arena, keyring, row->event_public_id,
				    attempt->answer_sealed);
		if (attempt->status != 0)
			views[i].status = arena_printf(
				arena, "%lld", (long long)attempt->status);
	}
	return (struct delivery_view){
		.row = *row,
		.attempts = {views, shown->count, sizeof(*views)},
	};
}

static struct list_place delivery_list_show(struct call *call, const void *row,
					    void *view)
{
	const struct delivery_shown *shown = row;

	*(struct delivery_view *)view =
		delivery_show(call->arena, call->service->keyring, shown);
	return delivery_place(&shown->row);
}

static enum db_result deliveries_read(struct call *call,
				      const struct delivery_filter *filter,
				      struct list_call *list,
				      struct delivery_shown **shown)
{
	struct delivery_row *rows;
	enum db_result status;

	status = delivery_list(call->service->db, call->arena, filter,
			       &list->window, &rows, &list->result);
	if (status != DB_OK)
		return status;
	*shown = arena_alloc(call->arena,
			     (list->result.count + 1) * sizeof(**shown));
	for (size_t i = 0; i < list->result.count; i++)
		(*shown)[i].row = rows[i];
	return deliveries_shown(call->service->db, call->arena, *shown,
				list->result.count);
}

void webhooks_deliveries(struct call *call)
{
	static const struct list_shape shape = {
		&delivery_object, sizeof(struct delivery_shown),
		sizeof(struct delivery_view), delivery_list_show};
	const struct deliveries_query *query = call->query;
	struct delivery_filter filter = {
		.status = query->status,
		.event_id = query->event_id,
	};
	const char *name =
		arena_printf(call->arena, "deliveries %s %s %s", call->args[0],
			     query->status == NULL ? "" : query->status,
			     query->event_id == NULL ? "" : query->event_id);
	struct delivery_shown *shown = NULL;
	struct webhook_row webhook;
	struct list_call list;
	enum db_result status;

	if (!list_open(call, &list, &query->page, name, true))
		return;
	status = webhook_get(call->service->db, call->arena,
			     call->login->wallet_id, call->args[0], &webhook);
	if (status == DB_OK) {
		filter.webhook_id = webhook.id;
		status = deliveries_read(call, &filter, &list, &shown);
	}
	list_reply(call, &list, &shape, status, shown);
}

static void replayed_print(const void *arg, struct text *body)
{
	const struct webhook_command *command = arg;
	struct replay_view view = {command->public_id,
				   command->replayed.deliveries};

	emit_object(body, &webhook_replay_object, &view);
}

/* An empty body would send everything: it must be said what. */
void webhooks_replay(struct call *call)
{
	static const struct fault unsaid = {
		ERR_MISSING_PARAMETER, "from",
		"from, to or failed must say which events."};
	const struct replay_input *input = call->body;
	struct webhook_command command = {
		.public_id = call->args[0],
		.range = {.from = input->from,
			  .to = input->to,
			  .failed = input->failed},
	};

	if (input->from == 0 && input->to == 0 && !input->failed) {
		reply_refuse(call, &unsaid);
		return;
	}
	call_effect(call, webhook_replay_run, replayed_print, &command);
}

struct resend_call {
	struct event_resend resend;
	const struct keyring *keyring;
};

static enum db_result resend_run(const struct flow *flow, void *arg,
				 enum error_code *refusal)
{
	struct resend_call *resend = arg;

	return event_resend_run(flow, &resend->resend, refusal);
}

static void resent_print(const void *arg, struct text *body)
{
	const struct resend_call *resend = arg;
	struct delivery_view view = delivery_show(body->arena, resend->keyring,
						  &resend->resend.delivery);

	emit_object(body, &delivery_object, &view);
}

void events_resend(struct call *call)
{
	const struct resend_input *input = call->body;
	struct resend_call resend = {
		.resend = {.event_id = call->args[0],
			   .webhook_id = input->webhook_id},
		.keyring = call->service->keyring,
	};

	call_effect(call, resend_run, resent_print, &resend);
}
