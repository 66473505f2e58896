/* SPDX-License-Identifier: Apache-2.0 */
#include "decide.h"

#include <stddef.h>
#include <string.h>

#include "../base/clock.h"

const char *const limit_window_names[] = {
	"transaction", "daily", "weekly", "monthly", "yearly", "forever", NULL};

const struct decline_info *decline_info(enum decline_reason reason)
{
	static const struct decline_info table[DECLINE_COUNT] = {
#define DECLINE(symbol, name, response, rule)                                  \
	[DECLINE_##symbol] = {name, response, rule},
#include "decline.def"
#undef DECLINE
	};

	return &table[reason];
}

static struct rule_trace plain(bool failed)
{
	return (struct rule_trace){.applies = true, .failed = failed};
}

static struct rule_trace text(bool failed, const char *given,
			      const char *expected)
{
	return (struct rule_trace){
		.applies = true,
		.failed = failed,
		.kind = TRACE_TEXT,
		.given = given,
		.expected = expected,
	};
}

static struct rule_trace amount(struct money asked, struct money room)
{
	return (struct rule_trace){
		.applies = true,
		.failed = money_compare(asked, room) > 0,
		.kind = TRACE_MONEY,
		.asked = asked,
		.room = room,
	};
}

/* What limit leaves after used; less than nothing counts as nothing. */
static struct money room(struct money limit, struct money used)
{
	struct money left = MONEY_USD(0);

	if (!money_sub(&left, limit, used) || money_sign(left) < 0)
		return MONEY_USD(0);
	return left;
}

/* What the one purchase comes to, with what it uses already. */
static struct money whole_amount(const struct decide_facts *facts)
{
	struct money whole = facts->amount;

	/* Out of range is beyond any limit as it stands. */
	if (!money_add(&whole, facts->amount, facts->earlier))
		return facts->amount;
	return whole;
}

static bool expiry_differs(const struct decide_facts *facts)
{
	struct date expiry = date_of(facts->expires_at);
	int64_t month = facts->exp_month, year = facts->exp_year;

	if (year != 0 && year < 100)
		year += 2000;
	return (month != 0 && month != expiry.month) ||
	       (year != 0 && year != expiry.year);
}

/* Names are lower-case words, so their quoted form stands in the JSON text
 * exactly where they are an item. */
static bool category_allowed(const char *list, const char *category)
{
	size_t len = strlen(category);

	if (strchr(list, '"') == NULL)
		return true;
	for (const char *p = list; (p = strchr(p, '"')) != NULL;) {
		const char *end = strchr(++p, '"');

		if (end == NULL)
			return false;
		if ((size_t)(end - p) == len && memcmp(p, category, len) == 0)
			return true;
		p = end + 1;
	}
	return false;
}

static void check_card(const struct decide_facts *facts,
		       struct rule_trace *rules)
{
	rules[DECLINE_CARD_EXPIRED] = plain(facts->now > facts->expires_at);
	rules[DECLINE_EXPIRY_MISMATCH] = plain(expiry_differs(facts));
	rules[DECLINE_CVV_MISMATCH] = plain(facts->cvv == CVV_DIFFERS);
	rules[DECLINE_ACCOUNT_SUSPENDED] = plain(!facts->account_active);
	rules[DECLINE_CARD_PENDING] =
		plain(facts->status == CARD_PENDING_TOP_UP);
	rules[DECLINE_CARD_TERMINATED] =
		plain(facts->status == CARD_TERMINATED);
	rules[DECLINE_CARD_FROZEN] = plain(facts->status == CARD_FROZEN);
	rules[DECLINE_SINGLE_USE_SPENT] =
		plain(facts->single_use && facts->single_use_spent &&
		      money_is_zero(facts->earlier));
}

static void check_merchant(const struct decide_facts *facts,
			   struct rule_trace *rules)
{
	const char *bound = facts->locked_merchant;

	rules[DECLINE_MERCHANT_LOCKED] =
		text(facts->merchant_locked && bound != NULL &&
			     strcmp(bound, facts->merchant) != 0,
		     facts->merchant, bound);
	rules[DECLINE_CATEGORY_NOT_ALLOWED] = text(
		!category_allowed(facts->allowed_categories, facts->category),
		facts->category, NULL);
	rules[DECLINE_COUNTRY_NOT_ALLOWED] = plain(facts->country_blocked);
	rules[DECLINE_CURRENCY_NOT_SUPPORTED] = plain(!facts->currency_known);
}

static enum decline_reason window_rule(enum limit_window window)
{
	static const enum decline_reason rules[LIMIT_WINDOWS] = {
		[LIMIT_TRANSACTION] = DECLINE_TRANSACTION_LIMIT,
		[LIMIT_DAILY] = DECLINE_DAILY_LIMIT,
		[LIMIT_WEEKLY] = DECLINE_WEEKLY_LIMIT,
		[LIMIT_MONTHLY] = DECLINE_MONTHLY_LIMIT,
		[LIMIT_YEARLY] = DECLINE_YEARLY_LIMIT,
		[LIMIT_FOREVER] = DECLINE_LIFETIME_LIMIT,
	};

	return rules[window];
}

static void check_amount(const struct decide_facts *facts,
			 struct rule_trace *rules)
{
	struct money whole = whole_amount(facts);

	if (facts->verification || money_is_zero(facts->amount))
		return;
	if (!money_is_zero(facts->limit))
		rules[window_rule(facts->window)] =
			facts->window == LIMIT_TRANSACTION
				? amount(whole, facts->limit)
				: amount(facts->amount,
					 room(facts->limit, facts->limit_used));
	rules[DECLINE_BIN_TRANSACTION_LIMIT] =
		amount(whole, facts->bin_max_transaction);
	rules[DECLINE_BIN_MONTHLY_LIMIT] = amount(
		facts->amount, room(facts->bin_max_monthly, facts->month_used));
	if (facts->count_limit != 0 && money_is_zero(facts->earlier))
		rules[DECLINE_COUNT_LIMIT] = (struct rule_trace){
			.applies = true,
			.failed = facts->count_used >= facts->count_limit,
			.kind = TRACE_COUNT,
			.used = facts->count_used,
			.limit = facts->count_limit,
		};
	rules[DECLINE_INSUFFICIENT_FUNDS] =
		amount(facts->amount, facts->balance);
}

static void approve(const struct decide_facts *facts, struct decision *decision)
{
	decision->approved = true;
	decision->verdict = DECLINE_COUNT;
	decision->response_code = "00";
	decision->approved_amount =
		facts->verification ? MONEY_USD(0) : facts->amount;
}

static bool partly(const struct decide_facts *facts,
		   const struct decision *decision)
{
	return facts->partial_capable &&
	       decision->failed == UINT32_C(1) << DECLINE_INSUFFICIENT_FUNDS &&
	       money_sign(facts->balance) > 0;
}

void decide(const struct decide_facts *facts, struct decision *decision)
{
	*decision = (struct decision){
		.verdict = DECLINE_COUNT,
		.approved_amount = MONEY_USD(0),
	};
	decision->rules[DECLINE_CARD_UNKNOWN] = plain(!facts->card_known);
	if (facts->card_known) {
		check_card(facts, decision->rules);
		check_merchant(facts, decision->rules);
		check_amount(facts, decision->rules);
	}
	for (int i = DECLINE_COUNT - 1; i >= 0; i--) {
		if (!decision->rules[i].failed)
			continue;
		decision->failed |= UINT32_C(1) << i;
		decision->verdict = (enum decline_reason)i;
	}
	if (decision->failed == 0) {
		approve(facts, decision);
	} else if (partly(facts, decision)) {
		approve(facts, decision);
		decision->approved_amount = facts->balance;
		decision->response_code = "10";
	} else {
		decision->response_code =
			decline_info(decision->verdict)->response;
	}
}

/* ISO 4217 list one, funds and metals included. */
static const char currencies[] =
	"AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD "
	"BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY "
	"COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP "
	"GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK "
	"JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL "
	"LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD "
	"NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB "
	"RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB "
	"TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED "
	"VES VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XDR XOF XPD XPF XPT "
	"XSU XUA YER ZAR ZMW ZWG";

bool currency_known(const char *code)
{
	if (strlen(code) != 3)
		return false;
	for (const char *p = currencies; *p != '\0'; p += p[3] == '\0' ? 3 : 4)
		if (memcmp(p, code, 3) == 0)
			return true;
	return false;
}
