/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <stddef.h>
#include <time.h>

#define DAY_S INT64_C(86400)
/* Year 0000's first second and 9999's last. */
#define MOMENT_MIN INT64_C(-62167219200)
#define MOMENT_MAX INT64_C(253402300799)

int64_t clock_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

int64_t clock_monotonic_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool leap_year(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30,
				   31, 31, 30, 31, 30, 31};

	return month == 2 && leap_year(year) ? 29 : days[month - 1];
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * Days since 1970-01-01 and back, by years that begin in March so that the
 * leap day comes last, in eras of 400 years (146097 days): after Howard
 * Hinnant, "chrono-Compatible Low-Level Date Algorithms".
 */
int64_t time_from_date(struct date date)
{
	int64_t year = (int64_t)date.year - (date.month <= 2);
	int64_t era = floor_div(year, 400);
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year =
		(153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 +
		date.day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 -
			     year_of_era / 100 + day_of_year;

	return (era * 146097 + day_of_era - 719468) * DAY_S;
}

struct date date_of(int64_t moment)
{
	int64_t days = floor_div(moment, DAY_S) + 719468;
	int64_t era = floor_div(days, 146097);
	int64_t day_of_era = days - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 +
			       day_of_era / 36524 - day_of_era / 146096) /
			      365;
	int64_t day_of_year =
		day_of_era -
		(365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * day_of_year + 2) / 153;
	int month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);

	return (struct date){
		.year = (int)(year_of_era + era * 400 + (month <= 2)),
		.month = month,
		.day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1),
	};
}

static char *put_digits(char *to, int64_t value, int digits)
{
	int i;

	for (i = digits - 1; i >= 0; i--) {
		to[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return to + digits;
}

void time_format(char out[TIME_TEXT_SIZE], int64_t moment)
{
	struct date date;
	int64_t second;

	if (moment < MOMENT_MIN)
		moment = MOMENT_MIN;
	if (moment > MOMENT_MAX)
		moment = MOMENT_MAX;
	date = date_of(moment);
	second = moment - time_from_date(date);
	out = put_digits(out, date.year, 4);
	*out++ = '-';
	out = put_digits(out, date.month, 2);
	*out++ = '-';
	out = put_digits(out, date.day, 2);
	*out++ = 'T';
	out = put_digits(out, second / 3600, 2);
	*out++ = ':';
	out = put_digits(out, second / 60 % 60, 2);
	*out++ = ':';
	out = put_digits(out, second % 60, 2);
	*out++ = 'Z';
	*out = '\0';
}

/* Takes so many digits off *text, of a value from min to max. */
static bool take_number(const char **text, int digits, int min, int max,
			int *value)
{
	*value = 0;
	for (; digits > 0; digits--) {
		if (**text < '0' || **text > '9')
			return false;
		*value = *value * 10 + (*(*text)++ - '0');
	}
	return *value >= min && *value <= max;
}

static bool take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

static bool take_date(const char **text, struct date *date)
{
	return take_number(text, 4, 0, 9999, &date->year) &&
	       take_char(text, '-') &&
	       take_number(text, 2, 1, 12, &date->month) &&
	       take_char(text, '-') &&
	       take_number(text, 2, 1, month_days(date->year, date->month),
			   &date->day);
}

/* "12:00:00.25", in seconds of the day. */
static bool take_time(const char **text, int64_t *second_of_day)
{
	int hour, minute, second;

	if (!take_number(text, 2, 0, 23, &hour) || !take_char(text, ':') ||
	    !take_number(text, 2, 0, 59, &minute) || !take_char(text, ':') ||
	    !take_number(text, 2, 0, 60, &second))
		return false;
	if (take_char(text, '.')) {
		if (**text < '0' || **text > '9')
			return false;
		while (**text >= '0' && **text <= '9')
			(*text)++;
	}
	if (second == 60)
		second = 59;
	*second_of_day = (int64_t)hour * 3600 + minute * 60 + second;
	return true;
}

/* "Z" or "+02:00", in seconds east of UTC. */
static bool take_offset(const char **text, int64_t *offset)
{
	bool west = **text == '-';
	int hour, minute;

	*offset = 0;
	if (take_char(text, 'Z') || take_char(text, 'z'))
		return true;
	if (!take_char(text, west ? '-' : '+') ||
	    !take_number(text, 2, 0, 23, &hour) || !take_char(text, ':') ||
	    !take_number(text, 2, 0, 59, &minute))
		return false;
	*offset = (int64_t)hour * 3600 + minute * 60;
	if (west)
		*offset = -*offset;
	return true;
}

bool time_parse(const char *text, int64_t *moment)
{
	int64_t second_of_day = 0, offset = 0, result;
	struct date date;

	if (!take_date(&text, &date))
		return false;
	if (*text != '\0') {
		if (!take_char(&text, 'T') && !take_char(&text, 't'))
			return false;
		if (!take_time(&text, &second_of_day) ||
		    !take_offset(&text, &offset))
			return false;
	}
	result = time_from_date(date) + second_of_day - offset;
	/* An offset may lead out of the years that time_format can print. */
	if (*text != '\0' || result < MOMENT_MIN || result > MOMENT_MAX)
		return false;
	*moment = result;
	return true;
}
