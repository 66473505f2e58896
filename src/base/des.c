/* SPDX-License-Identifier: Apache-2.0 */
#include "des.h"

#include <openssl/evp.h>
#include <string.h>

#include "secret.h"

bool des3_encrypt(const unsigned char key_pair[16],
		  const unsigned char block[8], unsigned char out[8])
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	unsigned char key[24];
	int len = 0;
	bool ok = false;

	if (context == NULL)
		return false;
	memcpy(key, key_pair, 16);
	memcpy(key + 16, key_pair, 8);
	if (EVP_EncryptInit_ex(context, EVP_des_ede3_ecb(), NULL, key, NULL) ==
		    1 &&
	    EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
	    EVP_EncryptUpdate(context, out, &len, block, 8) == 1)
		ok = len == 8;
	secret_wipe(key, sizeof(key));
	EVP_CIPHER_CTX_free(context);
	return ok;
}

/*
 * Triple DES with both halves equal is single DES. OpenSSL 3 keeps single DES
 * in its legacy provider, which an operator should not have to load.
 */
bool des_encrypt(const unsigned char key[8], const unsigned char block[8],
		 unsigned char out[8])
{
	unsigned char twice[16];
	bool ok;

	memcpy(twice, key, 8);
	memcpy(twice + 8, key, 8);
	ok = des3_encrypt(twice, block, out);
	secret_wipe(twice, sizeof(twice));
	return ok;
}
