/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../base/arena.h"
#include "../base/clock.h"
#include "../flow/cards.h"
#include "resources.h"

/* The dialect's words, each list in the order of the native one beside it. */

static const char *const type_names[] = {"single_use", "merchant_locked",
					 "digital_wallet", "unlocked", NULL};
static const char *const type_words[] = {"SINGLE_USE", "MERCHANT_LOCKED",
					 "DIGITAL_WALLET", "UNLOCKED", NULL};

static const char *const state_words[CARD_STATUSES + 1] = {
	[CARD_PENDING_TOP_UP] = "PENDING_ACTIVATION",
	[CARD_ACTIVE] = "OPEN",
	[CARD_FROZEN] = "PAUSED",
	[CARD_TERMINATED] = "CLOSED",
};
static const char *const state_new[] = {"OPEN", "PAUSED", NULL};
static const char *const state_changes[] = {"OPEN", "PAUSED", "CLOSED", NULL};

/* The operator's daily and weekly limits can be seen, not asked for. */
static const char *const duration_words[LIMIT_WINDOWS + 1] = {
	[LIMIT_TRANSACTION] = "TRANSACTION", [LIMIT_DAILY] = "DAILY",
	[LIMIT_WEEKLY] = "WEEKLY",	     [LIMIT_MONTHLY] = "MONTHLY",
	[LIMIT_YEARLY] = "ANNUALLY",	     [LIMIT_FOREVER] = "FOREVER",
};
static const char *const duration_asked[] = {"TRANSACTION", "MONTHLY",
					     "ANNUALLY", "FOREVER", NULL};

static const char *const months[] = {"01", "02", "03", "04", "05", "06", "07",
				     "08", "09", "10", "11", "12", NULL};
static const char *const wallets[] = {"APPLE_PAY", "GOOGLE_PAY", "SAMSUNG_PAY",
				      NULL};

/* NULL for NULL. */
static const char *translate(const char *const *from, const char *const *to,
			     const char *word)
{
	for (size_t i = 0; word != NULL && from[i] != NULL; i++)
		if (strcmp(from[i], word) == 0)
			return to[i];
	return word;
}

/* What goes in. */

/* Of the other members of that API's requests: taken, and not looked at. */
#define IGNORED(type, title, most)                                             \
	IN(type, title, SPEC_TEXT, ignored, .nullable = true, .max = (most),   \
	   .doc = "Taken and ignored: cards are virtual.")
#define TOKEN(type, title, member, ...)                                        \
	IN(type, title, SPEC_TEXT, member, PRIVACY_TOKEN, __VA_ARGS__)

struct shipping {
	const char *ignored;
};

static const struct spec_field address_fields[] = {
	IGNORED(struct shipping, "first_name", 128),
	IGNORED(struct shipping, "last_name", 128),
	IGNORED(struct shipping, "line2_text", 128),
	IGNORED(struct shipping, "address1", 128),
	IGNORED(struct shipping, "address2", 128),
	IGNORED(struct shipping, "city", 128),
	IGNORED(struct shipping, "state", 128),
	IGNORED(struct shipping, "postal_code", 32),
	IGNORED(struct shipping, "country", 3),
	IGNORED(struct shipping, "email", 254),
	IGNORED(struct shipping, "phone_number", 32),
};
static const struct spec address_spec = SPEC("ShippingAddress", address_fields);

static const struct spec_field carrier_fields[] = {
	IGNORED(struct shipping, "qr_code_url", 1024),
};
static const struct spec carrier_spec = SPEC("Carrier", carrier_fields);

#define SHIPPING(type)                                                         \
	IGNORED(type, "product_id", 64),                                       \
		IN(type, "shipping_address", SPEC_OBJECT, shipping,            \
		   .object = &address_spec,                                    \
		   .doc = "Taken and ignored: cards are virtual."),            \
		IGNORED(type, "shipping_method", 64),                          \
		IN(type, "carrier", SPEC_OBJECT, shipping,                     \
		   .object = &carrier_spec,                                    \
		   .doc = "Taken and ignored: cards are virtual.")

#define MEMO_DOC "Your own name of the card, at most 255 characters."
#define LIMIT_DOC "Cents, whole dollars; 0: none."
#define DURATION_DOC "What the limit looks back on."
#define OWN_DOC "The API key's own; there is no other."

/* Both the change of the present path and that of the legacy one. */
struct card_input {
	const char *card_token, *memo, *type, *funding_token, *account_token,
		*duration, *state, *exp_month, *exp_year, *ignored;
	int64_t spend_limit;
	bool memo_given, limit_given;
	struct shipping shipping;
};

