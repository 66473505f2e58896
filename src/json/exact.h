/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_EXACT_H
#define JSON_EXACT_H

#include <jansson.h>
#include <stddef.h>

struct arena;
struct text;

/*
 * JSON whose numbers keep their text. Jansson reads 9.99 through a double and
 * refuses integers beyond int64, so each number token is quoted behind a NUL
 * before Jansson sees it: in the tree a number is a string whose first byte is
 * NUL and whose rest is the number as the sender wrote it. A NUL of the
 * sender's own ("\u0000") is refused, so no string can pass for a number.
 *
 * Duplicate keys, trailing bytes, bad UTF-8 and nesting beyond 32 are refused.
 * NULL, with *why pointing to a static sentence, when refused; otherwise a new
 * reference, any JSON value.
 */
json_t *exact_parse(struct arena *arena, const char *body, size_t len,
		    const char **why);
/* The same; *key is the repeated key, in the arena, or NULL when that is not
 * why. */
json_t *exact_parse_key(struct arena *arena, const char *body, size_t len,
			const char **why, const char **key);

/* Bytes of the number (RFC 8259 section 6) that text begins with; 0: none. */
size_t exact_number_length(const char *text, size_t len);

/* The number's text, or NULL when the value is not a number. */
const char *exact_number(const json_t *value);
/* Text of a JSON string, or NULL when the value is not a string. */
const char *exact_string(const json_t *value);

/* Compact JSON text; numbers as they were written, keys in their order. */
void exact_print(struct text *out, const json_t *value);

#endif
