/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/core/decide.h"

#include <stdio.h>
#include <string.h>

#include "../../src/base/clock.h"
#include "suite.h"

/* The rules in the declared order, and what the network is told of each
 * (docs: the life of a card payment, 3). */
static const struct {
	const char *name, *response;
} declared[] = {
	{"card_unknown", "14"},		  {"card_expired", "54"},
	{"expiry_mismatch", "54"},	  {"cvv_mismatch", "82"},
	{"account_suspended", "62"},	  {"card_pending", "62"},
	{"card_terminated", "62"},	  {"card_frozen", "62"},
	{"single_use_spent", "57"},	  {"merchant_locked", "57"},
	{"category_not_allowed", "57"},	  {"country_not_allowed", "57"},
	{"currency_not_supported", "57"}, {"transaction_limit", "61"},
	{"bin_transaction_limit", "61"},  {"daily_limit", "61"},
	{"weekly_limit", "61"},		  {"monthly_limit", "61"},
	{"yearly_limit", "61"},		  {"lifetime_limit", "61"},
	{"bin_monthly_limit", "61"},	  {"count_limit", "65"},
	{"insufficient_funds", "51"},
};
#define RULES ((int)(sizeof(declared) / sizeof(declared[0])))

#define AMOUNT 10000 /* what is asked for, in cents */

static const struct date expiry_date = {2029, 4, 30};

/* A purchase that nothing speaks against. */
static struct decide_facts facts_make(void)
{
	return (struct decide_facts){
		.now = time_from_date((struct date){2026, 4, 15}),
		.amount = MONEY_USD(AMOUNT),
		.earlier = MONEY_USD(0),
		.cvv = CVV_MATCHES,
		.exp_month = 4,
		.exp_year = 2029,
		.merchant = "shop-1",
		.category = "software",
		.currency_known = true,
		.card_known = true,
		.status = CARD_ACTIVE,
		.account_active = true,
		.expires_at = time_from_date(expiry_date) + 86399,
		.allowed_categories = "[]",
		.limit = MONEY_USD(0),
		.window = LIMIT_MONTHLY,
		.limit_used = MONEY_USD(0),
		.bin_max_transaction = MONEY_USD(500000),
		.bin_max_monthly = MONEY_USD(5000000),
		.month_used = MONEY_USD(0),
		.balance = MONEY_USD(100000),
	};
}

static void limit_break(struct decide_facts *facts, enum limit_window window)
{
	facts->window = window;
	facts->limit = MONEY_USD(AMOUNT + 4999);
	facts->limit_used = MONEY_USD(5000);
	if (window == LIMIT_TRANSACTION)
		facts->limit = MONEY_USD(AMOUNT - 1);
}

static void break_unknown(struct decide_facts *facts)
{
	facts->card_known = false;
}

static void break_expired(struct decide_facts *facts)
{
	facts->now = facts->expires_at + 1;
}

static void break_expiry(struct decide_facts *facts)
{
	facts->exp_month = 5;
}

static void break_cvv(struct decide_facts *facts)
{
	facts->cvv = CVV_DIFFERS;
}

static void break_account(struct decide_facts *facts)
{
	facts->account_active = false;
}

static void break_pending(struct decide_facts *facts)
{
	facts->status = CARD_PENDING_TOP_UP;
}

static void break_terminated(struct decide_facts *facts)
{
	facts->status = CARD_TERMINATED;
}

static void break_frozen(struct decide_facts *facts)
{
	facts->status = CARD_FROZEN;
}

static void break_single_use(struct decide_facts *facts)
{
	facts->single_use = true;
	facts->single_use_spent = true;
}

static void break_merchant(struct decide_facts *facts)
{
	facts->merchant_locked = true;
	facts->locked_merchant = "shop-2";
}

static void break_category(struct decide_facts *facts)
{
	facts->allowed_categories = "[\"travel\",\"dining\"]";
}

static void break_country(struct decide_facts *facts)
{
	facts->country_blocked = true;
}

