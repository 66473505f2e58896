/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_DEPOSITS_H
#define FLOW_DEPOSITS_H

#include "../store/wallets.h"
#include "effect.h"

/* Bodies of effects: arg is the struct named. */

/* A deposit that the sandbox's chain brings, or a change to a pending one. */
struct deposit_command {
	struct deposit_new deposit;
	const char *deposit_id; /* a pending one */
	const char *action;	/* "confirm" or "expire" it */
	struct deposit_row row;
};
/* test_mode_only. Of a new one: invalid_parameter (the currency),
 * amount_too_small, amount_too_large; of another: not_found,
 * deposit_not_pending. */
enum db_result deposit_simulate_run(const struct flow *flow, void *arg,
				    enum error_code *refusal);

/* Moves a test wallet's time on by seconds; what comes due with it has happened
 * when it returns. test_mode_only; invalid_parameter below 0, and for more
 * than a date can hold. */
struct clock_command {
	int64_t advance_s;
	struct clock_row row;
};
enum db_result clock_advance_run(const struct flow *flow, void *arg,
				 enum error_code *refusal);

/* The wallet's addresses: of one currency, or of all that have one ready. */
struct address_command {
	const char *currency; /* NULL: all */
	struct currency_row *currencies;
	const char **addresses; /* beside currencies; NULL: none ready */
	size_t count;
};
/* An address is taken from the pool where the wallet has none.
 * invalid_parameter for an unknown currency, address_pool_empty where none of
 * those asked for has one. */
enum db_result addresses_take_run(const struct flow *flow, void *arg,
				  enum error_code *refusal);

#endif
