/* SPDX-License-Identifier: Apache-2.0 */
#include "funding.h"

enum db_result funding_change_run(const struct flow *flow, void *arg,
				  enum error_code *refusal)
{
	struct funding_command *command = arg;
	enum db_result result;

	if (command->nickname == NULL)
		return funding_get(flow->db, flow->arena, flow->wallet_id,
				   &command->row);
	result = funding_rename(flow->db, flow->arena, flow->wallet_id,
				command->nickname, &command->row);
	if (result == DB_OK)
		*refusal = error_of_outcome(command->row.outcome);
	return result;
}
