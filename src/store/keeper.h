/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_KEEPER_H
#define STORE_KEEPER_H

#include "../db/db.h"

enum keeper_task {
	KEEPER_HOLDS,
	KEEPER_CHALLENGES,
	KEEPER_DEPOSITS,
	KEEPER_IDEMPOTENCY,
	KEEPER_USAGE,
	KEEPER_EVENTS,
	KEEPER_TASKS
};
const char *keeper_task_name(enum keeper_task task);

/* One batch in a transaction of its own; *done is how many were due. Events go
 * when they are event_days old. */
struct keeper_limits {
	int64_t batch, event_days;
};
enum db_result keeper_run(struct db *db, struct arena *arena,
			  enum keeper_task task,
			  const struct keeper_limits *limits, int64_t *done);

#endif
