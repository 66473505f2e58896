/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings the database to the schema of this release, or says what is missing;
 * re-encrypts what is kept under the master keys.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/log.h"
#include "base/secret.h"
#include "db/db.h"
#include "db/migrate.h"
#include "flow/rotate.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#ifndef PKGDATADIR
#define PKGDATADIR "/usr/share/cardstock"
#endif

#define ARENA_BLOCK (256 * 1024)

enum status {
	STATUS_DONE,
	STATUS_MISSING, /* --check: something is */
	STATUS_FAILED
};

struct options {
	const char *config_path;
	struct migrate_options migrate;
	bool check, rotate, help;
};

static void tell(const char *line)
{
	printf("%s\n", line);
	fflush(stdout);
}

static void usage(FILE *to)
{
	fputs("usage: cardstock-migrate [--config FILE] [--sql-dir DIR] "
	      "[--check | --force]\n"
	      "       cardstock-migrate [--config FILE] rotate-keys\n"
	      "\n"
	      "Brings the database to this release's schema and routines.\n"
	      "  --check      change nothing; exit status 1 when something is "
	      "missing\n"
	      "  --force      re-create routines that have not changed\n"
	      "  rotate-keys  re-encrypt card numbers, kept answers, kept API "
	      "keys, what\n"
	      "               webhooks keep and 3-D Secure codes under the "
	      "last key of the\n"
	      "               key file, while the service runs\n",
	      to);
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"sql-dir", required_argument, NULL, 's'},
		{"check", no_argument, NULL, 'k'},
		{"force", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'c')
			options->config_path = optarg;
		else if (option == 's')
			options->migrate.sql_dir = optarg;
		else if (option == 'k')
			options->check = true;
		else if (option == 'f')
			options->migrate.force = true;
		else if (option == 'h')
			options->help = true;
		else
			return false;
	}
	if (optind + 1 == argc && strcmp(argv[optind], "rotate-keys") == 0) {
		options->rotate = true;
		optind++;
	}
	return optind == argc && !(options->check && options->migrate.force) &&
	       !(options->rotate && (options->check || options->migrate.force));
}

static enum status fail(const char *error)
{
	fprintf(stderr, "cardstock-migrate: %s\n", error);
	return STATUS_FAILED;
}

static enum status rotate(const struct config *config, struct arena *arena)
{
	char error[512];
	struct rotate_totals totals;
	struct keyring *keyring =
		keyring_open(config->master_key_file, error, sizeof(error));
	struct db *db;
	bool done;

	if (!keyring)
		return fail(error);
	db = db_open(config, DB_ROLE_OWNER);
	done = rotate_keys(db, arena, keyring, tell, &totals, error,
			   sizeof(error));
	if (done)
		printf("keys rotated: %lld card numbers, %lld answers and "
		       "%lld API keys, secrets, bodies and answers of "
		       "webhooks, and 3-D Secure codes re-encrypted under "
		       "key %u\n",
		       (long long)totals.cards, (long long)totals.replies,
		       (long long)totals.others, keyring_present(keyring));
	db_close(db);
	keyring_close(keyring);
	return done ? STATUS_DONE : fail(error);
}

static enum status check(const struct config *config, struct arena *arena,
			 const struct migrate_options *options)
{
	char error[512];
	bool complete;

	if (!migrate_check(config, arena, options, &complete, error,
			   sizeof(error)))
		return fail(error);
	tell(complete ? "schema: present" : "schema: something is missing");
	return complete ? STATUS_DONE : STATUS_MISSING;
}

static enum status migrate(const struct config *config, struct arena *arena,
			   const struct migrate_options *options)
{
	char error[512];
	struct migrate_summary summary;

	if (!migrate_run(config, arena, options, &summary, error,
			 sizeof(error)))
		return fail(error);
	printf("schema %04d: %d migrations applied in %d steps, %s\n",
	       summary.schema, summary.migrations, summary.steps,
	       summary.routines > 0
		       ? "routines re-created"
		       : "routines unchanged, rights granted again");
	return STATUS_DONE;
}

int main(int argc, char **argv)
{
	struct options options = {
		.config_path = SYSCONFDIR "/cardstock/cardstock.conf",
		.migrate = {.sql_dir = PKGDATADIR "/sql", .tell = tell},
	};
	struct arena *arena;
	struct config config;
	enum status status;
	char error[512];

	if (!options_read(&options, argc, argv)) {
		usage(stderr);
		return STATUS_FAILED;
	}
	if (options.help) {
		usage(stdout);
		return STATUS_DONE;
	}
	log_open("cardstock-migrate", false, LOG_LEVEL_UNUSUAL);
	arena = arena_new(ARENA_BLOCK);
	if (!config_read(&config, arena, options.config_path, error,
			 sizeof(error))) {
		arena_free(arena);
		return (int)fail(error);
	}
	if (options.rotate) {
		struct arena *batches = arena_new(ARENA_BLOCK);

		status = rotate(&config, batches);
		arena_free(batches);
	} else if (options.check) {
		status = check(&config, arena, &options.migrate);
	} else {
		status = migrate(&config, arena, &options.migrate);
	}
	arena_free(arena);
	return (int)status;
}
