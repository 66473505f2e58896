/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_PAYMENTS_H
#define STORE_PAYMENTS_H

#include "../base/money.h"
#include "list.h"

/* Which card, and in whose world: wallet_id 0 is the network, which sees all
 * cards of both modes. One of public_id and pan_hash is given. */
struct payment_card {
	int64_t wallet_id;
	const char *public_id;
	struct bytes pan_hash;
};

/* Which transaction: by id or by the network's reference. */
struct payment_target {
	int64_t wallet_id;
	const char *transaction, *network_ref, *message_ref;
};

struct merchant {
	const char *name, *mcc, *country, *city, *id; /* NULL: not given */
};

/* What the decision needs to know of the card, read under its lock. */
struct authorization_facts {
	const char *outcome; /* ok, replay, or a refusal */
	int64_t card_id;     /* 0: there is no such card */
	const char *card_public_id;
	int64_t wallet_id;
	const char *mode;
	int64_t now;
	const char *status;
	int64_t expires_at;
	struct bytes pan_sealed;
	const char *account_status, *type, *locked_merchant,
		*allowed_categories;
	struct money limit;
	const char *limit_window;
	struct money limit_used, bin_max_transaction, bin_max_monthly,
		month_used;
	int64_t count_limit, transaction_count;
	bool single_use_spent;
	struct money balance;
	const char *category;
	bool country_blocked;
	const char *transaction_public_id; /* replay */
	int64_t event_number;		   /* replay: the event it made */
	/* Of an increment. */
	int64_t transaction_id;
	struct money earlier; /* what the purchase uses already */
	const char *transaction_status;
};

struct authorization_key {
	struct payment_card card;
	const char *network_ref, *mcc, *country;
};

/* What is posted of a decision. */
struct authorization_post {
	int64_t card_id; /* 0: none */
	const char *public_id, *network_ref, *kind;
	struct money requested, approved_amount;
	bool approved;
	const char *response_code, *authorization_code, *decline_reason,
		*decline_reasons;
	struct merchant merchant;
	const char *category;
	const struct money *merchant_amount;
	const char *merchant_currency, *three_ds;
	bool bind_merchant;
};

struct increment_post {
	int64_t transaction_id;
	struct money amount;
	bool approved;
	const char *response_code, *decline_reason, *decline_reasons,
		*message_ref;
};

/* A row of the view transaction_rows. */
struct transaction_row {
	const char *outcome; /* of a routine; NULL from a SELECT */
	int64_t id;
	const char *public_id;
	int64_t wallet_id, card_id;
	const char *card_public_id, *card_last4, *network_ref, *kind, *type,
		*status;
	struct money requested, authorized, reversed, cleared, expired,
		refunded, hold, amount, balance_after;
	struct merchant merchant;
	const char *category;
	struct money merchant_amount; /* in cents of merchant_currency */
	const char *merchant_currency, *response_code, *authorization_code,
		*decline_reason, *decline_reasons, *three_ds,
		*original_public_id;
	int64_t hold_expires_at, created_at, updated_at;
	/* Of a routine: the event that the message made, now or, when it is a
	 * repeated one, when it came first. */
	int64_t event_number;
	struct money event_amount;
};

extern const struct row_shape transaction_row_shape;

/* The same with the card as it is now (in an event: as it was then), and what
 * else only the Privacy dialect shows. */
struct transaction_with_card {
	struct transaction_row row; /* first: it shares the row's columns */
	struct money merchant_authorized;
	int64_t card_created_at, card_expires_at;
	const char *card_type, *card_label, *card_status;
	struct money card_limit;
	const char *card_limit_window, *card_merchant_name;
	bool card_single_use_spent;
};

extern const struct row_shape transaction_with_card_shape;

struct transaction_event {
	int64_t number;
	const char *type;
	struct money amount;
	bool approved;
	const char *response_code;
	struct money balance_after;
	int64_t created_at;
	const char *decline_reason, *decline_reasons;
};

extern const struct row_shape transaction_event_shape;

struct clearing {
	struct payment_target target;
	const struct money *amount; /* NULL: what is held */
	bool final;
	const struct money *merchant_amount;
	const char *merchant_currency;
};

struct reversal {
	struct payment_target target;
	const struct money *amount; /* NULL: what is held */
};

struct advice {
	struct payment_target target;
	struct money amount;
};

struct force_post {
	struct payment_card card;
	const char *network_ref, *public_id;
	struct money amount;
	struct merchant merchant;
};

