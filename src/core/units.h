/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_UNITS_H
#define CORE_UNITS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Amounts of crypto currencies: decimal text of coins outside ("0.0075"),
 * decimal text of base units inside ("750000"): 256-bit tokens fit no integer
 * of C.
 */
#define UNITS_SIZE 40 /* 38 digits, a point and a NUL */

/* False when coins is not digits with at most decimals of them behind a
 * point, or has more than 38 digits in base units. */
bool units_parse(char units[UNITS_SIZE], const char *coins, int decimals);
/* Shortest text: "0.0075", "12", "0". units is digits. */
void units_format(char coins[UNITS_SIZE + 2], const char *units, int decimals);

#endif
