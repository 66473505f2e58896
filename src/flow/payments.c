/* SPDX-License-Identifier: Apache-2.0 */
#include "payments.h"

#include <string.h>

#include "../base/arena.h"
#include "../base/log.h"
#include "../base/secret.h"
#include "../base/token.h"
#include "../core/pan.h"
#include "card_number.h"

struct bytes payment_pan_hash(const struct flow *flow, const char *pan)
{
	unsigned char *hash = arena_alloc(flow->arena, 32);

	secret_hmac(flow->keyring, KEY_PAN_LOOKUP,
		    (struct bytes){pan, strlen(pan)}, hash);
	return (struct bytes){hash, 32};
}

/* Whether the CVV is the card's; a number that cannot be opened is ours to
 * worry about, and no CVV matches it. */
static enum cvv_check cvv_check(const struct flow *flow,
				const struct authorization_facts *row,
				const char *given)
{
	struct card_secrets secrets;
	bool same;

	if (given == NULL)
		return CVV_NOT_GIVEN;
	if (!card_secrets_open(flow->keyring, row->card_public_id,
			       row->pan_sealed, row->expires_at, &secrets))
		return CVV_DIFFERS;
	same = strlen(given) == 3 && secret_equal(secrets.cvv, given, 3);
	secret_wipe(&secrets, sizeof(secrets));
	return same ? CVV_MATCHES : CVV_DIFFERS;
}

static int name_index(const char *const *names, const char *name)
{
	int i = 0;

	while (names[i] != NULL && strcmp(names[i], name) != 0)
		i++;
	return i;
}

static const char *merchant_key(const struct merchant *merchant)
{
	return merchant->id != NULL ? merchant->id : merchant->name;
}

/* What the row says, as the rules want it. */
static void facts_fill(struct decide_facts *facts,
		       const struct authorization_facts *row)
{
	facts->card_known = row->card_id != 0;
	if (!facts->card_known)
		return;
	facts->now = row->now;
	facts->status =
		(enum card_status)name_index(card_status_names, row->status);
	facts->account_active = strcmp(row->account_status, "active") == 0;
	facts->expires_at = row->expires_at;
	facts->single_use = strcmp(row->type, "single_use") == 0;
	facts->single_use_spent = row->single_use_spent;
	facts->merchant_locked = strcmp(row->type, "merchant_locked") == 0;
	facts->locked_merchant = row->locked_merchant;
	facts->allowed_categories = row->allowed_categories;
	facts->category = row->category;
	facts->country_blocked = row->country_blocked;
	facts->limit = row->limit;
	facts->window = (enum limit_window)name_index(limit_window_names,
						      row->limit_window);
	facts->limit_used = row->limit_used;
	facts->bin_max_transaction = row->bin_max_transaction;
	facts->bin_max_monthly = row->bin_max_monthly;
	facts->month_used = row->month_used;
	facts->count_limit = row->count_limit;
	facts->count_used = row->transaction_count;
	facts->balance = row->balance;
}

static const char *reasons_json(struct arena *arena, uint32_t failed)
{
	struct text json;

	text_init(&json, arena);
	for (int i = 0; i < DECLINE_COUNT; i++)
		if (failed & UINT32_C(1) << i)
			text_printf(&json, "%s\"%s\"",
				    json.len == 0 ? "[" : ",",
				    decline_info((enum decline_reason)i)->name);
	text_add(&json, json.len == 0 ? "[]" : "]");
	return json.data;
}

static void authorize_decide(const struct flow *flow,
			     struct payment_authorize *authorize)
{
	const struct authorization_facts *row = &authorize->facts;
	struct decide_facts facts = {
		.amount = authorize->amount,
		.earlier = MONEY_USD(0),
		.verification = authorize->verification,
		.partial_capable = authorize->partial_capable,
		.exp_month = authorize->exp_month,
		.exp_year = authorize->exp_year,
		.merchant = merchant_key(&authorize->merchant),
		.currency_known = authorize->merchant_currency == NULL ||
				  currency_known(authorize->merchant_currency),
	};

	facts_fill(&facts, row);
	if (facts.card_known)
		facts.cvv = cvv_check(flow, row, authorize->cvv);
	decide(&facts, &authorize->decision);
}

static void authorization_code_make(char code[7])
{
	static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (int i = 0; i < 6; i++)
		code[i] = alphabet[random_below(36)];
	code[6] = '\0';
}

