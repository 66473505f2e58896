/* SPDX-License-Identifier: Apache-2.0 */
#include "webhooks.h"

#include <string.h>

#include "../base/arena.h"
#include "../base/secret.h"
#include "../base/token.h"

/* A delivery may have been sent again and again; what is shown is bounded: two
 * whole rounds of ten. */
#define ATTEMPTS_SHOWN 20

static bool secret_hide(const struct flow *flow, const char *public_id,
			const char *secret, struct bytes *out)
{
	size_t len = strlen(secret);
	unsigned char *sealed = arena_alloc(flow->arena, len + SEAL_OVERHEAD);

	*out = (struct bytes){sealed, len + SEAL_OVERHEAD};
	return secret_seal(flow->keyring, KEY_WEBHOOK_SECRET, public_id,
			   (struct bytes){secret, len}, sealed);
}

enum db_result webhook_register_run(const struct flow *flow, void *arg,
				    enum error_code *refusal)
{
	struct webhook_register *new = arg;
	char *public_id = arena_alloc(flow->arena, ID_SIZE);
	enum db_result result;

	*refusal = ERR_NONE;
	id_make(public_id, "wh_");
	new->webhook.wallet_id = flow->wallet_id;
	new->webhook.public_id = public_id;
	if (!secret_hide(flow, public_id, new->secret,
			 &new->webhook.secret_sealed)) {
		*refusal = ERR_INTERNAL_ERROR;
		return DB_OK;
	}
	result = webhook_create(flow->db, flow->arena, &new->webhook,
				&new->answer);
	if (result == DB_OK)
		*refusal = error_of_outcome(new->answer.outcome);
	return result;
}

static enum db_result conclude(enum db_result result, const char *outcome,
			       enum error_code *refusal)
{
	if (result == DB_OK)
		*refusal = error_of_outcome(outcome);
	return result;
}

enum db_result webhook_update_run(const struct flow *flow, void *arg,
				  enum error_code *refusal)
{
	struct webhook_command *command = arg;
	enum db_result result;

	result = webhook_update(flow->db, flow->arena, flow->wallet_id,
				command->public_id, &command->patch,
				&command->answer);
	return conclude(result, command->answer.outcome, refusal);
}

enum db_result webhook_delete_run(const struct flow *flow, void *arg,
				  enum error_code *refusal)
{
	struct webhook_command *command = arg;
	enum db_result result;

	result = webhook_delete(flow->db, flow->arena, flow->wallet_id,
				command->public_id, &command->answer);
	return conclude(result, command->answer.outcome, refusal);
}

enum db_result privacy_webhook_name_run(const struct flow *flow, void *arg,
					enum error_code *refusal)
{
	struct privacy_webhook_command *command = arg;
	char public_id[ID_SIZE];
	enum db_result result;

	id_make(public_id, "wh_");
	result = privacy_webhook_name(flow->db, flow->arena, flow->wallet_id,
				      public_id, flow->key_public_id,
				      command->url, &command->answer);
	return conclude(result, command->answer.outcome, refusal);
}

enum db_result privacy_webhook_delete_run(const struct flow *flow, void *arg,
					  enum error_code *refusal)
{
	struct privacy_webhook_command *command = arg;
	enum db_result result;

	result = privacy_webhook_remove(flow->db, flow->arena, flow->wallet_id,
					&command->answer);
	return conclude(result, command->answer.outcome, refusal);
}

enum db_result webhook_rotate_run(const struct flow *flow, void *arg,
				  enum error_code *refusal)
{
	struct webhook_command *command = arg;
	struct bytes sealed;
	enum db_result result;

	*refusal = ERR_NONE;
	if (!secret_hide(flow, command->public_id, command->secret, &sealed)) {
		*refusal = ERR_INTERNAL_ERROR;
		return DB_OK;
	}
	result = webhook_rotate(flow->db, flow->arena, flow->wallet_id,
				command->public_id, sealed, &command->answer);
	return conclude(result, command->answer.outcome, refusal);
}

enum db_result webhook_ping_run(const struct flow *flow, void *arg,
				enum error_code *refusal)
{
	struct webhook_command *command = arg;
	struct ping_answer answer = {.outcome = NULL};
	enum db_result result;

	result = webhook_ping(flow->db, flow->arena, flow->wallet_id,
			      command->public_id, &answer);
	result = conclude(result, answer.outcome, refusal);
	if (result != DB_OK || *refusal != ERR_NONE)
		return result;
	return event_get(flow->db, flow->arena, flow->wallet_id,
			 answer.event_public_id, &command->ping);
}

enum db_result webhook_replay_run(const struct flow *flow, void *arg,
				  enum error_code *refusal)
{
	struct webhook_command *command = arg;
	enum db_result result;

	command->range.limit = REPLAY_MAX;
	result = webhook_replay(flow->db, flow->arena, flow->wallet_id,
				command->public_id, &command->range,
				&command->replayed);
	return conclude(result, command->replayed.outcome, refusal);
}

/* Attempts come by delivery; each delivery takes its own. */
static void attempts_share(struct delivery_shown *shown,
			   struct attempt_row *attempts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (attempts[i].delivery_id != shown->row.id)
			continue;
		if (shown->count++ == 0)
			shown->attempts = &attempts[i];
	}
}

enum db_result deliveries_shown(struct db *db, struct arena *arena,
				struct delivery_shown *shown, size_t count)
{
	struct attempt_row *attempts;
	enum db_result status;
	struct text wanted;
	size_t found;

	text_init(&wanted, arena);
	for (size_t i = 0; i < count; i++) {
		const struct delivery_row *row = &shown[i].row;

		text_printf(&wanted, "%s{\"id\":%lld,\"after\":%lld}",
			    i == 0 ? "[" : ",", (long long)row->id,
			    (long long)row->attempts - ATTEMPTS_SHOWN);
		shown[i].count = 0;
	}
	if (count == 0)
		return DB_OK;
	text_add_char(&wanted, ']');
	status = attempt_list(db, arena, wanted.data, &attempts, &found);
	if (status != DB_OK)
		return status;
	for (size_t i = 0; i < count; i++)
		attempts_share(&shown[i], attempts, found);
	return DB_OK;
}

enum db_result event_resend_run(const struct flow *flow, void *arg,
				enum error_code *refusal)
{
	struct event_resend *resend = arg;
	struct resend_answer answer = {.outcome = NULL};
	enum db_result result;

	result = event_resend(flow->db, flow->arena, flow->wallet_id,
			      resend->event_id, resend->webhook_id, &answer);
	result = conclude(result, answer.outcome, refusal);
	if (result != DB_OK || *refusal != ERR_NONE)
		return result;
	resend->delivery = (struct delivery_shown){.row = answer.delivery};
	return deliveries_shown(flow->db, flow->arena, &resend->delivery, 1);
}
