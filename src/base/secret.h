/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

struct arena;

/*
 * Master keys: a file (see secret_file_fits) of lines
 * "ID 64-hex-digits", ID 1-65535 ascending; '#' comments. The last line is
 * the present key: new ciphertext is made under it. The first line, the root,
 * also yields the keys that cannot change without the plaintext at hand: card
 * look-up, CVV, seeds. Each key for use is HKDF-SHA256 (RFC 5869) of a master
 * key, its info naming the purpose. The ring lives in locked, undumped memory;
 * the lock does not pass fork, so each worker opens its own ring.
 */
struct keyring;

enum key_purpose {
	KEY_PAN_ENCRYPTION,
	KEY_PAN_LOOKUP,
	KEY_CVV,
	KEY_REPLY,
	KEY_SEED,
	KEY_WEBHOOK_SECRET,
	KEY_CURSOR,
	KEY_LEDGER_SEAL,
	KEY_OTP,
	KEY_EVENT, /* bodies of webhooks, and what receivers answered */
	KEY_API_KEY,
	KEY_PURPOSES
};

/*
 * Whether nobody else may read an open file: a regular one of mode 0400 or
 * 0600, or of 0440 where systemd made it (in $CREDENTIALS_DIRECTORY). Writes
 * why not into error.
 */
bool secret_file_fits(int file, const char *path, char *error,
		      size_t error_size);

struct keyring *keyring_open(const char *path, char *error, size_t error_size);
void keyring_close(struct keyring *ring);
/* Memory locks do not pass a fork: a child locks its copy again. */
bool keyring_lock(const struct keyring *ring);
uint16_t keyring_present(const struct keyring *ring);
bool keyring_has(const struct keyring *ring, uint16_t id);

/*
 * AES-256-GCM (NIST SP 800-38D), random 96-bit nonce: key id (2 bytes, big
 * endian) | nonce 12 | ciphertext | tag 16. context is the associated data.
 * seal writes plain.len + SEAL_OVERHEAD bytes. open fails (false) on another
 * context, an unknown key or any changed byte.
 */
#define SEAL_OVERHEAD 30
bool secret_seal(const struct keyring *ring, enum key_purpose purpose,
		 const char *context, struct bytes plain,
		 unsigned char *sealed);
bool secret_open(const struct keyring *ring, enum key_purpose purpose,
		 const char *context, struct bytes sealed,
		 unsigned char *plain);

/* HMAC-SHA256 under the root's key for the purpose. */
void secret_hmac(const struct keyring *ring, enum key_purpose purpose,
		 struct bytes message, unsigned char out[32]);
/* The root's 32-byte key for the purpose itself (CVV keys); wipe after use. */
void secret_key(const struct keyring *ring, enum key_purpose purpose,
		unsigned char out[32]);

void sha256(struct bytes message, unsigned char out[32]);
/* RFC 2104, under a key that is not the ring's. */
void hmac_sha256(struct bytes key, struct bytes message, unsigned char out[32]);
/* RFC 5869; len is at most 255 * 32. */
void hkdf_sha256(struct bytes secret, struct bytes salt, struct bytes info,
		 unsigned char *out, size_t len);
bool secret_equal(const void *a, const void *b, size_t len); /* constant time */
void secret_wipe(void *memory, size_t len);
void random_bytes(void *out, size_t len); /* getrandom; never fails */
uint32_t random_below(uint32_t bound);	  /* uniform, no modulo bias */

#endif
