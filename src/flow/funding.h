/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_FUNDING_H
#define FLOW_FUNDING_H

#include "../store/funding.h"
#include "effect.h"

/* A change of the wallet as a funding source, shaped for effect_run. */
struct funding_command {
	const char *nickname; /* NULL: stays */
	struct funding_row row;
};

/* Leaves the row as it is afterwards; refuses nothing. */
enum db_result funding_change_run(const struct flow *flow, void *arg,
				  enum error_code *refusal);

#endif
