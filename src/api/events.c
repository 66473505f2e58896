/* SPDX-License-Identifier: Apache-2.0 */
/* The events of a wallet, as they are sent: a snapshot is rendered by the very
 * table that renders the object's GET. */
#include "../store/events.h"

#include <string.h>

#include "../base/arena.h"
#include "../base/log.h"
#include "../json/exact.h"
#include "bodies.h"
#include "resources.h"

static const char *const event_types[] = {"card.created",
					  "card.updated",
					  "card.activated",
					  "card.funded",
					  "card.withdrawn",
					  "card.frozen",
					  "card.unfrozen",
					  "card.terminated",
					  "transaction.authorized",
					  "transaction.settled",
					  "transaction.declined",
					  "transaction.refunded",
					  "transaction.reversed",
					  "transaction.expired",
					  "3ds.challenge",
					  "3ds.completed",
					  "3ds.expired",
					  "deposit.pending",
					  "deposit.confirmed",
					  "deposit.expired",
					  "webhook.ping",
					  NULL};

struct events_query {
	const char *type, *card_id;
	int64_t from, to;
	struct page_query page;
};
static const struct events_query query_defaults = {
	.page = PAGE_DEFAULT(50),
};

#define QUERY(...) IN(struct events_query, __VA_ARGS__)
static const struct spec_field query_fields[] = {
	QUERY("type", SPEC_ENUM, type, .values = event_types),
	QUERY("card_id", SPEC_TEXT, card_id, .ascii = true, .min = 1,
	      .max = 32),
	QUERY("from", SPEC_TIME, from, .doc = "At or after."),
	QUERY("to", SPEC_TIME, to, .doc = "Before."),
	PAGE_FIELDS(struct events_query, page),
};
static const struct spec query_spec = SPEC("EventQuery", query_fields);
const struct shape events_query = {&query_spec, sizeof(struct events_query),
				   &query_defaults};

struct event_view {
	struct event_row row;
	bool livemode;
	const char *data;
};

#define ROW(title, kind, member, ...)                                          \
	OUT(struct event_view, title, kind, row.member, __VA_ARGS__)
static const struct emit_field event_fields[] = {
	ROW("id", EMIT_TEXT, public_id),
	ROW("type", EMIT_TEXT, type, .values = event_types),
	ROW("created_at", EMIT_TIME, created_at),
	OUT(struct event_view, "livemode", EMIT_BOOL, livemode, ),
	ROW("sequence", EMIT_INT, sequence,
	    .doc = "Without gaps per card; per account for what belongs to "
		   "no card."),
	OUT(struct event_view, "data", EMIT_JSON, data,
	    .json_schema = "{\"type\":\"object\"}",
	    .doc = "The object, as its GET showed it at that moment."),
};
const struct emit_object event_object = EMIT("Event", event_fields);

/* Which object an event tells of, by the first word of its type. */
static const struct {
	const char *word;
	bool (*print)(struct arena *arena, const struct keyring *keyring,
		      const json_t *snapshot, struct text *body);
} objects[] = {
	{"card.", card_snapshot_print},
	{"transaction.", transaction_snapshot_print},
	{"3ds.", challenge_snapshot_print},
	{"deposit.", deposit_snapshot_print},
	{"webhook.", webhook_snapshot_print},
};

static bool data_print(struct arena *arena, const struct keyring *keyring,
		       const struct event_row *row, struct text *data)
{
	const char *why;
	json_t *snapshot;
	bool shown = false;

	snapshot =
		exact_parse(arena, row->snapshot, strlen(row->snapshot), &why);
	if (snapshot == NULL)
		return false;
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (strncmp(row->type, objects[i].word,
			    strlen(objects[i].word)) == 0)
			shown = objects[i].print(arena, keyring, snapshot,
						 data);
	json_decref(snapshot);
	return shown;
}

/* False when the snapshot cannot be read: data is then an empty object. */
static bool event_show(struct arena *arena, const struct keyring *keyring,
		       const struct event_row *row, struct event_view *view)
{
	struct text data;
	bool shown;

	text_init(&data, arena);
	shown = data_print(arena, keyring, row, &data);
	if (!shown)
		log_broken("event=snapshot_unreadable id=%s", row->public_id);
	*view = (struct event_view){
		.row = *row,
		.livemode = strcmp(row->mode, "live") == 0,
		.data = shown ? data.data : "{}",
	};
	return shown;
}

bool event_type_known(const char *type)
{
	for (const char *const *known = event_types; *known != NULL; known++)
		if (strcmp(*known, type) == 0)
			return true;
	return false;
}

void event_print(struct arena *arena, const struct keyring *keyring,
		 const struct event_row *row, struct text *body)
{
	struct event_view view;

	event_show(arena, keyring, row, &view);
	emit_object(body, &event_object, &view);
}

static bool privacy_body_print(struct arena *arena, const struct event_row *row,
			       const struct funding_row *funding,
			       struct text *body)
{
	const char *why;
	json_t *snapshot =
		exact_parse(arena, row->snapshot, strlen(row->snapshot), &why);
	bool shown = snapshot != NULL &&
		     privacy_event_print(arena, snapshot, funding, body);

	json_decref(snapshot);
	if (!shown)
		log_broken("event=snapshot_unreadable id=%s", row->public_id);
	return shown;
}

bool event_body_print(struct arena *arena, const struct keyring *keyring,
		      const struct event_row *row, const char *dialect,
		      const struct funding_row *funding, struct text *body)
{
	struct event_view view;

	if (strcmp(dialect, "privacy") == 0)
		return privacy_body_print(arena, row, funding, body);
	if (strcmp(dialect, "native") != 0 ||
	    !event_show(arena, keyring, row, &view))
		return false;
	emit_object(body, &event_object, &view);
	return true;
}

static struct list_place event_list_show(struct call *call, const void *row,
					 void *view)
{
	event_show(call->arena, call->service->keyring, row, view);
	return event_place(row);
}

void events_list(struct call *call)
{
	static const struct list_shape shape = {
		&event_object, sizeof(struct event_row),
		sizeof(struct event_view), event_list_show};
	const struct events_query *query = call->query;
	struct event_filter filter = {
		.wallet_id = call->login->wallet_id,
		.type = query->type,
		.card_id = query->card_id,
		.from = query->from,
		.to = query->to,
	};
	const char *name =
		arena_printf(call->arena, "events %s %s %lld %lld",
			     query->type == NULL ? "" : query->type,
			     query->card_id == NULL ? "" : query->card_id,
			     (long long)query->from, (long long)query->to);
	struct event_row *rows = NULL;
	struct list_call list;
	enum db_result status;

	if (!list_open(call, &list, &query->page, name, true))
		return;
	status = event_list(call->service->db, call->arena, &filter,
			    &list.window, &rows, &list.result);
	list_reply(call, &list, &shape, status, rows);
}

void events_get(struct call *call)
{
	struct event_row row;
	enum db_result status;

	status = event_get(call->service->db, call->arena,
			   call->login->wallet_id, call->args[0], &row);
	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	call->reply->status = call->route->status;
	event_print(call->arena, call->service->keyring, &row,
		    &call->reply->body);
}
