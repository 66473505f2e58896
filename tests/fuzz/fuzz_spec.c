/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies against a table with every kind of field. */
#include "table.h"

#include "../../src/base/arena.h"
#include "../../src/json/exact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct body {
	struct fuzz_row row, inner;
};

static const struct spec_field inner_fields[] = {FUZZ_SCALARS};
static const struct spec inner_spec = SPEC("Inner", inner_fields);

static const struct spec_field body_fields[] = {
	FUZZ_SCALARS,
	{"list", SPEC_TEXT_LIST, .min = 1, .max = 3, FUZZ_AT(list)},
	{"metadata", SPEC_METADATA, FUZZ_AT(metadata)},
	{"patch", SPEC_METADATA, .nullable = true, FUZZ_AT(patch)},
	{"inner", SPEC_OBJECT, .nullable = true, .object = &inner_spec,
	 .offset = offsetof(struct body, inner)},
};
static const struct spec body_spec = SPEC("Body", body_fields);

/* Metadata goes to the database as text: that text is an object. */
static void check_metadata(struct arena *arena, const char *text)
{
	const char *why;
	json_t *value;

	if (text == NULL)
		return;
	value = exact_parse(arena, text, strlen(text), &why);
	fuzz_must(json_is_object(value));
	json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(4096);
	struct fault fault = {0};
	struct body body = {0};
	json_t *root;

	if (spec_read_body(&body_spec, arena, (const char *)data, size, &body,
			   &root, &fault)) {
		fuzz_check_row(&body.row);
		fuzz_check_row(&body.inner);
		fuzz_must(body.row.list.count <= 3);
		check_metadata(arena, body.row.metadata);
		check_metadata(arena, body.row.patch);
	} else {
		fuzz_must(root == NULL);
		fuzz_check_fault(&fault);
	}
	json_decref(root);
	arena_free(arena);
	return 0;
}
