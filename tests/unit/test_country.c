/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/core/country.h"

#include <stdio.h>

#include "suite.h"

START_TEST(known_pairs)
{
	/* ISO 3166-1, online browsing platform. */
	static const char *const pairs[][2] = {
		{"AD", "AND"}, {"CH", "CHE"}, {"DE", "DEU"}, {"GB", "GBR"},
		{"KY", "CYM"}, {"US", "USA"}, {"ZW", "ZWE"}, {"XK", "XKX"},
	};
	char alpha3[4], alpha2[3];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		ck_assert(country_alpha3(pairs[i][0], alpha3));
		ck_assert_str_eq(alpha3, pairs[i][1]);
		ck_assert(country_alpha2(pairs[i][1], alpha2));
		ck_assert_str_eq(alpha2, pairs[i][0]);
	}
}
END_TEST

START_TEST(every_code_has_one_other)
{
	char code[3] = "AA", alpha3[4], back[3];
	int count = 0;

	for (int i = 0; i < 26 * 26; i++) {
		code[0] = (char)('A' + i / 26);
		code[1] = (char)('A' + i % 26);
		if (!country_alpha3(code, alpha3))
			continue;
		count++;
		ck_assert(country_alpha2(alpha3, back));
		ck_assert_str_eq(back, code);
	}
	ck_assert_int_eq(count, 250);
}
END_TEST

START_TEST(others_are_unknown)
{
	static const char *const wrong[] = {"",	  "U",	 "us",	"USA", "ZZ",
					    "D ", " DE", "NDA", "UK",  "DEU "};
	static const char *const wrong3[] = {"",    "US",  "usa", "ZZZ",
					     "ADA", "D A", "USAX"};
	char out[4];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert(!country_alpha3(wrong[i], out));
	for (size_t i = 0; i < sizeof(wrong3) / sizeof(wrong3[0]); i++)
		ck_assert(!country_alpha2(wrong3[i], out));
}
END_TEST

SUITE("country", known_pairs, every_code_has_one_other, others_are_unknown)
