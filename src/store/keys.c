/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

struct key_params {
	struct bytes hash;
};

static const struct db_field login_params[] = {
	{DB_BLOB, offsetof(struct key_params, hash)},
};

static const struct db_field login_columns[] = {
	{DB_INT, offsetof(struct key_row, key_id)},
	{DB_INT, offsetof(struct key_row, wallet_id)},
	{DB_TEXT, offsetof(struct key_row, key_public_id)},
	{DB_TEXT, offsetof(struct key_row, account_status)},
	{DB_TEXT, offsetof(struct key_row, mode)},
	{DB_TEXT, offsetof(struct key_row, dialect)},
	{DB_TEXT, offsetof(struct key_row, scopes)},
	{DB_TEXT, offsetof(struct key_row, networks)},
	{DB_TIME, offsetof(struct key_row, expires_at)},
	{DB_TIME, offsetof(struct key_row, revoked_at)},
	{DB_TIME, offsetof(struct key_row, last_used_at)},
	{DB_TEXT, offsetof(struct key_row, account_public_id)},
	{DB_TEXT, offsetof(struct key_row, wallet_public_id)},
	{DB_BOOL, offsetof(struct key_row, kept)},
};

const struct statement key_login_statement = {
	.name = "key_login",
	.sql = "SELECT key_id, wallet_id, key_public_id, account_status, mode, "
	       "dialect, scopes, networks, expires_at, revoked_at, "
	       "last_used_at, account_public_id, wallet_public_id, kept "
	       "FROM api_logins WHERE key_hash = ?",
	DB_PARAMS(login_params),
	.columns = login_columns,
	.column_count = sizeof(login_columns) / sizeof(login_columns[0]),
	.row_size = sizeof(struct key_row),
};

struct keep_params {
	int64_t key_id;
	struct bytes sealed;
};

static const struct db_field keep_params[] = {
	{DB_INT, offsetof(struct keep_params, key_id)},
	{DB_BLOB, offsetof(struct keep_params, sealed)},
};

static const struct statement statement_keep = {
	.name = "key_keep",
	.sql = "CALL key_keep(?, ?)",
	DB_PARAMS(keep_params),
};

static const struct db_field touch_params[] = {{DB_INT, 0}};

const struct statement key_touch_statement = {
	.name = "key_touch",
	.sql = "CALL key_touch(?)",
	DB_PARAMS(touch_params),
};

enum db_result key_login(struct db *db, struct arena *arena,
			 const unsigned char hash[32], struct key_row *row)
{
	struct key_params params = {.hash = {.data = hash, .len = 32}};

	return db_one(db, arena, &key_login_statement, &params, row);
}

enum db_result key_touch(struct db *db, int64_t key_id)
{
	return db_run(db, &key_touch_statement, &key_id, NULL);
}

enum db_result key_keep(struct db *db, int64_t key_id, struct bytes sealed)
{
	struct keep_params params = {.key_id = key_id, .sealed = sealed};

	return db_run(db, &statement_keep, &params, NULL);
}
