/* SPDX-License-Identifier: Apache-2.0 */
#include "db.h"

#include <errmsg.h>
#include <errno.h>
#include <fcntl.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/config.h"
#include "../base/log.h"
#include "../base/secret.h"
#include "connection.h"

#define PASSWORD_MAX 512
#define KEEPER_WAITS_S 60 /* for a whole batch */

struct db *db_open(const struct config *config, enum db_role role)
{
	struct db *db = calloc(1, sizeof(*db));

	if (!db) {
		log_broken("event=out_of_memory");
		abort();
	}
	db->config = config;
	db->role = role;
	return db;
}

/* Seconds to wait for an answer; 0: without end. A migration or an audit may
 * take hours; who answers or delivers must not stand still. */
static int64_t patience_s(const struct db *db)
{
	int64_t answer_s = db->config->db_read_timeout_s;

	switch (db->role) {
	case DB_ROLE_API:
	case DB_ROLE_COURIER:
		return answer_s;
	case DB_ROLE_KEEPER:
		return answer_s > KEEPER_WAITS_S ? answer_s : KEEPER_WAITS_S;
	case DB_ROLE_OWNER:
		break;
	}
	return 0;
}

void connection_close(struct db *db)
{
	if (!db->mysql)
		return;
	mysql_close(db->mysql);
	db->mysql = NULL;
	statements_forget(db);
}

void db_close(struct db *db)
{
	if (!db)
		return;
	connection_close(db);
	free(db);
}

void db_set_deadline(struct db *db, int64_t deadline_us)
{
	db->deadline_us = deadline_us;
}

bool connection_is_late(const struct db *db)
{
	return db->deadline_us != 0 && clock_monotonic_us() >= db->deadline_us;
}

const struct db_counters *db_counters(const struct db *db)
{
	return &db->counters;
}

static bool read_password(const char *path, char password[PASSWORD_MAX])
{
	char error[512];
	int file;
	ssize_t len;

	password[0] = '\0';
	if (*path == '\0')
		return true;
	file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (file < 0) {
		log_unusual("event=db_password file=%s error=%s",
			    log_text(path), log_text(strerror(errno)));
		return false;
	}
	if (!secret_file_fits(file, path, error, sizeof(error))) {
		log_unusual("event=db_password error=%s", log_text(error));
		close(file);
		return false;
	}
	len = read(file, password, PASSWORD_MAX - 1);
	close(file);
	if (len < 0)
		return false;
	password[len] = '\0';
	password[strcspn(password, "\r\n")] = '\0';
	return true;
}

static void set_options(const struct db *db, MYSQL *mysql)
{
	const struct config *config = db->config;
	bool local = config->db_socket[0] != '\0';
	unsigned int connect_s = (unsigned int)config->db_connect_timeout_s;
	unsigned int answer_s = (unsigned int)patience_s(db);
	unsigned int off = 0;
	unsigned int protocol =
		local ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
	my_bool tls = config->db_tls_ca[0] != '\0';
	my_bool never = 0;

	mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
	mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &off);
	mysql_options(mysql, MYSQL_OPT_RECONNECT, &never);
	mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &tls);
	mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &tls);
	if (tls)
		mysql_options(mysql, MYSQL_OPT_SSL_CA, config->db_tls_ca);
	if (answer_s > 0) {
		mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &answer_s);
		mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &answer_s);
	}
}

/* The whole session in one statement, which the client library sends. */
static void set_session(const struct db *db, MYSQL *mysql)
{
	char sql[512];
	int64_t limit_ms = 0, lock_wait_s = 2;

	/* The server gives up first, so that its answer is heard; and waiting
	 * for a lock ends before that, since it is no failure. */
	if (patience_s(db) > 0) {
		limit_ms = patience_s(db) * 1000 - 500;
		if (limit_ms < 3000)
			lock_wait_s = 1;
	}
	(void)snprintf(sql, sizeof(sql),
		       "SET time_zone = '+00:00',"
		       " sql_mode = 'TRADITIONAL,NO_ENGINE_SUBSTITUTION',"
		       " tx_isolation = 'READ-COMMITTED',"
		       " autocommit = 1,"
		       " innodb_lock_wait_timeout = %lld,"
		       " max_statement_time = %lld.%03lld%s",
		       (long long)lock_wait_s, (long long)(limit_ms / 1000),
		       (long long)(limit_ms % 1000),
		       db->no_wsrep ? "" : ", wsrep_sync_wait = 7");
	mysql_options(mysql, MYSQL_INIT_COMMAND, sql);
}

/* 0 or the error's number. */
static unsigned int try_connect(struct db *db)
{
	const struct config *config = db->config;
	bool local = config->db_socket[0] != '\0';
	const char *user = NULL, *file = "";
	char password[PASSWORD_MAX];
	MYSQL *mysql, *connected = NULL;
	unsigned int number = CR_CONNECTION_ERROR;

	switch (db->role) {
	case DB_ROLE_API:
		user = config->db_user;
		file = config->db_password_file;
		break;
	case DB_ROLE_KEEPER:
		user = config->db_keeper_user;
		file = config->db_keeper_password_file;
		break;
	case DB_ROLE_COURIER:
		user = config->db_courier_user;
		file = config->db_courier_password_file;
		break;
	case DB_ROLE_OWNER:
		user = config->db_owner_user;
		file = config->db_owner_password_file;
		break;
	}
	mysql = mysql_init(NULL);
	if (!mysql)
		return CR_OUT_OF_MEMORY;
	set_options(db, mysql);
	set_session(db, mysql);
	if (read_password(file, password)) {
		connected = mysql_real_connect(
			mysql, local ? NULL : config->db_host, user, password,
			config->db_name, (unsigned int)config->db_port,
			local ? config->db_socket : NULL, CLIENT_MULTI_RESULTS);
		number = connected ? 0 : mysql_errno(mysql);
	}
	secret_wipe(password, sizeof(password));
	if (connected) {
		/* The library keeps a copy, for a reconnect we never ask. */
		if (mysql->passwd)
			secret_wipe(mysql->passwd, strlen(mysql->passwd));
		db->mysql = mysql;
		db->counters.round_trips += 2; /* login, session */
		return 0;
	}
	if (number != ER_UNKNOWN_SYSTEM_VARIABLE)
		log_unusual("event=db_connect user=%s errno=%u error=%s",
			    log_text(user), number,
			    log_text(mysql_error(mysql)));
	mysql_close(mysql);
	return number ? number : CR_UNKNOWN_ERROR;
}

