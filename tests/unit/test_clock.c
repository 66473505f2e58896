/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/base/clock.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "suite.h"

#define DAY_S 86400

/* Every day of ten thousand years, against the C library and the next day. */
START_TEST(every_day_agrees_with_libc)
{
	int64_t moment = time_from_date((struct date){0, 1, 1});
	int64_t end = time_from_date((struct date){9999, 12, 31});

	ck_assert_int_eq(moment, INT64_C(-62167219200));
	for (; moment <= end; moment += DAY_S) {
		struct date date = date_of(moment);
		time_t seconds = (time_t)moment;
		struct tm tm;

		(void)gmtime_r(&seconds, &tm);
		if (date.year != tm.tm_year + 1900 ||
		    date.month != tm.tm_mon + 1 || date.day != tm.tm_mday)
			ck_abort_msg("day of %lld", (long long)moment);
		if (time_from_date(date) != moment)
			ck_abort_msg("moment of %d-%d-%d", date.year,
				     date.month, date.day);
	}
}
END_TEST

START_TEST(a_day_is_one_date_to_its_last_second)
{
	static const int64_t days[] = {-62167219200, -DAY_S, 0, 951782400,
				       1776211200};
	size_t i;

	for (i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
		struct date first = date_of(days[i]);
		struct date last = date_of(days[i] + DAY_S - 1);
		struct date next = date_of(days[i] + DAY_S);

		ck_assert_mem_eq(&first, &last, sizeof(first));
		ck_assert(next.day != last.day);
	}
}
END_TEST

START_TEST(months_have_their_days)
{
	static const int plain[] = {31, 28, 31, 30, 31, 30,
				    31, 31, 30, 31, 30, 31};
	int year, month;

	for (year = 1; year < 2810; year++)
		for (month = 1; month <= 12; month++) {
			int64_t first =
				time_from_date((struct date){year, month, 1});
			int64_t next = time_from_date((struct date){
				year + month / 12, month % 12 + 1, 1});
			int days = (int)((next - first) / DAY_S);

			ck_assert_int_eq(month_days(year, month), days);
			if (month != 2)
				ck_assert_int_eq(days, plain[month - 1]);
		}
	ck_assert_int_eq(month_days(1900, 2), 28);
	ck_assert_int_eq(month_days(2000, 2), 29);
	ck_assert_int_eq(month_days(2024, 2), 29);
	ck_assert_int_eq(month_days(2026, 2), 28);
}
END_TEST

START_TEST(format_and_parse_agree)
{
	char text[TIME_TEXT_SIZE];
	int64_t moment, back;

	for (moment = -62167219200; moment <= 253402300799;
	     moment += 86400 * 37 + 3607) {
		time_format(text, moment);
		ck_assert(time_parse(text, &back));
		ck_assert_int_eq(back, moment);
	}
	time_format(text, 1776254400);
	ck_assert_str_eq(text, "2026-04-15T12:00:00Z");
	time_format(text, 253402300799);
	ck_assert_str_eq(text, "9999-12-31T23:59:59Z");
	time_format(text, INT64_MAX);
	ck_assert_str_eq(text, "9999-12-31T23:59:59Z");
	time_format(text, INT64_MIN);
	ck_assert_str_eq(text, "0000-01-01T00:00:00Z");
}
END_TEST

START_TEST(parse_takes)
{
	static const struct {
		const char *text;
		int64_t moment;
	} good[] = {
		{"2026-04-15T12:00:00Z", 1776254400},
		{"2026-04-15t12:00:00z", 1776254400},
		{"2026-04-15T12:00:00.999999999999999999999Z", 1776254400},
		{"2026-04-15T14:00:00+02:00", 1776254400},
		{"2026-04-15T06:30:00-05:30", 1776254400},
		{"2026-04-14T12:01:00-23:59", 1776254400},
		{"2026-04-15T12:00:00-00:00", 1776254400},
		{"2026-04-15", 1776211200},
		{"2024-02-29", 1709164800},
		{"2016-12-31T23:59:60Z", 1483228799},
		{"1970-01-01T00:00:00Z", 0},
		{"0000-01-01", -62167219200},
	};
	int64_t moment;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(time_parse(good[i].text, &moment), "%s",
			      good[i].text);
		ck_assert_int_eq(moment, good[i].moment);
	}
}
END_TEST

START_TEST(parse_refuses)
{
	static const char *const bad[] = {
		"",
		"2026",
		"2026-4-15",
		"2026-04-31",
		"2026-02-29",
		"1900-02-29",
		"2026-13-01",
		"2026-00-01",
		"2026-01-00",
		"20260415",
		"2026-04-15 ",
		" 2026-04-15",
		"2026-04-15T",
		"2026-04-15T12:00Z",
		"2026-04-15T12:00:00",
		"2026-04-15 12:00:00Z",
		"2026-04-15T24:00:00Z",
		"2026-04-15T12:60:00Z",
		"2026-04-15T12:00:61Z",
		"2026-04-15T12:00:00.Z",
		"2026-04-15T12:00:00,5Z",
		"2026-04-15T12:00:00ZZ",
		"2026-04-15T12:00:00+0200",
		"2026-04-15T12:00:00+24:00",
		"2026-04-15T12:00:00+02:60",
		"2026-04-15T12:00:00 02:00",
		"2026-04-15T12:00:00+2:00",
		"+026-04-15",
		"-2026-04-15",
		"12026-04-15",
		"1776254400",
		"0000-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
	};
	int64_t moment = 7;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!time_parse(bad[i], &moment), "%s", bad[i]);
	ck_assert_int_eq(moment, 7);
}
END_TEST

/* No proper beginning of a moment is one, but for its bare date. */
START_TEST(parse_takes_no_part)
{
	const char *whole = "2026-04-15T12:00:00.25+02:00";
	char part[40];
	int64_t moment;
	int len;

	for (len = 0; len < (int)strlen(whole); len++) {
		(void)snprintf(part, sizeof(part), "%.*s", len, whole);
		ck_assert_msg(time_parse(part, &moment) == (len == 10), "%s",
			      part);
	}
}
END_TEST

START_TEST(clocks_run)
{
	int64_t before = clock_monotonic_us();

	ck_assert_int_gt(clock_now(), 1700000000);
	ck_assert_int_ge(clock_monotonic_us(), before);
}
END_TEST

SUITE("clock", every_day_agrees_with_libc, a_day_is_one_date_to_its_last_second,
      months_have_their_days, format_and_parse_agree, parse_takes,
      parse_refuses, parse_takes_no_part, clocks_run)
