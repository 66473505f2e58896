/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/core/privacy.h"

#include <string.h>

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

SUITE("privacy", each_reason_has_a_result, statuses, event_types)
