/* SPDX-License-Identifier: Apache-2.0 */
#include "webhooks.h"

/* As the view has them, and the routines that answer a webhook. */
#define WEBHOOK_COLUMNS                                                        \
	"id, public_id, wallet_id, dialect, url, description, event_types, "   \
	"active, status, disabled_at, disabled_reason, failing_since, "        \
	"last_success_at, last_failure_at, last_error, created_at"

/* base is where the webhook_row lies. */
#define WEBHOOK(type, base, member)                                            \
	{                                                                      \
		type, (base) + offsetof(struct webhook_row, member)            \
	}
#define WEBHOOK_FIELDS(base)                                                   \
	WEBHOOK(DB_INT, base, id), WEBHOOK(DB_TEXT, base, public_id),          \
		WEBHOOK(DB_INT, base, wallet_id),                              \
		WEBHOOK(DB_TEXT, base, dialect), WEBHOOK(DB_TEXT, base, url),  \
		WEBHOOK(DB_TEXT, base, description),                           \
		WEBHOOK(DB_TEXT, base, event_types),                           \
		WEBHOOK(DB_BOOL, base, active),                                \
		WEBHOOK(DB_TEXT, base, status),                                \
		WEBHOOK(DB_TIME, base, disabled_at),                           \
		WEBHOOK(DB_TEXT, base, disabled_reason),                       \
		WEBHOOK(DB_TIME, base, failing_since),                         \
		WEBHOOK(DB_TIME, base, last_success_at),                       \
		WEBHOOK(DB_TIME, base, last_failure_at),                       \
		WEBHOOK(DB_TEXT, base, last_error),                            \
		WEBHOOK(DB_TIME, base, created_at)

static const struct db_field webhook_columns[] = {WEBHOOK_FIELDS(0)};
const struct row_shape webhook_row_shape =
	ROW_SHAPE(WEBHOOK_COLUMNS, webhook_columns, struct webhook_row);
static const struct db_field answer_columns[] = {
	{DB_TEXT, offsetof(struct webhook_answer, outcome)},
	WEBHOOK_FIELDS(offsetof(struct webhook_answer, webhook)),
};

static const struct db_field outcome_column[] = {
	{DB_TEXT, offsetof(struct webhook_answer, outcome)},
};

/* As the view has them, and event_resend. */
#define DELIVERY_COLUMNS                                                       \
	"id, wallet_id, webhook_id, webhook_public_id, event_id, "             \
	"event_public_id, event_type, status, attempts, next_attempt_at, "     \
	"last_error, created_at, finished_at"

#define DELIVERY(type, base, member)                                           \
	{                                                                      \
		type, (base) + offsetof(struct delivery_row, member)           \
	}
#define DELIVERY_FIELDS(base)                                                  \
	DELIVERY(DB_INT, base, id), DELIVERY(DB_INT, base, wallet_id),         \
		DELIVERY(DB_INT, base, webhook_id),                            \
		DELIVERY(DB_TEXT, base, webhook_public_id),                    \
		DELIVERY(DB_INT, base, event_id),                              \
		DELIVERY(DB_TEXT, base, event_public_id),                      \
		DELIVERY(DB_TEXT, base, event_type),                           \
		DELIVERY(DB_TEXT, base, status),                               \
		DELIVERY(DB_INT, base, attempts),                              \
		DELIVERY(DB_TIME, base, next_attempt_at),                      \
		DELIVERY(DB_TEXT, base, last_error),                           \
		DELIVERY(DB_TIME, base, created_at),                           \
		DELIVERY(DB_TIME, base, finished_at)

static const struct db_field delivery_columns[] = {DELIVERY_FIELDS(0)};
static const struct db_field resend_columns[] = {
	{DB_TEXT, offsetof(struct resend_answer, outcome)},
	DELIVERY_FIELDS(offsetof(struct resend_answer, delivery)),
};

