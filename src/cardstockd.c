/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The FastCGI master and its pool of workers. The master owns the socket, the
 * shared counters and the workers' lives, and answers nothing itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api/service.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "http/fcgi.h"
#include "http/metrics.h"
#include "http/notify.h"
#include "http/throttle.h"

#define SLOTS 1024 /* workers alive at once, those of old generations too */
#define WORKERS_MAX 256
#define TICK_US 100000
#define STOP_LIMIT_US 30000000
#define YOUNG_US 1000000
#define BACKOFF_MIN_US 50000
#define BACKOFF_MAX_US 1000000
#define ARENA_BLOCK (256 * 1024)
#define STATUS_FAILED 2 /* could not start: so say all our programs */

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

struct worker {
	pid_t pid; /* 0: the slot is free */
	unsigned int generation;
	bool stopping;
	int64_t started_us;
};

/* What a SIGHUP replaces as a whole. */
struct setup {
	struct arena *arena;
	struct config config;
	struct keyring *keyring;
};

struct options {
	const char *config_path, *listen;
	int64_t workers; /* 0: as configured */
};

struct master {
	struct options options;
	struct setup setup;
	struct metrics *metrics;
	struct throttle *throttle;
	int listen_fd;
	struct stat socket; /* to remove no socket but ours */
	pid_t pid;
	unsigned int generation;
	struct worker workers[SLOTS];
	int64_t start_after_us, backoff_us;
	uint64_t restarts, reloads;
	sigset_t inherited;
};

/* --- setup ---------------------------------------------------------------- */

static void setup_close(struct setup *setup)
{
	if (setup->keyring)
		keyring_close(setup->keyring);
	if (setup->arena)
		arena_free(setup->arena);
	memset(setup, 0, sizeof(*setup));
}

static bool setup_check(const struct setup *setup, char *error, size_t size)
{
	enum log_level level;

	if (setup->config.workers < 1 || setup->config.workers > WORKERS_MAX) {
		snprintf(error, size, "workers must be 1 to %d", WORKERS_MAX);
		return false;
	}
	if (!log_level_read(setup->config.log_level, &level)) {
		snprintf(error, size, "log_level is not known");
		return false;
	}
	return true;
}

static bool setup_open(struct setup *setup, const struct options *options,
		       char *error, size_t size)
{
	memset(setup, 0, sizeof(*setup));
	setup->arena = arena_new(16384);
	if (!config_read(&setup->config, setup->arena, options->config_path,
			 error, size))
		goto failed;
	if (options->listen)
		setup->config.listen = options->listen;
	if (options->workers > 0)
		setup->config.workers = options->workers;
	if (!setup_check(setup, error, size))
		goto failed;
	setup->keyring =
		keyring_open(setup->config.master_key_file, error, size);
	if (setup->keyring)
		return true;
failed:
	setup_close(setup);
	return false;
}

static void setup_log(const struct setup *setup)
{
	enum log_level level = LOG_LEVEL_INFO;

	log_level_read(setup->config.log_level, &level);
	log_open("cardstockd", strcmp(setup->config.log_target, "syslog") == 0,
		 level);
}

/* --- a worker ------------------------------------------------------------- */

struct worker_context {
	struct service *service;
	struct metrics *metrics;
};

static void worker_answer(void *context, struct request *request,
			  struct reply *reply)
{
	struct worker_context *worker = context;

	metrics_busy(worker->metrics, 1);
	service_serve(worker->service, request, reply);
}

static void worker_answered(void *context, const struct request *request,
			    const struct reply *reply, int64_t duration_us)
{
	struct worker_context *worker = context;

	service_served(worker->service, request, reply, duration_us);
	metrics_busy(worker->metrics, 0);
}

