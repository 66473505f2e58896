/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routines called straight on MariaDB, as a worker calls them but with
 * nothing around them: one process a connection, prepared statements, the same
 * session. What this reaches is the ceiling of the requests that call them:
 *
 *   plain      POST /v1/cards/{id}/fund
 *   keyed      the same with an idempotency record each
 *   authorize  POST /network/v1/authorizations
 *   clear      POST /network/v1/authorizations/{network_ref}/clearing
 *
 *   routine LOGIN LINES CONNECTIONS WARM-MS MEASURED-MS plain|keyed|...
 *
 * LOGIN is a file as the mariadb client reads it (--defaults-file). LINES has
 * a line per card: the wallet's number, a space, the card's id. To clear it
 * has the references instead, each of which is cleared once.
 */
#include <mysql.h>
#include <mysqld_error.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

#define COLUMNS 40
#define CARD_ID_COLUMN 1 /* of authorization_read's row */
#define REPLY_BYTES 200	 /* what the answer to a funding takes, sealed */

/* What the workers' db layer sets. */
static const char session[] =
	"SET time_zone = '+00:00',"
	" sql_mode = 'TRADITIONAL,NO_ENGINE_SUBSTITUTION',"
	" tx_isolation = 'READ-COMMITTED', autocommit = 1,"
	" innodb_lock_wait_timeout = 2, max_statement_time = 4.5";

enum what {
	FUND,
	FUND_KEYED,
	AUTHORIZE,
	CLEAR,
	WHATS
};

static const char *const what_names[] = {"plain", "keyed", "authorize",
					 "clear"};
/* The statements of one transaction, in their order. */
static const char *const scripts[WHATS][3] = {
	[FUND] = {"START TRANSACTION", "CALL card_fund(?, ?, ?)", "COMMIT"},
	[FUND_KEYED] = {"CALL tx_begin(?, ?, ?)", "CALL card_fund(?, ?, ?)",
			"CALL tx_commit(?, ?, ?, ?)"},
	[AUTHORIZE] = {"CALL authorization_open(NULL, ?, NULL, ?, '5942',"
		       " 'US')",
		       "CALL authorization_close(?, ?, ?, 'purchase', 1, 1,"
		       " TRUE, '00', 'BENCH1', NULL, '[]', 'Bench', '5942',"
		       " 'US', NULL, 'B-1', 'bookstores', NULL, NULL, NULL,"
		       " FALSE)"},
	[CLEAR] = {"START TRANSACTION",
		   "CALL transaction_clear(NULL, NULL, ?, NULL, NULL, TRUE,"
		   " NULL, NULL)",
		   "COMMIT"},
};

struct card {
	uint64_t wallet_id;
	char public_id[65]; /* or a reference */
};

static struct card *cards;
static size_t card_count;
static enum what what;
static const char *login;

struct client {
	MYSQL *mysql;
	MYSQL_STMT *stmts[3];
	size_t card, step;
	uint64_t sent;
	char key[64];
	unsigned long key_len;
};

_Noreturn static void fail(const char *where, const char *why)
{
	load_fail("routine", where, why);
}

static void cards_read(const char *path)
{
	char **lines = load_lines("routine", path, &card_count);

	cards = calloc(card_count, sizeof(*cards));
	if (!cards)
		fail(path, "out of memory");
	for (size_t i = 0; i < card_count; i++) {
		char *rest = lines[i];

		if (what != CLEAR) {
			cards[i].wallet_id = strtoull(lines[i], &rest, 10);
			if (*rest++ != ' ')
				fail(path, "not a number and a card's id");
		}
		if (strlen(rest) >= sizeof(cards[i].public_id))
			fail(path, "a line is too long");
		snprintf(cards[i].public_id, sizeof(cards[i].public_id), "%s",
			 rest);
	}
}

static MYSQL_STMT *prepare(struct client *client, const char *sql)
{
	MYSQL_STMT *stmt = mysql_stmt_init(client->mysql);

	if (!stmt || mysql_stmt_prepare(stmt, sql, strlen(sql)))
		fail(sql, mysql_error(client->mysql));
	return stmt;
}

