/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_GATE_H
#define API_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/error.h"

struct db;
struct request;

enum {
	LOGIN_READ = 1,
	LOGIN_WRITE = 2,
	LOGIN_DETAILS = 4
};

/* Whom a credential belongs to, and what it may do. */
struct login {
	unsigned char hash[32];
	int64_t key_id, wallet_id, expires_at, last_used_at;
	char key_public_id[32], dialect[16], networks[1025];
	bool test, revoked, account_active;
	unsigned scopes;
	int64_t fetched_us;
};

/*
 * The gate knows each way in by the scheme of its credential: a dialect is one
 * row of its table. It remembers a login for a few seconds, so that most
 * requests cost no look-up and yet a revoked key is refused everywhere within
 * five.
 */
struct gate;

struct gate *gate_new(int64_t cache_s);
void gate_free(struct gate *gate);

/*
 * Who sends this request. ERR_NONE with *login set (valid until the next
 * call); or why it is refused. ERR_CREDENTIALS_* count against the address.
 */
enum error_code gate_login(struct gate *gate, struct db *db,
			   const struct request *request, struct login **login);

#endif
