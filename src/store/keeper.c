/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper.h"

static const struct db_field number[] = {{DB_INT, 0}};

#define TASK(title)                                                            \
	{                                                                      \
		.name = (title), .sql = "CALL " title "(?)",                   \
		DB_PARAMS(number), DB_COLUMNS(number, int64_t)                 \
	}

static const struct statement tasks[KEEPER_TASKS] = {
	[KEEPER_HOLDS] = TASK("keeper_holds"),
	[KEEPER_CHALLENGES] = TASK("keeper_challenges"),
	[KEEPER_DEPOSITS] = TASK("keeper_deposits"),
	[KEEPER_IDEMPOTENCY] = TASK("keeper_idempotency"),
	[KEEPER_USAGE] = TASK("keeper_usage"),
};

const char *keeper_task_name(enum keeper_task task)
{
	return tasks[task].name;
}

enum db_result keeper_run(struct db *db, struct arena *arena,
			  enum keeper_task task, int64_t batch, int64_t *done)
{
	return db_one(db, arena, &tasks[task], &batch, done);
}
