/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/arena.h"
#include "resources.h"

struct transactions_query {
	const char *card_id, *type, *status, *merchant;
	int64_t from, to;
	struct money min_amount, max_amount;
	bool min_given, max_given;
	struct page_query page;
};

static const char *const type_names[] = {"authorization", "settlement",
					 "refund", "decline", NULL};
static const char *const status_names[] = {"pending", "settled",  "voided",
					   "expired", "declined", "refunded",
					   NULL};
static const struct transactions_query query_defaults = {
	.page = PAGE_DEFAULT(50),
};

#define QUERY(...) IN(struct transactions_query, __VA_ARGS__)
static const struct spec_field query_fields[] = {
	QUERY("card_id", SPEC_TEXT, card_id, .ascii = true, .min = 1,
	      .max = 32),
	QUERY("type", SPEC_ENUM, type, .values = type_names),
	QUERY("status", SPEC_ENUM, status, .values = status_names),
	QUERY("from", SPEC_TIME, from, .doc = "Made at or after."),
	QUERY("to", SPEC_TIME, to, .doc = "Made before."),
	QUERY("merchant", SPEC_TEXT, merchant, .min = 1, .max = 64,
	      .doc = "Part of the merchant's name, in any case."),
	QUERY("min_amount", SPEC_MONEY, min_amount, .min = 0,
	      .max = MONEY_MAX_CENTS,
	      .given = offsetof(struct transactions_query, min_given),
	      .doc = "Least size of the amount, whatever its sign."),
	QUERY("max_amount", SPEC_MONEY, max_amount, .min = 0,
	      .max = MONEY_MAX_CENTS,
	      .given = offsetof(struct transactions_query, max_given),
	      .doc = "Greatest size of the amount, whatever its sign."),
	PAGE_FIELDS(struct transactions_query, page),
};
static const struct spec query_spec = SPEC("TransactionQuery", query_fields);
const struct shape transactions_query = {
	&query_spec, sizeof(struct transactions_query), &query_defaults};

struct merchant_view {
	struct merchant merchant;
	const char *category;
};

#define MERCHANT(title, member, ...)                                           \
	OUT(struct merchant_view, title, EMIT_TEXT, member, __VA_ARGS__)
static const struct emit_field merchant_fields[] = {
	MERCHANT("name", merchant.name, ),
	MERCHANT("category", category, ),
	MERCHANT("mcc", merchant.mcc, .nullable = true),
	MERCHANT("country", merchant.country, .nullable = true),
	MERCHANT("city", merchant.city, .nullable = true),
	MERCHANT("id", merchant.id, .nullable = true),
};
static const struct emit_object merchant_object =
	EMIT("Merchant", merchant_fields);

#define EVENT(...) OUT(struct transaction_event, __VA_ARGS__)
static const struct emit_field event_fields[] = {
	EVENT("type", EMIT_TEXT, type),
	EVENT("amount", EMIT_MONEY, amount),
	EVENT("approved", EMIT_BOOL, approved),
	EVENT("response_code", EMIT_TEXT, response_code, .nullable = true,
	      .doc = "ISO 8583 field 39."),
	EVENT("decline_reason", EMIT_TEXT, decline_reason, .nullable = true),
	EVENT("balance_after", EMIT_MONEY, balance_after),
	EVENT("created_at", EMIT_TIME, created_at),
};
static const struct emit_object timeline_event_object =
	EMIT("TransactionEvent", event_fields);

struct transaction_view {
	struct transaction_row row;
	const char *currency;
	struct merchant_view merchant;
	struct emit_list timeline;
	bool approved; /* sandbox */
};

#define ROW(title, kind, member, ...)                                          \
	OUT(struct transaction_view, title, kind, row.member, __VA_ARGS__)
