/* SPDX-License-Identifier: Apache-2.0 */
/* Payments in the words of the Privacy dialect: what flow/payments.c did, and
 * core/privacy.c calls it. Integer cents, debits positive, returns negative. */
#include <string.h>

#include "../base/arena.h"
#include "../base/secret.h"
#include "../core/country.h"
#include "../core/privacy.h"
#include "../json/canonical.h"
#include "resources.h"

struct transactions_input {
	const char *account_token, *card_token, *transaction_token, *result;
	struct privacy_page_query page;
};

static const char *const result_asked[] = {"APPROVED", "DECLINED", NULL};
static const struct transactions_input query_defaults = {
	.page = PRIVACY_PAGE_DEFAULT,
};

#define QUERY(title, member, ...)                                              \
	IN(struct transactions_input, title, SPEC_TEXT, member, PRIVACY_TOKEN, \
	   __VA_ARGS__)
#define COMMON_FIELDS                                                          \
	QUERY("account_token", account_token,                                  \
	      .doc = "The API key's own; there is no other."),                 \
		QUERY("card_token", card_token, .doc = "Of this card only."),  \
		PRIVACY_PAGE_FIELDS(struct transactions_input, page)

static const struct spec_field query_fields[] = {
	COMMON_FIELDS,
	IN(struct transactions_input, "result", SPEC_ENUM, result,
	   .values = result_asked, .doc = "Whether they were approved."),
};
static const struct spec_field legacy_fields[] = {
	COMMON_FIELDS,
	QUERY("transaction_token", transaction_token,
	      .doc = "A list of this one, or none."),
};
static const struct spec query_spec = SPEC("TransactionQuery", query_fields);
static const struct spec legacy_spec =
	SPEC("TransactionLegacyQuery", legacy_fields);
const struct shape privacy_transactions_query = {
	&query_spec, sizeof(struct transactions_input), &query_defaults};
const struct shape privacy_transaction_query = {
	&legacy_spec, sizeof(struct transactions_input), &query_defaults};

/* What comes out. */

struct privacy_merchant {
	const char *acceptor_id, *city, *country, *descriptor, *mcc, *state;
};

#define MERCHANT(...) OUT(struct privacy_merchant, __VA_ARGS__)
static const struct emit_field merchant_fields[] = {
	MERCHANT("acceptor_id", EMIT_TEXT, acceptor_id),
	MERCHANT("city", EMIT_TEXT, city),
	MERCHANT("country", EMIT_TEXT, country, .doc = "ISO 3166-1 alpha-3."),
	MERCHANT("descriptor", EMIT_TEXT, descriptor),
	MERCHANT("mcc", EMIT_TEXT, mcc),
	MERCHANT("state", EMIT_TEXT, state, .doc = "Not known here: empty."),
};
static const struct emit_object merchant_object =
	EMIT("Merchant", merchant_fields);

struct privacy_source {
	struct money amount;
	const char *token, *type;
};

static const struct emit_field source_fields[] = {
	OUT(struct privacy_source, "amount", EMIT_CENTS, amount),
	OUT(struct privacy_source, "token", EMIT_TEXT, token,
	    .doc = "Of the funding source."),
	OUT(struct privacy_source, "type", EMIT_TEXT, type),
};
static const struct emit_object source_object =
	EMIT("TransactionFunding", source_fields);

struct privacy_event {
	struct money amount;
	int64_t created;
	const char *result, *token, *type;
};

#define EVENT(...) OUT(struct privacy_event, __VA_ARGS__)
static const struct emit_field event_fields[] = {
	EVENT("amount", EMIT_CENTS, amount, .doc = "Of a RETURN negative."),
	EVENT("created", EMIT_TIME, created),
	EVENT("result", EMIT_TEXT, result, .values = privacy_results),
	EVENT("token", EMIT_TEXT, token),
	EVENT("type", EMIT_TEXT, type, .values = privacy_event_types),
};
static const struct emit_object privacy_event_object =
	EMIT("TransactionEvent", event_fields);

