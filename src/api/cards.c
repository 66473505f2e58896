/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../base/arena.h"
#include "../base/config.h"
#include "../core/card.h"
#include "../core/decide.h"
#include "../flow/cards.h"
#include "../store/bins.h"
#include "resources.h"

/* What goes in. */

struct card_create {
	const char *bin_id, *label;
	struct money amount, spending_limit, auto_freeze_at;
	bool limit_given;
	struct spec_list categories;
	const char *metadata;
};

static const struct card_create create_defaults = {
	.label = "",
	.amount = MONEY_USD(0),
	.auto_freeze_at = MONEY_USD(0),
	.metadata = "{}",
};

#define LABEL_DOC "Your own label, at most 64 characters."
#define LIMIT_DOC "Most that may be spent in a month."
#define CATEGORIES_DOC "Merchant categories that are allowed; none: all."
#define FREEZE_DOC "Freeze when the balance drops below; 0 or null: never."
#define METADATA_DOC "At most 20 keys of yours."

#define CREATE(...) IN(struct card_create, __VA_ARGS__)
static const struct spec_field create_fields[] = {
	CREATE("bin_id", SPEC_TEXT, bin_id, .required = true, .ascii = true,
	       .min = 1, .max = 16, .doc = "A BIN of GET /v1/bins."),
	CREATE("amount", SPEC_MONEY, amount, .required = true, .min = 100,
	       .max = 500000, .too_small = ERR_AMOUNT_TOO_SMALL,
	       .too_large = ERR_AMOUNT_TOO_LARGE,
	       .doc = "First funding in dollars, 1.00 to 5,000.00."),
	CREATE("label", SPEC_TEXT, label, .nullable = true, .max = 64,
	       .doc = LABEL_DOC),
	CREATE("spending_limit", SPEC_MONEY, spending_limit, .min = 1,
	       .max = MONEY_MAX_CENTS,
	       .given = offsetof(struct card_create, limit_given),
	       .doc = LIMIT_DOC),
	CREATE("allowed_categories", SPEC_TEXT_LIST, categories, .max = 64,
	       .doc = CATEGORIES_DOC),
	CREATE("auto_freeze_at", SPEC_MONEY, auto_freeze_at, .nullable = true,
	       .max = MONEY_MAX_CENTS, .doc = FREEZE_DOC),
	CREATE("metadata", SPEC_METADATA, metadata, .doc = METADATA_DOC),
};
static const struct spec create_spec = SPEC("CardCreate", create_fields);
const struct shape card_create_body = {&create_spec, sizeof(struct card_create),
				       &create_defaults};

struct card_change {
	const char *label, *metadata;
	struct money spending_limit, auto_freeze_at;
	struct spec_list categories;
	bool label_given, limit_given, freeze_given, categories_given,
		metadata_given;
};

static const struct card_change change_defaults = {
	.spending_limit = MONEY_USD(0),
	.auto_freeze_at = MONEY_USD(0),
};

#define CHANGE(...) IN(struct card_change, __VA_ARGS__)
static const struct spec_field change_fields[] = {
	CHANGE("label", SPEC_TEXT, label, .nullable = true, .max = 64,
	       .given = offsetof(struct card_change, label_given),
	       .doc = LABEL_DOC),
	CHANGE("spending_limit", SPEC_MONEY, spending_limit, .min = 1,
	       .max = MONEY_MAX_CENTS,
	       .given = offsetof(struct card_change, limit_given),
	       .doc = LIMIT_DOC),
	CHANGE("allowed_categories", SPEC_TEXT_LIST, categories, .max = 64,
	       .given = offsetof(struct card_change, categories_given),
	       .doc = CATEGORIES_DOC),
	CHANGE("auto_freeze_at", SPEC_MONEY, auto_freeze_at, .nullable = true,
	       .max = MONEY_MAX_CENTS,
	       .given = offsetof(struct card_change, freeze_given),
	       .doc = FREEZE_DOC),
	CHANGE("metadata", SPEC_METADATA, metadata, .nullable = true,
	       .given = offsetof(struct card_change, metadata_given),
	       .doc = "Merged with what is there; null deletes a key."),
};
static const struct spec change_spec = SPEC("CardUpdate", change_fields);
const struct shape card_patch_body = {&change_spec, sizeof(struct card_change),
				      &change_defaults};

