/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/http/request.h"

#include <stdio.h>
#include <string.h>

#include "../../src/base/arena.h"
#include "suite.h"

static struct arena *arena;
static struct request request;

#define READ(...)                                                              \
	request_read(&request, arena,                                          \
		     (char *const[]){"REQUEST_METHOD=POST",                    \
				     "REQUEST_URI=/v1/cards", __VA_ARGS__,     \
				     NULL})

START_TEST(reads_what_nginx_sends)
{
	arena = arena_new(65536);
	READ("CARDSTOCK_REQUEST_ID=req_0123456789ab", "CONTENT_LENGTH=12",
	     "REMOTE_ADDR=192.0.2.7", "HTTP_AUTHORIZATION=Bearer sk_test_x",
	     "HTTP_CONTENT_TYPE=application/json", "HTTP_ORIGIN=https://a.b",
	     "HTTP_X_SEED=c4f4-6e88-036c-761c", "HTTP_IDEMPOTENCY_KEY=k 1",
	     "CARDSTOCK_REFUSED=rate=30r/m burst=45", "CARDSTOCK_NETWORK=1");
	ck_assert_int_eq(request.fault.code, ERR_NONE);
	ck_assert_int_eq(request.method, METHOD_POST);
	ck_assert_str_eq(request.path, "/v1/cards");
	ck_assert_str_eq(request.query, "");
	ck_assert_str_eq(request.request_id, "req_0123456789ab");
	ck_assert_int_eq(request.content_length, 12);
	ck_assert_str_eq(request.client_address, "192.0.2.7");
	ck_assert_str_eq(request.authorization, "Bearer sk_test_x");
	ck_assert_str_eq(request.content_type, "application/json");
	ck_assert_str_eq(request.origin, "https://a.b");
	ck_assert_str_eq(request.seed, "c4f4-6e88-036c-761c");
	ck_assert_str_eq(request.idempotency_key, "k 1");
	ck_assert_int_eq(request.refused_rate_per_minute, 30);
	ck_assert_int_eq(request.refused_burst, 45);
	ck_assert(request.network);
	ck_assert_uint_eq(request.body_len, 0);
	arena_free(arena);
}
END_TEST

START_TEST(does_without)
{
	arena = arena_new(65536);
	request_read(&request, arena, (char *const[]){NULL});
	ck_assert_int_eq(request.method, METHOD_OTHER);
	ck_assert_str_eq(request.path, "/");
	ck_assert_ptr_null(request.authorization);
	ck_assert_ptr_null(request.idempotency_key);
	ck_assert_int_eq(request.content_length, -1);
	ck_assert_int_eq(request.refused_rate_per_minute, 0);
	ck_assert(!request.network);
	ck_assert(request_id_valid(request.request_id));
	READ("CARDSTOCK_REQUEST_ID=req_0123\r\nX: y",
	     "CARDSTOCK_NETWORK=", "HTTP_AUTHORIZATION=", "HTTP_CONTENT_TYPE=");
	ck_assert(request_id_valid(request.request_id));
	ck_assert(!request.network);
	ck_assert_ptr_null(request.authorization);
	ck_assert_ptr_null(request.content_type);
	ck_assert_int_eq(request.fault.code, ERR_NONE);
	arena_free(arena);
}
END_TEST

/* The request's id as a UUID: nginx's digits, or others behind the id's. */
START_TEST(debugging_ids)
{
	static char others[][64] = {
		"CARDSTOCK_NGINX_ID=",
		"CARDSTOCK_NGINX_ID=f123456789ab00000000000000000000",
		"CARDSTOCK_NGINX_ID=0123456789ab0000000000000000000",
		"CARDSTOCK_NGINX_ID=0123456789ab0000000000000000000G",
	};

	arena = arena_new(65536);
	READ("CARDSTOCK_REQUEST_ID=req_0123456789ab",
	     "CARDSTOCK_NGINX_ID=0123456789abcdef0123456789abcdef");
	ck_assert_str_eq(request.debugging_id,
			 "01234567-89ab-4def-8123-456789abcdef");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		READ("CARDSTOCK_REQUEST_ID=req_0123456789ab", others[i]);
		ck_assert(uuid_valid(request.debugging_id));
		ck_assert_int_eq(
			strncmp(request.debugging_id, "01234567-89ab-4", 15),
			0);
	}
	request_read(&request, arena, (char *const[]){NULL});
	ck_assert(uuid_valid(request.debugging_id));
	arena_free(arena);
}
END_TEST

