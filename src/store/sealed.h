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

/*
 * What webhooks, API keys and 3-D Secure keep sealed. Each kind is read in the
 * order of id and number, from what follows a row; context is what the
 * ciphertext belongs to.
 */
struct sealed_row {
	int64_t id, number;
	const char *context;
	struct bytes sealed;
};

struct sealed_walk {
	int64_t id, number;
	int64_t present; /* the key under which nothing is to be done */
};

struct sealed_change {
	struct bytes sealed;
	int64_t id, number;
	struct bytes before;
};

enum sealed_kind {
	SEALED_SECRETS,
	SEALED_PREVIOUS_SECRETS,
	SEALED_BODIES,
	SEALED_ANSWERS,
	SEALED_API_KEYS,
	SEALED_CODES,
	SEALED_TOLD_CODES, /* after those they are copied from */
	SEALED_KINDS
};

extern const struct statement sealed_rows_statements[SEALED_KINDS];
extern const struct statement sealed_change_statements[SEALED_KINDS];

extern const struct statement sealed_card_key_ids_statement;
extern const struct statement sealed_cards_statement;
extern const struct statement sealed_card_change_statement;
extern const struct statement sealed_reply_key_ids_statement;
extern const struct statement sealed_replies_statement;
extern const struct statement sealed_reply_change_statement;

#endif
