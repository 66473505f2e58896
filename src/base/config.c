/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "text.h"

enum key_type {
	KEY_WORD,   /* text, not empty */
	KEY_TEXT,   /* text, may be empty */
	KEY_PATH,   /* absolute, or empty */
	KEY_FILE,   /* absolute */
	KEY_LISTEN, /* unix:/path or host:port */
	KEY_INT,    /* from min to max */
	KEY_OCTAL,  /* from min to max */
	KEY_CHOICE  /* one of choices */
};

struct key {
	const char *name;
	enum key_type type;
	size_t offset;
	const char *preset;
	int64_t min, max;
	const char *const *choices;
	const char *sentence;
};

static const char *const log_targets[] = {"stderr", "syslog", NULL};
static const char *const log_levels[] = {"broken", "unusual", "client",
					 "info",   "debug",   NULL};

#define ROW(member, kind)                                                      \
	.name = #member, .type = (kind),                                       \
	.offset = offsetof(struct config, member)

static const struct key keys[] = {
	{ROW(listen, KEY_LISTEN), .preset = "unix:/run/cardstock/api.sock",
	 .sentence = "Where nginx finds the workers."},
	{ROW(listen_mode, KEY_OCTAL), .preset = "0660", .max = 0777,
	 .sentence = "Permissions of the unix socket, in octal."},
	{ROW(workers, KEY_INT), .preset = "4", .min = 1, .max = 256,
	 .sentence = "Worker processes, each with one database connection."},
	{ROW(worker_requests, KEY_INT), .preset = "0", .max = 1000000000,
	 .sentence = "A worker is replaced after so many requests; 0: never."},
	{ROW(db_socket, KEY_PATH), .preset = "/run/mysqld/mysqld.sock",
	 .sentence = "MariaDB's socket; empty: db_host and db_port over TCP."},
	{ROW(db_host, KEY_WORD), .preset = "127.0.0.1",
	 .sentence = "MariaDB's host, when db_socket is empty."},
	{ROW(db_port, KEY_INT), .preset = "3306", .min = 1, .max = 65535,
	 .sentence = "MariaDB's TCP port, when db_socket is empty."},
	{ROW(db_name, KEY_WORD), .preset = "cardstock",
	 .sentence = "The database."},
	{ROW(db_user, KEY_WORD), .preset = "cardstock_api",
	 .sentence = "The database user of the workers."},
	{ROW(db_password_file, KEY_PATH), .preset = "",
	 .sentence = "File with its password; empty: the socket's own proof."},
	{ROW(db_keeper_user, KEY_WORD), .preset = "cardstock_keeper",
	 .sentence = "The database user of cardstock-keeper."},
	{ROW(db_keeper_password_file, KEY_PATH), .preset = "",
	 .sentence = "File with its password; empty: the socket's own proof."},
	{ROW(db_courier_user, KEY_WORD), .preset = "cardstock_courier",
	 .sentence = "The database user of cardstock-courier."},
	{ROW(db_courier_password_file, KEY_PATH), .preset = "",
	 .sentence = "File with its password; empty: the socket's own proof."},
	{ROW(db_owner_user, KEY_WORD), .preset = "cardstock_owner",
	 .sentence = "The database user of cardstock-migrate and "
		     "cardstock-audit."},
	{ROW(db_owner_password_file, KEY_PATH), .preset = "",
	 .sentence = "File with its password; empty: the socket's own proof."},
	{ROW(db_tls_ca, KEY_PATH), .preset = "",
	 .sentence = "CA file that MariaDB's certificate must chain to; "
		     "empty: no TLS."},
	{ROW(db_connect_timeout_s, KEY_INT), .preset = "1", .min = 1, .max = 60,
	 .sentence = "Seconds to wait for a connection to MariaDB."},
	{ROW(db_read_timeout_s, KEY_INT), .preset = "8", .min = 2, .max = 3600,
	 .sentence = "Seconds to wait for MariaDB's answer."},
	{ROW(master_key_file, KEY_FILE), .preset = "/etc/cardstock/master.key",
	 .sentence = "The master keys; mode 0400 or 0600."},
	{ROW(log_target, KEY_CHOICE), .preset = "stderr",
	 .choices = log_targets, .sentence = "Where log lines go."},
	{ROW(log_level, KEY_CHOICE), .preset = "info", .choices = log_levels,
	 .sentence = "The least important lines that are still logged."},
	{ROW(keeper_interval_s, KEY_INT), .preset = "1", .min = 1, .max = 3600,
	 .sentence =
		 "Seconds that cardstock-keeper rests when nothing is due."},
	{ROW(keeper_batch, KEY_INT), .preset = "200", .min = 1, .max = 10000,
	 .sentence = "Most that cardstock-keeper does in one transaction."},
	{ROW(event_retention_days, KEY_INT), .preset = "30", .min = 30,
	 .max = 36500,
	 .sentence = "Days for which an event and its deliveries are kept."},
	{ROW(webhook_allowed_networks, KEY_TEXT), .preset = "",
	 .sentence = "Inside networks that webhooks may lead to, as "
		     "address/bits, separated by spaces; empty: none."},
	{ROW(webhook_ca_file, KEY_PATH), .preset = "",
	 .sentence = "CA file that receivers of webhooks must chain to; "
		     "empty: the system's."},
	{ROW(webhook_timeout_s, KEY_INT), .preset = "15", .min = 1, .max = 60,
	 .sentence = "Seconds that one delivery may take in all."},
	{ROW(courier_poll_ms, KEY_INT), .preset = "50", .min = 5, .max = 10000,
	 .sentence = "Milliseconds after which an idle cardstock-courier looks "
		     "for events."},
	{ROW(courier_per_endpoint, KEY_INT), .preset = "16", .min = 1,
	 .max = 1000, .sentence = "Most deliveries in flight to one endpoint."},
	{ROW(courier_in_flight, KEY_INT), .preset = "1000", .min = 1,
	 .max = 10000,
	 .sentence = "Most deliveries in flight from one cardstock-courier."},
	{ROW(courier_lease_s, KEY_INT), .preset = "20", .min = 4, .max = 3600,
	 .sentence = "Seconds after which another courier takes over; at least "
		     "three above webhook_timeout_s."},
	{ROW(cors_origins, KEY_TEXT), .preset = "",
	 .sentence = "Origins that browsers may call from, separated by "
		     "spaces; empty: CORS is off."},
	{ROW(embed_css_origins, KEY_TEXT), .preset = "",
	 .sentence = "Origins whose style sheets an embedded card may use, "
		     "separated by spaces; empty: none."},
	{ROW(login_cache_s, KEY_INT), .preset = "3", .max = 5,
	 .sentence = "Seconds for which a worker remembers an API key."},
	{ROW(billing_line1, KEY_WORD), .preset = "123 Privacy Street",
	 .sentence = "Billing address of every card: street."},
	{ROW(billing_city, KEY_WORD), .preset = "Wilmington",
	 .sentence = "Billing address of every card: city."},
	{ROW(billing_state, KEY_WORD), .preset = "DE",
	 .sentence = "Billing address of every card: state."},
	{ROW(billing_zip, KEY_WORD), .preset = "19801",
	 .sentence = "Billing address of every card: postal code."},
	{ROW(billing_country, KEY_WORD), .preset = "US",
	 .sentence = "Billing address of every card: country, ISO 3166-1."},
	{ROW(holder_name, KEY_WORD), .preset = "ANONYMOUS",
	 .sentence = "The holder's name on every card."},
};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static bool is_number(const struct key *key)
{
	return key->type == KEY_INT || key->type == KEY_OCTAL;
}

