/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_BINS_H
#define STORE_BINS_H

#include "../base/money.h"
#include "list.h"

struct bin_row {
	const char *id, *network, *type, *issuer_country, *best_for;
	bool three_ds, apple_pay, google_pay, issuing;
	struct money max_transaction, max_monthly;
	int64_t acceptance_tenths; /* 972 is 97.2 % */
};

/* The live and the test world have an acceptance each. */
enum db_result bin_list(struct db *db, struct arena *arena, bool test,
			const struct list_window *window, struct bin_row **rows,
			struct list_result *result);
struct list_place bin_place(const struct bin_row *row);

/* Where a card is issued for whoever names no BIN: of those that issue the
 * first, before others one that is ready for digital wallets where that is
 * asked. *id NULL: none issues. */
enum db_result bin_choose(struct db *db, struct arena *arena,
			  bool digital_wallet, const char **id);

/* The categories of the operator's table, sorted. */
enum db_result category_list(struct db *db, struct arena *arena,
			     const char ***names, size_t *count);

#endif
