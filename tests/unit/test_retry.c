/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/core/retry.h"

#include "suite.h"

#define NONE (-1)

static int64_t delay(enum retry_plan plan, int tries, int64_t after,
		     uint32_t random)
{
	int64_t delay_s = -77;
	bool more = retry_delay(plan, tries, after, random, &delay_s);

	/* Untouched where nothing is left. */
	ck_assert(more == (delay_s != -77));
	return delay_s;
}

START_TEST(native_schedule)
{
	static const int64_t least_s[] = {5,	 300,	1800,  7200, 18000,
					  36000, 50400, 72000, 86400};

	for (int tries = 1; tries <= 9; tries++) {
		int64_t least = least_s[tries - 1];

		ck_assert_int_eq(delay(RETRY_NATIVE, tries, NONE, 0), least);
		ck_assert_int_eq(delay(RETRY_NATIVE, tries, NONE, UINT32_MAX),
				 least + least / 5);
		ck_assert_int_eq(delay(RETRY_NATIVE, tries, NONE, 1U << 31),
				 least + (least / 5 + 1) / 2);
	}
	ck_assert_int_eq(delay(RETRY_NATIVE, 10, NONE, 0), -77);
	ck_assert_int_eq(delay(RETRY_NATIVE, 10, 60, 0), -77);
	ck_assert_int_eq(delay(RETRY_NATIVE, INT32_MAX, NONE, 0), -77);
}
END_TEST

START_TEST(spread_is_even)
{
	int seen[61] = {0};

	/* 300 s may become any second up to 360. */
	for (uint32_t i = 0; i < 61000; i++)
		seen[delay(RETRY_NATIVE, 2, NONE, i * 70409U) - 300]++;
	for (int i = 0; i <= 60; i++)
		ck_assert_msg(seen[i] > 900 && seen[i] < 1100, "%d: %d", i,
			      seen[i]);
}
END_TEST

START_TEST(privacy_schedule)
{
	int64_t expected_s = 300;

	/* 21 h 20 min is the last wait that is no longer than a day. */
	for (int tries = 1; tries <= 9; tries++) {
		ck_assert_int_eq(delay(RETRY_PRIVACY, tries, NONE, UINT32_MAX),
				 expected_s);
		expected_s *= 2;
	}
	ck_assert_int_eq(delay(RETRY_PRIVACY, 10, NONE, 0), -77);
	ck_assert_int_eq(delay(RETRY_PRIVACY, INT32_MAX, NONE, 0), -77);
}
END_TEST

START_TEST(retry_after_is_obeyed)
{
	ck_assert_int_eq(delay(RETRY_NATIVE, 1, 0, 0), 5);
	ck_assert_int_eq(delay(RETRY_NATIVE, 1, 4, 0), 5);
	ck_assert_int_eq(delay(RETRY_NATIVE, 1, 6, 0), 6);
	ck_assert_int_eq(delay(RETRY_NATIVE, 1, 3600, 0), 3600);
	ck_assert_int_eq(delay(RETRY_NATIVE, 1, 3601, 0), 3600);
	ck_assert_int_eq(delay(RETRY_NATIVE, 1, INT64_MAX, 0), 3600);
	ck_assert_int_eq(delay(RETRY_NATIVE, 4, INT64_MAX, 0), 7200);
	ck_assert_int_eq(delay(RETRY_PRIVACY, 1, 301, 0), 301);
}
END_TEST

SUITE("retry", native_schedule, spread_is_even, privacy_schedule,
      retry_after_is_obeyed)
