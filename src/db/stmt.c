/* SPDX-License-Identifier: Apache-2.0 */
#include <errmsg.h>
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/money.h"
#include "../base/text.h"
#include "connection.h"
#include "db.h"

/* ------------------------------------------------------------ the cache */

static uint64_t hash_of(const char *sql)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *sql; sql++)
		hash = (hash ^ (unsigned char)*sql) * UINT64_C(1099511628211);
	return hash;
}

static void prepared_drop(struct prepared *prepared)
{
	if (prepared->stmt)
		mysql_stmt_close(prepared->stmt);
	free(prepared->sql);
	memset(prepared, 0, sizeof(*prepared));
}

void statements_forget(struct db *db)
{
	for (size_t i = 0; i < STATEMENTS_MAX; i++)
		prepared_drop(&db->prepared[i]);
}

/* The statement's place, or the one to put it in: free, or the stalest. */
static struct prepared *prepared_find(struct db *db, const char *sql,
				      uint64_t hash)
{
	struct prepared *stalest = &db->prepared[0];

	for (size_t i = 0; i < STATEMENTS_MAX; i++) {
		struct prepared *place = &db->prepared[i];

		if (place->stmt && place->hash == hash &&
		    strcmp(place->sql, sql) == 0)
			return place;
		if (place->used < stalest->used)
			stalest = place;
	}
	prepared_drop(stalest);
	return stalest;
}

/* Where rows are not stored, the library leaves the error at the connection. */
static enum db_result stmt_error(struct db *db, const struct statement *from,
				 MYSQL_STMT *stmt)
{
	if (mysql_stmt_errno(stmt) == 0)
		return connection_error(db, from->name, mysql_errno(db->mysql),
					mysql_sqlstate(db->mysql),
					mysql_error(db->mysql));
	return connection_error(db, from->name, mysql_stmt_errno(stmt),
				mysql_stmt_sqlstate(stmt),
				mysql_stmt_error(stmt));
}

static void out_of_memory(void)
{
	log_broken("event=out_of_memory");
	abort();
}

static enum db_result prepare(struct db *db, const struct statement *statement,
			      struct prepared **found)
{
	uint64_t hash = hash_of(statement->sql);
	struct prepared *place = prepared_find(db, statement->sql, hash);
	MYSQL_STMT *stmt;
	enum db_result result;

	*found = place;
	place->used = ++db->use;
	if (place->stmt)
		return DB_OK;
	stmt = mysql_stmt_init(db->mysql);
	if (!stmt)
		out_of_memory();
	db->counters.round_trips++;
	if (mysql_stmt_prepare(stmt, statement->sql, strlen(statement->sql))) {
		result = stmt_error(db, statement, stmt);
		mysql_stmt_close(stmt);
		return result;
	}
	if (mysql_stmt_param_count(stmt) != statement->param_count) {
		log_broken("event=db_params statement=%s wants=%lu has=%zu",
			   statement->name, mysql_stmt_param_count(stmt),
			   statement->param_count);
		mysql_stmt_close(stmt);
		return DB_BROKEN;
	}
	place->sql = strdup(statement->sql);
	if (!place->sql)
		out_of_memory();
	place->stmt = stmt;
	place->hash = hash;
	return DB_OK;
}

/* ----------------------------------------------------------- parameters */

/* What a bound value needs beside the caller's struct. */
struct value {
	int64_t number;
	MYSQL_TIME time;
	unsigned long len;
	my_bool null, truncated;
};

static MYSQL_TIME time_to_sql(int64_t moment)
{
	struct date date = date_of(moment);
	int64_t second = moment - time_from_date(date);

	return (MYSQL_TIME){
		.year = (unsigned int)date.year,
		.month = (unsigned int)date.month,
		.day = (unsigned int)date.day,
		.hour = (unsigned int)(second / 3600),
		.minute = (unsigned int)(second / 60 % 60),
		.second = (unsigned int)(second % 60),
		.time_type = MYSQL_TIMESTAMP_DATETIME,
	};
}

static int64_t time_from_sql(const MYSQL_TIME *time)
{
	struct date date = {(int)time->year, (int)time->month, (int)time->day};

	return time_from_date(date) + (int64_t)time->hour * 3600 +
	       (int64_t)time->minute * 60 + (int64_t)time->second;
}

static void bind_bytes(MYSQL_BIND *bind, struct value *value,
		       enum enum_field_types type, const void *data, size_t len)
{
	bind->buffer_type = type;
	bind->buffer = (void *)(uintptr_t)data; /* only read by the library */
	bind->buffer_length = len;
	value->len = len;
	value->null = data == NULL;
}

