/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/base/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../src/base/arena.h"
#include "suite.h"

static struct arena *arena;
static struct config config;
static char path[] = "/tmp/test_config.XXXXXX";
static char error[512];

static bool read_bytes(const char *bytes, size_t len)
{
	int file;
	bool good;

	memcpy(path + strlen(path) - 6, "XXXXXX", 6);
	file = mkstemp(path);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(write(file, bytes, len), (ssize_t)len);
	(void)close(file);
	if (arena == NULL)
		arena = arena_new(4096);
	memset(error, 0, sizeof(error));
	good = config_read(&config, arena, path, error, sizeof(error));
	(void)unlink(path);
	return good;
}

static bool read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

/* Refused, with the line's number and the rule. */
static void check_refused(const char *text, int line, const char *rule)
{
	char expected[512];

	ck_assert_msg(!read_text(text), "%s", text);
	(void)snprintf(expected, sizeof(expected), "%s:%d: %s", path, line,
		       rule);
	ck_assert_str_eq(error, expected);
}

static void check_defaults(void)
{
	ck_assert_str_eq(config.listen, "unix:/run/cardstock/api.sock");
	ck_assert_int_eq(config.listen_mode, 0660);
	ck_assert_int_eq(config.workers, 4);
	ck_assert_int_eq(config.worker_requests, 0);
	ck_assert_str_eq(config.db_socket, "/run/mysqld/mysqld.sock");
	ck_assert_str_eq(config.db_host, "127.0.0.1");
	ck_assert_int_eq(config.db_port, 3306);
	ck_assert_str_eq(config.db_name, "cardstock");
	ck_assert_str_eq(config.db_user, "cardstock_api");
	ck_assert_str_eq(config.db_password_file, "");
	ck_assert_str_eq(config.db_courier_user, "cardstock_courier");
	ck_assert_str_eq(config.db_courier_password_file, "");
	ck_assert_str_eq(config.db_owner_user, "cardstock_owner");
	ck_assert_str_eq(config.db_owner_password_file, "");
	ck_assert_str_eq(config.db_tls_ca, "");
	ck_assert_int_eq(config.db_connect_timeout_s, 1);
	ck_assert_int_eq(config.db_read_timeout_s, 8);
	ck_assert_str_eq(config.master_key_file, "/etc/cardstock/master.key");
	ck_assert_str_eq(config.log_target, "stderr");
	ck_assert_str_eq(config.log_level, "info");
	ck_assert_int_eq(config.event_retention_days, 30);
	ck_assert_str_eq(config.webhook_allowed_networks, "");
	ck_assert_str_eq(config.webhook_ca_file, "");
	ck_assert_int_eq(config.webhook_timeout_s, 15);
	ck_assert_int_eq(config.courier_poll_ms, 50);
	ck_assert_int_eq(config.courier_per_endpoint, 16);
	ck_assert_int_eq(config.courier_in_flight, 1000);
	ck_assert_int_eq(config.courier_lease_s, 20);
	ck_assert_str_eq(config.cors_origins, "");
	ck_assert_int_eq(config.login_cache_s, 3);
	ck_assert_str_eq(config.billing_line1, "123 Privacy Street");
	ck_assert_str_eq(config.billing_city, "Wilmington");
	ck_assert_str_eq(config.billing_state, "DE");
	ck_assert_str_eq(config.billing_zip, "19801");
	ck_assert_str_eq(config.billing_country, "US");
	ck_assert_str_eq(config.holder_name, "ANONYMOUS");
}

START_TEST(empty_file_gives_the_defaults)
{
	ck_assert_msg(read_text(""), "%s", error);
	check_defaults();
	ck_assert_msg(read_text("# nothing\n\n   \t\n  # more\n"), "%s", error);
	check_defaults();
}
END_TEST

START_TEST(values_are_taken)
{
	ck_assert_msg(read_text("listen=127.0.0.1:9000\n"
				" workers\t=  16  \r\n"
				"listen_mode = 600\n"
				"db_socket =\n"
				"billing_line1 = Apt #5, Main = Street\n"
				"log_level = debug"),
		      "%s", error);
	ck_assert_str_eq(config.listen, "127.0.0.1:9000");
	ck_assert_int_eq(config.workers, 16);
	ck_assert_int_eq(config.listen_mode, 0600);
	ck_assert_str_eq(config.db_socket, "");
	ck_assert_str_eq(config.billing_line1, "Apt #5, Main = Street");
	ck_assert_str_eq(config.log_level, "debug");
	ck_assert_int_eq(config.db_port, 3306);
}
END_TEST