/* The outputs and the posting, from the decision. */
static void authorize_conclude(const struct flow *flow,
			       struct payment_authorize *authorize)
{
	const struct decision *decision = &authorize->decision;
	const struct authorization_facts *row = &authorize->facts;
	char *public_id = arena_alloc(flow->arena, ID_SIZE);
	bool spends =
		!authorize->verification && money_sign(authorize->amount) > 0;

	id_make(public_id, "txn_");
	/* Of a try before this one. */
	authorize->authorization_code = authorize->decline_reason = NULL;
	authorize->row = (struct transaction_row){.public_id = NULL};
	authorize->approved = decision->approved;
	authorize->approved_amount = decision->approved_amount;
	authorize->response_code = decision->response_code;
	authorize->decline_reasons = reasons_json(
		flow->arena, decision->approved ? 0 : decision->failed);
	authorize->balance = row->balance;
	if (decision->approved) {
		authorization_code_make(authorize->code);
		authorize->authorization_code = authorize->code;
		if (!money_sub(&authorize->balance, row->balance,
			       decision->approved_amount))
			log_broken("event=balance_out_of_range");
	} else {
		authorize->decline_reason =
			decline_info(decision->verdict)->name;
	}
	authorize->transaction_id = row->card_id == 0 ? NULL : public_id;
	authorize->post = (struct authorization_post){
		.card_id = row->card_id,
		.public_id = public_id,
		.network_ref = authorize->network_ref,
		.kind = authorize->verification ? "verification" : "purchase",
		.requested = authorize->amount,
		.approved_amount = authorize->approved_amount,
		.approved = authorize->approved,
		.response_code = authorize->response_code,
		.authorization_code = authorize->authorization_code,
		.decline_reason = authorize->decline_reason,
		.decline_reasons = authorize->decline_reasons,
		.merchant = authorize->merchant,
		.category = row->category,
		.merchant_amount = authorize->merchant_amount,
		.merchant_currency = authorize->merchant_currency,
		.three_ds = authorize->three_ds,
		.bind_merchant = decision->approved && spends &&
				 row->card_id != 0 &&
				 strcmp(row->type, "merchant_locked") == 0 &&
				 row->locked_merchant == NULL,
	};
}

/* The event that answered a message before. */
static enum db_result event_recall(const struct flow *flow,
				   int64_t transaction_id, int64_t number,
				   struct transaction_event *event)
{
	struct transaction_event *events;
	enum db_result result;
	size_t count;

	result = transaction_events(flow->db, flow->arena, transaction_id,
				    &events, &count);
	if (result != DB_OK)
		return result;
	for (size_t i = 0; i < count; i++)
		if (events[i].number == number) {
			*event = events[i];
			return DB_OK;
		}
	return DB_BROKEN;
}

/* A reference that has been decided: the first answer again. */
static enum db_result authorize_recall(const struct flow *flow,
				       struct payment_authorize *authorize)
{
	const char *public_id = authorize->facts.transaction_public_id;
	struct transaction_event event;
	enum db_result result;

	if (public_id == NULL) {
		authorize->facts.card_id = 0;
		authorize_decide(flow, authorize);
		authorize_conclude(flow, authorize);
		return DB_OK;
	}
	result = transaction_find(flow->db, flow->arena, public_id,
				  &authorize->row);
	if (result == DB_OK)
		result = event_recall(flow, authorize->row.id,
				      authorize->facts.event_number, &event);
	if (result != DB_OK)
		return result;
	authorize->approved = event.approved;
	authorize->approved_amount =
		event.approved ? event.amount : MONEY_USD(0);
	authorize->balance = event.balance_after;
	authorize->response_code = event.response_code;
	authorize->transaction_id = public_id;
	authorize->authorization_code = authorize->row.authorization_code;
	authorize->decline_reason = authorize->row.decline_reason;
	authorize->decline_reasons = authorize->row.decline_reasons;
	return DB_OK;
}

static struct authorization_key authorize_key(
	const struct payment_authorize *authorize)
{
	return (struct authorization_key){
		.card = authorize->card,
		.network_ref = authorize->network_ref,
		.mcc = authorize->merchant.mcc,
		.country = authorize->merchant.country,
	};
}

enum db_result payment_authorize_run(const struct flow *flow, void *arg,
				     enum error_code *refusal)
{
	struct payment_authorize *authorize = arg;
	struct authorization_key key = authorize_key(authorize);
	enum db_result result;