static void break_currency(struct decide_facts *facts)
{
	facts->currency_known = false;
}

static void break_transaction(struct decide_facts *facts)
{
	limit_break(facts, LIMIT_TRANSACTION);
}

static void break_bin_transaction(struct decide_facts *facts)
{
	facts->bin_max_transaction = MONEY_USD(AMOUNT - 1);
}

static void break_daily(struct decide_facts *facts)
{
	limit_break(facts, LIMIT_DAILY);
}

static void break_weekly(struct decide_facts *facts)
{
	limit_break(facts, LIMIT_WEEKLY);
}

static void break_monthly(struct decide_facts *facts)
{
	limit_break(facts, LIMIT_MONTHLY);
}

static void break_yearly(struct decide_facts *facts)
{
	limit_break(facts, LIMIT_YEARLY);
}

static void break_lifetime(struct decide_facts *facts)
{
	limit_break(facts, LIMIT_FOREVER);
}

static void break_bin_monthly(struct decide_facts *facts)
{
	facts->month_used = MONEY_USD(5000000 - AMOUNT + 1);
}

static void break_count(struct decide_facts *facts)
{
	facts->count_limit = 3;
	facts->count_used = 3;
}

static void break_funds(struct decide_facts *facts)
{
	facts->balance = MONEY_USD(AMOUNT - 1);
}

/* A card has one status and one limit: of each group at most one rule can
 * fail. Group 0 goes with everything. */
enum group {
	FREE,
	STATUS,
	WINDOW
};

static const struct breaker {
	enum group group;
	void (*apply)(struct decide_facts *facts);
} breakers[] = {
	{FREE, break_unknown},	       {FREE, break_expired},
	{FREE, break_expiry},	       {FREE, break_cvv},
	{FREE, break_account},	       {STATUS, break_pending},
	{STATUS, break_terminated},    {STATUS, break_frozen},
	{FREE, break_single_use},      {FREE, break_merchant},
	{FREE, break_category},	       {FREE, break_country},
	{FREE, break_currency},	       {WINDOW, break_transaction},
	{FREE, break_bin_transaction}, {WINDOW, break_daily},
	{WINDOW, break_weekly},	       {WINDOW, break_monthly},
	{WINDOW, break_yearly},	       {WINDOW, break_lifetime},
	{FREE, break_bin_monthly},     {FREE, break_count},
	{FREE, break_funds},
};

static bool together(int a, int b)
{
	return breakers[a].group == FREE ||
	       breakers[a].group != breakers[b].group;
}

static uint32_t bit(int rule)
{
	return UINT32_C(1) << rule;
}

static void check_approved(const struct decision *decision, int64_t cents)
{
	ck_assert_msg(decision->approved, "declined %s",
		      declared[decision->verdict % RULES].name);
	ck_assert_int_eq(decision->approved_amount.cents, cents);
	ck_assert_int_eq(decision->verdict, DECLINE_COUNT);
	ck_assert_str_eq(decision->response_code, "00");
}

static void check_declined(const struct decision *decision, int verdict,
			   uint32_t failed)
{
	ck_assert(!decision->approved);
	ck_assert_msg((int)decision->verdict == verdict, "%s, not %s",
		      declared[decision->verdict % RULES].name,
		      declared[verdict].name);
	ck_assert_uint_eq(decision->failed, failed);
	ck_assert_int_eq(decision->approved_amount.cents, 0);
	ck_assert_str_eq(decision->response_code, declared[verdict].response);
	for (int i = 0; i < RULES; i++) {
		ck_assert(decision->rules[i].failed == !!(failed & bit(i)));
		ck_assert(!decision->rules[i].failed ||
			  decision->rules[i].applies);
	}
}

static struct decision decide_now(const struct decide_facts *facts)
{
	struct decision decision;

	memset(&decision, 0xa5, sizeof(decision));
	decide(facts, &decision);
	return decision;
}

