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
	struct card_answer answer;
};
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
enum db_result card_update_run(const struct flow *flow, void *arg,
			       enum error_code *refusal);
enum db_result card_freeze_run(const struct flow *flow, void *arg,
			       enum error_code *refusal);
enum db_result card_unfreeze_run(const struct flow *flow, void *arg,
				 enum error_code *refusal);
enum db_result card_terminate_run(const struct flow *flow, void *arg,
				  enum error_code *refusal);
enum db_result card_fund_run(const struct flow *flow, void *arg,
			     enum error_code *refusal);
enum db_result card_withdraw_run(const struct flow *flow, void *arg,
				 enum error_code *refusal);

/* Opens a card's number and computes its CVV2; leaves an audit row. */
struct card_reveal {
	const char *public_id;
	struct card_secrets secrets;
};
enum db_result card_reveal_run(const struct flow *flow, void *arg,
			       enum error_code *refusal);

#endif
