/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "../base/text.h"
#include "../db/db.h"

/* What an API key opens. Unix seconds, 0 for never. */
struct key_row {
	int64_t key_id, wallet_id;
	const char *key_public_id, *account_status, *mode, *dialect, *scopes,
		*networks;
	int64_t expires_at, revoked_at, last_used_at;
	const char *account_public_id, *wallet_public_id;
	bool kept; /* there is a sealed copy of the key itself */
};

/* By the SHA-256 of the whole key. */
enum db_result key_login(struct db *db, struct arena *arena,
			 const unsigned char hash[32], struct key_row *row);
/* Notes the use; writes at most once a minute. */
enum db_result key_touch(struct db *db, int64_t key_id);
/* Keeps the key itself, sealed for its public id, unless one is kept. */
enum db_result key_keep(struct db *db, int64_t key_id, struct bytes sealed);

#endif
