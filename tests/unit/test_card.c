/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/core/card.h"

#include <check.h>
#include <stdlib.h>

START_TEST(names_follow_the_enum)
{
	ck_assert_str_eq(card_status_names[CARD_PENDING_TOP_UP],
			 "pending_top_up");
	ck_assert_str_eq(card_status_names[CARD_ACTIVE], "active");
	ck_assert_str_eq(card_status_names[CARD_FROZEN], "frozen");
	ck_assert_str_eq(card_status_names[CARD_TERMINATED], "terminated");
	ck_assert_ptr_null(card_status_names[CARD_STATUSES]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("card");
	TCase *cases = tcase_create("status");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(cases, names_follow_the_enum);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
