/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_CARDS_H
#define STORE_CARDS_H

#include "../base/money.h"
#include "../base/text.h"
#include "../db/db.h"
#include "list.h"

/* A row of the view card_rows. JSON columns are text; times 0 for never. */
struct card_row {
	int64_t id, wallet_id, number;
	const char *public_id, *bin_id, *network, *last4, *status,
		*frozen_reason, *label, *allowed_categories, *metadata, *mode;
	struct money balance; /* of what pays */
	struct money pending, spending_limit, auto_freeze_at, total_spent;
	int64_t transaction_count, last_used_at, frozen_at, terminated_at,
		created_at, expires_at, clock_offset_s;
	const char *type, *funding, *limit_window, *locked_merchant_name;
	struct money ledger_balance; /* of the card's own account */
	bool single_use_spent;
	struct money bin_max_monthly;
};

extern const struct row_shape card_row_shape, card_limits_shape;

/* What a card's limits have left, as of the wallet's present. */
struct card_limits {
	struct money limit_used, month_used;
	int64_t resets_at; /* when the card's own limit next leaves more */
};

/* What a routine that changes a card answers. */
struct card_answer {
	const char *outcome;
	struct money refunded; /* card_terminate */
	struct card_row card;
};

/* What card_fund and card_withdraw answer. */
struct card_transfer {
	const char *outcome, *public_id;
	struct money previous_balance, amount, new_balance, wallet_balance;
};

struct card_details {
	const char *outcome, *public_id;
	struct bytes pan_sealed;
	int64_t expires_at;
};

struct card_new {
	int64_t wallet_id;
	const char *public_id, *bin_id, *label;
	struct bytes pan_sealed;
	int64_t pan_key_id;
	struct bytes pan_hash;
	const char *last4;
	struct money amount;
	const struct money *spending_limit; /* NULL: the BIN's maximum */
	const char *allowed_categories;	    /* JSON */
	struct money auto_freeze_at;
	const char *metadata; /* JSON */
	const char *type;     /* unlocked, single_use, … */
	const char *funding;  /* prepaid, wallet: takes no amount */
	const char *limit_window;
	bool frozen;	    /* from the start */
	int64_t expires_at; /* 0: in three years */
};

/* NULL: not to be changed. */
struct card_patch {
	const char *label;
	const struct money *spending_limit;
	const char *status, *limit_window; /* of card_change only */
	const char *allowed_categories;	   /* JSON */
	const struct money *auto_freeze_at;
	const char *metadata; /* JSON, merged */
};

enum card_sort {
	CARD_SORT_CREATED_AT,
	CARD_SORT_BALANCE,
	CARD_SORT_LAST_USED
};

struct card_filter {
	int64_t wallet_id;
	const char *status, *bin_id, *label; /* NULL: any; label in part */
	int64_t begin, end; /* made from, made before; 0: any */
	enum card_sort sort;
};

enum db_result card_get(struct db *db, struct arena *arena, int64_t wallet_id,
			const char *public_id, struct card_row *row);

/* A row of the view card_limits. */
enum db_result card_limits_get(struct db *db, struct arena *arena,
			       int64_t card_id, struct card_limits *limits);

/* Total and one page. A filter on the label counts by looking, one on time in
 * the index. */
enum db_result card_list(struct db *db, struct arena *arena,
			 const struct card_filter *filter,
			 const struct list_window *window,
			 struct card_row **rows, struct list_result *result);
/* What a cursor points at: the row's place in the sort order. */
struct list_place card_place(const struct card_row *row, enum card_sort sort);

/* Each changes one card by the routine of its name in sql/routines. */
enum db_result card_create(struct db *db, struct arena *arena,
			   const struct card_new *new_card,
			   struct card_answer *answer);
enum db_result card_update(struct db *db, struct arena *arena,
			   int64_t wallet_id, const char *public_id,
			   const struct card_patch *patch,
			   struct card_answer *answer);
/* All of patch's status, label, spending_limit and limit_window, or nothing. */
enum db_result card_change(struct db *db, struct arena *arena,
			   int64_t wallet_id, const char *public_id,
			   const struct card_patch *patch,
			   struct card_answer *answer);
enum db_result card_freeze(struct db *db, struct arena *arena,
			   int64_t wallet_id, const char *public_id,
			   struct card_answer *answer);
enum db_result card_unfreeze(struct db *db, struct arena *arena,
			     int64_t wallet_id, const char *public_id,
			     struct card_answer *answer);
enum db_result card_terminate(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *public_id,
			      struct card_answer *answer);
enum db_result card_fund(struct db *db, struct arena *arena, int64_t wallet_id,
			 const char *public_id, struct money amount,
			 struct card_transfer *answer);
enum db_result card_withdraw(struct db *db, struct arena *arena,
			     int64_t wallet_id, const char *public_id,
			     struct money amount, struct card_transfer *answer);
/* Leaves an audit row: who read it, from where. */
enum db_result card_details_read(struct db *db, struct arena *arena,
				 int64_t wallet_id, const char *public_id,
				 const char *key_public_id, const char *address,
				 const char *request_id,
				 struct card_details *details);

/* A card's number, as it is kept. */
struct card_number_row {
	int64_t card_id;
	struct bytes pan_sealed;
};
/* Who asks, for what, from where: one audit row for all of the cards. */
struct card_number_read {
	int64_t wallet_id;
	const char *cards; /* JSON list of their row ids */
	const char *action, *key_public_id, *address, *request_id;
};
/* In the order of the list; a card of another wallet is left out. */
enum db_result card_numbers_read(struct db *db, struct arena *arena,
				 const struct card_number_read *read,
				 struct card_number_row **rows, size_t *count);

/* A card whose picture somebody asks for, and a key that may have signed. */
struct embed_row {
	int64_t card_id, wallet_id, expires_at;
	const char *last4, *account_public_id, *account_status;
	const char *key_public_id; /* NULL: there is none */
	struct bytes key_sealed;
	bool shows_numbers; /* the key has that right */
};
/* One row a key; none for a card that there is not. */
enum db_result embed_read(struct db *db, struct arena *arena,
			  const char *card_public_id, struct embed_row **rows,
			  size_t *count);

#endif
