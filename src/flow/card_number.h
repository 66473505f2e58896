/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_CARD_NUMBER_H
#define FLOW_CARD_NUMBER_H

#include <stdbool.h>

#include "../base/secret.h"
#include "../core/pan.h"

/* What a card's owner may see of it; wipe after use. */
struct card_secrets {
	char pan[PAN_SIZE], cvv[4];
	int64_t exp_month, exp_year;
};

/* Opens a sealed card number and computes its CVV2. False when the key is not
 * in the ring or the seal is broken. */
bool card_secrets_open(const struct keyring *keyring, const char *public_id,
		       struct bytes pan_sealed, int64_t expires_at,
		       struct card_secrets *secrets);

#endif