struct card_amount {
	struct money amount;
};

static const struct spec_field fund_fields[] = {
	IN(struct card_amount, "amount", SPEC_MONEY, amount, .required = true,
	   .min = 100, .max = 500000, .too_small = ERR_AMOUNT_TOO_SMALL,
	   .too_large = ERR_AMOUNT_TOO_LARGE,
	   .doc = "Dollars to add, 1.00 to 5,000.00."),
};
static const struct spec fund_spec = SPEC("CardFund", fund_fields);
const struct shape card_fund_body = {&fund_spec, sizeof(struct card_amount),
				     NULL};

static const struct spec_field withdraw_fields[] = {
	IN(struct card_amount, "amount", SPEC_MONEY, amount, .required = true,
	   .min = 1, .max = MONEY_MAX_CENTS, .too_small = ERR_AMOUNT_TOO_SMALL,
	   .too_large = ERR_AMOUNT_TOO_LARGE,
	   .doc = "Dollars to take back, 0.01 up to the balance."),
};
static const struct spec withdraw_spec = SPEC("CardWithdraw", withdraw_fields);
const struct shape card_withdraw_body = {&withdraw_spec,
					 sizeof(struct card_amount), NULL};

struct cards_query {
	const char *status, *bin_id, *label, *sort, *order;
	struct page_query page;
};

static const char *const sort_names[] = {"created_at", "balance", "last_used",
					 NULL};
static const char *const order_names[] = {"asc", "desc", NULL};
static const struct cards_query query_defaults = {
	.sort = "created_at",
	.order = "desc",
	.page = PAGE_DEFAULT(25),
};

#define QUERY(...) IN(struct cards_query, __VA_ARGS__)
static const struct spec_field query_fields[] = {
	QUERY("status", SPEC_ENUM, status, .values = card_status_names),
	QUERY("bin_id", SPEC_TEXT, bin_id, .ascii = true, .min = 1, .max = 16),
	QUERY("label", SPEC_TEXT, label, .min = 1, .max = 64,
	      .doc = "Part of the label, in any case."),
	QUERY("sort", SPEC_ENUM, sort, .values = sort_names),
	QUERY("order", SPEC_ENUM, order, .values = order_names),
	PAGE_FIELDS(struct cards_query, page),
};
static const struct spec query_spec = SPEC("CardQuery", query_fields);
const struct shape cards_query = {&query_spec, sizeof(struct cards_query),
				  &query_defaults};

/* What comes out. */

struct card_view {
	struct card_row row;
	struct money available_to_spend;
	int64_t limit_resets_at;
};

static const char *const frozen_reasons[] = {"customer",	 "operator",
					     "auto_freeze",	 "overdrawn",
					     "deposit_reversed", NULL};
static const char *const type_names[] = {
	"unlocked", "single_use", "merchant_locked", "digital_wallet", NULL};
static const char *const funding_names[] = {"prepaid", "wallet", NULL};
static const char *const network_names[] = {"visa", "mastercard", NULL};

#define CARD(title, kind, member, ...)                                         \
	OUT(struct card_view, title, kind, row.member, __VA_ARGS__)
