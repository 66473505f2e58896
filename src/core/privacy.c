/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy.h"

#include <stddef.h>
#include <string.h>

const char *const privacy_results[] = {
	"APPROVED",
	"CARD_PAUSED",
	"CARD_CLOSED",
	"GLOBAL_TRANSACTION_LIMIT",
	"GLOBAL_WEEKLY_LIMIT",
	"GLOBAL_MONTHLY_LIMIT",
	"USER_TRANSACTION_LIMIT",
	"UNAUTHORIZED_MERCHANT",
	"SINGLE_USE_RECHARGED",
	"BANK_CONNECTION_ERROR",
	"INSUFFICIENT_FUNDS",
	"MERCHANT_BLACKLIST",
	"INVALID_CARD_DETAILS",
	"INCORRECT_PIN",
	"BANK_NOT_VERIFIED",
	"INACTIVE_ACCOUNT",
	"ACCOUNT_STATE_TRANSACTION_FAIL",
	"UNKNOWN_HOST_TIMEOUT",
	"SWITCH_INOPERATIVE_ADVICE",
	"FRAUD_ADVICE",
	NULL,
};
const char *const privacy_statuses[] = {
	"PENDING", "VOIDED",   "SETTLING", "SETTLED",
	"BOUNCED", "DECLINED", "EXPIRED",  NULL,
};
const char *const privacy_event_types[] = {
	"AUTHORIZATION", "AUTHORIZATION_ADVICE",
	"CLEARING",	 "VOID",
	"RETURN",	 NULL,
};

const char *privacy_result(enum decline_reason reason)
{
	switch (reason) {
	case DECLINE_CARD_UNKNOWN:
	case DECLINE_CARD_EXPIRED:
	case DECLINE_EXPIRY_MISMATCH:
	case DECLINE_CVV_MISMATCH:
		return "INVALID_CARD_DETAILS";
	case DECLINE_ACCOUNT_SUSPENDED:
		return "INACTIVE_ACCOUNT";
	case DECLINE_CARD_PENDING:
	case DECLINE_CARD_FROZEN:
		return "CARD_PAUSED";
	case DECLINE_CARD_TERMINATED:
		return "CARD_CLOSED";
	case DECLINE_SINGLE_USE_SPENT:
		return "SINGLE_USE_RECHARGED";
	case DECLINE_MERCHANT_LOCKED:
	case DECLINE_CATEGORY_NOT_ALLOWED:
	case DECLINE_CURRENCY_NOT_SUPPORTED:
		return "UNAUTHORIZED_MERCHANT";
	case DECLINE_COUNTRY_NOT_ALLOWED:
		return "MERCHANT_BLACKLIST";
	case DECLINE_TRANSACTION_LIMIT:
	case DECLINE_DAILY_LIMIT:
	case DECLINE_WEEKLY_LIMIT:
	case DECLINE_MONTHLY_LIMIT:
	case DECLINE_YEARLY_LIMIT:
	case DECLINE_LIFETIME_LIMIT:
	case DECLINE_COUNT_LIMIT:
		return "USER_TRANSACTION_LIMIT";
	case DECLINE_BIN_TRANSACTION_LIMIT:
		return "GLOBAL_TRANSACTION_LIMIT";
	case DECLINE_BIN_MONTHLY_LIMIT:
		return "GLOBAL_MONTHLY_LIMIT";
	case DECLINE_INSUFFICIENT_FUNDS:
		return "INSUFFICIENT_FUNDS";
	case DECLINE_COUNT:
		break;
	}
	return "UNKNOWN_HOST_TIMEOUT";
}

const char *privacy_result_of(const char *decline_reason)
{
	int reason = 0;

	if (decline_reason == NULL)
		return "APPROVED";
	while (reason < DECLINE_COUNT &&
	       strcmp(decline_info((enum decline_reason)reason)->name,
		      decline_reason) != 0)
		reason++;
	return privacy_result((enum decline_reason)reason);
}

struct word {
	const char *native, *privacy;
};

static const char *word_find(const struct word *words, size_t count,
			     const char *native)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i].native, native) == 0)
			return words[i].privacy;
	return NULL;
}

const char *privacy_status_of(const char *status, bool partly)
{
	static const struct word words[] = {
		{"pending", "PENDING"},	  {"settled", "SETTLED"},
		{"refunded", "SETTLED"},  {"voided", "VOIDED"},
		{"declined", "DECLINED"}, {"expired", "EXPIRED"},
	};

	if (partly && strcmp(status, "pending") == 0)
		return "SETTLING";
	return word_find(words, sizeof(words) / sizeof(words[0]), status);
}

const char *privacy_event_type_of(const char *type)
{
	static const struct word words[] = {
		{"authorization", "AUTHORIZATION"},
		{"increment", "AUTHORIZATION"},
		{"advice", "AUTHORIZATION_ADVICE"},
		{"clearing", "CLEARING"},
		{"force_post", "CLEARING"},
		{"reversal", "VOID"},
		{"expiry", "VOID"},
		{"release", "VOID"},
		{"refund_reversal", "VOID"},
		{"refund", "RETURN"},
	};

	return word_find(words, sizeof(words) / sizeof(words[0]), type);
}
