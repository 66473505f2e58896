/* SPDX-License-Identifier: Apache-2.0 */
#include "bins.h"

#include <stdlib.h>

static const struct db_field bin_columns[] = {
	{DB_TEXT, offsetof(struct bin_row, id)},
	{DB_TEXT, offsetof(struct bin_row, network)},
	{DB_TEXT, offsetof(struct bin_row, type)},
	{DB_TEXT, offsetof(struct bin_row, issuer_country)},
	{DB_BOOL, offsetof(struct bin_row, three_ds)},
	{DB_BOOL, offsetof(struct bin_row, apple_pay)},
	{DB_BOOL, offsetof(struct bin_row, google_pay)},
	{DB_MONEY, offsetof(struct bin_row, max_transaction)},
	{DB_MONEY, offsetof(struct bin_row, max_monthly)},
	{DB_INT, offsetof(struct bin_row, acceptance_tenths)},
	{DB_TEXT, offsetof(struct bin_row, best_for)},
	{DB_BOOL, offsetof(struct bin_row, issuing)},
};

/* A BIN is 6 to 8 digits; as text "5" sorts behind "49", as a place its
 * digits filled up to eight sort alike. */
#define BIN_ORDER "CAST(RPAD(id, 8, '0') AS UNSIGNED) * 10 + LENGTH(id)"

#define BIN_SOURCE(acceptance)                                                 \
	{                                                                      \
		.name = "bin_list",                                            \
		.names = "id, network, type, issuer_country, three_ds, "       \
			 "apple_pay, "                                         \
			 "google_pay, max_transaction_cents, "                 \
			 "max_monthly_cents, " acceptance                      \
			 ", best_for, issuing",                                \
		.from = "bin_rows", .key = BIN_ORDER, .id = BIN_ORDER,         \
		DB_COLUMNS(bin_columns, struct bin_row)                        \
	}

static const struct list_source bin_sources[] = {
	[false] = BIN_SOURCE("acceptance_live_tenths"),
	[true] = BIN_SOURCE("acceptance_test_tenths"),
};

struct list_place bin_place(const struct bin_row *row)
{
	int64_t place = 0, length = 0;

	for (; length < 8 && row->id[length] != '\0'; length++)
		place = place * 10 + (row->id[length] - '0');
	for (int64_t i = length; i < 8; i++)
		place *= 10;
	place = place * 10 + length;
	return (struct list_place){place, place};
}

enum db_result bin_list(struct db *db, struct arena *arena, bool test,
			const struct list_window *window, struct bin_row **rows,
			struct list_result *result)
{
	struct list_query query;

	list_query_init(&query, arena);
	return list_page(db, arena, &bin_sources[test], &query, window,
			 (void **)rows, result);
}

enum db_result bin_choose(struct db *db, struct arena *arena,
			  bool digital_wallet, const char **id)
{
	static const struct db_field param[] = {{DB_BOOL, 0}};
	static const struct db_field column[] = {{DB_TEXT, 0}};
	static const struct statement statement = {
		.name = "bin_choose",
		.sql = "SELECT id FROM issuing_bins "
		       "ORDER BY ? AND digital_wallet DESC, id LIMIT 1",
		DB_PARAMS(param),
		.columns = column,
		.column_count = 1,
		.row_size = sizeof(const char *),
	};
	enum db_result result =
		db_one(db, arena, &statement, &digital_wallet, (void *)id);

	if (result == DB_NO_ROW)
		*id = NULL;
	return result == DB_NO_ROW ? DB_OK : result;
}

enum db_result category_list(struct db *db, struct arena *arena,
			     const char ***names, size_t *count)
{
	static const struct db_field column[] = {{DB_TEXT, 0}};
	static const struct statement statement = {
		.name = "category_list",
		.sql = "SELECT DISTINCT category FROM mcc_categories "
		       "ORDER BY category",
		.columns = column,
		.column_count = 1,
		.row_size = sizeof(const char *),
	};

	return db_all(db, arena, &statement, NULL, (void **)names, count);
}