struct privacy_transaction {
	const char *token, *card_token;
	struct privacy_card card;
	struct money amount, authorization_amount, merchant_amount,
		merchant_authorization_amount;
	const char *merchant_currency;
	struct money acquirer_fee;
	const char *authorization_code;
	int64_t created;
	struct money settled_amount;
	const char *status, *result;
	struct privacy_merchant merchant;
	struct emit_list funding, events;
	struct privacy_source source;
};

#define ROW(...) OUT(struct privacy_transaction, __VA_ARGS__)
static const struct emit_field transaction_fields[] = {
	ROW("token", EMIT_TEXT, token),
	ROW("card_token", EMIT_TEXT, card_token),
	ROW("card", EMIT_OBJECT, card, .object = &privacy_card_object,
	    .doc = "As it is now, without its number."),
	ROW("amount", EMIT_CENTS, amount,
	    .doc = "What is authorized, and what was settled from then on. "
		   "Debits positive, returns negative."),
	ROW("authorization_amount", EMIT_CENTS, authorization_amount,
	    .doc = "By the authorization; 0 where there was none."),
	ROW("merchant_amount", EMIT_CENTS, merchant_amount,
	    .doc = "Hundredths of merchant_currency."),
	ROW("merchant_authorization_amount", EMIT_CENTS,
	    merchant_authorization_amount,
	    .doc = "The same by the authorization."),
	ROW("merchant_currency", EMIT_TEXT, merchant_currency,
	    .doc = "ISO 4217."),
	ROW("acquirer_fee", EMIT_CENTS, acquirer_fee, .doc = "Always 0."),
	ROW("authorization_code", EMIT_TEXT, authorization_code,
	    .nullable = true),
	ROW("created", EMIT_TIME, created),
	ROW("settled_amount", EMIT_CENTS, settled_amount),
	ROW("status", EMIT_TEXT, status, .values = privacy_statuses),
	ROW("result", EMIT_TEXT, result, .values = privacy_results),
	ROW("merchant", EMIT_OBJECT, merchant, .object = &merchant_object),
	ROW("funding", EMIT_LIST, funding, .object = &source_object),
	ROW("events", EMIT_LIST, events, .object = &privacy_event_object),
};
const struct emit_object privacy_transaction_object =
	EMIT("Transaction", transaction_fields);

static const char *text_or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

static struct privacy_merchant merchant_show(struct arena *arena,
					     const struct merchant *merchant)
{
	const char *alpha2 = text_or_empty(merchant->country);
	char alpha3[4];

	return (struct privacy_merchant){
		.acceptor_id = text_or_empty(merchant->id),
		.city = text_or_empty(merchant->city),
		.country = country_alpha3(alpha2, alpha3)
				   ? arena_strdup(arena, alpha3)
				   : alpha2,
		.descriptor = text_or_empty(merchant->name),
		.mcc = text_or_empty(merchant->mcc),
		.state = "",
	};
}

/* Events have no ids here: their tokens follow from their places. */
static const char *event_token(struct arena *arena, const char *transaction,
			       int64_t number)
{
	const char *place =
		arena_printf(arena, "%s/%lld", transaction, (long long)number);
	char *uuid = arena_alloc(arena, UUID_SIZE);
	unsigned char digest[32];
	char hex[33];

	sha256((struct bytes){place, strlen(place)}, digest);
	hex_encode(hex, digest, 16);
	uuid_of_hex(hex, uuid);
	return uuid;
}

static struct privacy_event event_show(struct arena *arena,
				       const char *transaction,
				       const struct transaction_event *event)
{
	bool returned = strcmp(event->type, "refund") == 0;

	return (struct privacy_event){
		.amount =
			returned ? money_negate(event->amount) : event->amount,
		.created = event->created_at,
		.result = privacy_result_of(event->decline_reason),
		.token = event_token(arena, transaction, event->number),
		.type = privacy_event_type_of(event->type),
	};
}

