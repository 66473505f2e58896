/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../base/arena.h"
#include "../base/clock.h"
#include "../base/secret.h"
#include "../flow/funding.h"
#include "resources.h"

struct fundings_query {
	struct privacy_page_query page;
	const char *account_token;
};

static const struct fundings_query fundings_defaults = {
	.page = PRIVACY_PAGE_DEFAULT,
};
static const struct spec_field fundings_fields[] = {
	PRIVACY_PAGE_FIELDS(struct fundings_query, page),
	IN(struct fundings_query, "account_token", SPEC_TEXT, account_token,
	   PRIVACY_TOKEN, .doc = "Of the API key's account."),
};
static const struct spec fundings_spec =
	SPEC("FundingSourceQuery", fundings_fields);
const struct shape privacy_fundings_query = {
	&fundings_spec, sizeof(struct fundings_query), &fundings_defaults};

static const char *const type_names[] = {"DEPOSITORY_CHECKING", NULL};
static const char *const state_names[] = {"ENABLED", NULL};

#define FUNDING(title, member, ...)                                            \
	OUT(struct privacy_funding, title, EMIT_TEXT, member, __VA_ARGS__)
static const struct emit_field funding_fields[] = {
	FUNDING("created", created, .doc = "YYYY-MM-DD HH:MM:SS, UTC."),
	FUNDING("token", token, ),
	FUNDING("type", type, .values = type_names),
	FUNDING("state", state, .values = state_names),
	FUNDING("nickname", nickname, ),
	FUNDING("account_name", account_name, ),
	FUNDING("last_four", last_four,
		.doc = "Four digits made of the wallet's id."),
};
const struct emit_object privacy_funding_object =
	EMIT("FundingSource", funding_fields);

/* What that API takes to verify a bank account: known here, and refused. */
struct funding_new {
	const char *ignored;
};

#define KNOWN(title)                                                           \
	IN(struct funding_new, title, SPEC_TEXT, ignored, .max = 255)
static const struct spec_field new_fields[] = {
	KNOWN("account_name"),	 KNOWN("account_number"),
	KNOWN("account_token"),	 KNOWN("processor_token"),
	KNOWN("routing_number"), KNOWN("validation_method"),
};
static const struct spec new_spec = SPEC("FundingSourceNew", new_fields);
const struct shape privacy_funding_new_body = {
	&new_spec, sizeof(struct funding_new), NULL};

struct funding_input {
	const char *nickname, *state, *account_token;
};

static const char *const patch_states[] = {"ENABLED", "DELETED", "PENDING",
					   NULL};

#define INPUT(...) IN(struct funding_input, __VA_ARGS__)
static const struct spec_field patch_fields[] = {
	INPUT("nickname", SPEC_TEXT, nickname, .max = 64),
	INPUT("state", SPEC_ENUM, state, .values = patch_states,
	      .doc = "Only ENABLED."),
	INPUT("account_token", SPEC_TEXT, account_token, PRIVACY_TOKEN,
	      .doc = "Of the API key's account."),
};
static const struct spec patch_spec = SPEC("FundingSourcePatch", patch_fields);
const struct shape privacy_funding_patch_body = {
	&patch_spec, sizeof(struct funding_input), NULL};

/* "YYYY-MM-DD HH:MM:SS". */
static const char *created_show(struct arena *arena, int64_t at)
{
	char time[TIME_TEXT_SIZE];

	time_format(time, at);
	return arena_printf(arena, "%.10s %.8s", time, time + 11);
}

static const char *last_four(struct arena *arena, const char *public_id)
{
	unsigned char digest[32];

	sha256((struct bytes){public_id, strlen(public_id)}, digest);
	return arena_printf(arena, "%04d",
			    (digest[0] << 16 | digest[1] << 8 | digest[2]) %
				    10000);
}

struct privacy_funding privacy_funding_show(struct arena *arena,
					    const struct funding_row *row)
{
	return (struct privacy_funding){
		.created = created_show(arena, row->created_at),
		.token = privacy_token(arena, row->public_id),
		.type = type_names[0],
		.state = state_names[0],
		.nickname = row->nickname,
		.account_name = row->account_name,
		.last_four = last_four(arena, row->public_id),
	};
}

static void funding_print(const void *arg, struct text *body)
{
	const struct funding_command *command = arg;
	struct privacy_funding view =
		privacy_funding_show(body->arena, &command->row);

	emit_object(body, &privacy_funding_object, &view);
}

bool privacy_funding_own(struct call *call, const char *token)
{
	char id[ID_SIZE];

	if (!privacy_param_id(call, "funding_token", token, "wal_", id))
		return false;
	if (token == NULL || strcmp(id, call->login->wallet_public_id) == 0)
		return true;
	privacy_invalid(call, "funding_token",
			"must be the funding source of the API key");
	return false;
}

static enum db_result funding_place(struct call *call, const char *id,
				    struct list_place *place)
{
	*place = (struct list_place){1, 1};
	return strcmp(id, call->login->wallet_public_id) == 0 ? DB_OK
							      : DB_NO_ROW;
}

/* A key draws on one wallet, which counts as a bank account. */
static void fundings_reply(struct call *call, bool banks)
{
	const struct fundings_query *query = call->query;
	struct privacy_funding view;
	struct privacy_page page;
	struct funding_row row;
	enum db_result status;
	size_t count = 0;

	if (!privacy_account_own(call, query->account_token) ||
	    !privacy_page_open(call, &query->page, "wal_", funding_place,
			       &page))
		return;
	status = funding_get(call->service->db, call->arena,
			     call->login->wallet_id, &row);
	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	view = privacy_funding_show(call->arena, &row);
	if (banks)
		count = privacy_made_within(&query->page, row.created_at);
	privacy_reply_one(call, &privacy_funding_object,
			  (struct emit_list){&view, count, sizeof(view)},
			  &page);
}

void privacy_fundings_list(struct call *call)
{
	fundings_reply(call, true);
}

void privacy_fundings_card(struct call *call)
{
	fundings_reply(call, false);
}

void privacy_funding_new(struct call *call)
{
	privacy_unsupported(call, "Cards draw on the account's wallet, its one "
				  "funding source: deposit to the wallet "
				  "instead");
}

void privacy_funding_patch(struct call *call)
{
	const struct funding_input *input = call->body;
	struct funding_command command = {.nickname = input->nickname};
	char id[ID_SIZE];

	if (!privacy_path_id(call, "wal_", id))
		return;
	if (strcmp(id, call->login->wallet_public_id) != 0) {
		reply_error(call, ERR_NOT_FOUND, NULL);
		return;
	}
	if (!privacy_account_own(call, input->account_token))
		return;
	if (input->state != NULL && strcmp(input->state, "ENABLED") != 0)
		privacy_unsupported(call, "The wallet is always ENABLED: its "
					  "cards draw on nothing else");
	else
		call_effect(call, funding_change_run, funding_print, &command);
}
