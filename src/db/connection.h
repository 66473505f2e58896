/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DB_CONNECTION_H
#define DB_CONNECTION_H

#include <mysql.h>

#include "db.h"

/* What the files of db share; nobody else includes it. */

#define STATEMENTS_MAX 128 /* prepared per connection, the stalest replaced */
#define FIELDS_MAX 64	   /* parameters, or columns, of one statement */

struct prepared {
	MYSQL_STMT *stmt; /* NULL: the place is free */
	char *sql;
	uint64_t hash, used;
};

struct db {
	const struct config *config;
	enum db_role role;
	MYSQL *mysql; /* NULL: not connected */
	bool in_transaction;
	bool no_wsrep; /* this server does not know wsrep_sync_wait */
	uint64_t use;  /* counts uses, for the least recent one */
	struct db_counters counters;
	int64_t deadline_us; /* 0: none */
	struct prepared prepared[STATEMENTS_MAX];
};

/* A connection that was alive a moment ago; DB_OK or DB_LOST. */
enum db_result connection_ensure(struct db *db);
void connection_close(struct db *db);
/* The deadline has passed. */
bool connection_is_late(const struct db *db);

/*
 * What a server or client error number means. Logs it (never a parameter), and
 * closes the connection when the answer is DB_LOST.
 */
enum db_result connection_error(struct db *db, const char *name,
				unsigned int number, const char *state,
				const char *message);

/* Forgets all prepared statements, after the connection is gone. */
void statements_forget(struct db *db);

#endif
