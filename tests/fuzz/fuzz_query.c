/* SPDX-License-Identifier: Apache-2.0 */
/* Query strings against a table with every kind of field that they take. */
#include "table.h"

#include "../../src/base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct spec_field query_fields[] = {FUZZ_SCALARS};
static const struct spec query_spec = SPEC("Query", query_fields);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(4096);
	struct fault fault = {0};
	struct fuzz_row row = {0};

	if (spec_read_query(&query_spec, arena,
			    arena_strndup(arena, (const char *)data, size),
			    &row, &fault))
		fuzz_check_row(&row);
	else
		fuzz_check_fault(&fault);
	arena_free(arena);
	return 0;
}