static void expect_header_fault(const char *name)
{
	ck_assert_int_eq(request.fault.code, ERR_INVALID_HEADER);
	ck_assert_str_eq(request.fault.param, name);
}

/* Two parameters from nginx 1.22, one joined parameter from nginx 1.26. */
START_TEST(refuses_a_header_sent_twice)
{
	arena = arena_new(65536);
	READ("HTTP_AUTHORIZATION=Bearer a", "HTTP_AUTHORIZATION=Bearer a");
	expect_header_fault("Authorization");
	READ("HTTP_AUTHORIZATION=Bearer a, Bearer a");
	expect_header_fault("Authorization");
	READ("HTTP_X_SEED=a", "HTTP_X_SEED=b");
	expect_header_fault("X-Seed");
	READ("HTTP_X_SEED=a,b");
	expect_header_fault("X-Seed");
	READ("HTTP_CONTENT_TYPE=application/json",
	     "HTTP_CONTENT_TYPE=application/json");
	expect_header_fault("Content-Type");
	READ("HTTP_CONTENT_TYPE=application/json, application/json");
	expect_header_fault("Content-Type");
	READ("HTTP_IDEMPOTENCY_KEY=a", "HTTP_IDEMPOTENCY_KEY=a");
	expect_header_fault("Idempotency-Key");
	READ("HTTP_X_IDEMPOTENCY_KEY=a, a");
	expect_header_fault("X-Idempotency-Key");
	READ("HTTP_IDEMPOTENCY_KEY=a", "HTTP_X_IDEMPOTENCY_KEY=b");
	expect_header_fault("X-Idempotency-Key");
	READ("HTTP_IDEMPOTENCY_KEY=a", "HTTP_X_IDEMPOTENCY_KEY=a");
	ck_assert_int_eq(request.fault.code, ERR_NONE);
	ck_assert_str_eq(request.idempotency_key, "a");
	READ("HTTP_IDEMPOTENCY_KEY=a,b");
	ck_assert_str_eq(request.idempotency_key, "a,b");
	/* Headers that decide nothing may come as often as they like. */
	READ("HTTP_ACCEPT=a", "HTTP_ACCEPT=b");
	ck_assert_int_eq(request.fault.code, ERR_NONE);
	arena_free(arena);
}
END_TEST

START_TEST(checks_the_idempotency_key)
{
	char param[400] = "HTTP_X_IDEMPOTENCY_KEY=";
	size_t name = strlen(param);

	arena = arena_new(65536);
	memset(param + name, 'k', 255);
	READ(param);
	ck_assert_int_eq(request.fault.code, ERR_NONE);
	ck_assert_uint_eq(strlen(request.idempotency_key), 255);
	param[name + 255] = 'k';
	READ(param);
	expect_header_fault("X-Idempotency-Key");
	READ("HTTP_X_IDEMPOTENCY_KEY=");
	expect_header_fault("X-Idempotency-Key");
	READ("HTTP_X_IDEMPOTENCY_KEY=a\tb");
	expect_header_fault("X-Idempotency-Key");
	READ("HTTP_X_IDEMPOTENCY_KEY=caf\xc3\xa9");
	expect_header_fault("X-Idempotency-Key");
	READ("HTTP_IDEMPOTENCY_KEY=~!\"#$%&'()*+ -./:;<=>?@[]^_`{|}");
	ck_assert_int_eq(request.fault.code, ERR_NONE);
	arena_free(arena);
}
END_TEST

