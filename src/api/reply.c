/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/secret.h"
#include "../core/page.h"
#include "api.h"

struct error_body {
	const char *error, *message;
	int64_t code;
	const char *request_id, *param, *response_code;
};

static const struct emit_field error_fields[] = {
	{.name = "error",
	 .kind = EMIT_TEXT,
	 .offset = offsetof(struct error_body, error),
	 .doc = "Stable code of the refusal."},
	{.name = "message",
	 .kind = EMIT_TEXT,
	 .offset = offsetof(struct error_body, message),
	 .doc = "A sentence for a human."},
	{.name = "code",
	 .kind = EMIT_INT,
	 .offset = offsetof(struct error_body, code),
	 .doc = "The HTTP status."},
	{.name = "request_id",
	 .kind = EMIT_TEXT,
	 .offset = offsetof(struct error_body, request_id)},
	{.name = "param",
	 .kind = EMIT_TEXT,
	 .optional = true,
	 .offset = offsetof(struct error_body, param),
	 .doc = "The field or header at fault."},
	{.name = "response_code",
	 .kind = EMIT_TEXT,
	 .optional = true,
	 .offset = offsetof(struct error_body, response_code),
	 .doc = "To the network: ISO 8583 field 39."},
};
const struct emit_object error_object = EMIT("Error", error_fields);

static const struct emit_field page_fields[] = {
	{.name = "page",
	 .kind = EMIT_INT,
	 .offset = offsetof(struct page, page)},
	{.name = "per_page",
	 .kind = EMIT_INT,
	 .offset = offsetof(struct page, per_page)},
	{.name = "total",
	 .kind = EMIT_INT,
	 .offset = offsetof(struct page, total)},
	{.name = "total_pages",
	 .kind = EMIT_INT,
	 .offset = offsetof(struct page, total_pages)},
	{.name = "next_cursor",
	 .kind = EMIT_TEXT,
	 .nullable = true,
	 .offset = offsetof(struct page, next_cursor),
	 .doc = "For the next page; null on the last."},
};
static const struct emit_object page_object = EMIT("Pagination", page_fields);

struct list_reply {
	struct emit_list data;
	struct page page;
};

const struct emit_field native_list_fields[LIST_FIELDS] = {
	{.name = "data",
	 .kind = EMIT_LIST,
	 .offset = offsetof(struct list_reply, data)},
	{.name = "pagination",
	 .kind = EMIT_OBJECT,
	 .object = &page_object,
	 .offset = offsetof(struct list_reply, page)},
};

void list_envelope_make(struct list_envelope *envelope,
			const struct dialect *dialect,
			const struct emit_object *row)
{
	assert(dialect->list_count <= LIST_FIELDS_MAX);
	memcpy(envelope->fields, dialect->list_fields,
	       dialect->list_count * sizeof(envelope->fields[0]));
	envelope->fields[0].object = row;
	envelope->object = (struct emit_object){
		.fields = envelope->fields,
		.count = dialect->list_count,
	};
}

const char *retry_after(enum error_code code)
{
	if (code == ERR_RATE_LIMITED)
		return "10";
	return error_info(code)->status == 503 ? "1" : NULL;
}

/* What a refusal is to a processor: 30 a malformed message, 25 a reference to
 * nothing, 91 an issuer that cannot answer. */
static const char *network_response(int status)
{
	if (status >= 500)
		return "91";
	return status == 404 ? "25" : "30";
}

void native_refuse(struct call *call, const struct fault *fault)
{
	const struct error_info *info = error_info(fault->code);
	const char *again = retry_after(fault->code);
	struct error_body body = {
		.error = info->code,
		.message = fault->message != NULL ? fault->message
						  : info->sentence,
		.code = info->status,
		.request_id = call->request->request_id,
		.param = fault->param,
		.response_code = call->request->network
					 ? network_response(info->status)
					 : NULL,
	};

	call->reply->status = info->status;
	text_init(&call->reply->body, call->arena);
	emit_object(&call->reply->body, &error_object, &body);
	if (again != NULL)
		reply_header(call->reply, "Retry-After", again);
	if (info->status == 401)
		reply_header(call->reply, "WWW-Authenticate", "Bearer");
}