static void bind_number(MYSQL_BIND *bind, struct value *value, int64_t number)
{
	value->number = number;
	bind->buffer_type = MYSQL_TYPE_LONGLONG;
	bind->buffer = &value->number;
}

static void bind_param(MYSQL_BIND *bind, struct value *value, enum db_type type,
		       const void *from)
{
	const char *const *text = from;
	const struct bytes *blob = from;
	const struct money *money = from;
	const struct money *const *amount = from;
	const int64_t *number = from;
	const bool *flag = from;

	bind->length = &value->len;
	bind->is_null = &value->null;
	switch (type) {
	case DB_INT:
		bind_number(bind, value, *number);
		break;
	case DB_BOOL:
		bind_number(bind, value, *flag);
		break;
	case DB_MONEY:
		bind_number(bind, value, money->cents);
		break;
	case DB_INT_OR_NULL:
		bind_number(bind, value, *number);
		value->null = *number == 0;
		break;
	case DB_MONEY_OR_NULL:
		bind_number(bind, value, *amount ? (*amount)->cents : 0);
		value->null = *amount == NULL;
		break;
	case DB_TEXT:
		bind_bytes(bind, value, MYSQL_TYPE_STRING, *text,
			   *text ? strlen(*text) : 0);
		break;
	case DB_BLOB:
		bind_bytes(bind, value, MYSQL_TYPE_BLOB, blob->data, blob->len);
		break;
	case DB_TIME:
		value->null = *number == 0;
		value->time = time_to_sql(*number);
		bind->buffer_type = MYSQL_TYPE_DATETIME;
		bind->buffer = &value->time;
		break;
	}
}

/* Sends the parameters and reads the head of the answer: one round trip. */
static int send_once(struct db *db, const struct statement *statement,
		     MYSQL_STMT *stmt, const void *params)
{
	MYSQL_BIND binds[FIELDS_MAX];
	struct value values[FIELDS_MAX];

	memset(binds, 0, sizeof(binds[0]) * statement->param_count);
	memset(values, 0, sizeof(values[0]) * statement->param_count);
	for (size_t i = 0; i < statement->param_count; i++) {
		const struct db_field *field = &statement->params[i];

		bind_param(&binds[i], &values[i], field->type,
			   (const char *)params + field->offset);
	}
	if (statement->param_count > 0 && mysql_stmt_bind_param(stmt, binds))
		return 1;
	db->counters.round_trips++;
	return mysql_stmt_execute(stmt);
}

static bool is_stale(unsigned int number)
{
	return number == ER_UNKNOWN_STMT_HANDLER || number == ER_NEED_REPREPARE;
}

/* Leaves the connection as it is, by which one knows that nothing was sent. */
static bool refuse_late(const struct db *db, const struct statement *statement)
{
	if (!connection_is_late(db))
		return false;
	log_unusual("event=db_late statement=%s", statement->name);
	return true;
}

/*
 * Executes; *stmt then holds the results. Runs a second time only where the
 * first certainly had no effect: nothing could be sent, preparing failed, or
 * the server did not know the statement any more.
 */
static enum db_result execute(struct db *db, const struct statement *statement,
			      const void *params, MYSQL_STMT **stmt)
{
	for (int try = 1;; try++) {
		struct prepared *prepared;
		enum db_result result;
		bool idle = !db->in_transaction, again;
		unsigned int number;

		if (refuse_late(db, statement))
			return DB_LOST;
		result = connection_ensure(db);
		if (result != DB_OK)
			return result;
		result = prepare(db, statement, &prepared);
		if (result == DB_LOST && idle && try == 1) {
			db->counters.reconnects++;
			continue;
		}
		if (result != DB_OK)
			return result;
		if (refuse_late(db, statement))
			return DB_LOST;
		*stmt = prepared->stmt;
		if (send_once(db, statement, *stmt, params) == 0)
			return DB_OK;
		number = mysql_stmt_errno(*stmt);
		again = try == 1 && (is_stale(number) ||
				     (idle && number == CR_SERVER_GONE_ERROR));
		if (again && is_stale(number)) {
			prepared_drop(prepared);
			continue;
		}
		result = stmt_error(db, statement, *stmt);
		if (!again)
			return result;
		db->counters.reconnects++;
	}
}

/* ------------------------------------------------------------- columns */