#define INPUT(...) IN(struct card_input, __VA_ARGS__)
#define MEMO                                                                   \
	INPUT("memo", SPEC_TEXT, memo, .nullable = true, .max = 255,           \
	      .given = offsetof(struct card_input, memo_given),                \
	      .doc = MEMO_DOC)
#define LIMIT                                                                  \
	INPUT("spend_limit", SPEC_INT, spend_limit, .max = MONEY_MAX_CENTS,    \
	      .given = offsetof(struct card_input, limit_given),               \
	      .doc = LIMIT_DOC, .example = "1000"),                            \
		INPUT("spend_limit_duration", SPEC_ENUM, duration,             \
		      .values = duration_asked, .doc = DURATION_DOC)
#define FUNDING                                                                \
	TOKEN(struct card_input, "funding_token", funding_token,               \
	      .nullable = true, .doc = OWN_DOC)

static const struct spec_field new_fields[] = {
	INPUT("type", SPEC_ENUM, type, .required = true, .values = type_words),
	MEMO,
	FUNDING,
	TOKEN(struct card_input, "account_token", account_token,
	      .nullable = true, .doc = OWN_DOC),
	LIMIT,
	INPUT("state", SPEC_ENUM, state, .values = state_new),
	INPUT("exp_month", SPEC_ENUM, exp_month, .values = months,
	      .doc = "With exp_year; without both: in three years."),
	INPUT("exp_year", SPEC_DIGITS, exp_year, .min = 4, .max = 4,
	      .doc = "At most 20 years ahead."),
	IGNORED(struct card_input, "card_program_token", 64),
	IGNORED(struct card_input, "digital_card_art_token", 64),
	IGNORED(struct card_input, "pin", 512),
	SHIPPING(struct card_input),
};
static const struct spec new_spec = SPEC("CardCreate", new_fields);
const struct shape privacy_card_new_body = {&new_spec,
					    sizeof(struct card_input), NULL};

#define CHANGES                                                                \
	INPUT("state", SPEC_ENUM, state, .values = state_changes,              \
	      .doc = "CLOSED is final."),                                      \
		FUNDING, MEMO, LIMIT,                                          \
		IGNORED(struct card_input, "digital_card_art_token", 64),      \
		IGNORED(struct card_input, "pin", 512)

static const struct spec_field change_fields[] = {CHANGES};
static const struct spec change_spec = SPEC("CardUpdate", change_fields);
const struct shape privacy_card_change_body = {&change_spec,
					       sizeof(struct card_input), NULL};

static const struct spec_field put_fields[] = {
	TOKEN(struct card_input, "card_token", card_token, .required = true),
	CHANGES,
};
static const struct spec put_spec = SPEC("CardPut", put_fields);
const struct shape privacy_card_put_body = {&put_spec,
					    sizeof(struct card_input), NULL};

static const struct spec_field reissue_fields[] = {SHIPPING(struct card_input)};
static const struct spec reissue_spec = SPEC("CardReissue", reissue_fields);
const struct shape privacy_card_reissue_body = {
	&reissue_spec, sizeof(struct card_input), NULL};

struct provision_input {
	const char *digital_wallet, *ignored;
};

#define UNUSED(title, most)                                                    \
	IN(struct provision_input, title, SPEC_TEXT, ignored, .max = (most),   \
	   .doc = "For the digital wallet.")
static const struct spec_field provision_fields[] = {
	IN(struct provision_input, "digital_wallet", SPEC_ENUM, digital_wallet,
	   .required = true, .values = wallets),
	UNUSED("certificate", 8192),
	UNUSED("nonce", 1024),
	UNUSED("nonce_signature", 1024),
	UNUSED("client_device_id", 256),
	UNUSED("client_wallet_account_id", 256),
};
static const struct spec provision_spec =
	SPEC("CardProvision", provision_fields);
const struct shape privacy_card_provision_body = {
	&provision_spec, sizeof(struct provision_input), NULL};

struct cards_input {
	const char *account_token, *card_token;
	struct privacy_page_query page;
};

static const struct cards_input query_defaults = {.page = PRIVACY_PAGE_DEFAULT};

