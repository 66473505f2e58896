/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_LIST_H
#define STORE_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/money.h"
#include "../base/text.h"
#include "../db/db.h"

/*
 * Pages of a list. Every list is ordered by (key, id), so that a row has a
 * place and the next page can start right behind it, however deep it lies.
 */
struct list_place {
	int64_t key, id;
};

struct list_window {
	int64_t page, per_page; /* page is used when after is NULL */
	const struct list_place *after;
	bool descending;
};

struct list_result {
	int64_t total;
	size_t count;
	bool more; /* there are rows behind the last */
};

#define LIST_CONDITIONS 16

/*
 * One list query in the making: the conditions that are there, with their
 * parameters. The text depends on which filters are given, never on their
 * values, so the statements of a list are few and stay prepared.
 */
struct list_query {
	struct text where; /* " WHERE a = ? AND …" */
	struct db_field params[LIST_CONDITIONS];
	size_t count;
	union list_param {
		int64_t integer;
		const char *string;
	} values[LIST_CONDITIONS];
};

void list_query_init(struct list_query *query, struct arena *arena);
/* condition has one '?'. */
void list_where_int(struct list_query *query, const char *condition,
		    int64_t value);
void list_where_text(struct list_query *query, const char *condition,
		     const char *value); /* nothing when value is NULL */
void list_where_time(struct list_query *query, const char *condition,
		     int64_t value); /* nothing when 0 */
void list_where_money(struct list_query *query, const char *condition,
		      const struct money *value); /* nothing when NULL */
/* A literal condition without parameter. */
void list_where(struct list_query *query, const char *condition);

/* "%like%" of the text with the wildcards as letters, escape '|'. */
const char *list_pattern(struct arena *arena, const char *text);

/* Where a list comes from and how it is ordered. */
struct list_source {
	const char *name;
	const char *names;    /* of the columns, for SELECT */
	const char *from;     /* a view whose rows have a column id */
	const char *count;    /* NULL: "SELECT COUNT(*) FROM …" */
	const char *key, *id; /* columns; equal when one orders alone */
	bool key_is_time;
	const struct db_field *columns;
	size_t column_count, row_size;
};

/* Rows of the window; result->total is left alone. */
enum db_result list_rows(struct db *db, struct arena *arena,
			 const struct list_source *source,
			 const struct list_query *query,
			 const struct list_window *window, void **rows,
			 struct list_result *result);
enum db_result list_count(struct db *db, struct arena *arena,
			  const struct list_source *source,
			  const struct list_query *query, int64_t *total);

/* Both: the total, and the rows of the window. */
enum db_result list_page(struct db *db, struct arena *arena,
			 const struct list_source *source,
			 const struct list_query *query,
			 const struct list_window *window, void **rows,
			 struct list_result *result);

#endif
