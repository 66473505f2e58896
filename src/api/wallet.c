/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../base/arena.h"
#include "../core/units.h"
#include "../flow/deposits.h"
#include "resources.h"

#define CURRENCY_DOC "btc, eth, sol, usdt, usdt-sol or xmr."

struct addresses_query {
	const char *currency;
};

static const struct spec_field address_query_fields[] = {
	IN(struct addresses_query, "currency", SPEC_TEXT, currency,
	   .ascii = true, .min = 1, .max = 16, .doc = CURRENCY_DOC),
};
static const struct spec address_query_spec =
	SPEC("DepositAddressQuery", address_query_fields);
const struct shape addresses_query = {&address_query_spec,
				      sizeof(struct addresses_query), NULL};

struct deposits_query {
	const char *status, *currency;
	int64_t from, to;
	struct page_query page;
};

static const char *const deposit_statuses[] = {"pending", "confirmed",
					       "expired", NULL};
static const struct deposits_query deposits_defaults = {
	.page = PAGE_DEFAULT(25),
};

#define QUERY(...) IN(struct deposits_query, __VA_ARGS__)
static const struct spec_field deposits_query_fields[] = {
	QUERY("status", SPEC_ENUM, status, .values = deposit_statuses),
	QUERY("currency", SPEC_TEXT, currency, .ascii = true, .min = 1,
	      .max = 16, .doc = CURRENCY_DOC),
	QUERY("from", SPEC_TIME, from, .doc = "Made at or after."),
	QUERY("to", SPEC_TIME, to, .doc = "Made before."),
	PAGE_FIELDS(struct deposits_query, page),
};
static const struct spec deposits_spec =
	SPEC("DepositQuery", deposits_query_fields);
const struct shape deposits_query = {
	&deposits_spec, sizeof(struct deposits_query), &deposits_defaults};

struct wallet_view {
	struct wallet_row row;
	const char *currency;
};

#define WALLET(title, kind, member, ...)                                       \
	OUT(struct wallet_view, title, kind, row.member, __VA_ARGS__)
static const struct emit_field wallet_fields[] = {
	WALLET("balance", EMIT_MONEY, balance),
	OUT(struct wallet_view, "currency", EMIT_TEXT, currency, ),
	WALLET("pending_deposits", EMIT_MONEY, pending_deposits,
	       .doc = "What pending deposits would bring."),
	WALLET("total_deposited", EMIT_MONEY, total_deposited),
	WALLET("total_spent", EMIT_MONEY, total_spent,
	       .doc = "Net flow to cards: total_deposited less balance."),
	WALLET("cards_active", EMIT_INT, cards_active),
	WALLET("cards_total_balance", EMIT_MONEY, cards_total_balance),
};
const struct emit_object wallet_object = EMIT("Wallet", wallet_fields);

struct addresses_view {
	const char *addresses, *networks, *min_deposit;
};

#define TEXTS_SCHEMA                                                           \
	"{\"type\":\"object\",\"additionalProperties\":{"                      \
	"\"type\":\"string\"}}"
#define ADDRESSES(title, member, text)                                         \
	OUT(struct addresses_view, title, EMIT_JSON, member,                   \
	    .json_schema = TEXTS_SCHEMA, .doc = text)
static const struct emit_field addresses_fields[] = {
	ADDRESSES("addresses", addresses, "By currency."),
	ADDRESSES("networks", networks, "The chain to pay on."),
	ADDRESSES("min_deposit", min_deposit, "Decimal, in coins."),
};
const struct emit_object addresses_object =
	EMIT("DepositAddresses", addresses_fields);

struct deposit_view {
	struct deposit_row row;
	const char *amount_crypto, *rate;
};

#define DEPOSIT(title, kind, member, ...)                                      \
	OUT(struct deposit_view, title, kind, row.member, __VA_ARGS__)
static const struct emit_field deposit_fields[] = {
	DEPOSIT("id", EMIT_TEXT, public_id),
	DEPOSIT("currency", EMIT_TEXT, currency),
	DEPOSIT("network", EMIT_TEXT, network),
	DEPOSIT("address", EMIT_TEXT, address, .nullable = true),
	OUT(struct deposit_view, "amount_crypto", EMIT_TEXT, amount_crypto,
	    .doc = "Decimal, in coins."),
	OUT(struct deposit_view, "rate", EMIT_TEXT, rate,
	    .doc = "Dollars per coin, decimal."),
	DEPOSIT("amount_usd", EMIT_MONEY, amount_usd),
	DEPOSIT("fee_usd", EMIT_MONEY, fee_usd),
	DEPOSIT("credited_usd", EMIT_MONEY, credited_usd),
	DEPOSIT("status", EMIT_TEXT, status, .values = deposit_statuses),
	DEPOSIT("hold_reason", EMIT_TEXT, hold_reason, .nullable = true),
	DEPOSIT("tx_hash", EMIT_TEXT, tx_hash),
	DEPOSIT("confirmations", EMIT_INT, confirmations),
	DEPOSIT("required_confirmations", EMIT_INT, required_confirmations),
	DEPOSIT("created_at", EMIT_TIME, created_at),
	DEPOSIT("confirmed_at", EMIT_TIME, confirmed_at, .nullable = true),
};
const struct emit_object deposit_object = EMIT("Deposit", deposit_fields);

