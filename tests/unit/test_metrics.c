/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/http/metrics.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/base/arena.h"
#include "../../src/base/text.h"
#include "suite.h"

static const char *const routes[] = {"GET /v1/cards", "POST /v1/cards",
				     "other"};

static struct arena *arena;
static struct text out;

static void print(const struct metrics *metrics)
{
	arena = arena_new(65536);
	text_init(&out, arena);
	metrics_print(&out, metrics);
}

static void expect(const char *line)
{
	ck_assert_msg(strstr(out.data, line) != NULL, "no line %s in\n%s", line,
		      out.data);
}

START_TEST(sums_over_workers)
{
	struct metrics *metrics = metrics_new(routes, 3, 8);

	for (int slot = 0; slot < 3; slot++) {
		if (fork() == 0) {
			metrics_use_slot(metrics, slot);
			metrics_request(metrics, 0, 200, 400);
			metrics_request(metrics, 1, 418, 2500001);
			metrics_request(metrics, -1, 404, 60000000);
			metrics_database(metrics, 10, 2, 3, 1);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	metrics_pool(metrics, 3, 7, 2);
	print(metrics);
	expect("\ncardstock_requests_total{route=\"GET /v1/cards\","
	       "status=\"200\"} 3\n");
	expect("\ncardstock_requests_total{route=\"POST /v1/cards\","
	       "status=\"other\"} 3\n");
	expect("\ncardstock_requests_total{route=\"other\",status=\"404\"} "
	       "3\n");
	expect("\ncardstock_worker_restarts_total 7\n");
	expect("\ncardstock_reloads_total 2\n");
	expect("\ncardstock_workers{state=\"idle\"} 3\n");
	expect("\ncardstock_database_round_trips_total 30\n");
	expect("\ncardstock_database_errors_total 6\n");
	expect("\ncardstock_database_retries_total 9\n");
	expect("\ncardstock_database_reconnects_total 3\n");
	arena_free(arena);
}
END_TEST

START_TEST(prints_a_histogram)
{
	struct metrics *metrics = metrics_new(routes, 3, 2);
	const char *name = "cardstock_request_duration_seconds";
	char line[200];

	metrics_use_slot(metrics, 1);
	metrics_request(metrics, 0, 200, 500); /* a bound is in its bucket */
	metrics_request(metrics, 0, 200, 501);
	metrics_request(metrics, 0, 200, 11000000);
	print(metrics);
	snprintf(line, sizeof(line), "\n# TYPE %s histogram\n", name);
	expect(line);
	expect("_bucket{route=\"GET /v1/cards\",le=\"0.000500\"} 1\n");
	expect("_bucket{route=\"GET /v1/cards\",le=\"0.001000\"} 2\n");
	expect("_bucket{route=\"GET /v1/cards\",le=\"10.000000\"} 2\n");
	expect("_bucket{route=\"GET /v1/cards\",le=\"+Inf\"} 3\n");
	expect("_sum{route=\"GET /v1/cards\"} 11.001001\n");
	expect("_count{route=\"GET /v1/cards\"} 3\n");
	ck_assert_ptr_null(strstr(out.data, "POST"));
	arena_free(arena);
}
END_TEST

/* A worker's totals start again at zero with the next worker of its slot. */
START_TEST(never_counts_backwards)
{
	struct metrics *metrics = metrics_new(routes, 3, 2);

	metrics_use_slot(metrics, 0);
	metrics_busy(metrics, 1);
	metrics_pool(metrics, 2, 0, 0);
	metrics_database(metrics, 5, 0, 0, 0);
	metrics_database(metrics, 9, 0, 0, 0);
	print(metrics);
	expect("\ncardstock_database_round_trips_total 9\n");
	expect("\ncardstock_workers{state=\"busy\"} 1\n");
	expect("\ncardstock_workers{state=\"idle\"} 1\n");
	arena_free(arena);

	metrics_leave_slot(metrics, 0);
	metrics_use_slot(metrics, 0);
	metrics_database(metrics, 2, 0, 0, 0);
	print(metrics);
	expect("\ncardstock_database_round_trips_total 11\n");
	expect("\ncardstock_workers{state=\"busy\"} 0\n");
	arena_free(arena);
}
END_TEST

SUITE("metrics", sums_over_workers, prints_a_histogram, never_counts_backwards)
