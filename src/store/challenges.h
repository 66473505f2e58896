/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_CHALLENGES_H
#define STORE_CHALLENGES_H

#include "payments.h"

/* A row of the view challenge_rows; status as of now, so a challenge past its
 * five minutes reads expired whether or not a sweep has run. */
struct challenge_row {
	const char *outcome; /* of a routine; NULL from a SELECT */
	int64_t id;
	const char *public_id;
	int64_t wallet_id;
	const char *card_public_id, *merchant;
	struct money amount;
	struct bytes otp_sealed;
	const char *status;
	int64_t tries, expires_at, completed_at, created_at;
};

extern const struct row_shape challenge_row_shape;

struct challenge_new {
	struct payment_card card;
	const char *public_id;
	struct bytes otp_sealed;
	const char *merchant;
	struct money amount;
};

struct challenge_filter {
	int64_t wallet_id;
	const char *card_id, *status; /* NULL: any */
};

enum db_result challenge_create(struct db *db, struct arena *arena,
				const struct challenge_new *challenge,
				struct challenge_row *row);
/* Locks it, so that two answers are counted one after the other. wallet_id 0
 * is the network. */
enum db_result challenge_read(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *public_id,
			      struct challenge_row *row);
enum db_result challenge_answer(struct db *db, struct arena *arena,
				int64_t wallet_id, const char *public_id,
				bool matched, struct challenge_row *row);

enum db_result challenge_get(struct db *db, struct arena *arena,
			     int64_t wallet_id, const char *public_id,
			     struct challenge_row *row);
enum db_result challenge_list(struct db *db, struct arena *arena,
			      const struct challenge_filter *filter,
			      const struct list_window *window,
			      struct challenge_row **rows,
			      struct list_result *result);
struct list_place challenge_place(const struct challenge_row *row);

#endif
