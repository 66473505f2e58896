/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/base/money.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../src/base/secret.h"
#include "suite.h"

static void check_parse(const char *text, int64_t cents)
{
	struct money amount = {0, ""};

	ck_assert_msg(money_parse_usd(text, &amount) == MONEY_OK, "%s", text);
	ck_assert_msg(amount.cents == cents, "%s is %" PRId64, text,
		      amount.cents);
	ck_assert_str_eq(amount.currency, "USD");
}

/* Prints and parses back, and so do all spellings of the same amount. */
static void check_amount(int64_t cents)
{
	char text[MONEY_TEXT_SIZE], other[128], plain[32];
	const char *sign = cents < 0 ? "-" : "";
	int64_t size = cents < 0 ? -cents : cents;
	int shift;

	money_format(text, MONEY_USD(cents));
	(void)snprintf(plain, sizeof(plain), "%s%" PRId64 ".%02" PRId64, sign,
		       size / 100, size % 100);
	ck_assert_str_eq(text, plain);
	check_parse(text, cents);
	(void)snprintf(other, sizeof(other), "%s0000E+0", text);
	check_parse(other, cents);
	for (shift = 0; shift < 20; shift++) {
		(void)snprintf(other, sizeof(other), "%s%" PRId64 "%0*de-%d",
			       sign, size, shift + 1, 0, shift + 3);
		if (size > 0)
			check_parse(other, cents);
		(void)snprintf(other, sizeof(other), "%s0.%0*d%" PRId64 "e%d",
			       sign, shift + 1, 0, size,
			       shift - 1 +
				       snprintf(plain, sizeof(plain),
						"%" PRId64, size));
		check_parse(other, cents);
	}
}

START_TEST(parse_inverts_format)
{
	int64_t cents, power;
	int i;

	for (cents = -300; cents <= 300; cents++)
		check_amount(cents);
	for (power = 1000; power <= MONEY_MAX_CENTS; power *= 10)
		for (cents = power - 2; cents <= power + 2; cents++) {
			check_amount(cents);
			check_amount(-cents);
		}
	for (cents = MONEY_MAX_CENTS - 50; cents <= MONEY_MAX_CENTS; cents++) {
		check_amount(cents);
		check_amount(-cents);
	}
	for (i = 0; i < 200; i++) {
		uint64_t random;

		random_bytes(&random, sizeof(random));
		check_amount((int64_t)(random % MONEY_MAX_CENTS));
	}
}
END_TEST

START_TEST(format_takes_every_int64)
{
	char text[MONEY_TEXT_SIZE];

	money_format(text, MONEY_USD(INT64_MIN));
	ck_assert_str_eq(text, "-92233720368547758.08");
	money_format(text, MONEY_USD(INT64_MAX));
	ck_assert_str_eq(text, "92233720368547758.07");
	money_format(text, MONEY_USD(0));
	ck_assert_str_eq(text, "0.00");
	money_format(text, MONEY_USD(-5));
	ck_assert_str_eq(text, "-0.05");
}
END_TEST

START_TEST(parse_examples)
{
	check_parse("500", 50000);
	check_parse("500.0", 50000);
	check_parse("500.000", 50000);
	check_parse("5e2", 50000);
	check_parse("5E+2", 50000);
	check_parse("1.50e1", 1500);
	check_parse("1e-2", 1);
	check_parse("0.1e1", 100);
	check_parse("100e-4", 1);
	check_parse("-0", 0);
	check_parse("-0.00", 0);
	check_parse("0e999999999", 0);
	check_parse("0e-99999999999999999999999999", 0);
	check_parse("0.000e99999999999999999999999999", 0);
	check_parse("999999999999.99", MONEY_MAX_CENTS);
	check_parse("-999999999999.99", -MONEY_MAX_CENTS);
	check_parse("99999999999999e-2", MONEY_MAX_CENTS);
	check_parse("0.00000000000099999999999999e24", MONEY_MAX_CENTS);
}
END_TEST

