/* SPDX-License-Identifier: Apache-2.0 */
#include "payments.h"

#define FACTS(type, member)                                                    \
	{                                                                      \
		type, offsetof(struct authorization_facts, member)             \
	}
#define FACTS_FIELDS                                                           \
	FACTS(DB_TEXT, outcome), FACTS(DB_INT, card_id),                       \
		FACTS(DB_TEXT, card_public_id), FACTS(DB_INT, wallet_id),      \
		FACTS(DB_TEXT, mode), FACTS(DB_TIME, now),                     \
		FACTS(DB_TEXT, status), FACTS(DB_TIME, expires_at),            \
		FACTS(DB_BLOB, pan_sealed), FACTS(DB_TEXT, account_status),    \
		FACTS(DB_TEXT, type), FACTS(DB_TEXT, locked_merchant),         \
		FACTS(DB_TEXT, allowed_categories), FACTS(DB_MONEY, limit),    \
		FACTS(DB_TEXT, limit_window), FACTS(DB_MONEY, limit_used),     \
		FACTS(DB_MONEY, bin_max_transaction),                          \
		FACTS(DB_MONEY, bin_max_monthly), FACTS(DB_MONEY, month_used), \
		FACTS(DB_INT, count_limit), FACTS(DB_INT, transaction_count),  \
		FACTS(DB_BOOL, single_use_spent), FACTS(DB_MONEY, balance),    \
		FACTS(DB_TEXT, category), FACTS(DB_BOOL, country_blocked),     \
		FACTS(DB_TEXT, transaction_public_id)

static const struct db_field facts_columns[] = {
	FACTS_FIELDS,
	FACTS(DB_INT, event_number),
};
static const struct db_field increment_columns[] = {
	FACTS_FIELDS,
	FACTS(DB_INT, transaction_id),
	FACTS(DB_MONEY, earlier),
	FACTS(DB_TEXT, transaction_status),
	FACTS(DB_INT, event_number),
};

#define KEY(type, member)                                                      \
	{                                                                      \
		type, offsetof(struct authorization_key, member)               \
	}
static const struct db_field key_params[] = {
	KEY(DB_INT_OR_NULL, card.wallet_id),
	KEY(DB_TEXT, card.public_id),
	KEY(DB_BLOB, card.pan_hash),
	KEY(DB_TEXT, network_ref),
	KEY(DB_TEXT, mcc),
	KEY(DB_TEXT, country),
};

#define POST(type, member)                                                     \
	{                                                                      \
		type, offsetof(struct authorization_post, member)              \
	}
static const struct db_field post_params[] = {
	POST(DB_INT_OR_NULL, card_id),
	POST(DB_TEXT, public_id),
	POST(DB_TEXT, network_ref),
	POST(DB_TEXT, kind),
	POST(DB_MONEY, requested),
	POST(DB_MONEY, approved_amount),
	POST(DB_BOOL, approved),
	POST(DB_TEXT, response_code),
	POST(DB_TEXT, authorization_code),
	POST(DB_TEXT, decline_reason),
	POST(DB_TEXT, decline_reasons),
	POST(DB_TEXT, merchant.name),
	POST(DB_TEXT, merchant.mcc),
	POST(DB_TEXT, merchant.country),
	POST(DB_TEXT, merchant.city),
	POST(DB_TEXT, merchant.id),
	POST(DB_TEXT, category),
	POST(DB_MONEY_OR_NULL, merchant_amount),
	POST(DB_TEXT, merchant_currency),
	POST(DB_TEXT, three_ds),
	POST(DB_BOOL, bind_merchant),
};

#define INCREMENT(type, member)                                                \
	{                                                                      \
		type, offsetof(struct increment_post, member)                  \
	}
static const struct db_field increment_params[] = {
	INCREMENT(DB_INT, transaction_id),  INCREMENT(DB_MONEY, amount),
	INCREMENT(DB_BOOL, approved),	    INCREMENT(DB_TEXT, response_code),
	INCREMENT(DB_TEXT, decline_reason), INCREMENT(DB_TEXT, decline_reasons),
	INCREMENT(DB_TEXT, message_ref),
};

#define TARGET(type, member)                                                   \
	{DB_INT_OR_NULL, offsetof(type, member.wallet_id)},                    \
		{DB_TEXT, offsetof(type, member.transaction)},                 \
		{DB_TEXT, offsetof(type, member.network_ref)},                 \
	{                                                                      \
		DB_TEXT, offsetof(type, member.message_ref)                    \
	}