static struct privacy_card card_show(struct arena *arena,
				     const struct transaction_with_card *row,
				     const struct funding_row *funding)
{
	struct card_row card = {
		.public_id = row->row.card_public_id,
		.last4 = row->row.card_last4,
		.created_at = row->card_created_at,
		.expires_at = row->card_expires_at,
		.type = row->card_type,
		.label = row->card_label,
		.status = row->card_status,
		.spending_limit = row->card_limit,
		.limit_window = row->card_limit_window,
		.locked_merchant_name = row->card_merchant_name,
		.single_use_spent = row->card_single_use_spent,
	};

	return privacy_card_show(arena, &card, funding);
}

/* What has moved for good. A refund's is what is left of it. */
static struct money settled_of(const struct transaction_row *row)
{
	struct money left;

	if (strcmp(row->kind, "refund") != 0)
		return row->cleared;
	return money_sub(&left, row->reversed, row->requested) ? left
							       : MONEY_USD(0);
}

static struct privacy_transaction transaction_show(
	struct arena *arena, const struct transaction_with_card *with,
	const struct funding_row *funding, const struct privacy_event *events,
	size_t count)
{
	const struct transaction_row *row = &with->row;
	struct money authorized =
		count > 0 && strcmp(row->kind, "refund") != 0 &&
				strcmp(row->kind, "force_post") != 0
			? events[0].amount
			: MONEY_USD(0);
	bool foreign = row->merchant_currency != NULL;
	struct privacy_card card = card_show(arena, with, funding);

	return (struct privacy_transaction){
		.token = privacy_token(arena, row->public_id),
		.card_token = privacy_token(arena, row->card_public_id),
		.card = card,
		.amount = money_negate(row->amount),
		.authorization_amount = authorized,
		.merchant_amount = foreign ? row->merchant_amount
					   : money_negate(row->amount),
		.merchant_authorization_amount =
			foreign ? with->merchant_authorized : authorized,
		.merchant_currency = foreign ? row->merchant_currency : "USD",
		.acquirer_fee = MONEY_USD(0),
		.authorization_code = row->authorization_code,
		.created = row->created_at,
		.settled_amount = settled_of(row),
		.status = privacy_status_of(row->status,
					    !money_is_zero(row->cleared)),
		.result = privacy_result_of(row->decline_reason),
		.merchant = merchant_show(arena, &row->merchant),
		.source =
			{
				.amount = row->decline_reason != NULL
						  ? MONEY_USD(0)
						  : money_negate(row->amount),
				.token = card.funding.token,
				.type = card.funding.type,
			},
		.events = {events, count, sizeof(*events)},
	};
}

/* The list of one source lies in the transaction itself: once it has found its
 * place. */
static void source_place(struct privacy_transaction *shown)
{
	shown->funding =
		(struct emit_list){&shown->source, 1, sizeof(shown->source)};
}

/* Rows with their events; NULL when the reply is a refusal, and written. */
static struct privacy_transaction *transactions_show(
	struct call *call, const struct transaction_with_card *rows,
	size_t count)
{
	struct privacy_transaction *shown =
		arena_alloc(call->arena, (count + 1) * sizeof(*shown));
	struct db *db = call->service->db;
	struct transaction_event_of *of;
	struct privacy_event *events;
	struct funding_row funding;
	enum db_result result;
	size_t event_count = 0, at = 0;

	result = funding_get(db, call->arena, call->login->wallet_id, &funding);
	if (result == DB_OK)
		result = transaction_events_of(db, call->arena, rows, count,
					       &of, &event_count);
	if (result != DB_OK) {
		reply_error(call, error_of_result(result), NULL);
		return NULL;
	}
	events = arena_alloc(call->arena, (event_count + 1) * sizeof(*events));
	for (size_t i = 0; i < count; i++) {
		size_t first = at;

		for (; at < event_count &&
		       of[at].transaction_id == rows[i].row.id;
		     at++)
			events[at] =
				event_show(call->arena, rows[i].row.public_id,
					   &of[at].event);
		shown[i] = transaction_show(call->arena, &rows[i], &funding,
					    events + first, at - first);
		source_place(&shown[i]);
	}
	return shown;
}

/* --- reading --- */

static enum db_result place_of(struct call *call, const char *id,
			       struct list_place *place)
{
	struct transaction_row row;
	enum db_result result =
		transaction_get(call->service->db, call->arena,
				call->login->wallet_id, id, &row);

