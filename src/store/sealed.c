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

static const struct db_field row_columns[] = {
	{DB_INT, offsetof(struct sealed_row, id)},
	{DB_INT, offsetof(struct sealed_row, number)},
	{DB_TEXT, offsetof(struct sealed_row, context)},
	{DB_BLOB, offsetof(struct sealed_row, sealed)},
};
static const struct db_field walk_params[] = {
	{DB_INT, offsetof(struct sealed_walk, id)},
	{DB_INT, offsetof(struct sealed_walk, id)},
	{DB_INT, offsetof(struct sealed_walk, number)},
	{DB_INT, offsetof(struct sealed_walk, present)},
};
static const struct db_field change_params[] = {
	{DB_BLOB, offsetof(struct sealed_change, sealed)},
	{DB_INT, offsetof(struct sealed_change, id)},
	{DB_INT, offsetof(struct sealed_change, number)},
	{DB_BLOB, offsetof(struct sealed_change, before)},
};

#define ROWS(title, text)                                                      \
	{                                                                      \
		.name = (title), .sql = (text), DB_PARAMS(walk_params),        \
		DB_COLUMNS(row_columns, struct sealed_row)                     \
	}
#define CHANGE(title, text)                                                    \
	{                                                                      \
		.name = (title), .sql = (text), DB_PARAMS(change_params)       \
	}

/* A webhook that was deleted has no secret; an endpoint's number is 0. */
const struct statement sealed_rows_statements[SEALED_KINDS] = {
	[SEALED_SECRETS] =
		ROWS("sealed_secrets",
		     "SELECT id, 0, public_id, secret_sealed FROM webhooks"
		     " WHERE id >= ? AND (id > ? OR 0 > ?)"
		     " AND secret_sealed <> ''"
		     " AND CONV(HEX(LEFT(secret_sealed, 2)), 16, 10) + 0 <> ?"
		     " ORDER BY id LIMIT 50"),
	[SEALED_PREVIOUS_SECRETS] = ROWS(
		"sealed_previous_secrets",
		"SELECT id, 0, public_id, previous_secret_sealed FROM webhooks"
		" WHERE id >= ? AND (id > ? OR 0 > ?)"
		" AND CONV(HEX(LEFT(previous_secret_sealed, 2)), 16, 10) + 0"
		" <> ?"
		" ORDER BY id LIMIT 50"),
	[SEALED_BODIES] =
		ROWS("sealed_bodies",
		     "SELECT b.event_id, b.dialect + 0, e.public_id,"
		     " b.body_sealed"
		     " FROM event_bodies AS b"
		     " JOIN events AS e ON e.id = b.event_id"
		     " WHERE b.event_id >= ?"
		     " AND (b.event_id > ? OR b.dialect + 0 > ?)"
		     " AND CONV(HEX(LEFT(b.body_sealed, 2)), 16, 10) + 0 <> ?"
		     " ORDER BY b.event_id, b.dialect LIMIT 50"),
	[SEALED_ANSWERS] =
		ROWS("sealed_answers",
		     "SELECT a.delivery_id, a.number, e.public_id,"
		     " a.answer_sealed"
		     " FROM delivery_attempts AS a"
		     " JOIN deliveries AS d ON d.id = a.delivery_id"
		     " JOIN events AS e ON e.id = d.event_id"
		     " WHERE a.delivery_id >= ?"
		     " AND (a.delivery_id > ? OR a.number > ?)"
		     " AND CONV(HEX(LEFT(a.answer_sealed, 2)), 16, 10) + 0 <> ?"
		     " ORDER BY a.delivery_id, a.number LIMIT 50"),
	[SEALED_API_KEYS] =
		ROWS("sealed_api_keys",
		     "SELECT id, 0, public_id, key_sealed FROM api_keys"
		     " WHERE id >= ? AND (id > ? OR 0 > ?)"
		     " AND CONV(HEX(LEFT(key_sealed, 2)), 16, 10) + 0 <> ?"
		     " ORDER BY id LIMIT 50"),
	[SEALED_CODES] =
		ROWS("sealed_codes",
		     "SELECT id, 0, public_id, otp_sealed FROM challenges"
		     " WHERE id >= ? AND (id > ? OR 0 > ?)"
		     " AND CONV(HEX(LEFT(otp_sealed, 2)), 16, 10) + 0 <> ?"
		     " ORDER BY id LIMIT 50"),
	[SEALED_TOLD_CODES] =
		ROWS("sealed_told_codes",
		     "SELECT id, 0, JSON_VALUE(snapshot, '$.public_id'),"
		     " UNHEX(JSON_VALUE(snapshot, '$.otp_sealed')) FROM events"
		     " WHERE id >= ? AND (id > ? OR 0 > ?)"
		     " AND type IN ('3ds.challenge', '3ds.completed',"
		     " '3ds.expired')"
		     " AND CONV(LEFT(JSON_VALUE(snapshot, '$.otp_sealed'), 4),"
		     " 16, 10) + 0 <> ?"
		     " ORDER BY id LIMIT 50"),
};
const struct statement sealed_change_statements[SEALED_KINDS] = {
	[SEALED_SECRETS] = CHANGE("sealed_secret_change",
				  "UPDATE webhooks SET secret_sealed = ?"
				  " WHERE id = ? AND 0 = ?"
				  " AND secret_sealed = ?"),
	[SEALED_PREVIOUS_SECRETS] =
		CHANGE("sealed_previous_secret_change",
		       "UPDATE webhooks SET previous_secret_sealed = ?"
		       " WHERE id = ? AND 0 = ?"
		       " AND previous_secret_sealed = ?"),
	[SEALED_BODIES] = CHANGE("sealed_body_change",
				 "UPDATE event_bodies SET body_sealed = ?"
				 " WHERE event_id = ? AND dialect + 0 = ?"
				 " AND body_sealed = ?"),
	[SEALED_ANSWERS] = CHANGE("sealed_answer_change",
				  "UPDATE delivery_attempts"
				  " SET answer_sealed = ?"
				  " WHERE delivery_id = ? AND number = ?"
				  " AND answer_sealed = ?"),
	[SEALED_API_KEYS] = CHANGE("sealed_api_key_change",
				   "UPDATE api_keys SET key_sealed = ?"
				   " WHERE id = ? AND 0 = ?"
				   " AND key_sealed = ?"),
	[SEALED_CODES] = CHANGE("sealed_code_change",
				"UPDATE challenges SET otp_sealed = ?"
				" WHERE id = ? AND 0 = ?"
				" AND otp_sealed = ?"),
	[SEALED_TOLD_CODES] =
		CHANGE("sealed_told_code_change",
		       "UPDATE events SET snapshot = JSON_REPLACE(snapshot,"
		       " '$.otp_sealed', LOWER(HEX(?)))"
		       " WHERE id = ? AND 0 = ?"
		       " AND JSON_VALUE(snapshot, '$.otp_sealed')"
		       " = LOWER(HEX(?))"),
};
