/* SPDX-License-Identifier: Apache-2.0 */
#include "cvv2.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../base/des.h"
#include "../base/secret.h"

#define INPUT_DIGITS 32

static bool is_digits(const char *text, size_t least, size_t most)
{
	size_t len = strspn(text, "0123456789");

	return text[len] == '\0' && len >= least && len <= most;
}

/* Packs the digits two to a byte; what they do not fill stays zero. */
static void pack(unsigned char packed[INPUT_DIGITS / 2], const char *pan,
		 const char *expiry, const char *service_code)
{
	const char *const parts[] = {pan, expiry, service_code};
	size_t at = 0;

	memset(packed, 0, INPUT_DIGITS / 2);
	for (size_t part = 0; part < 3; part++) {
		for (const char *digit = parts[part]; *digit != '\0'; digit++) {
			int shift = at % 2 == 0 ? 4 : 0;

			packed[at / 2] |=
				(unsigned char)((*digit - '0') << shift);
			at++;
		}
	}
}

/* The first three decimal digits; where there are fewer, A-F less 10. */
static void decimalize(char cvv[4], const unsigned char block[8])
{
	size_t count = 0;

	for (unsigned char from = 0; from <= 10; from += 10) {
		for (size_t i = 0; i < 16 && count < 3; i++) {
			unsigned char nibble = i % 2 == 0 ? block[i / 2] >> 4
							  : block[i / 2] & 15;

			if ((nibble >= 10) == (from == 10))
				cvv[count++] = (char)('0' + nibble - from);
		}
	}
	cvv[3] = '\0';
}

bool cvv2_compute(char cvv[4], const unsigned char key_pair[16],
		  const char *pan, const char *expiry, const char *service_code)
{
	unsigned char packed[INPUT_DIGITS / 2], block[8];
	bool ok;

	if (!is_digits(pan, 12, 19) || !is_digits(expiry, 4, 4) ||
	    !is_digits(service_code, 3, 3))
		return false;
	pack(packed, pan, expiry, service_code);
	ok = des_encrypt(key_pair, packed, block);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= packed[8 + i];
	ok = ok && des3_encrypt(key_pair, block, block);
	if (ok)
		decimalize(cvv, block);
	secret_wipe(packed, sizeof(packed));
	secret_wipe(block, sizeof(block));
	return ok;
}
