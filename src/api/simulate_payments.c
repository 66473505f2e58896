/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox's card network: the very messages of network.c, in the words of
 * a developer, and answered with the transaction. */
#include "resources.h"

struct posting_input {
	const char *card_id, *transaction_id, *network_ref;
	struct money amount;
	struct merchant merchant;
	bool merchant_given;
};

#define POSTING(...) IN(struct posting_input, __VA_ARGS__)
#define POSTING_FIELDS                                                         \
	POSTING("amount", SPEC_MONEY, amount, .required = true, .min = 1,      \
		.max = MONEY_MAX_CENTS, .too_small = ERR_AMOUNT_TOO_SMALL,     \
		.too_large = ERR_AMOUNT_TOO_LARGE),                            \
		POSTING("network_ref", SPEC_TEXT, network_ref, REFERENCE,      \
			.doc = "Makes a repetition the same request.")

static const struct spec_field force_post_fields[] = {
	POSTING_FIELDS,
	POSTING("card_id", SPEC_TEXT, card_id, .ascii = true, .required = true,
		.min = 1, .max = 32),
	POSTING("merchant", SPEC_OBJECT, merchant, .required = true,
		.object = &merchant_spec),
};
static const struct spec_field refund_fields[] = {
	POSTING_FIELDS,
	POSTING("card_id", SPEC_TEXT, card_id, .ascii = true, .min = 1,
		.max = 32, .doc = "The card; or transaction_id."),
	POSTING("transaction_id", SPEC_TEXT, transaction_id, .ascii = true,
		.min = 1, .max = 32, .doc = "The purchase that is refunded."),
	POSTING("merchant", SPEC_OBJECT, merchant, .object = &merchant_spec,
		.given = offsetof(struct posting_input, merchant_given),
		.doc = "The purchase's, or the sandbox's own, when left out."),
};
static const struct spec force_post_spec =
	SPEC("SimulateForcePost", force_post_fields);
static const struct spec refund_spec = SPEC("SimulateRefund", refund_fields);
const struct shape simulate_force_post_body = {
	&force_post_spec, sizeof(struct posting_input), NULL};
const struct shape simulate_refund_body = {&refund_spec,
					   sizeof(struct posting_input), NULL};

struct simulated_authorization {
	struct payment_authorize authorize;
	struct transaction_shown shown;
};

static enum db_result authorization_run(const struct flow *flow, void *arg,
					enum error_code *refusal)
{
	struct simulated_authorization *simulated = arg;
	struct payment_authorize *authorize = &simulated->authorize;
	enum db_result result;

	result = payment_authorize_run(flow, authorize, refusal);
	if (result != DB_OK || *refusal != ERR_NONE)
		return result;
	if (authorize->row.public_id == NULL) {
		*refusal = ERR_NOT_FOUND;
		return DB_OK;
	}
	simulated->shown.row = authorize->row;
	simulated->shown.approved = authorize->approved;
	simulated->shown.response_code = authorize->response_code;
	return transaction_shown(flow->db, flow->arena, &simulated->shown);
}

static void authorization_print(const void *arg, struct text *body)
{
	const struct simulated_authorization *simulated = arg;

	transaction_simulated_print(&simulated->shown, body);
}

void simulate_authorization(struct call *call)
{
	const struct authorization_input *input = call->body;
	struct simulated_authorization simulated = {.shown = {.count = 0}};

	if (!authorization_fill(call, input, &simulated.authorize) ||
	    !payment_card_fill(call, input->card_id, input->pan,
			       &simulated.authorize.card))
		return;
	if (call_effect(call, authorization_run, authorization_print,
			&simulated) == ERR_INVALID_PARAMETER)
		reference_refuse(call);
}

/* A message with its body, and the transaction that it leaves behind. */
struct simulated_message {
	struct payment_message message;
	enum db_result (*run)(const struct flow *flow, void *arg,
			      enum error_code *refusal);
	struct transaction_shown shown;
};

static enum db_result message_run(const struct flow *flow, void *arg,
				  enum error_code *refusal)
{
	struct simulated_message *simulated = arg;
	enum db_result result;

	result = simulated->run(flow, &simulated->message, refusal);
	if (result != DB_OK || *refusal != ERR_NONE)
		return result;
	simulated->shown.row = simulated->message.row;
	simulated->shown.approved = simulated->message.approved;
	simulated->shown.response_code = simulated->message.response_code;
	return transaction_shown(flow->db, flow->arena, &simulated->shown);
}

static void message_print(const void *arg, struct text *body)
{
	const struct simulated_message *simulated = arg;

	transaction_simulated_print(&simulated->shown, body);
}

static void message_call(struct call *call, struct payment_message message,
			 enum db_result (*run)(const struct flow *, void *,
					       enum error_code *))
{
	struct simulated_message simulated = {.message = message, .run = run};

	/* Only a message that has a reference of its own is refused so. */
	if (call_effect(call, message_run, message_print, &simulated) ==
	    ERR_INVALID_PARAMETER)
		reference_refuse(call);
}

static struct payment_target target(const struct call *call)
{
	const struct message_input *input = call->body;

	return (struct payment_target){
		.wallet_id = call->login->wallet_id,
		.transaction = input->transaction_id,
	};
}

void simulate_increment(struct call *call)
{
	message_call(call, increment_message(call->body, target(call)),
		     payment_increment_run);
}

void simulate_advice(struct call *call)
{
	message_call(call, advice_message(call->body, target(call)),
		     payment_advice_run);
}

void simulate_clearing(struct call *call)
{
	if (!clearing_whole(call))
		return;
	message_call(call, clearing_message(call->body, target(call)),
		     payment_clear_run);
}

void simulate_reversal(struct call *call)
{
	message_call(call, reversal_message(call->body, target(call)),
		     payment_reverse_run);
}

void simulate_force_post(struct call *call)
{
	const struct posting_input *input = call->body;
	struct payment_message message = {
		.force_post =
			{
				.card = {.wallet_id = call->login->wallet_id,
					 .public_id = input->card_id},
				.network_ref = input->network_ref,
				.amount = input->amount,
				.merchant = input->merchant,
			},
	};

	message_call(call, message, payment_force_post_run);
}

void simulate_refund(struct call *call)
{
	static const struct merchant sandbox = {
		.name = "Sandbox",
		.mcc = "5999",
		.country = "US",
	};
	const struct posting_input *input = call->body;
	struct payment_message message = {
		.refund =
			{
				.card = {.wallet_id = call->login->wallet_id,
					 .public_id = input->card_id},
				.original = input->transaction_id,
				.network_ref = input->network_ref,
				.amount = input->amount,
				.merchant = input->merchant,
			},
	};

	if (input->card_id == NULL && input->transaction_id == NULL) {
		reply_error(call, ERR_MISSING_PARAMETER, "card_id");
		return;
	}
	if (input->card_id != NULL && input->transaction_id != NULL) {
		reply_error(call, ERR_INVALID_PARAMETER, "transaction_id");
		return;
	}
	if (input->transaction_id == NULL && !input->merchant_given)
		message.refund.merchant = sandbox;
	message_call(call, message, payment_refund_run);
}

void simulate_refund_reversal(struct call *call)
{
	message_call(call, refund_reversal_message(call->body, target(call)),
		     payment_refund_reverse_run);
}
