/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader: what it takes prints as JSON that reads and prints the
 * same; what it refuses comes with a sentence. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/base/arena.h"
#include "../../src/base/text.h"
#include "../../src/json/exact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(4096);
	const char *why = NULL, *key = NULL;
	struct text first, second;
	json_t *value;

	text_init(&first, arena);
	text_init(&second, arena);
	value = exact_parse_key(arena, (const char *)data, size, &why, &key);
	if (value == NULL) {
		if (why == NULL || !utf8_valid(why, strlen(why)))
			abort();
		if (key != NULL && !utf8_valid(key, strlen(key)))
			abort();
	} else {
		exact_print(&first, value);
		json_decref(value);
		value = exact_parse(arena, first.data, first.len, &why);
		if (value == NULL)
			abort();
		exact_print(&second, value);
		if (strcmp(first.data, second.data) != 0)
			abort();
		json_decref(value);
	}
	arena_free(arena);
	return 0;
}
