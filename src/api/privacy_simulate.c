/* SPDX-License-Identifier: Apache-2.0 */
/* The Privacy dialect's sandbox: the messages of simulate_payments.c, by the
 * card's number and the merchant's descriptor. */
#include <string.h>

#include "../base/arena.h"
#include "../core/country.h"
#include "../core/privacy.h"
#include "resources.h"

/* Where the merchant says no more: a shop of the United States. */
#define MCC "5999"
#define COUNTRY "USA"

struct simulate_input {
	const char *token, *descriptor, *pan, *mcc, *acceptor_id, *country,
		*currency, *status;
	int64_t amount, merchant_amount;
	bool partial, merchant_amount_given;
};

static const char *const status_names[] = {
	"AUTHORIZATION",
	"BALANCE_INQUIRY",
	"CREDIT_AUTHORIZATION",
	"FINANCIAL_AUTHORIZATION",
	"FINANCIAL_CREDIT_AUTHORIZATION",
	NULL,
};
static const struct simulate_input input_defaults = {
	.mcc = MCC,
	.country = COUNTRY,
	.status = "AUTHORIZATION",
};

#define INPUT(...) IN(struct simulate_input, __VA_ARGS__)
#define TOKEN                                                                  \
	INPUT("token", SPEC_TEXT, token, .required = true, PRIVACY_TOKEN,      \
	      .doc = "Of the transaction.")
#define AMOUNT(...)                                                            \
	INPUT("amount", SPEC_INT, amount, .max = MONEY_MAX_CENTS,              \
	      .too_large = ERR_AMOUNT_TOO_LARGE, __VA_ARGS__)
#define MERCHANT                                                               \
	INPUT("descriptor", SPEC_TEXT, descriptor, .required = true, .min = 1, \
	      .max = 25, .doc = "The merchant's name."),                       \
		INPUT("pan", SPEC_DIGITS, pan, .required = true, .min = 12,    \
		      .max = 19),                                              \
		INPUT("mcc", SPEC_DIGITS, mcc, .min = 4, .max = 4,             \
		      .doc = "ISO 18245; " MCC " when left out."),             \
		INPUT("merchant_acceptor_id", SPEC_TEXT, acceptor_id,          \
		      .min = 1, .max = 64),                                    \
		INPUT("merchant_country", SPEC_TEXT, country, .ascii = true,   \
		      .min = 3, .max = 3,                                      \
		      .doc = "ISO 3166-1 alpha-3; " COUNTRY " when left out.")

static const struct spec_field authorize_fields[] = {
	MERCHANT,
	AMOUNT(.required = true, .doc = "Cents; 0 asks about the card only."),
	INPUT("merchant_amount", SPEC_INT, merchant_amount,
	      .max = MONEY_MAX_CENTS,
	      .given = offsetof(struct simulate_input, merchant_amount_given),
	      .doc = "Hundredths of merchant_currency."),
	INPUT("merchant_currency", SPEC_TEXT, currency, .ascii = true, .min = 3,
	      .max = 3, .doc = "ISO 4217."),
	INPUT("partial_approval_capable", SPEC_BOOL, partial,
	      .doc = "Whether the terminal takes a part."),
	INPUT("status", SPEC_ENUM, status, .values = status_names,
	      .doc = "What the merchant sends."),
};
static const struct spec_field void_fields[] = {
	TOKEN,
	AMOUNT(.doc = "Cents; 0: what is held."),
};
static const struct spec_field clearing_fields[] = {
	TOKEN,
	AMOUNT(.doc = "Cents; 0: what is held."),
};
static const struct spec_field advice_fields[] = {
	TOKEN,
	AMOUNT(.required = true, .min = 1, .too_small = ERR_AMOUNT_TOO_SMALL,
	       .doc = "Cents that are held from now on."),
};
static const struct spec_field return_fields[] = {
	MERCHANT,
	AMOUNT(.required = true, .min = 1, .too_small = ERR_AMOUNT_TOO_SMALL),
};
static const struct spec_field reversal_fields[] = {TOKEN};

#define SHAPE(name, title, fields)                                             \
	static const struct spec name##_spec = SPEC(title, fields);            \
	const struct shape privacy_##name##_body = {                           \
		&name##_spec, sizeof(struct simulate_input), &input_defaults}
