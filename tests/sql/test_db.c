/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database layer against a real MariaDB with this release's schema; run by
 * test_db.py, which gives the configuration file in CARDSTOCK_CONFIG.
 */
#include "../../src/db/db.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../src/base/arena.h"
#include "../../src/base/clock.h"
#include "../../src/base/config.h"
#include "../../src/base/log.h"
#include "../../src/base/money.h"
#include "../../src/base/secret.h"
#include "../../src/base/text.h"
#include "../../src/base/token.h"
#include "../../src/flow/rotate.h"

struct row {
	int64_t id;
	const char *text;
	struct bytes blob;
	struct money amount;
	int64_t at;
	bool flag;
};

static const struct db_field row_fields[] = {
	{DB_INT, offsetof(struct row, id)},
	{DB_TEXT, offsetof(struct row, text)},
	{DB_BLOB, offsetof(struct row, blob)},
	{DB_MONEY, offsetof(struct row, amount)},
	{DB_TIME, offsetof(struct row, at)},
	{DB_BOOL, offsetof(struct row, flag)},
};
static const struct db_field id_field[] = {
	{DB_INT, offsetof(struct row, id)},
};

static const struct statement insert = {
	.name = "insert",
	.sql = "INSERT INTO trial (id, text, bytes, amount_cents, at, flag)"
	       " VALUES (?, ?, ?, ?, ?, ?)",
	DB_PARAMS(row_fields),
};
static const struct statement select_one = {
	.name = "select_one",
	.sql = "SELECT id, text, bytes, amount_cents, at, flag FROM trial"
	       " WHERE id = ?",
	DB_PARAMS(id_field),
	DB_COLUMNS(row_fields, struct row),
};
static const struct statement select_all = {
	.name = "select_all",
	.sql = "SELECT id, text, bytes, amount_cents, at, flag FROM trial"
	       " ORDER BY id",
	DB_COLUMNS(row_fields, struct row),
};
static const struct statement count = {
	.name = "count",
	.sql = "SELECT COUNT(*) FROM trial",
	DB_COLUMNS(id_field, struct row),
};
static const struct statement answer = {
	.name = "answer",
	.sql = "CALL trial_answer(?)",
	DB_PARAMS(id_field),
	DB_COLUMNS(id_field, struct row),
};
static const struct statement fail = {
	.name = "fail",
	.sql = "CALL trial_fail(?)",
	DB_PARAMS(id_field),
};
static const struct statement start = {
	.name = "start",
	.sql = "CALL trial_start(?)",
	DB_PARAMS(id_field),
	DB_COLUMNS(id_field, struct row),
};
static const struct statement die = {
	.name = "die",
	.sql = "KILL CONNECTION_ID()",
};
static const struct statement connection_id = {
	.name = "connection_id",
	.sql = "SELECT CONNECTION_ID()",
	DB_COLUMNS(id_field, struct row),
};
static const struct statement kill_other = {
	.name = "kill_other",
	.sql = "KILL ?",
	DB_PARAMS(id_field),
};
static const struct statement lock_row = {
	.name = "lock_row",
	.sql = "SELECT id FROM trial WHERE id = ? FOR UPDATE",
	DB_PARAMS(id_field),
	DB_COLUMNS(id_field, struct row),
};
static const struct statement slow = {
	.name = "slow",
	.sql = "SELECT COUNT(*) FROM seq_1_to_1000000 AS a"
	       " JOIN seq_1_to_1000000 AS b ON a.seq <> b.seq + 1",
	DB_COLUMNS(id_field, struct row),
};

static const char schema[] =
	"CREATE OR REPLACE TABLE trial (id BIGINT PRIMARY KEY, text LONGTEXT,"
	" bytes LONGBLOB, amount_cents BIGINT, at DATETIME, flag BOOLEAN);\n"
	"DELIMITER //\n"
	"CREATE OR REPLACE PROCEDURE trial_answer(n BIGINT)\n"
	"BEGIN\n"
	"  SELECT n + 1;\n"
	"  IF n = 3 THEN SIGNAL SQLSTATE '45000'; END IF;\n"
	"  SELECT 'more', 2, 3;\n"
	"END//\n"
	"CREATE OR REPLACE PROCEDURE trial_fail(n INT)\n"
	"BEGIN\n"
	"  DECLARE v INT DEFAULT n;\n"
	"  IF n > 0 THEN\n"
	"    SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = v, MESSAGE_TEXT = 'x';\n"
	"  END IF;\n"
	"END//\n"
	"CREATE OR REPLACE PROCEDURE trial_start(n BIGINT)\n"
	"BEGIN\n"
	"  START TRANSACTION;\n"
	"  SELECT id FROM trial WHERE id = n FOR UPDATE;\n"
	"END//\n"
	"CREATE OR REPLACE PROCEDURE trial_commit(n INT)\n"
	"BEGIN\n"
	"  COMMIT;\n"
	"  DO SLEEP(1);\n"
	"  IF n = 2 THEN KILL CONNECTION_ID(); END IF;\n"
	"END//\n"
	"DELIMITER ;\n";

