/* SPDX-License-Identifier: Apache-2.0 */
#include "embed.h"

#include <string.h>

#include "../base/arena.h"
#include "../base/log.h"
#include "../base/secret.h"
#include "cards.h"

#define SCHEME "api-key "
#define SCHEME_LEN (sizeof(SCHEME) - 1)

static bool signature_is(const struct card_embed *embed, const char *key,
			 size_t len)
{
	unsigned char wanted[32];

	hmac_sha256((struct bytes){key, len}, embed->message, wanted);
	return embed->hmac.len == sizeof(wanted) &&
	       secret_equal(wanted, embed->hmac.data, sizeof(wanted));
}

/* Some clients sign with the whole of their Authorization header. */
static bool signed_by(const struct flow *flow, const struct card_embed *embed,
		      const struct embed_row *row)
{
	size_t len = row->key_sealed.len;
	bool plain, whole;
	char *key;

	if (row->key_public_id == NULL || len < SEAL_OVERHEAD)
		return false;
	len -= SEAL_OVERHEAD;
	key = arena_alloc(flow->arena, SCHEME_LEN + len + 1);
	memcpy(key, SCHEME, SCHEME_LEN);
	if (!secret_open(flow->keyring, KEY_API_KEY, row->key_public_id,
			 row->key_sealed, (unsigned char *)key + SCHEME_LEN)) {
		log_broken("event=key_unreadable key=%s", row->key_public_id);
		return false;
	}
	plain = signature_is(embed, key + SCHEME_LEN, len);
	whole = signature_is(embed, key, SCHEME_LEN + len);
	secret_wipe(key, SCHEME_LEN + len);
	return plain || whole;
}

enum error_code card_embed_check(const struct flow *flow,
				 struct card_embed *embed)
{
	enum db_result result;
	struct embed_row *rows;
	size_t count = 0;

	embed->signer = NULL;
	result = embed_read(flow->db, flow->arena, embed->public_id, &rows,
			    &count);
	if (result != DB_OK && result != DB_NO_ROW)
		return error_of_result(result);
	/* Every key is tried, whichever it was. */
	for (size_t i = 0; i < count; i++)
		if (signed_by(flow, embed, &rows[i]))
			embed->signer = &rows[i];
	if (embed->signer == NULL)
		return ERR_CREDENTIALS_INVALID;
	if (strcmp(embed->signer->account_status, "active") != 0)
		return ERR_ACCOUNT_SUSPENDED;
	if (!embed->signer->shows_numbers)
		return ERR_SCOPE_MISSING;
	return ERR_NONE;
}

enum error_code card_embed_open(const struct flow *flow,
				const struct card_embed *embed,
				struct card_secrets **secrets)
{
	const struct embed_row *signer = embed->signer;
	struct flow owner = *flow;
	struct card_row card = {
		.id = signer->card_id,
		.public_id = embed->public_id,
		.expires_at = signer->expires_at,
	};

	owner.wallet_id = signer->wallet_id;
	owner.key_public_id = signer->key_public_id;
	return card_numbers_open(&owner, "card_embedded", &card, 1, secrets);
}