static void check_one(const struct decide_facts *facts, int rule)
{
	struct decision decision = decide_now(facts);

	if (rule < 0)
		check_approved(&decision, AMOUNT);
	else
		check_declined(&decision, rule, bit(rule));
}

START_TEST(the_declared_order)
{
	ck_assert_int_eq(DECLINE_COUNT, RULES);
	ck_assert_int_eq(sizeof(breakers) / sizeof(breakers[0]), RULES);
	for (int i = 0; i < RULES; i++) {
		const struct decline_info *info =
			decline_info((enum decline_reason)i);

		ck_assert_str_eq(info->name, declared[i].name);
		ck_assert_str_eq(info->response, declared[i].response);
		ck_assert_int_eq(info->rule[strlen(info->rule) - 1], '.');
	}
}
END_TEST

START_TEST(nothing_fails)
{
	struct decide_facts facts = facts_make();

	check_one(&facts, -1);
}
END_TEST

START_TEST(each_alone)
{
	for (int i = 0; i < RULES; i++) {
		struct decide_facts facts = facts_make();

		breakers[i].apply(&facts);
		check_one(&facts, i);
	}
}
END_TEST

START_TEST(each_pair_in_order)
{
	for (int i = 1; i < RULES; i++) {
		for (int j = i + 1; j < RULES; j++) {
			struct decide_facts facts = facts_make();
			struct decision decision;

			if (!together(i, j))
				continue;
			breakers[j].apply(&facts);
			breakers[i].apply(&facts);
			decision = decide_now(&facts);
			check_declined(&decision, i, bit(i) | bit(j));
		}
	}
}
END_TEST

START_TEST(an_unknown_card_is_not_looked_at)
{
	for (int i = 1; i < RULES; i++) {
		struct decide_facts facts = facts_make();

		breakers[i].apply(&facts);
		break_unknown(&facts);
		check_one(&facts, 0);
	}
	/* Nor is what points nowhere then. */
	struct decide_facts facts = {
		.amount = MONEY_USD(AMOUNT),
		.earlier = MONEY_USD(0),
		.partial_capable = true,
		.balance = MONEY_USD(1),
	};
	check_one(&facts, 0);
}
END_TEST

/* Every set of rules that can fail together: about 230,000. */
START_TEST(each_set)
{
	uint32_t status = bit(5) | bit(6) | bit(7), window = 0;
	long sets = 0;

	for (int i = 0; i < RULES; i++)
		if (breakers[i].group == WINDOW)
			window |= bit(i);
	for (uint32_t set = 2; set < bit(RULES); set += 2) {
		struct decide_facts facts;
		struct decision decision;

		if ((set & status & ((set & status) - 1)) != 0 ||
		    (set & window & ((set & window) - 1)) != 0)
			continue;
		facts = facts_make();
		for (int i = 1; i < RULES; i++)
			if (set & bit(i))
				breakers[i].apply(&facts);
		decision = decide_now(&facts);
		if (decision.approved || decision.failed != set ||
		    decision.verdict != (enum decline_reason)__builtin_ctz(set))
			ck_abort_msg("set %#x: failed %#x, verdict %d", set,
				     decision.failed, decision.verdict);
		sets++;
	}
	ck_assert_int_eq(sets, 4 * 7 * 8192 - 1);
}
END_TEST

/* What is left fits to the cent, and one cent more does not. */
START_TEST(limits_to_the_cent)
{
	static const int rules[LIMIT_WINDOWS] = {13, 15, 16, 17, 18, 19};

	for (int w = 0; w < LIMIT_WINDOWS; w++) {
		struct decide_facts facts = facts_make();

		facts.window = (enum limit_window)w;
		facts.limit = MONEY_USD(AMOUNT);
		check_one(&facts, -1);
		facts.amount.cents++;
		check_one(&facts, rules[w]);
		facts.amount.cents--;
		facts.limit_used = MONEY_USD(1);
		/* What was used before says nothing of one transaction. */
		check_one(&facts, w == LIMIT_TRANSACTION ? -1 : rules[w]);
		facts.limit = MONEY_USD(AMOUNT + 1);
		check_one(&facts, -1);
		facts.limit = MONEY_USD(0); /* none */
		facts.limit_used = MONEY_USD(1000000);
		check_one(&facts, -1);
	}
}
END_TEST