/* Lists leave out what the limits leave: it is a sum over each card's uses. */
#define CARD_FIELDS                                                            \
	CARD("id", EMIT_TEXT, public_id), CARD("bin_id", EMIT_TEXT, bin_id),   \
		CARD("network", EMIT_TEXT, network, .values = network_names),  \
		CARD("last4", EMIT_TEXT, last4),                               \
		CARD("status", EMIT_TEXT, status,                              \
		     .values = card_status_names),                             \
		CARD("frozen_reason", EMIT_TEXT, frozen_reason,                \
		     .nullable = true, .values = frozen_reasons),              \
		CARD("balance", EMIT_MONEY, balance,                           \
		     .doc = "What can still be spent; holds are taken off."),  \
		CARD("pending", EMIT_MONEY, pending,                           \
		     .doc = "Held by authorizations."),                        \
		CARD("spending_limit", EMIT_MONEY, spending_limit),            \
		CARD("total_spent", EMIT_MONEY, total_spent,                   \
		     .doc = "Settled less refunded."),                         \
		CARD("transaction_count", EMIT_INT, transaction_count,         \
		     .doc = "Declines are not counted."),                      \
		CARD("label", EMIT_TEXT, label),                               \
		CARD("allowed_categories", EMIT_JSON, allowed_categories,      \
		     .json_schema = TEXT_LIST_SCHEMA),                         \
		CARD("auto_freeze_at", EMIT_MONEY, auto_freeze_at,             \
		     .nullable = true),                                        \
		CARD("metadata", EMIT_JSON, metadata,                          \
		     .json_schema =                                            \
			     "{\"type\":\"object\",\"additionalProperties\":"  \
			     "{\"type\":[\"string\",\"number\",\"boolean\"]}"  \
			     "}"),                                             \
		CARD("type", EMIT_TEXT, type, .values = type_names),           \
		CARD("funding", EMIT_TEXT, funding, .values = funding_names,   \
		     .doc = "What pays: money on the card (prepaid), or the "  \
			    "wallet."),                                        \
		CARD("limit_window", EMIT_TEXT, limit_window,                  \
		     .values = limit_window_names,                             \
		     .doc = "What spending_limit looks back on."),             \
		CARD("created_at", EMIT_TIME, created_at),                     \
		CARD("expires_at", EMIT_TIME, expires_at),                     \
		CARD("last_used_at", EMIT_TIME, last_used_at,                  \
		     .nullable = true),                                        \
		CARD("frozen_at", EMIT_TIME, frozen_at, .nullable = true),     \
		CARD("terminated_at", EMIT_TIME, terminated_at,                \
		     .nullable = true)

static const struct emit_field summary_fields[] = {CARD_FIELDS};
static const struct emit_field card_fields[] = {
	CARD_FIELDS,
	OUT(struct card_view, "available_to_spend", EMIT_MONEY,
	    available_to_spend,
	    .doc = "The least of the balance and what the limits leave."),
	OUT(struct card_view, "limit_resets_at", EMIT_TIME, limit_resets_at,
	    .nullable = true,
	    .doc = "When the limit next leaves more; null while unused."),
};
const struct emit_object card_summary_object =
	EMIT("CardSummary", summary_fields);
const struct emit_object card_object = EMIT("Card", card_fields);

#define ANSWER(...) OUT(struct card_answer, __VA_ARGS__)
static const struct emit_field frozen_fields[] = {
	ANSWER("id", EMIT_TEXT, card.public_id),
	ANSWER("status", EMIT_TEXT, card.status, .values = card_status_names),
	ANSWER("frozen_at", EMIT_TIME, card.frozen_at),
};
const struct emit_object card_frozen_object = EMIT("CardFrozen", frozen_fields);

static const struct emit_field terminated_fields[] = {
	ANSWER("id", EMIT_TEXT, card.public_id),
	ANSWER("status", EMIT_TEXT, card.status, .values = card_status_names),
	ANSWER("refunded_amount", EMIT_MONEY, refunded,
	       .doc = "What went back to the wallet at once."),
	ANSWER("terminated_at", EMIT_TIME, card.terminated_at),
};
const struct emit_object card_terminated_object =
	EMIT("CardTerminated", terminated_fields);

