/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/core/cvv2.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/base/des.h"
#include "../../src/base/text.h"

/*
 * Public worked examples: a C magstripe test suite, the docstring of the
 * Python library psec, and jPOS's JCESecurityModuleTest; each was computed
 * again with other software.
 */
static const struct {
	const char *key_pair, *pan, *expiry, *service_code, *cvv;
} examples[] = {
	{"0123456789abcdeffedcba9876543210", "4123456789012345", "8701", "101",
	 "561"},
	{"0123456789abcdeffedcba9876543210", "4999988887777000", "9105", "111",
	 "245"},
	{"0123456789abcdeffedcba9876543210", "4666655554444111", "9206", "120",
	 "664"},
	{"0123456789abcdeffedcba9876543210", "1234567890123456", "9912", "220",
	 "170"},
	{"12345678123456781234567812345678", "123456789012", "1108", "000",
	 "204"},
};

START_TEST(published_examples)
{
	unsigned char key_pair[16];
	char cvv[4];

	ck_assert(hex_decode(key_pair, 16, examples[_i].key_pair));
	ck_assert(cvv2_compute(cvv, key_pair, examples[_i].pan,
			       examples[_i].expiry, examples[_i].service_code));
	ck_assert_str_eq(cvv, examples[_i].cvv);
}
END_TEST

/* NIST SP 800-17, variable plaintext known answer; a textbook example. */
START_TEST(single_des)
{
	unsigned char key[8], block[8], expected[8], out[8];

	ck_assert(hex_decode(key, 8, "0101010101010101"));
	ck_assert(hex_decode(block, 8, "8000000000000000"));
	ck_assert(hex_decode(expected, 8, "95f8a5e5dd31d900"));
	ck_assert(des_encrypt(key, block, out));
	ck_assert_mem_eq(out, expected, 8);
	ck_assert(hex_decode(key, 8, "133457799bbcdff1"));
	ck_assert(hex_decode(block, 8, "0123456789abcdef"));
	ck_assert(hex_decode(expected, 8, "85e813540f0ab405"));
	ck_assert(des_encrypt(key, block, out));
	ck_assert_mem_eq(out, expected, 8);
}
END_TEST

START_TEST(each_input_matters)
{
	static const unsigned char key_pair[16] = "any sixteen byte";
	char pan[] = "4916530000000009", cvv[4];
	int changed = 0;

	/* Every result is three digits, and other inputs give others. */
	for (int i = 0; i < 100; i++) {
		char expiry[] = "2904", other[4];

		expiry[3] = (char)('0' + i % 10);
		expiry[2] = (char)('0' + i / 10);
		ck_assert(cvv2_compute(other, key_pair, pan, expiry, "000"));
		ck_assert_uint_eq(strlen(other), 3);
		ck_assert_uint_eq(strspn(other, "0123456789"), 3);
		if (i > 0)
			changed += strcmp(cvv, other) != 0;
		memcpy(cvv, other, sizeof(cvv));
	}
	ck_assert_int_gt(changed, 90);
}
END_TEST

START_TEST(refuses_wrong_inputs)
{
	static const unsigned char key_pair[16];
	const char *pan = "4123456789012345";
	char cvv[4];

	ck_assert(cvv2_compute(cvv, key_pair, pan, "2904", "000"));
	ck_assert(!cvv2_compute(cvv, key_pair, "", "2904", "000"));
	ck_assert(!cvv2_compute(cvv, key_pair, "41234567890", "2904", "000"));
	ck_assert(!cvv2_compute(cvv, key_pair, "41234567890123456789", "2904",
				"000"));
	ck_assert(!cvv2_compute(cvv, key_pair, "412345678901234x", "2904",
				"000"));
	ck_assert(!cvv2_compute(cvv, key_pair, pan, "290", "000"));
	ck_assert(!cvv2_compute(cvv, key_pair, pan, "29041", "000"));
	ck_assert(!cvv2_compute(cvv, key_pair, pan, "29/4", "000"));
	ck_assert(!cvv2_compute(cvv, key_pair, pan, "2904", "00"));
	ck_assert(!cvv2_compute(cvv, key_pair, pan, "2904", "0000"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cvv2");
	TCase *cases = tcase_create("cvv2");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(cases, published_examples, 0,
			    sizeof(examples) / sizeof(examples[0]));
	tcase_add_test(cases, single_des);
	tcase_add_test(cases, each_input_matters);
	tcase_add_test(cases, refuses_wrong_inputs);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
