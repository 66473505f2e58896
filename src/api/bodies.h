/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_BODIES_H
#define API_BODIES_H

#include <stdbool.h>

struct arena;
struct event_row;
struct keyring;
struct text;

/*
 * Prints an event as it is sent, byte for byte what GET /v1/events/{id}
 * answers. dialect is "native". False, with body as it was, when there is no
 * such dialect or the snapshot cannot be read (logged as BROKEN).
 */
bool event_body_print(struct arena *arena, const struct keyring *keyring,
		      const struct event_row *row, const char *dialect,
		      struct text *body);

#endif
