/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/core/privacy.h"

#include <string.h>

#include "../../src/api/bodies.h"
#include "../../src/api/resources.h"
#include "../../src/base/arena.h"
#include "../../src/json/canonical.h"
#include "../../src/json/exact.h"
#include "suite.h"

static bool listed(const char *const *words, const char *word)
{
	for (; *words != NULL; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

START_TEST(each_reason_has_a_result)
{
	for (int i = 0; i < DECLINE_COUNT; i++) {
		const char *result = privacy_result((enum decline_reason)i);

		ck_assert_msg(listed(privacy_results, result), "%s", result);
		ck_assert_str_ne(result, "APPROVED");
		ck_assert_str_eq(
			result,
			privacy_result_of(
				decline_info((enum decline_reason)i)->name));
	}
	ck_assert_str_eq(privacy_result_of(NULL), "APPROVED");
	ck_assert_str_eq(privacy_result_of("card_frozen"), "CARD_PAUSED");
	ck_assert_str_eq(privacy_result_of("bin_monthly_limit"),
			 "GLOBAL_MONTHLY_LIMIT");
}
END_TEST

START_TEST(statuses)
{
	ck_assert_str_eq(privacy_status_of("pending", false), "PENDING");
	ck_assert_str_eq(privacy_status_of("pending", true), "SETTLING");
	ck_assert_str_eq(privacy_status_of("settled", true), "SETTLED");
	ck_assert_str_eq(privacy_status_of("refunded", true), "SETTLED");
	ck_assert_str_eq(privacy_status_of("voided", false), "VOIDED");
	ck_assert_str_eq(privacy_status_of("expired", false), "EXPIRED");
	ck_assert_str_eq(privacy_status_of("declined", false), "DECLINED");
	ck_assert_ptr_null(privacy_status_of("other", false));
}
END_TEST

START_TEST(event_types)
{
	ck_assert_str_eq(privacy_event_type_of("increment"), "AUTHORIZATION");
	ck_assert_str_eq(privacy_event_type_of("release"), "VOID");
	ck_assert_str_eq(privacy_event_type_of("refund"), "RETURN");
	ck_assert_str_eq(privacy_event_type_of("refund_reversal"), "VOID");
	ck_assert_ptr_null(privacy_event_type_of("other"));
}
END_TEST

/* The published example of X-Privacy-HMAC. */
START_TEST(signature)
{
	static const char key[] = "privacy-test-api-key";
	static const char body[] =
		"{\"amount\":1234,\"card_token\":\"card_abc\","
		"\"created\":\"2026-08-01T12:00:00Z\",\"merchant\":{"
		"\"city\":\"Austin\",\"descriptor\":\"COFFEE CO\","
		"\"mcc\":\"5812\"},\"result\":\"APPROVED\","
		"\"settled_amount\":1234,\"status\":\"SETTLED\","
		"\"token\":\"txn_abc\"}";
	static const char loose[] =
		"{\"token\": \"txn_abc\", \"status\": \"SETTLED\", "
		"\"settled_amount\": 1234, \"result\": \"APPROVED\", "
		"\"merchant\": {\"mcc\": \"5812\", \"descriptor\": "
		"\"COFFEE CO\", \"city\": \"Austin\"},\n\"created\": "
		"\"2026-08-01T12:00:00Z\", \"card_token\": \"card_abc\", "
		"\"amount\": 1234}";
	struct arena *arena = arena_new(4096);
	struct text text;

	text_init(&text, arena);
	ck_assert(canonical_print(&text, (struct bytes){loose, strlen(loose)}));
	ck_assert_str_eq(text.data, body);
	ck_assert_str_eq(privacy_signature(arena, key,
					   (struct bytes){text.data, text.len}),
			 "3A7AUVhEbWxq7BUEhHyjdaNDxtrutttpwpr3NIE4ABY=");
	arena_free(arena);
}
END_TEST

START_TEST(no_object)
{
	static const char *const wrong[] = {"",	 "[]",	"1",
					    "{", "{}x", "{\"a\":1,\"a\":2}"};
	struct arena *arena = arena_new(4096);
	struct text text;

	text_init(&text, arena);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert(!canonical_print(
			&text, (struct bytes){wrong[i], strlen(wrong[i])}));
	arena_free(arena);
}
END_TEST

static const char snapshot[] =
	"{\"id\":7,\"public_id\":\"txn_00000000000000000001\","
	"\"wallet_id\":1,\"card_id\":2,"
	"\"card_public_id\":\"card_00000000000000000002\","
	"\"card_last4\":\"4142\",\"kind\":\"purchase\","
	"\"type\":\"settlement\",\"status\":\"settled\","
	"\"requested_cents\":1500,\"authorized_cents\":1500,"
	"\"reversed_cents\":300,\"cleared_cents\":1200,"
	"\"expired_cents\":0,\"refunded_cents\":0,\"hold_cents\":\"0\","
	"\"amount_cents\":\"-1200\",\"balance_after_cents\":100,"
	"\"merchant_name\":\"CAF\u00c9 \\\"X\\\"\","
	"\"merchant_mcc\":\"5812\",\"merchant_country\":\"FR\","
	"\"merchant_city\":null,\"merchant_id\":null,"
	"\"response_code\":\"00\",\"authorization_code\":\"A1B2C3\","
	"\"decline_reasons\":\"[]\",\"created_at\":\"2026-08-01 12:00:00\","
	"\"updated_at\":\"2026-08-02 12:00:00\","
	"\"card_created_at\":\"2026-07-01 12:00:00\","
	"\"card_expires_at\":\"2029-07-31 23:59:59\","
	"\"card_type\":\"merchant_locked\",\"card_label\":\"lunch\","
	"\"card_status\":\"active\",\"card_limit_cents\":2000,"
	"\"card_limit_window\":\"forever\","
	"\"card_merchant_name\":\"CAFE\",\"timeline\":["
	"{\"number\":1,\"type\":\"authorization\",\"amount_cents\":1500,"
	"\"approved\":1,\"response_code\":\"00\","
	"\"balance_after_cents\":100,\"decline_reason\":null,"
	"\"created_at\":\"2026-08-01 12:00:00\"},"
	"{\"number\":2,\"type\":\"clearing\",\"amount_cents\":1200,"
	"\"approved\":1,\"response_code\":\"00\","
	"\"balance_after_cents\":100,\"decline_reason\":null,"
	"\"created_at\":\"2026-08-02 12:00:00\"}]}";

/* Everything about money and merchant, and the order of the keys. */
START_TEST(webhook_body)
{
	static const char begins[] =
		"{\"acquirer_fee\":0,\"amount\":1200,"
		"\"authorization_amount\":1500,"
		"\"authorization_code\":\"A1B2C3\",\"card\":{"
		"\"account_token\":";
	static const char *const parts[] = {
		"\"hostname\":\"CAFE\",\"last_four\":\"4142\","
		"\"memo\":\"lunch\",\"spend_limit\":2000,"
		"\"spend_limit_duration\":\"FOREVER\",\"state\":\"OPEN\"",
		"\"merchant\":{\"acceptor_id\":\"\",\"city\":\"\","
		"\"country\":\"FRA\",\"descriptor\":"
		"\"CAF\xc3\x89 \\\"X\\\"\",\"mcc\":\"5812\","
		"\"state\":\"\"}",
		"\"merchant_amount\":1200,"
		"\"merchant_authorization_amount\":1500,"
		"\"merchant_currency\":\"USD\",\"result\":\"APPROVED\","
		"\"settled_amount\":1200,\"status\":\"SETTLED\",\"token\":",
		"\"events\":[{\"amount\":1500,"
		"\"created\":\"2026-08-01T12:00:00Z\","
		"\"result\":\"APPROVED\",\"token\":",
	};
	struct funding_row funding = {
		.public_id = "wal_00000000000000000003",
		.nickname = "",
		.account_public_id = "acct_00000000000000000004",
		.account_name = "Name",
		.account_status = "active",
	};
	struct arena *arena = arena_new(4096);
	const char *why;
	json_t *root = exact_parse(arena, snapshot, strlen(snapshot), &why);
	struct text body;

	ck_assert_ptr_nonnull(root);
	text_init(&body, arena);
	ck_assert(privacy_event_print(arena, root, &funding, &body));
	ck_assert_msg(strncmp(body.data, begins, strlen(begins)) == 0, "%s",
		      body.data);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		ck_assert_msg(strstr(body.data, parts[i]) != NULL, "%s: %s",
			      parts[i], body.data);
	ck_assert_ptr_null(strstr(body.data, "pan"));
	/* Of before the dialect: nothing is known of its card. */
	json_object_del(root, "card_type");
	ck_assert(!privacy_event_print(arena, root, &funding, &body));
	json_decref(root);
	arena_free(arena);
}
END_TEST

SUITE("privacy", each_reason_has_a_result, statuses, event_types, signature,
      no_object, webhook_body)
