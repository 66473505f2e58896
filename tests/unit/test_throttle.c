/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/http/throttle.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

#define SECOND INT64_C(1000000)

static int taken(struct throttle *throttle, const char *address, int tries,
		 int64_t now_us)
{
	int count = 0;

	for (int i = 0; i < tries; i++)
		count += throttle_take(throttle, address, 30, 30, now_us);
	return count;
}

START_TEST(gives_the_burst_and_then_the_rate)
{
	struct throttle *throttle = throttle_new();
	int64_t now_us = 5 * SECOND;

	ck_assert_int_eq(taken(throttle, "192.0.2.1", 100, now_us), 30);
	ck_assert_int_eq(taken(throttle, "192.0.2.1", 1, now_us + SECOND), 0);
	/* 30 a minute is one every two seconds. */
	ck_assert_int_eq(taken(throttle, "192.0.2.1", 9, now_us + 2 * SECOND),
			 1);
	ck_assert_int_eq(taken(throttle, "192.0.2.1", 99, now_us + 22 * SECOND),
			 10);
	ck_assert_int_eq(
		taken(throttle, "192.0.2.1", 99, now_us + 3600 * SECOND), 30);
}
END_TEST

START_TEST(counts_each_address_alone)
{
	struct throttle *throttle = throttle_new();

	ck_assert_int_eq(taken(throttle, "192.0.2.1", 40, SECOND), 30);
	ck_assert_int_eq(taken(throttle, "192.0.2.2", 40, SECOND), 30);
	ck_assert_int_eq(taken(throttle, "::ffff:192.0.2.1", 40, SECOND), 0);
	ck_assert_int_eq(taken(throttle, "2001:db8::1", 40, SECOND), 30);
	/* The same /64. */
	ck_assert_int_eq(taken(throttle, "2001:db8::ffff:0:1", 9, SECOND), 0);
	ck_assert_int_eq(taken(throttle, "2001:db8:0:1::1", 40, SECOND), 30);
	ck_assert_int_eq(taken(throttle, "unix:", 40, SECOND), 30);
	ck_assert_int_eq(taken(throttle, "", 40, SECOND), 0);
}
END_TEST

START_TEST(no_rate_is_no_limit)
{
	struct throttle *throttle = throttle_new();

	for (int i = 0; i < 1000; i++)
		ck_assert(throttle_take(throttle, "192.0.2.1", 0, 0, SECOND));
}
END_TEST

/* More addresses than entries: the one that keeps coming is not forgotten. */
START_TEST(keeps_the_busy_address)
{
	struct throttle *throttle = throttle_new();
	char address[32];

	ck_assert_int_eq(taken(throttle, "192.0.2.1", 30, SECOND), 30);
	for (int i = 0; i < 300000; i++) {
		snprintf(address, sizeof(address), "10.%d.%d.%d", i >> 16,
			 (i >> 8) & 255, i & 255);
		ck_assert(throttle_take(throttle, address, 30, 30, SECOND));
	}
	ck_assert_int_eq(taken(throttle, "192.0.2.1", 30, SECOND), 0);
}
END_TEST

START_TEST(processes_count_together)
{
	struct throttle *throttle = throttle_new();
	int total = 0;

	for (int i = 0; i < 4; i++)
		if (fork() == 0)
			_exit(taken(throttle, "192.0.2.1", 1000, SECOND));
	for (int i = 0; i < 4; i++) {
		int status;

		ck_assert(wait(&status) > 0);
		total += WEXITSTATUS(status);
	}
	ck_assert_int_eq(total, 30);
}
END_TEST

SUITE("throttle", gives_the_burst_and_then_the_rate, counts_each_address_alone,
      no_rate_is_no_limit, keeps_the_busy_address, processes_count_together)
