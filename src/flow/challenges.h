/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_CHALLENGES_H
#define FLOW_CHALLENGES_H

#include "../store/challenges.h"
#include "effect.h"

#define OTP_SIZE 7 /* six digits and a NUL */

/* Bodies of effects: arg is the struct named. */

/* A new challenge: its one-time code is drawn and sealed here. */
struct challenge_open {
	struct challenge_new challenge; /* id and code are filled in */
	char otp[OTP_SIZE];
	struct challenge_row row;
};
/* not_found, card_terminated, amount_too_small (below 0). */
enum db_result challenge_open_run(const struct flow *flow, void *arg,
				  enum error_code *refusal);

/* An answer to one: three wrong ones end it. */
struct challenge_verify {
	const char *challenge_id, *otp;
	struct challenge_row row;
	char shown[OTP_SIZE]; /* the code while it is pending; else empty */
};
/* A wrong code is no refusal: row.status says pending, failed, or expired where
 * its five minutes are over. not_found; challenge_not_pending for another code
 * than the one that completed it, which may come again. */
enum db_result challenge_verify_run(const struct flow *flow, void *arg,
				    enum error_code *refusal);

/* The code of a pending challenge, for its owner; false when the seal does
 * not open. */
bool challenge_otp(const struct keyring *keyring,
		   const struct challenge_row *row, char otp[OTP_SIZE]);

#endif