static const struct db_field attempt_columns[] = {
	{DB_INT, offsetof(struct attempt_row, delivery_id)},
	{DB_INT, offsetof(struct attempt_row, number)},
	{DB_TIME, offsetof(struct attempt_row, started_at)},
	{DB_INT, offsetof(struct attempt_row, duration_ms)},
	{DB_INT, offsetof(struct attempt_row, status)},
	{DB_TEXT, offsetof(struct attempt_row, error)},
	{DB_BLOB, offsetof(struct attempt_row, answer_sealed)},
};
static const struct db_field ping_columns[] = {
	{DB_TEXT, offsetof(struct ping_answer, outcome)},
	{DB_TEXT, offsetof(struct ping_answer, event_public_id)},
};
static const struct db_field replay_columns[] = {
	{DB_TEXT, offsetof(struct replay_answer, outcome)},
	{DB_INT, offsetof(struct replay_answer, deliveries)},
};

/* The routines' parameters after the webhook's or the event's own. */
struct webhook_params {
	int64_t wallet_id;
	const char *key;
	const char *public_id;
	struct webhook_patch patch;
	struct bytes secret_sealed;
	const char *webhook_public_id;
	struct replay_range range;
};

#define PARAM(type, member)                                                    \
	{                                                                      \
		type, offsetof(struct webhook_params, member)                  \
	}
static const struct db_field webhook_params[] = {
	PARAM(DB_INT, wallet_id),
	PARAM(DB_TEXT, public_id),
};
static const struct db_field update_params[] = {
	PARAM(DB_INT, wallet_id),	   PARAM(DB_TEXT, public_id),
	PARAM(DB_TEXT, patch.url),	   PARAM(DB_TEXT, patch.description),
	PARAM(DB_TEXT, patch.event_types), PARAM(DB_TEXT, patch.active),
};
static const struct db_field rotate_params[] = {
	PARAM(DB_INT, wallet_id),
	PARAM(DB_TEXT, public_id),
	PARAM(DB_BLOB, secret_sealed),
};
static const struct db_field name_params[] = {
	PARAM(DB_INT, wallet_id),
	PARAM(DB_TEXT, public_id),
	PARAM(DB_TEXT, key),
	PARAM(DB_TEXT, patch.url),
};
static const struct db_field resend_params[] = {
	PARAM(DB_INT, wallet_id),
	PARAM(DB_TEXT, public_id),
	PARAM(DB_TEXT, webhook_public_id),
};
static const struct db_field replay_params[] = {
	PARAM(DB_INT, wallet_id),     PARAM(DB_TEXT, public_id),
	PARAM(DB_TIME, range.from),   PARAM(DB_TIME, range.to),
	PARAM(DB_BOOL, range.failed), PARAM(DB_INT, range.limit),
};
static const struct db_field create_params[] = {
	{DB_INT, offsetof(struct webhook_new, wallet_id)},
	{DB_TEXT, offsetof(struct webhook_new, public_id)},
	{DB_TEXT, offsetof(struct webhook_new, url)},
	{DB_TEXT, offsetof(struct webhook_new, description)},
	{DB_TEXT, offsetof(struct webhook_new, event_types)},
	{DB_BLOB, offsetof(struct webhook_new, secret_sealed)},
};

