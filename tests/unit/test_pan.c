/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/core/pan.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Whether the last digit is the one that the others call for. */
static bool luhn_valid(const char *number)
{
	size_t len = strlen(number) - 1;
	char payload[PAN_SIZE];

	memcpy(payload, number, len);
	payload[len] = '\0';
	return number[len] == luhn_digit(payload);
}

START_TEST(luhn_accepts_published_numbers)
{
	/* ISO/IEC 7812-1 annex B, and the test numbers every gateway lists. */
	ck_assert(luhn_valid("79927398713"));
	ck_assert(luhn_valid("4111111111111111"));
	ck_assert(luhn_valid("5555555555554444"));
	ck_assert(luhn_valid("2223003122003222"));
	ck_assert(luhn_valid("378282246310005"));
	ck_assert(luhn_valid("0"));
}
END_TEST

START_TEST(luhn_refuses)
{
	/* The card number that the seed documents print. */
	ck_assert(!luhn_valid("4916531288472039"));
	ck_assert(!luhn_valid("79927398710"));
}
END_TEST

/* Luhn finds each single wrong digit and each swap except 09 and 90. */
START_TEST(luhn_finds_slips)
{
	const char *good = "4111371234567892";
	char slip[PAN_SIZE];

	ck_assert(luhn_valid(good));
	for (size_t i = 0; i < 16; i++) {
		for (char digit = '0'; digit <= '9'; digit++) {
			memcpy(slip, good, sizeof(slip));
			slip[i] = digit;
			ck_assert(luhn_valid(slip) == (digit == good[i]));
		}
		if (i == 15 || good[i] == good[i + 1])
			continue;
		memcpy(slip, good, sizeof(slip));
		slip[i] = good[i + 1];
		slip[i + 1] = good[i];
		ck_assert(!luhn_valid(slip));
	}
}
END_TEST

START_TEST(check_digit_completes)
{
	ck_assert_int_eq(luhn_digit("7992739871"), '3');
	ck_assert_int_eq(luhn_digit("411111111111111"), '1');
	ck_assert_int_eq(luhn_digit("0"), '0');
}
END_TEST

START_TEST(build_fills_and_wraps)
{
	char pan[PAN_SIZE];

	pan_build(pan, "491653", 42);
	ck_assert_mem_eq(pan, "491653000000042", 15);
	ck_assert(luhn_valid(pan));
	pan_build(pan, "491653", 999999999);
	ck_assert_mem_eq(pan, "491653999999999", 15);
	ck_assert(luhn_valid(pan));
	pan_build(pan, "491653", 1000000042);
	ck_assert_mem_eq(pan, "491653000000042", 15);
	pan_build(pan, "22210012", UINT64_MAX);
	ck_assert_mem_eq(pan, "222100129551615", 15);
	ck_assert(luhn_valid(pan));
}
END_TEST

START_TEST(build_is_valid_and_distinct)
{
	const char *prefixes[] = {"491653", "5319931", "22210012"};
	char pan[PAN_SIZE], last[PAN_SIZE] = "";

	for (size_t i = 0; i < 3; i++) {
		for (uint64_t middle = 0; middle < 20000; middle += 7) {
			pan_build(pan, prefixes[i], middle);
			ck_assert(luhn_valid(pan));
			ck_assert_mem_eq(pan, prefixes[i], strlen(prefixes[i]));
			ck_assert_mem_ne(pan, last, 15);
			memcpy(last, pan, sizeof(last));
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pan");
	TCase *luhn = tcase_create("luhn"), *pan = tcase_create("pan");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(luhn, luhn_accepts_published_numbers);
	tcase_add_test(luhn, luhn_refuses);
	tcase_add_test(luhn, luhn_finds_slips);
	tcase_add_test(luhn, check_digit_completes);
	suite_add_tcase(suite, luhn);
	tcase_add_test(pan, build_fills_and_wraps);
	tcase_add_test(pan, build_is_valid_and_distinct);
	suite_add_tcase(suite, pan);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
