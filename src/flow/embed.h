/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_EMBED_H
#define FLOW_EMBED_H

#include "../base/error.h"
#include "../base/text.h"
#include "../store/cards.h"
#include "card_number.h"
#include "effect.h"

/* A card that somebody asks to see by a signed request instead of a key. */
struct card_embed {
	const char *public_id;
	struct bytes message, hmac; /* what was signed, and how */
	const struct embed_row *signer;
};

/*
 * Finds whose key signed the message, by HMAC-SHA256 under the key or under
 * "api-key " and the key. ERR_CREDENTIALS_INVALID for a card that there is not
 * as well as for another's signature; ERR_ACCOUNT_SUSPENDED; ERR_SCOPE_MISSING
 * for a key that may not see card numbers.
 */
enum error_code card_embed_check(const struct flow *flow,
				 struct card_embed *embed);

/* Opens the number of a card whose signer was found; leaves an audit row. */
enum error_code card_embed_open(const struct flow *flow,
				const struct card_embed *embed,
				struct card_secrets **secrets);

#endif