	*refusal = ERR_NONE;
	result = authorization_read(flow->db, flow->arena, &key,
				    &authorize->facts);
	if (result != DB_OK)
		return result;
	if (strcmp(authorize->facts.outcome, "replay") == 0)
		return authorize_recall(flow, authorize);
	*refusal = error_of_outcome(authorize->facts.outcome);
	if (*refusal != ERR_NONE)
		return DB_OK;
	if (authorize->facts.card_id == 0) {
		*refusal = ERR_NOT_FOUND;
		return DB_OK;
	}
	authorize_decide(flow, authorize);
	authorize_conclude(flow, authorize);
	result = authorization_post(flow->db, &authorize->post);
	if (result != DB_OK)
		return result;
	return transaction_get(flow->db, flow->arena,
			       authorize->facts.wallet_id,
			       authorize->transaction_id, &authorize->row);
}

struct authorize_tx {
	const struct flow *flow;
	struct payment_authorize *authorize;
	bool explain;
	enum error_code refusal;
};

static enum db_tx_next authorize_body(struct db *db, void *arg,
				      enum db_result *result)
{
	struct authorize_tx *tx = arg;
	struct payment_authorize *authorize = tx->authorize;

	(void)db;
	tx->refusal = ERR_NONE;
	if (strcmp(authorize->facts.outcome, "replay") == 0) {
		*result = authorize_recall(tx->flow, authorize);
		return *result == DB_OK ? DB_TX_ROLLBACK : DB_TX_FAILED;
	}
	tx->refusal = error_of_outcome(authorize->facts.outcome);
	if (tx->refusal != ERR_NONE)
		return DB_TX_ROLLBACK;
	authorize_decide(tx->flow, authorize);
	authorize_conclude(tx->flow, authorize);
	return tx->explain ? DB_TX_ROLLBACK : DB_TX_COMMIT;
}

static enum error_code authorize_tx(const struct flow *flow,
				    struct payment_authorize *authorize,
				    bool explain)
{
	struct authorization_key key = authorize_key(authorize);
	struct authorize_tx context = {flow, authorize, explain, ERR_NONE};
	struct db_tx tx = {
		.start = &authorization_open_statement,
		.start_params = &key,
		.start_row = &authorize->facts,
		.body = authorize_body,
		.arg = &context,
		.finish = &authorization_close_statement,
		.finish_params = &authorize->post,
	};
	enum db_result result = DB_LOST;
	bool in_doubt = false;

	/* What a lost COMMIT did, its reference tells. */
	for (int tries = 0; tries < 2; tries++) {
		result = db_tx_run(flow->db, flow->arena, &tx, &in_doubt);
		if (result != DB_LOST || !in_doubt)
			break;
	}
	return result == DB_OK ? context.refusal : error_of_result(result);
}

enum error_code payment_authorize(const struct flow *flow,
				  struct payment_authorize *authorize)
{
	return authorize_tx(flow, authorize, false);
}

enum error_code payment_explain(const struct flow *flow,
				struct payment_authorize *authorize)
{
	return authorize_tx(flow, authorize, true);
}

static enum db_result increment_decide(const struct flow *flow,
				       struct payment_message *message,
				       const struct authorization_facts *row)
{
	struct decide_facts facts = {
		.amount = message->amount,
		.earlier = row->earlier,
		.merchant = row->locked_merchant == NULL ? ""
							 : row->locked_merchant,
		.currency_known = true,
	};
	struct decision decision;
	struct increment_post post;

	facts_fill(&facts, row);
	decide(&facts, &decision);
	message->approved = decision.approved;
	message->response_code = decision.response_code;
	message->decline_reason =
		decision.approved ? NULL : decline_info(decision.verdict)->name;
	message->decline_reasons = reasons_json(
		flow->arena, decision.approved ? 0 : decision.failed);
	post = (struct increment_post){
		.transaction_id = row->transaction_id,
		.amount = message->amount,
		.approved = message->approved,
		.response_code = message->response_code,
		.decline_reason = message->decline_reason,
		.decline_reasons = message->decline_reasons,
		.message_ref = message->target.message_ref,
	};
	return increment_post(flow->db, &post);
}

/* The first answer to a message that came before. */
static enum db_result message_recall(const struct flow *flow,
				     struct payment_message *message,
				     int64_t number)
{
	struct transaction_event event;
	enum db_result result;

	result = event_recall(flow, message->row.id, number, &event);
	if (result != DB_OK)
		return result;
	message->approved = event.approved;
	message->response_code = event.response_code;
	message->decline_reason = event.decline_reason;
	message->decline_reasons =
		event.decline_reasons == NULL ? "[]" : event.decline_reasons;
	message->moved = event.amount;
	message->balance = event.balance_after;
	return DB_OK;
}

