/* SPDX-License-Identifier: Apache-2.0 */
#include "cards.h"

#include <string.h>

/* As the view has them, and the routines that answer a card. */
#define CARD_COLUMNS                                                           \
	"id, public_id, wallet_id, number, bin_id, network, last4, "           \
	"status, frozen_reason, label, balance_cents, pending_cents, "         \
	"spending_limit_cents, allowed_categories, "                           \
	"auto_freeze_at_cents, metadata, total_spent_cents, "                  \
	"transaction_count, last_used_at, frozen_at, terminated_at, "          \
	"created_at, expires_at, mode, clock_offset_s, type, funding, "        \
	"limit_window, locked_merchant_name, ledger_balance_cents, "           \
	"single_use_spent, bin_max_monthly_cents"

/* base is where the card_row lies. */
#define CARD_FIELDS(base)                                                      \
	{DB_INT, (base) + offsetof(struct card_row, id)},                      \
		{DB_TEXT, (base) + offsetof(struct card_row, public_id)},      \
		{DB_INT, (base) + offsetof(struct card_row, wallet_id)},       \
		{DB_INT, (base) + offsetof(struct card_row, number)},          \
		{DB_TEXT, (base) + offsetof(struct card_row, bin_id)},         \
		{DB_TEXT, (base) + offsetof(struct card_row, network)},        \
		{DB_TEXT, (base) + offsetof(struct card_row, last4)},          \
		{DB_TEXT, (base) + offsetof(struct card_row, status)},         \
		{DB_TEXT, (base) + offsetof(struct card_row, frozen_reason)},  \
		{DB_TEXT, (base) + offsetof(struct card_row, label)},          \
		{DB_MONEY, (base) + offsetof(struct card_row, balance)},       \
		{DB_MONEY, (base) + offsetof(struct card_row, pending)},       \
		{DB_MONEY,                                                     \
		 (base) + offsetof(struct card_row, spending_limit)},          \
		{DB_TEXT,                                                      \
		 (base) + offsetof(struct card_row, allowed_categories)},      \
		{DB_MONEY,                                                     \
		 (base) + offsetof(struct card_row, auto_freeze_at)},          \
		{DB_TEXT, (base) + offsetof(struct card_row, metadata)},       \
		{DB_MONEY, (base) + offsetof(struct card_row, total_spent)},   \
		{DB_INT,                                                       \
		 (base) + offsetof(struct card_row, transaction_count)},       \
		{DB_TIME, (base) + offsetof(struct card_row, last_used_at)},   \
		{DB_TIME, (base) + offsetof(struct card_row, frozen_at)},      \
		{DB_TIME, (base) + offsetof(struct card_row, terminated_at)},  \
		{DB_TIME, (base) + offsetof(struct card_row, created_at)},     \
		{DB_TIME, (base) + offsetof(struct card_row, expires_at)},     \
		{DB_TEXT, (base) + offsetof(struct card_row, mode)},           \
		{DB_INT, (base) + offsetof(struct card_row, clock_offset_s)},  \
		{DB_TEXT, (base) + offsetof(struct card_row, type)},           \
		{DB_TEXT, (base) + offsetof(struct card_row, funding)},        \
		{DB_TEXT, (base) + offsetof(struct card_row, limit_window)},   \
		{DB_TEXT,                                                      \
		 (base) + offsetof(struct card_row, locked_merchant_name)},    \
		{DB_MONEY,                                                     \
		 (base) + offsetof(struct card_row, ledger_balance)},          \
		{DB_BOOL,                                                      \
		 (base) + offsetof(struct card_row, single_use_spent)},        \
	{                                                                      \
		DB_MONEY, (base) + offsetof(struct card_row, bin_max_monthly)  \
	}

static const struct db_field card_columns[] = {CARD_FIELDS(0)};
const struct row_shape card_row_shape =
	ROW_SHAPE(CARD_COLUMNS, card_columns, struct card_row);
