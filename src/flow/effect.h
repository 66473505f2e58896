/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_EFFECT_H
#define FLOW_EFFECT_H

#include "../base/error.h"
#include "../base/text.h"
#include "../db/db.h"

struct keyring;

/* On whose behalf something changes, and what the change may use. */
struct flow {
	struct db *db;
	struct arena *arena;
	const struct keyring *keyring;
	int64_t wallet_id;
	const char *key_public_id, *client_address, *request_id;
	const char *idempotency_key; /* NULL: none */
	unsigned char fingerprint[32];
};

/*
 * One change and how its answer reads. run may be called more than once: it
 * resets its outputs, touches no reply, and leaves in *refusal why nothing may
 * happen (ERR_NONE: it has happened). render prints the answer from arg alone;
 * it runs before the commit, since the answer is remembered with the effect.
 */
struct effect {
	const int *status; /* HTTP status of success, once run has run */
	enum db_result (*run)(const struct flow *flow, void *arg,
			      enum error_code *refusal);
	void (*render)(const void *arg, struct text *body);
	void *arg;
};

struct effect_answer {
	enum error_code error; /* ERR_NONE: status and body are the answer */
	bool replayed;
	int status;
	struct text body;
};

/*
 * The only way to change something: claims the idempotency key, runs, renders,
 * stores the answer and commits, in one transaction. A connection lost at
 * COMMIT is resolved by the idempotency record where there is a key; without
 * one the answer is service_unavailable.
 */
void effect_run(const struct flow *flow, const struct effect *effect,
		struct effect_answer *answer);

/* What a statement outside an effect says to the client. */
enum error_code error_of_result(enum db_result result);
/* The outcome column of a routine: ERR_NONE for "ok"; an unknown word is our
 * mistake and internal_error. */
enum error_code error_of_outcome(const char *outcome);

#endif
