/* SPDX-License-Identifier: Apache-2.0 */
#include "sign.h"

#include <string.h>

#include "../base/arena.h"
#include "../base/secret.h"

#define PREFIX "whsec_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define PLAIN_MIN 16
#define KEY_MIN 24
#define KEY_MAX 64
#define KEY_NEW 32
#define MAC_SIZE 32

static bool is_standard(const char *secret)
{
	return strncmp(secret, PREFIX, PREFIX_LEN) == 0;
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

bool webhook_secret_valid(struct arena *arena, const char *secret)
{
	size_t len = strlen(secret);

	if (!is_standard(secret))
		return len >= PLAIN_MIN && len <= WEBHOOK_SECRET_MAX &&
		       is_printable(secret);
	return len <= WEBHOOK_SECRET_MAX &&
	       base64_decode(arena, secret + PREFIX_LEN, &len) != NULL &&
	       len >= KEY_MIN && len <= KEY_MAX;
}

char *webhook_secret_new(struct arena *arena)
{
	unsigned char key[KEY_NEW];
	char *secret;

	random_bytes(key, sizeof(key));
	secret = arena_printf(arena, "%s%s", PREFIX,
			      base64_encode(arena, key, sizeof(key)));
	secret_wipe(key, sizeof(key));
	return secret;
}

static struct bytes whole_text(const char *secret)
{
	return (struct bytes){secret, strlen(secret)};
}

/* The part of a secret that Standard Webhooks signs with. */
static struct bytes standard_key(struct arena *arena, const char *secret)
{
	struct bytes key = whole_text(secret);
	unsigned char *decoded;
	size_t len;

	if (!is_standard(secret))
		return key;
	decoded = base64_decode(arena, secret + PREFIX_LEN, &len);
	return decoded != NULL ? (struct bytes){decoded, len} : key;
}

static void add_standard(struct arena *arena, struct text *to,
			 const char *secret, const struct text *message)
{
	unsigned char mac[MAC_SIZE];

	hmac_sha256(standard_key(arena, secret),
		    (struct bytes){message->data, message->len}, mac);
	text_add(to, to->len > 0 ? " v1," : "v1,");
	text_add(to, base64_encode(arena, mac, sizeof(mac)));
}

void webhook_sign(struct arena *arena, const char *secret, const char *previous,
		  const char *id, int64_t timestamp, struct bytes body,
		  struct signatures *signatures)
{
	char *hex = arena_alloc(arena, 2 * MAC_SIZE + 1);
	unsigned char mac[MAC_SIZE];
	struct text message, standard;

	hmac_sha256(whole_text(secret), body, mac);
	hex_encode(hex, mac, sizeof(mac));
	signatures->hex = hex;

	text_init(&message, arena);
	text_printf(&message, "%s.%lld.", id, (long long)timestamp);
	text_add_n(&message, body.data, body.len);
	text_init(&standard, arena);
	add_standard(arena, &standard, secret, &message);
	if (previous != NULL)
		add_standard(arena, &standard, previous, &message);
	signatures->standard = standard.data;
}
