/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../base/arena.h"
#include "../core/units.h"
#include "../flow/deposits.h"
#include "resources.h"

struct simulate_deposit_input {
	const char *currency, *amount_crypto, *deposit_id;
	struct money amount_usd;
	bool amount_usd_given, confirm, confirm_given, expire;
};

static const struct simulate_deposit_input deposit_defaults = {
	.amount_usd = MONEY_USD(0),
	.confirm = true,
};

#define DEPOSIT(...) IN(struct simulate_deposit_input, __VA_ARGS__)
static const struct spec_field deposit_fields[] = {
	DEPOSIT("currency", SPEC_TEXT, currency, .ascii = true, .min = 1,
		.max = 16,
		.doc = "Of a new deposit: btc, eth, sol, usdt, usdt-sol, xmr."),
	DEPOSIT("amount_usd", SPEC_MONEY, amount_usd, .min = 1,
		.max = 100000000, .too_small = ERR_AMOUNT_TOO_SMALL,
		.too_large = ERR_AMOUNT_TOO_LARGE,
		.given = offsetof(struct simulate_deposit_input,
				  amount_usd_given),
		.doc = "Worth in dollars, up to 1,000,000.00; or "
		       "amount_crypto."),
	DEPOSIT("amount_crypto", SPEC_DECIMAL, amount_crypto,
		.doc = "Coins, as decimal text; or amount_usd."),
	DEPOSIT("confirm", SPEC_BOOL, confirm,
		.given = offsetof(struct simulate_deposit_input, confirm_given),
		.doc = "False leaves the deposit pending."),
	DEPOSIT("deposit_id", SPEC_TEXT, deposit_id, .ascii = true, .min = 1,
		.max = 32, .doc = "A deposit to confirm or expire instead."),
	DEPOSIT("expire", SPEC_BOOL, expire,
		.doc = "With deposit_id: true lets it expire."),
};
static const struct spec deposit_spec = SPEC("SimulateDeposit", deposit_fields);
const struct shape simulate_deposit_body = {
	&deposit_spec, sizeof(struct simulate_deposit_input),
	&deposit_defaults};

struct simulate_clock_input {
	int64_t advance_seconds;
};

static const struct spec_field clock_input_fields[] = {
	IN(struct simulate_clock_input, "advance_seconds", SPEC_INT,
	   advance_seconds, .required = true, .min = 0, .max = 3153600000,
	   .doc = "How far test time moves on; 0 reads it."),
};
static const struct spec clock_spec = SPEC("SimulateClock", clock_input_fields);
const struct shape simulate_clock_body = {
	&clock_spec, sizeof(struct simulate_clock_input), NULL};

static const struct emit_field clock_fields[] = {
	OUT(struct clock_row, "now", EMIT_TIME, now, ),
	OUT(struct clock_row, "offset_seconds", EMIT_INT, offset_s, ),
};
const struct emit_object clock_object = EMIT("Clock", clock_fields);

/* The kinds of request that the one body can be: what may not go together. */
static const char *deposit_conflict(const struct simulate_deposit_input *input)
{
	if (input->deposit_id != NULL) {
		if (input->currency != NULL)
			return "currency";
		if (input->amount_usd_given)
			return "amount_usd";
		if (input->amount_crypto != NULL)
			return "amount_crypto";
		if (!input->confirm || (input->expire && input->confirm_given))
			return "confirm";
		return NULL;
	}
	if (input->expire)
		return "expire";
	if (input->amount_usd_given && input->amount_crypto != NULL)
		return "amount_crypto";
	return NULL;
}

/* Coins to base units by the currency's decimals. */
static enum error_code coins_to_units(struct call *call, const char *currency,
				      const char *coins, const char **units)
{
	char *text = arena_alloc(call->arena, UNITS_SIZE);
	struct currency_row *rows;
	enum db_result result;
	size_t count;

	result = currency_list(call->service->db, call->arena, &rows, &count);
	if (result != DB_OK)
		return error_of_result(result);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i].code, currency) != 0)
			continue;
		if (!units_parse(text, coins, (int)rows[i].decimals))
			return ERR_INVALID_PARAMETER;
		*units = text;
		return ERR_NONE;
	}
	return ERR_NONE; /* the routine refuses the currency */
}

static void deposit_change(struct call *call,
			   const struct simulate_deposit_input *input)
{
	struct deposit_command command = {
		.deposit_id = input->deposit_id,
		.action = input->expire ? "expire" : "confirm",
	};

	call_effect(call, deposit_simulate_run, deposit_print, &command);
}

static void deposit_bring(struct call *call,
			  const struct simulate_deposit_input *input)
{
	struct deposit_command command = {
		.deposit =
			{
				.currency = input->currency,
				.confirm = input->confirm,
			},
	};
	enum error_code error = ERR_NONE;

	if (input->amount_usd_given)
		command.deposit.amount_usd = &input->amount_usd;
	else
		error = coins_to_units(call, input->currency,
				       input->amount_crypto,
				       &command.deposit.amount_units);
	if (error != ERR_NONE) {
		reply_error(call, error,
			    error == ERR_INVALID_PARAMETER ? "amount_crypto"
							   : NULL);
		return;
	}
	error = call_effect(call, deposit_simulate_run, deposit_print,
			    &command);
	if (error == ERR_INVALID_PARAMETER)
		reply_error(call, error, "currency");
	if (error == ERR_AMOUNT_TOO_SMALL || error == ERR_AMOUNT_TOO_LARGE)
		reply_error(call, error,
			    input->amount_usd_given ? "amount_usd"
						    : "amount_crypto");
}

void simulate_deposits(struct call *call)
{
	const struct simulate_deposit_input *input = call->body;
	struct fault fault = {
		.code = ERR_INVALID_PARAMETER,
		.param = deposit_conflict(input),
	};

	if (fault.param != NULL) {
		fault.message = arena_printf(
			call->arena,
			"%s does not go together with the other fields.",
			fault.param);
		reply_refuse(call, &fault);
		return;
	}
	if (input->deposit_id != NULL) {
		deposit_change(call, input);
		return;
	}
	if (input->currency == NULL) {
		reply_error(call, ERR_MISSING_PARAMETER, "currency");
		return;
	}
	if (!input->amount_usd_given && input->amount_crypto == NULL) {
		reply_error(call, ERR_MISSING_PARAMETER, "amount_usd");
		return;
	}
	deposit_bring(call, input);
}

static void clock_print(const void *arg, struct text *body)
{
	const struct clock_command *command = arg;

	emit_object(body, &clock_object, &command->row);
}

void simulate_clocks(struct call *call)
{
	const struct simulate_clock_input *input = call->body;
	struct clock_command command = {.advance_s = input->advance_seconds};

	if (call_effect(call, clock_advance_run, clock_print, &command) ==
	    ERR_INVALID_PARAMETER)
		reply_error(call, ERR_INVALID_PARAMETER, "advance_seconds");
}
