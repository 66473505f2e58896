/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CARD_H
#define CORE_CARD_H

#include "../base/money.h"

enum card_status {
	CARD_PENDING_TOP_UP,
	CARD_ACTIVE,
	CARD_FROZEN,
	CARD_TERMINATED,
	CARD_STATUSES
};

extern const char *const card_status_names[]; /* NULL-terminated, enum order */

/*
 * What a card can spend at once: the least of its balance and what its own
 * limit (zero: none) and its BIN's leave; never below zero.
 */
struct money card_available(struct money balance, struct money limit,
			    struct money limit_used,
			    struct money bin_max_monthly,
			    struct money month_used);

#endif
