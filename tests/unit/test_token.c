/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/base/token.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "../../src/base/secret.h"
#include "../../src/base/text.h"
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
		ck_assert_mem_eq(ids[i], "card_", 5);
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

/* Each id has one UUID of version 4, and no other has it. */
START_TEST(ids_are_uuids)
{
	static char uuids[IDS][UUID_SIZE];
	char id[ID_SIZE], back[ID_SIZE], upper[UUID_SIZE];

	for (int i = 0; i < IDS; i++) {
		id_make(id, "txn_");
		ck_assert(uuid_of_id(id, uuids[i]));
		ck_assert(uuid_valid(uuids[i]));
		ck_assert_int_eq(uuids[i][14], '4');
		ck_assert_ptr_nonnull(strchr("89ab", uuids[i][19]));
		for (int j = 0; j < UUID_SIZE; j++)
			upper[j] = (char)toupper((unsigned char)uuids[i][j]);
		ck_assert(id_of_uuid(upper, "txn_", back));
		ck_assert_str_eq(back, id);
	}
	qsort(uuids, IDS, UUID_SIZE, by_text);
	for (int i = 1; i < IDS; i++)
		ck_assert_str_ne(uuids[i - 1], uuids[i]);
}
END_TEST

/* The ends of the range, and that tokens made once are made for ever. */
START_TEST(uuids_stay)
{
	static const struct {
		const char *id, *uuid;
	} known[] = {
		{"card_00000000000000000000",
		 "6847e881-a75d-4451-9ed8-b8e60e259e5f"},
		{"card_zzzzzzzzzzzzzzzzzzzz",
		 "16cde08f-a9fc-40de-8b88-cf018b9ea6c2"},
		{"card_0123456789ABCDEFGHIJ",
		 "1e259869-be61-4258-ba77-b3a2ed402f2c"},
	};
	char uuid[UUID_SIZE], id[ID_SIZE];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		ck_assert(uuid_of_id(known[i].id, uuid));
		ck_assert_str_eq(uuid, known[i].uuid);
		ck_assert(id_of_uuid(uuid, "card_", id));
		ck_assert_str_eq(id, known[i].id);
	}
}
END_TEST

/* Two ids that differ in one character have nothing in common. */
START_TEST(uuids_are_spread)
{
	char id[ID_SIZE], uuid[UUID_SIZE], other[UUID_SIZE];
	int same, all = 0;

	for (int i = 0; i < 1000; i++) {
		id_make(id, "card_");
		ck_assert(uuid_of_id(id, uuid));
		id[5 + i % ID_RANDOM_CHARS] =
			id[5 + i % ID_RANDOM_CHARS] == 'a' ? 'b' : 'a';
		ck_assert(uuid_of_id(id, other));
		same = 0;
		for (int j = 0; j < UUID_SIZE - 1; j++)
			same += uuid[j] == other[j] && uuid[j] != '-' &&
				j != 14 && j != 19;
		/* 30 digits: 2 of them by chance. */
		ck_assert_int_lt(same, 14);
		all += same;
	}
	ck_assert_int_gt(all, 1500);
	ck_assert_int_lt(all, 2300);
}
END_TEST

START_TEST(what_is_no_token)
{
	static const char *const texts[] = {
		"",
		"-",
		"card_00000000000000000000",
		"6f0c5af4-0000-4000-8000-00000000000",
		"6f0c5af4-0000-4000-8000-0000000000000",
		"6f0c5af4-0000-4000-8000-00000000000g",
		"6f0c5af400000-4000-8000-000000000000",
		"6f0c5af4-0000-4000-8000-000000000 00",
		"\xc3\xa9-c5af4-0000-4000-8000-0000000000",
	};
	char id[ID_SIZE], uuid[UUID_SIZE], hex[33];
	unsigned char random[16];
	int taken = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ck_assert(!uuid_valid(texts[i]));
		ck_assert(!id_of_uuid(texts[i], "card_", id));
	}
	/* Well written, but of another version, of another variant. */
	ck_assert(uuid_of_id("card_00000000000000000000", uuid));
	uuid[14] = '1';
	ck_assert(uuid_valid(uuid));
	ck_assert(!id_of_uuid(uuid, "card_", id));
	uuid[14] = '4';
	uuid[19] = 'c';
	ck_assert(uuid_valid(uuid));
	ck_assert(!id_of_uuid(uuid, "card_", id));
	/* 13 % of all UUIDs could be an id's. */
	for (int i = 0; i < IDS; i++) {
		random_bytes(random, sizeof(random));
		hex_encode(hex, random, sizeof(random));
		uuid_of_hex(hex, uuid);
		taken += id_of_uuid(uuid, "card_", id);
	}
	ck_assert_int_gt(taken, IDS / 10);
	ck_assert_int_lt(taken, IDS / 6);
	ck_assert(!uuid_of_id("card_0000000000000000000", uuid));
	ck_assert(!uuid_of_id("card_000000000000000000000", uuid));
	ck_assert(!uuid_of_id("card_0000000000000000000-", uuid));
	ck_assert(!uuid_of_id("00000000000000000000", uuid));
}
END_TEST

/* The first 12 digits of a request's 32 stay, as they stand in its id. */
START_TEST(hex_as_uuid)
{
	char uuid[UUID_SIZE];

	uuid_of_hex("0123456789abcdef0123456789abcdef", uuid);
	ck_assert_str_eq(uuid, "01234567-89ab-4def-8123-456789abcdef");
	uuid_of_hex("ffffffffffffffffffffffffffffffff", uuid);
	ck_assert_str_eq(uuid, "ffffffff-ffff-4fff-bfff-ffffffffffff");
	uuid_of_hex("000000000000e0005000000000000000", uuid);
	ck_assert_str_eq(uuid, "00000000-0000-4000-9000-000000000000");
}
END_TEST

SUITE("token", ids_are_valid_unique_and_uniform, request_ids, ids_are_uuids,
      uuids_stay, uuids_are_spread, what_is_no_token, hex_as_uuid)
