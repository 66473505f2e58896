/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What time brings: holds, challenges and pending deposits expire, old
 * idempotency records, usage rows and events go. Each batch is one transaction
 * of the database, which also arbitrates between any number of keepers; one
 * that dies leaves nothing half done.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/log.h"
#include "db/db.h"
#include "http/notify.h"
#include "store/keeper.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

static volatile sig_atomic_t stopping;

static void stop(int signal_number)
{
	(void)signal_number;
	stopping = 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = stop};

	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* True when something was due: more may be. */
static bool keep(struct db *db, struct arena *arena, enum keeper_task task,
		 const struct keeper_limits *limits)
{
	int64_t done = 0;
	enum db_result result = keeper_run(db, arena, task, limits, &done);

	switch (result) {
	case DB_OK:
		break;
	case DB_NO_ROW:
	case DB_DUPLICATE:
	case DB_BROKEN:
		log_broken("event=keeper_failed task=%s",
			   keeper_task_name(task));
		return false;
	case DB_RETRY:
	case DB_WAIT:
	case DB_LOST:
		log_unusual("event=keeper_put_off task=%s",
			    keeper_task_name(task));
		return false;
	}
	if (done > 0)
		log_info("event=kept task=%s count=%lld",
			 keeper_task_name(task), (long long)done);
	return done >= limits->batch;
}

static void run(const struct config *config, bool once)
{
	struct timespec rest = {.tv_sec = config->keeper_interval_s};
	struct keeper_limits limits = {
		.batch = config->keeper_batch,
		.event_days = config->event_retention_days,
	};
	struct arena *arena = arena_new(16384);
	struct db *db = db_open(config, DB_ROLE_KEEPER);

	while (!stopping) {
		bool more = false;

		for (int task = 0; task < KEEPER_TASKS && !stopping; task++) {
			more |= keep(db, arena, (enum keeper_task)task,
				     &limits);
			arena_reset(arena);
		}
		if (more)
			continue;
		if (once)
			break;
		nanosleep(&rest, NULL); /* a signal ends it early */
	}
	db_close(db);
	arena_free(arena);
}

static int usage(FILE *out)
{
	fputs("cardstock-keeper [--config FILE] [--once]\n"
	      "Expires what is due; --once stops when nothing is.\n",
	      out);
	return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"once", no_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *path = SYSCONFDIR "/cardstock/cardstock.conf";
	struct arena *arena = arena_new(16384);
	enum log_level level = LOG_LEVEL_INFO;
	struct config config;
	char error[256];
	bool once = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			path = optarg;
		else if (option == 'o')
			once = true;
		else
			return usage(option == 'h' ? stdout : stderr);
	}
	if (optind != argc)
		return usage(stderr);
	if (!config_read(&config, arena, path, error, sizeof(error))) {
		fprintf(stderr, "cardstock-keeper: %s\n", error);
		return 2;
	}
	log_level_read(config.log_level, &level);
	log_open("cardstock-keeper", strcmp(config.log_target, "syslog") == 0,
		 level);
	catch_signals();
	notify("READY=1");
	run(&config, once);
	notify("STOPPING=1");
	arena_free(arena);
	return 0;
}