static const struct db_field answer_columns[] = {
	{DB_TEXT, offsetof(struct card_answer, outcome)},
	CARD_FIELDS(offsetof(struct card_answer, card)),
};
static const struct db_field state_columns[] = {
	{DB_TEXT, offsetof(struct card_answer, outcome)},
	{DB_MONEY, offsetof(struct card_answer, refunded)},
	CARD_FIELDS(offsetof(struct card_answer, card)),
};

static const struct db_field transfer_columns[] = {
	{DB_TEXT, offsetof(struct card_transfer, outcome)},
	{DB_TEXT, offsetof(struct card_transfer, public_id)},
	{DB_MONEY, offsetof(struct card_transfer, previous_balance)},
	{DB_MONEY, offsetof(struct card_transfer, amount)},
	{DB_MONEY, offsetof(struct card_transfer, new_balance)},
	{DB_MONEY, offsetof(struct card_transfer, wallet_balance)},
};

static const struct db_field details_columns[] = {
	{DB_TEXT, offsetof(struct card_details, outcome)},
	{DB_TEXT, offsetof(struct card_details, public_id)},
	{DB_BLOB, offsetof(struct card_details, pan_sealed)},
	{DB_TIME, offsetof(struct card_details, expires_at)},
};

struct card_params {
	int64_t wallet_id;
	const char *public_id;
	struct money amount;
	const char *reason, *key_public_id, *address, *request_id;
};

static const struct db_field card_params[] = {
	{DB_INT, offsetof(struct card_params, wallet_id)},
	{DB_TEXT, offsetof(struct card_params, public_id)},
};
static const struct db_field transfer_params[] = {
	{DB_INT, offsetof(struct card_params, wallet_id)},
	{DB_TEXT, offsetof(struct card_params, public_id)},
	{DB_MONEY, offsetof(struct card_params, amount)},
};
static const struct db_field freeze_params[] = {
	{DB_INT, offsetof(struct card_params, wallet_id)},
	{DB_TEXT, offsetof(struct card_params, public_id)},
	{DB_TEXT, offsetof(struct card_params, reason)},
};
static const struct db_field details_params[] = {
	{DB_INT, offsetof(struct card_params, wallet_id)},
	{DB_TEXT, offsetof(struct card_params, public_id)},
	{DB_TEXT, offsetof(struct card_params, key_public_id)},
	{DB_TEXT, offsetof(struct card_params, address)},
	{DB_TEXT, offsetof(struct card_params, request_id)},
};

static const struct db_field create_params[] = {
	{DB_INT, offsetof(struct card_new, wallet_id)},
	{DB_TEXT, offsetof(struct card_new, public_id)},
	{DB_TEXT, offsetof(struct card_new, bin_id)},
	{DB_TEXT, offsetof(struct card_new, label)},
	{DB_BLOB, offsetof(struct card_new, pan_sealed)},
	{DB_INT, offsetof(struct card_new, pan_key_id)},
	{DB_BLOB, offsetof(struct card_new, pan_hash)},
	{DB_TEXT, offsetof(struct card_new, last4)},
	{DB_MONEY, offsetof(struct card_new, amount)},
	{DB_MONEY_OR_NULL, offsetof(struct card_new, spending_limit)},
	{DB_TEXT, offsetof(struct card_new, allowed_categories)},
	{DB_MONEY, offsetof(struct card_new, auto_freeze_at)},
	{DB_TEXT, offsetof(struct card_new, metadata)},
	{DB_TEXT, offsetof(struct card_new, type)},
	{DB_TEXT, offsetof(struct card_new, funding)},
	{DB_TEXT, offsetof(struct card_new, limit_window)},
	{DB_BOOL, offsetof(struct card_new, frozen)},
	{DB_TIME, offsetof(struct card_new, expires_at)},
};

struct update_params {
	int64_t wallet_id;
	const char *public_id;
	struct card_patch patch;
};

static const struct db_field update_params[] = {
	{DB_INT, offsetof(struct update_params, wallet_id)},
	{DB_TEXT, offsetof(struct update_params, public_id)},
	{DB_TEXT, offsetof(struct update_params, patch.label)},
	{DB_MONEY_OR_NULL,
	 offsetof(struct update_params, patch.spending_limit)},
	{DB_TEXT, offsetof(struct update_params, patch.allowed_categories)},
	{DB_MONEY_OR_NULL,
	 offsetof(struct update_params, patch.auto_freeze_at)},
	{DB_TEXT, offsetof(struct update_params, patch.metadata)},
};