SHAPE(authorize, "SimulateAuthorize", authorize_fields);
SHAPE(void, "SimulateVoid", void_fields);
SHAPE(clearing, "SimulateClearing", clearing_fields);
SHAPE(advice, "SimulateAuthorizationAdvice", advice_fields);
SHAPE(return, "SimulateReturn", return_fields);
SHAPE(return_reversal, "SimulateReturnReversal", reversal_fields);

/* What comes out. */

struct simulated_reply {
	const char *debugging_request_id, *token;
};

#define REPLY(...) OUT(struct simulated_reply, __VA_ARGS__)
static const struct emit_field done_fields[] = {
	REPLY("debugging_request_id", EMIT_TEXT, debugging_request_id),
};
static const struct emit_field made_fields[] = {
	REPLY("debugging_request_id", EMIT_TEXT, debugging_request_id),
	REPLY("token", EMIT_TEXT, token, .doc = "Of the transaction."),
};
const struct emit_object privacy_simulated_object =
	EMIT("Simulated", done_fields);
const struct emit_object privacy_simulated_token_object =
	EMIT("SimulatedTransaction", made_fields);

/* One message of the sandbox, and how it is answered. */
struct simulated {
	struct arena *arena;
	const char *debugging_id;
	const struct emit_object *answer;
	int status;  /* HTTP; of a decline, what run leaves */
	bool clears; /* a single message: cleared at once */
	struct payment_authorize authorize;
	struct payment_message message;
	enum db_result (*run)(const struct flow *flow, void *arg,
			      enum error_code *refusal);
	/* Outputs. */
	const char *transaction, *declined;
};

static struct money cents_of(int64_t cents)
{
	return MONEY_USD(cents); /* raw: as the wire has them */
}

static void simulated_print(const void *arg, struct text *body)
{
	const struct simulated *simulated = arg;
	const char *token =
		privacy_token(simulated->arena, simulated->transaction);
	struct simulated_reply reply = {simulated->debugging_id, token};
	struct privacy_error refusal = {
		.debugging_request_id = simulated->debugging_id,
		.message = simulated->declined,
		.token = token,
	};

	if (simulated->declined != NULL)
		emit_object(body, &privacy_error_object, &refusal);
	else
		emit_object(body, simulated->answer, &reply);
}

static struct simulated simulated_new(const struct call *call,
				      const struct emit_object *answer)
{
	return (struct simulated){
		.arena = call->arena,
		.debugging_id = call->request->debugging_id,
		.answer = answer,
		.status = call->route->status,
	};
}

/* --- authorizations --- */

static enum db_result authorize_run(const struct flow *flow, void *arg,
				    enum error_code *refusal)
{
	struct simulated *simulated = arg;
	struct payment_authorize *authorize = &simulated->authorize;
	enum db_result result;

	simulated->status = 201;
	simulated->declined = NULL;
	result = payment_authorize_run(flow, authorize, refusal);
	if (result != DB_OK || *refusal != ERR_NONE)
		return result;
	simulated->transaction = authorize->row.public_id;
	if (!authorize->approved) {
		simulated->declined =
			privacy_result_of(authorize->decline_reason);
		simulated->status = 422;
		return DB_OK;
	}
	if (!simulated->clears || money_is_zero(authorize->approved_amount))
		return DB_OK;
	simulated->message.clearing = (struct clearing){
		.target = {.wallet_id = flow->wallet_id,
			   .transaction = authorize->row.public_id},
		.final = true,
	};
	return payment_clear_run(flow, &simulated->message, refusal);
}

/* False, with the reply written, for a country that is none. */
static bool merchant_fill(struct call *call, struct merchant *merchant)
{
	const struct simulate_input *input = call->body;
	char alpha2[3];

	if (!country_alpha2(input->country, alpha2)) {
		privacy_invalid(call, "merchant_country",
				"must be an ISO 3166-1 alpha-3 code");
		return false;
	}
	*merchant = (struct merchant){
		.name = input->descriptor,
		.mcc = input->mcc,
		.country = arena_strdup(call->arena, alpha2),
		.id = input->acceptor_id,
	};
	return true;
}

static struct payment_card card_of(const struct call *call)
{
	const struct simulate_input *input = call->body;
	struct flow flow = call_flow(call);

	return (struct payment_card){
		.wallet_id = flow.wallet_id,
		.pan_hash = payment_pan_hash(&flow, input->pan),
	};
}

