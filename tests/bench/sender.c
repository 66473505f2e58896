/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a courier could do if it had no database: the sender by itself, which
 * signs and sends the same body again and again.
 *
 *   sender URLS CA BODY IN-FLIGHT WARM-MS MEASURED-MS
 *
 * URLS has one a line, each an endpoint, which take turns.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/base/arena.h"
#include "../../src/base/clock.h"
#include "../../src/base/log.h"
#include "../../src/hook/send.h"
#include "../../src/hook/sign.h"
#include "load.h"

#define STEP_US 100 /* of the histogram */
#define STEPS 150000

struct bench {
	struct sender *sender;
	struct arena *arena;
	char **urls;
	size_t url_count, next;
	struct bytes body;
	int64_t begin_us, end_us;
	uint32_t histogram[STEPS];
	uint64_t count;
};

/* When it was begun stands in the place of what is sent. */
static void *moment(int64_t us)
{
	return (void *)(uintptr_t)us;
}

static bool begin_next(struct bench *bench)
{
	static const char id[] = "evt_00000000000000000000";
	const char *headers[5] = {NULL};
	int64_t now = clock_now();
	struct signatures signatures;
	struct transfer transfer = {
		.url = bench->urls[bench->next],
		.headers = headers,
		.body = bench->body,
		.endpoint = (int64_t)bench->next + 1,
		.opaque = moment(clock_monotonic_us()),
	};
	bool taken;

	webhook_sign(bench->arena,
		     "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", NULL,
		     id, now, bench->body, &signatures);
	headers[0] = arena_printf(bench->arena, "X-Webhook-Signature: %s",
				  signatures.hex);
	headers[1] = arena_printf(bench->arena, "webhook-id: %s", id);
	headers[2] = arena_printf(bench->arena, "webhook-timestamp: %lld",
				  (long long)now);
	headers[3] = arena_printf(bench->arena, "webhook-signature: %s",
				  signatures.standard);
	taken = sender_submit(bench->sender, &transfer);
	arena_reset(bench->arena);
	bench->next = (bench->next + 1) % bench->url_count;
	return taken;
}

static void ended(void *context, const struct send_result *result)
{
	struct bench *bench = context;
	int64_t now = clock_monotonic_us();
	int64_t step = (now - (int64_t)(uintptr_t)result->opaque) / STEP_US;

	if (result->error != SEND_OK)
		load_fail("sender", "not delivered",
			  send_error_word(result->error));
	if (now < bench->begin_us || now >= bench->end_us)
		return;
	bench->histogram[step < STEPS ? step : STEPS - 1]++;
	bench->count++;
}

static struct bytes body_read(const char *path)
{
	static char text[65536];
	FILE *file = fopen(path, "re");
	size_t len;

	if (!file)
		load_fail("sender", path, "cannot be read");
	len = fread(text, 1, sizeof(text), file);
	fclose(file);
	return (struct bytes){text, len};
}

static void result_print(const struct bench *bench)
{
	const char *comma = "";

	printf("{\"requests\":%llu,\"us\":%lld,\"latency\":[",
	       (unsigned long long)bench->count,
	       (long long)(bench->end_us - bench->begin_us));
	for (int i = 0; i < STEPS; i++) {
		if (bench->histogram[i] == 0)
			continue;
		printf("%s[%d,%u]", comma, (i + 1) * STEP_US,
		       bench->histogram[i]);
		comma = ",";
	}
	puts("]}");
}

int main(int argc, char **argv)
{
	static struct bench bench;
	struct sender_options options = {
		.timeout_ms = 15000,
		.networks = "127.0.0.0/8 ::1/128",
		.user_agent = "Cardstock-Webhook/bench",
		.in_flight = 1000, /* as many connections may be kept */
		.per_endpoint = 16,
	};
	int in_flight;

	if (argc != 7) {
		fputs("usage: sender URLS CA BODY IN-FLIGHT WARM-MS "
		      "MEASURED-MS\n",
		      stderr);
		return 2;
	}
	log_open("sender", false, LOG_LEVEL_INFO);
	signal(SIGPIPE, SIG_IGN);
	bench.arena = arena_new(16384);
	bench.urls = load_lines("sender", argv[1], &bench.url_count);
	options.ca_file = argv[2];
	bench.body = body_read(argv[3]);
	in_flight = (int)strtol(argv[4], NULL, 10);
	bench.sender = sender_new(&options);
	if (!bench.sender)
		load_fail("sender", "sender_new", "refused");
	bench.begin_us =
		clock_monotonic_us() + strtol(argv[5], NULL, 10) * 1000;
	bench.end_us = bench.begin_us + strtol(argv[6], NULL, 10) * 1000;
	while (clock_monotonic_us() < bench.end_us) {
		while (sender_in_flight(bench.sender) < in_flight &&
		       begin_next(&bench))
			;
		(void)sender_poll(bench.sender, 100, ended, &bench);
	}
	sender_free(bench.sender);
	arena_free(bench.arena);
	result_print(&bench);
	return 0;
}