#define QUERY(...) TOKEN(struct cards_input, __VA_ARGS__)
static const struct spec_field query_fields[] = {
	QUERY("account_token", account_token, .doc = OWN_DOC),
	PRIVACY_PAGE_FIELDS(struct cards_input, page),
};
static const struct spec query_spec = SPEC("CardQuery", query_fields);
const struct shape privacy_cards_query = {
	&query_spec, sizeof(struct cards_input), &query_defaults};

static const struct spec_field one_fields[] = {
	QUERY("card_token", card_token, .doc = "A list of this one, or none."),
	QUERY("account_token", account_token, .doc = OWN_DOC),
	PRIVACY_PAGE_FIELDS(struct cards_input, page),
};
static const struct spec one_spec = SPEC("CardLegacyQuery", one_fields);
const struct shape privacy_card_query = {&one_spec, sizeof(struct cards_input),
					 &query_defaults};

/* What comes out. */

#define CARD(...) OUT(struct privacy_card, __VA_ARGS__)
static const struct emit_field card_fields[] = {
	CARD("created", EMIT_TIME, created),
	CARD("token", EMIT_TEXT, token),
	CARD("last_four", EMIT_TEXT, last_four),
	CARD("hostname", EMIT_TEXT, hostname,
	     .doc = "The merchant that the card is locked to; else empty."),
	CARD("memo", EMIT_TEXT, memo),
	CARD("type", EMIT_TEXT, type, .values = type_words),
	CARD("spend_limit", EMIT_CENTS, spend_limit, .doc = LIMIT_DOC),
	CARD("spend_limit_duration", EMIT_TEXT, spend_limit_duration,
	     .values = duration_words, .doc = DURATION_DOC),
	CARD("state", EMIT_TEXT, state, .values = state_words),
	CARD("funding", EMIT_OBJECT, funding,
	     .object = &privacy_funding_object),
	CARD("pan", EMIT_TEXT, pan, .optional = true,
	     .doc = "With a key that may see card numbers."),
	CARD("cvv", EMIT_TEXT, cvv, .optional = true),
	CARD("exp_month", EMIT_TEXT, exp_month, .values = months),
	CARD("exp_year", EMIT_TEXT, exp_year),
	CARD("account_token", EMIT_TEXT, account_token),
};
const struct emit_object privacy_card_object = EMIT("Card", card_fields);

struct provision_shown {
	const char *provisioning_payload;
};

static const struct emit_field provision_shown_fields[] = {
	OUT(struct provision_shown, "provisioning_payload", EMIT_TEXT,
	    provisioning_payload),
};
const struct emit_object privacy_provision_object =
	EMIT("CardProvisioning", provision_shown_fields);

/* Of a single-use card its one use is the end. */
static bool is_closed(const struct card_row *row)
{
	return row->single_use_spent || row->terminated_at != 0;
}

struct privacy_card privacy_card_show(struct arena *arena,
				      const struct card_row *row,
				      const struct funding_row *funding)
{
	const char *hostname = row->locked_merchant_name;
	struct date expiry = date_of(row->expires_at);

	return (struct privacy_card){
		.created = row->created_at,
		.token = privacy_token(arena, row->public_id),
		.last_four = row->last4,
		.hostname = hostname == NULL ? "" : hostname,
		.memo = row->label,
		.type = translate(type_names, type_words, row->type),
		.spend_limit = row->spending_limit,
		.spend_limit_duration = translate(
			limit_window_names, duration_words, row->limit_window),
		.state = is_closed(row) ? state_words[CARD_TERMINATED]
					: translate(card_status_names,
						    state_words, row->status),
		.funding = privacy_funding_show(arena, funding),
		.exp_month = months[expiry.month - 1],
		.exp_year = arena_printf(arena, "%04d", expiry.year),
		.account_token =
			privacy_token(arena, funding->account_public_id),
	};
}

/* --- reading --- */

static bool numbers_shown(const struct call *call)
{
	return call->login->scopes & LOGIN_DETAILS;
}

/* The rows as they are shown to this key, in the arena; NULL when the reply is
 * a refusal, which is written. */
static struct privacy_card *cards_show(struct call *call, const char *action,
				       const struct card_row *rows,
				       size_t count)
{
	struct privacy_card *cards =
		arena_alloc(call->arena, (count + 1) * sizeof(*cards));
	struct card_secrets *secrets = NULL;
	struct flow flow = call_flow(call);
	enum error_code error = ERR_NONE;
	struct funding_row funding;

	error = error_of_result(
		funding_get(flow.db, flow.arena, flow.wallet_id, &funding));
	if (error == ERR_NONE && numbers_shown(call))
		error = card_numbers_open(&flow, action, rows, count, &secrets);
	if (error != ERR_NONE) {
		reply_error(call, error, NULL);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		cards[i] = privacy_card_show(call->arena, &rows[i], &funding);
		if (secrets != NULL) {
			cards[i].pan = secrets[i].pan;
			cards[i].cvv = secrets[i].cvv;
		}
	}
	return cards;
}

