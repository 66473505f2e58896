/* SPDX-License-Identifier: Apache-2.0 */
/* What a card processor calls, over its own server with a client certificate.
 * A decline is a 200: it is an answer. */
#include "../base/arena.h"
#include "../core/decide.h"
#include "resources.h"

struct posting_input {
	const char *card_id, *pan, *network_ref, *original_network_ref;
	struct money amount;
	struct merchant merchant;
	bool merchant_given;
};

#define POSTING(...) IN(struct posting_input, __VA_ARGS__)
#define POSTING_FIELDS                                                         \
	POSTING("network_ref", SPEC_TEXT, network_ref, REFERENCE,              \
		.required = true),                                             \
		POSTING("card_id", SPEC_TEXT, card_id, .ascii = true,          \
			.min = 1, .max = 32),                                  \
		POSTING("pan", SPEC_DIGITS, pan, .min = 12, .max = 19),        \
		POSTING("amount", SPEC_MONEY, amount, .required = true,        \
			.min = 1, .max = MONEY_MAX_CENTS,                      \
			.too_small = ERR_AMOUNT_TOO_SMALL,                     \
			.too_large = ERR_AMOUNT_TOO_LARGE)

static const struct spec_field force_post_fields[] = {
	POSTING_FIELDS,
	POSTING("merchant", SPEC_OBJECT, merchant, .required = true,
		.object = &network_merchant_spec),
};
static const struct spec_field refund_fields[] = {
	POSTING_FIELDS,
	POSTING("merchant", SPEC_OBJECT, merchant,
		.object = &network_merchant_spec,
		.given = offsetof(struct posting_input, merchant_given),
		.doc = "The purchase's, when left out."),
	POSTING("original_network_ref", SPEC_TEXT, original_network_ref,
		REFERENCE, .doc = "Of the purchase, if known."),
};
static const struct spec force_post_spec =
	SPEC("NetworkForcePost", force_post_fields);
static const struct spec refund_spec = SPEC("NetworkRefund", refund_fields);
const struct shape network_force_post_body = {
	&force_post_spec, sizeof(struct posting_input), NULL};
const struct shape network_refund_body = {&refund_spec,
					  sizeof(struct posting_input), NULL};

struct network_answer {
	const char *transaction_id, *response_code, *authorization_code,
		*decline_reason, *decline_reasons;
	bool approved;
	struct money approved_amount, balance;
};

#define ANSWER(...) OUT(struct network_answer, __VA_ARGS__)
static const struct emit_field answer_fields[] = {
	ANSWER("transaction_id", EMIT_TEXT, transaction_id, .nullable = true),
	ANSWER("approved", EMIT_BOOL, approved),
	ANSWER("approved_amount", EMIT_MONEY, approved_amount),
	ANSWER("response_code", EMIT_TEXT, response_code,
	       .doc = "ISO 8583 field 39."),
	ANSWER("authorization_code", EMIT_TEXT, authorization_code,
	       .nullable = true),
	ANSWER("decline_reason", EMIT_TEXT, decline_reason, .nullable = true),
	ANSWER("decline_reasons", EMIT_JSON, decline_reasons,
	       .json_schema = TEXT_LIST_SCHEMA),
	ANSWER("balance", EMIT_MONEY, balance,
	       .doc = "What the card can still spend."),
};
const struct emit_object network_answer_object =
	EMIT("NetworkAnswer", answer_fields);

void network_authorization(struct call *call)
{
	const struct authorization_input *input = call->body;
	struct payment_authorize authorize = {.approved = false};
	struct flow flow = call_flow(call);
	struct network_answer answer;
	enum error_code error;

	if (!authorization_fill(call, input, &authorize) ||
	    !payment_card_fill(call, input->card_id, input->pan,
			       &authorize.card))
		return;
	error = payment_authorize(&flow, &authorize);
	if (error == ERR_INVALID_PARAMETER) {
		reference_refuse(call);
		return;
	}
	if (error != ERR_NONE) {
		reply_error(call, error, NULL);
		return;
	}
	answer = (struct network_answer){
		.transaction_id = authorize.transaction_id,
		.approved = authorize.approved,
		.approved_amount = authorize.approved_amount,
		.response_code = authorize.response_code,
		.authorization_code = authorize.authorization_code,
		.decline_reason = authorize.decline_reason,
		.decline_reasons = authorize.decline_reasons,
		.balance = authorize.balance,
	};
	reply_object(call, &network_answer_object, &answer);
}

static void message_print(const void *arg, struct text *body)
{
	const struct payment_message *message = arg;
	struct network_answer answer = {
		.transaction_id = message->row.public_id,
		.approved = message->approved,
		.approved_amount =
			message->approved ? message->moved : MONEY_USD(0),
		.response_code = message->response_code,
		.authorization_code = message->row.authorization_code,
		.decline_reason = message->decline_reason,
		.decline_reasons = message->decline_reasons,
		.balance = message->balance,
	};

	emit_object(body, &network_answer_object, &answer);
}

static struct payment_target target(const struct call *call)
{
	const struct message_input *input = call->body;

	return (struct payment_target){
		.network_ref = call->args[0],
		.message_ref = input->message_ref,
	};
}

static void message_call(struct call *call, struct payment_message message,
			 enum db_result (*run)(const struct flow *, void *,
					       enum error_code *))
{
	call_effect(call, run, message_print, &message);
}

void network_increment(struct call *call)
{
	message_call(call, increment_message(call->body, target(call)),
		     payment_increment_run);
}

void network_advice(struct call *call)
{
	message_call(call, advice_message(call->body, target(call)),
		     payment_advice_run);
}

void network_clearing(struct call *call)
{
	if (!clearing_whole(call))
		return;
	message_call(call, clearing_message(call->body, target(call)),
		     payment_clear_run);
}

void network_reversal(struct call *call)
{
	message_call(call, reversal_message(call->body, target(call)),
		     payment_reverse_run);
}

/* Of a message that has a reference of its own. */
static void posting_call(struct call *call, struct payment_message *message,
			 enum db_result (*run)(const struct flow *, void *,
					       enum error_code *))
{
	if (call_effect(call, run, message_print, message) ==
	    ERR_INVALID_PARAMETER)
		reference_refuse(call);
}

void network_force_post(struct call *call)
{
	const struct posting_input *input = call->body;
	struct payment_message message = {
		.force_post =
			{
				.network_ref = input->network_ref,
				.amount = input->amount,
				.merchant = input->merchant,
			},
	};

	if (payment_card_fill(call, input->card_id, input->pan,
			      &message.force_post.card))
		posting_call(call, &message, payment_force_post_run);
}

void network_refund(struct call *call)
{
	const struct posting_input *input = call->body;
	struct payment_message message = {
		.refund =
			{
				.network_ref = input->network_ref,
				.original_network_ref =
					input->original_network_ref,
				.amount = input->amount,
				.merchant = input->merchant,
			},
	};

	if (input->original_network_ref == NULL && !input->merchant_given) {
		reply_error(call, ERR_MISSING_PARAMETER, "merchant");
		return;
	}
	/* A linked refund needs no card; an unlinked one does. */
	if ((input->original_network_ref == NULL || input->card_id != NULL ||
	     input->pan != NULL) &&
	    !payment_card_fill(call, input->card_id, input->pan,
			       &message.refund.card))
		return;
	posting_call(call, &message, payment_refund_run);
}

void network_refund_reversal(struct call *call)
{
	message_call(call, refund_reversal_message(call->body, target(call)),
		     payment_refund_reverse_run);
}