static struct config config;
static struct arena *arena;
static struct db *db, *other;

static void setup(void)
{
	char error[300];

	arena = arena_new(65536);
	if (!config_read(&config, arena, getenv("CARDSTOCK_CONFIG"), error,
			 sizeof(error)))
		ck_abort_msg("%s", error);
	db = db_open(&config, DB_ROLE_API);
	other = db_open(&config, DB_ROLE_API);
	if (!db_script(db, schema, error, sizeof(error)))
		ck_abort_msg("%s", error);
}

static void teardown(void)
{
	db_close(other);
	db_close(db);
	arena_free(arena);
}

static void add_row(int64_t id)
{
	struct row row = {.id = id, .text = "t", .blob = {"b", 1}};

	ck_assert_int_eq(db_run(db, &insert, &row, NULL), DB_OK);
}

static int64_t rows(struct db *in)
{
	struct row row = {.id = -1};

	ck_assert_int_eq(db_one(in, arena, &count, NULL, &row), DB_OK);
	return row.id;
}

START_TEST(values_come_back)
{
	static const int64_t moments[] = {1, -1, 1709164800, 253402300799};
	char *big = arena_alloc(arena, 300001);
	struct row row = {.blob = {"a\0b", 3}, .flag = true};
	struct row got;

	memset(big, 'x', 300000);
	row.text = big;
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		row.id = (int64_t)i;
		row.at = moments[i];
		row.amount = MONEY_USD(i % 2 ? -999 : 99999999999999);
		ck_assert_int_eq(db_run(db, &insert, &row, NULL), DB_OK);
		ck_assert_int_eq(db_one(db, arena, &select_one, &row, &got),
				 DB_OK);
		ck_assert_int_eq(got.id, row.id);
		ck_assert_str_eq(got.text, big);
		ck_assert_mem_eq(got.blob.data, "a\0b", 3);
		ck_assert_uint_eq(got.blob.len, 3);
		ck_assert_int_eq(got.amount.cents, row.amount.cents);
		ck_assert_str_eq(got.amount.currency, "USD");
		ck_assert_int_eq(got.at, row.at);
		ck_assert(got.flag);
	}
	row = (struct row){.id = 9};
	ck_assert_int_eq(db_run(db, &insert, &row, NULL), DB_OK);
	ck_assert_int_eq(db_one(db, arena, &select_one, &row, &got), DB_OK);
	ck_assert_ptr_null(got.text);
	ck_assert_ptr_null(got.blob.data);
	ck_assert_int_eq(got.at, 0);
}
END_TEST

START_TEST(rows_and_none)
{
	struct row row = {.id = 7}, *list;
	void *found;
	size_t n;
	uint64_t affected = 9;

	ck_assert_int_eq(db_one(db, arena, &select_one, &row, &row), DB_NO_ROW);
	ck_assert_int_eq(db_all(db, arena, &select_all, NULL, &found, &n),
			 DB_OK);
	ck_assert_uint_eq(n, 0);
	for (int64_t i = 1; i <= 300; i++)
		add_row(i);
	ck_assert_int_eq(db_all(db, arena, &select_all, NULL, &found, &n),
			 DB_OK);
	ck_assert_uint_eq(n, 300);
	list = found;
	ck_assert_int_eq(list[299].id, 300);
	ck_assert_str_eq(list[299].text, "t");
	row.id = 300;
	ck_assert_int_eq(db_run(db, &insert, &row, &affected), DB_DUPLICATE);
}
END_TEST

struct walk {
	int64_t seen, until;
};

static bool take(void *arg, const void *row)
{
	struct walk *walk = arg;

	ck_assert_int_eq(((const struct row *)row)->id, walk->seen + 1);
	return ++walk->seen < walk->until;
}