static void cards_reply(struct call *call, const struct card_row *rows,
			const struct list_result *result,
			const struct privacy_page *page)
{
	struct privacy_card *cards =
		cards_show(call, "card_list_read", rows, result->count);

	if (cards != NULL)
		privacy_reply_list(call, &privacy_card_object,
				   (struct emit_list){cards, result->count,
						      sizeof(*cards)},
				   result, page);
}

static enum db_result card_find(struct call *call, const char *id,
				struct card_row *row)
{
	return card_get(call->service->db, call->arena, call->login->wallet_id,
			id, row);
}

static enum db_result list_place(struct call *call, const char *id,
				 struct list_place *place)
{
	struct card_row row;
	enum db_result result = card_find(call, id, &row);

	if (result == DB_OK)
		*place = card_place(&row, CARD_SORT_CREATED_AT);
	return result;
}

void privacy_cards_list(struct call *call)
{
	const struct cards_input *query = call->query;
	struct card_filter filter = {
		.wallet_id = call->login->wallet_id,
		.sort = CARD_SORT_CREATED_AT,
		.begin = query->page.begin,
		.end = query->page.end,
	};
	struct list_result result;
	struct privacy_page page;
	struct card_row *rows;
	enum db_result status;

	if (!privacy_account_own(call, query->account_token) ||
	    !privacy_page_open(call, &query->page, "card_", list_place, &page))
		return;
	status = card_list(call->service->db, call->arena, &filter,
			   &page.window, &rows, &result);
	if (status == DB_OK)
		cards_reply(call, rows, &result, &page);
	else
		reply_error(call, error_of_result(status), NULL);
}

void privacy_card_list(struct call *call)
{
	const struct cards_input *query = call->query;
	struct list_result result = {.count = 0};
	struct privacy_page page = {
		.window.per_page = 1,
		.number = 1,
	};
	struct card_row row;
	enum db_result status;
	char id[ID_SIZE];

	if (query->card_token == NULL) {
		privacy_cards_list(call);
		return;
	}
	if (!privacy_account_own(call, query->account_token) ||
	    !privacy_param_id(call, "card_token", query->card_token, "card_",
			      id))
		return;
	status = card_find(call, id, &row);
	if (status != DB_OK && status != DB_NO_ROW) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	result.count = status == DB_OK;
	result.total = status == DB_OK;
	cards_reply(call, &row, &result, &page);
}

static void card_reply(struct call *call, const struct card_row *row)
{
	struct privacy_card *card =
		cards_show(call, "card_details_read", row, 1);

	if (card != NULL)
		reply_object(call, &privacy_card_object, card);
}

/* The card of the path; false with the refusal written. */
static bool card_of_path(struct call *call, struct card_row *row)
{
	enum db_result status;
	char id[ID_SIZE];

	if (!privacy_path_id(call, "card_", id))
		return false;
	status = card_find(call, id, row);
	if (status != DB_OK)
		reply_error(call, error_of_result(status), NULL);
	return status == DB_OK;
}

void privacy_card_get(struct call *call)
{
	struct card_row row;

	if (card_of_path(call, &row))
		card_reply(call, &row);
}

static void card_closed(struct call *call)
{
	struct fault fault = {
		.code = ERR_CARD_TERMINATED,
		.message = "The card is CLOSED, which is final",
	};

	reply_refuse(call, &fault);
}

/* card_of_path, of a card that is not CLOSED. */
static bool open_card_of_path(struct call *call, struct card_row *row)
{
	if (!card_of_path(call, row))
		return false;
	if (is_closed(row))
		card_closed(call);
	return !is_closed(row);
}

void privacy_card_reissue(struct call *call)
{
	struct card_row row;

	if (open_card_of_path(call, &row))
		card_reply(call, &row);
}

void privacy_card_provision(struct call *call)
{
	struct card_row row;

	if (open_card_of_path(call, &row))
		privacy_unsupported(call,
				    "No digital wallet provider is configured; "
				    "cards cannot be provisioned here");
}

/* --- changing --- */

/* A change and the card as it left it; NULL when nothing ran, because the
 * answer was remembered. */