static const struct db_field change_params[] = {
	{DB_INT, offsetof(struct update_params, wallet_id)},
	{DB_TEXT, offsetof(struct update_params, public_id)},
	{DB_TEXT, offsetof(struct update_params, patch.status)},
	{DB_TEXT, offsetof(struct update_params, patch.label)},
	{DB_MONEY_OR_NULL,
	 offsetof(struct update_params, patch.spending_limit)},
	{DB_TEXT, offsetof(struct update_params, patch.limit_window)},
};

static const struct statement statement_get = {
	.name = "card_get",
	.sql = "SELECT " CARD_COLUMNS " FROM card_rows "
	       "WHERE wallet_id = ? AND public_id = ?",
	DB_PARAMS(card_params),
	DB_COLUMNS(card_columns, struct card_row),
};
static const struct statement statement_create = {
	.name = "card_create",
	.sql = "CALL card_create(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
	       "?, ?, ?)",
	DB_PARAMS(create_params),
	DB_COLUMNS(answer_columns, struct card_answer),
};
static const struct statement statement_update = {
	.name = "card_update",
	.sql = "CALL card_update(?, ?, ?, ?, ?, ?, ?)",
	DB_PARAMS(update_params),
	DB_COLUMNS(answer_columns, struct card_answer),
};
static const struct statement statement_change = {
	.name = "card_change",
	.sql = "CALL card_change(?, ?, ?, ?, ?, ?)",
	DB_PARAMS(change_params),
	DB_COLUMNS(answer_columns, struct card_answer),
};
static const struct statement statement_freeze = {
	.name = "card_freeze",
	.sql = "CALL card_freeze(?, ?, ?)",
	DB_PARAMS(freeze_params),
	DB_COLUMNS(state_columns, struct card_answer),
};
static const struct statement statement_unfreeze = {
	.name = "card_unfreeze",
	.sql = "CALL card_unfreeze(?, ?)",
	DB_PARAMS(card_params),
	DB_COLUMNS(state_columns, struct card_answer),
};
static const struct statement statement_terminate = {
	.name = "card_terminate",
	.sql = "CALL card_terminate(?, ?)",
	DB_PARAMS(card_params),
	DB_COLUMNS(state_columns, struct card_answer),
};
static const struct statement statement_fund = {
	.name = "card_fund",
	.sql = "CALL card_fund(?, ?, ?)",
	DB_PARAMS(transfer_params),
	DB_COLUMNS(transfer_columns, struct card_transfer),
};
static const struct statement statement_withdraw = {
	.name = "card_withdraw",
	.sql = "CALL card_withdraw(?, ?, ?)",
	DB_PARAMS(transfer_params),
	DB_COLUMNS(transfer_columns, struct card_transfer),
};
static const struct statement statement_details = {
	.name = "card_details_read",
	.sql = "CALL card_details_read(?, ?, ?, ?, ?)",
	DB_PARAMS(details_params),
	DB_COLUMNS(details_columns, struct card_details),
};

enum db_result card_get(struct db *db, struct arena *arena, int64_t wallet_id,
			const char *public_id, struct card_row *row)
{
	struct card_params params = {
		.wallet_id = wallet_id,
		.public_id = public_id,
	};

	return db_one(db, arena, &statement_get, &params, row);
}

static const struct db_field limits_columns[] = {
	{DB_MONEY, offsetof(struct card_limits, limit_used)},
	{DB_MONEY, offsetof(struct card_limits, month_used)},
	{DB_TIME, offsetof(struct card_limits, resets_at)},
};
#define LIMITS_COLUMNS "limit_used_cents, month_used_cents, limit_resets_at"
const struct row_shape card_limits_shape =
	ROW_SHAPE(LIMITS_COLUMNS, limits_columns, struct card_limits);