void reply_refuse(struct call *call, const struct fault *fault)
{
	call->dialect->refuse(call, fault);
}

void reply_error(struct call *call, enum error_code code, const char *param)
{
	struct fault fault = {.code = code, .param = param};

	reply_refuse(call, &fault);
}

void reply_object(struct call *call, const struct emit_object *object,
		  const void *row)
{
	call->reply->status = call->route->status;
	emit_object(&call->reply->body, object, row);
}

struct flow call_flow(const struct call *call)
{
	const struct login *login = call->login;

	return (struct flow){
		.db = call->service->db,
		.arena = call->arena,
		.keyring = call->service->keyring,
		.wallet_id = login == NULL ? 0 : login->wallet_id,
		.key_public_id =
			login == NULL ? "network" : login->key_public_id,
		.client_address = call->request->client_address,
		.request_id = call->request->request_id,
	};
}

/* The field that a routine's refusal is about. */
static const char *param_of(enum error_code code)
{
	static const char *const params[ERR_COUNT] = {
		[ERR_MISSING_PARAMETER] = "amount",
		[ERR_OVER_REVERSAL] = "amount",
		[ERR_REFUND_EXCEEDS_PURCHASE] = "amount",
		[ERR_INSUFFICIENT_FUNDS] = "amount",
		[ERR_INSUFFICIENT_CARD_BALANCE] = "amount",
		[ERR_AMOUNT_TOO_SMALL] = "amount",
		[ERR_AMOUNT_TOO_LARGE] = "amount",
		[ERR_LIMIT_EXCEEDS_BIN] = "spending_limit",
		[ERR_BIN_NOT_FOUND] = "bin_id",
		[ERR_BIN_NOT_AVAILABLE] = "bin_id",
		[ERR_UNKNOWN_CATEGORY] = "allowed_categories",
		[ERR_METADATA_TOO_LARGE] = "metadata",
		[ERR_URL_NOT_ALLOWED] = "url",
		[ERR_URL_UNRESOLVED] = "url",
		[ERR_WEBHOOK_NOT_FOUND] = "webhook_id",
		[ERR_IDEMPOTENCY_KEY_REUSED] = "X-Idempotency-Key",
		[ERR_IDEMPOTENCY_IN_PROGRESS] = "X-Idempotency-Key",
	};

	return params[code];
}

enum error_code call_effect(struct call *call,
			    enum db_result (*run)(const struct flow *flow,
						  void *arg,
						  enum error_code *refusal),
			    void (*render)(const void *arg, struct text *body),
			    void *arg)
{
	return call_effect_status(call, run, render, arg, &call->route->status);
}

enum error_code call_effect_status(
	struct call *call,
	enum db_result (*run)(const struct flow *flow, void *arg,
			      enum error_code *refusal),
	void (*render)(const void *arg, struct text *body), void *arg,
	const int *status)
{
	const struct request *request = call->request;
	struct flow flow = call_flow(call);
	struct effect effect = {
		.status = status,
		.run = run,
		.render = render,
		.arg = arg,
	};
	struct effect_answer answer;
	struct text whole;

	if (call->route->key.method != METHOD_GET && call->login != NULL &&
	    request->idempotency_key != NULL) {
		text_init(&whole, call->arena);
		/* The same words may mean another thing in another dialect. */
		if (call->dialect != &dialects[DIALECT_NATIVE])
			text_printf(&whole, "%s ", call->dialect->name);
		text_printf(&whole, "%s %s?%s\n",
			    http_method_names[request->method], request->path,
			    request->query);
		text_add_n(&whole, request->body, request->body_len);
		sha256((struct bytes){whole.data, whole.len}, flow.fingerprint);
		flow.idempotency_key = request->idempotency_key;
	}
	effect_run(&flow, &effect, &answer);
	if (answer.error != ERR_NONE) {
		reply_error(call, answer.error, param_of(answer.error));
		return answer.error;
	}
	call->reply->status = answer.status;
	call->reply->body = answer.body;
	if (answer.replayed)
		reply_header(call->reply, "Idempotent-Replayed", "true");
	return ERR_NONE;
}