static bool octal_to_int(const char *value, int64_t *number)
{
	size_t len = strlen(value);

	if (len == 0 || len > 6 || strspn(value, "01234567") != len)
		return false;
	*number = strtol(value, NULL, 8);
	return true;
}

/* "host:port", "[::1]:9000" or "unix:/path". */
static bool listen_valid(const char *value)
{
	const char *colon = strrchr(value, ':');
	int64_t port;

	if (strncmp(value, "unix:", 5) == 0)
		return value[5] == '/';
	return colon != NULL && colon > value &&
	       text_to_int(colon + 1, &port) && port >= 1 && port <= 65535;
}

static bool choice_valid(const char *const *choices, const char *value)
{
	for (; *choices != NULL; choices++)
		if (strcmp(*choices, value) == 0)
			return true;
	return false;
}

static bool text_valid(const struct key *key, const char *value)
{
	switch (key->type) {
	case KEY_WORD:
		return *value != '\0';
	case KEY_TEXT:
		return true;
	case KEY_PATH:
		return *value == '\0' || *value == '/';
	case KEY_FILE:
		return *value == '/';
	case KEY_LISTEN:
		return listen_valid(value);
	case KEY_CHOICE:
		return choice_valid(key->choices, value);
	case KEY_INT:
	case KEY_OCTAL:
		break;
	}
	return false;
}

/* value must outlive config. */
static bool key_set(const struct key *key, struct config *config,
		    const char *value)
{
	void *to = (char *)config + key->offset;
	int64_t number;

	if (!is_number(key)) {
		if (!text_valid(key, value))
			return false;
		memcpy(to, &value, sizeof(value));
		return true;
	}
	if (!(key->type == KEY_OCTAL ? octal_to_int(value, &number)
				     : text_to_int(value, &number)) ||
	    number < key->min || number > key->max)
		return false;
	memcpy(to, &number, sizeof(number));
	return true;
}

