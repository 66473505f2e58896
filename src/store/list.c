/* SPDX-License-Identifier: Apache-2.0 */
#include "list.h"

#include <string.h>

#include "../base/arena.h"

void list_query_init(struct list_query *query, struct arena *arena)
{
	*query = (struct list_query){.count = 0};
	text_init(&query->where, arena);
}

void list_where(struct list_query *query, const char *condition)
{
	text_add(&query->where, query->where.len == 0 ? " WHERE " : " AND ");
	text_add(&query->where, condition);
}

/* condition NULL: its text is there already. */
static union list_param *param_add(struct list_query *query, enum db_type type,
				   const char *condition)
{
	size_t n = query->count++;

	if (condition != NULL)
		list_where(query, condition);
	query->params[n] =
		(struct db_field){type, offsetof(struct list_query, values) +
						n * sizeof(union list_param)};
	return &query->values[n];
}

void list_where_int(struct list_query *query, const char *condition,
		    int64_t value)
{
	param_add(query, DB_INT, condition)->integer = value;
}

void list_where_text(struct list_query *query, const char *condition,
		     const char *value)
{
	if (value != NULL)
		param_add(query, DB_TEXT, condition)->string = value;
}

void list_where_time(struct list_query *query, const char *condition,
		     int64_t value)
{
	if (value != 0)
		param_add(query, DB_TIME, condition)->integer = value;
}

void list_where_money(struct list_query *query, const char *condition,
		      const struct money *value)
{
	if (value != NULL)
		list_where_int(query, condition,
			       value->cents); /* raw: a column's bound */
}

const char *list_pattern(struct arena *arena, const char *text)
{
	struct text pattern;

	if (text == NULL)
		return NULL;
	text_init(&pattern, arena);
	text_add_char(&pattern, '%');
	for (; *text != '\0'; text++) {
		if (strchr("%_|", *text) != NULL)
			text_add_char(&pattern, '|');
		text_add_char(&pattern, *text);
	}
	text_add_char(&pattern, '%');
	return pattern.data;
}

/* Row comparison in the order's direction; spelled out, since a row
 * constructor keeps the optimizer from using the index as a range. */
static void place_condition(struct list_query *query,
			    const struct list_source *source,
			    const struct list_window *window)
{
	struct arena *arena = query->where.arena;
	const char *than = window->descending ? "<" : ">";
	/* Not DB_TIME: a place at "never" is 1970, not NULL. */
	const char *key = source->key_is_time
				  ? "TIMESTAMPADD(SECOND, ?, '1970-01-01')"
				  : "?";

	if (strcmp(source->key, source->id) != 0) {
		list_where_int(query,
			       arena_printf(arena, "%s %s= %s", source->key,
					    than, key),
			       window->after->key);
		list_where_int(query,
			       arena_printf(arena, "(%s %s %s OR", source->key,
					    than, key),
			       window->after->key);
		/* The second half of the OR brings its own parameter. */
		text_printf(&query->where, " %s %s ?)", source->id, than);
		param_add(query, DB_INT, NULL)->integer = window->after->id;
		return;
	}
	list_where_int(query, arena_printf(arena, "%s %s ?", source->id, than),
		       window->after->id);
}

static void order_add(struct text *sql, const struct list_source *source,
		      bool descending)
{
	const char *way = descending ? "DESC" : "ASC";

	text_printf(sql, " ORDER BY %s %s", source->key, way);
	if (strcmp(source->key, source->id) != 0)
		text_printf(sql, ", %s %s", source->id, way);
}

/* The whole rows of the page only: those that a deep page skips over are
 * looked at in the index alone. */
static const char *rows_sql(const struct list_source *source,
			    const struct list_query *query,
			    const struct list_window *window)
{
	bool deep = window->after == NULL && window->page > 1;
	struct text sql;

	text_init(&sql, query->where.arena);
	text_printf(&sql, "SELECT %s FROM ", source->names);
	if (deep)
		text_add(&sql, "(SELECT id AS place FROM ");
	text_printf(&sql, "%s%s", source->from, query->where.data);
	order_add(&sql, source, window->descending);
	text_add(&sql, " LIMIT ? OFFSET ?");
	if (deep) {
		text_printf(&sql, ") AS places STRAIGHT_JOIN %s ON id = place",
			    source->from);
		order_add(&sql, source, window->descending);
	}
	return sql.data;
}

enum db_result list_rows(struct db *db, struct arena *arena,
			 const struct list_source *source,
			 const struct list_query *query,
			 const struct list_window *window, void **rows,
			 struct list_result *result)
{
	struct list_query full = *query;
	struct statement statement;
	enum db_result status;

	text_init(&full.where, arena);
	text_add_n(&full.where, query->where.data, query->where.len);
	if (window->after != NULL)
		place_condition(&full, source, window);
	/* One row more tells whether another page follows. */
	param_add(&full, DB_INT, NULL)->integer = window->per_page + 1;
	param_add(&full, DB_INT, NULL)->integer =
		window->after != NULL ? 0
				      : (window->page - 1) * window->per_page;
	statement = (struct statement){
		.name = source->name,
		.sql = rows_sql(source, &full, window),
		.params = full.params,
		.param_count = full.count,
		.columns = source->columns,
		.column_count = source->column_count,
		.row_size = source->row_size,
	};
	status = db_all(db, arena, &statement, &full, rows, &result->count);
	if (status == DB_NO_ROW) {
		result->count = 0;
		status = DB_OK;
	}
	if (status != DB_OK)
		return status;
	result->more = result->count > (size_t)window->per_page;
	if (result->more)
		result->count = (size_t)window->per_page;
	return DB_OK;
}

enum db_result list_count(struct db *db, struct arena *arena,
			  const struct list_source *source,
			  const struct list_query *query, int64_t *total)
{
	static const struct db_field column[] = {{DB_INT, 0}};
	struct statement statement = {
		.name = source->name,
		.sql = source->count != NULL
			       ? arena_printf(arena, "%s%s", source->count,
					      query->where.data)
			       : arena_printf(arena,
					      "SELECT COUNT(*) FROM %s%s",
					      source->from, query->where.data),
		.params = query->params,
		.param_count = query->count,
		.columns = column,
		.column_count = 1,
		.row_size = sizeof(*total),
	};

	return db_one(db, arena, &statement, query, total);
}

enum db_result list_page(struct db *db, struct arena *arena,
			 const struct list_source *source,
			 const struct list_query *query,
			 const struct list_window *window, void **rows,
			 struct list_result *result)
{
	enum db_result status =
		list_count(db, arena, source, query, &result->total);

	if (status != DB_OK)
		return status;
	return list_rows(db, arena, source, query, window, rows, result);
}
