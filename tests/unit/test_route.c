/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/http/route.h"

#include <string.h>

#include "../../src/base/arena.h"
#include "suite.h"

struct row {
	struct route_key key;
	int number;
};

/* Literal patterns stand before and after the one with {id}: order is no rule.
 */
static const struct row table[] = {
	{{METHOD_GET, "/v1/cards"}, 0},
	{{METHOD_POST, "/v1/cards"}, 1},
	{{METHOD_GET, "/v1/cards/found"}, 8},
	{{METHOD_GET, "/v1/cards/{id}"}, 2},
	{{METHOD_PATCH, "/v1/cards/{id}"}, 3},
	{{METHOD_GET, "/v1/cards/lost"}, 4},
	{{METHOD_POST, "/v1/cards/{id}/fund"}, 5},
	{{METHOD_GET, "/v1/a/{one}/b/{two}"}, 6},
	{{METHOD_GET, "/"}, 7},
};

static struct arena *arena;
static struct route_result result;

static enum route_match find(enum http_method method, const char *path,
			     bool loose)
{
	arena = arena_new(4096);
	return route_find(table, sizeof(table) / sizeof(table[0]),
			  sizeof(table[0]), arena, method, path, loose,
			  &result);
}

static int number(void)
{
	return ((const struct row *)result.row)->number;
}

START_TEST(finds_what_is_there)
{
	static const struct {
		enum http_method method;
		const char *path;
		bool loose;
		enum route_match match;
		int number;
		const char *first, *second;
	} rows[] = {
		{METHOD_GET, "/v1/cards", false, ROUTE_FOUND, 0, NULL, NULL},
		{METHOD_HEAD, "/v1/cards", false, ROUTE_FOUND, 0, NULL, NULL},
		{METHOD_POST, "/v1/cards", false, ROUTE_FOUND, 1, NULL, NULL},
		{METHOD_GET, "/v1/cards/found", false, ROUTE_FOUND, 8, NULL,
		 NULL},
		{METHOD_GET, "/v1/cards/c1", false, ROUTE_FOUND, 2, "c1", NULL},
		{METHOD_GET, "/v1/cards/lost", false, ROUTE_FOUND, 4, NULL,
		 NULL},
		{METHOD_PATCH, "/v1/cards/lost", false, ROUTE_FOUND, 3, "lost",
		 NULL},
		{METHOD_GET, "/v1/a/x/b/y z", false, ROUTE_FOUND, 6, "x",
		 "y z"},
		{METHOD_GET, "/", false, ROUTE_FOUND, 7, NULL, NULL},
		{METHOD_GET, "/v1/cards/", true, ROUTE_FOUND, 0, NULL, NULL},
		{METHOD_GET, "/v1/cards/c1/", true, ROUTE_FOUND, 2, "c1", NULL},
		{METHOD_GET, "/v1/cards/", false, ROUTE_NO_PATH, 0, NULL, NULL},
		{METHOD_GET, "/v1/cards//", true, ROUTE_NO_PATH, 0, NULL, NULL},
		{METHOD_GET, "/v1/card", false, ROUTE_NO_PATH, 0, NULL, NULL},
		{METHOD_GET, "/v1/cardsx", false, ROUTE_NO_PATH, 0, NULL, NULL},
		{METHOD_GET, "/v1/a//b/y", false, ROUTE_NO_PATH, 0, NULL, NULL},
		{METHOD_GET, "", false, ROUTE_NO_PATH, 0, NULL, NULL},
		{METHOD_GET, "/V1/cards", false, ROUTE_NO_PATH, 0, NULL, NULL},
		{METHOD_DELETE, "/v1/cards", false, ROUTE_NO_METHOD, 0, NULL,
		 NULL},
		{METHOD_HEAD, "/v1/cards/c1/fund", false, ROUTE_NO_METHOD, 0,
		 NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(find(rows[i].method, rows[i].path,
				   rows[i].loose) == rows[i].match,
			      "%s", rows[i].path);
		if (rows[i].match == ROUTE_FOUND) {
			ck_assert_int_eq(number(), rows[i].number);
			ck_assert_pstr_eq(result.args[0], rows[i].first);
			ck_assert_pstr_eq(result.args[1], rows[i].second);
		} else {
			ck_assert_ptr_null(result.row);
		}
		arena_free(arena);
	}
}
END_TEST

START_TEST(tells_the_methods)
{
	find(METHOD_DELETE, "/v1/cards", false);
	ck_assert_str_eq(result.allow, "GET, HEAD, POST, OPTIONS");
	arena_free(arena);
	find(METHOD_OPTIONS, "/v1/cards/c1/fund", false);
	ck_assert_str_eq(result.allow, "POST, OPTIONS");
	arena_free(arena);
	/* Both patterns serve this path. */
	find(METHOD_GET, "/v1/cards/lost", false);
	ck_assert_str_eq(result.allow, "GET, HEAD, PATCH, OPTIONS");
	arena_free(arena);
}
END_TEST

SUITE("route", finds_what_is_there, tells_the_methods)
