/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fund routine called straight on MariaDB, as a worker calls it but with
 * nothing around it: one process a connection, prepared statements, the same
 * session. What this reaches is the ceiling of POST /v1/cards/{id}/fund.
 *
 *   routine LOGIN CARDS CONNECTIONS WARM-MS MEASURED-MS plain|keyed
 *
 * LOGIN is a file as the mariadb client reads it (--defaults-file). CARDS has
 * a line per card: the wallet's number, a space, the card's id. "keyed" keeps
 * an idempotency record with each. One line of JSON tells what was reached.
 */
#include <mysql.h>
#include <mysqld_error.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CARDS_MAX 4096
#define CONNECTIONS_MAX 256
#define COLUMNS 6
#define REPLY_BYTES 200 /* what the answer to a funding takes, sealed */
#define STEP_US 10	/* of the histogram */
#define STEPS 300000

/* What the workers' db layer sets. */
static const char session[] =
	"SET time_zone = '+00:00',"
	" sql_mode = 'TRADITIONAL,NO_ENGINE_SUBSTITUTION',"
	" tx_isolation = 'READ-COMMITTED', autocommit = 1,"
	" innodb_lock_wait_timeout = 2, max_statement_time = 4.5";

struct card {
	uint64_t wallet_id;
	char public_id[33];
};

struct shared {
	uint32_t histogram[STEPS];
	uint64_t count, retries;
};

static struct card cards[CARDS_MAX];
static size_t card_count;
static struct shared *shared;

struct client {
	MYSQL *mysql;
	MYSQL_STMT *start, *fund, *finish;
	bool keyed;
	size_t card;
	uint64_t sent;
	char key[64];
	unsigned long key_len;
};

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

