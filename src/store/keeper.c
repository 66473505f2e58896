/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper.h"

static const struct db_field done_column[] = {{DB_INT, 0}};
static const struct db_field batch_param[] = {
	{DB_INT, offsetof(struct keeper_limits, batch)},
};
static const struct db_field batch_days_params[] = {
	{DB_INT, offsetof(struct keeper_limits, batch)},
	{DB_INT, offsetof(struct keeper_limits, event_days)},
};

#define TASK_OF(title, marks, table)                                           \
	{                                                                      \
		.name = (title), .sql = "CALL " title marks, DB_PARAMS(table), \
		DB_COLUMNS(done_column, int64_t)                               \
	}
#define TASK(title) TASK_OF(title, "(?)", batch_param)

static const struct statement tasks[KEEPER_TASKS] = {
	[KEEPER_HOLDS] = TASK("keeper_holds"),
	[KEEPER_CHALLENGES] = TASK("keeper_challenges"),
	[KEEPER_DEPOSITS] = TASK("keeper_deposits"),
	[KEEPER_IDEMPOTENCY] = TASK("keeper_idempotency"),
	[KEEPER_USAGE] = TASK("keeper_usage"),
	[KEEPER_EVENTS] = TASK_OF("keeper_events", "(?, ?)", batch_days_params),
};

const char *keeper_task_name(enum keeper_task task)
{
	return tasks[task].name;
}

enum db_result keeper_run(struct db *db, struct arena *arena,
			  enum keeper_task task,
			  const struct keeper_limits *limits, int64_t *done)
{
	return db_one(db, arena, &tasks[task], limits, done);
}