enum db_result card_limits_get(struct db *db, struct arena *arena,
			       int64_t card_id, struct card_limits *limits)
{
	static const struct db_field params[] = {{DB_INT, 0}};
	static const struct statement statement = {
		.name = "card_limits",
		.sql = "SELECT " LIMITS_COLUMNS " FROM card_limits "
		       "WHERE card_id = ?",
		DB_PARAMS(params),
		DB_COLUMNS(limits_columns, struct card_limits),
	};

	return db_one(db, arena, &statement, &card_id, limits);
}

enum db_result card_create(struct db *db, struct arena *arena,
			   const struct card_new *new_card,
			   struct card_answer *answer)
{
	return db_one(db, arena, &statement_create, new_card, answer);
}

enum db_result card_update(struct db *db, struct arena *arena,
			   int64_t wallet_id, const char *public_id,
			   const struct card_patch *patch,
			   struct card_answer *answer)
{
	struct update_params params = {wallet_id, public_id, *patch};

	return db_one(db, arena, &statement_update, &params, answer);
}

enum db_result card_change(struct db *db, struct arena *arena,
			   int64_t wallet_id, const char *public_id,
			   const struct card_patch *patch,
			   struct card_answer *answer)
{
	struct update_params params = {wallet_id, public_id, *patch};

	return db_one(db, arena, &statement_change, &params, answer);
}

enum db_result card_freeze(struct db *db, struct arena *arena,
			   int64_t wallet_id, const char *public_id,
			   struct card_answer *answer)
{
	struct card_params params = {
		.wallet_id = wallet_id,
		.public_id = public_id,
		.reason = "customer",
	};

	return db_one(db, arena, &statement_freeze, &params, answer);
}

enum db_result card_unfreeze(struct db *db, struct arena *arena,
			     int64_t wallet_id, const char *public_id,
			     struct card_answer *answer)
{
	struct card_params params = {
		.wallet_id = wallet_id,
		.public_id = public_id,
	};

	return db_one(db, arena, &statement_unfreeze, &params, answer);
}

enum db_result card_terminate(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *public_id,
			      struct card_answer *answer)
{
	struct card_params params = {
		.wallet_id = wallet_id,
		.public_id = public_id,
	};

	return db_one(db, arena, &statement_terminate, &params, answer);
}

enum db_result card_fund(struct db *db, struct arena *arena, int64_t wallet_id,
			 const char *public_id, struct money amount,
			 struct card_transfer *answer)
{
	struct card_params params = {
		.wallet_id = wallet_id,
		.public_id = public_id,
		.amount = amount,
	};

	return db_one(db, arena, &statement_fund, &params, answer);
}

enum db_result card_withdraw(struct db *db, struct arena *arena,
			     int64_t wallet_id, const char *public_id,
			     struct money amount, struct card_transfer *answer)
{
	struct card_params params = {
		.wallet_id = wallet_id,
		.public_id = public_id,
		.amount = amount,
	};

	return db_one(db, arena, &statement_withdraw, &params, answer);
}

enum db_result card_details_read(struct db *db, struct arena *arena,
				 int64_t wallet_id, const char *public_id,
				 const char *key_public_id, const char *address,
				 const char *request_id,
				 struct card_details *details)
{
	struct card_params params = {
		.wallet_id = wallet_id,
		.public_id = public_id,
		.key_public_id = key_public_id,
		.address = address,
		.request_id = request_id,
	};

	return db_one(db, arena, &statement_details, &params, details);
}

enum db_result card_numbers_read(struct db *db, struct arena *arena,
				 const struct card_number_read *read,
				 struct card_number_row **rows, size_t *count)
{
	static const struct db_field params[] = {
		{DB_INT, offsetof(struct card_number_read, wallet_id)},
		{DB_TEXT, offsetof(struct card_number_read, cards)},
		{DB_TEXT, offsetof(struct card_number_read, action)},
		{DB_TEXT, offsetof(struct card_number_read, key_public_id)},
		{DB_TEXT, offsetof(struct card_number_read, address)},
		{DB_TEXT, offsetof(struct card_number_read, request_id)},
	};
	static const struct db_field columns[] = {
		{DB_INT, offsetof(struct card_number_row, card_id)},
		{DB_BLOB, offsetof(struct card_number_row, pan_sealed)},
	};
	static const struct statement statement = {
		.name = "card_numbers_read",
		.sql = "CALL card_numbers_read(?, ?, ?, ?, ?, ?)",
		DB_PARAMS(params),
		DB_COLUMNS(columns, struct card_number_row),
	};