START_TEST(walk_may_end_early)
{
	struct walk all = {0, 1000}, some = {0, 10};
	struct arena *scratch = arena_new(4096);

	for (int64_t i = 1; i <= 300; i++)
		add_row(i);
	ck_assert_int_eq(db_each(db, scratch, &select_all, NULL, take, &all),
			 DB_OK);
	ck_assert_int_eq(all.seen, 300);
	ck_assert_int_eq(db_each(db, scratch, &select_all, NULL, take, &some),
			 DB_OK);
	ck_assert_int_eq(some.seen, 10);
	ck_assert_int_eq(rows(db), 300);
	arena_free(scratch);
}
END_TEST

START_TEST(calls_are_drained)
{
	struct row row = {.id = 1}, got;

	for (row.id = 1; row.id < 6; row.id++) {
		enum db_result expected = row.id == 3 ? DB_BROKEN : DB_OK;

		ck_assert_int_eq(db_one(db, arena, &answer, &row, &got),
				 expected);
		ck_assert_int_eq(db_run(db, &answer, &row, NULL), expected);
	}
	row.id = 0;
	ck_assert_int_eq(db_one(db, arena, &fail, &row, &got), DB_NO_ROW);
}
END_TEST

START_TEST(errors_have_meanings)
{
	static const struct {
		int64_t number;
		enum db_result result;
	} table[] = {
		{1062, DB_DUPLICATE}, {1213, DB_RETRY},	 {1020, DB_RETRY},
		{1047, DB_RETRY},     {1205, DB_WAIT},	 {1053, DB_LOST},
		{1927, DB_LOST},      {1040, DB_LOST},	 {1203, DB_LOST},
		{1290, DB_LOST},      {1836, DB_LOST},	 {1969, DB_LOST},
		{1021, DB_LOST},      {1114, DB_LOST},	 {1026, DB_LOST},
		{1030, DB_LOST},      {1180, DB_LOST},	 {1461, DB_LOST},
		{1146, DB_BROKEN},    {1644, DB_BROKEN}, {1048, DB_BROKEN},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct row row = {.id = table[i].number};

		ck_assert_int_eq(db_run(db, &fail, &row, NULL),
				 table[i].result);
		ck_assert_int_eq(rows(db), 0);
	}
}
END_TEST

START_TEST(one_round_trip_each)
{
	const struct db_counters *counters = db_counters(db);
	uint64_t before;

	(void)rows(db);
	before = counters->round_trips;
	for (int i = 0; i < 10; i++)
		(void)rows(db);
	ck_assert_uint_eq(counters->round_trips - before, 10);
}
END_TEST

/* More texts than places: each still answers for itself. */
START_TEST(cache_is_bounded)
{
	for (int again = 0; again < 2; again++) {
		for (int64_t i = 0; i < 200; i++) {
			struct statement constant = {
				.name = "constant",
				.sql = arena_printf(arena, "SELECT %lld",
						    (long long)i),
				DB_COLUMNS(id_field, struct row),
			};
			struct row row = {.id = -1};

			ck_assert_int_eq(
				db_one(db, arena, &constant, NULL, &row),
				DB_OK);
			ck_assert_int_eq(row.id, i);
		}
	}
}
END_TEST

START_TEST(table_may_change)
{
	char error[200];
	struct row row = {.id = 1}, got;

	add_row(1);
	ck_assert_int_eq(db_one(db, arena, &select_one, &row, &got), DB_OK);
	ck_assert(db_script(other,
			    "ALTER TABLE trial MODIFY text VARCHAR(99),"
			    " ADD COLUMN more INT FIRST;",
			    error, sizeof(error)));
	ck_assert_int_eq(db_one(db, arena, &select_one, &row, &got), DB_OK);
	ck_assert_str_eq(got.text, "t");
}
END_TEST

START_TEST(wrong_shapes_are_refused)
{
	struct statement wrong = select_one;
	struct row row = {.id = 1}, got;

	wrong.param_count = 0;
	wrong.params = NULL;
	ck_assert_int_eq(db_one(db, arena, &wrong, &row, &got), DB_BROKEN);
	wrong = select_one;
	wrong.column_count = 2;
	add_row(1);
	ck_assert_int_eq(db_one(db, arena, &wrong, &row, &got), DB_BROKEN);
	ck_assert_int_eq(rows(db), 1);
}
END_TEST

/* --- transactions --- */

struct script_of_body {
	int64_t failures; /* how many tries end in error */
	int64_t error;
	int runs;
	enum db_tx_next next;
	bool dies;
	bool late; /* its time is over when it ends */
};

static enum db_tx_next body(struct db *in, void *arg, enum db_result *result)
{
	struct script_of_body *script = arg;
	struct row row = {.id = 100 + script->runs},
		   bad = {.id = script->error};

