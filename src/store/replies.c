/* SPDX-License-Identifier: Apache-2.0 */
#include "replies.h"

static const struct db_field claim_params[] = {
	{DB_INT, offsetof(struct reply_claim, wallet_id)},
	{DB_BLOB, offsetof(struct reply_claim, key)},
	{DB_BLOB, offsetof(struct reply_claim, fingerprint)},
};

static const struct db_field record_columns[] = {
	{DB_TEXT, offsetof(struct reply_record, outcome)},
	{DB_INT, offsetof(struct reply_record, status)},
	{DB_BLOB, offsetof(struct reply_record, sealed)},
};

static const struct db_field store_params[] = {
	{DB_INT, offsetof(struct reply_store, wallet_id)},
	{DB_BLOB, offsetof(struct reply_store, key)},
	{DB_INT, offsetof(struct reply_store, status)},
	{DB_BLOB, offsetof(struct reply_store, sealed)},
};

const struct statement reply_claim_statement = {
	.name = "tx_begin",
	.sql = "CALL tx_begin(?, ?, ?)",
	DB_PARAMS(claim_params),
	.columns = record_columns,
	.column_count = sizeof(record_columns) / sizeof(record_columns[0]),
	.row_size = sizeof(struct reply_record),
};

const struct statement reply_store_statement = {
	.name = "tx_commit",
	.sql = "CALL tx_commit(?, ?, ?, ?)",
	DB_PARAMS(store_params),
};
