/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed.h"

static const struct db_field key_id_column[] = {
	{DB_INT, offsetof(struct sealed_key_id, id)},
};
static const struct db_field card_columns[] = {
	{DB_INT, offsetof(struct sealed_card, id)},
	{DB_TEXT, offsetof(struct sealed_card, public_id)},
	{DB_BLOB, offsetof(struct sealed_card, sealed)},
};
static const struct db_field card_walk_params[] = {
	{DB_INT, offsetof(struct sealed_card_walk, key_id)},
	{DB_INT, offsetof(struct sealed_card_walk, after)},
};
static const struct db_field card_change_params[] = {
	{DB_BLOB, offsetof(struct sealed_card_change, sealed)},
	{DB_INT, offsetof(struct sealed_card_change, key_id)},
	{DB_INT, offsetof(struct sealed_card_change, id)},
	{DB_BLOB, offsetof(struct sealed_card_change, before)},
};
static const struct db_field reply_columns[] = {
	{DB_INT, offsetof(struct sealed_reply, wallet_id)},
	{DB_BLOB, offsetof(struct sealed_reply, key)},
	{DB_BLOB, offsetof(struct sealed_reply, sealed)},
};
static const struct db_field reply_walk_params[] = {
	{DB_INT, offsetof(struct sealed_reply_walk, wallet_id)},
	{DB_INT, offsetof(struct sealed_reply_walk, wallet_id)},
	{DB_BLOB, offsetof(struct sealed_reply_walk, key)},
	{DB_INT, offsetof(struct sealed_reply_walk, present)},
};
static const struct db_field reply_change_params[] = {
	{DB_BLOB, offsetof(struct sealed_reply_change, sealed)},
	{DB_INT, offsetof(struct sealed_reply_change, wallet_id)},
	{DB_BLOB, offsetof(struct sealed_reply_change, key)},
	{DB_BLOB, offsetof(struct sealed_reply_change, before)},
};
static const struct db_field api_key_columns[] = {
	{DB_INT, offsetof(struct sealed_api_key, id)},
	{DB_TEXT, offsetof(struct sealed_api_key, public_id)},
	{DB_BLOB, offsetof(struct sealed_api_key, sealed)},
};
static const struct db_field api_key_walk_params[] = {
	{DB_INT, offsetof(struct sealed_api_key_walk, after)},
	{DB_INT, offsetof(struct sealed_api_key_walk, present)},
};
static const struct db_field api_key_change_params[] = {
	{DB_BLOB, offsetof(struct sealed_api_key_change, sealed)},
	{DB_INT, offsetof(struct sealed_api_key_change, id)},
	{DB_BLOB, offsetof(struct sealed_api_key_change, before)},
};

const struct statement sealed_card_key_ids_statement = {
	.name = "sealed_card_key_ids",
	.sql = "SELECT DISTINCT pan_key_id FROM cards ORDER BY pan_key_id",
	DB_COLUMNS(key_id_column, struct sealed_key_id),
};
const struct statement sealed_cards_statement = {
	.name = "sealed_cards",
	.sql = "SELECT id, public_id, pan_sealed FROM cards"
	       " WHERE pan_key_id = ? AND id > ? ORDER BY id LIMIT 50",
	DB_PARAMS(card_walk_params),
	DB_COLUMNS(card_columns, struct sealed_card),
};
const struct statement sealed_card_change_statement = {
	.name = "sealed_card_change",
	.sql = "UPDATE cards SET pan_sealed = ?, pan_key_id = ?"
	       " WHERE id = ? AND pan_sealed = ?",
	DB_PARAMS(card_change_params),
};
/* A ciphertext's first two bytes are its key's id. */
const struct statement sealed_reply_key_ids_statement = {
	.name = "sealed_reply_key_ids",
	.sql = "SELECT DISTINCT CONV(HEX(LEFT(reply_sealed, 2)), 16, 10) + 0"
	       " FROM idempotency_keys WHERE reply_sealed IS NOT NULL",
	DB_COLUMNS(key_id_column, struct sealed_key_id),
};
const struct statement sealed_replies_statement = {
	.name = "sealed_replies",
	.sql = "SELECT wallet_id, idem_key, reply_sealed FROM idempotency_keys"
	       " WHERE (wallet_id > ? OR (wallet_id = ? AND idem_key > ?))"
	       " AND CONV(HEX(LEFT(reply_sealed, 2)), 16, 10) + 0 <> ?"
	       " ORDER BY wallet_id, idem_key LIMIT 50",
	DB_PARAMS(reply_walk_params),
	DB_COLUMNS(reply_columns, struct sealed_reply),
};
const struct statement sealed_reply_change_statement = {
	.name = "sealed_reply_change",
	.sql = "UPDATE idempotency_keys SET reply_sealed = ?"
	       " WHERE wallet_id = ? AND idem_key = ? AND reply_sealed = ?",
	DB_PARAMS(reply_change_params),
};
const struct statement sealed_api_keys_statement = {
	.name = "sealed_api_keys",
	.sql = "SELECT id, public_id, key_sealed FROM api_keys"
	       " WHERE id > ? AND key_sealed IS NOT NULL"
	       " AND CONV(HEX(LEFT(key_sealed, 2)), 16, 10) + 0 <> ?"
	       " ORDER BY id LIMIT 50",
	DB_PARAMS(api_key_walk_params),
	DB_COLUMNS(api_key_columns, struct sealed_api_key),
};
const struct statement sealed_api_key_change_statement = {
	.name = "sealed_api_key_change",
	.sql = "UPDATE api_keys SET key_sealed = ?"
	       " WHERE id = ? AND key_sealed = ?",
	DB_PARAMS(api_key_change_params),
};
