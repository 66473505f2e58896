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
		INPUT("exp_year", SPEC_INT, exp_year, .min = 0, .max = 9999),  \
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
	INPUT("network_ref", SPEC_TEXT, network_ref, .ascii = true, .min = 1,
	      .max = 64, .doc = "Makes a repetition the same request."),
};
static const struct spec_field explain_fields[] = {
	QUESTION_FIELDS,
	SANDBOX_MERCHANT,
	CVV_FIELD("cvv"),
};
static const struct spec_field network_fields[] = {
	CARD_FIELDS,
	QUESTION_FIELDS,
	INPUT("merchant", SPEC_OBJECT, merchant, .required = true,
	      .object = &network_merchant_spec),
	CVV_FIELD("cvv2"),
	INPUT("network_ref", SPEC_TEXT, network_ref, .ascii = true,
	      .required = true, .min = 1, .max = 64),
};
static const struct authorization_input input_defaults = {
	.kind = "purchase",
	.amount = MONEY_USD(0),
	.merchant_amount = MONEY_USD(0),
};

#define SHAPE(name, title, fields)                                             \
	static const struct spec name##_spec = SPEC(title, fields);            \
	const struct shape name##_body = {&name##_spec,                        \
					  sizeof(struct authorization_input),  \
					  &input_defaults}
SHAPE(simulate_authorization, "SimulateAuthorization", simulate_fields);
SHAPE(explain, "ExplainAuthorization", explain_fields);
SHAPE(network_authorization, "NetworkAuthorization", network_fields);

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
	authorize->exp_year = input->exp_year;
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
