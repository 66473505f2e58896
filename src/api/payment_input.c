/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../base/arena.h"
#include "../core/pan.h"
#include "resources.h"

#define MERCHANT(...) IN(struct merchant, __VA_ARGS__)
#define MERCHANT_FIELDS                                                        \
	MERCHANT("name", SPEC_TEXT, name, .required = true, .min = 1,          \
		 .max = 64),                                                   \
		MERCHANT("mcc", SPEC_DIGITS, mcc, .required = true, .min = 4,  \
			 .max = 4, .doc = "ISO 18245, four digits."),          \
		MERCHANT("country", SPEC_TEXT, country, .ascii = true,         \
			 .required = true, .min = 2, .max = 2,                 \
			 .doc = "ISO 3166 alpha-2."),                          \
		MERCHANT("city", SPEC_TEXT, city, .nullable = true, .max = 64)

static const struct spec_field merchant_fields[] = {
	MERCHANT_FIELDS,
	MERCHANT("id", SPEC_TEXT, id, .nullable = true, .min = 1, .max = 64),
};
const struct spec merchant_spec = SPEC("SimulatedMerchant", merchant_fields);

static const struct spec_field network_merchant_fields[] = {
	MERCHANT_FIELDS,
	MERCHANT("id", SPEC_TEXT, id, .required = true, .min = 1, .max = 64),
};
const struct spec network_merchant_spec =
	SPEC("NetworkMerchant", network_merchant_fields);

#define THREE_DS(...) IN(struct three_ds_input, __VA_ARGS__)
static const struct spec_field three_ds_fields[] = {
	THREE_DS("version", SPEC_TEXT, version, .required = true, .min = 1,
		 .max = 16),
	THREE_DS("result", SPEC_TEXT, result, .required = true, .min = 1,
		 .max = 32),
};
static const struct spec three_ds_spec = SPEC("ThreeDsResult", three_ds_fields);

static const char *const kind_names[] = {"purchase", "verification", NULL};

#define INPUT(...) IN(struct authorization_input, __VA_ARGS__)
#define CARD_FIELDS                                                            \
	INPUT("card_id", SPEC_TEXT, card_id, .ascii = true, .min = 1,          \
	      .max = 32, .doc = "The card; or pan."),                          \
		INPUT("pan", SPEC_DIGITS, pan, .min = 12, .max = 19,           \
		      .doc = "The card's number; or card_id.")
#define QUESTION_FIELDS                                                        \
	INPUT("amount", SPEC_MONEY, amount, .required = true,                  \
	      .max = MONEY_MAX_CENTS, .too_small = ERR_AMOUNT_TOO_SMALL,       \
	      .too_large = ERR_AMOUNT_TOO_LARGE,                               \
	      .doc = "Dollars; 0 asks about the card only."),                  \
		INPUT("kind", SPEC_ENUM, kind, .values = kind_names),          \
		INPUT("exp_month", SPEC_INT, exp_month, .min = 1, .max = 12),  \
		INPUT("exp_year", SPEC_INT, exp_year, .min = 0, .max = 9999,   \
		      .given = offsetof(struct authorization_input,            \
					exp_year_given)),                      \
		INPUT("partial_capable", SPEC_BOOL, partial_capable,           \
		      .doc = "Whether the terminal takes a part."),            \
		INPUT("merchant_amount", SPEC_MONEY, merchant_amount,          \
		      .min = 0, .max = MONEY_MAX_CENTS,                        \
		      .given = offsetof(struct authorization_input,            \
					merchant_amount_given),                \
		      .doc = "In merchant_currency."),                         \
		INPUT("merchant_currency", SPEC_TEXT, merchant_currency,       \
		      .ascii = true, .min = 3, .max = 3, .doc = "ISO 4217."),  \
		INPUT("three_ds", SPEC_OBJECT, three_ds,                       \
		      .object = &three_ds_spec,                                \
		      .given = offsetof(struct authorization_input,            \
					three_ds_given))
#define SANDBOX_MERCHANT                                                       \
	INPUT("merchant", SPEC_OBJECT, merchant, .required = true,             \
	      .object = &merchant_spec)
#define CVV_FIELD(title) INPUT(title, SPEC_DIGITS, cvv, .min = 3, .max = 4)

