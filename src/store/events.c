/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#define ROW(type, member)                                                      \
	{                                                                      \
		type, offsetof(struct event_row, member)                       \
	}
static const struct db_field columns[] = {
	ROW(DB_INT, id),       ROW(DB_TEXT, public_id),
	ROW(DB_TEXT, type),    ROW(DB_TEXT, card_public_id),
	ROW(DB_TEXT, mode),    ROW(DB_TEXT, snapshot),
	ROW(DB_INT, sequence), ROW(DB_TIME, created_at),
};
#define EVENT_COLUMNS                                                          \
	"id, public_id, type, card_public_id, mode, snapshot, sequence, "      \
	"created_at"

struct event_key {
	int64_t wallet_id;
	const char *public_id;
};
static const struct db_field key_params[] = {
	{DB_INT, offsetof(struct event_key, wallet_id)},
	{DB_TEXT, offsetof(struct event_key, public_id)},
};
static const struct statement statement_get = {
	.name = "event_get",
	.sql = "SELECT " EVENT_COLUMNS " FROM event_rows "
	       "WHERE wallet_id = ? AND public_id = ?",
	DB_PARAMS(key_params),
	DB_COLUMNS(columns, struct event_row),
};
static const struct list_source source = {
	.name = "event_list",
	.names = EVENT_COLUMNS,
	.from = "event_rows",
	.key = "id",
	.id = "id",
	DB_COLUMNS(columns, struct event_row),
};

enum db_result event_get(struct db *db, struct arena *arena, int64_t wallet_id,
			 const char *public_id, struct event_row *row)
{
	struct event_key key = {wallet_id, public_id};

	return db_one(db, arena, &statement_get, &key, row);
}

struct list_place event_place(const struct event_row *row)
{
	return (struct list_place){row->id, row->id};
}

enum db_result event_list(struct db *db, struct arena *arena,
			  const struct event_filter *filter,
			  const struct list_window *window,
			  struct event_row **rows, struct list_result *result)
{
	struct list_query query;

	list_query_init(&query, arena);
	list_where_int(&query, "wallet_id = ?", filter->wallet_id);
	list_where_text(&query, "type = ?", filter->type);
	list_where_text(&query, "card_public_id = ?", filter->card_id);
	list_where_time(&query, "created_at >= ?", filter->from);
	list_where_time(&query, "created_at < ?", filter->to);
	return list_page(db, arena, &source, &query, window, (void **)rows,
			 result);
}
