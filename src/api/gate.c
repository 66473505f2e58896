/* SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/arena.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/secret.h"
#include "../core/address.h"
#include "../flow/effect.h"
#include "../http/request.h"
#include "../store/keys.h"

#define CACHE_SLOTS 1024 /* a power of two */

struct gate {
	int64_t cache_us;
	struct login cache[CACHE_SLOTS];
};

/* One way in: how its credential is recognized, and what one without a key is
 * told. A credential that a way takes for its own comes back without its
 * scheme. */
struct way_in {
	const char *dialect;
	enum error_code no_key;
	const char *(*credential)(const struct request *request);
};

/* What follows "scheme "; "" for the bare scheme, NULL for another one. */
static const char *after_scheme(const char *value, const char *scheme)
{
	size_t len = strlen(scheme);

	if (value == NULL || strncasecmp(value, scheme, len) != 0 ||
	    (value[len] != ' ' && value[len] != '\0'))
		return NULL;
	value += len;
	while (*value == ' ')
		value++;
	return value;
}

static const char *bearer_credential(const struct request *request)
{
	return after_scheme(request->authorization, "Bearer");
}

/* With its scheme, or, as several clients of it send it, without. */
static const char *api_key_credential(const struct request *request)
{
	static const char *const schemes[] = {"Basic", "Digest", "Token"};
	const char *value = request->authorization;
	const char *key = after_scheme(value, "api-key");

	if (key != NULL || value == NULL)
		return key;
	for (const char *p = value; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return NULL;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strcasecmp(value, schemes[i]) == 0)
			return NULL;
	return value;
}

static const struct way_in ways_in[] = {
	{"native", ERR_CREDENTIALS_INVALID, bearer_credential},
	{"privacy", ERR_CREDENTIALS_MALFORMED, api_key_credential},
};

static const struct way_in *way_find(const struct request *request,
				     const char **credential)
{
	for (size_t i = 0; i < sizeof(ways_in) / sizeof(ways_in[0]); i++) {
		*credential = ways_in[i].credential(request);
		if (*credential != NULL)
			return &ways_in[i];
	}
	return NULL;
}

const char *gate_dialect(const struct request *request)
{
	const char *credential;
	const struct way_in *way = way_find(request, &credential);

	if (way == NULL && request->authorization == NULL &&
	    request->seed == NULL)
		return NULL;
	return way == NULL ? "native" : way->dialect;
}

const char *gate_credential(const struct request *request)
{
	const char *credential;

	return way_find(request, &credential) == NULL ? NULL : credential;
}

struct gate *gate_new(int64_t cache_s)
{
	struct gate *gate = calloc(1, sizeof(*gate));

	if (gate == NULL) {
		log_broken("event=out_of_memory");
		abort();
	}
	gate->cache_us = cache_s * 1000000;
	return gate;
}

void gate_free(struct gate *gate)
{
	free(gate);
}

static unsigned scopes_of(const char *scopes)
{
	unsigned bits = 0;

	while (*scopes != '\0') {
		size_t len = strcspn(scopes, ",");

		if (len == 4 && memcmp(scopes, "read", 4) == 0)
			bits |= LOGIN_READ;
		if (len == 5 && memcmp(scopes, "write", 5) == 0)
			bits |= LOGIN_WRITE;
		if (len == 13 && memcmp(scopes, "cards:details", 13) == 0)
			bits |= LOGIN_DETAILS;
		scopes += len + (scopes[len] == ',');
	}
	return bits;
}

static void text_copy(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}

static enum error_code login_fetch(struct db *db, struct arena *arena,
				   const unsigned char hash[32],
				   struct login *login)
{
	struct key_row row;
	enum db_result result = key_login(db, arena, hash, &row);

	if (result == DB_NO_ROW)
		return ERR_CREDENTIALS_INVALID;
	if (result != DB_OK)
		return error_of_result(result);
	memset(login, 0, sizeof(*login));
	memcpy(login->hash, hash, 32);
	login->key_id = row.key_id;
	login->wallet_id = row.wallet_id;
	login->expires_at = row.expires_at;
	login->last_used_at = row.last_used_at;
	text_copy(login->key_public_id, sizeof(login->key_public_id),
		  row.key_public_id);
	text_copy(login->account_public_id, sizeof(login->account_public_id),
		  row.account_public_id);
	text_copy(login->wallet_public_id, sizeof(login->wallet_public_id),
		  row.wallet_public_id);
	text_copy(login->dialect, sizeof(login->dialect), row.dialect);
	text_copy(login->networks, sizeof(login->networks), row.networks);
	login->test = strcmp(row.mode, "test") == 0;
	login->kept = row.kept;
	login->revoked = row.revoked_at != 0;
	login->account_active = strcmp(row.account_status, "active") == 0;
	login->scopes = scopes_of(row.scopes);
	login->fetched_us = clock_monotonic_us();
	return ERR_NONE;
}

static enum error_code login_check(const struct login *login,
				   const struct way_in *way, const char *client)
{
	struct address address;

	if (strcmp(login->dialect, way->dialect) != 0)
		return ERR_CREDENTIALS_INVALID;
	if (login->revoked)
		return ERR_KEY_REVOKED;
	if (login->expires_at != 0 && login->expires_at <= clock_now())
		return ERR_KEY_EXPIRED;
	if (!login->account_active)
		return ERR_ACCOUNT_SUSPENDED;
	if (login->networks[0] != '\0' &&
	    (!address_parse(&address, client) ||
	     !address_in_networks(&address, login->networks)))
		return ERR_ADDRESS_NOT_ALLOWED;
	return ERR_NONE;
}

enum error_code gate_login(struct gate *gate, struct db *db,
			   const struct request *request, struct login **login)
{
	const struct way_in *way;
	const char *credential;
	unsigned char hash[32];
	struct login *cached;
	size_t slot;

	if (request->authorization != NULL && request->seed != NULL)
		return ERR_CREDENTIALS_AMBIGUOUS;
	if (request->authorization == NULL && request->seed == NULL)
		return ERR_CREDENTIALS_MISSING;
	way = way_find(request, &credential);
	if (way == NULL)
		return ERR_CREDENTIALS_INVALID;
	if (*credential == '\0')
		return way->no_key;
	sha256((struct bytes){credential, strlen(credential)}, hash);
	slot = (hash[0] | (size_t)hash[1] << 8) % CACHE_SLOTS;
	cached = &gate->cache[slot];
	if (!secret_equal(cached->hash, hash, sizeof(hash)) ||
	    cached->fetched_us == 0 ||
	    clock_monotonic_us() - cached->fetched_us >= gate->cache_us) {
		struct login fresh;
		enum error_code error =
			login_fetch(db, request->arena, hash, &fresh);

		if (error != ERR_NONE) {
			if (error == ERR_CREDENTIALS_INVALID &&
			    secret_equal(cached->hash, hash, sizeof(hash)))
				cached->fetched_us = 0;
			return error;
		}
		*cached = fresh;
	}
	*login = cached;
	return login_check(cached, way, request->client_address);
}
