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
	char key_public_id[32], account_public_id[32], wallet_public_id[32];
	char dialect[16], networks[1025];
	bool test, revoked, account_active;
	bool kept; /* the key itself is kept encrypted, where its dialect needs
		      it again */
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

/* The dialect that the credential's scheme speaks, by its name; NULL for a
 * request without a credential, "native" for a scheme that nobody knows. */
const char *gate_dialect(const struct request *request);
/* The key in the request, without its scheme; NULL when there is none. */
const char *gate_credential(const struct request *request);

/*
 * Who sends this request. ERR_NONE with *login set (valid until the next
 * call); or why it is refused. ERR_CREDENTIALS_* count against the address.
 */
enum error_code gate_login(struct gate *gate, struct db *db,
			   const struct request *request, struct login **login);

#endif
