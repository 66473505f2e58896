/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "../base/arena.h"
#include "route.h"

struct segment {
	const char *text;
	size_t len;
};

/* Takes the next "/segment" off *rest; false at the end. */
static bool segment_next(const char **rest, struct segment *segment)
{
	if (**rest != '/')
		return false;
	segment->text = *rest + 1;
	segment->len = strcspn(segment->text, "/");
	*rest = segment->text + segment->len;
	return true;
}

static bool at_end(const char *rest, bool loose)
{
	return *rest == '\0' || (loose && strcmp(rest, "/") == 0);
}

/* How many {…} segments pattern has when it matches path, else -1. */
static int pattern_match(const char *pattern, const char *path, bool loose,
			 struct segment args[ROUTE_ARGS])
{
	struct segment want, have;
	int count = 0;

	while (segment_next(&pattern, &want)) {
		if (!segment_next(&path, &have))
			return -1;
		if (want.len > 0 && want.text[0] == '{') {
			assert(count < ROUTE_ARGS);
			if (have.len == 0)
				return -1;
			args[count++] = have;
		} else if (want.len != have.len ||
			   memcmp(want.text, have.text, want.len) != 0) {
			return -1;
		}
	}
	return at_end(path, loose) ? count : -1;
}

static bool method_match(enum http_method offered, enum http_method asked)
{
	return offered == asked ||
	       (offered == METHOD_GET && asked == METHOD_HEAD);
}

static void allow_print(char allow[64], unsigned int methods)
{
	size_t used = 0;

	for (int i = METHOD_GET; i < METHOD_OTHER; i++) {
		size_t len = strlen(http_method_names[i]);

		if (!(methods & 1U << i))
			continue;
		if (used > 0) {
			memcpy(allow + used, ", ", 2);
			used += 2;
		}
		memcpy(allow + used, http_method_names[i], len);
		used += len;
	}
	assert(used < 64);
	allow[used] = '\0';
}

enum route_match route_find(const void *table, size_t count, size_t row_size,
			    struct arena *arena, enum http_method method,
			    const char *path, bool loose,
			    struct route_result *result)
{
	struct segment best[ROUTE_ARGS] = {{NULL, 0}};
	unsigned int methods = 0;
	int best_count = ROUTE_ARGS + 1;

	memset(result, 0, sizeof(*result));
	for (size_t i = 0; i < count; i++) {
		const void *row = (const char *)table + i * row_size;
		const struct route_key *key = row;
		struct segment args[ROUTE_ARGS] = {{NULL, 0}};
		int found = pattern_match(key->pattern, path, loose, args);

		if (found < 0)
			continue;
		methods |= 1U << key->method;
		if (!method_match(key->method, method) || found >= best_count)
			continue;
		result->row = row;
		best_count = found;
		memcpy(best, args, sizeof(best));
	}
	if (methods == 0)
		return ROUTE_NO_PATH;
	if (methods & 1U << METHOD_GET)
		methods |= 1U << METHOD_HEAD;
	allow_print(result->allow, methods | 1U << METHOD_OPTIONS);
	if (!result->row)
		return ROUTE_NO_METHOD;
	for (int i = 0; i < best_count; i++)
		result->args[i] =
			arena_strndup(arena, best[i].text, best[i].len);
	return ROUTE_FOUND;
}