static const struct spec_field simulate_fields[] = {
	CARD_FIELDS,
	QUESTION_FIELDS,
	SANDBOX_MERCHANT,
	CVV_FIELD("cvv"),
	INPUT("network_ref", SPEC_TEXT, network_ref, REFERENCE,
	      .doc = "Makes a repetition the same request."),
};
static const struct spec_field explain_fields[] = {
	QUESTION_FIELDS,
	SANDBOX_MERCHANT,
	INPUT("cvv", SPEC_DIGITS, cvv, .min = 3, .max = 4,
	      .doc = "Takes the scope cards:details."),
};
static const struct spec_field network_fields[] = {
	CARD_FIELDS,
	QUESTION_FIELDS,
	INPUT("merchant", SPEC_OBJECT, merchant, .required = true,
	      .object = &network_merchant_spec),
	CVV_FIELD("cvv2"),
	INPUT("network_ref", SPEC_TEXT, network_ref, REFERENCE,
	      .required = true),
};
static const struct authorization_input input_defaults = {
	.kind = "purchase",
	.amount = MONEY_USD(0),
	.merchant_amount = MONEY_USD(0),
};

#define SHAPE(name, title, fields, input, defaults)                            \
	static const struct spec name##_spec = SPEC(title, fields);            \
	const struct shape name##_body = {&name##_spec, sizeof(input),         \
					  &(defaults)}
#define AUTHORIZATION(name, title, fields)                                     \
	SHAPE(name, title, fields, struct authorization_input, input_defaults)
AUTHORIZATION(simulate_authorization, "SimulateAuthorization", simulate_fields);
AUTHORIZATION(explain, "ExplainAuthorization", explain_fields);
AUTHORIZATION(network_authorization, "NetworkAuthorization", network_fields);

#define MESSAGE(...) IN(struct message_input, __VA_ARGS__)
#define TRANSACTION_ID                                                         \
	MESSAGE("transaction_id", SPEC_TEXT, transaction_id, .ascii = true,    \
		.required = true, .min = 1, .max = 32)
#define MESSAGE_REF                                                            \
	MESSAGE("message_ref", SPEC_TEXT, message_ref, REFERENCE,              \
		.doc = "Makes a repetition the same message.")
#define AMOUNT(least, ...)                                                     \
	MESSAGE("amount", SPEC_MONEY, amount, .min = (least),                  \
		.max = MONEY_MAX_CENTS, .too_small = ERR_AMOUNT_TOO_SMALL,     \
		.too_large = ERR_AMOUNT_TOO_LARGE, __VA_ARGS__)
#define ADVICE_AMOUNT                                                          \
	AMOUNT(0, .required = true,                                            \
	       .doc = "What is held from now on; 0 releases it.")
#define OPTIONAL_AMOUNT(sentence)                                              \
	AMOUNT(1, .given = offsetof(struct message_input, amount_given),       \
	       .doc = (sentence))
#define HELD_AMOUNT OPTIONAL_AMOUNT("What is held, when left out.")
#define LEFT_AMOUNT                                                            \
	OPTIONAL_AMOUNT("What is left of the refund, when left out.")
#define CLEARING_FIELDS                                                        \
	HELD_AMOUNT,                                                           \
		MESSAGE("final", SPEC_BOOL, final,                             \
			.doc = "False keeps the rest held for more."),         \
		MESSAGE("merchant_amount", SPEC_MONEY, merchant_amount,        \
			.min = 0, .max = MONEY_MAX_CENTS,                      \
			.given = offsetof(struct message_input,                \
					  merchant_amount_given)),             \
		MESSAGE("merchant_currency", SPEC_TEXT, merchant_currency,     \
			.ascii = true, .min = 3, .max = 3)

static const struct spec_field simulate_amount_fields[] = {
	TRANSACTION_ID,
	AMOUNT(1, .required = true),
};
static const struct spec_field simulate_advice_fields[] = {
	TRANSACTION_ID,
	ADVICE_AMOUNT,
};
static const struct spec_field simulate_clearing_fields[] = {
	TRANSACTION_ID,
	CLEARING_FIELDS,
};
static const struct spec_field simulate_reversal_fields[] = {
	TRANSACTION_ID,
	HELD_AMOUNT,
};
static const struct spec_field simulate_refund_reversal_fields[] = {
	TRANSACTION_ID,
	LEFT_AMOUNT,
};
static const struct spec_field network_amount_fields[] = {
	AMOUNT(1, .required = true),
	MESSAGE_REF,
};
static const struct spec_field network_advice_fields[] = {
	ADVICE_AMOUNT,
	MESSAGE_REF,
};
static const struct spec_field network_clearing_fields[] = {
	CLEARING_FIELDS,
	MESSAGE_REF,
};
static const struct spec_field network_reversal_fields[] = {
	HELD_AMOUNT,
	MESSAGE_REF,
};
static const struct spec_field network_refund_reversal_fields[] = {
	LEFT_AMOUNT,
	MESSAGE_REF,
};
static const struct message_input message_defaults = {
	.final = true,
	.amount = MONEY_USD(0),
	.merchant_amount = MONEY_USD(0),
};

#define MESSAGE_SHAPE(name, title)                                             \
	SHAPE(name, title, name##_fields, struct message_input,                \
	      message_defaults)
