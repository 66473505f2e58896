/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/base/token.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"

#define IDS 20000

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

START_TEST(ids_are_valid_unique_and_uniform)
{
	static char ids[IDS][ID_SIZE];
	static unsigned int seen[256];
	const char *p;
	int i, used = 0;

	for (i = 0; i < IDS; i++) {
		id_make(ids[i], "card_");
		ck_assert_uint_eq(strlen(ids[i]), 5 + ID_RANDOM_CHARS);
		ck_assert(id_valid(ids[i], "card_"));
		ck_assert(!id_valid(ids[i], "txn_"));
		for (p = ids[i] + 5; *p != '\0'; p++)
			seen[(unsigned char)*p]++;
	}
	qsort(ids, IDS, ID_SIZE, by_text);
	for (i = 1; i < IDS; i++)
		ck_assert_str_ne(ids[i - 1], ids[i]);
	/* 6452 expected of each; 10 % off is over 8 standard deviations. */
	for (i = 0; i < 256; i++) {
		if (seen[i] == 0)
			continue;
		used++;
		ck_assert_msg(seen[i] > 5800 && seen[i] < 7100, "%c: %u", i,
			      seen[i]);
	}
	ck_assert_int_eq(used, 62);
}
END_TEST

START_TEST(id_lengths_and_characters)
{
	char id[64];
	int len, c;

	for (len = 0; len < 40; len++) {
		(void)snprintf(id, sizeof(id), "wh_%.*s", len,
			       "0123456789ABCDEFGHIJabcdefghij0123456789");
		ck_assert(id_valid(id, "wh_") == (len >= 10 && len <= 24));
	}
	for (c = 1; c < 256; c++) {
		bool good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			    (c >= 'a' && c <= 'z');

		(void)snprintf(id, sizeof(id), "wh_0123456789%c", c);
		ck_assert_msg(id_valid(id, "wh_") == good, "%d", c);
	}
	ck_assert(!id_valid("", "wh_"));
	ck_assert(!id_valid("wh", "wh_"));
}
END_TEST

START_TEST(request_ids)
{
	char id[REQUEST_ID_SIZE], other[REQUEST_ID_SIZE];

	request_id_make(id);
	request_id_make(other);
	ck_assert(request_id_valid(id));
	ck_assert_str_ne(id, other);
	ck_assert(request_id_valid("req_0123456789ab"));
	ck_assert(!request_id_valid("req_0123456789a"));
	ck_assert(!request_id_valid("req_0123456789abc"));
	ck_assert(!request_id_valid("req_0123456789aB"));
	ck_assert(!request_id_valid("req_0123456789a\n"));
	ck_assert(!request_id_valid("rex_0123456789ab"));
	ck_assert(!request_id_valid(""));
}
END_TEST

SUITE("token", ids_are_valid_unique_and_uniform, id_lengths_and_characters,
      request_ids)
