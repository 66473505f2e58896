/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../base/arena.h"
#include "../core/page.h"
#include "resources.h"

#define ERROR_FIELD(title, member, ...)                                        \
	OUT(struct privacy_error, title, EMIT_TEXT, member, __VA_ARGS__)
static const struct emit_field error_fields[] = {
	ERROR_FIELD("debugging_request_id", debugging_request_id,
		    .doc = "Begins with the digits of X-Request-Id."),
	ERROR_FIELD("message", message, ),
	ERROR_FIELD("token", token, .optional = true,
		    .doc = "422 of a simulated authorization: the declined "
			   "transaction."),
};
const struct emit_object privacy_error_object = EMIT("Error", error_fields);

struct privacy_list {
	struct emit_list data;
	int64_t page, total_entries, total_pages;
	bool has_more;
};

#define LIST(...) OUT(struct privacy_list, __VA_ARGS__)
const struct emit_field privacy_list_fields[PRIVACY_LIST_FIELDS] = {
	LIST("data", EMIT_LIST, data, ),
	LIST("page", EMIT_INT, page, ),
	LIST("total_entries", EMIT_INT, total_entries, ),
	LIST("total_pages", EMIT_INT, total_pages, ),
	LIST("has_more", EMIT_BOOL, has_more,
	     .doc = "Whether entries follow in the direction of the query."),
};

/* --- refusals --- */

struct words {
	int status;
	const char *text;
};

/* The rule out of "name must be so.": without the name and the full stop. */
static const char *rule_of(struct arena *arena, const struct fault *fault)
{
	size_t name = strlen(fault->param), len;
	const char *rule = fault->message;

	if (rule == NULL)
		rule = error_info(fault->code)->sentence;
	else if (strncmp(rule, fault->param, name) == 0 && rule[name] == ' ')
		rule += name + 1;
	len = strlen(rule);
	return arena_strndup(arena, rule,
			     len - (len > 0 && rule[len - 1] == '.'));
}

static struct words parameter_words(struct call *call,
				    const struct fault *fault,
				    struct words plain)
{
	if (fault->param != NULL)
		plain.text = arena_printf(
			call->arena, "%s is not a valid parameter: %s",
			fault->param, rule_of(call->arena, fault));
	return plain;
}

/* What the dialect says of each refusal: its own text where that API has one,
 * else our sentence. */
static struct words words_of(struct call *call, const struct fault *fault)
{
	const struct error_info *info = error_info(fault->code);
	struct words plain = {info->status, fault->message != NULL
						    ? fault->message
						    : info->sentence};
	static const struct words unauthenticated = {
		401, "User has not been authenticated"};

