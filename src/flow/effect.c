/* SPDX-License-Identifier: Apache-2.0 */
#include "effect.h"

#include <string.h>

#include "../base/arena.h"
#include "../base/log.h"
#include "../base/secret.h"
#include "../store/replies.h"

/* A duplicate is a random number drawn twice; five in a row are not chance. */
#define EFFECT_TRIES 5

struct effect_tx {
	const struct flow *flow;
	const struct effect *effect;
	struct effect_answer *answer;
	struct reply_claim claim;
	struct reply_record record;
	struct reply_store store;
	const char *context;
};

enum error_code error_of_result(enum db_result result)
{
	switch (result) {
	case DB_OK:
		return ERR_NONE;
	case DB_NO_ROW:
		return ERR_NOT_FOUND;
	case DB_RETRY:
	case DB_WAIT:
	case DB_LOST:
		return ERR_SERVICE_UNAVAILABLE;
	case DB_DUPLICATE:
	case DB_BROKEN:
		return ERR_INTERNAL_ERROR;
	}
	return ERR_INTERNAL_ERROR;
}

enum error_code error_of_outcome(const char *outcome)
{
	enum error_code code;

	code = outcome == NULL ? ERR_COUNT : error_by_code(outcome);
	if (code == ERR_COUNT) {
		log_broken("event=unknown_outcome outcome=%s",
			   log_text(outcome == NULL ? "" : outcome));
		return ERR_INTERNAL_ERROR;
	}
	return code;
}

static bool answer_recall(struct effect_tx *tx)
{
	struct effect_answer *answer = tx->answer;
	struct bytes sealed = tx->record.sealed;
	char *plain;

	if (sealed.data == NULL || sealed.len < SEAL_OVERHEAD)
		return false;
	plain = arena_alloc(tx->flow->arena, sealed.len - SEAL_OVERHEAD + 1);
	if (!secret_open(tx->flow->keyring, KEY_REPLY, tx->context, sealed,
			 (unsigned char *)plain))
		return false;
	answer->status = (int)tx->record.status;
	text_init(&answer->body, tx->flow->arena);
	text_add_n(&answer->body, plain, sealed.len - SEAL_OVERHEAD);
	answer->replayed = true;
	return true;
}

static enum db_tx_next answer_remember(struct effect_tx *tx)
{
	struct text *body = &tx->answer->body;
	unsigned char *sealed;

	if (tx->flow->idempotency_key == NULL)
		return DB_TX_COMMIT;
	sealed = arena_alloc(tx->flow->arena, body->len + SEAL_OVERHEAD);
	if (!secret_seal(tx->flow->keyring, KEY_REPLY, tx->context,
			 (struct bytes){body->data, body->len}, sealed)) {
		tx->answer->error = ERR_INTERNAL_ERROR;
		return DB_TX_ROLLBACK;
	}
	tx->store.status = tx->answer->status;
	tx->store.sealed = (struct bytes){sealed, body->len + SEAL_OVERHEAD};
	return DB_TX_COMMIT;
}

static enum db_tx_next effect_body(struct db *db, void *arg,
				   enum db_result *result)
{
	struct effect_tx *tx = arg;
	struct effect_answer *answer = tx->answer;

	(void)db;
	*answer = (struct effect_answer){.error = ERR_NONE};
	if (tx->flow->idempotency_key != NULL) {
		if (strcmp(tx->record.outcome, "replay") == 0) {
			if (!answer_recall(tx)) {
				log_broken("event=reply_unreadable");
				answer->error = ERR_INTERNAL_ERROR;
			}
			return DB_TX_ROLLBACK;
		}
		answer->error = error_of_outcome(tx->record.outcome);
		if (answer->error != ERR_NONE)
			return DB_TX_ROLLBACK;
	}
	*result = tx->effect->run(tx->flow, tx->effect->arg, &answer->error);
	if (*result != DB_OK)
		return DB_TX_FAILED;
	if (answer->error != ERR_NONE)
		return DB_TX_ROLLBACK;
	answer->status = *tx->effect->status;
	text_init(&answer->body, tx->flow->arena);
	tx->effect->render(tx->effect->arg, &answer->body);
	return answer_remember(tx);
}

void effect_run(const struct flow *flow, const struct effect *effect,
		struct effect_answer *answer)
{
	const char *key = flow->idempotency_key;
	struct effect_tx tx = {
		.flow = flow,
		.effect = effect,
		.answer = answer,
	};
	struct db_tx run = {.body = effect_body, .arg = &tx};
	enum db_result result = DB_LOST;
	bool in_doubt = false;

	if (key != NULL) {
		tx.claim = (struct reply_claim){
			.wallet_id = flow->wallet_id,
			.key = {key, strlen(key)},
			.fingerprint = {flow->fingerprint, 32},
		};
		tx.store = (struct reply_store){
			.wallet_id = flow->wallet_id,
			.key = tx.claim.key,
		};
		tx.context = arena_printf(flow->arena, "%lld:%s",
					  (long long)flow->wallet_id, key);
		run.start = &reply_claim_statement;
		run.start_params = &tx.claim;
		run.start_row = &tx.record;
		run.finish = &reply_store_statement;
		run.finish_params = &tx.store;
	}
	for (int tries = 0; tries < EFFECT_TRIES; tries++) {
		result = db_tx_run(flow->db, flow->arena, &run, &in_doubt);
		/* The record tells whether a commit in doubt took place. */
		if (result == DB_LOST && in_doubt && key != NULL)
			continue;
		if (result != DB_DUPLICATE)
			break;
	}
	if (result == DB_WAIT && key != NULL && tx.record.outcome == NULL)
		answer->error = ERR_IDEMPOTENCY_IN_PROGRESS;
	else if (result != DB_OK)
		answer->error = error_of_result(result);
}