/* A limit that has been lowered below its use leaves nothing, not less. */
START_TEST(limits_below_their_use)
{
	struct decide_facts facts = facts_make();
	struct decision decision;

	facts.limit = MONEY_USD(500);
	facts.limit_used = MONEY_USD(90000);
	decision = decide_now(&facts);
	check_declined(&decision, DECLINE_MONTHLY_LIMIT,
		       bit(DECLINE_MONTHLY_LIMIT));
	ck_assert_int_eq(decision.rules[DECLINE_MONTHLY_LIMIT].room.cents, 0);
	ck_assert_int_eq(decision.rules[DECLINE_MONTHLY_LIMIT].asked.cents,
			 AMOUNT);
}
END_TEST

START_TEST(bin_limits_to_the_cent)
{
	struct decide_facts facts = facts_make();

	facts.bin_max_transaction = MONEY_USD(AMOUNT);
	check_one(&facts, -1);
	facts.bin_max_transaction = MONEY_USD(AMOUNT - 1);
	check_one(&facts, DECLINE_BIN_TRANSACTION_LIMIT);
	facts = facts_make();
	facts.bin_max_monthly = MONEY_USD(AMOUNT + 700);
	facts.month_used = MONEY_USD(700);
	check_one(&facts, -1);
	facts.month_used = MONEY_USD(701);
	check_one(&facts, DECLINE_BIN_MONTHLY_LIMIT);
}
END_TEST

START_TEST(funds_to_the_cent)
{
	struct decide_facts facts = facts_make();

	facts.balance = MONEY_USD(AMOUNT);
	check_one(&facts, -1);
	facts.balance = MONEY_USD(AMOUNT - 1);
	check_one(&facts, DECLINE_INSUFFICIENT_FUNDS);
	facts.balance = MONEY_USD(0);
	check_one(&facts, DECLINE_INSUFFICIENT_FUNDS);
	facts.balance = MONEY_USD(-1);
	check_one(&facts, DECLINE_INSUFFICIENT_FUNDS);
	facts.amount = MONEY_USD(MONEY_MAX_CENTS);
	facts.balance = MONEY_USD(AMOUNT);
	facts.bin_max_transaction = MONEY_USD(MONEY_MAX_CENTS);
	facts.bin_max_monthly = MONEY_USD(MONEY_MAX_CENTS);
	check_one(&facts, DECLINE_INSUFFICIENT_FUNDS);
}
END_TEST

START_TEST(counts)
{
	struct decide_facts facts = facts_make();

	facts.count_used = 1000; /* no limit */
	check_one(&facts, -1);
	facts.count_limit = 1001;
	check_one(&facts, -1);
	facts.count_limit = 1000;
	check_one(&facts, DECLINE_COUNT_LIMIT);
	facts.count_limit = 1;
	facts.count_used = 0;
	check_one(&facts, -1);
}
END_TEST

START_TEST(expiry)
{
	struct decide_facts facts = facts_make();

	facts.now = facts.expires_at; /* its last second */
	check_one(&facts, -1);
	facts.now++;
	check_one(&facts, DECLINE_CARD_EXPIRED);
	facts = facts_make();
	facts.exp_year = 29;
	check_one(&facts, -1);
	facts.exp_year = 30;
	check_one(&facts, DECLINE_EXPIRY_MISMATCH);
	facts.exp_year = 2129;
	check_one(&facts, DECLINE_EXPIRY_MISMATCH);
	facts.exp_month = facts.exp_year = 0; /* not given */
	check_one(&facts, -1);
	/* One of them alone. */
	facts.exp_month = 4;
	check_one(&facts, -1);
	facts.exp_month = 5;
	check_one(&facts, DECLINE_EXPIRY_MISMATCH);
	facts.exp_month = 0;
	facts.exp_year = 2029;
	check_one(&facts, -1);
	facts.exp_year = 29;
	check_one(&facts, -1);
	facts.exp_year = 28;
	check_one(&facts, DECLINE_EXPIRY_MISMATCH);
}
END_TEST

