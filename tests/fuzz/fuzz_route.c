/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way from a raw request to a route: the first line is the target, each
 * line after it one FastCGI parameter.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../src/base/arena.h"
#include "../../src/http/route.h"

#define PARAMS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct route_key table[] = {
	{METHOD_GET, "/v1/cards"},
	{METHOD_POST, "/v1/cards"},
	{METHOD_GET, "/v1/cards/{id}"},
	{METHOD_GET, "/v1/cards/{id}/details"},
	{METHOD_POST, "/v1/cards/{id}/fund"},
	{METHOD_GET, "/v1/a/{one}/b/{two}"},
};

static void check(int holds)
{
	if (!holds)
		abort();
}

/* What any handler may rely on, whatever came in. */
static void check_request(const struct request *request)
{
	const char *key = request->idempotency_key;

	check(request->path[0] == '/');
	check(strstr(request->path, "//") == NULL);
	check(strstr(request->path, "/../") == NULL);
	check(utf8_valid(request->path, strlen(request->path)));
	check(request_id_valid(request->request_id));
	check(uuid_valid(request->debugging_id));
	check(strncmp(request->debugging_id, request->request_id + 4, 8) == 0);
	check(key == NULL || (*key != '\0' && strlen(key) <= 255));
	check(request->refused_rate_per_minute >= 0);
}

/* A segment may be a token: whatever is taken for one is the only one. */
static void check_token(const char *text)
{
	char id[ID_SIZE], uuid[UUID_SIZE];

	if (!id_of_uuid(text, "card_", id))
		return;
	check(strncmp(id, "card_", 5) == 0 && strlen(id) == 25);
	check(uuid_of_id(id, uuid));
	check(strcasecmp(uuid, text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(4096);
	char *text = arena_strndup(arena, (const char *)data, size);
	char *params[PARAMS_MAX + 1] = {NULL};
	struct route_result result;
	struct request request;
	char *rest = text;

	for (int i = 0; i < PARAMS_MAX && rest; i++) {
		char *line = strsep(&rest, "\n");

		check_token(line);
		params[i] = i == 0 ? arena_printf(arena, "REQUEST_URI=%s", line)
				   : line;
	}
	request_read(&request, arena, params);
	check_request(&request);
	for (int loose = 0; loose < 2; loose++) {
		enum route_match match =
			route_find(table, sizeof(table) / sizeof(table[0]),
				   sizeof(table[0]), arena, METHOD_GET,
				   request.path, loose, &result);

		check((match == ROUTE_FOUND) == (result.row != NULL));
		check((match == ROUTE_NO_PATH) == (result.allow[0] == '\0'));
	}
	arena_free(arena);
	return 0;
}
