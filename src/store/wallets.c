/* SPDX-License-Identifier: Apache-2.0 */
#include "wallets.h"

struct wallet_params {
	int64_t wallet_id;
	const char *text, *action; /* currency or public id */
	int64_t advance_s;
};

static const struct db_field wallet_params[] = {
	{DB_INT, offsetof(struct wallet_params, wallet_id)},
};
static const struct db_field text_params[] = {
	{DB_INT, offsetof(struct wallet_params, wallet_id)},
	{DB_TEXT, offsetof(struct wallet_params, text)},
};
static const struct db_field change_params[] = {
	{DB_INT, offsetof(struct wallet_params, wallet_id)},
	{DB_TEXT, offsetof(struct wallet_params, text)},
	{DB_TEXT, offsetof(struct wallet_params, action)},
};
static const struct db_field clock_params[] = {
	{DB_INT, offsetof(struct wallet_params, wallet_id)},
	{DB_INT, offsetof(struct wallet_params, advance_s)},
};
static const struct db_field deposit_params[] = {
	{DB_INT, offsetof(struct deposit_new, wallet_id)},
	{DB_TEXT, offsetof(struct deposit_new, public_id)},
	{DB_TEXT, offsetof(struct deposit_new, currency)},
	{DB_TEXT, offsetof(struct deposit_new, amount_units)},
	{DB_MONEY_OR_NULL, offsetof(struct deposit_new, amount_usd)},
	{DB_TEXT, offsetof(struct deposit_new, tx_hash)},
	{DB_BOOL, offsetof(struct deposit_new, confirm)},
};

static const struct db_field wallet_columns[] = {
	{DB_MONEY, offsetof(struct wallet_row, balance)},
	{DB_MONEY, offsetof(struct wallet_row, pending_deposits)},
	{DB_MONEY, offsetof(struct wallet_row, total_deposited)},
	{DB_MONEY, offsetof(struct wallet_row, total_spent)},
	{DB_INT, offsetof(struct wallet_row, cards_active)},
	{DB_MONEY, offsetof(struct wallet_row, cards_total_balance)},
};
static const struct db_field currency_columns[] = {
	{DB_TEXT, offsetof(struct currency_row, code)},
	{DB_TEXT, offsetof(struct currency_row, network)},
	{DB_TEXT, offsetof(struct currency_row, min_deposit)},
	{DB_INT, offsetof(struct currency_row, decimals)},
};
static const struct db_field address_columns[] = {
	{DB_TEXT, offsetof(struct address_row, outcome)},
	{DB_TEXT, offsetof(struct address_row, address)},
};
static const struct db_field clock_columns[] = {
	{DB_TEXT, offsetof(struct clock_row, outcome)},
	{DB_TIME, offsetof(struct clock_row, now)},
	{DB_INT, offsetof(struct clock_row, offset_s)},
};

#define DEPOSIT_COLUMNS                                                        \
	"id, public_id, currency, network, address, tx_hash, amount_units, "   \
	"decimals, rate_micros, amount_usd_cents, fee_usd_cents, "             \
	"credited_usd_cents, status, hold_reason, confirmations, "             \
	"required_confirmations, created_at, confirmed_at"
#define DEPOSIT_FIELDS                                                         \
	{DB_INT, offsetof(struct deposit_row, id)},                            \
		{DB_TEXT, offsetof(struct deposit_row, public_id)},            \
		{DB_TEXT, offsetof(struct deposit_row, currency)},             \
		{DB_TEXT, offsetof(struct deposit_row, network)},              \
		{DB_TEXT, offsetof(struct deposit_row, address)},              \
		{DB_TEXT, offsetof(struct deposit_row, tx_hash)},              \
		{DB_TEXT, offsetof(struct deposit_row, amount_units)},         \
		{DB_INT, offsetof(struct deposit_row, decimals)},              \
		{DB_INT, offsetof(struct deposit_row, rate_micros)},           \
		{DB_MONEY, offsetof(struct deposit_row, amount_usd)},          \
		{DB_MONEY, offsetof(struct deposit_row, fee_usd)},             \
		{DB_MONEY, offsetof(struct deposit_row, credited_usd)},        \
		{DB_TEXT, offsetof(struct deposit_row, status)},               \
		{DB_TEXT, offsetof(struct deposit_row, hold_reason)},          \
		{DB_INT, offsetof(struct deposit_row, confirmations)},         \
		{DB_INT,                                                       \
		 offsetof(struct deposit_row, required_confirmations)},        \
		{DB_TIME, offsetof(struct deposit_row, created_at)},           \
	{                                                                      \
		DB_TIME, offsetof(struct deposit_row, confirmed_at)            \
	}

static const struct db_field deposit_columns[] = {DEPOSIT_FIELDS};
const struct row_shape deposit_row_shape =
	ROW_SHAPE(DEPOSIT_COLUMNS, deposit_columns, struct deposit_row);
static const struct db_field deposit_answer_columns[] = {
	{DB_TEXT, offsetof(struct deposit_row, outcome)},
	DEPOSIT_FIELDS,
};

