/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DB_SCRIPT_H
#define DB_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/text.h"

struct db;

/*
 * A script cut into statements as the mariadb client cuts it: at the delimiter
 * outside quotes and comments; a line "DELIMITER x" changes it. Statements of
 * nothing but comments are passed over.
 */
struct script {
	const char *at;
	int line;
	char delimiter[16];
};

struct script_statement {
	struct bytes sql; /* from its first word on */
	int line;
};

void script_open(struct script *script, const char *sql);
/* False at the end. */
bool script_next(struct script *script, struct script_statement *statement);

/* Sends one statement as text and drops its results. error as db_script's. */
bool script_send(struct db *db, const struct script_statement *statement,
		 char *error, size_t error_size);

#endif