/* What the value must be, in words. */
static void key_rule(const struct key *key, char *rule, size_t size)
{
	const char *const *choice;
	size_t len;

	switch (key->type) {
	case KEY_WORD:
		(void)snprintf(rule, size, "text");
		break;
	case KEY_TEXT:
		(void)snprintf(rule, size, "text or empty");
		break;
	case KEY_PATH:
		(void)snprintf(rule, size, "an absolute path or empty");
		break;
	case KEY_FILE:
		(void)snprintf(rule, size, "an absolute path");
		break;
	case KEY_LISTEN:
		(void)snprintf(rule, size, "unix:/path or host:port");
		break;
	case KEY_INT:
		(void)snprintf(rule, size, "a number from %lld to %lld",
			       (long long)key->min, (long long)key->max);
		break;
	case KEY_OCTAL:
		(void)snprintf(rule, size, "an octal number up to %04llo",
			       (unsigned long long)key->max);
		break;
	case KEY_CHOICE:
		(void)snprintf(rule, size, "one of");
		for (choice = key->choices; *choice != NULL; choice++) {
			len = strlen(rule);
			(void)snprintf(rule + len, size - len, " %s", *choice);
		}
		break;
	}
}

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		len--;
	text[len] = '\0';
	return text;
}

static size_t key_index(const char *name)
{
	size_t i;

	for (i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].name, name) == 0)
			break;
	return i;
}

struct reader {
	struct config *config;
	struct arena *arena;
	bool seen[KEY_COUNT];
	char *error;
	size_t error_size;
};

static bool refuse(struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool refuse(struct reader *reader, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reader->error, reader->error_size, format, args);
	va_end(args);
	return false;
}

static bool read_line(struct reader *reader, char *line, size_t len)
{
	char rule[128], *name, *value;
	size_t i;

	if (!utf8_valid(line, len))
		return refuse(reader, "the line is not UTF-8 text");
	name = trim(line);
	value = strchr(name, '=');
	if (*name == '\0' || *name == '#')
		return true;
	if (value == NULL)
		return refuse(reader, "expected \"key = value\"");
	*value++ = '\0';
	name = trim(name);
	value = trim(value);
	i = key_index(name);
	if (i == KEY_COUNT)
		return refuse(reader, "unknown key \"%s\"", name);
	if (reader->seen[i])
		return refuse(reader, "repeated key \"%s\"", name);
	reader->seen[i] = true;
	if (!key_set(&keys[i], reader->config,
		     arena_strdup(reader->arena, value))) {
		key_rule(&keys[i], rule, sizeof(rule));
		return refuse(reader, "%s must be %s", name, rule);
	}
	return true;
}

static bool read_lines(struct reader *reader, FILE *file, const char *path)
{
	char *line = NULL, message[256];
	size_t size = 0;
	ssize_t len;
	unsigned int number = 0;
	bool good = true;

	while (good && (len = getline(&line, &size, file)) >= 0) {
		number++;
		good = read_line(reader, line, (size_t)len);
	}
	free(line);
	if (!good) {
		(void)snprintf(message, sizeof(message), "%s", reader->error);
		return refuse(reader, "%s:%u: %s", path, number, message);
	}
	if (ferror(file))
		return refuse(reader, "%s: %s", path, strerror(errno));
	return true;
}

/* What no key can say alone. A courier sends only while its lease outlasts the
 * attempt, so a shorter one would never send at all. */
static bool check_together(struct reader *reader, const char *path)
{
	const struct config *config = reader->config;

	if (config->courier_lease_s >= config->webhook_timeout_s + 3)
		return true;
	return refuse(reader,
		      "%s: courier_lease_s must be at least three above "
		      "webhook_timeout_s",
		      path);
}

bool config_read(struct config *config, struct arena *arena, const char *path,
		 char *error, size_t error_size)
{
	struct reader reader = {.config = config,
				.arena = arena,
				.error = error,
				.error_size = error_size};
	FILE *file;
	size_t i;
	bool good;

	memset(config, 0, sizeof(*config));
	for (i = 0; i < KEY_COUNT; i++)
		(void)key_set(&keys[i], config, keys[i].preset);
	file = fopen(path, "re");
	if (file == NULL)
		return refuse(&reader, "%s: %s", path, strerror(errno));
	good = read_lines(&reader, file, path);
	(void)fclose(file);
	return good && check_together(&reader, path);
}

void config_print_reference(void)
{
	char rule[128];
	size_t i;

	puts("# Lines \"key = value\"; a line that begins with # is a "
	     "comment.\n"
	     "# These are all the keys, with their defaults.");
	for (i = 0; i < KEY_COUNT; i++) {
		key_rule(&keys[i], rule, sizeof(rule));
		printf("\n# %s\n# Takes %s.\n%s =%s%s\n", keys[i].sentence,
		       rule, keys[i].name, *keys[i].preset != '\0' ? " " : "",
		       keys[i].preset);
	}
}
