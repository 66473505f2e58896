/* SPDX-License-Identifier: Apache-2.0 */
#include "canonical.h"

#include <jansson.h>

static int take(const char *bytes, size_t len, void *out)
{
	text_add_n(out, bytes, len);
	return 0;
}

bool canonical_print(struct text *out, struct bytes json)
{
	json_t *root =
		json_loadb(json.data, json.len, JSON_REJECT_DUPLICATES, NULL);
	bool done = json_is_object(root) &&
		    json_dump_callback(root, take, out,
				       JSON_SORT_KEYS | JSON_COMPACT) == 0;

	json_decref(root);
	return done;
}
