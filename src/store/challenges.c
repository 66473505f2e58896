/* SPDX-License-Identifier: Apache-2.0 */
#include "challenges.h"

#define CHALLENGE_COLUMNS                                                      \
	"id, public_id, wallet_id, card_public_id, merchant, amount_cents, "   \
	"otp_sealed, status, tries, expires_at, completed_at, created_at"
#define ROW(type, member)                                                      \
	{                                                                      \
		type, offsetof(struct challenge_row, member)                   \
	}
#define CHALLENGE_FIELDS                                                       \
	ROW(DB_INT, id), ROW(DB_TEXT, public_id), ROW(DB_INT, wallet_id),      \
		ROW(DB_TEXT, card_public_id), ROW(DB_TEXT, merchant),          \
		ROW(DB_MONEY, amount), ROW(DB_BLOB, otp_sealed),               \
		ROW(DB_TEXT, status), ROW(DB_INT, tries),                      \
		ROW(DB_TIME, expires_at), ROW(DB_TIME, completed_at),          \
		ROW(DB_TIME, created_at)

static const struct db_field row_columns[] = {CHALLENGE_FIELDS};
const struct row_shape challenge_row_shape =
	ROW_SHAPE(CHALLENGE_COLUMNS, row_columns, struct challenge_row);
static const struct db_field answer_columns[] = {
	ROW(DB_TEXT, outcome),
	CHALLENGE_FIELDS,
};

static const struct db_field create_params[] = {
	{DB_INT_OR_NULL, offsetof(struct challenge_new, card.wallet_id)},
	{DB_TEXT, offsetof(struct challenge_new, card.public_id)},
	{DB_BLOB, offsetof(struct challenge_new, card.pan_hash)},
	{DB_TEXT, offsetof(struct challenge_new, public_id)},
	{DB_BLOB, offsetof(struct challenge_new, otp_sealed)},
	{DB_TEXT, offsetof(struct challenge_new, merchant)},
	{DB_MONEY, offsetof(struct challenge_new, amount)},
};

struct answer_params {
	int64_t wallet_id;
	const char *public_id;
	bool matched;
};
static const struct db_field read_params[] = {
	{DB_INT_OR_NULL, offsetof(struct answer_params, wallet_id)},
	{DB_TEXT, offsetof(struct answer_params, public_id)},
};
static const struct db_field answer_params[] = {
	{DB_INT_OR_NULL, offsetof(struct answer_params, wallet_id)},
	{DB_TEXT, offsetof(struct answer_params, public_id)},
	{DB_BOOL, offsetof(struct answer_params, matched)},
};

static const struct statement statement_create = {
	.name = "challenge_create",
	.sql = "CALL challenge_create(?, ?, ?, ?, ?, ?, ?)",
	DB_PARAMS(create_params),
	DB_COLUMNS(answer_columns, struct challenge_row),
};
static const struct statement statement_read = {
	.name = "challenge_read",
	.sql = "CALL challenge_read(?, ?)",
	DB_PARAMS(read_params),
	DB_COLUMNS(answer_columns, struct challenge_row),
};
static const struct statement statement_answer = {
	.name = "challenge_answer",
	.sql = "CALL challenge_answer(?, ?, ?)",
	DB_PARAMS(answer_params),
	DB_COLUMNS(answer_columns, struct challenge_row),
};
static const struct statement statement_get = {
	.name = "challenge_get",
	.sql = "SELECT " CHALLENGE_COLUMNS " FROM challenge_rows "
	       "WHERE wallet_id = ? AND public_id = ?",
	DB_PARAMS(read_params),
	DB_COLUMNS(row_columns, struct challenge_row),
};

static const struct list_source challenge_source = {
	.name = "challenge_list",
	.names = CHALLENGE_COLUMNS,
	.from = "challenge_rows",
	.key = "id",
	.id = "id",
	DB_COLUMNS(row_columns, struct challenge_row),
};

enum db_result challenge_create(struct db *db, struct arena *arena,
				const struct challenge_new *challenge,
				struct challenge_row *row)
{
	return db_one(db, arena, &statement_create, challenge, row);
}

enum db_result challenge_read(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *public_id,
			      struct challenge_row *row)
{
	struct answer_params params = {
		.wallet_id = wallet_id,
		.public_id = public_id,
	};

	return db_one(db, arena, &statement_read, &params, row);
}

enum db_result challenge_answer(struct db *db, struct arena *arena,
				int64_t wallet_id, const char *public_id,
				bool matched, struct challenge_row *row)
{
	struct answer_params params = {wallet_id, public_id, matched};

	return db_one(db, arena, &statement_answer, &params, row);
}

enum db_result challenge_get(struct db *db, struct arena *arena,
			     int64_t wallet_id, const char *public_id,
			     struct challenge_row *row)
{
	struct answer_params params = {
		.wallet_id = wallet_id,
		.public_id = public_id,
	};

	return db_one(db, arena, &statement_get, &params, row);
}

struct list_place challenge_place(const struct challenge_row *row)
{
	return (struct list_place){row->id, row->id};
}

enum db_result challenge_list(struct db *db, struct arena *arena,
			      const struct challenge_filter *filter,
			      const struct list_window *window,
			      struct challenge_row **rows,
			      struct list_result *result)
{
	struct list_query query;

	list_query_init(&query, arena);
	list_where_int(&query, "wallet_id = ?", filter->wallet_id);
	list_where_text(&query, "card_public_id = ?", filter->card_id);
	list_where_text(&query, "status = ?", filter->status);
	return list_page(db, arena, &challenge_source, &query, window,
			 (void **)rows, result);
}
