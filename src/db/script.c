/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "connection.h"

void script_open(struct script *script, const char *sql)
{
	*script = (struct script){.at = sql, .line = 1, .delimiter = ";"};
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Length of a comment beginning at c, 0 when none does. */
static size_t comment_length(const char *c)
{
	const char *end;

	if (*c == '#' ||
	    (c[0] == '-' && c[1] == '-' && (c[2] == '\0' || is_space(c[2]))))
		return strcspn(c, "\n");
	if (c[0] != '/' || c[1] != '*')
		return 0;
	end = strstr(c + 2, "*/");
	return end ? (size_t)(end - c) + 2 : strlen(c);
}

/* Length of a quoted text beginning at c, 0 when none does. */
static size_t quote_length(const char *c)
{
	const char *at = c + 1;

	if (*c != '\'' && *c != '"' && *c != '`')
		return 0;
	/* A doubled quote ends one text and begins the next: the same. */
	for (; *at && *at != *c; at++) {
		if (*at == '\\' && *c != '`' && at[1])
			at++;
	}
	return (size_t)(at - c) + (*at != '\0');
}

static void advance(struct script *script, size_t len)
{
	for (; len > 0; len--)
		script->line += *script->at++ == '\n';
}

/* Takes a line "DELIMITER x" at the script's place; false when it is none. */
static bool take_delimiter(struct script *script)
{
	static const char word[] = "DELIMITER ";
	size_t len = 0;
	const char *at = script->at;

	for (; word[len]; len++) {
		if (toupper((unsigned char)at[len]) != word[len])
			return false;
	}
	at += len + strspn(at + len, " \t");
	len = strcspn(at, " \t\r\n");
	if (len == 0 || len >= sizeof(script->delimiter))
		return false;
	memcpy(script->delimiter, at, len);
	script->delimiter[len] = '\0';
	advance(script, strcspn(script->at, "\n"));
	return true;
}

/* Passes over what is before a statement's first word. */
static void skip_blank(struct script *script)
{
	for (;;) {
		size_t len = comment_length(script->at);

		/* Comments that the server executes are statements. */
		if (len > 2 && script->at[0] == '/' &&
		    (script->at[2] == '!' || script->at[2] == 'M'))
			return;
		if (len == 0 && is_space(*script->at))
			len = 1;
		if (len == 0 &&
		    strncmp(script->at, script->delimiter,
			    strlen(script->delimiter)) == 0 &&
		    *script->at)
			len = strlen(script->delimiter);
		if (len > 0)
			advance(script, len);
		else if (!take_delimiter(script))
			return;
	}
}

bool script_next(struct script *script, struct script_statement *statement)
{
	const char *start;
	size_t delimiter;

	skip_blank(script);
	start = script->at;
	*statement = (struct script_statement){{start, 0}, script->line};
	delimiter = strlen(script->delimiter);
	while (*script->at) {
		size_t len = comment_length(script->at);

		if (len == 0)
			len = quote_length(script->at);
		if (len == 0 &&
		    strncmp(script->at, script->delimiter, delimiter) == 0)
			break;
		advance(script, len > 0 ? len : 1);
	}
	statement->sql.len = (size_t)(script->at - start);
	if (*script->at)
		advance(script, delimiter);
	return statement->sql.len > 0;
}

bool script_send(struct db *db, const struct script_statement *statement,
		 char *error, size_t error_size)
{
	bool fine;

	if (connection_ensure(db) != DB_OK) {
		(void)snprintf(error, error_size, "no connection");
		return false;
	}
	db->counters.round_trips++;
	fine = mysql_real_query(db->mysql, statement->sql.data,
				statement->sql.len) == 0;
	while (fine) {
		MYSQL_RES *rows = mysql_use_result(db->mysql);
		int next;

		mysql_free_result(rows);
		next = mysql_next_result(db->mysql);
		if (next < 0)
			return true;
		fine = next == 0;
	}
	(void)snprintf(error, error_size, "line %d: error %u: %s",
		       statement->line, mysql_errno(db->mysql),
		       mysql_error(db->mysql));
	return false;
}

bool db_script(struct db *db, const char *sql, char *error, size_t error_size)
{
	struct script script;
	struct script_statement statement;

	script_open(&script, sql);
	while (script_next(&script, &statement)) {
		if (!script_send(db, &statement, error, error_size))
			return false;
	}
	return true;
}