static void worker_signals(const struct master *master)
{
	sigset_t set = master->inherited;

	/* A terminal's ^C and HUP go to the whole group; the master decides. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

_Noreturn static void worker_run(struct master *master, int slot)
{
	struct worker_context context = {.metrics = master->metrics};
	struct fcgi_service service = {
		.listen_fd = master->listen_fd,
		.requests_max = master->setup.config.worker_requests,
		.serve = worker_answer,
		.served = worker_answered,
		.context = &context,
	};
	bool served;

	worker_signals(master);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != master->pid)
		exit(EXIT_FAILURE);
	if (!keyring_lock(master->setup.keyring)) {
		log_unusual("event=keys_not_locked errno=%d", errno);
		exit(EXIT_FAILURE);
	}
	metrics_use_slot(master->metrics, slot);
	context.service =
		service_new(&master->setup.config, master->setup.keyring,
			    master->metrics, master->throttle);
	if (!context.service)
		exit(EXIT_FAILURE);
	service.arena = arena_new(ARENA_BLOCK);
	served = fcgi_serve(&service);
	service_free(context.service);
	arena_free(service.arena);
	setup_close(&master->setup);
#ifdef __SANITIZE_ADDRESS__
	prctl(PR_SET_DUMPABLE, 1); /* LeakSanitizer traces its own process */
#endif
	exit(served ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* --- the pool ------------------------------------------------------------- */

static int workers_count(const struct master *master, bool present_only)
{
	int count = 0;

	for (int i = 0; i < SLOTS; i++) {
		const struct worker *worker = &master->workers[i];

		if (worker->pid == 0)
			continue;
		if (!present_only ||
		    (worker->generation == master->generation &&
		     !worker->stopping))
			count++;
	}
	return count;
}

static int slot_free(const struct master *master)
{
	for (int i = 0; i < SLOTS; i++)
		if (master->workers[i].pid == 0)
			return i;
	return -1;
}

static bool worker_start(struct master *master)
{
	int slot = slot_free(master);
	pid_t pid;

	if (slot < 0)
		return false;
	pid = fork();
	if (pid == 0)
		worker_run(master, slot);
	if (pid < 0) {
		log_unusual("event=fork_failed errno=%d", errno);
		return false;
	}
	master->workers[slot] = (struct worker){
		.pid = pid,
		.generation = master->generation,
		.started_us = clock_monotonic_us(),
	};
	return true;
}

static void backoff_grow(struct master *master, int64_t now_us)
{
	master->backoff_us = master->backoff_us > 0 ? master->backoff_us * 2
						    : BACKOFF_MIN_US;
	if (master->backoff_us > BACKOFF_MAX_US)
		master->backoff_us = BACKOFF_MAX_US;
	master->start_after_us = now_us + master->backoff_us;
}

/* Starts what the present generation lacks, unless workers die at once. */
static void pool_fill(struct master *master)
{
	int64_t now_us = clock_monotonic_us();

	if (now_us < master->start_after_us)
		return;
	while (workers_count(master, true) < master->setup.config.workers)
		if (!worker_start(master)) {
			backoff_grow(master, now_us);
			break;
		}
}

static void worker_ended(struct master *master, int slot, int status)
{
	struct worker *worker = &master->workers[slot];
	int64_t now_us = clock_monotonic_us();
	int64_t lived_us = now_us - worker->started_us;
	bool retired = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	if (!worker->stopping && !retired) {
		master->restarts++;
		log_unusual("event=worker_died pid=%d signal=%d exit=%d "
			    "lived_ms=%lld",
			    (int)worker->pid,
			    WIFSIGNALED(status) ? WTERMSIG(status) : 0,
			    WIFEXITED(status) ? WEXITSTATUS(status) : 0,
			    (long long)(lived_us / 1000));
		if (lived_us < YOUNG_US)
			backoff_grow(master, now_us);
		else
			master->backoff_us = 0;
	}
	worker->pid = 0;
	metrics_leave_slot(master->metrics, slot);
}

static void pool_reap(struct master *master)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < SLOTS; i++)
			if (master->workers[i].pid == pid)
				worker_ended(master, i, status);
}

/* Again and again until it has gone: one that is just starting may miss it. */
static bool pool_signal_stopping(struct master *master, int signal_number)
{
	bool any = false;

	for (int i = 0; i < SLOTS; i++) {
		if (master->workers[i].pid == 0 || !master->workers[i].stopping)
			continue;
		kill(master->workers[i].pid, signal_number);
		any = true;
	}
	return any;
}

static void pool_stop_all(struct master *master)
{
	for (int i = 0; i < SLOTS; i++)
		master->workers[i].stopping = true;
}

/* --- the master's life ---------------------------------------------------- */

/* The socket stays as it was made, and is known by that. */
static void listen_keep(struct setup *next, const struct config *present)
{
	struct config *config = &next->config;

	if (strcmp(config->listen, present->listen) != 0)
		log_unusual("event=listen_unchanged reason=%s",
			    log_text("a new listen takes a restart"));
	if (config->listen_mode != present->listen_mode)
		log_unusual("event=listen_mode_unchanged reason=%s",
			    log_text("a new listen_mode takes a restart"));
	config->listen = arena_strdup(next->arena, present->listen);
	config->listen_mode = present->listen_mode;
}

static void pool_reload(struct master *master)
{
	struct setup next;
	char error[512];

	if (!setup_open(&next, &master->options, error, sizeof(error))) {
		log_unusual("event=reload_refused error=%s", log_text(error));
		return;
	}
	listen_keep(&next, &master->setup.config);
	notify("RELOADING=1");
	pool_stop_all(master);
	setup_close(&master->setup);
	master->setup = next;
	setup_log(&master->setup);
	master->generation++;
	master->reloads++;
	master->start_after_us = 0;
	master->backoff_us = 0;
	pool_fill(master);
	pool_signal_stopping(master, SIGTERM);
	notify("READY=1");
	log_info("event=reloaded generation=%u workers=%lld key=%u",
		 master->generation, (long long)master->setup.config.workers,
		 keyring_present(master->setup.keyring));
}

static void socket_remove(struct master *master)
{
	const char *path = master->setup.config.listen;
	struct stat status;

	if (strncmp(path, "unix:", 5) != 0)
		return;
	path += 5;
	if (lstat(path, &status) == 0 &&
	    status.st_ino == master->socket.st_ino &&
	    status.st_dev == master->socket.st_dev)
		unlink(path);
}

