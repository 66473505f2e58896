/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/core/category.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_name(const char *word)
{
	for (const char *const *name = category_names; *name != NULL; name++)
		if (strcmp(*name, word) == 0)
			return true;
	return false;
}

START_TEST(ranges_partition_the_codes)
{
	int next = 0;

	for (size_t i = 0; i < category_range_count; i++) {
		ck_assert_int_eq(category_ranges[i].first, next);
		ck_assert_int_ge(category_ranges[i].last, next);
		ck_assert(is_name(category_ranges[i].category));
		next = category_ranges[i].last + 1;
	}
	ck_assert_int_eq(next, 10000);
}
END_TEST

START_TEST(names_are_sorted_and_used)
{
	for (const char *const *name = category_names; *name != NULL; name++) {
		bool used = false;

		if (name != category_names)
			ck_assert_str_lt(name[-1], *name);
		ck_assert_uint_lt(strlen(*name), 40);
		for (size_t i = 0; i < category_range_count; i++)
			used = used ||
			       strcmp(category_ranges[i].category, *name) == 0;
		ck_assert_msg(used, "%s", *name);
	}
}
END_TEST

START_TEST(look_up_agrees_with_the_table)
{
	for (size_t i = 0; i < category_range_count; i++) {
		for (int code = category_ranges[i].first;
		     code <= category_ranges[i].last; code++) {
			char mcc[5] = {(char)('0' + code / 1000),
				       (char)('0' + code / 100 % 10),
				       (char)('0' + code / 10 % 10),
				       (char)('0' + code % 10), '\0'};

			ck_assert_str_eq(category_of(mcc),
					 category_ranges[i].category);
		}
	}
}
END_TEST

/* What a payments person expects of well-known codes. */
static const struct {
	const char *mcc, *category;
} expected[] = {
	{"0000", "agriculture"},
	{"0742", "pets"},		   /* veterinary services */
	{"1520", "home"},		   /* general contractors */
	{"1711", "home"},		   /* heating, plumbing */
	{"2741", "professional_services"}, /* publishing and printing */
	{"3000", "airlines"},		   /* United */
	{"3299", "airlines"},
	{"3351", "car_rental"},
	{"3389", "car_rental"}, /* Avis */
	{"3501", "lodging"},
	{"3504", "lodging"}, /* Hilton */
	{"3999", "lodging"},
	{"4111", "transportation"}, /* commuter transport */
	{"4119", "health"},	    /* ambulances */
	{"4121", "transportation"}, /* taxicabs */
	{"4215", "shipping"},	    /* couriers */
	{"4411", "travel"},	    /* cruise lines */
	{"4511", "airlines"},
	{"4722", "travel"},	    /* travel agencies */
	{"4784", "transportation"}, /* tolls */
	{"4814", "telecom"},
	{"4816", "software"},  /* computer networks, hosting */
	{"4829", "financial"}, /* wire transfer */
	{"4899", "telecom"},
	{"4900", "utilities"},
	{"5045", "software"},
	{"5047", "health"},
	{"5172", "fuel"},
	{"5200", "home"},
	{"5262", "shopping"}, /* marketplaces */
	{"5311", "shopping"},
	{"5411", "groceries"},
	{"5499", "groceries"},
	{"5511", "automotive"},
	{"5541", "fuel"},
	{"5542", "fuel"},
	{"5552", "fuel"}, /* electric vehicle charging */
	{"5651", "clothing"},
	{"5712", "home"},
	{"5732", "electronics"},
	{"5734", "software"},
	{"5812", "restaurants"},
	{"5814", "restaurants"},
	{"5815", "software"},
	{"5818", "software"},
	{"5912", "health"}, /* pharmacies */
	{"5921", "alcohol_tobacco"},
	{"5942", "shopping"}, /* books */
	{"5960", "insurance"},
	{"5962", "travel"},
	{"5967", "adult"},
	{"5968", "subscriptions"},
	{"5993", "alcohol_tobacco"},
	{"5995", "pets"},
	{"5999", "shopping"},
	{"6011", "financial"}, /* cash machines */
	{"6051", "financial"}, /* quasi-cash */
	{"6211", "financial"},
	{"6300", "insurance"},
	{"6513", "real_estate"},
	{"6540", "financial"}, /* stored value load */
	{"7011", "lodging"},
	{"7230", "personal_services"},
	{"7311", "advertising"},
	{"7321", "financial"},
	{"7333", "professional_services"},
	{"7372", "software"},
	{"7379", "software"},
	{"7392", "professional_services"},
	{"7399", "professional_services"},
	{"7512", "car_rental"},
	{"7523", "transportation"}, /* parking */
	{"7538", "automotive"},
	{"7800", "gambling"},
	{"7801", "gambling"},
	{"7802", "gambling"},
	{"7832", "entertainment"},
	{"7841", "entertainment"},
	{"7994", "entertainment"},
	{"7995", "gambling"},
	{"7996", "entertainment"},
	{"8011", "health"},
	{"8062", "health"},
	{"8111", "professional_services"},
	{"8220", "education"},
	{"8351", "personal_services"}, /* child care */
	{"8398", "charity"},
	{"8661", "charity"},
	{"8931", "professional_services"},
	{"9211", "government"},
	{"9311", "government"},
	{"9402", "shipping"}, /* postal services */
	{"9406", "gambling"}, /* state lotteries */
	{"9950", "other"},
	{"9999", "other"},
	{"", "other"},
	{"731", "other"},
	{"73111", "other"},
	{"73x1", "other"},
	{"-731", "other"},
};

START_TEST(well_known_codes)
{
	ck_assert_msg(strcmp(category_of(expected[_i].mcc),
			     expected[_i].category) == 0,
		      "%s is %s, not %s", expected[_i].mcc,
		      category_of(expected[_i].mcc), expected[_i].category);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("category");
	TCase *cases = tcase_create("category");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(cases, ranges_partition_the_codes);
	tcase_add_test(cases, names_are_sorted_and_used);
	tcase_add_test(cases, look_up_agrees_with_the_table);
	tcase_add_loop_test(cases, well_known_codes, 0,
			    sizeof(expected) / sizeof(expected[0]));
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