	switch (fault->code) {
	case ERR_UNKNOWN_PARAMETER:
		plain.text =
			arena_printf(call->arena, "%s is not a valid parameter",
				     fault->param);
		return plain;
	case ERR_MISSING_PARAMETER:
		if (fault->param != NULL)
			plain.text = arena_printf(call->arena, "%s is required",
						  fault->param);
		return plain;
	case ERR_INVALID_PARAMETER:
	case ERR_REPEATED_PARAMETER:
	case ERR_URL_NOT_ALLOWED:
	case ERR_URL_UNRESOLVED:
		return parameter_words(call, fault, plain);
	case ERR_AMOUNT_TOO_SMALL:
	case ERR_AMOUNT_TOO_LARGE:
		/* A rule of the request's table, or else the engine's. */
		return fault->message == NULL
			       ? plain
			       : parameter_words(call, fault, plain);
	case ERR_CREDENTIALS_MISSING:
		return (struct words){
			401, "Please provide API key in Authorization header"};
	case ERR_CREDENTIALS_MALFORMED:
		return (struct words){401, "Please provide API key in the form "
					   "Authorization: api-key [api-key]"};
	case ERR_CREDENTIALS_INVALID:
		return (struct words){401, "Could not find API key"};
	case ERR_KEY_REVOKED:
	case ERR_KEY_EXPIRED:
		return (struct words){401, "API key is not active"};
	case ERR_CREDENTIALS_AMBIGUOUS:
	case ERR_ADDRESS_NOT_ALLOWED:
	case ERR_ACCOUNT_SUSPENDED:
		return unauthenticated;
	case ERR_SCOPE_MISSING:
		return (struct words){401, "Insufficient Privileges. Issuing "
					   "API key required"};
	case ERR_RATE_LIMITED:
		return (struct words){
			429, "Rate limited, too many requests per second"};
	case ERR_NONE:
	case ERR_INVALID_JSON:
	case ERR_INVALID_HEADER:
	case ERR_INVALID_CURSOR:
	case ERR_BAD_REQUEST:
	case ERR_INSUFFICIENT_FUNDS:
	case ERR_INSUFFICIENT_CARD_BALANCE:
	case ERR_LIMIT_EXCEEDS_BIN:
	case ERR_CARD_TERMINATED:
	case ERR_CARD_NOT_ACTIVE:
	case ERR_BIN_NOT_FOUND:
	case ERR_BIN_NOT_AVAILABLE:
	case ERR_UNKNOWN_CATEGORY:
	case ERR_METADATA_TOO_LARGE:
	case ERR_DEPOSIT_NOT_PENDING:
	case ERR_TEST_MODE_ONLY:
	case ERR_FORBIDDEN:
	case ERR_NOT_FOUND:
	case ERR_METHOD_NOT_ALLOWED:
	case ERR_IDEMPOTENCY_IN_PROGRESS:
	case ERR_BODY_TOO_LARGE:
	case ERR_UNSUPPORTED_MEDIA_TYPE:
	case ERR_IDEMPOTENCY_KEY_REUSED:
	case ERR_HEADERS_TOO_LARGE:
	case ERR_INTERNAL_ERROR:
	case ERR_BAD_GATEWAY:
	case ERR_SERVICE_UNAVAILABLE:
	case ERR_ADDRESS_POOL_EMPTY:
	case ERR_GATEWAY_TIMEOUT:
	case ERR_URI_TOO_LONG:
	case ERR_OVER_REVERSAL:
	case ERR_ORIGINAL_NOT_FOUND:
	case ERR_TRANSACTION_SETTLED:
	case ERR_TRANSACTION_DECLINED:
	case ERR_TRANSACTION_NOT_PENDING:
	case ERR_REFUND_EXCEEDS_PURCHASE:
	case ERR_CHALLENGE_NOT_PENDING:
	case ERR_WEBHOOK_LIMIT_REACHED:
	case ERR_WEBHOOK_DISABLED:
	case ERR_REPLAY_TOO_LARGE:
	case ERR_WEBHOOK_NOT_FOUND:
	case ERR_CARD_DRAWS_ON_WALLET:
	case ERR_NOT_SUPPORTED:
	case ERR_COUNT:
		break;
	}
	return plain;
}

void privacy_refuse(struct call *call, const struct fault *fault)
{
	struct words words = words_of(call, fault);
	const char *again = retry_after(fault->code);
	struct privacy_error body = {
		.debugging_request_id = call->request->debugging_id,
		.message = words.text,
	};

	call->reply->status = words.status;
	text_init(&call->reply->body, call->arena);
	emit_object(&call->reply->body, &privacy_error_object, &body);
	if (again != NULL)
		reply_header(call->reply, "Retry-After", again);
	if (words.status == 401)
		reply_header(call->reply, "WWW-Authenticate", "api-key");
}

void privacy_unsupported(struct call *call, const char *sentence)
{
	struct fault fault = {.code = ERR_NOT_SUPPORTED, .message = sentence};

	reply_refuse(call, &fault);
}

void privacy_invalid(struct call *call, const char *name, const char *rule)
{
	struct fault fault = {
		.code = ERR_INVALID_PARAMETER,
		.param = name,
		.message = rule,
	};

	reply_refuse(call, &fault);
}

/* --- tokens --- */