struct change {
	struct card_issue issue;
	struct card_command command;
	const struct card_row *row;
	struct funding_row funding;
};

static enum db_result change_show(const struct flow *flow,
				  struct change *change,
				  const struct card_row *row)
{
	change->row = row;
	return funding_get(flow->db, flow->arena, flow->wallet_id,
			   &change->funding);
}

static enum db_result new_run(const struct flow *flow, void *arg,
			      enum error_code *refusal)
{
	struct change *change = arg;
	enum db_result result = card_issue_run(flow, &change->issue, refusal);

	if (result != DB_OK || *refusal != ERR_NONE)
		return result;
	return change_show(flow, change, &change->issue.answer.card);
}

static enum db_result change_run(const struct flow *flow, void *arg,
				 enum error_code *refusal)
{
	struct change *change = arg;
	const struct card_row *row = &change->command.answer.card;
	enum db_result result =
		card_change_run(flow, &change->command, refusal);

	if (result != DB_OK || *refusal != ERR_NONE)
		return result;
	if (row->single_use_spent && row->terminated_at == 0)
		*refusal = ERR_CARD_TERMINATED;
	return change_show(flow, change, row);
}

/* What is remembered has no number. */
static void change_print(const void *arg, struct text *body)
{
	const struct change *change = arg;
	struct privacy_card card =
		privacy_card_show(body->arena, change->row, &change->funding);

	emit_object(body, &privacy_card_object, &card);
}

/* Behind the token's name in a card's answer. */
static bool answer_card_id(const struct text *answer, char id[ID_SIZE])
{
	static const char name[] = "\"token\":\"";
	const char *at = strstr(answer->data, name);
	char uuid[UUID_SIZE];

	if (at == NULL || strlen(at) < sizeof(name) - 1 + UUID_SIZE - 1)
		return false;
	memcpy(uuid, at + sizeof(name) - 1, UUID_SIZE - 1);
	uuid[UUID_SIZE - 1] = '\0';
	return id_of_uuid(uuid, "card_", id);
}

/* Where pan and cvv belong. Text that a client gave has its quotes escaped, so
 * only a name can look so. */
static void numbers_insert(struct text *answer,
			   const struct card_secrets *secrets)
{
	const char *at = strstr(answer->data, ",\"exp_month\":");
	struct text whole;

	text_init(&whole, answer->arena);
	text_add_n(&whole, answer->data, (size_t)(at - answer->data));
	text_printf(&whole, ",\"pan\":\"%s\",\"cvv\":\"%s\"", secrets->pan,
		    secrets->cvv);
	text_add(&whole, at);
	*answer = whole;
}

/* The answer is remembered without the card's number, which is added whenever
 * it is shown: by the right of the key that asks, with an audit row. */
static void change_reply_numbers(struct call *call, const struct card_row *row)
{
	struct flow flow = call_flow(call);
	struct card_secrets *secrets;
	struct card_row found;
	enum error_code error = ERR_NONE;
	char id[ID_SIZE];

	/* The answer may be another's, after a try of ours that left a row. */
	if (!answer_card_id(&call->reply->body, id)) {
		error = ERR_INTERNAL_ERROR;
	} else if (row == NULL || strcmp(row->public_id, id) != 0) {
		row = &found;
		error = error_of_result(card_find(call, id, &found));
	}
	if (error == ERR_NONE)
		error = card_numbers_open(&flow, "card_details_read", row, 1,
					  &secrets);
	if (error == ERR_NONE)
		numbers_insert(&call->reply->body, secrets);
	else
		reply_error(call, error, NULL);
}

static enum error_code change_effect(struct call *call,
				     enum db_result (*run)(const struct flow *,
							   void *,
							   enum error_code *),
				     struct change *change)
{
	enum error_code error = call_effect(call, run, change_print, change);

	if (error == ERR_NONE && numbers_shown(call))
		change_reply_numbers(call, change->row);
	return error;
}

/* False, with the reply written, when the limit is not of whole dollars. */
static bool limit_read(struct call *call, const struct card_input *body,
		       struct money *limit)
{
	if (body->spend_limit % 100 != 0) {
		privacy_invalid(call, "spend_limit",
				"must be whole dollars, in cents");
		return false;
	}
	*limit = MONEY_USD(body->spend_limit); /* raw: cents as they came */
	return true;
}