START_TEST(parse_refuses)
{
	static const struct {
		const char *text;
		enum money_parse result;
	} bad[] = {
		{"", MONEY_MALFORMED},
		{"-", MONEY_MALFORMED},
		{"+1", MONEY_MALFORMED},
		{"01", MONEY_MALFORMED},
		{"-01", MONEY_MALFORMED},
		{"00", MONEY_MALFORMED},
		{".5", MONEY_MALFORMED},
		{"5.", MONEY_MALFORMED},
		{"5.e1", MONEY_MALFORMED},
		{"1e", MONEY_MALFORMED},
		{"1e+", MONEY_MALFORMED},
		{"1e1.5", MONEY_MALFORMED},
		{"1 ", MONEY_MALFORMED},
		{" 1", MONEY_MALFORMED},
		{"1,00", MONEY_MALFORMED},
		{"1.0.0", MONEY_MALFORMED},
		{"0x1", MONEY_MALFORMED},
		{"NaN", MONEY_MALFORMED},
		{"Infinity", MONEY_MALFORMED},
		{"$1", MONEY_MALFORMED},
		{"1e400x", MONEY_MALFORMED},
		{"9.999", MONEY_TOO_PRECISE},
		{"0.001", MONEY_TOO_PRECISE},
		{"1e-3", MONEY_TOO_PRECISE},
		{"1e-999999999999999999999", MONEY_TOO_PRECISE},
		{"999999999999.991", MONEY_TOO_PRECISE},
		{"0.010000000000000000000000000000000001", MONEY_TOO_PRECISE},
		{"1000000000000", MONEY_RANGE},
		{"-1000000000000.00", MONEY_RANGE},
		{"1e12", MONEY_RANGE},
		{"1e400", MONEY_RANGE},
		{"1e999999999999999999999999", MONEY_RANGE},
		{"9223372036854775808", MONEY_RANGE},
		{"184467440737095516.16", MONEY_RANGE},
	};
	struct money amount = MONEY_USD(7);
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(money_parse_usd(bad[i].text, &amount) ==
				      bad[i].result,
			      "%s", bad[i].text);
	ck_assert_int_eq(amount.cents, 7);
}
END_TEST

START_TEST(parse_takes_absurd_lengths)
{
	enum {
		ZEROS = 60000
	};
	char *text = malloc(ZEROS + 32);

	ck_assert_ptr_nonnull(text);
	/* 12 and a heap of zeros behind the point, then taken back. */
	(void)snprintf(text, ZEROS + 32, "12.%0*d", ZEROS, 0);
	check_parse(text, 1200);
	(void)snprintf(text, ZEROS + 32, "0.%0*d12e%d", ZEROS, 0, ZEROS + 2);
	check_parse(text, 1200);
	(void)snprintf(text, ZEROS + 32, "12%0*de-%d", ZEROS, 0, ZEROS);
	check_parse(text, 1200);
	(void)snprintf(text, ZEROS + 32, "0.%0*d1", ZEROS, 0);
	ck_assert(money_parse_usd(text, &(struct money){0, ""}) ==
		  MONEY_TOO_PRECISE);
	(void)snprintf(text, ZEROS + 32, "1%0*d", ZEROS, 0);
	ck_assert(money_parse_usd(text, &(struct money){0, ""}) == MONEY_RANGE);
	free(text);
}
END_TEST

START_TEST(sums_stay_in_range)
{
	static const int64_t values[] = {
		-MONEY_MAX_CENTS,    -MONEY_MAX_CENTS + 1, -100, -1, 0, 1, 99,
		MONEY_MAX_CENTS - 1, MONEY_MAX_CENTS};
	size_t count = sizeof(values) / sizeof(values[0]), i, j;

	for (i = 0; i < count; i++)
		for (j = 0; j < count; j++) {
			struct money a = MONEY_USD(values[i]);
			struct money b = MONEY_USD(values[j]);
			struct money sum = MONEY_USD(7), back;
			int64_t exact = values[i] + values[j];
			bool fits = exact >= -MONEY_MAX_CENTS &&
				    exact <= MONEY_MAX_CENTS;

			ck_assert(money_add(&sum, a, b) == fits);
			ck_assert_int_eq(sum.cents, fits ? exact : 7);
			if (fits) {
				ck_assert(money_sub(&back, sum, b));
				ck_assert_int_eq(back.cents, a.cents);
			}
			ck_assert(money_sub(&back, a, money_negate(b)) == fits);
			ck_assert_int_eq(money_compare(a, b),
					 -money_compare(b, a));
			ck_assert_int_eq(money_compare(a, b) < 0, i < j);
			ck_assert_int_eq(money_min(a, b).cents,
					 values[i < j ? i : j]);
		}
}
END_TEST

START_TEST(sums_refuse_overflow_and_mixed_currencies)
{
	struct money euro = {100, "EUR"}, out = MONEY_USD(7);

	ck_assert(!money_add(&out, MONEY_USD(100), euro));
	ck_assert(!money_sub(&out, MONEY_USD(100), euro));
	ck_assert(!money_add(&out, MONEY_USD(INT64_MAX), MONEY_USD(1)));
	ck_assert(!money_sub(&out, MONEY_USD(INT64_MIN), MONEY_USD(1)));
	ck_assert_int_eq(out.cents, 7);
	ck_assert(money_add(&out, euro, euro));
	ck_assert_str_eq(out.currency, "EUR");
}
END_TEST

START_TEST(signs)
{
	ck_assert_int_lt(money_sign(MONEY_USD(-1)), 0);
	ck_assert_int_eq(money_sign(MONEY_USD(0)), 0);
	ck_assert_int_gt(money_sign(MONEY_USD(1)), 0);
	ck_assert(money_is_zero(MONEY_USD(0)));
	ck_assert(!money_is_zero(MONEY_USD(-1)));
}
END_TEST

SUITE("money", parse_inverts_format, format_takes_every_int64, parse_examples,
      parse_refuses, parse_takes_absurd_lengths, sums_stay_in_range,
      sums_refuse_overflow_and_mixed_currencies, signs)