	script->runs++;
	*result = db_run(in, &insert, &row, NULL);
	if (*result == DB_OK && script->runs <= script->failures)
		*result = db_run(in, &fail, &bad, NULL);
	if (*result == DB_OK && script->dies)
		*result = db_run(in, &die, NULL, NULL);
	if (script->late)
		db_set_deadline(in, 1);
	return *result == DB_OK ? script->next : DB_TX_FAILED;
}

static enum db_result run_body(struct script_of_body *script,
			       const struct statement *finish, bool *in_doubt)
{
	struct db_tx tx = {.body = body, .arg = script, .finish = finish};

	return db_tx_run(db, arena, &tx, in_doubt);
}

START_TEST(transactions_end)
{
	struct script_of_body script = {.next = DB_TX_COMMIT};
	bool in_doubt;

	ck_assert_int_eq(run_body(&script, NULL, &in_doubt), DB_OK);
	ck_assert_int_eq(rows(other), 1);
	script = (struct script_of_body){.next = DB_TX_ROLLBACK, .runs = 50};
	ck_assert_int_eq(run_body(&script, NULL, &in_doubt), DB_OK);
	ck_assert_int_eq(rows(other), 1);
	script = (struct script_of_body){.next = DB_TX_COMMIT};
	ck_assert_int_eq(run_body(&script, NULL, &in_doubt), DB_DUPLICATE);
	ck_assert(!in_doubt);
	ck_assert_int_eq(rows(other), 1);
}
END_TEST

START_TEST(transactions_try_again)
{
	static const struct {
		int64_t error, failures, runs;
		enum db_result result;
	} table[] = {
		{1213, 3, 4, DB_OK},	{1020, 7, 8, DB_OK},
		{1213, 8, 8, DB_RETRY}, {1205, 2, 3, DB_OK},
		{1205, 9, 3, DB_WAIT},	{1644, 1, 1, DB_BROKEN},
		{1290, 1, 1, DB_LOST},
	};
	char error[200];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct script_of_body script = {
			.failures = table[i].failures,
			.error = table[i].error,
			.next = DB_TX_COMMIT,
		};
		bool in_doubt;

		ck_assert(db_script(other, "DELETE FROM trial", error,
				    sizeof(error)));
		ck_assert_int_eq(run_body(&script, NULL, &in_doubt),
				 table[i].result);
		ck_assert_int_eq(script.runs, table[i].runs);
		ck_assert(!in_doubt);
		ck_assert_int_eq(rows(other), table[i].result == DB_OK);
	}
}
END_TEST

START_TEST(lost_connection_leaves_nothing)
{
	struct script_of_body script = {.next = DB_TX_COMMIT, .dies = true};
	bool in_doubt;

	ck_assert_int_eq(run_body(&script, NULL, &in_doubt), DB_LOST);
	ck_assert(!in_doubt);
	ck_assert_int_eq(rows(other), 0);
	script = (struct script_of_body){.next = DB_TX_COMMIT};
	ck_assert_int_eq(run_body(&script, &die, &in_doubt), DB_LOST);
	ck_assert(in_doubt);
	ck_assert_int_eq(script.runs, 1);
	ck_assert_int_eq(rows(db), 0);
}
END_TEST

START_TEST(nothing_is_sent_too_late)
{
	struct script_of_body script = {.next = DB_TX_COMMIT};
	uint64_t before;
	bool in_doubt;

	(void)rows(db);
	db_set_deadline(db, clock_monotonic_us());
	before = db_counters(db)->round_trips;
	ck_assert_int_eq(run_body(&script, NULL, &in_doubt), DB_LOST);
	ck_assert(!in_doubt);
	ck_assert_int_eq(script.runs, 0);
	ck_assert_uint_eq(db_counters(db)->round_trips, before);
	db_set_deadline(db, 0);
	/* A COMMIT that was not sent is no doubt. */
	script.late = true;
	ck_assert_int_eq(run_body(&script, NULL, &in_doubt), DB_LOST);
	ck_assert(!in_doubt);
	ck_assert_int_eq(script.runs, 1);
	ck_assert_int_eq(rows(other), 0);
	db_set_deadline(db, 0);
	script = (struct script_of_body){
		.failures = 9, .error = 1213, .late = true};
	ck_assert_int_eq(run_body(&script, NULL, &in_doubt), DB_RETRY);
	ck_assert_int_eq(script.runs, 1);
	db_set_deadline(db, 0);
	ck_assert_int_eq(rows(db), 0);
}
END_TEST

