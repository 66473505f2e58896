/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DECIDE_H
#define CORE_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/money.h"
#include "card.h"

enum decline_reason {
#define DECLINE(symbol, name, response, rule) DECLINE_##symbol,
#include "decline.def"
#undef DECLINE
	DECLINE_COUNT
};

struct decline_info {
	const char *name;     /* wire name */
	const char *response; /* ISO 8583 field 39, two characters */
	const char *rule;     /* what the rule asks, a sentence */
};
const struct decline_info *decline_info(enum decline_reason reason);

/* What a card's one limit looks back on; names in enum order, NULL at the
 * end. Which use lies in a window is the database's to say. */
enum limit_window {
	LIMIT_TRANSACTION,
	LIMIT_DAILY,
	LIMIT_WEEKLY,
	LIMIT_MONTHLY,
	LIMIT_YEARLY,
	LIMIT_FOREVER,
	LIMIT_WINDOWS
};
extern const char *const limit_window_names[];

enum cvv_check {
	CVV_NOT_GIVEN,
	CVV_MATCHES,
	CVV_DIFFERS
};

/* All that a decision depends on; amounts in US dollars, moments in Unix
 * seconds. */
struct decide_facts {
	/* The request. */
	int64_t now;
	struct money amount;  /* asked for; of an increment, what it adds */
	struct money earlier; /* of an increment: what the purchase, cleared
			       * or not, uses already; the windows have it */
	bool verification;    /* asks about the card, not for money */
	bool partial_capable; /* the terminal takes less than it asked for */
	int64_t exp_month, exp_year; /* 0: not given; year of 2 or 4 digits */
	enum cvv_check cvv;
	const char *merchant; /* id, or name where there is no id */
	const char *category; /* of the MCC */
	bool country_blocked, currency_known;
	/* The card; the rest is not looked at when it is unknown. */
	bool card_known;
	enum card_status status;
	bool account_active;
	int64_t expires_at;
	bool single_use, single_use_spent, merchant_locked;
	const char *locked_merchant;	/* NULL: not bound yet */
	const char *allowed_categories; /* JSON list of names; "[]": all */
	struct money limit;		/* zero: none */
	enum limit_window window;
	struct money limit_used; /* in the window, so below */
	struct money bin_max_transaction, bin_max_monthly, month_used;
	int64_t count_limit, count_used; /* limit 0: none */
	struct money balance;
};

/* How one rule came out, and what it compared. */
struct rule_trace {
	bool applies, failed;
	enum {
		TRACE_PLAIN, /* nothing to show */
		TRACE_MONEY, /* asked against room */
		TRACE_COUNT, /* used against limit */
		TRACE_TEXT,  /* given against expected */
	} kind;
	struct money asked, room;
	int64_t used, limit;
	const char *given, *expected;
};

struct decision {
	bool approved;
	struct money approved_amount; /* less than asked: a partial approval */
	const char *response_code;    /* "00", "10", or the verdict's */
	enum decline_reason verdict;  /* DECLINE_COUNT when approved */
	uint32_t failed;	      /* bit per reason */
	struct rule_trace rules[DECLINE_COUNT];
};

/*
 * Decides an authorization or an increment: every rule is looked at, the first
 * that fails is the verdict. An approval is partial only where the terminal
 * can, nothing but the funds is short, and there are some. Pure.
 */
void decide(const struct decide_facts *facts, struct decision *decision);

/* Whether code is an alphabetic code of ISO 4217 (list of 2024-06-25). */
bool currency_known(const char *code);

#endif
