/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MONEY_H
#define BASE_MONEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An amount in the minor unit of its currency. The raw member is touched by
 * money.c, the JSON and SQL binders and tests only; anywhere else the line
 * says why in a comment "raw: …", or lint fails.
 */
struct money {
	int64_t cents;
	char currency[4]; /* ISO 4217 */
};

#define MONEY_USD(c) ((struct money){.cents = (c), .currency = "USD"})
#define MONEY_MAX_CENTS INT64_C(99999999999999) /* 999,999,999,999.99 */
#define MONEY_TEXT_SIZE 24

/* False, with *sum untouched, when currencies differ or the range is left. */
__attribute__((warn_unused_result)) bool money_add(struct money *sum,
						   struct money a,
						   struct money b);
__attribute__((warn_unused_result)) bool money_sub(struct money *difference,
						   struct money a,
						   struct money b);

struct money money_negate(struct money a);
/* <0, 0, >0; both of one currency (asserted). */
int money_compare(struct money a, struct money b);
int money_sign(struct money a);
bool money_is_zero(struct money a);
struct money money_min(struct money a, struct money b);

/*
 * Dollars as the wire has them, both ways: JSON number grammar, at most two
 * decimals that are not zero ("500", "500.0", "5e2", "500.000" are equal),
 * within ±MONEY_MAX_CENTS. Never a floating-point number in between.
 */
enum money_parse {
	MONEY_OK,
	MONEY_MALFORMED,
	MONEY_TOO_PRECISE,
	MONEY_RANGE
};
enum money_parse money_parse_usd(const char *number, struct money *amount);
/* Always two decimals: "9.99", "-12.50". */
void money_format(char out[MONEY_TEXT_SIZE], struct money amount);

#endif