START_TEST(what_was_sent_is_awaited)
{
	static const struct statement commits_late = {
		.name = "commits_late",
		.sql = "CALL trial_commit(1)",
	};
	static const struct statement commits_and_dies = {
		.name = "commits_and_dies",
		.sql = "CALL trial_commit(2)",
	};
	struct script_of_body script = {.next = DB_TX_COMMIT};
	bool in_doubt;

	db_set_deadline(db, clock_monotonic_us() + 500000);
	ck_assert_int_eq(run_body(&script, &commits_late, &in_doubt), DB_OK);
	ck_assert_int_eq(rows(other), 1);
	script = (struct script_of_body){.next = DB_TX_COMMIT, .runs = 1};
	db_set_deadline(db, clock_monotonic_us() + 500000);
	ck_assert_int_eq(run_body(&script, &commits_and_dies, &in_doubt),
			 DB_LOST);
	ck_assert(in_doubt);
	ck_assert_int_eq(rows(other), 2);
	db_set_deadline(db, 0);
}
END_TEST

static void kill_idle(void)
{
	struct row row;

	ck_assert_int_eq(db_one(db, arena, &connection_id, NULL, &row), DB_OK);
	ck_assert_int_eq(db_run(other, &kill_other, &row, NULL), DB_OK);
	ck_assert_int_eq(rows(other), 0);
}

START_TEST(idle_connection_is_replaced)
{
	struct script_of_body script = {.next = DB_TX_COMMIT};
	bool in_doubt;

	kill_idle();
	ck_assert_int_eq(rows(db), 0);
	ck_assert_uint_eq(db_counters(db)->reconnects, 1);
	kill_idle();
	ck_assert_int_eq(run_body(&script, NULL, &in_doubt), DB_OK);
	ck_assert_uint_eq(db_counters(db)->reconnects, 2);
	ck_assert(db_ping(db));
}
END_TEST

static enum db_tx_next hold(struct db *in, void *arg, enum db_result *result)
{
	struct row row = {.id = 5}, got;
	struct script_of_body script = {.next = DB_TX_COMMIT};
	struct db_tx tx = {
		.start = &start,
		.start_params = &row,
		.start_row = &got,
		.body = body,
		.arg = &script,
	};
	bool in_doubt;

	*result = db_one(in, arena, &lock_row, &row, &got);
	*(enum db_result *)arg = db_tx_run(db, arena, &tx, &in_doubt);
	ck_assert_int_eq(script.runs, 0);
	return DB_TX_ROLLBACK;
}

START_TEST(start_does_not_wait_twice)
{
	enum db_result waited = DB_OK;
	struct db_tx tx = {.body = hold, .arg = &waited};
	int64_t began = clock_monotonic_us();
	bool in_doubt;

	add_row(5);
	ck_assert_int_eq(db_tx_run(other, arena, &tx, &in_doubt), DB_OK);
	ck_assert_int_eq(waited, DB_WAIT);
	ck_assert_int_lt(clock_monotonic_us() - began, 3500000);
	ck_assert_int_eq(rows(db), 1);
}
END_TEST

START_TEST(snapshot_stands_still)
{
	ck_assert_int_eq(db_snapshot_begin(other), DB_OK);
	ck_assert_int_eq(rows(other), 0);
	add_row(1);
	ck_assert_int_eq(rows(other), 0);
	db_snapshot_end(other);
	ck_assert_int_eq(rows(other), 1);
}
END_TEST

START_TEST(answers_come_in_time)
{
	int64_t began = clock_monotonic_us();
	struct row row;

	ck_assert_int_eq(db_one(db, arena, &slow, NULL, &row), DB_LOST);
	ck_assert_int_lt(clock_monotonic_us() - began,
			 config.db_read_timeout_s * 1000000 + 500000);
	ck_assert_int_eq(rows(db), 0);
}
END_TEST

/* Who answers or delivers does not stand still; what may take hours may. */
START_TEST(patience_is_a_roles)
{
	static const struct statement limit = {
		.name = "limit",
		.sql = "SELECT CAST(@@max_statement_time * 1000 AS INTEGER)",
		DB_COLUMNS(id_field, struct row),
	};
	static const struct {
		enum db_role role;
		int64_t ms;
	} table[] = {
		{DB_ROLE_API, 3500},
		{DB_ROLE_COURIER, 3500},
		{DB_ROLE_KEEPER, 59500},
		{DB_ROLE_OWNER, 0},
	};
	struct config same = config;

	same.db_keeper_user = same.db_courier_user = config.db_user;
	same.db_keeper_password_file = config.db_password_file;
	same.db_courier_password_file = config.db_password_file;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct db *as = db_open(&same, table[i].role);
		struct row row = {.id = -1};

		ck_assert_int_eq(db_one(as, arena, &limit, NULL, &row), DB_OK);
		ck_assert_int_eq(row.id, table[i].ms);
		db_close(as);
	}
}
END_TEST

