/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RETRY_H
#define CORE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* When a delivery that failed is tried again. */
enum retry_plan {
	RETRY_NATIVE, /* 5 s, 5 min, 30 min, 2, 5, 10, 14, 20, 24 h, + 0-20 % */
	RETRY_PRIVACY /* 5 min, twice as long each time, up to 24 h */
};

#define RETRY_AFTER_MAX_S 3600

/*
 * tries_made counts the attempts of this round, the failed one among them (1
 * after the first). retry_after_s is what a 429 or 503 asked for, -1 nothing:
 * the delay is at least that, but no more than an hour of it counts. random is
 * 32 random bits, for the spread. False when no try is left.
 */
bool retry_delay(enum retry_plan plan, int tries_made, int64_t retry_after_s,
		 uint32_t random, int64_t *delay_s);

#endif
