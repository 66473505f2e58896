/* SPDX-License-Identifier: Apache-2.0 */
/* The events of a wallet, as they are sent: a snapshot is rendered by the very
 * table that renders the object's GET. */
#include "../store/events.h"

#include <string.h>

#include "../base/arena.h"
#include "../base/log.h"
#include "../json/exact.h"
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

static const char *event_data(struct call *call, const struct event_row *row)
{
	struct text data;
	const char *why;
	json_t *snapshot = exact_parse(call->arena, row->snapshot,
				       strlen(row->snapshot), &why);
	bool shown = false;

	text_init(&data, call->arena);
	if (snapshot != NULL) {
		if (strncmp(row->type, "card.", 5) == 0)
			shown = card_snapshot_print(call, snapshot, &data);
		else if (strncmp(row->type, "transaction.", 12) == 0)
			shown = transaction_snapshot_print(call, snapshot,
							   &data);
		else if (strncmp(row->type, "3ds.", 4) == 0)
			shown = challenge_snapshot_print(call, snapshot, &data);
		else if (strncmp(row->type, "deposit.", 8) == 0)
			shown = deposit_snapshot_print(call, snapshot, &data);
	}
	json_decref(snapshot);
	if (!shown) {
		log_broken("event=snapshot_unreadable id=%s", row->public_id);
		return "{}";
	}
	return data.data;
}

static struct event_view event_show(struct call *call,
				    const struct event_row *row)
{
	return (struct event_view){
		.row = *row,
		.livemode = strcmp(row->mode, "live") == 0,
		.data = event_data(call, row),
	};
}

void events_list(struct call *call)
{
	const struct events_query *query = call->query;
	struct event_filter filter = {
		.wallet_id = call->login->wallet_id,
		.type = query->type,
		.card_id = query->card_id,
		.from = query->from,
		.to = query->to,
	};
	const char *list =
		arena_printf(call->arena, "events %s %s %lld %lld",
			     query->type == NULL ? "" : query->type,
			     query->card_id == NULL ? "" : query->card_id,
			     (long long)query->from, (long long)query->to);
	struct list_place after, last = {0, 0};
	struct list_window window;
	struct list_result result;
	struct event_row *rows;
	struct event_view *views;
	enum db_result status;
	int64_t number;

	if (!page_open(call, &query->page, list, true, &after, &window,
		       &number))
		return;
	status = event_list(call->service->db, call->arena, &filter, &window,
			    &rows, &result);
	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	views = arena_alloc(call->arena, (result.count + 1) * sizeof(*views));
	for (size_t i = 0; i < result.count; i++) {
		views[i] = event_show(call, &rows[i]);
		last = event_place(&rows[i]);
	}
	reply_list(call, &event_object,
		   (struct emit_list){views, result.count, sizeof(*views)},
		   &result, &window, number, list, last);
}

void events_get(struct call *call)
{
	struct event_view view;
	struct event_row row;
	enum db_result status;

	status = event_get(call->service->db, call->arena,
			   call->login->wallet_id, call->args[0], &row);
	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	view = event_show(call, &row);
	reply_object(call, &event_object, &view);
}
