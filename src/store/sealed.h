/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_SEALED_H
#define STORE_SEALED_H

#include "../base/text.h"
#include "../db/db.h"

/*
 * What is kept encrypted under the master keys, for re-encryption: batches in
 * the order of a key, each row replaced only where it is still what was read.
 */
struct sealed_key_id {
	int64_t id;
};

struct sealed_card {
	int64_t id;
	const char *public_id;
	struct bytes sealed;
};

/* The batch of cards under one key id, after a card's row id. */
struct sealed_card_walk {
	int64_t key_id, after;
};

struct sealed_card_change {
	struct bytes sealed; /* under key_id */
	int64_t key_id;
	int64_t id;
	struct bytes before;
};

struct sealed_reply {
	int64_t wallet_id;
	struct bytes key;
	struct bytes sealed;
};

/* The batch of answers not under the present key, after a record. */
struct sealed_reply_walk {
	int64_t wallet_id;
	struct bytes key;
	int64_t present;
};

struct sealed_reply_change {
	struct bytes sealed;
	int64_t wallet_id;
	struct bytes key;
	struct bytes before;
};

struct sealed_api_key {
	int64_t id;
	const char *public_id;
	struct bytes sealed;
};

/* The batch of kept API keys not under the present key, after a row id. */
struct sealed_api_key_walk {
	int64_t after, present;
};

struct sealed_api_key_change {
	struct bytes sealed;
	int64_t id;
	struct bytes before;
};

extern const struct statement sealed_card_key_ids_statement;
extern const struct statement sealed_cards_statement;
extern const struct statement sealed_card_change_statement;
extern const struct statement sealed_reply_key_ids_statement;
extern const struct statement sealed_replies_statement;
extern const struct statement sealed_reply_change_statement;
extern const struct statement sealed_api_keys_statement;
extern const struct statement sealed_api_key_change_statement;

#endif
