/* SPDX-License-Identifier: Apache-2.0 */
#include "money.h"

#include <assert.h>
#include <string.h>

static bool same_currency(struct money a, struct money b)
{
	return strncmp(a.currency, b.currency, sizeof(a.currency)) == 0;
}

static bool in_range(int64_t cents)
{
	return cents >= -MONEY_MAX_CENTS && cents <= MONEY_MAX_CENTS;
}

bool money_add(struct money *sum, struct money a, struct money b)
{
	int64_t cents;

	if (!same_currency(a, b) ||
	    __builtin_add_overflow(a.cents, b.cents, &cents) ||
	    !in_range(cents))
		return false;
	*sum = a;
	sum->cents = cents;
	return true;
}

bool money_sub(struct money *difference, struct money a, struct money b)
{
	int64_t cents;

	if (!same_currency(a, b) ||
	    __builtin_sub_overflow(a.cents, b.cents, &cents) ||
	    !in_range(cents))
		return false;
	*difference = a;
	difference->cents = cents;
	return true;
}

struct money money_negate(struct money a)
{
	assert(a.cents != INT64_MIN);
	a.cents = -a.cents;
	return a;
}

int money_compare(struct money a, struct money b)
{
	assert(same_currency(a, b));
	return (a.cents > b.cents) - (a.cents < b.cents);
}

int money_sign(struct money a)
{
	return (a.cents > 0) - (a.cents < 0);
}

bool money_is_zero(struct money a)
{
	return a.cents == 0;
}

struct money money_min(struct money a, struct money b)
{
	return money_compare(a, b) <= 0 ? a : b;
}

/*
 * A number in parts: its digits from the first to the last that is not zero
 * (the point may stand among them), and the power of ten of those two.
 */
struct decimal {
	bool negative, zero;
	const char *first, *last;
	int64_t high, low;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Where the digits end that begin at text. */
static const char *skip_digits(const char *text)
{
	while (is_digit(*text))
		text++;
	return text;
}

/* The exponent at text, "" or "e-2", the whole rest; far ones saturate beyond
 * the reach of any number of digits that fits into memory. */
static bool read_exponent(const char *text, int64_t *exponent)
{
	bool negative;

	*exponent = 0;
	if (*text == '\0')
		return true;
	if (*text != 'e' && *text != 'E')
		return false;
	text++;
	negative = *text == '-';
	if (*text == '-' || *text == '+')
		text++;
	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); text++)
		if (*exponent < INT64_MAX / 100)
			*exponent = *exponent * 10 + (*text - '0');
	if (negative)
		*exponent = -*exponent;
	return *text == '\0';
}

static bool read_decimal(const char *text, struct decimal *decimal)
{
	const char *digits, *point, *end, *at;
	int64_t exponent;

	memset(decimal, 0, sizeof(*decimal));
	decimal->negative = *text == '-';
	digits = text + decimal->negative;
	end = point = skip_digits(digits);
	if (point == digits || (*digits == '0' && point - digits > 1))
		return false;
	if (*point == '.') {
		end = skip_digits(point + 1);
		if (end == point + 1)
			return false;
	}
	if (!read_exponent(end, &exponent))
		return false;
	for (at = digits; at < end; at++) {
		int64_t power = point - at - (at < point) + exponent;

		if (*at == '0' || *at == '.')
			continue;
		if (decimal->first == NULL) {
			decimal->first = at;
			decimal->high = power;
		}
		decimal->last = at;
		decimal->low = power;
	}
	decimal->zero = decimal->first == NULL;
	return true;
}

enum money_parse money_parse_usd(const char *number, struct money *amount)
{
	struct decimal decimal;
	int64_t cents = 0, power;
	const char *at;

	if (!read_decimal(number, &decimal))
		return MONEY_MALFORMED;
	if (decimal.zero) {
		*amount = MONEY_USD(0);
		return MONEY_OK;
	}
	if (decimal.high > 11)
		return MONEY_RANGE;
	if (decimal.low < -2)
		return MONEY_TOO_PRECISE;
	/* From here on there are at most 14 digits. */
	for (at = decimal.first; at <= decimal.last; at++)
		if (*at != '.')
			cents = cents * 10 + (*at - '0');
	for (power = decimal.low; power > -2; power--)
		cents *= 10;
	*amount = MONEY_USD(decimal.negative ? -cents : cents);
	return MONEY_OK;
}

void money_format(char out[MONEY_TEXT_SIZE], struct money amount)
{
	uint64_t rest = amount.cents < 0 ? -(uint64_t)amount.cents
					 : (uint64_t)amount.cents;
	char digits[MONEY_TEXT_SIZE];
	size_t at = sizeof(digits);
	int place;

	digits[--at] = '\0';
	for (place = 0; place < 3 || rest > 0; place++) {
		if (place == 2)
			digits[--at] = '.';
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	}
	if (amount.cents < 0)
		digits[--at] = '-';
	memcpy(out, digits + at, sizeof(digits) - at);
}
