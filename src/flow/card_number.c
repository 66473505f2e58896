/* SPDX-License-Identifier: Apache-2.0 */
#include "card_number.h"

#include <stdio.h>

#include "../base/clock.h"
#include "../core/cvv2.h"

bool card_secrets_open(const struct keyring *keyring, const char *public_id,
		       struct bytes pan_sealed, int64_t expires_at,
		       struct card_secrets *secrets)
{
	struct date expiry = date_of(expires_at);
	unsigned char key[32];
	char yymm[5];
	bool done;

	if (pan_sealed.len != PAN_SIZE - 1 + SEAL_OVERHEAD ||
	    !secret_open(keyring, KEY_PAN_ENCRYPTION, public_id, pan_sealed,
			 (unsigned char *)secrets->pan))
		return false;
	secrets->pan[PAN_SIZE - 1] = '\0';
	snprintf(yymm, sizeof(yymm), "%02u%02u", (unsigned)expiry.year % 100,
		 (unsigned)expiry.month % 100);
	secret_key(keyring, KEY_CVV, key);
	done = cvv2_compute(secrets->cvv, key, secrets->pan, yymm, "000");
	secret_wipe(key, sizeof(key));
	secrets->exp_month = expiry.month;
	secrets->exp_year = expiry.year;
	return done;
}