/* A cursor is a place in a list, sealed so that it belongs to that list alone
 * and tells nothing of the platform's own numbers: hex of the place's two
 * numbers and the next page's number. */
#define CURSOR_PLAIN (3 * sizeof(int64_t))
#define CURSOR_BYTES (CURSOR_PLAIN + SEAL_OVERHEAD)

static const char *cursor_context(const struct call *call, const char *list)
{
	return arena_printf(call->arena, "%lld %s",
			    (long long)call->login->wallet_id, list);
}

/* NULL when it cannot be sealed: the list then ends here, as it says. */
static const char *cursor_make(const struct call *call, const char *list,
			       struct list_place place, int64_t number)
{
	char *hex = arena_alloc(call->arena, 2 * CURSOR_BYTES + 1);
	int64_t numbers[3] = {place.key, place.id, number};
	unsigned char sealed[CURSOR_BYTES];

	if (!secret_seal(call->service->keyring, KEY_CURSOR,
			 cursor_context(call, list),
			 (struct bytes){numbers, CURSOR_PLAIN}, sealed))
		return NULL;
	hex_encode(hex, sealed, CURSOR_BYTES);
	return hex;
}

static bool cursor_read(const struct call *call, const char *list,
			const char *cursor, struct list_place *place,
			int64_t *number)
{
	unsigned char sealed[CURSOR_BYTES];
	int64_t numbers[3];

	if (strlen(cursor) != 2 * CURSOR_BYTES ||
	    !hex_decode(sealed, CURSOR_BYTES, cursor) ||
	    !secret_open(call->service->keyring, KEY_CURSOR,
			 cursor_context(call, list),
			 (struct bytes){sealed, CURSOR_BYTES},
			 (unsigned char *)numbers))
		return false;
	*place = (struct list_place){numbers[0], numbers[1]};
	*number = numbers[2];
	return true;
}

bool list_open(struct call *call, struct list_call *list,
	       const struct page_query *query, const char *name,
	       bool descending)
{
	*list = (struct list_call){
		.name = name,
		.window =
			{
				.page = query->page,
				.per_page = query->per_page,
				.descending = descending,
			},
		.number = query->page,
	};
	if (query->cursor == NULL)
		return true;
	if (query->page_given || !cursor_read(call, name, query->cursor,
					      &list->after, &list->number)) {
		reply_error(call, ERR_INVALID_CURSOR, "cursor");
		return false;
	}
	list->window.after = &list->after;
	return true;
}

/* Fills the views, each as its shape shows its row; answers the last one's
 * place. */
static struct list_place views_fill(struct call *call,
				    const struct list_shape *shape,
				    const char *rows, size_t count, char *views)
{
	struct list_place last = {0, 0};

	for (size_t i = 0; i < count; i++)
		last = shape->show(call, rows + i * shape->row_size,
				   views + i * shape->view_size);
	return last;
}

void list_reply(struct call *call, const struct list_call *list,
		const struct list_shape *shape, enum db_result status,
		const void *rows)
{
	const struct list_result *result = &list->result;
	size_t size = result->count * shape->view_size;
	char *views = arena_alloc(call->arena, size + 1);
	struct list_envelope envelope;
	struct list_place last;
	struct list_reply reply = {
		.data = {views, result->count, shape->view_size},
		.page =
			{
				.page = list->number,
				.per_page = list->window.per_page,
				.total = result->total,
				.total_pages = page_count(
					result->total, list->window.per_page),
			},
	};

	if (status != DB_OK) {
		reply_error(call, error_of_result(status), NULL);
		return;
	}
	memset(views, 0, size);
	last = views_fill(call, shape, rows, result->count, views);
	if (result->more)
		reply.page.next_cursor =
			cursor_make(call, list->name, last, list->number + 1);
	list_envelope_make(&envelope, call->dialect, shape->object);
	emit_object(&call->reply->body, &envelope.object, &reply);
	call->reply->status = call->route->status;
}
