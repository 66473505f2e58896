/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_SUITE_H
#define UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Generous: valgrind runs these tests too. */
#define SUITE_TIMEOUT_S 300

static int suite_run(const char *name, const TTest *const *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *cases = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;
	size_t i;

	tcase_set_timeout(cases, SUITE_TIMEOUT_S);
	for (i = 0; i < count; i++)
		tcase_add_test(cases, tests[i]);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A main that runs the tests named. */
#define SUITE(name, ...)                                                       \
	int main(void)                                                         \
	{                                                                      \
		const TTest *tests[] = {__VA_ARGS__};                          \
                                                                               \
		return suite_run(name, tests,                                  \
				 sizeof(tests) / sizeof(tests[0]));            \
	}

#endif
