/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CARD_H
#define CORE_CARD_H

#include <stdbool.h>
#include <stdint.h>

enum card_status { CARD_PENDING_TOP_UP, CARD_ACTIVE, CARD_FROZEN,
		   CARD_TERMINATED, CARD_STATUSES };

extern const char *const card_status_names[]; /* NULL-terminated, enum order */

/*
 * Expiry: three years on, the same day 23:59:59Z; 29 February becomes 28.
 * created is Unix seconds, so is the result.
 */
int64_t card_expiry(int64_t created);

#endif
