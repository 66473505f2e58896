/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
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

/* --- UUIDs --- */

#define HALF_CHARS (ID_RANDOM_CHARS / 2)
#define HALF_LIMIT UINT64_C(839299365868340224) /* 62^10 */
#define HALF_BITS 61
#define HALF_MASK ((UINT64_C(1) << HALF_BITS) - 1)
#define ROUNDS 4

static uint64_t half_of(const char *digits)
{
	uint64_t half = 0;

	for (size_t i = 0; i < HALF_CHARS; i++)
		half = half * 62 +
		       (uint64_t)(strchr(base62, digits[i]) - base62);
	return half;
}

static void half_print(char *digits, uint64_t half)
{
	for (size_t i = HALF_CHARS; i-- > 0; half /= 62)
		digits[i] = base62[half % 62];
}

/* The first 61 bits of SHA-256 of the round's number and the half. */
static uint64_t spread(unsigned char number, uint64_t half)
{
	unsigned char message[9] = {number}, digest[32];
	uint64_t bits = 0;

	for (size_t i = 0; i < 8; i++)
		message[1 + i] = (unsigned char)(half >> (56 - 8 * i));
	sha256((struct bytes){message, sizeof(message)}, digest);
	for (size_t i = 0; i < 8; i++)
		bits = bits << 8 | digest[i];
	return bits >> (64 - HALF_BITS);
}

void uuid_of_hex(const char hex[33], char uuid[UUID_SIZE])
{
	static const char variants[] = "89ab";

	(void)snprintf(uuid, UUID_SIZE, "%.8s-%.4s-4%.3s-%c%.3s-%.12s", hex,
		       hex + 8, hex + 13, variants[hex_value(hex[16]) & 3],
		       hex + 17, hex + 20);
}

bool uuid_of_id(const char *public_id, char uuid[UUID_SIZE])
{
	const char *digits = strchr(public_id, '_');
	uint64_t left, right, next;
	char hex[33];

	if (digits == NULL || strlen(++digits) != ID_RANDOM_CHARS ||
	    strspn(digits, base62) != ID_RANDOM_CHARS)
		return false;
	left = half_of(digits);
	right = half_of(digits + HALF_CHARS);
	for (unsigned char i = 0; i < ROUNDS; i++) {
		next = left ^ spread(i, right);
		left = right;
		right = next;
	}
	/* 60 bits around the version, 62 behind the variant. */
	next = (left >> 13) << 16 | (left >> 1 & 0xfff);
	right |= (left & 1) << HALF_BITS;
	(void)snprintf(hex, sizeof(hex), "%016llx%016llx",
		       (unsigned long long)next, (unsigned long long)right);
	uuid_of_hex(hex, uuid);
	return true;
}

/* The 32 digits as two numbers; false unless it is written as a UUID. */
static bool uuid_read(const char *text, uint64_t words[2])
{
	size_t digit = 0;

	words[0] = words[1] = 0;
	for (size_t i = 0; i < UUID_SIZE - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		int value = hex_value(text[i]);

		if (dash ? text[i] != '-' : value < 0)
			return false;
		if (dash)
			continue;
		words[digit / 16] = words[digit / 16] << 4 | (uint64_t)value;
		digit++;
	}
	return text[UUID_SIZE - 1] == '\0';
}

bool uuid_valid(const char *text)
{
	uint64_t words[2];

	return uuid_read(text, words);
}

bool id_of_uuid(const char *uuid, const char *prefix, char id[ID_SIZE])
{
	uint64_t words[2], left, right, last;
	size_t len = strlen(prefix);

	assert(len + ID_RANDOM_CHARS < ID_SIZE);
	if (!uuid_read(uuid, words) || (words[0] >> 12 & 0xf) != 4 ||
	    words[1] >> 62 != 2)
		return false;
	left = (words[0] >> 16) << 12 | (words[0] & 0xfff);
	left = left << 1 | (words[1] >> HALF_BITS & 1);
	right = words[1] & HALF_MASK;
	for (unsigned char i = ROUNDS; i-- > 0;) {
		last = right ^ spread(i, left);
		right = left;
		left = last;
	}
	if (left >= HALF_LIMIT || right >= HALF_LIMIT)
		return false;
	memcpy(id, prefix, len);
	half_print(id + len, left);
	half_print(id + len + HALF_CHARS, right);
	id[len + ID_RANDOM_CHARS] = '\0';
	return true;
}