static const struct statement statement_get = {
	.name = "webhook_get",
	.sql = "SELECT " WEBHOOK_COLUMNS " FROM webhook_rows "
	       "WHERE wallet_id = ? AND public_id = ? "
	       "AND dialect = 'native'",
	DB_PARAMS(webhook_params),
	DB_COLUMNS(webhook_columns, struct webhook_row),
};
static const struct statement statement_create = {
	.name = "webhook_create",
	.sql = "CALL webhook_create(?, ?, ?, ?, ?, ?)",
	DB_PARAMS(create_params),
	DB_COLUMNS(answer_columns, struct webhook_answer),
};
static const struct statement statement_update = {
	.name = "webhook_update",
	.sql = "CALL webhook_update(?, ?, ?, ?, ?, ?)",
	DB_PARAMS(update_params),
	DB_COLUMNS(answer_columns, struct webhook_answer),
};
static const struct statement statement_delete = {
	.name = "webhook_delete",
	.sql = "CALL webhook_delete(?, ?)",
	DB_PARAMS(webhook_params),
	DB_COLUMNS(outcome_column, struct webhook_answer),
};
static const struct statement statement_rotate = {
	.name = "webhook_rotate",
	.sql = "CALL webhook_rotate(?, ?, ?)",
	DB_PARAMS(rotate_params),
	DB_COLUMNS(answer_columns, struct webhook_answer),
};
static const struct statement statement_privacy = {
	.name = "privacy_webhook_find",
	.sql = "SELECT " WEBHOOK_COLUMNS " FROM webhook_rows "
	       "WHERE wallet_id = ? AND dialect = 'privacy'",
	.params = webhook_params,
	.param_count = 1,
	DB_COLUMNS(webhook_columns, struct webhook_row),
};
static const struct statement statement_privacy_name = {
	.name = "privacy_webhook_put",
	.sql = "CALL privacy_webhook_put(?, ?, ?, ?)",
	DB_PARAMS(name_params),
	DB_COLUMNS(answer_columns, struct webhook_answer),
};
static const struct statement statement_privacy_remove = {
	.name = "privacy_webhook_delete",
	.sql = "CALL privacy_webhook_delete(?)",
	.params = webhook_params,
	.param_count = 1,
	DB_COLUMNS(outcome_column, struct webhook_answer),
};
static const struct statement statement_ping = {
	.name = "webhook_ping",
	.sql = "CALL webhook_ping(?, ?)",
	DB_PARAMS(webhook_params),
	DB_COLUMNS(ping_columns, struct ping_answer),
};
static const struct statement statement_resend = {
	.name = "event_resend",
	.sql = "CALL event_resend(?, ?, ?)",
	DB_PARAMS(resend_params),
	DB_COLUMNS(resend_columns, struct resend_answer),
};
static const struct statement statement_replay = {
	.name = "webhook_replay",
	.sql = "CALL webhook_replay(?, ?, ?, ?, ?, ?)",
	DB_PARAMS(replay_params),
	DB_COLUMNS(replay_columns, struct replay_answer),
};
/* Along the primary key of each delivery, however many there are. */
static const struct db_field attempts_params[] = {{DB_TEXT, 0}};
static const struct statement statement_attempts = {
	.name = "attempt_list",
	.sql = "SELECT a.delivery_id, a.number, a.started_at, a.duration_ms, "
	       "a.status, a.error, a.answer_sealed "
	       "FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED "
	       "PATH '$.id', after BIGINT PATH '$.after')) AS d "
	       "STRAIGHT_JOIN attempt_rows AS a "
	       "ON a.delivery_id = d.id AND a.number > d.after "
	       "ORDER BY a.delivery_id, a.number",
	DB_PARAMS(attempts_params),
	DB_COLUMNS(attempt_columns, struct attempt_row),
};

static const struct list_source webhook_source = {
	.name = "webhook_list",
	.names = WEBHOOK_COLUMNS,
	.from = "webhook_rows",
	.key = "id",
	.id = "id",
	DB_COLUMNS(webhook_columns, struct webhook_row),
};
static const struct list_source delivery_source = {
	.name = "delivery_list",
	.names = DELIVERY_COLUMNS,
	.from = "delivery_rows",
	.key = "id",
	.id = "id",
	DB_COLUMNS(delivery_columns, struct delivery_row),
};

enum db_result webhook_get(struct db *db, struct arena *arena,
			   int64_t wallet_id, const char *public_id,
			   struct webhook_row *row)
{
	struct webhook_params params = {.wallet_id = wallet_id,
					.public_id = public_id};

	return db_one(db, arena, &statement_get, &params, row);
}

struct list_place webhook_place(const struct webhook_row *row)
{
	return (struct list_place){row->id, row->id};
}

enum db_result webhook_list(struct db *db, struct arena *arena,
			    int64_t wallet_id, const struct list_window *window,
			    struct webhook_row **rows,
			    struct list_result *result)
{
	struct list_query query;

	list_query_init(&query, arena);
	list_where_int(&query, "wallet_id = ?", wallet_id);
	list_where_text(&query, "dialect = ?", "native");
	return list_page(db, arena, &webhook_source, &query, window,
			 (void **)rows, result);
}