	if (result == DB_OK)
		*place = transaction_place(&row);
	return result;
}

static void transactions_reply(struct call *call,
			       const struct transaction_filter *filter,
			       const struct privacy_page *page)
{
	struct privacy_transaction *shown;
	struct transaction_with_card *rows;
	struct list_result result;
	enum db_result status;

	status = transaction_with_card_list(call->service->db, call->arena,
					    filter, &page->window, &rows,
					    &result);
	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	shown = transactions_show(call, rows, result.count);
	if (shown != NULL)
		privacy_reply_list(
			call, &privacy_transaction_object,
			(struct emit_list){shown, result.count, sizeof(*shown)},
			&result, page);
}

static void transactions_find(struct call *call, const char *result)
{
	const struct transactions_input *input = call->query;
	char card[ID_SIZE], transaction[ID_SIZE];
	struct transaction_filter filter = {
		.wallet_id = call->login->wallet_id,
		.from = input->page.begin,
		.to = input->page.end,
	};
	struct privacy_page page;

	if (!privacy_account_own(call, input->account_token) ||
	    !privacy_param_id(call, "card_token", input->card_token, "card_",
			      card) ||
	    !privacy_param_id(call, "transaction_token",
			      input->transaction_token, "txn_", transaction) ||
	    !privacy_page_open(call, &input->page, "txn_", place_of, &page))
		return;
	if (input->card_token != NULL)
		filter.card_id = card;
	if (input->transaction_token != NULL)
		filter.public_id = transaction;
	if (result != NULL && strcmp(result, "DECLINED") == 0)
		filter.type = "decline";
	else if (result != NULL)
		filter.not_type = "decline";
	transactions_reply(call, &filter, &page);
}

void privacy_transactions_list(struct call *call)
{
	const struct transactions_input *input = call->query;

	transactions_find(call, input->result);
}

void privacy_transactions_all(struct call *call)
{
	transactions_find(call, NULL);
}

void privacy_transactions_approvals(struct call *call)
{
	transactions_find(call, "APPROVED");
}

void privacy_transactions_declines(struct call *call)
{
	transactions_find(call, "DECLINED");
}

void privacy_transaction_get(struct call *call)
{
	struct transaction_with_card row;
	struct privacy_transaction *shown;
	char id[ID_SIZE];
	enum db_result result;

	if (!privacy_path_id(call, "txn_", id))
		return;
	result = transaction_with_card_get(call->service->db, call->arena,
					   call->login->wallet_id, id, &row);
	if (result != DB_OK) {
		reply_error(call, error_of_result(result), NULL);
		return;
	}
	shown = transactions_show(call, &row, 1);
	if (shown != NULL)
		reply_object(call, &privacy_transaction_object, shown);
}

/* --- the webhook --- */

bool privacy_event_print(struct arena *arena, const json_t *snapshot,
			 const struct funding_row *funding, struct text *body)
{
	const json_t *timeline = json_object_get(snapshot, "timeline");
	size_t count = json_array_size(timeline);
	struct privacy_event *events =
		arena_alloc(arena, (count + 1) * sizeof(*events));
	struct transaction_with_card row;
	struct privacy_transaction shown;
	struct transaction_event event;
	struct text plain;

	if (!snapshot_read(arena, snapshot, &transaction_with_card_shape,
			   &row) ||
	    row.card_type == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!snapshot_read(arena, json_array_get(timeline, i),
				   &transaction_event_shape, &event))
			return false;
		events[i] = event_show(arena, row.row.public_id, &event);
	}
	shown = transaction_show(arena, &row, funding, events, count);
	source_place(&shown);
	text_init(&plain, arena);
	emit_object(&plain, &privacy_transaction_object, &shown);
	return canonical_print(body, (struct bytes){plain.data, plain.len});
}

const char *privacy_signature(struct arena *arena, const char *key,
			      struct bytes body)
{
	unsigned char mac[32];

	hmac_sha256((struct bytes){key, strlen(key)}, body, mac);
	return base64_encode(arena, mac, sizeof(mac));
}
