/* SPDX-License-Identifier: Apache-2.0 */
#include "card.h"

#include <stddef.h>

const char *const card_status_names[] = {
	[CARD_PENDING_TOP_UP] = "pending_top_up",
	[CARD_ACTIVE] = "active",
	[CARD_FROZEN] = "frozen",
	[CARD_TERMINATED] = "terminated",
	[CARD_STATUSES] = NULL,
};

static struct money left(struct money limit, struct money used)
{
	struct money rest;

	return money_sub(&rest, limit, used) ? rest : MONEY_USD(0);
}

struct money card_available(struct money balance, struct money limit,
			    struct money limit_used,
			    struct money bin_max_monthly,
			    struct money month_used)
{
	struct money least = balance;

	if (!money_is_zero(limit))
		least = money_min(least, left(limit, limit_used));
	if (!money_is_zero(bin_max_monthly))
		least = money_min(least, left(bin_max_monthly, month_used));
	return money_sign(least) < 0 ? MONEY_USD(0) : least;
}
