/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Moments are Unix seconds, UTC, in int64_t; 0 stands for "never". */

int64_t clock_now(void);	  /* seconds, wall clock */
int64_t clock_monotonic_us(void); /* microseconds, for measuring */

#define TIME_TEXT_SIZE 21 /* "2026-04-15T12:00:00Z" */
/* Years 0000 to 9999. */
void time_format(char out[TIME_TEXT_SIZE], int64_t moment);

/*
 * RFC 3339 date-time with any offset (fraction allowed and dropped, leap
 * second 60 read as 59), or a bare date, which means midnight UTC. Strict:
 * the whole string, real calendar dates only.
 */
bool time_parse(const char *text, int64_t *moment);

/* Proleptic Gregorian calendar. month 1-12, day 1-31. */
struct date {
	int year, month, day;
};
int64_t time_from_date(struct date date); /* midnight UTC */
struct date date_of(int64_t moment);
int month_days(int year, int month);

#endif