	return db_all(db, arena, &statement, read, (void **)rows, count);
}

enum db_result embed_read(struct db *db, struct arena *arena,
			  const char *card_public_id, struct embed_row **rows,
			  size_t *count)
{
	static const struct db_field params[] = {{DB_TEXT, 0}};
	static const struct db_field columns[] = {
		{DB_INT, offsetof(struct embed_row, card_id)},
		{DB_INT, offsetof(struct embed_row, wallet_id)},
		{DB_TEXT, offsetof(struct embed_row, last4)},
		{DB_TIME, offsetof(struct embed_row, expires_at)},
		{DB_TEXT, offsetof(struct embed_row, account_public_id)},
		{DB_TEXT, offsetof(struct embed_row, account_status)},
		{DB_TEXT, offsetof(struct embed_row, key_public_id)},
		{DB_BLOB, offsetof(struct embed_row, key_sealed)},
		{DB_BOOL, offsetof(struct embed_row, shows_numbers)},
	};
	static const struct statement statement = {
		.name = "embed_read",
		.sql = "CALL embed_read(?)",
		DB_PARAMS(params),
		DB_COLUMNS(columns, struct embed_row),
	};

	return db_all(db, arena, &statement, &card_public_id, (void **)rows,
		      count);
}

#define CARD_SOURCE(order_key, order_id)                                       \
	.name = "card_list", .names = CARD_COLUMNS, .from = "card_rows",       \
	.key = order_key, .id = order_id,                                      \
	DB_COLUMNS(card_columns, struct card_row)

static const struct list_source card_sources[] = {
	[CARD_SORT_CREATED_AT] = {CARD_SOURCE("number", "number")},
	/* The ledger's own index carries the balances. */
	[CARD_SORT_BALANCE] = {CARD_SOURCE("ledger_balance_cents",
					   "ledger_card_id")},
	[CARD_SORT_LAST_USED] = {CARD_SOURCE("last_used_at", "number"),
				 .key_is_time = true},
};

struct list_place card_place(const struct card_row *row, enum card_sort sort)
{
	int64_t place;

	switch (sort) {
	case CARD_SORT_CREATED_AT:
		return (struct list_place){row->number, row->number};
	case CARD_SORT_BALANCE:
		place = row->ledger_balance.cents; /* raw: a place */
		return (struct list_place){place, row->id};
	case CARD_SORT_LAST_USED:
		return (struct list_place){row->last_used_at, row->number};
	}
	return (struct list_place){0, 0};
}

/* Totals by status and BIN are kept, so that they cost nothing to tell. */
static enum db_result card_total(struct db *db, struct arena *arena,
				 const struct card_filter *filter,
				 int64_t *total)
{
	static const struct list_source counts = {
		.name = "card_total",
		.count = "SELECT COALESCE(SUM(cards), 0) FROM card_counts",
	};
	struct list_query query;

	list_query_init(&query, arena);
	list_where_int(&query, "wallet_id = ?", filter->wallet_id);
	list_where_text(&query, "status = ?", filter->status);
	list_where_text(&query, "bin_id = ?", filter->bin_id);
	return list_count(db, arena, &counts, &query, total);
}

/* Cards are numbered without gaps, so a page of all of them in the order of
 * their making is a range of numbers: both its ends, or the optimizer may walk
 * the whole wallet. */
static void card_range(struct list_query *query, int64_t total,
		       struct list_window *window, struct list_place *after)
{
	int64_t skip = (window->page - 1) * window->per_page;
	int64_t reach = window->per_page + 1;