START_TEST(splits_targets)
{
	static const struct {
		const char *target, *path, *query; /* path NULL: refused */
	} rows[] = {
		{"/", "/", ""},
		{"/v1/cards", "/v1/cards", ""},
		{"/v1/cards/", "/v1/cards/", ""},
		{"/v1/cards?a=1&b=%20?#", "/v1/cards", "a=1&b=%20?#"},
		{"/v1/cards?", "/v1/cards", ""},
		{"/v1/c%61rds", "/v1/cards", ""},
		{"/v1/%C3%a9+", "/v1/\xc3\xa9+", ""},
		/* Once is enough. */
		{"/v1/%2561", "/v1/%61", ""},
		{"/v1/...", "/v1/...", ""},
		{"/v1/.a", "/v1/.a", ""},
		{"", NULL, ""},
		{"v1", NULL, ""},
		{"*", NULL, ""},
		{"//", NULL, ""},
		{"//v1", NULL, ""},
		{"/v1//cards", NULL, ""},
		{"/v1/cards//", NULL, ""},
		{"/v1/./cards", NULL, ""},
		{"/v1/.", NULL, ""},
		{"/v1/..", NULL, ""},
		{"/v1/../cards", NULL, ""},
		{"/v1/%2e%2e/cards", NULL, ""},
		{"/v1/cards%2Ffund", NULL, ""},
		{"/v1/cards%00", NULL, ""},
		{"/v1/cards%0d%0a", NULL, ""},
		{"/v1/cards%7f", NULL, ""},
		{"/v1/%", NULL, ""},
		{"/v1/%4", NULL, ""},
		{"/v1/%?41", NULL, "41"},
		{"/v1/%4g", NULL, ""},
		{"/v1/%-1", NULL, ""},
		{"/v1/%ff", NULL, ""},
		{"/v1/%c0%af", NULL, ""},
		{"/v1/cards#x", NULL, ""},
	};
	const char *path, *query;

	arena = arena_new(65536);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(target_split(arena, rows[i].target, &path,
					   &query) == (rows[i].path != NULL),
			      "%s", rows[i].target);
		ck_assert_str_eq(path, rows[i].path ? rows[i].path : "/");
		ck_assert_str_eq(query, rows[i].query);
	}
	request_read(&request, arena,
		     (char *const[]){"REQUEST_URI=/v1/../x", NULL});
	ck_assert_int_eq(request.fault.code, ERR_BAD_REQUEST);
	arena_free(arena);
}
END_TEST

static const char *printed(const struct reply *reply, enum http_method method)
{
	struct text out;

	READ("CARDSTOCK_REQUEST_ID=req_0123456789ab");
	request.method = method;
	text_init(&out, arena);
	reply_print(&out, reply, &request);
	return out.data;
}

START_TEST(prints_replies)
{
	const char *head = "Status: 201 Created\r\n"
			   "Content-Type: application/json\r\n"
			   "Content-Length: 2\r\n"
			   "X-Request-Id: req_0123456789ab\r\n"
			   "Cache-Control: no-store\r\n"
			   "Allow: GET\r\n\r\n";
	struct reply reply;
	char whole[300];

	arena = arena_new(65536);
	reply_init(&reply, arena);
	reply.status = 201;
	text_add(&reply.body, "{}");
	reply_header(&reply, "Allow", "GET");
	reply_header(&reply, "X-Bad", "a\r\nSet-Cookie: b");
	snprintf(whole, sizeof(whole), "%s{}", head);
	ck_assert_str_eq(printed(&reply, METHOD_POST), whole);
	/* HEAD tells the length of the body that it does not send. */
	ck_assert_str_eq(printed(&reply, METHOD_HEAD), head);

	reply_init(&reply, arena);
	reply.status = 204;
	ck_assert_str_eq(printed(&reply, METHOD_OPTIONS),
			 "Status: 204 No Content\r\n"
			 "X-Request-Id: req_0123456789ab\r\n"
			 "Cache-Control: no-store\r\n\r\n");
	arena_free(arena);
}
END_TEST

SUITE("request", reads_what_nginx_sends, does_without, debugging_ids,
      refuses_a_header_sent_twice, checks_the_idempotency_key, splits_targets,
      prints_replies)
