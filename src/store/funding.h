/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_FUNDING_H
#define STORE_FUNDING_H

#include "../db/db.h"

/* A wallet as what pays for cards, and whose it is. */
struct funding_row {
	const char *outcome; /* of a routine; NULL from a SELECT */
	const char *public_id, *nickname, *mode;
	int64_t created_at;
	const char *account_public_id, *account_name, *account_status;
	int64_t account_created_at;
};

enum db_result funding_get(struct db *db, struct arena *arena,
			   int64_t wallet_id, struct funding_row *row);
enum db_result funding_rename(struct db *db, struct arena *arena,
			      int64_t wallet_id, const char *nickname,
			      struct funding_row *row);

#endif
