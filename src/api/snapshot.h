/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_SNAPSHOT_H
#define API_SNAPSHOT_H

#include <jansson.h>
#include <stdbool.h>

#include "../db/db.h"

/*
 * Fills a row's struct from a snapshot: an object whose keys are the columns'
 * names, with integers (or their text) for numbers, amounts in cents and flags,
 * "YYYY-MM-DD HH:MM:SS" for times and lower-case hex for blobs. A key that is
 * not there reads as NULL. False when a value is not of its column's type.
 */
bool snapshot_read(struct arena *arena, const json_t *object,
		   const struct row_shape *shape, void *row);

#endif
