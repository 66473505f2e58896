/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_WEBHOOKS_H
#define FLOW_WEBHOOKS_H

#include "../store/events.h"
#include "../store/webhooks.h"
#include "effect.h"

/* Most events that one replay sends again. */
#define REPLAY_MAX 10000

/* Bodies of effects: arg is the struct named. */

/* A new webhook: its id is drawn and its secret sealed here. */
struct webhook_register {
	struct webhook_new webhook; /* id and sealed secret are filled in */
	const char *secret;
	struct webhook_answer answer;
};
/* webhook_limit_reached: a wallet has 20 at most. */
enum db_result webhook_register_run(const struct flow *flow, void *arg,
				    enum error_code *refusal);

/* What is asked of one webhook, and what came of it. */
struct webhook_command {
	const char *public_id;
	struct webhook_patch patch; /* update */
	const char *secret;	    /* rotate: the new one */
	struct replay_range range;  /* replay */
	struct webhook_answer answer;
	struct event_row ping; /* ping: the event that is sent */
	struct replay_answer replayed;
};
/* All refuse with not_found, a webhook of another wallet as well. */

/* webhook_disabled: to enable what the operator disabled. */
enum db_result webhook_update_run(const struct flow *flow, void *arg,
				  enum error_code *refusal);
/* Leaves the outcome in answer, no row. */
enum db_result webhook_delete_run(const struct flow *flow, void *arg,
				  enum error_code *refusal);
/* Seals secret; the one before signs beside it for 24 hours. */
enum db_result webhook_rotate_run(const struct flow *flow, void *arg,
				  enum error_code *refusal);
/* Makes an event for this webhook alone; webhook_disabled. */
enum db_result webhook_ping_run(const struct flow *flow, void *arg,
				enum error_code *refusal);
/* Queues what range encloses once more, and counts it: webhook_disabled;
 * replay_too_large, and nothing is queued, above REPLAY_MAX. */
enum db_result webhook_replay_run(const struct flow *flow, void *arg,
				  enum error_code *refusal);

/* The webhook of the Privacy dialect: an account has one at most; the key that
 * names it signs. */
struct privacy_webhook_command {
	const char *url; /* name */
	struct webhook_answer answer;
};
/* webhook_disabled: the operator has disabled it. */
enum db_result privacy_webhook_name_run(const struct flow *flow, void *arg,
					enum error_code *refusal);
/* not_found: there is none. Leaves the outcome in answer, no row. */
enum db_result privacy_webhook_delete_run(const struct flow *flow, void *arg,
					  enum error_code *refusal);

/* A delivery with its newest attempts. */
struct delivery_shown {
	struct delivery_row row;
	struct attempt_row *attempts;
	size_t count;
};
/* Fills the attempts of all rows, the newest 20 of each and oldest first, in
 * the arena; one statement for all. */
enum db_result deliveries_shown(struct db *db, struct arena *arena,
				struct delivery_shown *shown, size_t count);

/* One event once more to one webhook. */
struct event_resend {
	const char *event_id, *webhook_id;
	struct delivery_shown delivery;
};
/* not_found (the event), webhook_not_found, webhook_disabled; a ping goes to
 * its own webhook only. */
enum db_result event_resend_run(const struct flow *flow, void *arg,
				enum error_code *refusal);

#endif