/*
 * Whether the server hung up while the connection was idle. It owes us nothing
 * then, so any byte in clear is its farewell.
 */
static bool hung_up(const struct db *db)
{
	char byte;
	ssize_t len = recv(mysql_get_socket(db->mysql), &byte, 1,
			   MSG_PEEK | MSG_DONTWAIT);

	if (len < 0)
		return errno != EAGAIN && errno != EWOULDBLOCK &&
		       errno != EINTR;
	return len == 0 || db->config->db_tls_ca[0] == '\0';
}

enum db_result connection_ensure(struct db *db)
{
	unsigned int number;

	if (db->mysql && (db->in_transaction || !hung_up(db)))
		return DB_OK;
	if (db->in_transaction)
		return DB_LOST;
	if (db->mysql) {
		connection_close(db);
		db->counters.reconnects++;
	}
	number = try_connect(db);
	if (number == ER_UNKNOWN_SYSTEM_VARIABLE && !db->no_wsrep) {
		db->no_wsrep = true;
		number = try_connect(db);
	}
	if (number == 0)
		return DB_OK;
	db->counters.errors++;
	return DB_LOST;
}

static enum db_result classify(unsigned int number)
{
	switch (number) {
	case ER_DUP_ENTRY:
		return DB_DUPLICATE;
	case ER_LOCK_DEADLOCK:
	case ER_CHECKREAD:	   /* record has changed since last read */
	case ER_UNKNOWN_COM_ERROR: /* Galera: the node is not ready */
		return DB_RETRY;
	case ER_LOCK_WAIT_TIMEOUT:
		return DB_WAIT;
	case CR_CONNECTION_ERROR:
	case CR_CONN_HOST_ERROR:
	case CR_SERVER_GONE_ERROR:
	case CR_SERVER_LOST:
	case CR_SERVER_LOST_EXTENDED:
	case ER_SERVER_SHUTDOWN:
	case ER_NORMAL_SHUTDOWN:
	case ER_SHUTDOWN_COMPLETE:
	case ER_CON_COUNT_ERROR:
	case ER_TOO_MANY_USER_CONNECTIONS:
	case ER_USER_LIMIT_REACHED:
	case ER_ABORTING_CONNECTION:
	case ER_NEW_ABORTING_CONNECTION:
	case ER_NET_READ_ERROR:
	case ER_NET_READ_INTERRUPTED:
	case ER_NET_ERROR_ON_WRITE:
	case ER_NET_WRITE_INTERRUPTED:
	case ER_CONNECTION_KILLED:
	case ER_STATEMENT_TIMEOUT:
	case ER_QUERY_INTERRUPTED:
	case ER_OPTION_PREVENTS_STATEMENT: /* read-only server */
	case ER_READ_ONLY_MODE:
	case ER_DISK_FULL:
	case ER_RECORD_FILE_FULL:
	case ER_ERROR_ON_WRITE:
	case ER_GET_ERRNO: /* the engine's own, a full disk's mostly */
	case ER_ERROR_DURING_COMMIT:
	case ER_MAX_PREPARED_STMT_COUNT_REACHED: /* of all connections; one
						  * that ends frees its own */
		return DB_LOST;
	default:
		return DB_BROKEN;
	}
}

/*
 * Syntax, privileges and what our routines signal: their texts name objects.
 * Those of other classes may quote a parameter, which no log may hold.
 */
static bool tells_no_value(const char *state)
{
	return strncmp(state, "42", 2) == 0 || strncmp(state, "45", 2) == 0;
}

enum db_result connection_error(struct db *db, const char *name,
				unsigned int number, const char *state,
				const char *message)
{
	enum db_result result = classify(number);

	db->counters.errors++;
	switch (result) {
	case DB_LOST:
		log_unusual("event=db_lost statement=%s errno=%u error=%s",
			    name, number, log_text(message));
		connection_close(db);
		break;
	case DB_BROKEN:
		log_broken("event=db_error statement=%s errno=%u sqlstate=%s"
			   " error=%s",
			   name, number, state,
			   log_text(tells_no_value(state) ? message : ""));
		break;
	case DB_OK:
	case DB_NO_ROW:
	case DB_DUPLICATE:
	case DB_RETRY:
	case DB_WAIT:
		log_debug("event=db_result statement=%s errno=%u", name,
			  number);
		break;
	}
	return result;
}

bool db_ping(struct db *db)
{
	if (connection_ensure(db) != DB_OK)
		return false;
	db->counters.round_trips++;
	if (mysql_ping(db->mysql) == 0)
		return true;
	(void)connection_error(db, "ping", mysql_errno(db->mysql),
			       mysql_sqlstate(db->mysql),
			       mysql_error(db->mysql));
	connection_close(db);
	return false;
}
