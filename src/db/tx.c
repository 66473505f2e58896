/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "../base/log.h"
#include "../base/secret.h"
#include "connection.h"
#include "db.h"

#define TRIES_MAX 8
#define WAITS_MAX 2 /* each has already cost a whole lock wait */
#define PAUSE_FIRST_US 5000
#define PAUSE_MAX_US 200000

static const struct statement begin_statement = {
	.name = "begin",
	.sql = "START TRANSACTION",
};
static const struct statement commit_statement = {
	.name = "commit",
	.sql = "COMMIT",
};
static const struct statement rollback_statement = {
	.name = "rollback",
	.sql = "ROLLBACK",
};
static const struct statement isolation_statement = {
	.name = "snapshot_isolation",
	.sql = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
};
static const struct statement snapshot_statement = {
	.name = "snapshot_begin",
	.sql = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
};

/* Half of the step is certain, half is chance, so that those who met once do
 * not meet again. */
static void pause_before(int try)
{
	uint32_t step_us = PAUSE_FIRST_US;
	struct timespec pause = {0};

	for (int i = 1; i < try && step_us < PAUSE_MAX_US; i++)
		step_us *= 2;
	if (step_us > PAUSE_MAX_US)
		step_us = PAUSE_MAX_US;
	pause.tv_nsec = (long)(step_us / 2 + random_below(step_us)) * 1000;
	while (nanosleep(&pause, &pause) != 0 && errno == EINTR)
		continue;
}

static void roll_back(struct db *db)
{
	/* A connection that is gone has rolled back; one on which ROLLBACK
	 * fails, or may not be sent any more, must not be used again. */
	if (db->mysql && (connection_is_late(db) ||
			  db_run(db, &rollback_statement, NULL, NULL) != DB_OK))
		connection_close(db);
	db->in_transaction = false;
}

static enum db_result begin(struct db *db, struct arena *arena,
			    const struct db_tx *tx)
{
	enum db_result result;

	/* A start that fails leaves no row, not even of a try before. */
	if (tx->start)
		memset(tx->start_row, 0, tx->start->row_size);
	if (tx->start)
		result = db_one(db, arena, tx->start, tx->start_params,
				tx->start_row);
	else
		result = db_run(db, &begin_statement, NULL, NULL);
	if (tx->start && result == DB_NO_ROW) {
		log_broken("event=db_tx_start statement=%s", tx->start->name);
		result = DB_BROKEN;
	}
	/* Even a start that failed may have left a transaction open. */
	db->in_transaction = db->mysql != NULL;
	return result;
}

static enum db_result commit(struct db *db, const struct db_tx *tx,
			     bool *in_doubt)
{
	enum db_result result;

	if (!db->mysql)
		return DB_LOST;
	if (tx->finish)
		result = db_run(db, tx->finish, tx->finish_params, NULL);
	else
		result = db_run(db, &commit_statement, NULL, NULL);
	/* Where the connection still stands it was not sent: it is too late. */
	*in_doubt = result == DB_LOST && !db->mysql;
	return result;
}

/* One try; on DB_OK nothing is left open. */
static enum db_result try_once(struct db *db, struct arena *arena,
			       const struct db_tx *tx, bool *started,
			       bool *in_doubt)
{
	enum db_result result = begin(db, arena, tx);

	*started = result == DB_OK;
	if (result != DB_OK)
		return result;
	switch (tx->body(db, tx->arg, &result)) {
	case DB_TX_COMMIT:
		result = commit(db, tx, in_doubt);
		if (result == DB_OK)
			db->in_transaction = false;
		return result;
	case DB_TX_ROLLBACK:
		return DB_OK;
	case DB_TX_FAILED:
		break;
	}
	if (result == DB_OK) {
		log_broken("event=db_tx_body error=\"failed without result\"");
		return DB_BROKEN;
	}
	return result;
}

enum db_result db_tx_run(struct db *db, struct arena *arena,
			 const struct db_tx *tx, bool *in_doubt)
{
	enum db_result result = DB_BROKEN;
	int waits = 0;

	*in_doubt = false;
	if (db->in_transaction) {
		log_broken("event=db_tx_nested");
		return DB_BROKEN;
	}
	for (int try = 1; try <= TRIES_MAX; try++) {
		bool started;

		if (try > 1) {
			db->counters.retries++;
			pause_before(try - 1);
		}
		result = try_once(db, arena, tx, &started, in_doubt);
		if (db->in_transaction)
			roll_back(db);
		if (result == DB_WAIT && (!started || ++waits > WAITS_MAX))
			break;
		if (result != DB_RETRY && result != DB_WAIT)
			break;
		if (connection_is_late(db))
			break;
	}
	return result;
}

enum db_result db_snapshot_begin(struct db *db)
{
	enum db_result result = connection_ensure(db);

	if (result != DB_OK)
		return result;
	/* Set first: from here on a new connection would be another moment. */
	db->in_transaction = true;
	result = db_run(db, &isolation_statement, NULL, NULL);
	if (result == DB_OK)
		result = db_run(db, &snapshot_statement, NULL, NULL);
	if (result != DB_OK)
		roll_back(db);
	return result;
}

void db_snapshot_end(struct db *db)
{
	roll_back(db);
}