START_TEST(files_are_refused_by_line)
{
	check_refused("workers = 2\n\ncolour = red\n", 3,
		      "unknown key \"colour\"");
	check_refused("workers = 2\nworkers = 2\n", 2,
		      "repeated key \"workers\"");
	check_refused("workers\n", 1, "expected \"key = value\"");
	check_refused("= 5\n", 1, "unknown key \"\"");
	check_refused("workers =\n", 1,
		      "workers must be a number from 1 to 256");
	check_refused("workers = 4 # four\n", 1,
		      "workers must be a number from 1 to 256");
	check_refused("db_name =\n", 1, "db_name must be text");
	check_refused("master_key_file = master.key\n", 1,
		      "master_key_file must be an absolute path");
	check_refused("db_socket = mysqld.sock\n", 1,
		      "db_socket must be an absolute path or empty");
	check_refused("listen = here\n", 1,
		      "listen must be unix:/path or host:port");
	check_refused("listen = unix:api.sock\n", 1,
		      "listen must be unix:/path or host:port");
	check_refused("listen = :9000\n", 1,
		      "listen must be unix:/path or host:port");
	check_refused("listen = host:70000\n", 1,
		      "listen must be unix:/path or host:port");
	check_refused("listen_mode = 888\n", 1,
		      "listen_mode must be an octal number up to 0777");
	check_refused("listen_mode = 1777\n", 1,
		      "listen_mode must be an octal number up to 0777");
	check_refused("log_target = file\n", 1,
		      "log_target must be one of stderr syslog");
	check_refused("log_level = loud\n", 1,
		      "log_level must be one of broken unusual client info "
		      "debug");
	check_refused("holder_name = \xff\n", 1, "the line is not UTF-8 text");
	ck_assert(!read_bytes("workers = 4\0x\n", 14));
}
END_TEST

/* Every number's bounds, from either side. */
START_TEST(numbers_have_bounds)
{
	static const struct {
		const char *name;
		int64_t min, max;
	} rows[] = {
		{"workers", 1, 256},
		{"worker_requests", 0, 1000000000},
		{"db_port", 1, 65535},
		{"db_connect_timeout_s", 1, 60},
		{"db_read_timeout_s", 2, 3600},
		{"event_retention_days", 30, 36500},
		{"courier_poll_ms", 5, 10000},
		{"courier_per_endpoint", 1, 1000},
		{"courier_in_flight", 1, 10000},
		{"login_cache_s", 0, 5},
	};
	char line[100];
	size_t i;
	int j;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (j = 0; j < 4; j++) {
			int64_t value =
				(j < 2 ? rows[i].min - 1 : rows[i].max) + j % 2;

			(void)snprintf(line, sizeof(line), "%s = %lld\n",
				       rows[i].name, (long long)value);
			ck_assert_msg(read_text(line) == (j == 1 || j == 2),
				      "%s", line);
		}
}
END_TEST

/* A lease must outlast the attempt that it is for. */
START_TEST(lease_outlasts_the_attempt)
{
	ck_assert_msg(read_text("courier_lease_s = 18\n"), "%s", error);
	ck_assert(!read_text("courier_lease_s = 17\n"));
	ck_assert_ptr_nonnull(strstr(error, "courier_lease_s must be at least "
					    "three above"));
	ck_assert(!read_text("webhook_timeout_s = 18\n"));
	ck_assert_msg(read_text("webhook_timeout_s = 1\n"
				"courier_lease_s = 4\n"),
		      "%s", error);
}
END_TEST

START_TEST(missing_file_is_refused)
{
	arena = arena_new(64);
	ck_assert(!config_read(&config, arena, "/nonexistent/file", error,
			       sizeof(error)));
	ck_assert_str_eq(error, "/nonexistent/file: No such file or directory");
}
END_TEST

/* The reference is itself a file that gives the defaults. */
START_TEST(reference_is_a_valid_file)
{
	static char text[16384];
	char name[] = "/tmp/test_config.XXXXXX";
	int file = mkstemp(name), out = dup(STDOUT_FILENO);
	ssize_t len;

	ck_assert_int_ge(file, 0);
	ck_assert_int_ge(out, 0);
	(void)unlink(name);
	(void)fflush(stdout);
	(void)dup2(file, STDOUT_FILENO);
	config_print_reference();
	(void)fflush(stdout);
	(void)dup2(out, STDOUT_FILENO);
	len = pread(file, text, sizeof(text), 0);
	ck_assert_int_gt(len, 2000);
	ck_assert_msg(read_bytes(text, (size_t)len), "%s", error);
	check_defaults();
	/* Keys without a value stand there too. */
	ck_assert_ptr_nonnull(strstr(text, "\nholder_name = ANONYMOUS\n"));
	ck_assert_ptr_nonnull(strstr(text, "\ndb_tls_ca =\n"));
}
END_TEST

SUITE("config", empty_file_gives_the_defaults, values_are_taken,
      files_are_refused_by_line, numbers_have_bounds,
      lease_outlasts_the_attempt, missing_file_is_refused,
      reference_is_a_valid_file)