enum db_result webhook_create(struct db *db, struct arena *arena,
			      const struct webhook_new *webhook,
			      struct webhook_answer *answer)
{
	return db_one(db, arena, &statement_create, webhook, answer);
}

enum db_result webhook_update(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *public_id,
			      const struct webhook_patch *patch,
			      struct webhook_answer *answer)
{
	struct webhook_params params = {.wallet_id = wallet_id,
					.public_id = public_id,
					.patch = *patch};

	return db_one(db, arena, &statement_update, &params, answer);
}

enum db_result webhook_delete(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *public_id,
			      struct webhook_answer *answer)
{
	struct webhook_params params = {.wallet_id = wallet_id,
					.public_id = public_id};

	return db_one(db, arena, &statement_delete, &params, answer);
}

enum db_result privacy_webhook_find(struct db *db, struct arena *arena,
				    int64_t wallet_id, struct webhook_row *row)
{
	struct webhook_params params = {.wallet_id = wallet_id};

	return db_one(db, arena, &statement_privacy, &params, row);
}

enum db_result privacy_webhook_name(struct db *db, struct arena *arena,
				    int64_t wallet_id, const char *public_id,
				    const char *key, const char *url,
				    struct webhook_answer *answer)
{
	struct webhook_params params = {.wallet_id = wallet_id,
					.public_id = public_id,
					.key = key,
					.patch = {.url = url}};

	return db_one(db, arena, &statement_privacy_name, &params, answer);
}

enum db_result privacy_webhook_remove(struct db *db, struct arena *arena,
				      int64_t wallet_id,
				      struct webhook_answer *answer)
{
	struct webhook_params params = {.wallet_id = wallet_id};

	return db_one(db, arena, &statement_privacy_remove, &params, answer);
}

enum db_result webhook_rotate(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *public_id,
			      struct bytes secret_sealed,
			      struct webhook_answer *answer)
{
	struct webhook_params params = {.wallet_id = wallet_id,
					.public_id = public_id,
					.secret_sealed = secret_sealed};

	return db_one(db, arena, &statement_rotate, &params, answer);
}

enum db_result webhook_ping(struct db *db, struct arena *arena,
			    int64_t wallet_id, const char *public_id,
			    struct ping_answer *answer)
{
	struct webhook_params params = {.wallet_id = wallet_id,
					.public_id = public_id};

	return db_one(db, arena, &statement_ping, &params, answer);
}

enum db_result webhook_replay(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *public_id,
			      const struct replay_range *range,
			      struct replay_answer *answer)
{
	struct webhook_params params = {.wallet_id = wallet_id,
					.public_id = public_id,
					.range = *range};

	return db_one(db, arena, &statement_replay, &params, answer);
}

enum db_result event_resend(struct db *db, struct arena *arena,
			    int64_t wallet_id, const char *event_public_id,
			    const char *webhook_public_id,
			    struct resend_answer *answer)
{
	struct webhook_params params = {.wallet_id = wallet_id,
					.public_id = event_public_id,
					.webhook_public_id = webhook_public_id};

	return db_one(db, arena, &statement_resend, &params, answer);
}

struct list_place delivery_place(const struct delivery_row *row)
{
	return (struct list_place){row->id, row->id};
}

enum db_result delivery_list(struct db *db, struct arena *arena,
			     const struct delivery_filter *filter,
			     const struct list_window *window,
			     struct delivery_row **rows,
			     struct list_result *result)
{
	struct list_query query;

	list_query_init(&query, arena);
	list_where_int(&query, "webhook_id = ?", filter->webhook_id);
	list_where_text(&query, "status = ?", filter->status);
	list_where_text(&query, "event_public_id = ?", filter->event_id);
	return list_page(db, arena, &delivery_source, &query, window,
			 (void **)rows, result);
}

enum db_result attempt_list(struct db *db, struct arena *arena,
			    const char *deliveries, struct attempt_row **rows,
			    size_t *count)
{
	enum db_result status;

	*rows = NULL;
	*count = 0;
	status = db_all(db, arena, &statement_attempts, &deliveries,
			(void **)rows, count);
	return status == DB_NO_ROW ? DB_OK : status;
}
