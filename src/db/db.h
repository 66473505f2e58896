/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DB_DB_H
#define DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct config;
struct db;

/*
 * How a statement ended. "No row", "try again", "connection lost" and "our
 * mistake" never share a value.
 */
enum db_result {
	DB_OK,
	DB_NO_ROW,
	DB_DUPLICATE, /* unique key (1062) */
	DB_RETRY,     /* deadlock, record changed: run the transaction again */
	DB_WAIT,      /* lock wait timeout (1205) */
	DB_LOST,      /* no connection, or it broke: outcome unknown */
	DB_BROKEN,    /* anything else: logged as BROKEN with the error */
};

enum db_type {
	DB_INT,		/* int64_t */
	DB_INT_OR_NULL, /* int64_t, parameters only; 0 is NULL */
	DB_BOOL,	/* bool */
	DB_TEXT,	/* const char *; NULL is NULL */
	DB_BLOB,	/* struct bytes; data NULL is NULL */
	DB_MONEY, /* struct money in USD; column in cents; NULL reads as 0 */
	DB_MONEY_OR_NULL, /* const struct money *, parameters only; NULL is
			     NULL */
	DB_TIME, /* int64_t Unix seconds; column DATETIME in UTC; 0 is NULL */
};

struct db_field {
	enum db_type type;
	size_t offset;
};

/* A table's or view's row: its columns' names, separated by ", ", and where
 * each lies in the struct. */
struct row_shape {
	const char *names;
	const struct db_field *fields;
	size_t count, size;
};
#define ROW_SHAPE(columns, table, row)                                         \
	{                                                                      \
		.names = (columns), .fields = (table),                         \
		.count = sizeof(table) / sizeof((table)[0]),                   \
		.size = sizeof(row)                                            \
	}

/* A statement as data: text, and where parameters and columns live in the
 * caller's structs. */
struct statement {
	const char *name; /* for logs and metrics */
	const char *sql;
	const struct db_field *params;
	size_t param_count;
	const struct db_field *columns;
	size_t column_count;
	size_t row_size;
};
#define DB_PARAMS(table)                                                       \
	.params = (table), .param_count = sizeof(table) / sizeof((table)[0])
#define DB_COLUMNS(table, row)                                                 \
	.columns = (table),                                                    \
	.column_count = sizeof(table) / sizeof((table)[0]),                    \
	.row_size = sizeof(row)

struct db_counters {
	uint64_t round_trips, errors, retries, reconnects;
};

/* Which of the configured users connects. */
enum db_role {
	DB_ROLE_API,
	DB_ROLE_KEEPER,
	DB_ROLE_COURIER,
	DB_ROLE_OWNER
};

/* Never fails: connects when first used. One per process. */
struct db *db_open(const struct config *config, enum db_role role);
void db_close(struct db *db);
const struct db_counters *db_counters(const struct db *db);
/*
 * From this moment on (clock_monotonic_us(); 0: never) nothing is sent: what
 * would be is DB_LOST without effect, and a transaction that is open comes to
 * nothing. The answer to what was sent before, a COMMIT too, is awaited.
 */
void db_set_deadline(struct db *db, int64_t deadline_us);

/*
 * A struct statement is sent in the binary protocol, prepared on first use on
 * each connection and kept (a bounded cache keyed by the text). The session is
 * in UTC, strict SQL mode, utf8mb4, with LOCAL INFILE off. Outside a
 * transaction a statement found to have lost an idle connection before anything
 * was sent is retried once on a new one.
 *
 * db_one: the first row into *row; DB_NO_ROW when there is none.
 * db_all: all rows, an array in the arena.
 * db_run: for its effect; *affected may be NULL.
 * Text and blobs of rows live in the arena. CALLs that return a row use
 * db_one or db_all; further result sets are drained.
 */
enum db_result db_one(struct db *db, struct arena *arena,
		      const struct statement *statement, const void *params,
		      void *row);
enum db_result db_all(struct db *db, struct arena *arena,
		      const struct statement *statement, const void *params,
		      void **rows, size_t *count);
enum db_result db_run(struct db *db, const struct statement *statement,
		      const void *params, uint64_t *affected);

/*
 * Rows one by one as the server sends them, for results that no memory should
 * hold: scratch is reset after each row. take must not use the connection;
 * returning false ends the walk, which is still DB_OK.
 */
enum db_result db_each(struct db *db, struct arena *scratch,
		       const struct statement *statement, const void *params,
		       bool (*take)(void *arg, const void *row), void *arg);

/*
 * The only way into a transaction. start, when not NULL, is a CALL that itself
 * begins the transaction (START TRANSACTION is its first statement) and
 * returns one row into start_row; otherwise START TRANSACTION is sent. body
 * may run more than once (deadlock, record changed): it resets its outputs on
 * entry and touches no reply. It answers what to do next; after DB_TX_COMMIT
 * finish, when not NULL, is a CALL that ends with COMMIT.
 *
 * At most 8 tries with jitter. Results: DB_OK committed or rolled back as the
 * body asked; DB_RETRY/DB_WAIT tries used up; DB_LOST outcome unknown only
 * when *in_doubt is true (the connection broke at COMMIT), else no effect.
 */
enum db_tx_next {
	DB_TX_COMMIT,
	DB_TX_ROLLBACK,
	DB_TX_FAILED
};

struct db_tx {
	const struct statement *start; /* or NULL */
	const void *start_params;
	void *start_row;
	/* Statement results that were not DB_OK are left in *result and
	 * DB_TX_FAILED returned. */
	enum db_tx_next (*body)(struct db *db, void *arg,
				enum db_result *result);
	void *arg;
	const struct statement *finish; /* or NULL */
	const void *finish_params;
};
enum db_result db_tx_run(struct db *db, struct arena *arena,
			 const struct db_tx *tx, bool *in_doubt);

/*
 * A read-only look at one moment (REPEATABLE READ): the statements between the
 * two calls see the same state, and a connection lost in between is DB_LOST
 * for all that follow.
 */
enum db_result db_snapshot_begin(struct db *db);
void db_snapshot_end(struct db *db);

/* A script of many statements, split as the mariadb client splits it
 * (DELIMITER lines understood); for migrations. error gets the statement's
 * line, the error's number and text. */
bool db_script(struct db *db, const char *sql, char *error, size_t error_size);

/* True when the connection answers within the read timeout. */
bool db_ping(struct db *db);

#endif