/* What lists and details have in common, and what the sandbox adds. */
#define TRANSACTION_FIELDS                                                     \
	ROW("id", EMIT_TEXT, public_id),                                       \
		ROW("card_id", EMIT_TEXT, card_public_id),                     \
		ROW("type", EMIT_TEXT, type, .values = type_names,             \
		    .doc = "The latest stage of the purchase."),               \
		ROW("status", EMIT_TEXT, status, .values = status_names),      \
		ROW("amount", EMIT_MONEY, amount, .doc = "Debits negative."),  \
		OUT(struct transaction_view, "currency", EMIT_TEXT, currency,  \
		    .doc = "Of all amounts but merchant_amount."),             \
		OUT(struct transaction_view, "merchant", EMIT_OBJECT,          \
		    merchant, .object = &merchant_object),                     \
		ROW("balance_after", EMIT_MONEY, balance_after,                \
		    .doc = "The card's balance after the last event."),        \
		ROW("decline_reason", EMIT_TEXT, decline_reason,               \
		    .nullable = true),                                         \
		ROW("created_at", EMIT_TIME, created_at)
#define DETAIL_FIELDS                                                          \
	ROW("decline_reasons", EMIT_JSON, decline_reasons,                     \
	    .json_schema = TEXT_LIST_SCHEMA,                                   \
	    .doc = "All rules that failed; the first is the verdict."),        \
		ROW("authorized", EMIT_MONEY, authorized),                     \
		ROW("reversed", EMIT_MONEY, reversed),                         \
		ROW("cleared", EMIT_MONEY, cleared),                           \
		ROW("expired", EMIT_MONEY, expired),                           \
		ROW("refunded", EMIT_MONEY, refunded),                         \
		ROW("pending", EMIT_MONEY, hold, .doc = "Still held."),        \
		ROW("merchant_amount", EMIT_MONEY, merchant_amount,            \
		    .nullable = true, .doc = "In merchant_currency."),         \
		ROW("merchant_currency", EMIT_TEXT, merchant_currency,         \
		    .nullable = true),                                         \
		ROW("response_code", EMIT_TEXT, response_code,                 \
		    .nullable = true),                                         \
		ROW("authorization_code", EMIT_TEXT, authorization_code,       \
		    .nullable = true),                                         \
		ROW("network_ref", EMIT_TEXT, network_ref, .nullable = true),  \
		ROW("three_ds", EMIT_JSON, three_ds, .nullable = true,         \
		    .json_schema = "{\"type\":[\"object\",\"null\"]}"),        \
		ROW("original_transaction_id", EMIT_TEXT, original_public_id,  \
		    .nullable = true),                                         \
		ROW("hold_expires_at", EMIT_TIME, hold_expires_at,             \
		    .nullable = true),                                         \
		ROW("updated_at", EMIT_TIME, updated_at),                      \
		OUT(struct transaction_view, "timeline", EMIT_LIST, timeline,  \
		    .object = &timeline_event_object)

static const struct emit_field list_fields[] = {TRANSACTION_FIELDS};
static const struct emit_field detail_fields[] = {
	TRANSACTION_FIELDS,
	DETAIL_FIELDS,
};
static const struct emit_field simulated_fields[] = {
	TRANSACTION_FIELDS,
	DETAIL_FIELDS,
	OUT(struct transaction_view, "approved", EMIT_BOOL, approved, ),
};
const struct emit_object transaction_row_object =
	EMIT("TransactionSummary", list_fields);
const struct emit_object transaction_object =
	EMIT("Transaction", detail_fields);
const struct emit_object transaction_simulated_object =
	EMIT("SimulatedTransaction", simulated_fields);

static struct transaction_view transaction_show(
	const struct transaction_row *row)
{
	return (struct transaction_view){
		.row = *row,
		.currency = "USD",
		.merchant = {row->merchant, row->category},
		.timeline = {.size = sizeof(struct transaction_event)},
	};
}

