/* SPDX-License-Identifier: Apache-2.0 */
#include "funding.h"

struct funding_params {
	int64_t wallet_id;
	const char *nickname;
};

static const struct db_field get_params[] = {
	{DB_INT, offsetof(struct funding_params, wallet_id)},
};
static const struct db_field rename_params[] = {
	{DB_INT, offsetof(struct funding_params, wallet_id)},
	{DB_TEXT, offsetof(struct funding_params, nickname)},
};

#define FUNDING_FIELDS                                                         \
	{DB_TEXT, offsetof(struct funding_row, public_id)},                    \
		{DB_TEXT, offsetof(struct funding_row, nickname)},             \
		{DB_TEXT, offsetof(struct funding_row, mode)},                 \
		{DB_TIME, offsetof(struct funding_row, created_at)},           \
		{DB_TEXT, offsetof(struct funding_row, account_public_id)},    \
		{DB_TEXT, offsetof(struct funding_row, account_name)},         \
		{DB_TEXT, offsetof(struct funding_row, account_status)},       \
	{                                                                      \
		DB_TIME, offsetof(struct funding_row, account_created_at)      \
	}

static const struct db_field columns[] = {FUNDING_FIELDS};
static const struct db_field answer_columns[] = {
	{DB_TEXT, offsetof(struct funding_row, outcome)},
	FUNDING_FIELDS,
};

static const struct statement statement_get = {
	.name = "funding_get",
	.sql = "SELECT public_id, nickname, mode, created_at, "
	       "account_public_id, account_name, account_status, "
	       "account_created_at FROM funding_rows WHERE wallet_id = ?",
	DB_PARAMS(get_params),
	DB_COLUMNS(columns, struct funding_row),
};
static const struct statement statement_rename = {
	.name = "funding_rename",
	.sql = "CALL funding_rename(?, ?)",
	DB_PARAMS(rename_params),
	DB_COLUMNS(answer_columns, struct funding_row),
};

enum db_result funding_get(struct db *db, struct arena *arena,
			   int64_t wallet_id, struct funding_row *row)
{
	struct funding_params params = {.wallet_id = wallet_id};

	return db_one(db, arena, &statement_get, &params, row);
}

enum db_result funding_rename(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *nickname,
			      struct funding_row *row)
{
	struct funding_params params = {
		.wallet_id = wallet_id,
		.nickname = nickname,
	};

	return db_one(db, arena, &statement_rename, &params, row);
}
