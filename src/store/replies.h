/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_REPLIES_H
#define STORE_REPLIES_H

#include "../base/text.h"
#include "../db/db.h"

/*
 * Idempotency records: tx_begin claims the key as the transaction's first
 * statement, tx_commit stores the answer as its last, so that record and
 * effect stand or fall together. Without a key they only begin and commit.
 */
struct reply_claim {
	int64_t wallet_id;
	struct bytes key; /* data NULL: none */
	struct bytes fingerprint;
};

struct reply_record {
	const char *outcome; /* ok, replay, idempotency_key_reused */
	int64_t status;
	struct bytes sealed;
};

struct reply_store {
	int64_t wallet_id;
	struct bytes key;
	int64_t status;
	struct bytes sealed;
};

extern const struct statement reply_claim_statement; /* CALL tx_begin */
extern const struct statement reply_store_statement; /* CALL tx_commit */

#endif
