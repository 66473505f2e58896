/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TOKEN_H
#define BASE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

/* Public ids: a prefix and 20 uniformly random base62 characters. */
#define ID_RANDOM_CHARS 20
#define ID_SIZE 32 /* holds the longest prefix, the characters and a NUL */
void id_make(char out[ID_SIZE], const char *prefix); /* "card_" */
/* Prefix and 10 to 24 base62 characters. */
bool id_valid(const char *text, const char *prefix);

/* "req_" and 12 lower-case hex digits. */
#define REQUEST_ID_SIZE 17
void request_id_make(char out[REQUEST_ID_SIZE]);
bool request_id_valid(const char *text);

#endif
