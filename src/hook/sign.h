/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOOK_SIGN_H
#define HOOK_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/text.h"

struct arena;

/* A secret's longest text. */
#define WEBHOOK_SECRET_MAX 255

/*
 * "whsec_" and the base64 of 24 to 64 bytes, as Standard Webhooks has it; or
 * 16 to 255 printable ASCII characters that do not begin so.
 */
bool webhook_secret_valid(struct arena *arena, const char *secret);
/* A new one: whsec_ and 32 random bytes. Wipe with the arena. */
char *webhook_secret_new(struct arena *arena);

struct signatures {
	/* X-Webhook-Signature: hex HMAC-SHA256 of the body under the secret's
	 * whole text. */
	const char *hex;
	/* webhook-signature (Standard Webhooks 1.0): "v1,BASE64" of
	 * id.timestamp.body; two of them while previous is there. */
	const char *standard;
};

/* secret and previous are valid ones; previous is NULL outside a rotation's
 * overlap. timestamp is Unix seconds of this attempt. */
void webhook_sign(struct arena *arena, const char *secret, const char *previous,
		  const char *id, int64_t timestamp, struct bytes body,
		  struct signatures *signatures);

#endif
