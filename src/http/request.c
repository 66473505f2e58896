/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/secret.h"
#include "request.h"

#define IDEMPOTENCY_KEY_MAX 255
#define HEX_DIGITS "0123456789abcdef"

const char *const http_method_names[] = {
	[METHOD_GET] = "GET",	      [METHOD_HEAD] = "HEAD",
	[METHOD_POST] = "POST",	      [METHOD_PUT] = "PUT",
	[METHOD_PATCH] = "PATCH",     [METHOD_DELETE] = "DELETE",
	[METHOD_OPTIONS] = "OPTIONS", [METHOD_OTHER] = "OTHER",
};

/* The headers that decide something, and what tells that one came twice. */
enum header {
	HEADER_AUTHORIZATION,
	HEADER_SEED,
	HEADER_CONTENT_TYPE,
	HEADER_IDEMPOTENCY_KEY,
	HEADER_X_IDEMPOTENCY_KEY,
	HEADERS
};

/*
 * nginx before 1.23 hands a repeated header on as two parameters of one name,
 * later ones as one parameter with the values joined by ", ". No credential
 * and no JSON media type has a comma in it.
 */
static const struct {
	const char *param, *name, *joined_by;
} headers[HEADERS] = {
	[HEADER_AUTHORIZATION] = {"HTTP_AUTHORIZATION", "Authorization", ","},
	[HEADER_SEED] = {"HTTP_X_SEED", "X-Seed", ","},
	[HEADER_CONTENT_TYPE] = {"HTTP_CONTENT_TYPE", "Content-Type", ","},
	[HEADER_IDEMPOTENCY_KEY] = {"HTTP_IDEMPOTENCY_KEY", "Idempotency-Key",
				    ", "},
	[HEADER_X_IDEMPOTENCY_KEY] = {"HTTP_X_IDEMPOTENCY_KEY",
				      "X-Idempotency-Key", ", "},
};

/* The value when entry is "name=value", else NULL. */
static const char *param_value(const char *entry, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(entry, name, len) != 0 || entry[len] != '=')
		return NULL;
	return entry + len + 1;
}

static const char *param_find(char *const *params, const char *name)
{
	for (; *params; params++) {
		const char *value = param_value(*params, name);

		if (value)
			return value;
	}
	return NULL;
}

static const char *not_empty(struct arena *arena, const char *value)
{
	return value && *value ? arena_strdup(arena, value) : NULL;
}

/* The first thing found wrong is the one that is told. */
static void fault_set(struct request *request, enum error_code code,
		      const char *param)
{
	if (request->fault.code != ERR_NONE)
		return;
	request->fault.code = code;
	request->fault.param = param;
}

static const char *header_read(struct request *request, char *const *params,
			       enum header header)
{
	const char *first = NULL;

	for (; *params; params++) {
		const char *value = param_value(*params, headers[header].param);

		if (!value)
			continue;
		if (first || strstr(value, headers[header].joined_by))
			fault_set(request, ERR_INVALID_HEADER,
				  headers[header].name);
		if (!first)
			first = value;
	}
	return first;
}

static bool idempotency_key_valid(const char *key)
{
	size_t len = strlen(key);

	if (len < 1 || len > IDEMPOTENCY_KEY_MAX)
		return false;
	if (key[0] == ' ' || key[len - 1] == ' ')
		return false;
	for (; *key; key++)
		if (*key < 0x20 || *key > 0x7e)
			return false;
	return true;
}

/* Both spellings are known; sent together they must agree. */
static void idempotency_key_read(struct request *request, char *const *params)
{
	const char *plain =
		header_read(request, params, HEADER_IDEMPOTENCY_KEY);
	const char *prefixed =
		header_read(request, params, HEADER_X_IDEMPOTENCY_KEY);
	const char *key = prefixed ? prefixed : plain;

	if (!key)
		return;
	if (!idempotency_key_valid(key) ||
	    (plain && prefixed && strcmp(plain, prefixed) != 0)) {
		fault_set(request, ERR_INVALID_HEADER,
			  prefixed ? "X-Idempotency-Key" : "Idempotency-Key");
		return;
	}
	request->idempotency_key = arena_strdup(request->arena, key);
}

/* Decodes len bytes at raw into path; false when that is ambiguous. */
static bool path_decode(char *path, const char *raw, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)raw[i];

		if (c == '#')
			return false;
		if (c == '%') {
			int high = i + 2 < len ? hex_value(raw[i + 1]) : -1;
			int low = high >= 0 ? hex_value(raw[i + 2]) : -1;

			if (low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
			if (c == '/')
				return false;
		}
		if (c < 0x20 || c == 0x7f)
			return false;
		*path++ = (char)c;
	}
	*path = '\0';
	return true;
}

