/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings events to the webhooks that subscribed to them. What is to be done,
 * and whose it is, is in the database: any number of couriers may run, on any
 * number of machines, and one that is killed leaves nothing but leases that
 * end.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/address.h"
#include "courier.h"
#include "http/notify.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#ifndef CARDSTOCK_VERSION
#define CARDSTOCK_VERSION "unversioned"
#endif

#define ARENA_BLOCK (1024 * 1024)
#define SCRATCH_BLOCK 8192
#define RECORD_AT 256	       /* results that are written at once */
#define RECORD_AFTER_US 100000 /* or when the first is so old */
#define SWEEP_US 60000000
#define LAST_ANSWERS_US 1000000

static volatile sig_atomic_t stopping, reloading;

static void note_signal(int number)
{
	if (number == SIGHUP)
		reloading = 1;
	else
		stopping = 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = note_signal};

	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void reload(struct courier *courier)
{
	reloading = 0;
	notify("RELOADING=1");
	courier_read_keys(courier);
	notify("READY=1");
}

static bool database_rests(const struct courier *courier, int64_t now)
{
	return now < courier->database_us;
}

/*
 * Results first: what they say of an endpoint, the claim must know. A commit
 * costs as much for one as for dozens: while there is more to send they gather.
 */
static void record_due(struct courier *courier, int64_t now)
{
	if (!courier->done || database_rests(courier, now))
		return;
	if (courier->done_urgent || courier->done_count >= RECORD_AT ||
	    courier->lanes.in_flight + courier->lanes.waiting == 0 ||
	    now - courier->done_since_us >= RECORD_AFTER_US)
		courier_write_results(courier);
}

static bool is_full(const struct courier *courier)
{
	return courier->parcel_count >= courier->parcels_max;
}

static void claim_due(struct courier *courier, int64_t now)
{
	if (now < courier->claim_us || courier->done_urgent ||
	    database_rests(courier, now) || is_full(courier))
		return;
	courier_fetch(courier);
}

static void renew_due(struct courier *courier, int64_t now)
{
	if (now >= courier->renew_us && courier->lanes.waiting > 0 &&
	    !database_rests(courier, now))
		courier_renew_leases(courier);
}

/* Milliseconds until the clock brings something to do. */
static int rest_ms(const struct courier *courier)
{
	int64_t next = courier->claim_us, now = clock_monotonic_us();

	/* Room comes with the end of an attempt, which is heard of at once. */
	if (is_full(courier))
		next = now + courier->config->courier_poll_ms * 1000;
	if (courier->done && courier->done_since_us + RECORD_AFTER_US < next)
		next = courier->done_since_us + RECORD_AFTER_US;
	if (courier->lanes.waiting > 0 && courier->renew_us < next)
		next = courier->renew_us;
	if (next < courier->database_us)
		next = courier->database_us;
	if (next <= now)
		return 0;
	return (int)((next - now + 999) / 1000);
}

static void deliver(struct courier *courier)
{
	int64_t swept = clock_monotonic_us();

	while (!stopping) {
		int64_t now = clock_monotonic_us();

		if (reloading)
			reload(courier);
		record_due(courier, now);
		if (courier->given_up_count > 0 && !courier->done_urgent &&
		    !database_rests(courier, now))
			courier_put_back_given_up(courier);
		renew_due(courier, now);
		claim_due(courier, now);
		courier_start(courier);
		(void)sender_poll(courier->sender, rest_ms(courier),
				  courier_ended, courier);
		if (now - swept > SWEEP_US) {
			endpoints_sweep(courier);
			swept = now;
		}
	}
}

/* Until nothing is in flight, or the moment has come. */
static void finish(struct courier *courier, int64_t until)
{
	int64_t now = clock_monotonic_us();

	while (sender_in_flight(courier->sender) > 0 && now < until) {
		(void)sender_poll(courier->sender, 50, courier_ended, courier);
		now = clock_monotonic_us();
		record_due(courier, now);
	}
}

/*
 * What has not started goes to another courier, but only when those who answer
 * soon have done so, that no card's events overtake each other; what is in
 * flight is awaited and recorded.
 */
