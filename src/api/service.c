/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/arena.h"
#include "../base/clock.h"
#include "../base/config.h"
#include "../base/log.h"
#include "../base/secret.h"
#include "../db/db.h"
#include "../http/metrics.h"
#include "../http/throttle.h"
#include "../store/keys.h"
#include "api.h"
#include "openapi.h"

/* A use is noted at most so often, without a write per request. */
#define KEY_TOUCH_S 60

/* fastcgi_read_timeout in nginx/server.conf: who answers later is not heard. */
#define NGINX_WAITS_S 20
#define DEADLINE_MIN_S 5

/* What api_keys.key_sealed has room for. */
#define KEY_MAX (128 - SEAL_OVERHEAD)

struct service *service_new(const struct config *config,
			    struct keyring *keyring, struct metrics *metrics,
			    struct throttle *throttle)
{
	struct service *service = calloc(1, sizeof(*service));
	struct arena *arena = arena_new(65536);
	struct text openapi;

	for (int i = 0; i < DIALECTS; i++) {
		text_init(&openapi, arena);
		openapi_print(&openapi, &dialects[i]);
		if (service != NULL)
			service->openapi[i] = strdup(openapi.data);
		if (service == NULL || service->openapi[i] == NULL) {
			log_broken("event=out_of_memory");
			abort();
		}
	}
	arena_free(arena);
	service->config = config;
	service->keyring = keyring;
	service->metrics = metrics;
	service->throttle = throttle;
	service->db = db_open(config, DB_ROLE_API);
	service->gate = gate_new(config->login_cache_s);
	return service;
}

void service_free(struct service *service)
{
	db_close(service->db);
	gate_free(service->gate);
	for (int i = 0; i < DIALECTS; i++)
		free(service->openapi[i]);
	free(service);
}

/* Where a dialect's routes begin among all names; of DIALECTS: their count. */
static size_t route_base(int dialect)
{
	size_t base = 0;

	for (int i = 0; i < dialect; i++)
		base += dialects[i].route_count;
	return base;
}

const char *const *service_route_names(int *count)
{
	static const char **names;
	static struct arena *arena; /* of the process */
	size_t n = 0;

	*count = (int)route_base(DIALECTS) + 1;
	if (names != NULL)
		return names;
	arena = arena_new(8192);
	names = arena_alloc(arena, (size_t)*count * sizeof(*names));
	for (int i = 0; i < DIALECTS; i++)
		for (size_t j = 0; j < dialects[i].route_count; j++) {
			const struct route_key *key =
				&dialects[i].routes[j].key;

			names[n++] = arena_printf(
				arena, "%s%s %s",
				i == DIALECT_NATIVE ? "" : "privacy ",
				http_method_names[key->method], key->pattern);
		}
	names[n] = "other";
	return names;
}

static bool origin_allowed(const struct config *config, const char *origin)
{
	const char *list = config->cors_origins;
	size_t wanted = origin == NULL ? 0 : strlen(origin);

	while (wanted > 0 && *list != '\0') {
		size_t len = strcspn(list, " ");

		if (len == wanted && strncmp(list, origin, len) == 0)
			return true;
		list += len + (list[len] == ' ');
	}
	return false;
}

static void cors_headers(struct call *call, const char *allow)
{
	struct reply *reply = call->reply;

	if (!origin_allowed(call->service->config, call->request->origin))
		return;
	reply_header(reply, "Access-Control-Allow-Origin",
		     call->request->origin);
	reply_header(reply, "Vary", "Origin");
	reply_header(reply, "Access-Control-Expose-Headers",
		     "X-Request-Id, Retry-After, Idempotent-Replayed");
	if (allow == NULL)
		return;
	reply_header(reply, "Access-Control-Allow-Methods", allow);
	reply_header(reply, "Access-Control-Allow-Headers",
		     "Authorization, Content-Type, Idempotency-Key, "
		     "X-Idempotency-Key, X-Seed");
	reply_header(reply, "Access-Control-Max-Age", "600");
}

/* A guess costs its address a token; an address without any is told to wait
 * instead of whether the guess was right. */
static void login_refuse(struct call *call, enum error_code error)
{
	const struct request *request = call->request;

	log_client("event=login_refused reason=%s address=%s",
		   error_info(error)->code, log_text(request->client_address));
	if (error_info(error)->status == 401 &&
	    !throttle_take(call->service->throttle, request->client_address,
			   request->refused_rate_per_minute,
			   request->refused_burst, clock_monotonic_us()))
		error = ERR_RATE_LIMITED;
	reply_error(call, error, NULL);
}