static bool segments_plain(const char *path)
{
	while (*path == '/') {
		size_t len = strcspn(path + 1, "/");
		const char *segment = path + 1;

		path = segment + len;
		if (len == 0 && *path == '/')
			return false;
		if ((len == 1 && segment[0] == '.') ||
		    (len == 2 && memcmp(segment, "..", 2) == 0))
			return false;
	}
	return *path == '\0';
}

bool target_split(struct arena *arena, const char *target, const char **path,
		  const char **query)
{
	size_t len = strcspn(target, "?");
	char *decoded = arena_alloc(arena, len + 1);

	*path = "/";
	*query = arena_strdup(arena, target[len] ? target + len + 1 : "");
	if (target[0] != '/' || !path_decode(decoded, target, len) ||
	    !utf8_valid(decoded, strlen(decoded)) || !segments_plain(decoded))
		return false;
	*path = decoded;
	return true;
}

static enum http_method method_read(const char *name)
{
	for (int i = METHOD_GET; name && i < METHOD_OTHER; i++)
		if (strcmp(name, http_method_names[i]) == 0)
			return (enum http_method)i;
	return METHOD_OTHER;
}

/* The number that follows key in text such as "rate=30r/m burst=30". */
static int64_t figure_read(const char *text, const char *key)
{
	const char *at = text ? strstr(text, key) : NULL;
	int64_t figure = 0;

	if (!at)
		return 0;
	for (at += strlen(key); *at >= '0' && *at <= '9'; at++) {
		if (figure > 100000000)
			return 0;
		figure = figure * 10 + (*at - '0');
	}
	return figure;
}

static void request_id_read(struct request *request, const char *given)
{
	if (given && request_id_valid(given))
		snprintf(request->request_id, sizeof(request->request_id), "%s",
			 given);
	else
		request_id_make(request->request_id);
}

/* nginx's own id of the request, where it belongs to the request id; some
 * other digits behind those of the request id where it does not. */
static void debugging_id_read(struct request *request, const char *given)
{
	const char *digits = request->request_id + 4;
	unsigned char random[10];
	char hex[33];

	if (given && strlen(given) == 32 && strspn(given, HEX_DIGITS) == 32 &&
	    strncmp(given, digits, 12) == 0) {
		uuid_of_hex(given, request->debugging_id);
		return;
	}
	random_bytes(random, sizeof(random));
	memcpy(hex, digits, 12);
	hex_encode(hex + 12, random, sizeof(random));
	uuid_of_hex(hex, request->debugging_id);
}

void request_read(struct request *request, struct arena *arena,
		  char *const *params)
{
	const char *target = param_find(params, "REQUEST_URI");
	const char *refused = param_find(params, "CARDSTOCK_REFUSED");
	const char *network = param_find(params, "CARDSTOCK_NETWORK");
	const char *length = param_find(params, "CONTENT_LENGTH");
	const char *address = param_find(params, "REMOTE_ADDR");

	memset(request, 0, sizeof(*request));
	request->arena = arena;
	request->body = "";
	request_id_read(request, param_find(params, "CARDSTOCK_REQUEST_ID"));
	debugging_id_read(request, param_find(params, "CARDSTOCK_NGINX_ID"));
	request->method = method_read(param_find(params, "REQUEST_METHOD"));
	if (!target_split(arena, target && *target ? target : "/",
			  &request->path, &request->query))
		fault_set(request, ERR_BAD_REQUEST, NULL);
	request->authorization = not_empty(
		arena, header_read(request, params, HEADER_AUTHORIZATION));
	request->seed =
		not_empty(arena, header_read(request, params, HEADER_SEED));
	request->content_type = not_empty(
		arena, header_read(request, params, HEADER_CONTENT_TYPE));
	idempotency_key_read(request, params);
	request->origin = not_empty(arena, param_find(params, "HTTP_ORIGIN"));
	request->client_address = arena_strdup(arena, address ? address : "");
	request->network = network && strcmp(network, "1") == 0;
	request->refused_rate_per_minute = figure_read(refused, "rate=");
	request->refused_burst = figure_read(refused, "burst=");
	if (!length || !text_to_int(length, &request->content_length) ||
	    request->content_length < 0)
		request->content_length = -1;
}
