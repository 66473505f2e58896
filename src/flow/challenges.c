/* SPDX-License-Identifier: Apache-2.0 */
#include "challenges.h"

#include <stdio.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/log.h"
#include "../base/secret.h"
#include "../base/token.h"

#define OTP_DIGITS (OTP_SIZE - 1)

bool challenge_otp(const struct keyring *keyring,
		   const struct challenge_row *row, char otp[OTP_SIZE])
{
	if (row->otp_sealed.len != OTP_DIGITS + SEAL_OVERHEAD ||
	    !secret_open(keyring, KEY_OTP, row->public_id, row->otp_sealed,
			 (unsigned char *)otp)) {
		log_broken("event=challenge_unreadable challenge=%s",
			   row->public_id);
		return false;
	}
	otp[OTP_DIGITS] = '\0';
	return true;
}

enum db_result challenge_open_run(const struct flow *flow, void *arg,
				  enum error_code *refusal)
{
	struct challenge_open *open = arg;
	char *public_id = arena_alloc(flow->arena, ID_SIZE);
	unsigned char *sealed =
		arena_alloc(flow->arena, OTP_DIGITS + SEAL_OVERHEAD);
	enum db_result result;

	*refusal = ERR_NONE;
	id_make(public_id, "3ds_");
	snprintf(open->otp, sizeof(open->otp), "%06u",
		 random_below(1000000) % 1000000);
	if (!secret_seal(flow->keyring, KEY_OTP, public_id,
			 (struct bytes){open->otp, OTP_DIGITS}, sealed)) {
		*refusal = ERR_INTERNAL_ERROR;
		return DB_OK;
	}
	open->challenge.public_id = public_id;
	open->challenge.otp_sealed =
		(struct bytes){sealed, OTP_DIGITS + SEAL_OVERHEAD};
	result = challenge_create(flow->db, flow->arena, &open->challenge,
				  &open->row);
	if (result == DB_OK)
		*refusal = error_of_outcome(open->row.outcome);
	return result;
}

enum db_result challenge_verify_run(const struct flow *flow, void *arg,
				    enum error_code *refusal)
{
	struct challenge_verify *verify = arg;
	char otp[OTP_SIZE];
	enum db_result result;
	bool matched;

	*refusal = ERR_NONE;
	verify->shown[0] = '\0';
	result = challenge_read(flow->db, flow->arena, flow->wallet_id,
				verify->challenge_id, &verify->row);
	if (result != DB_OK)
		return result;
	*refusal = error_of_outcome(verify->row.outcome);
	if (*refusal != ERR_NONE)
		return DB_OK;
	if (!challenge_otp(flow->keyring, &verify->row, otp)) {
		*refusal = ERR_INTERNAL_ERROR;
		return DB_OK;
	}
	matched = strlen(verify->otp) == OTP_DIGITS &&
		  secret_equal(otp, verify->otp, OTP_DIGITS);
	/* Passed once with this code: it has passed. With another: it has not.
	 */
	if (strcmp(verify->row.status, "completed") == 0) {
		if (!matched)
			*refusal = ERR_CHALLENGE_NOT_PENDING;
		secret_wipe(otp, sizeof(otp));
		return DB_OK;
	}
	result = challenge_answer(flow->db, flow->arena, flow->wallet_id,
				  verify->challenge_id, matched, &verify->row);
	if (result == DB_OK)
		*refusal = error_of_outcome(verify->row.outcome);
	if (result == DB_OK && *refusal == ERR_NONE &&
	    strcmp(verify->row.status, "pending") == 0)
		memcpy(verify->shown, otp, OTP_SIZE);
	secret_wipe(otp, sizeof(otp));
	return result;
}
