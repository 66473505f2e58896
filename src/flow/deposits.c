/* SPDX-License-Identifier: Apache-2.0 */
#include "deposits.h"

#include <string.h>

#include "../base/arena.h"
#include "../base/secret.h"
#include "../base/token.h"

static enum db_result deposit_make(const struct flow *flow,
				   struct deposit_command *command)
{
	struct deposit_new deposit = command->deposit;
	unsigned char hash[32];
	char *tx_hash = arena_alloc(flow->arena, 2 * sizeof(hash) + 1);
	char *public_id = arena_alloc(flow->arena, ID_SIZE);

	random_bytes(hash, sizeof(hash));
	hex_encode(tx_hash, hash, sizeof(hash));
	id_make(public_id, "dep_");
	deposit.wallet_id = flow->wallet_id;
	deposit.public_id = public_id;
	deposit.tx_hash = tx_hash;
	return simulate_deposit(flow->db, flow->arena, &deposit, &command->row);
}

enum db_result deposit_simulate_run(const struct flow *flow, void *arg,
				    enum error_code *refusal)
{
	struct deposit_command *command = arg;
	enum db_result result;

	if (command->deposit_id != NULL)
		result = simulate_deposit_change(
			flow->db, flow->arena, flow->wallet_id,
			command->deposit_id, command->action, &command->row);
	else
		result = deposit_make(flow, command);
	if (result == DB_OK)
		*refusal = error_of_outcome(command->row.outcome);
	return result;
}

enum db_result clock_advance_run(const struct flow *flow, void *arg,
				 enum error_code *refusal)
{
	struct clock_command *command = arg;
	enum db_result result;

	result = simulate_clock(flow->db, flow->arena, flow->wallet_id,
				command->advance_s, &command->row);
	if (result == DB_OK)
		*refusal = error_of_outcome(command->row.outcome);
	return result;
}

enum db_result addresses_take_run(const struct flow *flow, void *arg,
				  enum error_code *refusal)
{
	struct address_command *command = arg;
	bool known = command->currency == NULL;
	size_t ready = 0;
	enum db_result result;

	*refusal = ERR_NONE;
	result = currency_list(flow->db, flow->arena, &command->currencies,
			       &command->count);
	if (result != DB_OK)
		return result;
	command->addresses =
		arena_alloc(flow->arena, (command->count + 1) * sizeof(char *));
	for (size_t i = 0; i < command->count; i++) {
		const char *code = command->currencies[i].code;
		struct address_row row;

		if (command->currency != NULL &&
		    strcmp(command->currency, code) != 0)
			continue;
		known = true;
		result = deposit_address_take(flow->db, flow->arena,
					      flow->wallet_id, code, &row);
		if (result != DB_OK)
			return result;
		if (strcmp(row.outcome, "ok") == 0) {
			command->addresses[i] = row.address;
			ready++;
		}
	}
	if (!known)
		*refusal = ERR_INVALID_PARAMETER;
	else if (ready == 0)
		*refusal = ERR_ADDRESS_POOL_EMPTY;
	return DB_OK;
}
