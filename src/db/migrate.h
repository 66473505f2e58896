/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct config;

/*
 * Brings a database to the schema of a folder that holds
 *
 *   schema/NNNN_name.sql  migrations 1, 2, 3 …: never changed once applied;
 *                         each statement is a step, recorded before and after,
 *                         since DDL commits by itself
 *   routines/NN_name.sql  procedures, views, roles: all are re-created, in
 *                         the order of their names, when one has changed;
 *                         GRANT, CREATE ROLE and ALTER DATABASE are said
 *                         every time
 *   audit.sql             the audit's views, after the routines
 *
 * It refuses a migration that was changed after it was applied, a number
 * missing, a schema newer than the folder, and a step of which nobody can
 * tell whether it was done. A second migrator waits for the first.
 */
struct migrate_options {
	const char *sql_dir;
	bool force; /* re-create routines that are unchanged */
	void (*tell)(const char *line); /* progress, for a human */
};

struct migrate_summary {
	int schema;	/* number of the newest migration */
	int migrations; /* finished by this run */
	int steps;
	int routines; /* files re-created; 0 when all were as they should */
};

bool migrate_run(const struct config *config, struct arena *arena,
		 const struct migrate_options *options,
		 struct migrate_summary *summary, char *error,
		 size_t error_size);

/* Changes nothing. Tells what is missing; *complete when nothing is. False
 * when it could not look, or the database is not one that migrate_run would
 * touch. */
bool migrate_check(const struct config *config, struct arena *arena,
		   const struct migrate_options *options, bool *complete,
		   char *error, size_t error_size);

#endif