static void *client_open(size_t number, size_t clients)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client || !(client->mysql = mysql_init(NULL)))
		fail(login, "out of memory");
	mysql_options(client->mysql, MYSQL_READ_DEFAULT_FILE, login);
	mysql_options(client->mysql, MYSQL_READ_DEFAULT_GROUP, "client");
	mysql_options(client->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(client->mysql, MYSQL_INIT_COMMAND, session);
	if (!mysql_real_connect(client->mysql, NULL, NULL, NULL, NULL, 0, NULL,
				CLIENT_MULTI_RESULTS))
		fail(login, mysql_error(client->mysql));
	for (int i = 0; i < 3 && scripts[what][i]; i++)
		client->stmts[i] = prepare(client, scripts[what][i]);
	/* Each reference is one client's; with cards they start apart. */
	client->card = what == CLEAR ? number : number * card_count / clients;
	client->step = what == CLEAR ? clients : 1;
	return client;
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
static unsigned int run(MYSQL_STMT *stmt, MYSQL_BIND *params, uint64_t *card_id)
{
	char texts[COLUMNS][256] = {{0}};
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
		if (card_id)
			*card_id = strtoull(texts[CARD_ID_COLUMN], NULL, 10);
		mysql_stmt_free_result(stmt);
	}
	while (mysql_stmt_more_results(stmt))
		if (mysql_stmt_next_result(stmt) > 0)
			return mysql_stmt_errno(stmt);
	return 0;
}

static unsigned int funding(struct client *client)
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
	bool keyed = what == FUND_KEYED;
	unsigned int error;

	error = run(client->stmts[0], keyed ? start : NULL, NULL);
	if (error == 0)
		error = run(client->stmts[1], fund, NULL);
	if (error == 0)
		error = run(client->stmts[2], keyed ? finish : NULL, NULL);
	return error;
}

static unsigned int authorization(struct client *client)
{
	struct card *card = &cards[client->card];
	unsigned long id_len = strlen(card->public_id);
	char public_id[33];
	unsigned long public_id_len = (unsigned long)snprintf(
		public_id, sizeof(public_id), "txn_%.28s", client->key + 8);
	uint64_t card_id = 0;
	MYSQL_BIND reference = bound_bytes(client->key, &client->key_len);
	MYSQL_BIND open[] = {bound_bytes(card->public_id, &id_len), reference};
	MYSQL_BIND close[] = {bound_number(&card_id),
			      bound_bytes(public_id, &public_id_len),
			      reference};
	unsigned int error = run(client->stmts[0], open, &card_id);

	return error == 0 ? run(client->stmts[1], close, NULL) : error;
}

static unsigned int clearing(struct client *client)
{
	struct card *card = &cards[client->card];
	unsigned long len = strlen(card->public_id);
	MYSQL_BIND clear[] = {bound_bytes(card->public_id, &len)};
	unsigned int error = run(client->stmts[0], NULL, NULL);

	if (error == 0)
		error = run(client->stmts[1], clear, NULL);
	return error == 0 ? run(client->stmts[2], NULL, NULL) : error;
}

static unsigned int transaction(struct client *client)
{
	switch (what) {
	case AUTHORIZE:
		return authorization(client);
	case CLEAR:
		return clearing(client);
	case FUND:
	case FUND_KEYED:
	case WHATS:
		break;
	}
	return funding(client);
}

static bool transaction_done(void *arg)
{
	struct client *client = arg;
	unsigned int error;

	if (client->card >= card_count)
		return false;
	client->key_len = (unsigned long)snprintf(
		client->key, sizeof(client->key), "routine-%llx-%x-%llx",
		(unsigned long long)load_now_us(), (unsigned int)getpid(),
		(unsigned long long)client->sent++);
	while ((error = transaction(client)) != 0) {
		if (error != ER_LOCK_DEADLOCK && error != ER_LOCK_WAIT_TIMEOUT)
			fail("transaction", mysql_error(client->mysql));
		mysql_rollback(client->mysql);
		load_retried();
	}
	client->card += client->step;
	if (what != CLEAR)
		client->card %= card_count;
	return true;
}

int main(int argc, char **argv)
{
	struct load load = {"routine", .open = client_open,
			    .one = transaction_done};

	while (argc == 7 && what < WHATS &&
	       strcmp(argv[6], what_names[what]) != 0)
		what++;
	if (argc != 7 || what == WHATS) {
		fputs("usage: routine LOGIN LINES CONNECTIONS WARM-MS "
		      "MEASURED-MS plain|keyed|authorize|clear\n",
		      stderr);
		return 2;
	}
	login = argv[1];
	cards_read(argv[2]);
	load.clients = strtol(argv[3], NULL, 10);
	load.warm_us = strtol(argv[4], NULL, 10) * 1000;
	load.measured_us = strtol(argv[5], NULL, 10) * 1000;
	return load_run(&load) ? EXIT_SUCCESS : EXIT_FAILURE;
}