START_TEST(absence_is_told_at_once)
{
	struct config nowhere = config;
	int64_t began = clock_monotonic_us();
	struct script_of_body script = {.next = DB_TX_COMMIT};
	struct db_tx tx = {.body = body, .arg = &script};
	struct db *gone;
	struct row row;
	bool in_doubt;

	nowhere.db_socket = "/nonexistent/socket";
	gone = db_open(&nowhere, DB_ROLE_API);
	ck_assert_int_eq(db_one(gone, arena, &count, NULL, &row), DB_LOST);
	ck_assert_int_eq(db_tx_run(gone, arena, &tx, &in_doubt), DB_LOST);
	ck_assert(!in_doubt && !db_ping(gone));
	ck_assert_int_lt(clock_monotonic_us() - began, 100000);
	db_close(gone);
}
END_TEST

START_TEST(scripts_name_the_line)
{
	char error[200];

	ck_assert(!db_script(db, "SELECT 1;\n\n-- x;\nSELEC 2;\n", error,
			     sizeof(error)));
	ck_assert_ptr_nonnull(strstr(error, "line 4: error 1064"));
}
END_TEST

/* --- key rotation --- */

static int64_t lines_told;

static void tell(const char *line)
{
	lines_told += strstr(line, "its line") != NULL;
}

static struct keyring *open_keys(const char *keys)
{
	const char *path =
		arena_printf(arena, "%s.keys", getenv("CARDSTOCK_CONFIG"));
	char error[200];
	struct keyring *ring;
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fputs(keys, file) >= 0, 1);
	ck_assert_int_eq(fchmod(fileno(file), 0600), 0);
	ck_assert_int_eq(fclose(file), 0);
	ring = keyring_open(path, error, sizeof(error));
	if (!ring)
		ck_abort_msg("%s", error);
	return ring;
}

#define KEY_1                                                                  \
	"1 0101010101010101010101010101010101010101010101010101010101010101\n"
#define KEY_2                                                                  \
	"2 0202020202020202020202020202020202020202020202020202020202020202\n"
#define PAN "4916530000000006"
#define CARDS 130

struct sealed {
	int64_t id;
	const char *name;
	struct bytes sealed;
	int64_t key_id;
};

static const struct db_field sealed_fields[] = {
	{DB_INT, offsetof(struct sealed, id)},
	{DB_TEXT, offsetof(struct sealed, name)},
	{DB_BLOB, offsetof(struct sealed, sealed)},
	{DB_INT, offsetof(struct sealed, key_id)},
};
static const struct statement card_add = {
	.name = "card_add",
	.sql = "INSERT INTO cards (number, public_id, pan_sealed, pan_key_id,"
	       " wallet_id, bin_id, status, last4, pan_hash, expires_at,"
	       " spending_limit_cents, created_at) SELECT ?, ?, ?, ?,"
	       " (SELECT MIN(id) FROM wallets), '491653', 'active', '0006',"
	       " RANDOM_BYTES(32), UTC_TIMESTAMP(), 1, UTC_TIMESTAMP()",
	DB_PARAMS(sealed_fields),
};
static const struct statement reply_add = {
	.name = "reply_add",
	.sql = "INSERT INTO idempotency_keys (wallet_id, idem_key,"
	       " reply_sealed, status, fingerprint, created_at)"
	       " VALUES (?, ?, ?, ? + 200, '', UTC_TIMESTAMP())",
	DB_PARAMS(sealed_fields),
};
static const struct statement cards_list = {
	.name = "cards_list",
	.sql = "SELECT number, public_id, pan_sealed, pan_key_id FROM cards",
	DB_COLUMNS(sealed_fields, struct sealed),
};
static const struct statement replies_list = {
	.name = "replies_list",
	.sql = "SELECT wallet_id, CONCAT(wallet_id, ':', idem_key),"
	       " reply_sealed, CONV(HEX(LEFT(reply_sealed, 2)), 16, 10)"
	       " FROM idempotency_keys",
	DB_COLUMNS(sealed_fields, struct sealed),
};
static const struct statement api_key_add = {
	.name = "api_key_add",
	.sql = "INSERT INTO api_keys (id, public_id, key_sealed, label,"
	       " wallet_id, dialect, key_hash, prefix, scopes, created_at)"
	       " SELECT ?, ?, ?, ?, (SELECT MIN(id) FROM wallets), 'privacy',"
	       " RANDOM_BYTES(32), '', 'read', UTC_TIMESTAMP()",
	DB_PARAMS(sealed_fields),
};
static const struct statement api_keys_list = {
	.name = "api_keys_list",
	.sql = "SELECT id, public_id, key_sealed,"
	       " CONV(HEX(LEFT(key_sealed, 2)), 16, 10) FROM api_keys",
	DB_COLUMNS(sealed_fields, struct sealed),
};
static const struct statement wallet_id = {
	.name = "wallet_id",
	.sql = "SELECT MIN(id) FROM wallets",
	DB_COLUMNS(id_field, struct row),
};