#define MERCHANT(type, member)                                                 \
	{DB_TEXT, offsetof(type, member.name)},                                \
		{DB_TEXT, offsetof(type, member.mcc)},                         \
		{DB_TEXT, offsetof(type, member.country)},                     \
		{DB_TEXT, offsetof(type, member.city)},                        \
	{                                                                      \
		DB_TEXT, offsetof(type, member.id)                             \
	}

static const struct db_field target_params[] = {
	{DB_INT_OR_NULL, offsetof(struct payment_target, wallet_id)},
	{DB_TEXT, offsetof(struct payment_target, transaction)},
	{DB_TEXT, offsetof(struct payment_target, network_ref)},
	{DB_TEXT, offsetof(struct payment_target, message_ref)},
};
static const struct db_field advice_params[] = {
	TARGET(struct advice, target),
	{DB_MONEY, offsetof(struct advice, amount)},
};
static const struct db_field clearing_params[] = {
	TARGET(struct clearing, target),
	{DB_MONEY_OR_NULL, offsetof(struct clearing, amount)},
	{DB_BOOL, offsetof(struct clearing, final)},
	{DB_MONEY_OR_NULL, offsetof(struct clearing, merchant_amount)},
	{DB_TEXT, offsetof(struct clearing, merchant_currency)},
};
static const struct db_field reversal_params[] = {
	TARGET(struct reversal, target),
	{DB_MONEY_OR_NULL, offsetof(struct reversal, amount)},
};
static const struct db_field refund_reversal_params[] = {
	TARGET(struct refund_reversal, target),
	{DB_MONEY_OR_NULL, offsetof(struct refund_reversal, amount)},
};
static const struct db_field force_params[] = {
	{DB_INT_OR_NULL, offsetof(struct force_post, card.wallet_id)},
	{DB_TEXT, offsetof(struct force_post, card.public_id)},
	{DB_BLOB, offsetof(struct force_post, card.pan_hash)},
	{DB_TEXT, offsetof(struct force_post, network_ref)},
	{DB_TEXT, offsetof(struct force_post, public_id)},
	{DB_MONEY, offsetof(struct force_post, amount)},
	MERCHANT(struct force_post, merchant),
};
static const struct db_field refund_params[] = {
	{DB_INT_OR_NULL, offsetof(struct refund, card.wallet_id)},
	{DB_TEXT, offsetof(struct refund, card.public_id)},
	{DB_BLOB, offsetof(struct refund, card.pan_hash)},
	{DB_TEXT, offsetof(struct refund, original)},
	{DB_TEXT, offsetof(struct refund, original_network_ref)},
	{DB_TEXT, offsetof(struct refund, network_ref)},
	{DB_TEXT, offsetof(struct refund, public_id)},
	{DB_MONEY, offsetof(struct refund, amount)},
	MERCHANT(struct refund, merchant),
};

#define TRANSACTION_COLUMNS                                                    \
	"id, public_id, wallet_id, card_id, card_public_id, card_last4, "      \
	"network_ref, kind, type, status, requested_cents, "                   \
	"authorized_cents, reversed_cents, cleared_cents, expired_cents, "     \
	"refunded_cents, hold_cents, amount_cents, balance_after_cents, "      \
	"merchant_name, merchant_mcc, merchant_country, merchant_city, "       \
	"merchant_id, category, merchant_amount_cents, merchant_currency, "    \
	"response_code, authorization_code, decline_reason, "                  \
	"decline_reasons, three_ds, original_public_id, hold_expires_at, "     \
	"created_at, updated_at"
#define ROW(type, member)                                                      \
	{                                                                      \
		type, offsetof(struct transaction_row, member)                 \
	}