#define TRANSFER(...) OUT(struct card_transfer, __VA_ARGS__)
static const struct emit_field funded_fields[] = {
	TRANSFER("id", EMIT_TEXT, public_id),
	TRANSFER("previous_balance", EMIT_MONEY, previous_balance),
	TRANSFER("funded_amount", EMIT_MONEY, amount),
	TRANSFER("new_balance", EMIT_MONEY, new_balance),
	TRANSFER("wallet_balance", EMIT_MONEY, wallet_balance),
};
const struct emit_object card_funded_object = EMIT("CardFunded", funded_fields);

static const struct emit_field withdrawn_fields[] = {
	TRANSFER("id", EMIT_TEXT, public_id),
	TRANSFER("previous_balance", EMIT_MONEY, previous_balance),
	TRANSFER("withdrawn_amount", EMIT_MONEY, amount),
	TRANSFER("new_balance", EMIT_MONEY, new_balance),
	TRANSFER("wallet_balance", EMIT_MONEY, wallet_balance),
};
const struct emit_object card_withdrawn_object =
	EMIT("CardWithdrawn", withdrawn_fields);

struct address_view {
	const char *line1, *city, *state, *zip, *country;
};

struct details_view {
	const char *public_id, *pan, *cvv, *holder_name;
	int64_t exp_month, exp_year;
	struct address_view billing;
};

#define ADDRESS(...) OUT(struct address_view, __VA_ARGS__)
static const struct emit_field address_fields[] = {
	ADDRESS("line1", EMIT_TEXT, line1),
	ADDRESS("city", EMIT_TEXT, city),
	ADDRESS("state", EMIT_TEXT, state),
	ADDRESS("zip", EMIT_TEXT, zip),
	ADDRESS("country", EMIT_TEXT, country),
};
static const struct emit_object address_object =
	EMIT("BillingAddress", address_fields);

#define DETAILS(...) OUT(struct details_view, __VA_ARGS__)
static const struct emit_field details_fields[] = {
	DETAILS("id", EMIT_TEXT, public_id),
	DETAILS("pan", EMIT_TEXT, pan),
	DETAILS("cvv", EMIT_TEXT, cvv),
	DETAILS("exp_month", EMIT_INT, exp_month),
	DETAILS("exp_year", EMIT_INT, exp_year),
	DETAILS("holder_name", EMIT_TEXT, holder_name),
	DETAILS("billing_address", EMIT_OBJECT, billing,
		.object = &address_object),
};
const struct emit_object card_details_object =
	EMIT("CardDetails", details_fields);

static const struct card_limits limits_unused = {
	.limit_used = MONEY_USD(0),
	.month_used = MONEY_USD(0),
};

/* limits is not looked at for a card that was never used. */
static void card_print(const struct card_row *row,
		       const struct card_limits *limits, struct text *body)
{
	struct card_view view = {.row = *row};

	if (row->transaction_count == 0)
		limits = &limits_unused;
	view.available_to_spend = card_available(
		row->balance, row->spending_limit, limits->limit_used,
		row->bin_max_monthly, limits->month_used);
	view.limit_resets_at = limits->resets_at;
	emit_object(body, &card_object, &view);
}

bool card_snapshot_print(struct arena *arena, const struct keyring *keyring,
			 const json_t *snapshot, struct text *body)
{
	struct card_limits limits;
	struct card_row row;

	(void)keyring;
	if (!snapshot_read(arena, snapshot, &card_row_shape, &row) ||
	    !snapshot_read(arena, snapshot, &card_limits_shape, &limits))
		return false;
	card_print(&row, &limits, body);
	return true;
}

static void issue_print(const void *arg, struct text *body)
{
	const struct card_issue *issue = arg;

	card_print(&issue->answer.card, &limits_unused, body);
}

static void command_print(const void *arg, struct text *body)
{
	const struct card_command *command = arg;

	card_print(&command->answer.card, &command->limits, body);
}

