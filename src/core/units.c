/* SPDX-License-Identifier: Apache-2.0 */
#include "units.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool units_parse(char units[UNITS_SIZE], const char *coins, int decimals)
{
	int fraction = -1; /* digits behind the point; -1 before it */
	size_t len = 0;

	if (!is_digit(*coins))
		return false;
	for (; *coins != '\0'; coins++) {
		if (*coins == '.' && fraction < 0 && is_digit(coins[1])) {
			fraction = 0;
			continue;
		}
		if (!is_digit(*coins) || fraction >= decimals)
			return false;
		if (fraction >= 0)
			fraction++;
		if (len == 0 && *coins == '0')
			continue;
		if (len == 38)
			return false;
		units[len++] = *coins;
	}
	for (int i = fraction < 0 ? 0 : fraction; i < decimals && len > 0;
	     i++) {
		if (len == 38)
			return false;
		units[len++] = '0';
	}
	if (len == 0)
		units[len++] = '0';
	units[len] = '\0';
	return true;
}

void units_format(char coins[UNITS_SIZE + 2], const char *units, int decimals)
{
	size_t len = strlen(units), fraction = (size_t)decimals, out = 0;

	while (fraction > 0 && len > 1 && units[len - 1] == '0') {
		len--;
		fraction--;
	}
	if (len == 1 && units[0] == '0')
		fraction = 0;
	if (len <= fraction) {
		coins[out++] = '0';
		coins[out++] = '.';
		for (size_t i = len; i < fraction; i++)
			coins[out++] = '0';
		memcpy(coins + out, units, len);
		out += len;
	} else {
		memcpy(coins, units, len - fraction);
		out = len - fraction;
		if (fraction > 0) {
			coins[out++] = '.';
			memcpy(coins + out, units + len - fraction, fraction);
			out += fraction;
		}
	}
	coins[out] = '\0';
}