static struct bytes seal(const struct keyring *ring, enum key_purpose purpose,
			 const char *context)
{
	unsigned char *sealed = arena_alloc(arena, strlen(PAN) + SEAL_OVERHEAD);

	ck_assert(secret_seal(ring, purpose, context,
			      (struct bytes){PAN, strlen(PAN)}, sealed));
	return (struct bytes){sealed, strlen(PAN) + SEAL_OVERHEAD};
}

static void fill(const struct keyring *ring)
{
	struct row wallet;
	char error[200];

	ck_assert(db_script(db,
			    "DELETE FROM cards; DELETE FROM idempotency_keys;"
			    "DELETE FROM api_keys;",
			    error, sizeof(error)));
	ck_assert_int_eq(db_one(db, arena, &wallet_id, NULL, &wallet), DB_OK);
	for (int64_t i = 1; i <= CARDS; i++) {
		struct sealed card = {
			.id = i,
			.name = arena_printf(arena, "card_%020lld",
					     (long long)i),
			.key_id = 1,
		};
		struct sealed reply = {
			.id = wallet.id,
			.name = arena_printf(arena, "k%lld", (long long)i),
			.key_id = 1,
		};
		struct sealed api_key = {
			.id = i,
			.name = arena_printf(arena, "key_%020lld",
					     (long long)i),
		};

		api_key.sealed = seal(ring, KEY_API_KEY, api_key.name);
		ck_assert_int_eq(db_run(db, &api_key_add, &api_key, NULL),
				 DB_OK);
		card.sealed = seal(ring, KEY_PAN_ENCRYPTION, card.name);
		reply.sealed =
			seal(ring, KEY_REPLY,
			     arena_printf(arena, "%lld:%s", (long long)reply.id,
					  reply.name));
		ck_assert_int_eq(db_run(db, &card_add, &card, NULL), DB_OK);
		ck_assert_int_eq(db_run(db, &reply_add, &reply, NULL), DB_OK);
	}
}

static void all_open(const struct keyring *ring,
		     const struct statement *statement,
		     enum key_purpose purpose)
{
	void *found;
	size_t n;

	ck_assert_int_eq(db_all(db, arena, statement, NULL, &found, &n), DB_OK);
	ck_assert_uint_eq(n, CARDS);
	for (size_t i = 0; i < n; i++) {
		const struct sealed *row = (struct sealed *)found + i;
		unsigned char plain[sizeof(PAN)];

		ck_assert_int_eq(row->key_id, 2);
		ck_assert_uint_eq(row->sealed.len, strlen(PAN) + SEAL_OVERHEAD);
		ck_assert(secret_open(ring, purpose, row->name, row->sealed,
				      plain));
		ck_assert_mem_eq(plain, PAN, strlen(PAN));
	}
}

START_TEST(keys_are_rotated)
{
	struct keyring *old = open_keys(KEY_1), *ring;
	struct arena *batches = arena_new(65536);
	struct rotate_totals totals;
	char error[300];

	fill(old);
	keyring_close(old);
	ring = open_keys(KEY_1 KEY_2);
	lines_told = 0;
	ck_assert_msg(rotate_keys(db, batches, ring, tell, &totals, error,
				  sizeof(error)),
		      "%s", error);
	ck_assert_int_eq(totals.cards, CARDS);
	ck_assert_int_eq(totals.replies, CARDS);
	ck_assert_int_eq(totals.others, CARDS);
	ck_assert_int_eq(lines_told, 1);
	all_open(ring, &cards_list, KEY_PAN_ENCRYPTION);
	all_open(ring, &replies_list, KEY_REPLY);
	all_open(ring, &api_keys_list, KEY_API_KEY);
	ck_assert(rotate_keys(db, batches, ring, tell, &totals, error,
			      sizeof(error)));
	ck_assert_int_eq(totals.cards + totals.replies + totals.others, 0);
	keyring_close(ring);
	arena_free(batches);
}
END_TEST