_Noreturn static void fail(const char *what, const char *why)
{
	fprintf(stderr, "routine: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static void cards_read(const char *path)
{
	char line[128];
	FILE *file = fopen(path, "re");

	if (!file)
		fail(path, "cannot be read");
	while (card_count < CARDS_MAX && fgets(line, sizeof(line), file)) {
		struct card *card = &cards[card_count];
		char *rest;

		card->wallet_id = strtoull(line, &rest, 10);
		line[strcspn(line, "\n")] = '\0';
		if (*rest != ' ' || strlen(rest + 1) >= sizeof(card->public_id))
			fail(path, "not lines of a number and a card's id");
		snprintf(card->public_id, sizeof(card->public_id), "%s",
			 rest + 1);
		card_count++;
	}
	fclose(file);
	if (card_count == 0)
		fail(path, "empty");
}

static MYSQL_STMT *prepare(struct client *client, const char *sql)
{
	MYSQL_STMT *stmt = mysql_stmt_init(client->mysql);

	if (!stmt || mysql_stmt_prepare(stmt, sql, strlen(sql)))
		fail(sql, mysql_error(client->mysql));
	return stmt;
}

static void client_open(struct client *client, const char *login)
{
	client->mysql = mysql_init(NULL);
	if (!client->mysql)
		fail(login, "out of memory");
	mysql_options(client->mysql, MYSQL_READ_DEFAULT_FILE, login);
	mysql_options(client->mysql, MYSQL_READ_DEFAULT_GROUP, "client");
	mysql_options(client->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(client->mysql, MYSQL_INIT_COMMAND, session);
	if (!mysql_real_connect(client->mysql, NULL, NULL, NULL, NULL, 0, NULL,
				CLIENT_MULTI_RESULTS))
		fail(login, mysql_error(client->mysql));
	client->start = prepare(client, client->keyed ? "CALL tx_begin(?, ?, ?)"
						      : "START TRANSACTION");
	client->fund = prepare(client, "CALL card_fund(?, ?, ?)");
	client->finish =
		prepare(client, client->keyed ? "CALL tx_commit(?, ?, ?, ?)"
					      : "COMMIT");
}

static MYSQL_BIND bound_number(uint64_t *number)
{
	return (MYSQL_BIND){
		.buffer_type = MYSQL_TYPE_LONGLONG,
		.buffer = number,
	};
}

static MYSQL_BIND bound_bytes(char *bytes, unsigned long *len)
{
	return (MYSQL_BIND){
		.buffer_type = MYSQL_TYPE_STRING,
		.buffer = bytes,
		.buffer_length = *len,
		.length = len,
	};
}

/* Executes and reads all that comes back; 0 or the error's number. The first
 * column of the first row is the routine's outcome. */
static unsigned int run(MYSQL_STMT *stmt, MYSQL_BIND *params)
{
	char texts[COLUMNS][256];
	unsigned long lens[COLUMNS];
	MYSQL_BIND columns[COLUMNS] = {{0}};

	if (params)
		mysql_stmt_bind_param(stmt, params);
	if (mysql_stmt_execute(stmt))
		return mysql_stmt_errno(stmt);
	if (mysql_stmt_field_count(stmt) > COLUMNS)
		fail("routine", "answers more columns than it should");
	if (mysql_stmt_field_count(stmt) > 0) {
		for (int i = 0; i < COLUMNS; i++) {
			lens[i] = sizeof(texts[i]);
			columns[i] = bound_bytes(texts[i], &lens[i]);
		}
		if (mysql_stmt_bind_result(stmt, columns) ||
		    mysql_stmt_store_result(stmt) || mysql_stmt_fetch(stmt))
			return mysql_stmt_errno(stmt);
		if (lens[0] != 2 || memcmp(texts[0], "ok", 2) != 0)
			fail("outcome", texts[0]);
		mysql_stmt_free_result(stmt);
	}
	while (mysql_stmt_more_results(stmt))
		if (mysql_stmt_next_result(stmt) > 0)
			return mysql_stmt_errno(stmt);
	return 0;
}

static unsigned int transaction(struct client *client)
{
	struct card *card = &cards[client->card];
	char fingerprint[32] = {1}, reply[REPLY_BYTES] = {1};
	unsigned long id_len = strlen(card->public_id);
	unsigned long fingerprint_len = 32, reply_len = REPLY_BYTES;
	uint64_t cents = 100, status = 200;
	MYSQL_BIND wallet = bound_number(&card->wallet_id);
	MYSQL_BIND key = bound_bytes(client->key, &client->key_len);
	MYSQL_BIND start[] = {wallet, key,
			      bound_bytes(fingerprint, &fingerprint_len)};
	MYSQL_BIND fund[] = {wallet, bound_bytes(card->public_id, &id_len),
			     bound_number(&cents)};
	MYSQL_BIND finish[] = {wallet, key, bound_number(&status),
			       bound_bytes(reply, &reply_len)};
	unsigned int error;

	error = run(client->start, client->keyed ? start : NULL);
	if (error == 0)
		error = run(client->fund, fund);
	if (error == 0)
		error = run(client->finish, client->keyed ? finish : NULL);
	return error;
}

static void transaction_done(struct client *client)
{
	unsigned int error;

	client->key_len = (unsigned long)snprintf(
		client->key, sizeof(client->key), "routine-%lld-%d-%llu",
		(long long)now_us(), (int)getpid(),
		(unsigned long long)client->sent++);
	while ((error = transaction(client)) != 0) {
		if (error != ER_LOCK_DEADLOCK && error != ER_LOCK_WAIT_TIMEOUT)
			fail("transaction", mysql_error(client->mysql));
		mysql_rollback(client->mysql);
		__atomic_fetch_add(&shared->retries, 1, __ATOMIC_RELAXED);
	}
	client->card = (client->card + 1) % card_count;
}

_Noreturn static void connection_run(size_t first, const char *login,
				     bool keyed, int64_t begin_us,
				     int64_t end_us)
{
	struct client client = {.keyed = keyed, .card = first};
	int64_t before_us, after_us = 0;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	client_open(&client, login);
	while (after_us < end_us) {
		int64_t step;

		before_us = now_us();
		transaction_done(&client);
		after_us = now_us();
		if (after_us < begin_us || after_us >= end_us)
			continue;
		step = (after_us - before_us) / STEP_US;
		__atomic_fetch_add(
			&shared->histogram[step < STEPS ? step : STEPS - 1], 1,
			__ATOMIC_RELAXED);
		__atomic_fetch_add(&shared->count, 1, __ATOMIC_RELAXED);
	}
	mysql_close(client.mysql);
	exit(EXIT_SUCCESS);
}

static void result_print(int64_t measured_us)
{
	const char *comma = "";

	printf("{\"requests\":%llu,\"us\":%lld,\"retries\":%llu,"
	       "\"latency\":[",
	       (unsigned long long)shared->count, (long long)measured_us,
	       (unsigned long long)shared->retries);
	for (int i = 0; i < STEPS; i++) {
		if (shared->histogram[i] == 0)
			continue;
		printf("%s[%d,%u]", comma, (i + 1) * STEP_US,
		       shared->histogram[i]);
		comma = ",";
	}
	puts("]}");
}

int main(int argc, char **argv)
{
	int64_t begin_us, measured_us;
	long connections;
	bool failed = false;
	int status;

	if (argc != 7) {
		fputs("usage: routine LOGIN CARDS CONNECTIONS WARM-MS "
		      "MEASURED-MS plain|keyed\n",
		      stderr);
		return 2;
	}
	cards_read(argv[2]);
	connections = strtol(argv[3], NULL, 10);
	measured_us = strtol(argv[5], NULL, 10) * 1000;
	if (connections < 1 || connections > CONNECTIONS_MAX)
		fail(argv[3], "not a number of connections");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		fail("memory", "none left");
	begin_us = now_us() + strtol(argv[4], NULL, 10) * 1000;
	for (long i = 0; i < connections; i++)
		if (fork() == 0)
			connection_run((size_t)i * card_count /
					       (size_t)connections,
				       argv[1], strcmp(argv[6], "keyed") == 0,
				       begin_us, begin_us + measured_us);
	while (wait(&status) > 0)
		failed = failed || status != 0;
	if (failed)
		return EXIT_FAILURE;
	result_print(measured_us);
	return EXIT_SUCCESS;
}
