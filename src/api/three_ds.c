/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../base/arena.h"
#include "../flow/challenges.h"
#include "resources.h"

struct challenges_query {
	const char *card_id, *status;
	struct page_query page;
};

static const char *const status_names[] = {"pending", "completed", "expired",
					   "failed", NULL};
static const struct challenges_query query_defaults = {
	.status = "pending",
	.page = PAGE_DEFAULT(25),
};

#define QUERY(...) IN(struct challenges_query, __VA_ARGS__)
static const struct spec_field query_fields[] = {
	QUERY("card_id", SPEC_TEXT, card_id, .ascii = true, .min = 1,
	      .max = 32),
	QUERY("status", SPEC_ENUM, status, .values = status_names,
	      .doc = "pending, when left out."),
	PAGE_FIELDS(struct challenges_query, page),
};
static const struct spec query_spec = SPEC("ChallengeQuery", query_fields);
const struct shape challenges_query = {
	&query_spec, sizeof(struct challenges_query), &query_defaults};

struct challenge_input {
	const char *card_id, *pan, *card, *merchant, *challenge_id, *otp;
	struct money amount;
	bool amount_given;
};

static const struct challenge_input input_defaults = {.amount = MONEY_USD(0)};

#define INPUT(...) IN(struct challenge_input, __VA_ARGS__)
#define AMOUNT_FIELD                                                           \
	INPUT("amount", SPEC_MONEY, amount, .max = MONEY_MAX_CENTS,            \
	      .too_large = ERR_AMOUNT_TOO_LARGE,                               \
	      .too_small = ERR_AMOUNT_TOO_SMALL,                               \
	      .given = offsetof(struct challenge_input, amount_given))
#define MERCHANT_FIELD                                                         \
	INPUT("merchant", SPEC_TEXT, merchant, .min = 1, .max = 64,            \
	      .doc = "The merchant's name.")
#define OTP_FIELD(must)                                                        \
	INPUT("otp", SPEC_DIGITS, otp, .required = (must), .min = 1, .max = 12)

static const struct spec_field simulate_fields[] = {
	INPUT("card_id", SPEC_TEXT, card_id, .ascii = true, .min = 1,
	      .max = 32),
	AMOUNT_FIELD,
	MERCHANT_FIELD,
	INPUT("challenge_id", SPEC_TEXT, challenge_id, .ascii = true, .min = 1,
	      .max = 32, .doc = "With otp: answers this challenge."),
	OTP_FIELD(false),
};
static const struct spec_field network_fields[] = {
	INPUT("card", SPEC_TEXT, card, .ascii = true, .min = 1, .max = 32,
	      .doc = "The card's id or number."),
	INPUT("card_id", SPEC_TEXT, card_id, .ascii = true, .min = 1,
	      .max = 32),
	INPUT("pan", SPEC_DIGITS, pan, .min = 12, .max = 19),
	AMOUNT_FIELD,
	MERCHANT_FIELD,
};
static const struct spec_field verify_fields[] = {OTP_FIELD(true)};

static const struct spec simulate_spec = SPEC("Simulate3ds", simulate_fields);
static const struct spec network_spec =
	SPEC("NetworkChallenge", network_fields);
static const struct spec verify_spec = SPEC("NetworkVerify", verify_fields);
const struct shape simulate_3ds_body = {
	&simulate_spec, sizeof(struct challenge_input), &input_defaults};
const struct shape network_challenge_body = {
	&network_spec, sizeof(struct challenge_input), &input_defaults};
const struct shape network_verify_body = {
	&verify_spec, sizeof(struct challenge_input), &input_defaults};

struct challenge_view {
	struct challenge_row row;
	const char *otp;
};

#define ROW(title, kind, member, ...)                                          \
	OUT(struct challenge_view, title, kind, row.member, __VA_ARGS__)
#define CHALLENGE_FIELDS                                                       \
	ROW("id", EMIT_TEXT, public_id),                                       \
		ROW("card_id", EMIT_TEXT, card_public_id),                     \
		ROW("merchant", EMIT_TEXT, merchant),                          \
		ROW("amount", EMIT_MONEY, amount),                             \
		ROW("status", EMIT_TEXT, status, .values = status_names),      \
		ROW("expires_at", EMIT_TIME, expires_at),                      \
		ROW("completed_at", EMIT_TIME, completed_at,                   \
		    .nullable = true),                                         \
		ROW("created_at", EMIT_TIME, created_at)

static const struct emit_field challenge_fields[] = {
	CHALLENGE_FIELDS,
	OUT(struct challenge_view, "otp", EMIT_TEXT, otp, .nullable = true,
	    .doc = "Shown while the challenge is pending."),
};
static const struct emit_field network_challenge_fields[] = {CHALLENGE_FIELDS};
const struct emit_object challenge_object = EMIT("Challenge", challenge_fields);
const struct emit_object network_challenge_object =
	EMIT("NetworkChallenge", network_challenge_fields);

/* Only the owner sees the code, and only while it can be used. */
static struct challenge_view challenge_show(struct arena *arena,
					    const struct keyring *keyring,
					    const struct challenge_row *row)
{
	struct challenge_view view = {.row = *row};
	char *otp;

	if (strcmp(row->status, "pending") == 0) {
		otp = arena_alloc(arena, OTP_SIZE);
		if (challenge_otp(keyring, row, otp))
			view.otp = otp;
	}
	return view;
}