/* The socket goes first, so that a successor may already make its own. */
static void pool_shutdown(struct master *master, const sigset_t *signals)
{
	int64_t deadline_us = clock_monotonic_us() + STOP_LIMIT_US;
	struct timespec tick = {.tv_nsec = TICK_US * 1000};

	notify("STOPPING=1");
	log_info("event=stopping workers=%d", workers_count(master, false));
	socket_remove(master);
	close(master->listen_fd);
	pool_stop_all(master);
	while (pool_signal_stopping(master, clock_monotonic_us() < deadline_us
						    ? SIGTERM
						    : SIGKILL)) {
		sigtimedwait(signals, NULL, &tick);
		pool_reap(master);
	}
	log_info("event=stopped");
}

static void master_run(struct master *master)
{
	const struct timespec tick = {.tv_nsec = TICK_US * 1000 / 2};
	sigset_t signals;
	int caught = 0;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &master->inherited);
	signal(SIGPIPE, SIG_IGN);
	pool_fill(master);
	notify("READY=1");
	while (caught != SIGTERM && caught != SIGINT) {
		bool waiting = workers_count(master, true) !=
				       master->setup.config.workers ||
			       pool_signal_stopping(master, SIGTERM);

		caught = waiting ? sigtimedwait(&signals, NULL, &tick)
				 : sigwaitinfo(&signals, NULL);
		pool_reap(master);
		if (caught == SIGHUP)
			pool_reload(master);
		pool_fill(master);
		metrics_pool(master->metrics, workers_count(master, true),
			     master->restarts, master->reloads);
	}
	pool_shutdown(master, &signals);
}

static bool master_open(struct master *master)
{
	const struct config *config = &master->setup.config;
	const struct rlimit none = {0, 0};
	const char *const *routes;
	int route_count;

	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return false;
	routes = service_route_names(&route_count);
	master->metrics = metrics_new(routes, route_count, SLOTS);
	master->throttle = throttle_new();
	if (!master->metrics || !master->throttle) {
		log_unusual("event=no_shared_memory errno=%d", errno);
		return false;
	}
	master->pid = getpid();
	master->listen_fd =
		fcgi_listen(config->listen, (int)config->listen_mode);
	if (master->listen_fd < 0)
		return false;
	if (strncmp(config->listen, "unix:", 5) == 0)
		lstat(config->listen + 5, &master->socket);
	metrics_pool(master->metrics, (int)config->workers, 0, 0);
	return true;
}

/* --- command line --------------------------------------------------------- */

static const char usage[] =
	"usage: cardstockd [--config FILE] [--workers N] [--listen WHERE]\n"
	"\n"
	"  --config FILE    default " SYSCONFDIR "/cardstock/cardstock.conf\n"
	"  --workers N      overrides workers of the file\n"
	"  --listen WHERE   overrides listen: unix:/path or host:port\n"
	"  --foreground     accepted for clarity: it never forks itself away\n"
	"  --reference      print every configuration key and exit\n"
	"  --version\n"
	"\n"
	"SIGHUP takes over a changed configuration and key file, SIGTERM "
	"finishes the\nrequests in hand and ends.\n";

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"workers", required_argument, NULL, 'w'},
		{"listen", required_argument, NULL, 'l'},
		{"foreground", no_argument, NULL, 'f'},
		{"reference", no_argument, NULL, 'r'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;

	options->config_path = SYSCONFDIR "/cardstock/cardstock.conf";
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'c') {
			options->config_path = optarg;
		} else if (option == 'l') {
			options->listen = optarg;
		} else if (option == 'w') {
			if (!text_to_int(optarg, &options->workers) ||
			    options->workers < 1)
				return false;
		} else if (option == 'r') {
			config_print_reference();
			exit(EXIT_SUCCESS);
		} else if (option == 'v') {
			puts("cardstockd " CARDSTOCK_VERSION);
			exit(EXIT_SUCCESS);
		} else if (option == 'h') {
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		} else if (option != 'f') {
			return false;
		}
	}
	return optind == argc;
}

int main(int argc, char **argv)
{
	static struct master master;
	char error[512];

	log_open("cardstockd", false, LOG_LEVEL_INFO);
	if (!options_read(&master.options, argc, argv)) {
		fputs(usage, stderr);
		return STATUS_FAILED;
	}
	if (!setup_open(&master.setup, &master.options, error, sizeof(error))) {
		log_unusual("event=cannot_start error=%s", log_text(error));
		return STATUS_FAILED;
	}
	setup_log(&master.setup);
	if (!master_open(&master))
		return STATUS_FAILED;
	log_info("event=started pid=%d workers=%lld listen=%s", (int)master.pid,
		 (long long)master.setup.config.workers,
		 log_text(master.setup.config.listen));
	master_run(&master);
	setup_close(&master.setup);
	return EXIT_SUCCESS;
}