static bool call_login(struct call *call)
{
	struct service *service = call->service;
	enum error_code error;

	error = gate_login(service->gate, service->db, call->request,
			   &call->login);
	if (error != ERR_NONE) {
		login_refuse(call, error);
		return false;
	}
	if (call->login->last_used_at + KEY_TOUCH_S < clock_now()) {
		call->login->last_used_at = clock_now();
		service->key_to_touch = call->login->key_id;
	}
	if (!call->login->kept) {
		call->login->kept = true;
		service->key_to_keep = call->login->key_id;
		memcpy(service->key_to_keep_public_id,
		       call->login->key_public_id,
		       sizeof(service->key_to_keep_public_id));
	}
	return true;
}

static bool scope_allows(enum scope scope, const struct login *login)
{
	switch (scope) {
	case SCOPE_PUBLIC:
		return true;
	case SCOPE_READ:
		return login->scopes & LOGIN_READ;
	case SCOPE_WRITE:
		return login->scopes & LOGIN_WRITE;
	case SCOPE_DETAILS:
		return login->scopes & LOGIN_DETAILS;
	case SCOPE_NETWORK:
		return true; /* nginx has seen the certificate */
	}
	return false;
}

static bool content_type_json(const char *type)
{
	size_t len = type == NULL ? 0 : strcspn(type, " ;");

	return type == NULL ||
	       (len == 16 && strncasecmp(type, "application/json", 16) == 0);
}

static void *shape_make(struct arena *arena, const struct shape *shape)
{
	void *values = arena_alloc(arena, shape->size);

	if (shape->defaults != NULL)
		memcpy(values, shape->defaults, shape->size);
	return values;
}

/* Reads query and body by the route's tables; a route without a table takes
 * none. */
static bool call_read(struct call *call)
{
	static const struct spec empty_spec = {"Empty", NULL, 0};
	static const struct shape empty = {&empty_spec, 1, NULL};
	const struct route *route = call->route;
	const struct shape *query = route->query ? route->query : &empty;
	const struct shape *body = route->body ? route->body : &empty;
	const struct request *request = call->request;
	struct fault fault = {.code = ERR_NONE};
	void *values = shape_make(call->arena, query);

	if (!spec_read_query(query->spec, call->arena, request->query, values,
			     &fault)) {
		reply_refuse(call, &fault);
		return false;
	}
	call->query = values;
	if (route->key.method == METHOD_GET)
		return true;
	if (!call->dialect->loose && request->body_len > 0 &&
	    !content_type_json(request->content_type)) {
		reply_error(call, ERR_UNSUPPORTED_MEDIA_TYPE, "Content-Type");
		return false;
	}
	values = shape_make(call->arena, body);
	if (!spec_read_body(body->spec, call->arena, request->body,
			    request->body_len, values, &call->json, &fault)) {
		reply_refuse(call, &fault);
		return false;
	}
	call->body = values;
	return true;
}

/* Ids and references are printable ASCII and no longer than the longest of
 * them; another argument names nothing that is there, and the database could
 * not compare it. */
#define ARG_MAX_LEN 64

static bool args_plain(const struct call *call)
{
	for (size_t i = 0; i < ROUTE_ARGS; i++) {
		const char *arg = call->args[i] == NULL ? "" : call->args[i];
		size_t len = 0;

		for (; arg[len] != '\0'; len++)
			if ((unsigned char)arg[len] > 0x7e)
				return false;
		if (len > ARG_MAX_LEN)
			return false;
	}
	return true;
}

static void call_route(struct call *call, enum route_match match,
		       const char *allow)
{
	switch (match) {
	case ROUTE_NO_PATH:
		reply_error(call, ERR_NOT_FOUND, NULL);
		return;
	case ROUTE_NO_METHOD:
		reply_header(call->reply, "Allow", allow);
		reply_error(call, ERR_METHOD_NOT_ALLOWED, NULL);
		return;
	case ROUTE_FOUND:
		break;
	}
	if (call->login != NULL &&
	    !scope_allows(call->route->scope, call->login)) {
		reply_error(call, ERR_SCOPE_MISSING, NULL);
		return;
	}
	if (call->login != NULL && call->route->test_only &&
	    !call->login->test) {
		reply_error(call, ERR_TEST_MODE_ONLY, NULL);
		return;
	}
	if (!call_read(call))
		return;
	if (!args_plain(call))
		reply_error(call, ERR_NOT_FOUND, NULL);
	else
		call->route->handle(call);
}

