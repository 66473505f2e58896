/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CARD_H
#define CORE_CARD_H

enum card_status {
	CARD_PENDING_TOP_UP,
	CARD_ACTIVE,
	CARD_FROZEN,
	CARD_TERMINATED,
	CARD_STATUSES
};

extern const char *const card_status_names[]; /* NULL-terminated, enum order */

#endif