#define TRANSACTION_FIELDS                                                     \
	ROW(DB_INT, id), ROW(DB_TEXT, public_id), ROW(DB_INT, wallet_id),      \
		ROW(DB_INT, card_id), ROW(DB_TEXT, card_public_id),            \
		ROW(DB_TEXT, card_last4), ROW(DB_TEXT, network_ref),           \
		ROW(DB_TEXT, kind), ROW(DB_TEXT, type), ROW(DB_TEXT, status),  \
		ROW(DB_MONEY, requested), ROW(DB_MONEY, authorized),           \
		ROW(DB_MONEY, reversed), ROW(DB_MONEY, cleared),               \
		ROW(DB_MONEY, expired), ROW(DB_MONEY, refunded),               \
		ROW(DB_MONEY, hold), ROW(DB_MONEY, amount),                    \
		ROW(DB_MONEY, balance_after), ROW(DB_TEXT, merchant.name),     \
		ROW(DB_TEXT, merchant.mcc), ROW(DB_TEXT, merchant.country),    \
		ROW(DB_TEXT, merchant.city), ROW(DB_TEXT, merchant.id),        \
		ROW(DB_TEXT, category), ROW(DB_MONEY, merchant_amount),        \
		ROW(DB_TEXT, merchant_currency), ROW(DB_TEXT, response_code),  \
		ROW(DB_TEXT, authorization_code),                              \
		ROW(DB_TEXT, decline_reason), ROW(DB_TEXT, decline_reasons),   \
		ROW(DB_TEXT, three_ds), ROW(DB_TEXT, original_public_id),      \
		ROW(DB_TIME, hold_expires_at), ROW(DB_TIME, created_at),       \
		ROW(DB_TIME, updated_at)

static const struct db_field transaction_columns[] = {TRANSACTION_FIELDS};
const struct row_shape transaction_row_shape = ROW_SHAPE(
	TRANSACTION_COLUMNS, transaction_columns, struct transaction_row);
#define WITH_CARD(type, member)                                                \
	{                                                                      \
		type, offsetof(struct transaction_with_card, member)           \
	}
#define WITH_CARD_COLUMNS                                                      \
	TRANSACTION_COLUMNS ", merchant_authorized_cents, card_created_at, "   \
			    "card_expires_at, "                                \
			    "card_type, card_label, card_status, "             \
			    "card_limit_cents, card_limit_window, "            \
			    "card_merchant_name, card_single_use_spent"
static const struct db_field with_card_columns[] = {
	TRANSACTION_FIELDS,
	WITH_CARD(DB_MONEY, merchant_authorized),
	WITH_CARD(DB_TIME, card_created_at),
	WITH_CARD(DB_TIME, card_expires_at),
	WITH_CARD(DB_TEXT, card_type),
	WITH_CARD(DB_TEXT, card_label),
	WITH_CARD(DB_TEXT, card_status),
	WITH_CARD(DB_MONEY, card_limit),
	WITH_CARD(DB_TEXT, card_limit_window),
	WITH_CARD(DB_TEXT, card_merchant_name),
	WITH_CARD(DB_BOOL, card_single_use_spent),
};
const struct row_shape transaction_with_card_shape = ROW_SHAPE(
	WITH_CARD_COLUMNS, with_card_columns, struct transaction_with_card);
static const struct db_field answer_columns[] = {
	ROW(DB_TEXT, outcome),
	TRANSACTION_FIELDS,
	ROW(DB_INT, event_number),
	ROW(DB_MONEY, event_amount),
};

#define EVENT(type, member)                                                    \
	{                                                                      \
		type, offsetof(struct transaction_event, member)               \
	}
static const struct db_field event_columns[] = {
	EVENT(DB_INT, number),		 EVENT(DB_TEXT, type),
	EVENT(DB_MONEY, amount),	 EVENT(DB_BOOL, approved),
	EVENT(DB_TEXT, response_code),	 EVENT(DB_MONEY, balance_after),
	EVENT(DB_TIME, created_at),	 EVENT(DB_TEXT, decline_reason),
	EVENT(DB_TEXT, decline_reasons),
};
#define EVENT_COLUMNS                                                          \
	"number, type, amount_cents, approved, response_code, "                \
	"balance_after_cents, created_at, decline_reason, decline_reasons"
const struct row_shape transaction_event_shape =
	ROW_SHAPE(EVENT_COLUMNS, event_columns, struct transaction_event);

const struct statement authorization_open_statement = {
	.name = "authorization_open",
	.sql = "CALL authorization_open(?, ?, ?, ?, ?, ?)",
	DB_PARAMS(key_params),
	DB_COLUMNS(facts_columns, struct authorization_facts),
};
static const struct statement statement_read = {
	.name = "authorization_read",
	.sql = "CALL authorization_read(?, ?, ?, ?, ?, ?)",
	DB_PARAMS(key_params),
	DB_COLUMNS(facts_columns, struct authorization_facts),
};
#define POST_MARKS                                                             \
	"(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "           \
	"?, ?)"
