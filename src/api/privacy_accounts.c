/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../flow/funding.h"
#include "resources.h"

struct status_view {
	const char *message;
};

static const struct emit_field status_fields[] = {
	OUT(struct status_view, "message", EMIT_TEXT, message, ),
};
const struct emit_object privacy_status_object =
	EMIT("ApiStatus", status_fields);

void privacy_status(struct call *call)
{
	struct status_view view = {.message = "OK"};

	if (!db_ping(call->service->db))
		reply_error(call, ERR_SERVICE_UNAVAILABLE, NULL);
	else
		reply_object(call, &privacy_status_object, &view);
}

struct accounts_query {
	struct privacy_page_query page;
};

static const struct accounts_query accounts_defaults = {
	.page = PRIVACY_PAGE_DEFAULT,
};
static const struct spec_field accounts_fields[] = {
	PRIVACY_PAGE_FIELDS(struct accounts_query, page),
};
static const struct spec accounts_spec = SPEC("AccountQuery", accounts_fields);
const struct shape privacy_accounts_query = {
	&accounts_spec, sizeof(struct accounts_query), &accounts_defaults};

/* Limits of a whole account are not among the engine's rules: 0 is none. */
struct account_limits {
	int64_t daily, monthly, lifetime;
};

struct account_view {
	const char *token, *state;
	int64_t created;
	struct account_limits spend_limit;
};

static const char *const state_names[] = {"ACTIVE", "PAUSED", NULL};

#define LIMIT(title, member)                                                   \
	OUT(struct account_limits, title, EMIT_INT, member, .doc = "Cents.")
static const struct emit_field limit_fields[] = {
	LIMIT("daily", daily),
	LIMIT("monthly", monthly),
	LIMIT("lifetime", lifetime),
};
static const struct emit_object limits_object =
	EMIT("AccountSpendLimit", limit_fields);

#define ACCOUNT(...) OUT(struct account_view, __VA_ARGS__)
static const struct emit_field account_fields[] = {
	ACCOUNT("token", EMIT_TEXT, token, ),
	ACCOUNT("state", EMIT_TEXT, state, .values = state_names),
	ACCOUNT("created", EMIT_TIME, created, ),
	ACCOUNT("spend_limit", EMIT_OBJECT, spend_limit,
		.object = &limits_object, .doc = "0: none."),
};
const struct emit_object privacy_account_object =
	EMIT("Account", account_fields);

#define INPUT(...) IN(struct account_input, __VA_ARGS__)
#define SPEND_LIMIT(title, member)                                             \
	INPUT(title, SPEC_INT, member, .min = 0, .max = INT64_MAX,             \
	      .doc = "Cents; only 0, which is none, is to be had.")
struct account_input {
	int64_t daily, monthly, lifetime;
	const char *state;
};
static const struct spec_field patch_fields[] = {
	SPEND_LIMIT("daily_spend_limit", daily),
	SPEND_LIMIT("monthly_spend_limit", monthly),
	SPEND_LIMIT("lifetime_spend_limit", lifetime),
	INPUT("state", SPEC_ENUM, state, .values = state_names,
	      .doc = "Only ACTIVE: an operator suspends an account."),
};
static const struct spec patch_spec = SPEC("AccountPatch", patch_fields);
const struct shape privacy_account_patch_body = {
	&patch_spec, sizeof(struct account_input), NULL};

static struct account_view account_show(struct arena *arena,
					const struct funding_row *row)
{
	bool active = strcmp(row->account_status, "active") == 0;

	return (struct account_view){
		.token = privacy_token(arena, row->account_public_id),
		.state = active ? "ACTIVE" : "PAUSED",
		.created = row->account_created_at,
	};
}

static void account_print(const void *arg, struct text *body)
{
	const struct funding_command *command = arg;
	struct account_view view = account_show(body->arena, &command->row);

	emit_object(body, &privacy_account_object, &view);
}

/* The one there is: a key belongs to an account. */
static enum db_result account_place(struct call *call, const char *id,
				    struct list_place *place)
{
	*place = (struct list_place){1, 1};
	return strcmp(id, call->login->account_public_id) == 0 ? DB_OK
							       : DB_NO_ROW;
}

void privacy_accounts_list(struct call *call)
{
	const struct accounts_query *query = call->query;
	struct privacy_page page;
	struct account_view view;
	struct funding_row row;
	enum db_result status;
	size_t count;

	if (!privacy_page_open(call, &query->page, "acct_", account_place,
			       &page))
		return;
	status = funding_get(call->service->db, call->arena,
			     call->login->wallet_id, &row);
	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	view = account_show(call->arena, &row);
	count = privacy_made_within(&query->page, view.created);
	privacy_reply_one(call, &privacy_account_object,
			  (struct emit_list){&view, count, sizeof(view)},
			  &page);
}

/* Whether the path names the key's account; else 404 is written. */
static bool account_named(struct call *call)
{
	char id[ID_SIZE];

	if (!privacy_path_id(call, "acct_", id))
		return false;
	if (strcmp(id, call->login->account_public_id) == 0)
		return true;
	reply_error(call, ERR_NOT_FOUND, NULL);
	return false;
}

void privacy_account_get(struct call *call)
{
	struct funding_command command = {.nickname = NULL};
	enum db_result status;

	if (!account_named(call))
		return;
	status = funding_get(call->service->db, call->arena,
			     call->login->wallet_id, &command.row);
	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	call->reply->status = call->route->status;
	account_print(&command, &call->reply->body);
}

void privacy_account_patch(struct call *call)
{
	const struct account_input *input = call->body;
	struct funding_command command = {.nickname = NULL};

	if (!account_named(call))
		return;
	if (input->daily > 0 || input->monthly > 0 || input->lifetime > 0)
		privacy_unsupported(
			call, "Accounts have no spend limits here: set them "
			      "on cards, or send 0");
	else if (input->state != NULL && strcmp(input->state, "ACTIVE") != 0)
		privacy_unsupported(call,
				    "An account is paused by its operator "
				    "alone: pause its cards instead");
	else
		call_effect(call, funding_change_run, account_print, &command);
}