START_TEST(cvv)
{
	struct decide_facts facts = facts_make();

	facts.cvv = CVV_NOT_GIVEN;
	check_one(&facts, -1);
}
END_TEST

START_TEST(merchants)
{
	struct decide_facts facts = facts_make();

	facts.merchant_locked = true;
	check_one(&facts, -1); /* not bound yet */
	facts.locked_merchant = "shop-1";
	check_one(&facts, -1);
	facts.locked_merchant = "shop-10";
	check_one(&facts, DECLINE_MERCHANT_LOCKED);
	facts.locked_merchant = "Shop-1";
	check_one(&facts, DECLINE_MERCHANT_LOCKED);
	facts.merchant_locked = false;
	check_one(&facts, -1);
}
END_TEST

START_TEST(categories)
{
	static const struct {
		const char *list;
		bool allowed;
	} lists[] = {
		{"[]", true},
		{"[ ]", true},
		{"[\"software\"]", true},
		{"[\"travel\",\"software\"]", true},
		{"[\"travel\", \"software\", \"dining\"]", true},
		{"[\"softwar\"]", false},
		{"[\"software_x\"]", false},
		{"[\"x_software\"]", false},
		{"[\"travel\", \"dining\"]", false},
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct decide_facts facts = facts_make();

		facts.allowed_categories = lists[i].list;
		check_one(&facts,
			  lists[i].allowed ? -1 : DECLINE_CATEGORY_NOT_ALLOWED);
	}
}
END_TEST

START_TEST(single_use)
{
	struct decide_facts facts = facts_make();

	facts.single_use = true;
	check_one(&facts, -1);
	facts.single_use_spent = true;
	check_one(&facts, DECLINE_SINGLE_USE_SPENT);
	facts.single_use = false;
	check_one(&facts, -1);
}
END_TEST

/* An increment adds to a purchase: what looks at one purchase sees the whole,
 * what looks at all of them the rest, and it is no use of its own. */
START_TEST(increments)
{
	struct decide_facts facts = facts_make();

	facts.earlier = MONEY_USD(2000);
	check_one(&facts, -1);
	facts.bin_max_transaction = MONEY_USD(AMOUNT + 2000);
	check_one(&facts, -1);
	facts.bin_max_transaction.cents--;
	check_one(&facts, DECLINE_BIN_TRANSACTION_LIMIT);

	facts = facts_make();
	facts.earlier = MONEY_USD(2000);
	facts.window = LIMIT_TRANSACTION;
	facts.limit = MONEY_USD(AMOUNT + 2000);
	check_one(&facts, -1);
	facts.limit.cents--;
	check_one(&facts, DECLINE_TRANSACTION_LIMIT);

	/* Here it is among what is used. */
	facts.window = LIMIT_DAILY;
	facts.limit_used = MONEY_USD(2000);
	check_one(&facts, DECLINE_DAILY_LIMIT);
	facts.limit.cents++;
	check_one(&facts, -1);

	facts = facts_make();
	facts.earlier = MONEY_USD(2000);
	break_single_use(&facts);
	check_one(&facts, -1);
	facts = facts_make();
	facts.earlier = MONEY_USD(2000);
	break_count(&facts);
	check_one(&facts, -1);

	facts = facts_make();
	facts.earlier = MONEY_USD(2000);
	facts.balance = MONEY_USD(AMOUNT);
	check_one(&facts, -1);
	facts.balance.cents--;
	check_one(&facts, DECLINE_INSUFFICIENT_FUNDS);
	facts.earlier = MONEY_USD(MONEY_MAX_CENTS);
	facts.balance = MONEY_USD(AMOUNT);
	ck_assert(decide_now(&facts).approved ||
		  decide_now(&facts).verdict == DECLINE_BIN_TRANSACTION_LIMIT);
}
END_TEST