/* To the network a reference to nothing is an answer, and one that commits: a
 * reversal is kept until its authorization comes. */
static enum db_result message_unknown(struct payment_message *message,
				      enum error_code *refusal)
{
	*refusal = ERR_NONE;
	message->row = (struct transaction_row){.public_id = NULL};
	message->approved = false;
	message->response_code = "25";
	message->decline_reason = "original_not_found";
	message->decline_reasons = "[\"original_not_found\"]";
	message->balance = message->moved = MONEY_USD(0);
	return DB_OK;
}

enum db_result payment_increment_run(const struct flow *flow, void *arg,
				     enum error_code *refusal)
{
	struct payment_message *message = arg;
	struct authorization_facts row;
	bool replayed;
	enum db_result result;

	*refusal = ERR_NONE;
	message->moved = message->amount;
	result = increment_read(flow->db, flow->arena, &message->target, &row);
	if (result != DB_OK)
		return result;
	replayed = strcmp(row.outcome, "replay") == 0;
	if (!replayed) {
		*refusal = error_of_outcome(row.outcome);
		if (*refusal == ERR_ORIGINAL_NOT_FOUND && flow->wallet_id == 0)
			return message_unknown(message, refusal);
		if (*refusal != ERR_NONE)
			return DB_OK;
		result = increment_decide(flow, message, &row);
		if (result != DB_OK)
			return result;
	}
	result = transaction_find(flow->db, flow->arena,
				  row.transaction_public_id, &message->row);
	message->balance = message->row.balance_after;
	if (result == DB_OK && replayed)
		result = message_recall(flow, message, row.event_number);
	return result;
}

/* What the routines that decide nothing have in common. */
static enum db_result message_conclude(const struct flow *flow,
				       struct payment_message *message,
				       enum db_result result,
				       enum error_code *refusal)
{
	*refusal = ERR_NONE;
	if (result != DB_OK)
		return result;
	if (strcmp(message->row.outcome, "replay") == 0)
		return message_recall(flow, message, message->row.event_number);
	*refusal = error_of_outcome(message->row.outcome);
	if (*refusal == ERR_ORIGINAL_NOT_FOUND && flow->wallet_id == 0)
		return message_unknown(message, refusal);
	message->approved = *refusal == ERR_NONE;
	message->response_code = "00";
	message->decline_reason = NULL;
	message->decline_reasons = "[]";
	message->balance = message->row.balance_after;
	message->moved = message->row.event_amount;
	return DB_OK;
}

enum db_result payment_advice_run(const struct flow *flow, void *arg,
				  enum error_code *refusal)
{
	struct payment_message *message = arg;

	return message_conclude(flow, message,
				transaction_advice(flow->db, flow->arena,
						   &message->advice,
						   &message->row),
				refusal);
}

enum db_result payment_clear_run(const struct flow *flow, void *arg,
				 enum error_code *refusal)
{
	struct payment_message *message = arg;
	enum db_result result;

	result = transaction_clear(flow->db, flow->arena, &message->clearing,
				   &message->row);
	return message_conclude(flow, message, result, refusal);
}

enum db_result payment_reverse_run(const struct flow *flow, void *arg,
				   enum error_code *refusal)
{
	struct payment_message *message = arg;
	enum db_result result;

	result = transaction_reverse(flow->db, flow->arena, &message->reversal,
				     &message->row);
	return message_conclude(flow, message, result, refusal);
}

static const char *transaction_id_make(const struct flow *flow)
{
	char *public_id = arena_alloc(flow->arena, ID_SIZE);

	id_make(public_id, "txn_");
	return public_id;
}

enum db_result payment_force_post_run(const struct flow *flow, void *arg,
				      enum error_code *refusal)
{
	struct payment_message *message = arg;

	message->force_post.public_id = transaction_id_make(flow);
	return message_conclude(flow, message,
				force_post(flow->db, flow->arena,
					   &message->force_post, &message->row),
				refusal);
}

enum db_result payment_refund_run(const struct flow *flow, void *arg,
				  enum error_code *refusal)
{
	struct payment_message *message = arg;

	message->refund.public_id = transaction_id_make(flow);
	return message_conclude(
		flow, message,
		refund(flow->db, flow->arena, &message->refund, &message->row),
		refusal);
}

enum db_result payment_refund_reverse_run(const struct flow *flow, void *arg,
					  enum error_code *refusal)
{
	struct payment_message *message = arg;
	enum db_result result;

	result = refund_reverse(flow->db, flow->arena,
				&message->refund_reversal, &message->row);
	return message_conclude(flow, message, result, refusal);
}
