/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/* Bytes that belong to somebody else. */
struct bytes {
	const void *data;
	size_t len;
};

/* A growing string in an arena; data is always NUL-terminated. */
struct text {
	struct arena *arena;
	char *data;
	size_t len, size;
};

void text_init(struct text *text, struct arena *arena);
void text_add(struct text *text, const char *string);
void text_add_n(struct text *text, const char *bytes, size_t len);
void text_add_char(struct text *text, char c);
void text_add_int(struct text *text, int64_t value);
void text_printf(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Whether bytes are valid UTF-8 without NUL (RFC 3629). */
bool utf8_valid(const char *bytes, size_t len);
/* Code points in a valid UTF-8 string. */
size_t utf8_length(const char *string);

/* Decimal integer with optional '-', the whole string, in range of int64. */
bool text_to_int(const char *string, int64_t *value);

/* 0-15 of a hex digit of either case; -1 of anything else. */
int hex_value(char c);
/* Lower-case hex. hex_encode writes 2*len+1 bytes. */
void hex_encode(char *hex, const void *bytes, size_t len);
bool hex_decode(void *bytes, size_t len, const char *hex);

/* RFC 4648 base64 with padding, into the arena; decode returns NULL if bad. */
char *base64_encode(struct arena *arena, const void *bytes, size_t len);
unsigned char *base64_decode(struct arena *arena, const char *text,
			     size_t *len);

/* "%41+b" → "A b" in place, form encoding; false on a bad escape, NUL or
 * invalid UTF-8. */
bool form_decode(char *text);

#endif