const char *privacy_token(struct arena *arena, const char *public_id)
{
	char uuid[UUID_SIZE];

	if (public_id == NULL || !uuid_of_id(public_id, uuid))
		return public_id;
	return arena_strdup(arena, uuid);
}

bool privacy_path_id(struct call *call, const char *prefix, char id[ID_SIZE])
{
	if (id_of_uuid(call->args[0], prefix, id))
		return true;
	reply_error(call, ERR_NOT_FOUND, NULL);
	return false;
}

bool privacy_param_id(struct call *call, const char *name, const char *token,
		      const char *prefix, char id[ID_SIZE])
{
	id[0] = '\0';
	if (token == NULL)
		return true;
	if (!uuid_valid(token)) {
		privacy_invalid(call, name, "must be a UUID");
		return false;
	}
	if (!id_of_uuid(token, prefix, id))
		memcpy(id, "-", 2);
	return true;
}

bool privacy_account_own(struct call *call, const char *token)
{
	char id[ID_SIZE];

	if (!privacy_param_id(call, "account_token", token, "acct_", id))
		return false;
	if (token == NULL || strcmp(id, call->login->account_public_id) == 0)
		return true;
	privacy_invalid(call, "account_token",
			"must be the account of the API key");
	return false;
}

/* --- pages --- */

bool privacy_page_open(struct call *call,
		       const struct privacy_page_query *query,
		       const char *prefix,
		       enum db_result (*place)(struct call *call,
					       const char *id,
					       struct list_place *place),
		       struct privacy_page *page)
{
	const char *token = query->starting_after, *name = "starting_after";
	enum db_result result;
	char id[ID_SIZE];

	page->number = query->page;
	page->backward = query->ending_before != NULL;
	page->window = (struct list_window){
		.page = query->page,
		.per_page = query->page_size,
		.descending = !page->backward,
	};
	if (page->backward) {
		if (token != NULL || query->page_given) {
			privacy_invalid(call, "ending_before",
					"goes neither with page nor with "
					"starting_after");
			return false;
		}
		token = query->ending_before;
		name = "ending_before";
	}
	if (token == NULL)
		return true;
	if (query->page_given) {
		privacy_invalid(call, name, "does not go with page");
		return false;
	}
	if (!privacy_param_id(call, name, token, prefix, id))
		return false;
	result = place(call, id, &page->place);
	if (result == DB_NO_ROW)
		privacy_invalid(call, name, "is not in this list");
	else if (result != DB_OK)
		reply_error(call, error_of_result(result), NULL);
	page->window.after = &page->place;
	return result == DB_OK;
}

bool privacy_made_within(const struct privacy_page_query *query, int64_t made)
{
	return (query->begin == 0 || made >= query->begin) &&
	       (query->end == 0 || made < query->end);
}

/* The rows from the last to the first. */
static struct emit_list reversed(struct arena *arena, struct emit_list rows)
{
	char *turned = arena_alloc(arena, rows.count * rows.size + 1);

	for (size_t i = 0; i < rows.count; i++)
		memcpy(turned + (rows.count - 1 - i) * rows.size,
		       (const char *)rows.rows + i * rows.size, rows.size);
	rows.rows = turned;
	return rows;
}

void privacy_reply_list(struct call *call, const struct emit_object *object,
			struct emit_list rows, const struct list_result *result,
			const struct privacy_page *page)
{
	struct list_envelope envelope;
	struct privacy_list reply = {
		.data = page->backward ? reversed(call->arena, rows) : rows,
		.page = page->number,
		.total_entries = result->total,
		.total_pages = page_count(result->total, page->window.per_page),
		.has_more = result->more,
	};

	list_envelope_make(&envelope, call->dialect, object);
	emit_object(&call->reply->body, &envelope.object, &reply);
	call->reply->status = call->route->status;
}

void privacy_reply_one(struct call *call, const struct emit_object *object,
		       struct emit_list row, const struct privacy_page *page)
{
	struct list_result result = {.total = (int64_t)row.count};

	if (page->window.after != NULL || page->number != 1)
		row.count = 0;
	privacy_reply_list(call, object, row, &result, page);
}
