/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_WALLETS_H
#define STORE_WALLETS_H

#include "../base/money.h"
#include "list.h"

struct wallet_row {
	struct money balance, pending_deposits, total_deposited, total_spent,
		cards_total_balance;
	int64_t cards_active;
};

struct currency_row {
	const char *code, *network, *min_deposit;
	int64_t decimals;
};

struct deposit_row {
	const char *outcome; /* of a routine; NULL from a SELECT */
	int64_t id;
	const char *public_id, *currency, *network, *address, *tx_hash,
		*amount_units; /* decimal integer */
	int64_t decimals, rate_micros;
	struct money amount_usd, fee_usd, credited_usd;
	const char *status, *hold_reason;
	int64_t confirmations, required_confirmations, created_at, confirmed_at;
};

extern const struct row_shape deposit_row_shape;

struct deposit_filter {
	int64_t wallet_id;
	const char *status, *currency; /* NULL: any */
	int64_t from, to;	       /* Unix seconds, 0: open */
};

struct deposit_new {
	int64_t wallet_id;
	const char *public_id, *currency;
	const char *amount_units;	/* or NULL */
	const struct money *amount_usd; /* or NULL */
	const char *tx_hash;
	bool confirm;
};

struct clock_row {
	const char *outcome;
	int64_t now, offset_s;
};

struct address_row {
	const char *outcome, *address;
};

enum db_result wallet_get(struct db *db, struct arena *arena, int64_t wallet_id,
			  struct wallet_row *row);
/* All that are enabled, by code. */
enum db_result currency_list(struct db *db, struct arena *arena,
			     struct currency_row **rows, size_t *count);
/* The wallet's present address, taken from the pool when it has none. */
enum db_result deposit_address_take(struct db *db, struct arena *arena,
				    int64_t wallet_id, const char *currency,
				    struct address_row *row);

enum db_result deposit_get(struct db *db, struct arena *arena,
			   int64_t wallet_id, const char *public_id,
			   struct deposit_row *row);
enum db_result deposit_list(struct db *db, struct arena *arena,
			    const struct deposit_filter *filter,
			    const struct list_window *window,
			    struct deposit_row **rows,
			    struct list_result *result);
struct list_place deposit_place(const struct deposit_row *row);

/* The sandbox's; see sql/routines. action is "confirm" or "expire". */
enum db_result simulate_deposit(struct db *db, struct arena *arena,
				const struct deposit_new *deposit,
				struct deposit_row *row);
enum db_result simulate_deposit_change(struct db *db, struct arena *arena,
				       int64_t wallet_id, const char *public_id,
				       const char *action,
				       struct deposit_row *row);
enum db_result simulate_clock(struct db *db, struct arena *arena,
			      int64_t wallet_id, int64_t advance_s,
			      struct clock_row *row);

#endif
