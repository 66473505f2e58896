/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_DES_H
#define BASE_DES_H

#include <stdbool.h>

/*
 * One block of DES (FIPS 46-3) and of two-key triple DES, encrypt A, decrypt
 * B, encrypt A. The card verification value is defined in terms of both;
 * nothing else may use them. Parity bits of the keys are ignored. False when
 * OpenSSL refuses.
 */
bool des_encrypt(const unsigned char key[8], const unsigned char block[8],
		 unsigned char out[8]);
bool des3_encrypt(const unsigned char key_pair[16],
		  const unsigned char block[8], unsigned char out[8]);

#endif
