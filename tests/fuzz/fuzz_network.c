/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies against the tables of the network interface and of the sandboxes of
 * both dialects. The first byte says which: '0' is the first such route with a
 * body. */
#include "../../src/api/resources.h"

#include "../../src/base/arena.h"
#include "table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_payment(const struct route *route)
{
	return route->body != NULL &&
	       (route->scope == SCOPE_NETWORK || route->test_only);
}

/* Of both dialects' routes. */
static const struct route *route_at(size_t i)
{
	const struct dialect *dialect = dialects;

	for (; i >= dialect->route_count; dialect++)
		i -= dialect->route_count;
	return &dialect->routes[i];
}

static const struct shape *shape_of(unsigned char number)
{
	size_t count = 0, wanted = (unsigned char)(number - '0');
	size_t all = dialects[DIALECT_NATIVE].route_count +
		     dialects[DIALECT_PRIVACY].route_count;

	for (size_t i = 0; i < all; i++)
		count += is_payment(route_at(i));
	fuzz_must(count > 20);
	wanted = count > 0 ? wanted % count : 0;
	for (size_t i = 0; i < all; i++)
		if (is_payment(route_at(i)) && wanted-- == 0)
			return route_at(i)->body;
	abort();
}

static void check_text(const struct spec_field *field, const char *text)
{
	size_t length;

	if (text == NULL)
		return;
	fuzz_must(utf8_valid(text, strlen(text)));
	length = utf8_length(text);
	fuzz_must(field->max == 0 || (int64_t)length <= field->max);
	if (field->kind == SPEC_DIGITS)
		fuzz_must(strspn(text, "0123456789") == length);
	if (field->ascii)
		fuzz_must(length == strlen(text));
}

static void check_choice(const struct spec_field *field, const char *choice)
{
	const char *const *value = field->values;

	for (; choice != NULL; value++) {
		fuzz_must(*value != NULL);
		if (*value == NULL || strcmp(*value, choice) == 0)
			break;
	}
}

/* What was taken keeps to its table. */
static void check_fields(const struct spec *spec, const char *base)
{
	for (size_t i = 0; i < spec->count; i++) {
		const struct spec_field *field = &spec->fields[i];
		const void *at = base + field->offset;
		const char *text;
		int64_t number;

		switch (field->kind) {
		case SPEC_TEXT:
		case SPEC_DIGITS:
		case SPEC_DECIMAL:
			memcpy(&text, at, sizeof(text));
			check_text(field, text);
			break;
		case SPEC_MONEY:
			number = ((const struct money *)at)->cents;
			fuzz_must(number >= 0 && number <= MONEY_MAX_CENTS);
			break;
		case SPEC_INT:
			memcpy(&number, at, sizeof(number));
			fuzz_must(number == 0 || (number >= field->min &&
						  number <= field->max));
			break;
		case SPEC_ENUM:
			memcpy(&text, at, sizeof(text));
			check_choice(field, text);
			break;
		case SPEC_OBJECT:
			check_fields(field->object, at);
			break;
		case SPEC_BOOL:
		case SPEC_TIME:
		case SPEC_TEXT_LIST:
		case SPEC_METADATA:
			break;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct shape *shape;
	struct arena *arena;
	struct fault fault = {0};
	json_t *root;
	void *body;

	if (size == 0)
		return 0;
	shape = shape_of(data[0]);
	arena = arena_new(4096);
	body = arena_alloc(arena, shape->size);
	memset(body, 0, shape->size);
	if (shape->defaults != NULL)
		memcpy(body, shape->defaults, shape->size);
	if (spec_read_body(shape->spec, arena, (const char *)data + 1, size - 1,
			   body, &root, &fault)) {
		check_fields(shape->spec, body);
	} else {
		fuzz_must(root == NULL);
		fuzz_check_fault(&fault);
	}
	json_decref(root);
	arena_free(arena);
	return 0;
}
