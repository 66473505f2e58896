/* SPDX-License-Identifier: Apache-2.0 */
#include "pan.h"

#include <stddef.h>
#include <string.h>

/* How many digits stand before the check digit. */
#define PAN_PAYLOAD (PAN_SIZE - 2)

/* From the right every second digit counts double, its own two digits added;
 * what is missing to the next ten is the check digit. */
char luhn_digit(const char *digits)
{
	bool doubled = true;
	int sum = 0;

	for (size_t i = strlen(digits); i > 0; i--) {
		int digit = digits[i - 1] - '0';

		if (doubled)
			digit = digit > 4 ? digit * 2 - 9 : digit * 2;
		sum += digit;
		doubled = !doubled;
	}
	return "0987654321"[sum % 10];
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