static void bind_column(MYSQL_BIND *bind, struct value *value,
			enum db_type type)
{
	bind->length = &value->len;
	bind->is_null = &value->null;
	bind->error = &value->truncated;
	switch (type) {
	case DB_INT:
	case DB_BOOL:
	case DB_MONEY:
	case DB_INT_OR_NULL:
	case DB_MONEY_OR_NULL:
		bind->buffer_type = MYSQL_TYPE_LONGLONG;
		bind->buffer = &value->number;
		bind->buffer_length = sizeof(value->number);
		break;
	case DB_TEXT:
	case DB_BLOB:
		/* Only the length; the bytes go straight into the arena. */
		bind->buffer_type =
			type == DB_TEXT ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
		break;
	case DB_TIME:
		bind->buffer_type = MYSQL_TYPE_DATETIME;
		bind->buffer = &value->time;
		bind->buffer_length = sizeof(value->time);
		break;
	}
}

/* NULL when the library fails. */
static char *fetch_bytes(MYSQL_STMT *stmt, struct arena *arena,
			 unsigned int column, const struct value *value)
{
	char *data = arena_alloc(arena, value->len + 1);
	unsigned long len = 0;
	my_bool null = 0, truncated = 0;
	MYSQL_BIND bind = {
		.buffer_type = MYSQL_TYPE_BLOB,
		.buffer = data,
		.buffer_length = value->len,
		.length = &len,
		.is_null = &null,
		.error = &truncated,
	};

	if (value->len == 0)
		return data;
	return mysql_stmt_fetch_column(stmt, &bind, column, 0) ? NULL : data;
}

static bool store_column(MYSQL_STMT *stmt, struct arena *arena,
			 unsigned int column, const struct db_field *field,
			 const struct value *value, char *row)
{
	void *to = row + field->offset;
	int64_t number = value->null ? 0 : value->number;
	char *data = NULL;

	switch (field->type) {
	case DB_INT:
		*(int64_t *)to = number;
		return value->null || !value->truncated;
	case DB_BOOL:
		*(bool *)to = number != 0;
		return value->null || !value->truncated;
	case DB_MONEY:
		*(struct money *)to = MONEY_USD(number);
		return value->null || !value->truncated;
	case DB_INT_OR_NULL:
	case DB_MONEY_OR_NULL:
		return false; /* parameters only */
	case DB_TIME:
		*(int64_t *)to = value->null ? 0 : time_from_sql(&value->time);
		return true;
	case DB_TEXT:
	case DB_BLOB:
		if (!value->null) {
			data = fetch_bytes(stmt, arena, column, value);
			if (!data)
				return false;
		}
		if (field->type == DB_TEXT)
			*(const char **)to = data;
		else
			*(struct bytes *)to =
				(struct bytes){data, data ? value->len : 0};
		return true;
	}
	return false;
}

/* A result set being read. */
struct reader {
	struct db *db;
	const struct statement *statement;
	MYSQL_STMT *stmt;
	MYSQL_BIND binds[FIELDS_MAX];
	struct value values[FIELDS_MAX];
};

static enum db_result reader_open(struct reader *reader, bool keep)
{
	const struct statement *statement = reader->statement;
	size_t count = statement->column_count;

	if (mysql_stmt_field_count(reader->stmt) != count) {
		log_broken("event=db_columns statement=%s gives=%u takes=%zu",
			   statement->name,
			   mysql_stmt_field_count(reader->stmt), count);
		return DB_BROKEN;
	}
	memset(reader->binds, 0, sizeof(reader->binds[0]) * count);
	memset(reader->values, 0, sizeof(reader->values[0]) * count);
	for (size_t i = 0; i < count; i++)
		bind_column(&reader->binds[i], &reader->values[i],
			    statement->columns[i].type);
	if (mysql_stmt_bind_result(reader->stmt, reader->binds) ||
	    (keep && mysql_stmt_store_result(reader->stmt)))
		return stmt_error(reader->db, statement, reader->stmt);
	return DB_OK;
}

static enum db_result reader_next(struct reader *reader, struct arena *arena,
				  void *row)
{
	const struct statement *statement = reader->statement;
	int got = mysql_stmt_fetch(reader->stmt);

	if (got == MYSQL_NO_DATA)
		return DB_NO_ROW;
	if (got != 0 && got != MYSQL_DATA_TRUNCATED)
		return stmt_error(reader->db, statement, reader->stmt);
	for (size_t i = 0; i < statement->column_count; i++) {
		if (store_column(reader->stmt, arena, (unsigned int)i,
				 &statement->columns[i], &reader->values[i],
				 row))
			continue;
		log_broken("event=db_value statement=%s column=%zu",
			   statement->name, i);
		return DB_BROKEN;
	}
	return DB_OK;
}

