/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TOKEN_H
#define BASE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

/* Public ids: a prefix and 20 uniformly random base62 characters. */
#define ID_RANDOM_CHARS 20
#define ID_SIZE 32 /* holds the longest prefix, the characters and a NUL */
void id_make(char out[ID_SIZE], const char *prefix); /* "card_" */

/*
 * An id's other form: a UUID of version 4 (RFC 9562). One id has one UUID, and
 * nothing need be stored: 61 bits are each half of the 20 characters, spread by
 * four rounds of a Feistel network over SHA-256, so that ids that look alike do
 * not have UUIDs that do. No secret: sql/routines has the same function. The
 * prefix is not part of it. uuid_of_id is false for what has not exactly 20
 * random characters; id_of_uuid, which takes either case, for what is no UUID
 * of version 4 and for the 87 % of UUIDs that no id has.
 */
#define UUID_SIZE 37
bool uuid_of_id(const char *public_id, char uuid[UUID_SIZE]);
bool id_of_uuid(const char *uuid, const char *prefix, char id[ID_SIZE]);
/* 8-4-4-4-12 hex digits, of any version. */
bool uuid_valid(const char *text);
/* 32 lower-case hex digits as a UUID of version 4: the first 12 stay. */
void uuid_of_hex(const char hex[33], char uuid[UUID_SIZE]);

/* "req_" and 12 lower-case hex digits. */
#define REQUEST_ID_SIZE 17
void request_id_make(char out[REQUEST_ID_SIZE]);
bool request_id_valid(const char *text);

#endif