/* Rules about the card hold for a question about the card; those about money
 * do not. */
START_TEST(verifications)
{
	for (int i = 0; i < RULES; i++) {
		struct decide_facts facts = facts_make();
		struct decision decision;

		facts.verification = true;
		facts.amount = MONEY_USD(0);
		breakers[i].apply(&facts);
		decision = decide_now(&facts);
		if (i <= DECLINE_CURRENCY_NOT_SUPPORTED)
			check_declined(&decision, i, bit(i));
		else
			check_approved(&decision, 0);
	}
}
END_TEST

START_TEST(zero_dollars_are_a_verification)
{
	struct decide_facts facts = facts_make();
	struct decision decision;

	facts.amount = MONEY_USD(0);
	facts.balance = MONEY_USD(-500);
	facts.count_limit = facts.count_used = 2;
	facts.limit = MONEY_USD(1);
	facts.limit_used = MONEY_USD(900);
	decision = decide_now(&facts);
	check_approved(&decision, 0);
}
END_TEST

START_TEST(partial_approvals)
{
	struct decide_facts facts = facts_make();
	struct decision decision;

	facts.partial_capable = true;
	check_one(&facts, -1); /* in full where there is enough */
	facts.balance = MONEY_USD(AMOUNT - 1);
	decision = decide_now(&facts);
	ck_assert(decision.approved);
	ck_assert_str_eq(decision.response_code, "10");
	ck_assert_int_eq(decision.approved_amount.cents, AMOUNT - 1);
	ck_assert_int_eq(decision.verdict, DECLINE_COUNT);
	facts.balance = MONEY_USD(1);
	ck_assert_int_eq(decide_now(&facts).approved_amount.cents, 1);
	/* Nothing is no part, and less than nothing neither. */
	facts.balance = MONEY_USD(0);
	check_one(&facts, DECLINE_INSUFFICIENT_FUNDS);
	facts.balance = MONEY_USD(-1);
	check_one(&facts, DECLINE_INSUFFICIENT_FUNDS);
	/* The terminal must be able to. */
	facts.balance = MONEY_USD(1);
	facts.partial_capable = false;
	check_one(&facts, DECLINE_INSUFFICIENT_FUNDS);
}
END_TEST

START_TEST(only_funds_are_approved_in_part)
{
	for (int i = 1; i < DECLINE_INSUFFICIENT_FUNDS; i++) {
		struct decide_facts facts = facts_make();
		struct decision decision;

		facts.partial_capable = true;
		breakers[i].apply(&facts);
		check_one(&facts, i);
		break_funds(&facts);
		decision = decide_now(&facts);
		check_declined(&decision, i,
			       bit(i) | bit(DECLINE_INSUFFICIENT_FUNDS));
	}
}
END_TEST

/* What explain shows. */
START_TEST(what_was_compared)
{
	struct decide_facts facts = facts_make();
	struct decision decision;
	const struct rule_trace *rule;

	limit_break(&facts, LIMIT_WEEKLY);
	facts.count_limit = 7;
	facts.count_used = 2;
	facts.merchant_locked = true;
	facts.locked_merchant = "shop-1";
	decision = decide_now(&facts);
	rule = &decision.rules[DECLINE_WEEKLY_LIMIT];
	ck_assert_int_eq(rule->kind, TRACE_MONEY);
	ck_assert_int_eq(rule->asked.cents, AMOUNT);
	ck_assert_int_eq(rule->room.cents, AMOUNT - 1);
	rule = &decision.rules[DECLINE_COUNT_LIMIT];
	ck_assert_int_eq(rule->kind, TRACE_COUNT);
	ck_assert_int_eq(rule->used, 2);
	ck_assert_int_eq(rule->limit, 7);
	ck_assert(!rule->failed);
	rule = &decision.rules[DECLINE_MERCHANT_LOCKED];
	ck_assert_int_eq(rule->kind, TRACE_TEXT);
	ck_assert_str_eq(rule->given, "shop-1");
	ck_assert_str_eq(rule->expected, "shop-1");
	rule = &decision.rules[DECLINE_INSUFFICIENT_FUNDS];
	ck_assert(rule->applies && !rule->failed);
	ck_assert_int_eq(rule->room.cents, 100000);
	ck_assert(!decision.rules[DECLINE_DAILY_LIMIT].applies);
	ck_assert(!decision.rules[DECLINE_MONTHLY_LIMIT].applies);
}
END_TEST