/*
 * Reads past whatever is left of the answer. A CALL may fail after it gave a
 * row, so its row counts only when the end was seen.
 */
static enum db_result drain(struct db *db, const struct statement *statement,
			    MYSQL_STMT *stmt)
{
	for (;;) {
		int next;

		if (mysql_stmt_field_count(stmt) > 0)
			mysql_stmt_free_result(stmt);
		if (!mysql_stmt_more_results(stmt))
			return DB_OK;
		next = mysql_stmt_next_result(stmt);
		if (next > 0)
			return stmt_error(db, statement, stmt);
		if (next < 0)
			return DB_OK;
	}
}

static bool fits(const struct statement *statement)
{
	if (statement->param_count <= FIELDS_MAX &&
	    statement->column_count <= FIELDS_MAX)
		return true;
	log_broken("event=db_fields statement=%s", statement->name);
	return false;
}

/* The later of two results counts unless it has nothing to say. */
static enum db_result end(struct db *db, const struct statement *statement,
			  MYSQL_STMT *stmt, enum db_result result)
{
	enum db_result drained;

	if (!db->mysql) /* lost on the way: the handle is gone as well */
		return DB_LOST;
	drained = drain(db, statement, stmt);
	return drained == DB_OK ? result : drained;
}

enum db_result db_one(struct db *db, struct arena *arena,
		      const struct statement *statement, const void *params,
		      void *row)
{
	struct reader reader = {.db = db, .statement = statement};
	enum db_result result;

	if (!fits(statement))
		return DB_BROKEN;
	result = execute(db, statement, params, &reader.stmt);
	if (result != DB_OK)
		return result;
	if (mysql_stmt_field_count(reader.stmt) == 0)
		return end(db, statement, reader.stmt, DB_NO_ROW);
	result = reader_open(&reader, true);
	if (result == DB_OK)
		result = reader_next(&reader, arena, row);
	return end(db, statement, reader.stmt, result);
}

enum db_result db_all(struct db *db, struct arena *arena,
		      const struct statement *statement, const void *params,
		      void **rows, size_t *count)
{
	struct reader reader = {.db = db, .statement = statement};
	enum db_result result;
	size_t got = 0;
	char *list = NULL;

	*rows = NULL;
	*count = 0;
	if (!fits(statement))
		return DB_BROKEN;
	result = execute(db, statement, params, &reader.stmt);
	if (result != DB_OK)
		return result;
	if (mysql_stmt_field_count(reader.stmt) == 0)
		return end(db, statement, reader.stmt, DB_OK);
	result = reader_open(&reader, true);
	if (result == DB_OK)
		list = arena_alloc(arena, mysql_stmt_num_rows(reader.stmt) *
							  statement->row_size +
						  1);
	while (result == DB_OK) {
		result = reader_next(&reader, arena,
				     list + got * statement->row_size);
		got += result == DB_OK;
	}
	if (result == DB_NO_ROW)
		result = DB_OK;
	result = end(db, statement, reader.stmt, result);
	if (result == DB_OK) {
		*rows = list;
		*count = got;
	}
	return result;
}

enum db_result db_each(struct db *db, struct arena *scratch,
		       const struct statement *statement, const void *params,
		       bool (*take)(void *arg, const void *row), void *arg)
{
	struct reader reader = {.db = db, .statement = statement};
	enum db_result result;

	if (!fits(statement))
		return DB_BROKEN;
	result = execute(db, statement, params, &reader.stmt);
	if (result != DB_OK)
		return result;
	if (mysql_stmt_field_count(reader.stmt) > 0)
		result = reader_open(&reader, false);
	while (result == DB_OK) {
		void *row = arena_alloc(scratch, statement->row_size + 1);

		result = reader_next(&reader, scratch, row);
		if (result == DB_OK && !take(arg, row))
			break;
		arena_reset(scratch);
	}
	if (result == DB_NO_ROW)
		result = DB_OK;
	return end(db, statement, reader.stmt, result);
}

enum db_result db_run(struct db *db, const struct statement *statement,
		      const void *params, uint64_t *affected)
{
	MYSQL_STMT *stmt;
	enum db_result result;

	if (!fits(statement))
		return DB_BROKEN;
	result = execute(db, statement, params, &stmt);
	if (result != DB_OK)
		return result;
	result = drain(db, statement, stmt);
	if (result == DB_OK && affected)
		*affected = mysql_stmt_affected_rows(stmt);
	return result;
}
