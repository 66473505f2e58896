/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_PAYMENTS_H
#define FLOW_PAYMENTS_H

#include "../core/decide.h"
#include "../store/payments.h"
#include "effect.h"

/*
 * The network's messages. Each is the body of an effect whose arg is the
 * struct named; the sandbox and the network interface run the very same ones.
 * A decline is an outcome, not a refusal.
 */

struct payment_authorize {
	struct payment_card card;
	struct merchant merchant;
	struct money amount;
	bool verification, partial_capable;
	int64_t exp_month, exp_year; /* 0: not given */
	const char *cvv;	     /* NULL: not given */
	const struct money *merchant_amount;
	const char *merchant_currency, *three_ds, *network_ref;

	/* Outputs. row.public_id is NULL for an unknown card. */
	struct authorization_facts facts;
	struct decision decision;
	bool approved;
	struct money approved_amount, balance;
	const char *response_code, *authorization_code, *transaction_id,
		*decline_reason, *decline_reasons;
	struct transaction_row row;
	struct authorization_post post;
	char code[7];
};

/* In a transaction that is open already; row is read back. A reference that was
 * decided before gives the first answer. not_found: no such card. */
enum db_result payment_authorize_run(const struct flow *flow, void *arg,
				     enum error_code *refusal);
/* The network's: a transaction of its own in two round trips; row is not read
 * unless the answer is a repeated one. ERR_INVALID_PARAMETER: the reference is
 * another kind of message's. */
enum error_code payment_authorize(const struct flow *flow,
				  struct payment_authorize *authorize);
/* Decides without a trace: the effect must be rolled back, and it is. */
enum error_code payment_explain(const struct flow *flow,
				struct payment_authorize *authorize);

/* An increment, advice, clearing, reversal, force post, refund or a refund's
 * reversal. */
struct payment_message {
	union {
		struct payment_target target;
		struct advice advice;
		struct clearing clearing;
		struct reversal reversal;
		struct force_post force_post;
		struct refund refund;
		struct refund_reversal refund_reversal;
	};
	struct money amount; /* of an increment */

	/* Outputs. */
	bool approved;
	const char *response_code, *decline_reason, *decline_reasons;
	struct money moved;   /* what this message was for */
	struct money balance; /* of the source, after it */
	struct transaction_row row;
};
/*
 * Amounts are US dollars. A message that came before gives its first answer. To
 * the network (no wallet) a reference to nothing is no refusal but an answer,
 * code 25; else it is original_not_found. Of a declined transaction all but the
 * last three refuse with transaction_declined.
 */

/* Adds amount to what is held, decided like an authorization.
 * transaction_not_pending: nothing is held any more. */
enum db_result payment_increment_run(const struct flow *flow, void *arg,
				     enum error_code *refusal);
/* Replaces what is held by an amount of 0 or more, whatever the funds are.
 * transaction_settled for a refund or a force post. */
enum db_result payment_advice_run(const struct flow *flow, void *arg,
				  enum error_code *refusal);
/* Takes an amount of the hold and, beyond it, of the funds; a final one
 * releases the rest. missing_parameter: no amount, nothing is held, and no
 * final one came before; transaction_settled for a refund. */
enum db_result payment_clear_run(const struct flow *flow, void *arg,
				 enum error_code *refusal);
/* Releases what is held or a part of it. transaction_settled once it is
 * settled, over_reversal for more than is held. The network's reversal of
 * nothing is kept, and releases its authorization when that comes. */
enum db_result payment_reverse_run(const struct flow *flow, void *arg,
				   enum error_code *refusal);
/* A clearing without an authorization, whatever the funds and the card's status
 * are. not_found: no such card; invalid_parameter: the reference is another
 * kind of message's. */
enum db_result payment_force_post_run(const struct flow *flow, void *arg,
				      enum error_code *refusal);
/* Gives money back at once. not_found: no such card, of one that names no
 * purchase; refund_exceeds_purchase; invalid_parameter as for a force post. */
enum db_result payment_refund_run(const struct flow *flow, void *arg,
				  enum error_code *refusal);
/* Takes a refund back, or a part of it, whatever the funds are. over_reversal
 * for more than is left of it. */
enum db_result payment_refund_reverse_run(const struct flow *flow, void *arg,
					  enum error_code *refusal);

/* A PAN's look-up hash, in the arena. */
struct bytes payment_pan_hash(const struct flow *flow, const char *pan);

#endif
