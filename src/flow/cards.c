/* SPDX-License-Identifier: Apache-2.0 */
#include "cards.h"

#include <string.h>

#include "../base/arena.h"
#include "../base/log.h"
#include "../base/secret.h"
#include "../base/token.h"
#include "../store/bins.h"
#include "card_number.h"

/* A new number on each call: a BIN's numbers can collide. */
static bool card_number_draw(const struct flow *flow, struct card_new *card)
{
	struct arena *arena = flow->arena;
	unsigned char *sealed =
		arena_alloc(arena, PAN_SIZE - 1 + SEAL_OVERHEAD);
	unsigned char *hash = arena_alloc(arena, 32);
	char *public_id = arena_alloc(arena, ID_SIZE);
	char pan[PAN_SIZE];
	uint64_t middle;
	struct bytes plain = {pan, PAN_SIZE - 1};
	bool done;

	random_bytes(&middle, sizeof(middle));
	pan_build(pan, card->bin_id, middle);
	id_make(public_id, "card_");
	secret_hmac(flow->keyring, KEY_PAN_LOOKUP, plain, hash);
	done = secret_seal(flow->keyring, KEY_PAN_ENCRYPTION, public_id, plain,
			   sealed);
	card->public_id = public_id;
	card->pan_sealed = (struct bytes){sealed, PAN_SIZE - 1 + SEAL_OVERHEAD};
	card->pan_key_id = keyring_present(flow->keyring);
	card->pan_hash = (struct bytes){hash, 32};
	card->last4 = arena_strdup(arena, pan + PAN_SIZE - 1 - 4);
	secret_wipe(pan, sizeof(pan));
	return done;
}

/* A BIN is digits; anything else is none, and would not make a number. */
static bool bin_id_plausible(const char *bin_id)
{
	size_t len = strlen(bin_id);

	return len >= 6 && len <= 8 && strspn(bin_id, "0123456789") == len;
}

enum db_result card_issue_run(const struct flow *flow, void *arg,
			      enum error_code *refusal)
{
	struct card_issue *issue = arg;
	enum db_result result;

	*refusal = ERR_NONE;
	if (issue->any_bin) {
		result = bin_choose(
			flow->db, flow->arena,
			strcmp(issue->card.type, "digital_wallet") == 0,
			&issue->card.bin_id);
		if (result != DB_OK)
			return result;
		if (issue->card.bin_id == NULL) {
			*refusal = ERR_BIN_NOT_AVAILABLE;
			return DB_OK;
		}
	}
	if (!bin_id_plausible(issue->card.bin_id)) {
		*refusal = ERR_BIN_NOT_FOUND;
		return DB_OK;
	}
	issue->card.wallet_id = flow->wallet_id;
	if (!card_number_draw(flow, &issue->card)) {
		*refusal = ERR_INTERNAL_ERROR;
		return DB_OK;
	}
	result = card_create(flow->db, flow->arena, &issue->card,
			     &issue->answer);
	if (result == DB_OK)
		*refusal = error_of_outcome(issue->answer.outcome);
	return result;
}

/* A card that was never used has all its limits left. */
static enum db_result command_conclude(const struct flow *flow,
				       struct card_command *command,
				       enum db_result result,
				       enum error_code *refusal)
{
	const struct card_row *card = &command->answer.card;

	if (result != DB_OK)
		return result;
	*refusal = error_of_outcome(command->answer.outcome);
	if (*refusal != ERR_NONE || card->transaction_count == 0)
		return DB_OK;
	return card_limits_get(flow->db, flow->arena, card->id,
			       &command->limits);
}

enum db_result card_update_run(const struct flow *flow, void *arg,
			       enum error_code *refusal)
{
	struct card_command *command = arg;

	return command_conclude(flow, command,
				card_update(flow->db, flow->arena,
					    flow->wallet_id, command->public_id,
					    &command->patch, &command->answer),
				refusal);
}

enum db_result card_change_run(const struct flow *flow, void *arg,
			       enum error_code *refusal)
{
	struct card_command *command = arg;
	enum db_result result = card_change(flow->db, flow->arena,
					    flow->wallet_id, command->public_id,
					    &command->patch, &command->answer);

	if (result == DB_OK)
		*refusal = error_of_outcome(command->answer.outcome);
	return result;
}