static void frozen_print(const void *arg, struct text *body)
{
	const struct card_command *command = arg;

	emit_object(body, &card_frozen_object, &command->answer);
}

static void terminated_print(const void *arg, struct text *body)
{
	const struct card_command *command = arg;

	emit_object(body, &card_terminated_object, &command->answer);
}

static void funded_print(const void *arg, struct text *body)
{
	const struct card_command *command = arg;

	emit_object(body, &card_funded_object, &command->transfer);
}

static void withdrawn_print(const void *arg, struct text *body)
{
	const struct card_command *command = arg;

	emit_object(body, &card_withdrawn_object, &command->transfer);
}

/* The handlers. */

/* Names of the list to the cursor: its order and all its filters. */
static const char *list_name(struct arena *arena,
			     const struct cards_query *query)
{
	struct text name;

	text_init(&name, arena);
	text_printf(&name, "cards %s %s status=%s bin=%s label=", query->sort,
		    query->order, query->status == NULL ? "" : query->status,
		    query->bin_id == NULL ? "" : query->bin_id);
	text_add(&name, query->label == NULL ? "" : query->label);
	return name.data;
}

/* The table of the query lets no other name through. */
static enum card_sort sort_of(const char *name)
{
	if (strcmp(name, "balance") == 0)
		return CARD_SORT_BALANCE;
	if (strcmp(name, "last_used") == 0)
		return CARD_SORT_LAST_USED;
	return CARD_SORT_CREATED_AT;
}

static struct list_place card_list_show(struct call *call, const void *row,
					void *view)
{
	const struct cards_query *query = call->query;

	((struct card_view *)view)->row = *(const struct card_row *)row;
	return card_place(row, sort_of(query->sort));
}

void cards_list(struct call *call)
{
	static const struct list_shape shape = {
		&card_summary_object, sizeof(struct card_row),
		sizeof(struct card_view), card_list_show};
	const struct cards_query *query = call->query;
	const char *name = list_name(call->arena, query);
	struct card_filter filter = {
		.wallet_id = call->login->wallet_id,
		.status = query->status,
		.bin_id = query->bin_id,
		.label = query->label,
		.sort = sort_of(query->sort),
	};
	struct card_row *rows = NULL;
	struct list_call list;
	enum db_result status;

	if (!list_open(call, &list, &query->page, name,
		       strcmp(query->order, "desc") == 0))
		return;
	status = card_list(call->service->db, call->arena, &filter,
			   &list.window, &rows, &list.result);
	list_reply(call, &list, &shape, status, rows);
}

static const char *categories_json(struct arena *arena,
				   const struct spec_list *list)
{
	struct text json;

	text_init(&json, arena);
	text_add_char(&json, '[');
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			text_add_char(&json, ',');
		emit_string(&json, list->items[i]);
	}
	text_add_char(&json, ']');
	return json.data;
}

/* The routine has refused; the sentence lists what it would have taken. */
static void categories_refuse(struct call *call)
{
	struct fault fault = {
		.code = ERR_UNKNOWN_CATEGORY,
		.param = "allowed_categories",
	};
	struct text message;
	const char **names;
	size_t count;

	if (category_list(call->service->db, call->arena, &names, &count) ==
	    DB_OK) {
		text_init(&message, call->arena);
		text_add(&message, "allowed_categories may hold ");
		for (size_t i = 0; i < count; i++) {
			text_add(&message, i == 0 ? "" : ", ");
			text_add(&message, names[i]);
		}
		text_add(&message, ".");
		fault.message = message.data;
	}
	reply_refuse(call, &fault);
}

