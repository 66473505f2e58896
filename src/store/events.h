/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_EVENTS_H
#define STORE_EVENTS_H

#include "list.h"

/* A row of the outbox. snapshot is JSON: the object's columns at that moment,
 * under their names, amounts in cents, times as DATETIME prints them. */
struct event_row {
	int64_t id;
	const char *public_id, *type, *card_public_id, *mode, *snapshot;
	int64_t sequence, created_at;
};

struct event_filter {
	int64_t wallet_id;
	const char *type, *card_id; /* NULL: any */
	int64_t from, to;	    /* Unix seconds, 0: open */
};

enum db_result event_get(struct db *db, struct arena *arena, int64_t wallet_id,
			 const char *public_id, struct event_row *row);
enum db_result event_list(struct db *db, struct arena *arena,
			  const struct event_filter *filter,
			  const struct list_window *window,
			  struct event_row **rows, struct list_result *result);
struct list_place event_place(const struct event_row *row);

#endif