static enum db_result state_run(
	const struct flow *flow, struct card_command *command,
	enum db_result (*change)(struct db *, struct arena *, int64_t,
				 const char *, struct card_answer *),
	enum error_code *refusal)
{
	return command_conclude(flow, command,
				change(flow->db, flow->arena, flow->wallet_id,
				       command->public_id, &command->answer),
				refusal);
}

enum db_result card_freeze_run(const struct flow *flow, void *arg,
			       enum error_code *refusal)
{
	return state_run(flow, arg, card_freeze, refusal);
}

enum db_result card_unfreeze_run(const struct flow *flow, void *arg,
				 enum error_code *refusal)
{
	return state_run(flow, arg, card_unfreeze, refusal);
}

enum db_result card_terminate_run(const struct flow *flow, void *arg,
				  enum error_code *refusal)
{
	return state_run(flow, arg, card_terminate, refusal);
}

static enum db_result transfer_run(
	const struct flow *flow, struct card_command *command,
	enum db_result (*move)(struct db *, struct arena *, int64_t,
			       const char *, struct money,
			       struct card_transfer *),
	enum error_code *refusal)
{
	enum db_result result;

	result = move(flow->db, flow->arena, flow->wallet_id,
		      command->public_id, command->amount, &command->transfer);
	if (result == DB_OK)
		*refusal = error_of_outcome(command->transfer.outcome);
	return result;
}

enum db_result card_fund_run(const struct flow *flow, void *arg,
			     enum error_code *refusal)
{
	return transfer_run(flow, arg, card_fund, refusal);
}

enum db_result card_withdraw_run(const struct flow *flow, void *arg,
				 enum error_code *refusal)
{
	return transfer_run(flow, arg, card_withdraw, refusal);
}

enum db_result card_reveal_run(const struct flow *flow, void *arg,
			       enum error_code *refusal)
{
	struct card_reveal *reveal = arg;
	struct card_details details;
	enum db_result result;

	result = card_details_read(flow->db, flow->arena, flow->wallet_id,
				   reveal->public_id, flow->key_public_id,
				   flow->client_address, flow->request_id,
				   &details);
	if (result != DB_OK)
		return result;
	*refusal = error_of_outcome(details.outcome);
	if (*refusal == ERR_NONE &&
	    !card_secrets_open(flow->keyring, reveal->public_id,
			       details.pan_sealed, details.expires_at,
			       &reveal->secrets)) {
		log_broken("event=card_unreadable card=%s", reveal->public_id);
		*refusal = ERR_INTERNAL_ERROR;
	}
	return DB_OK;
}

static const char *ids_json(struct arena *arena, const struct card_row *cards,
			    size_t count)
{
	struct text json;

	text_init(&json, arena);
	for (size_t i = 0; i < count; i++) {
		text_add_char(&json, i == 0 ? '[' : ',');
		text_add_int(&json, cards[i].id);
	}
	text_add_char(&json, ']');
	return json.data;
}

enum error_code card_numbers_open(const struct flow *flow, const char *action,
				  const struct card_row *cards, size_t count,
				  struct card_secrets **secrets)
{
	struct card_number_read read = {
		.wallet_id = flow->wallet_id,
		.action = action,
		.key_public_id = flow->key_public_id,
		.address = flow->client_address,
		.request_id = flow->request_id,
	};
	struct card_number_row *rows;
	enum db_result result;
	size_t found;

	*secrets = NULL;
	if (count == 0)
		return ERR_NONE;
	read.cards = ids_json(flow->arena, cards, count);
	result = card_numbers_read(flow->db, flow->arena, &read, &rows, &found);
	if (result != DB_OK)
		return error_of_result(result);
	*secrets = arena_alloc(flow->arena, count * sizeof(**secrets));
	for (size_t i = 0; i < count; i++) {
		if (found == count && rows[i].card_id == cards[i].id &&
		    card_secrets_open(flow->keyring, cards[i].public_id,
				      rows[i].pan_sealed, cards[i].expires_at,
				      &(*secrets)[i]))
			continue;
		log_broken("event=card_unreadable card=%s", cards[i].public_id);
		return ERR_INTERNAL_ERROR;
	}
	return ERR_NONE;
}