/* The last second of the month; 0 when none is chosen. */
static bool expiry_read(struct call *call, const struct card_input *body,
			int64_t *expires_at)
{
	struct date next = {.day = 1};
	int64_t year, month;

	*expires_at = 0;
	if (body->exp_month == NULL && body->exp_year == NULL)
		return true;
	if (body->exp_month == NULL || body->exp_year == NULL) {
		reply_error(call, ERR_MISSING_PARAMETER,
			    body->exp_month == NULL ? "exp_month" : "exp_year");
		return false;
	}
	if (!text_to_int(body->exp_year, &year) ||
	    !text_to_int(body->exp_month, &month))
		return false; /* the body's table has seen to it */
	next.year = (int)(year + month / 12);
	next.month = (int)(month % 12 + 1);
	*expires_at = time_from_date(next) - 1;
	return true;
}

/* What cannot be told from the body alone. */
static void new_refuse(struct call *call, enum error_code error)
{
	struct fault fault = {
		.code = ERR_BIN_NOT_AVAILABLE,
		.message = "No new cards are issued at present",
	};

	if (error == ERR_INVALID_PARAMETER)
		privacy_invalid(call, "exp_year",
				"must not be past, nor more than 20 years "
				"ahead");
	else if (error == ERR_BIN_NOT_AVAILABLE)
		reply_refuse(call, &fault);
}

void privacy_card_new(struct call *call)
{
	const struct card_input *body = call->body;
	struct change *change = arena_alloc(call->arena, sizeof(*change));
	struct card_new *card = &change->issue.card;
	struct money limit;

	if (!limit_read(call, body, &limit) ||
	    !expiry_read(call, body, &card->expires_at) ||
	    !privacy_account_own(call, body->account_token) ||
	    !privacy_funding_own(call, body->funding_token))
		return;
	change->issue.any_bin = true;
	card->label = body->memo == NULL ? "" : body->memo;
	card->amount = MONEY_USD(0);
	card->spending_limit = &limit;
	card->allowed_categories = "[]";
	card->auto_freeze_at = MONEY_USD(0);
	card->metadata = "{}";
	card->type = translate(type_words, type_names, body->type);
	card->funding = "wallet";
	card->limit_window =
		body->duration == NULL
			? limit_window_names[LIMIT_TRANSACTION]
			: translate(duration_words, limit_window_names,
				    body->duration);
	card->frozen =
		body->state != NULL && strcmp(body->state, "PAUSED") == 0;
	new_refuse(call, change_effect(call, new_run, change));
}

/* Why a card cannot be opened or paused, as it stands. */
static const char *state_sentence(const struct card_row *row)
{
	if (strcmp(row->status, "pending_top_up") == 0)
		return "The card waits for its first funding";
	if (row->frozen_reason == NULL)
		return "The card's state changed at the same moment";
	if (strcmp(row->frozen_reason, "overdrawn") == 0)
		return "The card is in debt; what pays for it must be funded "
		       "before it can be opened";
	return "The card was paused by the issuer, who alone can open it";
}

static void change_refuse(struct call *call, enum error_code error,
			  const char *id)
{
	struct fault fault = {.code = ERR_CARD_NOT_ACTIVE};
	struct card_row row;

	if (error == ERR_CARD_TERMINATED) {
		card_closed(call);
	} else if (error == ERR_CARD_NOT_ACTIVE &&
		   card_find(call, id, &row) == DB_OK) {
		fault.message = state_sentence(&row);
		reply_refuse(call, &fault);
	}
}

static void card_change_by_id(struct call *call, const char *id)
{
	const struct card_input *body = call->body;
	struct change *change = arena_alloc(call->arena, sizeof(*change));
	struct card_patch *patch = &change->command.patch;
	struct money limit;

	if (!limit_read(call, body, &limit) ||
	    !privacy_funding_own(call, body->funding_token))
		return;
	change->command.public_id = id;
	if (body->memo_given)
		patch->label = body->memo == NULL ? "" : body->memo;
	if (body->limit_given)
		patch->spending_limit = &limit;
	patch->status = translate(state_words, card_status_names, body->state);
	patch->limit_window =
		translate(duration_words, limit_window_names, body->duration);
	change_refuse(call, change_effect(call, change_run, change), id);
}

void privacy_card_change(struct call *call)
{
	char id[ID_SIZE];

	if (privacy_path_id(call, "card_", id))
		card_change_by_id(call, id);
}

void privacy_card_put(struct call *call)
{
	const struct card_input *body = call->body;
	char id[ID_SIZE];

	if (privacy_param_id(call, "card_token", body->card_token, "card_", id))
		card_change_by_id(call, id);
}