const struct statement authorization_close_statement = {
	.name = "authorization_close",
	.sql = "CALL authorization_close" POST_MARKS,
	DB_PARAMS(post_params),
};
static const struct statement statement_post = {
	.name = "authorization_post",
	.sql = "CALL authorization_post" POST_MARKS,
	DB_PARAMS(post_params),
};
static const struct statement statement_increment_read = {
	.name = "increment_read",
	.sql = "CALL increment_read(?, ?, ?, ?)",
	DB_PARAMS(target_params),
	DB_COLUMNS(increment_columns, struct authorization_facts),
};
static const struct statement statement_increment_post = {
	.name = "increment_post",
	.sql = "CALL increment_post(?, ?, ?, ?, ?, ?, ?)",
	DB_PARAMS(increment_params),
};
static const struct statement statement_advice = {
	.name = "transaction_advice",
	.sql = "CALL transaction_advice(?, ?, ?, ?, ?)",
	DB_PARAMS(advice_params),
	DB_COLUMNS(answer_columns, struct transaction_row),
};
static const struct statement statement_clear = {
	.name = "transaction_clear",
	.sql = "CALL transaction_clear(?, ?, ?, ?, ?, ?, ?, ?)",
	DB_PARAMS(clearing_params),
	DB_COLUMNS(answer_columns, struct transaction_row),
};
static const struct statement statement_reverse = {
	.name = "transaction_reverse",
	.sql = "CALL transaction_reverse(?, ?, ?, ?, ?)",
	DB_PARAMS(reversal_params),
	DB_COLUMNS(answer_columns, struct transaction_row),
};
static const struct statement statement_force_post = {
	.name = "force_post",
	.sql = "CALL force_post(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	DB_PARAMS(force_params),
	DB_COLUMNS(answer_columns, struct transaction_row),
};
static const struct statement statement_refund = {
	.name = "refund",
	.sql = "CALL refund(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	DB_PARAMS(refund_params),
	DB_COLUMNS(answer_columns, struct transaction_row),
};
static const struct statement statement_refund_reverse = {
	.name = "refund_reverse",
	.sql = "CALL refund_reverse(?, ?, ?, ?, ?)",
	DB_PARAMS(refund_reversal_params),
	DB_COLUMNS(answer_columns, struct transaction_row),
};

static const struct db_field get_params[] = {
	{DB_INT, offsetof(struct payment_target, wallet_id)},
	{DB_TEXT, offsetof(struct payment_target, transaction)},
};
static const struct db_field find_params[] = {
	{DB_TEXT, offsetof(struct payment_target, transaction)},
};
static const struct db_field events_params[] = {{DB_INT, 0}};

static const struct statement statement_get = {
	.name = "transaction_get",
	.sql = "SELECT " TRANSACTION_COLUMNS " FROM transaction_rows "
	       "WHERE wallet_id = ? AND public_id = ?",
	DB_PARAMS(get_params),
	DB_COLUMNS(transaction_columns, struct transaction_row),
};
static const struct statement statement_get_with_card = {
	.name = "transaction_with_card_get",
	.sql = "SELECT " WITH_CARD_COLUMNS " FROM transaction_rows "
	       "WHERE wallet_id = ? AND public_id = ?",
	DB_PARAMS(get_params),
	DB_COLUMNS(with_card_columns, struct transaction_with_card),
};
static const struct statement statement_find = {
	.name = "transaction_find",
	.sql = "SELECT " TRANSACTION_COLUMNS " FROM transaction_rows "
	       "WHERE public_id = ?",
	DB_PARAMS(find_params),
	DB_COLUMNS(transaction_columns, struct transaction_row),
};
static const struct statement statement_events = {
	.name = "transaction_events",
	.sql = "SELECT " EVENT_COLUMNS " FROM transaction_event_rows "
	       "WHERE transaction_id = ? ORDER BY number",
	DB_PARAMS(events_params),
	DB_COLUMNS(event_columns, struct transaction_event),
};

static const struct list_source transaction_source = {
	.name = "transaction_list",
	.names = TRANSACTION_COLUMNS,
	.from = "transaction_rows",
	.key = "id",
	.id = "id",
	DB_COLUMNS(transaction_columns, struct transaction_row),
};