	if (window->after == NULL) {
		after->id = window->descending ? total + 1 - skip : skip;
		window->after = after;
	}
	if (window->descending)
		list_where_int(query, "number >= ?", window->after->id - reach);
	else
		list_where_int(query, "number <= ?", window->after->id + reach);
}

static void card_where(struct list_query *query,
		       const struct card_filter *filter)
{
	struct arena *arena = query->where.arena;

	if (filter->sort == CARD_SORT_BALANCE) {
		list_where_int(query, "ledger_wallet_id = ?",
			       filter->wallet_id);
		list_where(query, "ledger_kind = 'card'");
	} else {
		list_where_int(query, "wallet_id = ?", filter->wallet_id);
	}
	list_where_text(query, "status = ?", filter->status);
	list_where_text(query, "bin_id = ?", filter->bin_id);
	list_where_text(query, "label LIKE ? ESCAPE '|'",
			list_pattern(arena, filter->label));
	list_where_time(query, "created_at >= ?", filter->begin);
	list_where_time(query, "created_at < ?", filter->end);
}

/* The cards made in a time: how many, and between which numbers. */
struct card_span {
	int64_t first, last, count;
};

static enum db_result card_span(struct db *db, struct arena *arena,
				const struct card_filter *filter,
				struct card_span *span)
{
	static const struct db_field params[] = {
		{DB_INT, offsetof(struct card_filter, wallet_id)},
		{DB_TIME, offsetof(struct card_filter, begin)},
		{DB_TIME, offsetof(struct card_filter, end)},
	};
	static const struct db_field columns[] = {
		{DB_INT, offsetof(struct card_span, first)},
		{DB_INT, offsetof(struct card_span, last)},
		{DB_INT, offsetof(struct card_span, count)},
	};
	static const struct statement statement = {
		.name = "card_span",
		.sql = "SELECT COALESCE(MIN(number), 0), "
		       "COALESCE(MAX(number), 0), COUNT(*) FROM card_days "
		       "WHERE wallet_id = ? "
		       "AND created_at >= COALESCE(?, '1970-01-01') "
		       "AND created_at < COALESCE(?, '9999-12-31')",
		DB_PARAMS(params),
		DB_COLUMNS(columns, struct card_span),
	};

	return db_one(db, arena, &statement, filter, span);
}

/* The total of what the query finds; where it is of a time, the query gets
 * bounds besides that the list's own order can use. */
static enum db_result card_count(struct db *db, struct arena *arena,
				 const struct card_filter *filter,
				 struct list_query *query, int64_t *total)
{
	const struct list_source *source = &card_sources[filter->sort];
	struct card_span span;
	enum db_result status;

	if (filter->begin == 0 && filter->end == 0)
		return filter->label == NULL
			       ? card_total(db, arena, filter, total)
			       : list_count(db, arena, source, query, total);
	status = card_span(db, arena, filter, &span);
	if (status != DB_OK)
		return status;
	list_where_int(query, "number >= ?", span.first);
	list_where_int(query, "number <= ?", span.last);
	*total = span.count;
	return filter->label == NULL && filter->status == NULL &&
			       filter->bin_id == NULL
		       ? DB_OK
		       : list_count(db, arena, source, query, total);
}

enum db_result card_list(struct db *db, struct arena *arena,
			 const struct card_filter *filter,
			 const struct list_window *window,
			 struct card_row **rows, struct list_result *result)
{
	const struct list_source *source = &card_sources[filter->sort];
	struct list_window narrowed = *window;
	struct list_place after = {0, 0};
	struct list_query query;
	enum db_result status;
	bool all = filter->status == NULL && filter->bin_id == NULL &&
		   filter->label == NULL && filter->begin == 0 &&
		   filter->end == 0;

	list_query_init(&query, arena);
	card_where(&query, filter);
	status = card_count(db, arena, filter, &query, &result->total);
	if (status != DB_OK)
		return status;
	if (all && filter->sort == CARD_SORT_CREATED_AT)
		card_range(&query, result->total, &narrowed, &after);
	return list_rows(db, arena, source, &query, &narrowed, (void **)rows,
			 result);
}