static const struct statement statement_wallet = {
	.name = "wallet_get",
	.sql = "SELECT balance_cents, pending_deposits_cents, "
	       "total_deposited_cents, total_spent_cents, cards_active, "
	       "cards_total_balance_cents FROM wallet_rows "
	       "WHERE wallet_id = ?",
	DB_PARAMS(wallet_params),
	DB_COLUMNS(wallet_columns, struct wallet_row),
};
static const struct statement statement_currencies = {
	.name = "currency_list",
	.sql = "SELECT code, network, min_deposit, decimals FROM currencies "
	       "WHERE enabled ORDER BY code",
	DB_COLUMNS(currency_columns, struct currency_row),
};
static const struct statement statement_address = {
	.name = "deposit_address_take",
	.sql = "CALL deposit_address_take(?, ?)",
	DB_PARAMS(text_params),
	DB_COLUMNS(address_columns, struct address_row),
};
static const struct statement statement_deposit = {
	.name = "deposit_get",
	.sql = "SELECT " DEPOSIT_COLUMNS " FROM deposit_rows "
	       "WHERE wallet_id = ? AND public_id = ?",
	DB_PARAMS(text_params),
	DB_COLUMNS(deposit_columns, struct deposit_row),
};
static const struct statement statement_simulate_deposit = {
	.name = "simulate_deposit",
	.sql = "CALL simulate_deposit(?, ?, ?, ?, ?, ?, ?)",
	DB_PARAMS(deposit_params),
	DB_COLUMNS(deposit_answer_columns, struct deposit_row),
};
static const struct statement statement_simulate_change = {
	.name = "simulate_deposit_change",
	.sql = "CALL simulate_deposit_change(?, ?, ?)",
	DB_PARAMS(change_params),
	DB_COLUMNS(deposit_answer_columns, struct deposit_row),
};
static const struct statement statement_clock = {
	.name = "simulate_clock",
	.sql = "CALL simulate_clock(?, ?)",
	DB_PARAMS(clock_params),
	DB_COLUMNS(clock_columns, struct clock_row),
};

static const struct list_source deposit_source = {
	.name = "deposit_list",
	.names = DEPOSIT_COLUMNS,
	.from = "deposit_rows",
	.key = "id",
	.id = "id",
	DB_COLUMNS(deposit_columns, struct deposit_row),
};

enum db_result wallet_get(struct db *db, struct arena *arena, int64_t wallet_id,
			  struct wallet_row *row)
{
	struct wallet_params params = {.wallet_id = wallet_id};

	return db_one(db, arena, &statement_wallet, &params, row);
}

enum db_result currency_list(struct db *db, struct arena *arena,
			     struct currency_row **rows, size_t *count)
{
	return db_all(db, arena, &statement_currencies, NULL, (void **)rows,
		      count);
}

enum db_result deposit_address_take(struct db *db, struct arena *arena,
				    int64_t wallet_id, const char *currency,
				    struct address_row *row)
{
	struct wallet_params params = {
		.wallet_id = wallet_id,
		.text = currency,
	};

	return db_one(db, arena, &statement_address, &params, row);
}

enum db_result deposit_get(struct db *db, struct arena *arena,
			   int64_t wallet_id, const char *public_id,
			   struct deposit_row *row)
{
	struct wallet_params params = {
		.wallet_id = wallet_id,
		.text = public_id,
	};

	return db_one(db, arena, &statement_deposit, &params, row);
}

struct list_place deposit_place(const struct deposit_row *row)
{
	return (struct list_place){row->id, row->id};
}

enum db_result deposit_list(struct db *db, struct arena *arena,
			    const struct deposit_filter *filter,
			    const struct list_window *window,
			    struct deposit_row **rows,
			    struct list_result *result)
{
	struct list_query query;

	list_query_init(&query, arena);
	list_where_int(&query, "wallet_id = ?", filter->wallet_id);
	list_where_text(&query, "status = ?", filter->status);
	list_where_text(&query, "currency = ?", filter->currency);
	list_where_time(&query, "created_at >= ?", filter->from);
	list_where_time(&query, "created_at < ?", filter->to);
	return list_page(db, arena, &deposit_source, &query, window,
			 (void **)rows, result);
}

enum db_result simulate_deposit(struct db *db, struct arena *arena,
				const struct deposit_new *deposit,
				struct deposit_row *row)
{
	return db_one(db, arena, &statement_simulate_deposit, deposit, row);
}

enum db_result simulate_deposit_change(struct db *db, struct arena *arena,
				       int64_t wallet_id, const char *public_id,
				       const char *action,
				       struct deposit_row *row)
{
	struct wallet_params params = {
		.wallet_id = wallet_id,
		.text = public_id,
		.action = action,
	};

	return db_one(db, arena, &statement_simulate_change, &params, row);
}

enum db_result simulate_clock(struct db *db, struct arena *arena,
			      int64_t wallet_id, int64_t advance_s,
			      struct clock_row *row)
{
	struct wallet_params params = {
		.wallet_id = wallet_id,
		.advance_s = advance_s,
	};

	return db_one(db, arena, &statement_clock, &params, row);
}