START_TEST(window_names)
{
	static const char *const names[] = {"transaction", "daily",  "weekly",
					    "monthly",	   "yearly", "forever"};

	ck_assert_int_eq(LIMIT_WINDOWS, 6);
	for (int i = 0; i < LIMIT_WINDOWS; i++)
		ck_assert_str_eq(limit_window_names[i], names[i]);
	ck_assert_ptr_null(limit_window_names[LIMIT_WINDOWS]);
}
END_TEST

START_TEST(currencies)
{
	static const char *const known[] = {
		"AED", "AFN", "ARS", "AUD", "BHD", "BRL", "CAD", "CHE", "CHF",
		"CLF", "CLP", "CNY", "COP", "CZK", "DKK", "EGP", "EUR", "GBP",
		"GEL", "HKD", "HUF", "IDR", "ILS", "INR", "ISK", "JOD", "JPY",
		"KES", "KRW", "KWD", "KZT", "LKR", "LYD", "MAD", "MRU", "MXN",
		"MYR", "NGN", "NOK", "NZD", "OMR", "PEN", "PHP", "PKR", "PLN",
		"QAR", "RON", "RSD", "RUB", "SAR", "SEK", "SGD", "SLE", "SSP",
		"STN", "THB", "TND", "TRY", "TWD", "UAH", "USD", "UYU", "UZS",
		"VED", "VES", "VND", "XAF", "XAG", "XAU", "XCD", "XDR", "XOF",
		"XPD", "XPF", "XPT", "YER", "ZAR", "ZMW"};
	/* Gone, never there, or not written so. */
	static const char *const unknown[] = {
		"",    "U",   "US",   "USDD", "usd",   "Usd",	 "DEM", "FRF",
		"ITL", "EEK", "HRK",  "ZWD",  "SLL",   "BYR",	 "BTC", "ETH",
		"XX",  "X",   "XTS",  "AAA",  "ZZZ",   " US",	 "SD ", "D A",
		"ED ", "U D", "EUR ", "EURO", "ED AF", "AFN ALL"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		ck_assert_msg(currency_known(known[i]), "%s", known[i]);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		ck_assert_msg(!currency_known(unknown[i]), "%s", unknown[i]);
}
END_TEST

/* Of all 26³ codes those of the list, in either table's words. */
START_TEST(as_many_currencies_as_the_list_has)
{
	char code[4] = "";
	int count = 0;

	for (code[0] = 'A'; code[0] <= 'Z'; code[0]++)
		for (code[1] = 'A'; code[1] <= 'Z'; code[1]++)
			for (code[2] = 'A'; code[2] <= 'Z'; code[2]++)
				count += currency_known(code);
	ck_assert_int_ge(count, 174);
	ck_assert_int_le(count, 180);
}
END_TEST

SUITE("decide", the_declared_order, nothing_fails, each_alone,
      each_pair_in_order, an_unknown_card_is_not_looked_at, each_set,
      limits_to_the_cent, limits_below_their_use, bin_limits_to_the_cent,
      funds_to_the_cent, counts, expiry, cvv, merchants, categories, single_use,
      increments, verifications, zero_dollars_are_a_verification,
      partial_approvals, only_funds_are_approved_in_part, what_was_compared,
      window_names, currencies, as_many_currencies_as_the_list_has)