static const struct list_source with_card_source = {
	.name = "transaction_with_card_list",
	.names = WITH_CARD_COLUMNS,
	.from = "transaction_rows",
	.key = "id",
	.id = "id",
	DB_COLUMNS(with_card_columns, struct transaction_with_card),
};

#define EVENT_OF(type, member)                                                 \
	{                                                                      \
		type, offsetof(struct transaction_event_of, event.member)      \
	}
static const struct db_field event_of_columns[] = {
	{DB_INT, offsetof(struct transaction_event_of, transaction_id)},
	EVENT_OF(DB_INT, number),
	EVENT_OF(DB_TEXT, type),
	EVENT_OF(DB_MONEY, amount),
	EVENT_OF(DB_BOOL, approved),
	EVENT_OF(DB_TEXT, response_code),
	EVENT_OF(DB_MONEY, balance_after),
	EVENT_OF(DB_TIME, created_at),
	EVENT_OF(DB_TEXT, decline_reason),
	EVENT_OF(DB_TEXT, decline_reasons),
};
static const struct db_field events_of_params[] = {{DB_TEXT, 0}};
static const struct statement statement_events_of = {
	.name = "transaction_events_of",
	.sql = "SELECT transaction_id, " EVENT_COLUMNS " FROM "
	       "JSON_TABLE(?, '$[*]' COLUMNS (place FOR ORDINALITY, "
	       "wanted BIGINT UNSIGNED PATH '$')) AS asked "
	       "STRAIGHT_JOIN transaction_event_rows "
	       "ON transaction_id = wanted ORDER BY place, number",
	DB_PARAMS(events_of_params),
	DB_COLUMNS(event_of_columns, struct transaction_event_of),
};

enum db_result authorization_read(struct db *db, struct arena *arena,
				  const struct authorization_key *key,
				  struct authorization_facts *facts)
{
	return db_one(db, arena, &statement_read, key, facts);
}

enum db_result authorization_post(struct db *db,
				  const struct authorization_post *post)
{
	return db_run(db, &statement_post, post, NULL);
}

enum db_result increment_read(struct db *db, struct arena *arena,
			      const struct payment_target *target,
			      struct authorization_facts *facts)
{
	return db_one(db, arena, &statement_increment_read, target, facts);
}

enum db_result increment_post(struct db *db, const struct increment_post *post)
{
	return db_run(db, &statement_increment_post, post, NULL);
}

enum db_result transaction_advice(struct db *db, struct arena *arena,
				  const struct advice *advice,
				  struct transaction_row *row)
{
	return db_one(db, arena, &statement_advice, advice, row);
}

enum db_result transaction_clear(struct db *db, struct arena *arena,
				 const struct clearing *clearing,
				 struct transaction_row *row)
{
	return db_one(db, arena, &statement_clear, clearing, row);
}

enum db_result transaction_reverse(struct db *db, struct arena *arena,
				   const struct reversal *reversal,
				   struct transaction_row *row)
{
	return db_one(db, arena, &statement_reverse, reversal, row);
}

enum db_result force_post(struct db *db, struct arena *arena,
			  const struct force_post *post,
			  struct transaction_row *row)
{
	return db_one(db, arena, &statement_force_post, post, row);
}

enum db_result refund(struct db *db, struct arena *arena,
		      const struct refund *refund, struct transaction_row *row)
{
	return db_one(db, arena, &statement_refund, refund, row);
}

enum db_result refund_reverse(struct db *db, struct arena *arena,
			      const struct refund_reversal *reversal,
			      struct transaction_row *row)
{
	return db_one(db, arena, &statement_refund_reverse, reversal, row);
}

enum db_result transaction_get(struct db *db, struct arena *arena,
			       int64_t wallet_id, const char *public_id,
			       struct transaction_row *row)
{
	struct payment_target target = {
		.wallet_id = wallet_id,
		.transaction = public_id,
	};

	return db_one(db, arena, &statement_get, &target, row);
}

enum db_result transaction_find(struct db *db, struct arena *arena,
				const char *public_id,
				struct transaction_row *row)
{
	struct payment_target target = {.transaction = public_id};

	return db_one(db, arena, &statement_find, &target, row);
}