static const struct db_field text_field[] = {
	{DB_TEXT, offsetof(struct row, text)},
};
static const struct statement uuid_of_text = {
	.name = "uuid_of_text",
	.sql = "SELECT uuid_of_id(?)",
	DB_PARAMS(text_field),
	DB_COLUMNS(text_field, struct row),
};
static const struct statement id_of_text = {
	.name = "id_of_text",
	.sql = "SELECT id_of_uuid(?, 'card_')",
	DB_PARAMS(text_field),
	DB_COLUMNS(text_field, struct row),
};

static void database_agrees(const struct statement *statement,
			    const char *input, const char *wanted)
{
	struct row in = {.text = input}, out;

	ck_assert_int_eq(db_one(db, arena, statement, &in, &out), DB_OK);
	ck_assert_pstr_eq(out.text, wanted);
}

/* Ids and tokens, both ways; of random tokens most are nobody's. */
START_TEST(tokens_agree)
{
	char id[ID_SIZE], uuid[UUID_SIZE], hex[33];
	unsigned char random[16];
	int strange = 0;

	for (int i = 0; i < 1000; i++) {
		id_make(id, "card_");
		ck_assert(uuid_of_id(id, uuid));
		database_agrees(&uuid_of_text, id, uuid);
		database_agrees(&id_of_text, uuid, id);
		random_bytes(random, sizeof(random));
		hex_encode(hex, random, sizeof(random));
		uuid_of_hex(hex, uuid);
		if (!id_of_uuid(uuid, "card_", id))
			strange++;
		database_agrees(&id_of_text, uuid,
				id_of_uuid(uuid, "card_", id) ? id : NULL);
	}
	ck_assert_int_gt(strange, 800);
	database_agrees(&uuid_of_text, "card_00000000000000000000",
			"6847e881-a75d-4451-9ed8-b8e60e259e5f");
	database_agrees(&uuid_of_text, "card_0000000000000000000", NULL);
	database_agrees(&uuid_of_text, "card_0000000000000000000-", NULL);
	database_agrees(&id_of_text, "not a token", NULL);
	database_agrees(&id_of_text, "6F0C5AF4-0000-1000-8000-000000000000",
			NULL);
}
END_TEST

START_TEST(unknown_key_is_refused)
{
	struct keyring *old = open_keys(KEY_1), *ring;
	struct arena *batches = arena_new(65536);
	struct rotate_totals totals;
	char error[300];

	fill(old);
	keyring_close(old);
	ring = open_keys(KEY_2);
	ck_assert(!rotate_keys(db, batches, ring, tell, &totals, error,
			       sizeof(error)));
	ck_assert_ptr_nonnull(
		strstr(error, "is under key 1, which is not in the key file"));
	ck_assert_int_eq(totals.cards, 0);
	keyring_close(ring);
	arena_free(batches);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("db");
	TCase *cases = tcase_create("db");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (!getenv("CARDSTOCK_CONFIG")) {
		fputs("run by test_db.py\n", stderr);
		return EXIT_FAILURE;
	}
	log_open("test_db", false, LOG_LEVEL_BROKEN);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_set_timeout(cases, 60);
	tcase_add_test(cases, values_come_back);
	tcase_add_test(cases, rows_and_none);
	tcase_add_test(cases, walk_may_end_early);
	tcase_add_test(cases, calls_are_drained);
	tcase_add_test(cases, errors_have_meanings);
	tcase_add_test(cases, one_round_trip_each);
	tcase_add_test(cases, cache_is_bounded);
	tcase_add_test(cases, table_may_change);
	tcase_add_test(cases, wrong_shapes_are_refused);
	tcase_add_test(cases, transactions_end);
	tcase_add_test(cases, transactions_try_again);
	tcase_add_test(cases, lost_connection_leaves_nothing);
	tcase_add_test(cases, nothing_is_sent_too_late);
	tcase_add_test(cases, what_was_sent_is_awaited);
	tcase_add_test(cases, idle_connection_is_replaced);
	tcase_add_test(cases, start_does_not_wait_twice);
	tcase_add_test(cases, snapshot_stands_still);
	tcase_add_test(cases, answers_come_in_time);
	tcase_add_test(cases, patience_is_a_roles);
	tcase_add_test(cases, absence_is_told_at_once);
	tcase_add_test(cases, scripts_name_the_line);
	tcase_add_test(cases, keys_are_rotated);
	tcase_add_test(cases, tokens_agree);
	tcase_add_test(cases, unknown_key_is_refused);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