static enum db_result message_run(const struct flow *flow, void *arg,
				  enum error_code *refusal)
{
	struct simulated *simulated = arg;
	enum db_result result =
		simulated->run(flow, &simulated->message, refusal);

	simulated->transaction = simulated->message.row.public_id;
	return result;
}

static void message_call(struct call *call, struct simulated *simulated,
			 enum db_result (*run)(const struct flow *, void *,
					       enum error_code *))
{
	simulated->run = run;
	call_effect(call, message_run, simulated_print, simulated);
}

/* A return needs no purchase here, and settles at once. */
static void return_call(struct call *call)
{
	const struct simulate_input *input = call->body;
	struct simulated simulated =
		simulated_new(call, &privacy_simulated_token_object);
	struct refund *refund = &simulated.message.refund;

	if (!merchant_fill(call, &refund->merchant))
		return;
	refund->card = card_of(call);
	refund->amount = cents_of(input->amount);
	message_call(call, &simulated, payment_refund_run);
}

void privacy_simulate_authorize(struct call *call)
{
	const struct simulate_input *input = call->body;
	struct simulated simulated =
		simulated_new(call, &privacy_simulated_token_object);
	struct payment_authorize *authorize = &simulated.authorize;
	struct money merchant_amount = cents_of(input->merchant_amount);
	bool asks = strcmp(input->status, "BALANCE_INQUIRY") == 0;

	if (strcmp(input->status, "CREDIT_AUTHORIZATION") == 0 ||
	    strcmp(input->status, "FINANCIAL_CREDIT_AUTHORIZATION") == 0) {
		if (input->amount == 0)
			reply_error(call, ERR_AMOUNT_TOO_SMALL, "amount");
		else
			return_call(call);
		return;
	}
	if (!merchant_fill(call, &authorize->merchant))
		return;
	authorize->card = card_of(call);
	authorize->verification = asks || input->amount == 0;
	authorize->amount = cents_of(asks ? 0 : input->amount);
	authorize->partial_capable = input->partial;
	authorize->merchant_currency = input->currency;
	if (input->merchant_amount_given)
		authorize->merchant_amount = &merchant_amount;
	simulated.clears =
		strcmp(input->status, "FINANCIAL_AUTHORIZATION") == 0;
	call_effect_status(call, authorize_run, simulated_print, &simulated,
			   &simulated.status);
}

void privacy_simulate_return(struct call *call)
{
	return_call(call);
}

/* --- what follows --- */

/* Whose transaction a message is about; false with the reply written. */
static bool target_fill(struct call *call, struct payment_target *target)
{
	const struct simulate_input *input = call->body;
	char id[ID_SIZE];

	if (!privacy_param_id(call, "token", input->token, "txn_", id))
		return false;
	*target = (struct payment_target){
		.wallet_id = call->login->wallet_id,
		.transaction = arena_strdup(call->arena, id),
	};
	return true;
}

void privacy_simulate_void(struct call *call)
{
	const struct simulate_input *input = call->body;
	struct simulated simulated =
		simulated_new(call, &privacy_simulated_object);
	struct money amount = cents_of(input->amount);

	if (!target_fill(call, &simulated.message.reversal.target))
		return;
	if (input->amount != 0)
		simulated.message.reversal.amount = &amount;
	message_call(call, &simulated, payment_reverse_run);
}

void privacy_simulate_clearing(struct call *call)
{
	const struct simulate_input *input = call->body;
	struct simulated simulated =
		simulated_new(call, &privacy_simulated_object);
	struct money amount = cents_of(input->amount);

	if (!target_fill(call, &simulated.message.clearing.target))
		return;
	if (input->amount != 0)
		simulated.message.clearing.amount = &amount;
	simulated.message.clearing.final = true;
	message_call(call, &simulated, payment_clear_run);
}

void privacy_simulate_advice(struct call *call)
{
	const struct simulate_input *input = call->body;
	struct simulated simulated =
		simulated_new(call, &privacy_simulated_token_object);

	if (!target_fill(call, &simulated.message.advice.target))
		return;
	simulated.message.advice.amount = cents_of(input->amount);
	message_call(call, &simulated, payment_advice_run);
}

void privacy_simulate_return_reversal(struct call *call)
{
	struct simulated simulated =
		simulated_new(call, &privacy_simulated_object);

	if (target_fill(call, &simulated.message.refund_reversal.target))
		message_call(call, &simulated, payment_refund_reverse_run);
}
