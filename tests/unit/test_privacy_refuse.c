/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../../src/api/resources.h"
#include "../../src/base/arena.h"
#include "suite.h"

static struct arena *arena;
static struct request request;
static struct reply reply;

static struct call call_made(void)
{
	arena = arena_new(65536);
	reply_init(&reply, arena);
	request = (struct request){
		.arena = arena,
		.request_id = "req_0123456789ab",
		.debugging_id = "01234567-89ab-4def-8123-456789abcdef",
	};
	return (struct call){
		.request = &request,
		.reply = &reply,
		.arena = arena,
		.dialect = &dialects[DIALECT_PRIVACY],
	};
}

static void says(const struct fault *fault, int status, const char *message)
{
	struct call call = call_made();
	const char *body;

	reply_refuse(&call, fault);
	body = arena_printf(arena,
			    "{\"debugging_request_id\":"
			    "\"01234567-89ab-4def-8123-456789abcdef\","
			    "\"message\":\"%s\"}",
			    message);
	ck_assert_int_eq(reply.status, status);
	ck_assert_str_eq(reply.body.data, body);
	arena_free(arena);
}

/* Each refusal has a status and words, and nothing of the native shape. */
START_TEST(every_refusal_has_words)
{
	for (int code = ERR_NONE + 1; code < ERR_COUNT; code++) {
		struct fault fault = {
			.code = (enum error_code)code,
			.param = "amount",
		};
		const struct error_info *info = error_info(fault.code);
		struct call call = call_made();

		reply_refuse(&call, &fault);
		ck_assert_msg(reply.status >= 400 && reply.status < 600, "%s",
			      info->code);
		/* Whoever is not let in is told 401 there, never 403. */
		if (reply.status != info->status)
			ck_assert_int_eq(reply.status, 401);
		ck_assert_ptr_null(strstr(reply.body.data, "\"code\""));
		ck_assert_ptr_nonnull(
			strstr(reply.body.data, "\"message\":\""));
		ck_assert_ptr_null(strstr(reply.body.data, "\"message\":\"\""));
		ck_assert_int_eq(reply.status == 429 || reply.status == 503,
				 strstr(reply.headers.data, "Retry-After") !=
					 NULL);
		arena_free(arena);
	}
}
END_TEST

/* The texts that clients of that API know. */
START_TEST(known_texts)
{
	static const struct {
		struct fault fault;
		int status;
		const char *message;
	} rows[] = {
		{{ERR_UNKNOWN_PARAMETER, "foo", "foo is not a parameter."},
		 400,
		 "foo is not a valid parameter"},
		{{ERR_INVALID_PARAMETER, "page", "page must be less."},
		 400,
		 "page is not a valid parameter: must be less"},
		{{ERR_INVALID_PARAMETER, "page", "must be less"},
		 400,
		 "page is not a valid parameter: must be less"},
		{{ERR_REPEATED_PARAMETER, "a.b", "a.b is given twice."},
		 400,
		 "a.b is not a valid parameter: is given twice"},
		{{ERR_INVALID_PARAMETER, NULL, "The query is wrong."},
		 400,
		 "The query is wrong."},
		{{ERR_MISSING_PARAMETER, "type", "type is required."},
		 400,
		 "type is required"},
		{{ERR_AMOUNT_TOO_SMALL, "amount", "amount must be more."},
		 400,
		 "amount is not a valid parameter: must be more"},
		{{ERR_AMOUNT_TOO_SMALL, "amount", NULL},
		 400,
		 "The amount is below the minimum."},
		{{ERR_CREDENTIALS_MISSING, NULL, NULL},
		 401,
		 "Please provide API key in Authorization header"},
		{{ERR_CREDENTIALS_MALFORMED, NULL, NULL},
		 401,
		 "Please provide API key in the form Authorization: api-key "
		 "[api-key]"},
		{{ERR_CREDENTIALS_INVALID, NULL, NULL},
		 401,
		 "Could not find API key"},
		{{ERR_KEY_REVOKED, NULL, NULL}, 401, "API key is not active"},
		{{ERR_KEY_EXPIRED, NULL, NULL}, 401, "API key is not active"},
		{{ERR_CREDENTIALS_AMBIGUOUS, NULL, NULL},
		 401,
		 "User has not been authenticated"},
		{{ERR_ADDRESS_NOT_ALLOWED, NULL, NULL},
		 401,
		 "User has not been authenticated"},
		{{ERR_ACCOUNT_SUSPENDED, NULL, NULL},
		 401,
		 "User has not been authenticated"},
		{{ERR_SCOPE_MISSING, NULL, NULL},
		 401,
		 "Insufficient Privileges. Issuing API key required"},
		{{ERR_RATE_LIMITED, NULL, NULL},
		 429,
		 "Rate limited, too many requests per second"},
		{{ERR_NOT_FOUND, NULL, NULL},
		 404,
		 "There is no such resource."},
		{{ERR_NOT_SUPPORTED, NULL, "Not here"}, 422, "Not here"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		says(&rows[i].fault, rows[i].status, rows[i].message);
}
END_TEST

SUITE("privacy_refuse", every_refusal_has_words, known_texts)
