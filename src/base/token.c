/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <assert.h>
#include <string.h>

#include "secret.h"
#include "text.h"

static const char base62[] =
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* A multiple of 62 below 256: bytes beyond would favour the first digits. */
#define FAIR_BYTES 248

void id_make(char out[ID_SIZE], const char *prefix)
{
	unsigned char random[2 * ID_RANDOM_CHARS];
	size_t len = strlen(prefix), end = len + ID_RANDOM_CHARS;
	size_t i = sizeof(random);

	assert(end < ID_SIZE);
	memcpy(out, prefix, len);
	while (len < end) {
		if (i == sizeof(random)) {
			random_bytes(random, sizeof(random));
			i = 0;
		}
		if (random[i] < FAIR_BYTES)
			out[len++] = base62[random[i] % 62];
		i++;
	}
	out[end] = '\0';
}

bool id_valid(const char *text, const char *prefix)
{
	size_t len = strlen(prefix), rest;

	if (strncmp(text, prefix, len) != 0)
		return false;
	rest = strspn(text + len, base62);
	return rest >= 10 && rest <= 24 && text[len + rest] == '\0';
}

void request_id_make(char out[REQUEST_ID_SIZE])
{
	unsigned char random[6];

	random_bytes(random, sizeof(random));
	memcpy(out, "req_", 4);
	hex_encode(out + 4, random, sizeof(random));
}

bool request_id_valid(const char *text)
{
	return strncmp(text, "req_", 4) == 0 &&
	       strspn(text + 4, "0123456789abcdef") == 12 && text[16] == '\0';
}
