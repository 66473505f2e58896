/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../base/arena.h"
#include "../base/clock.h"
#include "../base/money.h"
#include "../base/text.h"
#include "../json/exact.h"
#include "api.h"

/* JSON_OBJECT quotes a number that an expression made. */
static bool read_int(const json_t *value, int64_t *number)
{
	const char *digits = exact_number(value);

	if (digits == NULL)
		digits = exact_string(value);
	if (json_is_boolean(value)) {
		*number = json_is_true(value);
		return true;
	}
	return digits != NULL && text_to_int(digits, number);
}

static bool read_time(struct arena *arena, const json_t *value, int64_t *moment)
{
	const char *text = exact_string(value);
	char *stamp;

	if (text == NULL || strlen(text) < 19)
		return false;
	stamp = arena_printf(arena, "%.10sT%.8sZ", text, text + 11);
	return time_parse(stamp, moment);
}

static bool read_blob(struct arena *arena, const json_t *value,
		      struct bytes *blob)
{
	const char *hex = exact_string(value);
	size_t len = hex == NULL ? 0 : strlen(hex) / 2;
	unsigned char *data = arena_alloc(arena, len + 1);

	if (hex == NULL || !hex_decode(data, len, hex))
		return false;
	*blob = (struct bytes){data, len};
	return true;
}

static bool read_value(struct arena *arena, enum db_type type,
		       const json_t *value, void *to)
{
	const char *text;
	int64_t number;

	switch (type) {
	case DB_INT:
		return read_int(value, to);
	case DB_BOOL:
		if (!read_int(value, &number))
			return false;
		*(bool *)to = number != 0;
		return true;
	case DB_MONEY:
		if (!read_int(value, &number))
			return false;
		*(struct money *)to = MONEY_USD(number); /* raw: as stored */
		return true;
	case DB_TEXT:
		text = exact_string(value);
		if (text == NULL)
			return false;
		*(const char **)to = arena_strdup(arena, text);
		return true;
	case DB_TIME:
		return read_time(arena, value, to);
	case DB_BLOB:
		return read_blob(arena, value, to);
	case DB_INT_OR_NULL:
	case DB_MONEY_OR_NULL:
		return false; /* parameters only */
	}
	return false;
}

bool snapshot_read(struct arena *arena, const json_t *object,
		   const struct row_shape *shape, void *row)
{
	const char *name = shape->names;

	memset(row, 0, shape->size);
	for (size_t i = 0; i < shape->count; i++) {
		size_t len = strcspn(name, ",");
		const struct db_field *field = &shape->fields[i];
		void *to = (char *)row + field->offset;
		const json_t *value = json_object_get(
			object, arena_strndup(arena, name, len));

		name += len + strspn(name + len, ", ");
		if (field->type == DB_MONEY)
			*(struct money *)to = MONEY_USD(0);
		if (value != NULL && !json_is_null(value) &&
		    !read_value(arena, field->type, value, to))
			return false;
	}
	return true;
}
