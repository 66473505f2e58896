/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_WEBHOOKS_H
#define STORE_WEBHOOKS_H

#include "../base/text.h"
#include "../db/db.h"
#include "list.h"

/* A row of the view webhook_rows; times 0 for never. It holds no secret. */
struct webhook_row {
	int64_t id;
	const char *public_id;
	int64_t wallet_id;
	const char *dialect, *url, *description;
	const char *event_types; /* "card.created,card.funded" or "*" */
	bool active;
	const char *status; /* enabled, failing, disabled */
	const char *disabled_reason, *last_error;
	int64_t disabled_at, failing_since, last_success_at, last_failure_at,
		created_at;
};
extern const struct row_shape webhook_row_shape;

/* What a routine that changes a webhook answers; webhook_delete the outcome
 * only. */
struct webhook_answer {
	const char *outcome;
	struct webhook_row webhook;
};

struct webhook_new {
	int64_t wallet_id;
	const char *public_id, *url, *description, *event_types;
	struct bytes secret_sealed; /* KEY_WEBHOOK_SECRET, of public_id */
};

/* NULL: not to be changed. */
struct webhook_patch {
	const char *url, *description, *event_types;
	const char *active; /* "1" or "0" */
};

/* Of the native dialect, as all that names one by its id. DB_NO_ROW where the
 * wallet has none of it. */
enum db_result webhook_get(struct db *db, struct arena *arena,
			   int64_t wallet_id, const char *public_id,
			   struct webhook_row *row);
/* One page of the wallet's, ordered by when they were made, and the total. */
enum db_result webhook_list(struct db *db, struct arena *arena,
			    int64_t wallet_id, const struct list_window *window,
			    struct webhook_row **rows,
			    struct list_result *result);
/* What a cursor points at: the row's place in that list. */
struct list_place webhook_place(const struct webhook_row *row);

/* Each changes one webhook by the routine of its name in sql/routines;
 * answer->outcome is ok or a refusal, with which the other columns are NULL.
 * All refuse with not_found. */

/* webhook_limit_reached at 20 of the native dialect. */
enum db_result webhook_create(struct db *db, struct arena *arena,
			      const struct webhook_new *webhook,
			      struct webhook_answer *answer);
/* Enabling forgets the failures; webhook_disabled where the operator disabled
 * it. */
enum db_result webhook_update(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *public_id,
			      const struct webhook_patch *patch,
			      struct webhook_answer *answer);
/* Its secrets go at once, its row a day later or after its last delivery. */
enum db_result webhook_delete(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *public_id,
			      struct webhook_answer *answer);
/* The secret until now (of KEY_WEBHOOK_SECRET, as the new one) signs beside it
 * for 24 hours. */
enum db_result webhook_rotate(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *public_id,
			      struct bytes secret_sealed,
			      struct webhook_answer *answer);

/* The one of the Privacy dialect. find: DB_NO_ROW where there is none. name
 * makes it as public_id or gives the one there is another URL, and refuses with
 * webhook_disabled; key is the API key's public id, which signs. remove: the
 * outcome only, ok or not_found. */
enum db_result privacy_webhook_find(struct db *db, struct arena *arena,
				    int64_t wallet_id, struct webhook_row *row);
enum db_result privacy_webhook_name(struct db *db, struct arena *arena,
				    int64_t wallet_id, const char *public_id,
				    const char *key, const char *url,
				    struct webhook_answer *answer);
enum db_result privacy_webhook_remove(struct db *db, struct arena *arena,
				      int64_t wallet_id,
				      struct webhook_answer *answer);

/* The event that a ping made. */
struct ping_answer {
	const char *outcome, *event_public_id;
};
/* For this webhook alone, whatever its types are: not_found,
 * webhook_disabled. */
enum db_result webhook_ping(struct db *db, struct arena *arena,
			    int64_t wallet_id, const char *public_id,
			    struct ping_answer *answer);

/* A row of the view delivery_rows: an event on its way to a webhook, once; a
 * resend or replay of it moves the same row. */
struct delivery_row {
	int64_t id, wallet_id, webhook_id, event_id;
	const char *webhook_public_id, *event_public_id, *event_type, *status,
		*last_error;
	int64_t attempts;
	int64_t next_attempt_at; /* 0: none is planned */
	int64_t created_at, finished_at;
};

/* A row of the view attempt_rows. Zero status: no HTTP answer came. */
struct attempt_row {
	int64_t delivery_id, number, started_at, duration_ms, status;
	const char *error;
	struct bytes answer_sealed; /* KEY_EVENT, of the event's public_id */
};

struct delivery_filter {
	int64_t webhook_id;
	const char *status, *event_id; /* NULL: any */
};
/* One page of the webhook's, ordered by when they were made, and the total. */
enum db_result delivery_list(struct db *db, struct arena *arena,
			     const struct delivery_filter *filter,
			     const struct list_window *window,
			     struct delivery_row **rows,
			     struct list_result *result);
/* What a cursor points at: the row's place in that list. */
struct list_place delivery_place(const struct delivery_row *row);

/* Attempts at some deliveries, by delivery and number; deliveries is JSON:
 * [{"id":…,"after":…}], the row and the number after which to begin. */
enum db_result attempt_list(struct db *db, struct arena *arena,
			    const char *deliveries, struct attempt_row **rows,
			    size_t *count);

struct resend_answer {
	const char *outcome;
	struct delivery_row delivery;
};
/* Queues the event for the webhook at once, be it subscribed to or not:
 * not_found (the event), webhook_not_found, webhook_disabled. */
enum db_result event_resend(struct db *db, struct arena *arena,
			    int64_t wallet_id, const char *event_public_id,
			    const char *webhook_public_id,
			    struct resend_answer *answer);

struct replay_range {
	int64_t from, to; /* Unix seconds, 0: open */
	bool failed;	  /* only what failed */
	int64_t limit;
};
struct replay_answer {
	const char *outcome;
	int64_t deliveries;
};
/* Queues what the webhook is subscribed to (failed: what failed) again, in the
 * events' order, and counts it: not_found, webhook_disabled; replay_too_large
 * above the limit, and nothing is queued. */
enum db_result webhook_replay(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *public_id,
			      const struct replay_range *range,
			      struct replay_answer *answer);

#endif