struct refund {
	struct payment_card card;
	const char *original, *original_network_ref; /* or NULL */
	const char *network_ref, *public_id;
	struct money amount;
	struct merchant merchant;
};

struct refund_reversal {
	struct payment_target target;
	const struct money *amount; /* NULL: all that is left of it */
};

struct transaction_filter {
	int64_t wallet_id;
	const char *card_id, *type, *status, *merchant; /* NULL: any */
	const char *not_type, *public_id;
	int64_t from, to;			     /* 0: open */
	const struct money *min_amount, *max_amount; /* of the size */
};

/* CALLs that begin and end the network's own transaction; the same without
 * for use inside one. Reading claims the reference and locks the card until the
 * transaction's end; facts->outcome is ok or replay. Posting refuses nothing:
 * a decision that the facts do not bear out is DB_BROKEN. */
extern const struct statement authorization_open_statement;
extern const struct statement authorization_close_statement;
enum db_result authorization_read(struct db *db, struct arena *arena,
				  const struct authorization_key *key,
				  struct authorization_facts *facts);
enum db_result authorization_post(struct db *db,
				  const struct authorization_post *post);

/* The same of an increment: facts->outcome can refuse with original_not_found,
 * transaction_declined or transaction_not_pending. A declined one is posted as
 * well, and moves nothing. */
enum db_result increment_read(struct db *db, struct arena *arena,
			      const struct payment_target *target,
			      struct authorization_facts *facts);
enum db_result increment_post(struct db *db, const struct increment_post *post);

/* Each is one routine of sql/routines that decides nothing but what its rules
 * refuse: row->outcome is ok, replay or a refusal, with which the other columns
 * are NULL. Amounts are US dollars, above 0 but for an advice. Which refusals
 * there are, ../flow/payments.h tells. */
enum db_result transaction_advice(struct db *db, struct arena *arena,
				  const struct advice *advice,
				  struct transaction_row *row);
enum db_result transaction_clear(struct db *db, struct arena *arena,
				 const struct clearing *clearing,
				 struct transaction_row *row);
enum db_result transaction_reverse(struct db *db, struct arena *arena,
				   const struct reversal *reversal,
				   struct transaction_row *row);
enum db_result force_post(struct db *db, struct arena *arena,
			  const struct force_post *post,
			  struct transaction_row *row);
enum db_result refund(struct db *db, struct arena *arena,
		      const struct refund *refund, struct transaction_row *row);
enum db_result refund_reverse(struct db *db, struct arena *arena,
			      const struct refund_reversal *reversal,
			      struct transaction_row *row);

/* The wallet's own; DB_NO_ROW where it has none of that id. */
enum db_result transaction_get(struct db *db, struct arena *arena,
			       int64_t wallet_id, const char *public_id,
			       struct transaction_row *row);
/* For the network, which knows no wallets: of any. */
enum db_result transaction_find(struct db *db, struct arena *arena,
				const char *public_id,
				struct transaction_row *row);
/* By number, the first first, in the arena. */
enum db_result transaction_events(struct db *db, struct arena *arena,
				  int64_t transaction_id,
				  struct transaction_event **rows,
				  size_t *count);
/* One page, ordered by when they were made, and result->total of all that the
 * filter lets through; merchant is a part of the name. Without filters but card
 * and type the total is a kept count, else it is counted. */
enum db_result transaction_list(struct db *db, struct arena *arena,
				const struct transaction_filter *filter,
				const struct list_window *window,
				struct transaction_row **rows,
				struct list_result *result);
/* The same three with the cards; events of all rows at once, in the rows' order
 * and each one's by number. */
enum db_result transaction_with_card_get(struct db *db, struct arena *arena,
					 int64_t wallet_id,
					 const char *public_id,
					 struct transaction_with_card *row);
enum db_result transaction_with_card_list(
	struct db *db, struct arena *arena,
	const struct transaction_filter *filter,
	const struct list_window *window, struct transaction_with_card **rows,
	struct list_result *result);
struct transaction_event_of {
	int64_t transaction_id;
	struct transaction_event event;
};
enum db_result transaction_events_of(struct db *db, struct arena *arena,
				     const struct transaction_with_card *rows,
				     size_t row_count,
				     struct transaction_event_of **events,
				     size_t *count);
/* What a cursor points at: the row's place in a list. */
struct list_place transaction_place(const struct transaction_row *row);

#endif