static enum route_match call_find(const struct call *call,
				  const struct dialect *dialect,
				  struct route_result *found)
{
	return route_find(dialect->routes, dialect->route_count,
			  sizeof(dialect->routes[0]), call->arena,
			  call->request->method, call->request->path,
			  dialect->loose, found);
}

/* The credential chooses; without any, a path that one dialect alone has. */
static const struct dialect *call_dialect(const struct call *call)
{
	const char *name = gate_dialect(call->request);
	struct route_result found;

	if (call->request->network)
		return &dialects[DIALECT_NATIVE];
	for (int i = 0; i < DIALECTS; i++)
		if (name == NULL ? call_find(call, &dialects[i], &found) !=
					   ROUTE_NO_PATH
				 : strcmp(dialects[i].name, name) == 0)
			return &dialects[i];
	return &dialects[DIALECT_NATIVE];
}

static void call_serve(struct call *call)
{
	struct request *request = call->request;
	struct route_result found = {.row = NULL};
	enum route_match match;

	call->dialect = call_dialect(call);
	if (request->fault.code != ERR_NONE) {
		reply_refuse(call, &request->fault);
		return;
	}
	match = call_find(call, call->dialect, &found);
	/* Either way in has its own paths, and knows nothing of the other's. */
	if (match != ROUTE_NO_PATH &&
	    (strncmp(request->path, "/network/", 9) == 0) != request->network)
		match = ROUTE_NO_PATH;
	if (request->method == METHOD_OPTIONS && match != ROUTE_NO_PATH) {
		call->reply->status = 204;
		reply_header(call->reply, "Allow", found.allow);
		cors_headers(call, found.allow);
		return;
	}
	cors_headers(call, NULL);
	if (match == ROUTE_FOUND) {
		call->route = found.row;
		memcpy(call->args, found.args, sizeof(call->args));
		call->service->route_index =
			(int)route_base((int)(call->dialect - dialects)) +
			(int)(call->route - call->dialect->routes);
	}
	if (!request->network &&
	    (match != ROUTE_FOUND || call->route->scope != SCOPE_PUBLIC) &&
	    !call_login(call))
		return;
	call_route(call, match, found.allow);
}

/*
 * The last statement that is sent may connect first, and then take until the
 * database's answer is given up; the reply is a matter of less than a second.
 */
static int64_t deadline_of(const struct config *config,
			   const struct request *request)
{
	int64_t limit_s = NGINX_WAITS_S - config->db_connect_timeout_s -
			  config->db_read_timeout_s - 1;

	if (limit_s < DEADLINE_MIN_S)
		limit_s = DEADLINE_MIN_S;
	return request->accepted_us + limit_s * 1000000;
}

void service_serve(void *context, struct request *request, struct reply *reply)
{
	struct service *service = context;
	struct call call = {
		.service = service,
		.request = request,
		.reply = reply,
		.arena = request->arena,
	};

	log_set_request(request->request_id);
	service->route_index = (int)route_base(DIALECTS);
	db_set_deadline(service->db, deadline_of(service->config, request));
	call_serve(&call);
	db_set_deadline(service->db, 0);
	json_decref(call.json);
}

/* A key that its dialect needs again is kept, sealed, once it has been used. */
static void key_store(struct service *service, const struct request *request)
{
	const char *key = gate_credential(request);
	size_t len = key == NULL ? 0 : strlen(key);
	unsigned char sealed[KEY_MAX + SEAL_OVERHEAD];

	if (len == 0 || len > KEY_MAX)
		return;
	if (secret_seal(service->keyring, KEY_API_KEY,
			service->key_to_keep_public_id,
			(struct bytes){key, len}, sealed))
		key_keep(service->db, service->key_to_keep,
			 (struct bytes){sealed, len + SEAL_OVERHEAD});
}

void service_served(void *context, const struct request *request,
		    const struct reply *reply, int64_t duration_us)
{
	struct service *service = context;
	const struct db_counters *counters = db_counters(service->db);

	log_info("event=request method=%s path=%s status=%d us=%lld",
		 http_method_names[request->method], log_text(request->path),
		 reply->status, (long long)duration_us);
	if (service->key_to_touch != 0) {
		key_touch(service->db, service->key_to_touch);
		service->key_to_touch = 0;
	}
	if (service->key_to_keep != 0) {
		key_store(service, request);
		service->key_to_keep = 0;
	}
	metrics_request(service->metrics, service->route_index, reply->status,
			duration_us);
	metrics_database(service->metrics, counters->round_trips,
			 counters->errors, counters->retries,
			 counters->reconnects);
	log_set_request("");
}
