/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_ROTATE_H
#define FLOW_ROTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;
struct keyring;

/*
 * Re-encrypts card numbers, kept answers, kept API keys, what webhooks keep
 * (secrets, bodies, what receivers answered) and 3-D Secure codes with the
 * copies of them that events hold, under the ring's present key, in short
 * transactions, while the service runs and beside another of its kind.
 * What was done stays done when it is stopped. tell is called with lines for a
 * human. False with error when a row cannot be opened or the database fails.
 */
struct rotate_totals {
	int64_t cards, replies, others;
};

bool rotate_keys(struct db *db, struct arena *arena,
		 const struct keyring *keyring, void (*tell)(const char *line),
		 struct rotate_totals *totals, char *error, size_t error_size);

#endif
