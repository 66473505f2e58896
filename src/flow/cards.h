/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_CARDS_H
#define FLOW_CARDS_H

#include "../store/cards.h"
#include "card_number.h"
#include "effect.h"

/* Bodies of effects: arg is the struct named. */

/* Issues a card: draws its id and number, seals the number. */
struct card_issue {
	struct card_new card; /* ids, number and seals are filled in */
	bool any_bin;	      /* and the BIN as well */
	struct card_answer answer;
};
/* not_found, amount_too_small (below 0), card_draws_on_wallet (one that does,
 * with an amount), invalid_parameter (expires_at), bin_not_found,
 * bin_not_available, unknown_category, limit_exceeds_bin, insufficient_funds.
 * DB_DUPLICATE: the number drawn is taken; the next try draws another. */
enum db_result card_issue_run(const struct flow *flow, void *arg,
			      enum error_code *refusal);

/* What is asked of one card, and what came of it. */
struct card_command {
	const char *public_id;
	struct money amount;	 /* fund, withdraw */
	struct card_patch patch; /* update */
	struct card_answer answer;
	struct card_limits limits;     /* of a card that has been used */
	struct card_transfer transfer; /* fund, withdraw */
};
/* Fund and withdraw leave transfer, the others answer, and all but change the
 * limits of a card that has been used. All refuse with not_found, all but
 * terminate with card_terminated; with what else, stands at each. */

/* What patch has: limit_exceeds_bin, unknown_category, metadata_too_large. */
enum db_result card_update_run(const struct flow *flow, void *arg,
			       enum error_code *refusal);
/* All that patch says of status, label, limit and window, or nothing; refused
 * as the freezing or unfreezing that it asks for. */
enum db_result card_change_run(const struct flow *flow, void *arg,
			       enum error_code *refusal);
/* card_not_active: it waits for its first funding. Frozen already is fine. */
enum db_result card_freeze_run(const struct flow *flow, void *arg,
			       enum error_code *refusal);
/* card_not_active: it waits for its first funding, is in debt, or was frozen by
 * the operator or for a deposit that fell. Active already is fine. */
enum db_result card_unfreeze_run(const struct flow *flow, void *arg,
				 enum error_code *refusal);
/* answer.refunded is what went back to the wallet: nothing the second time. */
enum db_result card_terminate_run(const struct flow *flow, void *arg,
				  enum error_code *refusal);
/* Moves amount from the wallet to the card: card_draws_on_wallet,
 * amount_too_small, insufficient_funds. */
enum db_result card_fund_run(const struct flow *flow, void *arg,
			     enum error_code *refusal);
/* And back: card_draws_on_wallet, card_not_active (never funded),
 * amount_too_small, insufficient_card_balance. */
enum db_result card_withdraw_run(const struct flow *flow, void *arg,
				 enum error_code *refusal);

/* Opens a card's number and computes its CVV2; leaves an audit row. */
struct card_reveal {
	const char *public_id;
	struct card_secrets secrets;
};
/* not_found; internal_error when the number does not open. */
enum db_result card_reveal_run(const struct flow *flow, void *arg,
			       enum error_code *refusal);

/*
 * Opens the numbers of some of the wallet's cards for one reply, which leaves
 * one audit row of that action; *secrets has as many, in the arena. Needs no
 * effect around it: what is noted is noted before a number is handed out.
 */
enum error_code card_numbers_open(const struct flow *flow, const char *action,
				  const struct card_row *cards, size_t count,
				  struct card_secrets **secrets);

#endif