enum db_result transaction_events(struct db *db, struct arena *arena,
				  int64_t transaction_id,
				  struct transaction_event **rows,
				  size_t *count)
{
	return db_all(db, arena, &statement_events, &transaction_id,
		      (void **)rows, count);
}

struct list_place transaction_place(const struct transaction_row *row)
{
	return (struct list_place){row->id, row->id};
}

/* Totals by card and type are kept, so that they cost nothing to tell. */
static enum db_result transaction_total(struct db *db, struct arena *arena,
					const struct transaction_filter *filter,
					int64_t *total)
{
	static const struct list_source counts = {
		.name = "transaction_total",
		.count = "SELECT COALESCE(SUM(transactions), 0) "
			 "FROM transaction_count_rows",
	};
	struct list_query query;

	list_query_init(&query, arena);
	list_where_int(&query, "wallet_id = ?", filter->wallet_id);
	list_where_text(&query, "card_public_id = ?", filter->card_id);
	list_where_text(&query, "type = ?", filter->type);
	list_where_text(&query, "type <> ?", filter->not_type);
	return list_count(db, arena, &counts, &query, total);
}

static enum db_result list_read(struct db *db, struct arena *arena,
				const struct list_source *source,
				const struct transaction_filter *filter,
				const struct list_window *window, void **rows,
				struct list_result *result)
{
	struct list_query query;
	enum db_result status;

	list_query_init(&query, arena);
	list_where_int(&query, "wallet_id = ?", filter->wallet_id);
	list_where_text(&query, "card_public_id = ?", filter->card_id);
	list_where_text(&query, "type = ?", filter->type);
	list_where_text(&query, "type <> ?", filter->not_type);
	list_where_text(&query, "public_id = ?", filter->public_id);
	list_where_text(&query, "status = ?", filter->status);
	list_where_text(&query, "merchant_name LIKE ? ESCAPE '|'",
			list_pattern(arena, filter->merchant));
	list_where_time(&query, "created_at >= ?", filter->from);
	list_where_time(&query, "created_at < ?", filter->to);
	list_where_money(&query, "ABS(amount_cents) >= ?", filter->min_amount);
	list_where_money(&query, "ABS(amount_cents) <= ?", filter->max_amount);
	if (filter->status == NULL && filter->merchant == NULL &&
	    filter->public_id == NULL && filter->from == 0 && filter->to == 0 &&
	    filter->min_amount == NULL && filter->max_amount == NULL)
		status = transaction_total(db, arena, filter, &result->total);
	else
		status = list_count(db, arena, source, &query, &result->total);
	if (status != DB_OK)
		return status;
	return list_rows(db, arena, source, &query, window, rows, result);
}

enum db_result transaction_list(struct db *db, struct arena *arena,
				const struct transaction_filter *filter,
				const struct list_window *window,
				struct transaction_row **rows,
				struct list_result *result)
{
	return list_read(db, arena, &transaction_source, filter, window,
			 (void **)rows, result);
}

enum db_result transaction_with_card_list(
	struct db *db, struct arena *arena,
	const struct transaction_filter *filter,
	const struct list_window *window, struct transaction_with_card **rows,
	struct list_result *result)
{
	return list_read(db, arena, &with_card_source, filter, window,
			 (void **)rows, result);
}

enum db_result transaction_with_card_get(struct db *db, struct arena *arena,
					 int64_t wallet_id,
					 const char *public_id,
					 struct transaction_with_card *row)
{
	struct payment_target target = {
		.wallet_id = wallet_id,
		.transaction = public_id,
	};

	return db_one(db, arena, &statement_get_with_card, &target, row);
}

enum db_result transaction_events_of(struct db *db, struct arena *arena,
				     const struct transaction_with_card *rows,
				     size_t row_count,
				     struct transaction_event_of **events,
				     size_t *count)
{
	enum db_result result;
	const char *wanted;
	struct text ids;

	text_init(&ids, arena);
	for (size_t i = 0; i < row_count; i++)
		text_printf(&ids, "%c%lld", i == 0 ? '[' : ',',
			    (long long)rows[i].row.id);
	text_add(&ids, row_count == 0 ? "[]" : "]");
	wanted = ids.data;
	result = db_all(db, arena, &statement_events_of, &wanted,
			(void **)events, count);
	if (result != DB_NO_ROW)
		return result;
	*count = 0;
	return DB_OK;
}
