/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_BODIES_H
#define API_BODIES_H

#include <stdbool.h>

#include "../base/text.h"

struct arena;
struct event_row;
struct funding_row;
struct keyring;

/*
 * Prints an event as it is sent. dialect is "native": byte for byte what GET
 * /v1/events/{id} answers; or "privacy": the bare transaction in canonical
 * JSON, with what funding says of the wallet. False, with body as it was, when
 * there is no such dialect or the snapshot cannot be read (logged as BROKEN).
 */
bool event_body_print(struct arena *arena, const struct keyring *keyring,
		      const struct event_row *row, const char *dialect,
		      const struct funding_row *funding, struct text *body);
/* X-Privacy-HMAC of a body: base64 of HMAC-SHA256 under the API key. */
const char *privacy_signature(struct arena *arena, const char *key,
			      struct bytes body);

#endif