static struct deposit_view deposit_show(struct arena *arena,
					const struct deposit_row *row)
{
	struct deposit_view view = {.row = *row};
	char *coins = arena_alloc(arena, UNITS_SIZE + 2);
	char *rate = arena_alloc(arena, UNITS_SIZE + 2);

	units_format(coins, row->amount_units, (int)row->decimals);
	units_format(rate,
		     arena_printf(arena, "%lld", (long long)row->rate_micros),
		     6);
	view.amount_crypto = coins;
	view.rate = rate;
	return view;
}

void deposit_print(const void *deposit_command, struct text *body)
{
	const struct deposit_command *command = deposit_command;
	struct deposit_view view = deposit_show(body->arena, &command->row);

	emit_object(body, &deposit_object, &view);
}

bool deposit_snapshot_print(struct arena *arena, const struct keyring *keyring,
			    const json_t *snapshot, struct text *body)
{
	struct deposit_command command = {.action = NULL};

	(void)keyring;
	if (!snapshot_read(arena, snapshot, &deposit_row_shape, &command.row))
		return false;
	deposit_print(&command, body);
	return true;
}

void wallet_balance(struct call *call)
{
	struct wallet_view view = {.currency = "USD"};
	enum db_result status;

	status = wallet_get(call->service->db, call->arena,
			    call->login->wallet_id, &view.row);
	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	reply_object(call, &wallet_object, &view);
}

static void pair_add(struct text *object, const char *key, const char *value)
{
	text_add_char(object, object->len == 0 ? '{' : ',');
	emit_string(object, key);
	text_add_char(object, ':');
	emit_string(object, value);
}

static void addresses_print(const void *arg, struct text *body)
{
	const struct address_command *command = arg;
	struct text addresses, networks, minimums;
	struct addresses_view view;

	text_init(&addresses, body->arena);
	text_init(&networks, body->arena);
	text_init(&minimums, body->arena);
	for (size_t i = 0; i < command->count; i++) {
		const struct currency_row *row = &command->currencies[i];

		if (command->addresses[i] == NULL)
			continue;
		pair_add(&addresses, row->code, command->addresses[i]);
		pair_add(&networks, row->code, row->network);
		pair_add(&minimums, row->code, row->min_deposit);
	}
	text_add_char(&addresses, '}');
	text_add_char(&networks, '}');
	text_add_char(&minimums, '}');
	view = (struct addresses_view){addresses.data, networks.data,
				       minimums.data};
	emit_object(body, &addresses_object, &view);
}

void wallet_addresses(struct call *call)
{
	const struct addresses_query *query = call->query;
	struct address_command command = {.currency = query->currency};

	if (call_effect(call, addresses_take_run, addresses_print, &command) ==
	    ERR_INVALID_PARAMETER)
		reply_error(call, ERR_INVALID_PARAMETER, "currency");
}

static struct list_place deposit_list_show(struct call *call, const void *row,
					   void *view)
{
	*(struct deposit_view *)view = deposit_show(call->arena, row);
	return deposit_place(row);
}

void wallet_deposits(struct call *call)
{
	static const struct list_shape shape = {
		&deposit_object, sizeof(struct deposit_row),
		sizeof(struct deposit_view), deposit_list_show};
	const struct deposits_query *query = call->query;
	struct deposit_filter filter = {
		.wallet_id = call->login->wallet_id,
		.status = query->status,
		.currency = query->currency,
		.from = query->from,
		.to = query->to,
	};
	const char *name =
		arena_printf(call->arena, "deposits %s %s %lld %lld",
			     query->status == NULL ? "" : query->status,
			     query->currency == NULL ? "" : query->currency,
			     (long long)query->from, (long long)query->to);
	struct deposit_row *rows = NULL;
	struct list_call list;
	enum db_result status;

	if (!list_open(call, &list, &query->page, name, true))
		return;
	status = deposit_list(call->service->db, call->arena, &filter,
			      &list.window, &rows, &list.result);
	list_reply(call, &list, &shape, status, rows);
}

void wallet_deposit(struct call *call)
{
	struct deposit_command command = {.action = NULL};
	enum db_result status;

	status = deposit_get(call->service->db, call->arena,
			     call->login->wallet_id, call->args[0],
			     &command.row);
	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	call->reply->status = call->route->status;
	deposit_print(&command, &call->reply->body);
}