bool challenge_snapshot_print(struct arena *arena,
			      const struct keyring *keyring,
			      const json_t *snapshot, struct text *body)
{
	struct challenge_view view;
	struct challenge_row row;

	if (!snapshot_read(arena, snapshot, &challenge_row_shape, &row))
		return false;
	view = challenge_show(arena, keyring, &row);
	emit_object(body, &challenge_object, &view);
	return true;
}

static struct list_place challenge_list_show(struct call *call, const void *row,
					     void *view)
{
	*(struct challenge_view *)view =
		challenge_show(call->arena, call->service->keyring, row);
	return challenge_place(row);
}

void challenges_list(struct call *call)
{
	static const struct list_shape shape = {
		&challenge_object, sizeof(struct challenge_row),
		sizeof(struct challenge_view), challenge_list_show};
	const struct challenges_query *query = call->query;
	struct challenge_filter filter = {
		.wallet_id = call->login->wallet_id,
		.card_id = query->card_id,
		.status = query->status,
	};
	const char *name =
		arena_printf(call->arena, "challenges %s %s", query->status,
			     query->card_id == NULL ? "" : query->card_id);
	struct challenge_row *rows = NULL;
	struct list_call list;
	enum db_result status;

	if (!list_open(call, &list, &query->page, name, true))
		return;
	status = challenge_list(call->service->db, call->arena, &filter,
				&list.window, &rows, &list.result);
	list_reply(call, &list, &shape, status, rows);
}

void challenges_get(struct call *call)
{
	struct challenge_view view;
	struct challenge_row row;
	enum db_result status;

	status = challenge_get(call->service->db, call->arena,
			       call->login->wallet_id, call->args[0], &row);
	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	view = challenge_show(call->arena, call->service->keyring, &row);
	reply_object(call, &challenge_object, &view);
}

static void opened_print(const void *arg, struct text *body)
{
	const struct challenge_open *open = arg;
	struct challenge_view view = {.row = open->row, .otp = open->otp};

	emit_object(body, &challenge_object, &view);
}

static void verified_print(const void *arg, struct text *body)
{
	const struct challenge_verify *verify = arg;
	struct challenge_view view = {.row = verify->row};

	if (verify->shown[0] != '\0')
		view.otp = verify->shown;
	emit_object(body, &challenge_object, &view);
}

static void network_opened_print(const void *arg, struct text *body)
{
	const struct challenge_open *open = arg;
	struct challenge_view view = {.row = open->row};

	emit_object(body, &network_challenge_object, &view);
}

static void network_verified_print(const void *arg, struct text *body)
{
	const struct challenge_verify *verify = arg;
	struct challenge_view view = {.row = verify->row};

	emit_object(body, &network_challenge_object, &view);
}

/* The fields that a new challenge needs; NULL when all are there. */
static const char *challenge_missing(const struct challenge_input *input)
{
	if (input->merchant == NULL)
		return "merchant";
	return input->amount_given ? NULL : "amount";
}

static void challenge_new(struct call *call,
			  const struct challenge_input *input,
			  const char *card_id, const char *pan,
			  void (*print)(const void *, struct text *))
{
	const char *missing = challenge_missing(input);
	struct challenge_open open = {
		.challenge = {.merchant = input->merchant,
			      .amount = input->amount},
	};

	if (missing != NULL) {
		reply_error(call, ERR_MISSING_PARAMETER, missing);
		return;
	}
	if (payment_card_fill(call, card_id, pan, &open.challenge.card))
		call_effect(call, challenge_open_run, print, &open);
}

void simulate_3ds(struct call *call)
{
	const struct challenge_input *input = call->body;
	struct challenge_verify verify = {
		.challenge_id = input->challenge_id,
		.otp = input->otp,
	};

	if (input->challenge_id == NULL && input->otp == NULL) {
		challenge_new(call, input, input->card_id, NULL, opened_print);
		return;
	}
	if (input->challenge_id == NULL || input->otp == NULL) {
		reply_error(call, ERR_MISSING_PARAMETER,
			    input->otp == NULL ? "otp" : "challenge_id");
		return;
	}
	call_effect(call, challenge_verify_run, verified_print, &verify);
}

void network_challenge(struct call *call)
{
	const struct challenge_input *input = call->body;
	const char *card_id = input->card_id, *pan = input->pan;

	if (input->card != NULL) {
		if (card_id != NULL || pan != NULL) {
			reply_error(call, ERR_INVALID_PARAMETER, "card");
			return;
		}
		if (strspn(input->card, "0123456789") == strlen(input->card))
			pan = input->card;
		else
			card_id = input->card;
	}
	challenge_new(call, input, card_id, pan, network_opened_print);
}

void network_verify(struct call *call)
{
	const struct challenge_input *input = call->body;
	struct challenge_verify verify = {
		.challenge_id = call->args[0],
		.otp = input->otp,
	};

	call_effect(call, challenge_verify_run, network_verified_print,
		    &verify);
}