void cards_create(struct call *call)
{
	const struct card_create *body = call->body;
	struct card_issue issue = {
		.card =
			{
				.bin_id = body->bin_id,
				.label = body->label == NULL ? "" : body->label,
				.amount = body->amount,
				.allowed_categories = categories_json(
					call->arena, &body->categories),
				.auto_freeze_at = body->auto_freeze_at,
				.metadata = body->metadata,
				.type = "unlocked",
				.funding = "prepaid",
				.limit_window =
					limit_window_names[LIMIT_MONTHLY],
			},
	};

	if (body->limit_given)
		issue.card.spending_limit = &body->spending_limit;
	if (call_effect(call, card_issue_run, issue_print, &issue) ==
	    ERR_UNKNOWN_CATEGORY)
		categories_refuse(call);
}

void cards_get(struct call *call)
{
	struct card_limits limits = {.resets_at = 0};
	struct card_row row;
	enum db_result status;

	status = card_get(call->service->db, call->arena,
			  call->login->wallet_id, call->args[0], &row);
	if (status == DB_OK && row.transaction_count > 0)
		status = card_limits_get(call->service->db, call->arena, row.id,
					 &limits);
	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	call->reply->status = call->route->status;
	card_print(&row, &limits, &call->reply->body);
}

void cards_patch(struct call *call)
{
	const struct card_change *body = call->body;
	struct card_command command = {.public_id = call->args[0]};
	struct card_patch *patch = &command.patch;

	if (body->label_given)
		patch->label = body->label == NULL ? "" : body->label;
	if (body->limit_given)
		patch->spending_limit = &body->spending_limit;
	if (body->freeze_given)
		patch->auto_freeze_at = &body->auto_freeze_at;
	if (body->categories_given)
		patch->allowed_categories =
			categories_json(call->arena, &body->categories);
	if (body->metadata_given)
		patch->metadata = body->metadata;
	if (call_effect(call, card_update_run, command_print, &command) ==
	    ERR_UNKNOWN_CATEGORY)
		categories_refuse(call);
}

static void command_run(struct call *call,
			enum db_result (*run)(const struct flow *, void *,
					      enum error_code *),
			void (*print)(const void *, struct text *),
			const struct card_amount *body)
{
	struct card_command command = {.public_id = call->args[0]};

	if (body != NULL)
		command.amount = body->amount;
	call_effect(call, run, print, &command);
}

void cards_delete(struct call *call)
{
	command_run(call, card_terminate_run, terminated_print, NULL);
}

void cards_freeze(struct call *call)
{
	command_run(call, card_freeze_run, frozen_print, NULL);
}

void cards_unfreeze(struct call *call)
{
	command_run(call, card_unfreeze_run, command_print, NULL);
}

void cards_fund(struct call *call)
{
	command_run(call, card_fund_run, funded_print, call->body);
}

void cards_withdraw(struct call *call)
{
	command_run(call, card_withdraw_run, withdrawn_print, call->body);
}

struct details_call {
	struct card_reveal reveal;
	const struct config *config;
};

static enum db_result details_run(const struct flow *flow, void *arg,
				  enum error_code *refusal)
{
	struct details_call *details = arg;

	return card_reveal_run(flow, &details->reveal, refusal);
}

static void details_print(const void *arg, struct text *body)
{
	const struct details_call *details = arg;
	const struct config *config = details->config;
	struct details_view view = {
		.public_id = details->reveal.public_id,
		.pan = details->reveal.secrets.pan,
		.cvv = details->reveal.secrets.cvv,
		.holder_name = config->holder_name,
		.exp_month = details->reveal.secrets.exp_month,
		.exp_year = details->reveal.secrets.exp_year,
		.billing = {config->billing_line1, config->billing_city,
			    config->billing_state, config->billing_zip,
			    config->billing_country},
	};

	emit_object(body, &card_details_object, &view);
}

void cards_details(struct call *call)
{
	struct details_call *details =
		arena_alloc(call->arena, sizeof(*details));

	details->reveal.public_id = call->args[0];
	details->config = call->service->config;
	call_effect(call, details_run, details_print, details);
}