static void wind_up(struct courier *courier)
{
	int64_t now = clock_monotonic_us();

	log_info("event=stopping in_flight=%zu waiting=%zu",
		 courier->lanes.in_flight, courier->lanes.waiting);
	finish(courier, now + LAST_ANSWERS_US);
	courier_give_back(courier);
	finish(courier,
	       now + (courier->config->webhook_timeout_s + 1) * 1000000);
	courier_write_results(courier);
	if (courier->done)
		log_unusual("event=attempts_not_recorded count=%zu",
			    courier->done_count);
}

static struct sender *sender_open(const struct config *config)
{
	struct sender_options options = {
		.timeout_ms = (int)config->webhook_timeout_s * 1000,
		.ca_file = config->webhook_ca_file,
		.networks = config->webhook_allowed_networks,
		.user_agent = "Cardstock-Webhook/" CARDSTOCK_VERSION,
		.in_flight = (int)config->courier_in_flight,
		.per_endpoint = (int)config->courier_per_endpoint,
	};

	return sender_new(&options);
}

static void name_make(char name[COURIER_NAME_SIZE])
{
	unsigned char bytes[(COURIER_NAME_SIZE - 1) / 2];

	random_bytes(bytes, sizeof(bytes));
	hex_encode(name, bytes, sizeof(bytes));
}

static void courier_close(struct courier *courier)
{
	sender_free(courier->sender);
	db_close(courier->db);
	keyring_close(courier->keyring);
	for (size_t i = 0; i < BUCKETS; i++) {
		while (courier->parcels[i])
			parcel_remove(courier, courier->parcels[i]);
	}
	endpoints_sweep(courier);
	arena_free(courier->scratch);
	arena_free(courier->arena);
	free(courier->given_up);
	free(courier);
}

static struct courier *courier_new(const struct config *config,
				   struct keyring *keyring)
{
	struct courier *courier = calloc(1, sizeof(*courier));

	if (!courier)
		return NULL;
	courier->config = config;
	courier->keyring = keyring;
	courier->db = db_open(config, DB_ROLE_COURIER);
	courier->sender = sender_open(config);
	courier->arena = arena_new(ARENA_BLOCK);
	courier->scratch = arena_new(SCRATCH_BLOCK);
	courier->done_end = &courier->done;
	courier->parcels_max = (size_t)config->courier_in_flight * 4;
	courier->given_up =
		calloc(courier->parcels_max, sizeof(*courier->given_up));
	name_make(courier->name);
	lanes_init(&courier->lanes, (size_t)config->courier_per_endpoint,
		   (size_t)config->courier_in_flight);
	if (courier->sender && courier->given_up)
		return courier;
	courier_close(courier);
	return NULL;
}

static int usage(FILE *out)
{
	fputs("cardstock-courier [--config FILE]\n"
	      "Delivers events to webhooks.\n",
	      out);
	return out == stdout ? 0 : 2;
}

static int refuse(const char *why)
{
	fprintf(stderr, "cardstock-courier: %s\n", why);
	return 2;
}

static int run(const struct config *config)
{
	char error[256];
	struct keyring *keyring;
	struct courier *courier;

	if (!networks_valid(config->webhook_allowed_networks))
		return refuse("webhook_allowed_networks must be networks as "
			      "address/bits, separated by spaces");
	keyring = keyring_open(config->master_key_file, error, sizeof(error));
	if (!keyring)
		return refuse(error);
	courier = courier_new(config, keyring);
	if (!courier)
		return refuse("libcurl or webhook_ca_file cannot be used");
	catch_signals();
	log_info("event=started courier=%s", courier->name);
	notify("READY=1");
	deliver(courier);
	notify("STOPPING=1");
	wind_up(courier);
	log_info("event=stopped courier=%s", courier->name);
	courier_close(courier);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *path = SYSCONFDIR "/cardstock/cardstock.conf";
	struct arena *arena = arena_new(16384);
	enum log_level level = LOG_LEVEL_INFO;
	struct config config;
	char error[256];
	int option, status;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'c')
			return usage(option == 'h' ? stdout : stderr);
		path = optarg;
	}
	if (optind != argc)
		return usage(stderr);
	if (!config_read(&config, arena, path, error, sizeof(error)))
		return refuse(error);
	log_level_read(config.log_level, &level);
	log_open("cardstock-courier", strcmp(config.log_target, "syslog") == 0,
		 level);
	status = run(&config);
	arena_free(arena);
	return status;
}
