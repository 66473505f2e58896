/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_THROTTLE_H
#define HTTP_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How many refused credentials a client address may show. nginx cannot tell a
 * valid credential from a guess, so it hands its figures on (a FastCGI
 * parameter of its limits file) and the workers of one machine count in
 * memory they share. Token buckets in a fixed table of addresses (IPv6 by
 * /64), the stalest evicted.
 */
struct throttle;

struct throttle *throttle_new(void); /* before fork */

/* Takes one token of the address. False when it has none left. rate is per
 * minute; 0 means no limit. now_us is a monotonic clock's. */
bool throttle_take(struct throttle *throttle, const char *address,
		   int64_t rate_per_minute, int64_t burst, int64_t now_us);

#endif
