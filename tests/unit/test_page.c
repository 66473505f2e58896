/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/core/page.h"

#include <check.h>
#include <stdlib.h>

START_TEST(counts_pages)
{
	ck_assert_int_eq(page_count(0, 25), 0);
	ck_assert_int_eq(page_count(1, 25), 1);
	ck_assert_int_eq(page_count(25, 25), 1);
	ck_assert_int_eq(page_count(26, 25), 2);
	/* The sample of the API reference. */
	ck_assert_int_eq(page_count(142, 25), 6);
	ck_assert_int_eq(page_count(INT64_MAX, 1), INT64_MAX);
	ck_assert_int_eq(page_count(INT64_MAX, 100), INT64_MAX / 100 + 1);
}
END_TEST

/* The last page starts at or before the last row, and the next after it. */
START_TEST(every_row_has_a_page)
{
	for (int64_t per_page = 1; per_page <= 100; per_page++) {
		for (int64_t total = 1; total <= 300; total++) {
			int64_t pages = page_count(total, per_page);

			ck_assert((pages - 1) * per_page < total);
			ck_assert(pages * per_page >= total);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("page");
	TCase *cases = tcase_create("count");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(cases, counts_pages);
	tcase_add_test(cases, every_row_has_a_page);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
