/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/base/error.h"

#include <string.h>

#include "suite.h"

START_TEST(codes_are_words_and_unique)
{
	int i;

	for (i = 0; i < ERR_COUNT; i++) {
		const char *code = error_info((enum error_code)i)->code;

		ck_assert_uint_gt(strlen(code), 0);
		ck_assert_uint_eq(strspn(code, "abcdefghijklmnopqrstuvwxyz_"),
				  strlen(code));
		ck_assert_int_eq((int)error_by_code(code), i);
	}
}
END_TEST

START_TEST(sentences_and_statuses)
{
	int i;

	for (i = 1; i < ERR_COUNT; i++) {
		const struct error_info *info = error_info((enum error_code)i);
		size_t len = strlen(info->sentence);

		ck_assert(info->status >= 400 && info->status < 600);
		ck_assert_uint_gt(len, 10);
		ck_assert_int_eq(info->sentence[len - 1], '.');
	}
	ck_assert_str_eq(error_info(ERR_NONE)->code, "ok");
	ck_assert_int_eq(error_info(ERR_NONE)->status, 200);
	ck_assert_int_eq(error_info(ERR_INSUFFICIENT_FUNDS)->status, 400);
	ck_assert(error_info(ERR_SERVICE_UNAVAILABLE)->retryable);
	ck_assert(!error_info(ERR_CARD_TERMINATED)->retryable);
}
END_TEST

START_TEST(words_that_are_no_code)
{
	ck_assert(error_by_code("ok") == ERR_NONE);
	ck_assert(error_by_code("") == ERR_COUNT);
	ck_assert(error_by_code("card_terminated ") == ERR_COUNT);
	ck_assert(error_by_code("CARD_TERMINATED") == ERR_COUNT);
}
END_TEST

SUITE("error", codes_are_words_and_unique, sentences_and_statuses,
      words_that_are_no_code)
