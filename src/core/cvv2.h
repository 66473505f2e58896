/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CVV2_H
#define CORE_CVV2_H

#include <stdbool.h>

/*
 * Card verification value (Visa CVV2, Mastercard CVC2): PAN, expiry and
 * service code right-filled with zeros to 32 digits; DES under the first half
 * of the key pair of the first block, XOR the second, triple DES (A,B,A);
 * decimal digits first, then A-F less 10; the first three. expiry is four
 * digits as fed (YYMM for CVV2), service code three ("000" for CVV2).
 * False when the inputs are not digits of the right length or OpenSSL fails.
 */
bool cvv2_compute(char cvv[4], const unsigned char key_pair[16],
		  const char *pan, const char *expiry,
		  const char *service_code);

#endif
