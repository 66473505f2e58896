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
