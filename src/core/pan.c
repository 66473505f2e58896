/* SPDX-License-Identifier: Apache-2.0 */
#include "pan.h"

#include <stddef.h>
#include <string.h>

/* How many digits stand before the check digit. */
#define PAN_PAYLOAD (PAN_SIZE - 2)

static bool all_digits(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/*
 * The Luhn sum: from the right every second digit counts double, its own two
 * digits added. doubled says whether the rightmost is such a one.
 */
static int luhn_sum(const char *digits, bool doubled)
{
	int sum = 0;

	for (size_t i = strlen(digits); i > 0; i--) {
		int digit = digits[i - 1] - '0';

		if (doubled)
			digit = digit > 4 ? digit * 2 - 9 : digit * 2;
		sum += digit;
		doubled = !doubled;
	}
	return sum;
}

bool luhn_valid(const char *digits)
{
	return all_digits(digits) && luhn_sum(digits, false) % 10 == 0;
}

char luhn_digit(const char *digits)
{
	return "0987654321"[luhn_sum(digits, true) % 10];
}

bool pan_valid(const char *pan)
{
	return strlen(pan) == PAN_SIZE - 1 && luhn_valid(pan);
}

uint64_t pan_space(const char *prefix)
{
	uint64_t space = 1;

	for (size_t len = strlen(prefix); len < PAN_PAYLOAD; len++)
		space *= 10;
	return space;
}

void pan_build(char pan[PAN_SIZE], const char *prefix, uint64_t middle)
{
	size_t prefix_len = strlen(prefix);

	memcpy(pan, prefix, prefix_len);
	for (size_t i = PAN_PAYLOAD; i > prefix_len; i--) {
		pan[i - 1] = (char)('0' + middle % 10);
		middle /= 10;
	}
	pan[PAN_PAYLOAD] = '\0';
	pan[PAN_PAYLOAD] = luhn_digit(pan);
	pan[PAN_PAYLOAD + 1] = '\0';
}