enum db_result transaction_shown(struct db *db, struct arena *arena,
				 struct transaction_shown *shown)
{
	return transaction_events(db, arena, shown->row.id, &shown->events,
				  &shown->count);
}

static struct transaction_view transaction_show_whole(
	const struct transaction_shown *shown)
{
	struct transaction_view view = transaction_show(&shown->row);

	view.timeline.rows = shown->events;
	view.timeline.count = shown->count;
	view.approved = shown->approved;
	if (shown->response_code != NULL)
		view.row.response_code = shown->response_code;
	return view;
}

/* The timeline lies in the snapshot as a list of rows. */
bool transaction_snapshot_print(struct arena *arena,
				const struct keyring *keyring,
				const json_t *snapshot, struct text *body)
{
	const json_t *timeline = json_object_get(snapshot, "timeline");
	size_t count = json_array_size(timeline);
	struct transaction_event *events =
		arena_alloc(arena, (count + 1) * sizeof(*events));
	struct transaction_shown shown = {.events = events, .count = count};
	struct transaction_view view;

	(void)keyring;
	if (!snapshot_read(arena, snapshot, &transaction_row_shape, &shown.row))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!snapshot_read(arena, json_array_get(timeline, i),
				   &transaction_event_shape, &events[i]))
			return false;
	view = transaction_show_whole(&shown);
	emit_object(body, &transaction_object, &view);
	return true;
}

void transaction_simulated_print(const void *arg, struct text *body)
{
	struct transaction_view view = transaction_show_whole(arg);

	emit_object(body, &transaction_simulated_object, &view);
}

static const char *list_name(struct arena *arena,
			     const struct transactions_query *query)
{
	struct text name;
	char least[MONEY_TEXT_SIZE] = "", most[MONEY_TEXT_SIZE] = "";

	if (query->min_given)
		money_format(least, query->min_amount);
	if (query->max_given)
		money_format(most, query->max_amount);
	text_init(&name, arena);
	text_printf(&name, "transactions %s %s %s %lld %lld %s %s ",
		    query->card_id == NULL ? "" : query->card_id,
		    query->type == NULL ? "" : query->type,
		    query->status == NULL ? "" : query->status,
		    (long long)query->from, (long long)query->to, least, most);
	text_add(&name, query->merchant == NULL ? "" : query->merchant);
	return name.data;
}

static struct list_place transaction_list_show(struct call *call,
					       const void *row, void *view)
{
	(void)call;
	*(struct transaction_view *)view = transaction_show(row);
	return transaction_place(row);
}

void transactions_list(struct call *call)
{
	static const struct list_shape shape = {
		&transaction_row_object, sizeof(struct transaction_row),
		sizeof(struct transaction_view), transaction_list_show};
	const struct transactions_query *query = call->query;
	const char *name = list_name(call->arena, query);
	struct transaction_filter filter = {
		.wallet_id = call->login->wallet_id,
		.card_id = query->card_id,
		.type = query->type,
		.status = query->status,
		.merchant = query->merchant,
		.from = query->from,
		.to = query->to,
		.min_amount = query->min_given ? &query->min_amount : NULL,
		.max_amount = query->max_given ? &query->max_amount : NULL,
	};
	struct transaction_row *rows = NULL;
	struct list_call list;
	enum db_result status;

	if (!list_open(call, &list, &query->page, name, true))
		return;
	status = transaction_list(call->service->db, call->arena, &filter,
				  &list.window, &rows, &list.result);
	list_reply(call, &list, &shape, status, rows);
}

void transactions_get(struct call *call)
{
	struct transaction_shown shown = {.count = 0};
	struct transaction_view view;
	enum db_result status;

	status = transaction_get(call->service->db, call->arena,
				 call->login->wallet_id, call->args[0],
				 &shown.row);
	if (status == DB_OK)
		status = transaction_shown(call->service->db, call->arena,
					   &shown);
	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	view = transaction_show_whole(&shown);
	reply_object(call, &transaction_object, &view);
}