MESSAGE_SHAPE(simulate_amount, "SimulateAmount");
MESSAGE_SHAPE(simulate_advice, "SimulateAdvice");
MESSAGE_SHAPE(simulate_clearing, "SimulateClearing");
MESSAGE_SHAPE(simulate_reversal, "SimulateReversal");
MESSAGE_SHAPE(simulate_refund_reversal, "SimulateRefundReversal");
MESSAGE_SHAPE(network_amount, "NetworkAmount");
MESSAGE_SHAPE(network_advice, "NetworkAdvice");
MESSAGE_SHAPE(network_clearing, "NetworkClearing");
MESSAGE_SHAPE(network_reversal, "NetworkReversal");
MESSAGE_SHAPE(network_refund_reversal, "NetworkRefundReversal");

struct payment_message increment_message(const struct message_input *input,
					 struct payment_target target)
{
	return (struct payment_message){
		.target = target,
		.amount = input->amount,
	};
}

struct payment_message advice_message(const struct message_input *input,
				      struct payment_target target)
{
	return (struct payment_message){
		.advice = {.target = target, .amount = input->amount},
	};
}

bool clearing_whole(struct call *call)
{
	const struct message_input *input = call->body;
	bool currency = input->merchant_currency != NULL;

	if (currency == input->merchant_amount_given)
		return true;
	reply_error(call, ERR_MISSING_PARAMETER,
		    currency ? "merchant_amount" : "merchant_currency");
	return false;
}

struct payment_message clearing_message(const struct message_input *input,
					struct payment_target target)
{
	return (struct payment_message){
		.clearing =
			{
				.target = target,
				.amount = input->amount_given ? &input->amount
							      : NULL,
				.final = input->final,
				.merchant_amount =
					input->merchant_amount_given
						? &input->merchant_amount
						: NULL,
				.merchant_currency = input->merchant_currency,
			},
	};
}

struct payment_message reversal_message(const struct message_input *input,
					struct payment_target target)
{
	return (struct payment_message){
		.reversal =
			{
				.target = target,
				.amount = input->amount_given ? &input->amount
							      : NULL,
			},
	};
}

struct payment_message refund_reversal_message(
	const struct message_input *input, struct payment_target target)
{
	return (struct payment_message){
		.refund_reversal =
			{
				.target = target,
				.amount = input->amount_given ? &input->amount
							      : NULL,
			},
	};
}

void reference_refuse(struct call *call)
{
	struct fault fault = {
		.code = ERR_INVALID_PARAMETER,
		.param = "network_ref",
		.message = "The reference is another kind of message's.",
	};

	reply_refuse(call, &fault);
}

bool payment_card_fill(struct call *call, const char *card_id, const char *pan,
		       struct payment_card *card)
{
	struct flow flow = call_flow(call);

	if (card_id == NULL && pan == NULL) {
		reply_error(call, ERR_MISSING_PARAMETER, "card_id");
		return false;
	}
	if (card_id != NULL && pan != NULL) {
		reply_error(call, ERR_INVALID_PARAMETER, "pan");
		return false;
	}
	card->wallet_id = flow.wallet_id;
	card->public_id = card_id;
	if (pan != NULL)
		card->pan_hash = payment_pan_hash(&flow, pan);
	return true;
}

static const char *three_ds_json(struct arena *arena,
				 const struct three_ds_input *three_ds)
{
	struct text json;

	text_init(&json, arena);
	text_add(&json, "{\"version\":");
	emit_string(&json, three_ds->version);
	text_add(&json, ",\"result\":");
	emit_string(&json, three_ds->result);
	text_add_char(&json, '}');
	return json.data;
}

bool authorization_fill(struct call *call,
			const struct authorization_input *input,
			struct payment_authorize *authorize)
{
	bool asked = strcmp(input->kind, "verification") == 0;

	if (asked && !money_is_zero(input->amount)) {
		struct fault fault = {
			.code = ERR_INVALID_PARAMETER,
			.param = "amount",
			.message = "A verification is for 0 dollars.",
		};

		reply_refuse(call, &fault);
		return false;
	}
	authorize->merchant = input->merchant;
	authorize->amount = input->amount;
	authorize->verification = asked || money_is_zero(input->amount);
	authorize->partial_capable = input->partial_capable;
	authorize->exp_month = input->exp_month;
	/* The year 00 is one, and no card's. */
	authorize->exp_year = input->exp_year_given && input->exp_year == 0
				      ? 2000
				      : input->exp_year;
	authorize->cvv = input->cvv;
	authorize->merchant_currency = input->merchant_currency;
	authorize->network_ref = input->network_ref;
	if (input->merchant_amount_given)
		authorize->merchant_amount = &input->merchant_amount;
	if (input->three_ds_given)
		authorize->three_ds =
			three_ds_json(call->arena, &input->three_ds);
	return true;
}
