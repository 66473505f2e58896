/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

#include <stdint.h>

struct text;

/*
 * Counters in memory that the master shares with its workers: each worker adds
 * to its own slot without locks, any worker prints the sum. Prometheus text
 * format 0.0.4. Route names are fixed when the memory is made, before fork;
 * the last route, "other", takes what matched no route.
 */
struct metrics;

struct metrics *metrics_new(const char *const *routes, int route_count,
			    int workers_max);
void metrics_use_slot(struct metrics *metrics, int slot); /* in the worker */
/* By the master, when the worker of the slot is gone. */
void metrics_leave_slot(struct metrics *metrics, int slot);

void metrics_request(struct metrics *metrics, int route, int status,
		     int64_t duration_us);
/* The worker's totals so far, as its database connection counts them. */
void metrics_database(struct metrics *metrics, uint64_t round_trips,
		      uint64_t errors, uint64_t retries, uint64_t reconnects);
void metrics_busy(struct metrics *metrics, int busy);
/* By the master. */
void metrics_pool(struct metrics *metrics, int workers, uint64_t restarts,
		  uint64_t reloads);

void metrics_print(struct text *out, const struct metrics *metrics);

#endif
