/* SPDX-License-Identifier: Apache-2.0 */
#include "spec.h"

#include <stdarg.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/clock.h"
#include "../base/money.h"
#include "../base/text.h"
#include "emit.h"
#include "exact.h"

#define METADATA_KEYS_MAX 20
#define METADATA_KEY_MAX 40
#define METADATA_VALUE_MAX 500

/* A sender's own names come back in param: so many bytes of them at most. */
#define PARAM_MAX 80

struct reader {
	struct arena *arena;
	struct fault *fault;
};

/* One value as it came, by a body or a query. */
struct input {
	const json_t *json; /* NULL in a query */
	const char *text;   /* NULL when it is no string */
	const char *number; /* NULL when it is no number */
};

static const char *param_cut(struct arena *arena, const char *name)
{
	size_t len = strnlen(name, PARAM_MAX + 1);

	if (len <= PARAM_MAX)
		return arena_strdup(arena, name);
	/* Not within a character. */
	for (len = PARAM_MAX; len > 0; len--)
		if (((unsigned char)name[len] & 0xc0) != 0x80)
			break;
	return arena_strndup(arena, name, len);
}

/* The message is the parameter's path, then the rule, then a full stop. */
static bool refuse(struct reader *reader, enum error_code code,
		   const char *path, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static bool refuse(struct reader *reader, enum error_code code,
		   const char *path, const char *format, ...)
{
	const char *param = param_cut(reader->arena, path);
	const char *rule;
	va_list args;

	va_start(args, format);
	rule = arena_vprintf(reader->arena, format, args);
	va_end(args);
	*reader->fault = (struct fault){
		.code = code,
		.param = param,
		.message = arena_printf(reader->arena, "%s %s.",
					*param != '\0' ? param : "\"\"", rule),
	};
	return false;
}

#define INVALID ERR_INVALID_PARAMETER

static enum error_code code_or_invalid(enum error_code code)
{
	return code != ERR_NONE ? code : INVALID;
}

static bool is_bounded(const struct spec_field *field)
{
	return field->min != 0 || field->max != 0;
}

static bool has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* Sizes of texts and lists; things is what is counted. */
static bool check_count(struct reader *reader, const struct spec_field *field,
			const char *path, int64_t count, const char *verb,
			const char *things)
{
	if (!is_bounded(field))
		return true;
	if (count < field->min)
		return refuse(reader, code_or_invalid(field->too_small), path,
			      "must %s at least %lld %s%s", verb,
			      (long long)field->min, things,
			      field->min == 1 ? "" : "s");
	if (count > field->max)
		return refuse(reader, code_or_invalid(field->too_large), path,
			      "must %s at most %lld %s%s", verb,
			      (long long)field->max, things,
			      field->max == 1 ? "" : "s");
	return true;
}

static bool is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text > 0x7e)
			return false;
	return true;
}

static bool is_segment(const char *text)
{
	return strchr(text, '/') == NULL && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0;
}

static bool read_text(struct reader *reader, const struct spec_field *field,
		      const char *path, const struct input *input,
		      const char **out)
{
	if (input->text == NULL)
		return refuse(reader, INVALID, path, "must be a string");
	if (has_control(input->text))
		return refuse(reader, INVALID, path,
			      "must not contain control characters");
	if (field->ascii && !is_ascii(input->text))
		return refuse(reader, INVALID, path, "must be ASCII");
	if (field->segment && !is_segment(input->text))
		return refuse(reader, INVALID, path,
			      "must be without / and neither . nor ..");
	if (!check_count(reader, field, path, (int64_t)utf8_length(input->text),
			 "be", "character"))
		return false;
	*out = arena_strdup(reader->arena, input->text);
	return true;
}

static bool refuse_money(struct reader *reader, const struct spec_field *field,
			 const char *path, bool too_small)
{
	int64_t bound = too_small ? field->min : field->max;
	enum error_code code = too_small ? field->too_small : field->too_large;
	char dollars[MONEY_TEXT_SIZE];

	if (!is_bounded(field))
		bound = too_small ? -MONEY_MAX_CENTS : MONEY_MAX_CENTS;
	money_format(dollars, MONEY_USD(bound));
	return refuse(reader, code_or_invalid(code), path, "must be at %s %s",
		      too_small ? "least" : "most", dollars);
}

static bool read_money(struct reader *reader, const struct spec_field *field,
		       const char *path, const struct input *input,
		       struct money *out)
{
	struct money amount;

	switch (input->number == NULL
			? MONEY_MALFORMED
			: money_parse_usd(input->number, &amount)) {
	case MONEY_MALFORMED:
	case MONEY_TOO_PRECISE:
		return refuse(reader, INVALID, path,
			      "must be a number of dollars with at most two "
			      "decimals");
	case MONEY_RANGE:
		return refuse_money(reader, field, path, *input->number == '-');
	case MONEY_OK:
		break;
	}
	if (is_bounded(field) && amount.cents < field->min)
		return refuse_money(reader, field, path, true);
	if (is_bounded(field) && amount.cents > field->max)
		return refuse_money(reader, field, path, false);
	*out = amount;
	return true;
}

static bool refuse_int(struct reader *reader, const struct spec_field *field,
		       const char *path, enum error_code code)
{
	if (!is_bounded(field))
		return refuse(reader, code_or_invalid(code), path,
			      "must be an integer");
	return refuse(reader, code_or_invalid(code), path,
		      "must be an integer from %lld to %lld",
		      (long long)field->min, (long long)field->max);
}

static bool read_int(struct reader *reader, const struct spec_field *field,
		     const char *path, const struct input *input, int64_t *out)
{
	int64_t value;

	if (input->number == NULL || !text_to_int(input->number, &value))
		return refuse_int(reader, field, path, ERR_NONE);
	if (is_bounded(field) && value < field->min)
		return refuse_int(reader, field, path, field->too_small);
	if (is_bounded(field) && value > field->max)
		return refuse_int(reader, field, path, field->too_large);
	*out = value;
	return true;
}

static bool read_bool(struct reader *reader, const char *path,
		      const struct input *input, bool *out)
{
	bool yes, no;

	if (input->json != NULL) {
		yes = json_is_true(input->json);
		no = json_is_false(input->json);
	} else {
		yes = strcmp(input->text, "true") == 0;
		no = strcmp(input->text, "false") == 0;
	}
	if (!yes && !no)
		return refuse(reader, INVALID, path, "must be true or false");
	*out = yes;
	return true;
}

static bool read_enum(struct reader *reader, const struct spec_field *field,
		      const char *path, const struct input *input,
		      const char **out)
{
	const char *const *value = field->values;
	struct text list;

	text_init(&list, reader->arena);
	for (; *value != NULL; value++) {
		if (input->text != NULL && strcmp(*value, input->text) == 0) {
			*out = *value;
			return true;
		}
		text_add(&list, value == field->values ? "" : ", ");
		text_add(&list, *value);
	}
	return refuse(reader, INVALID, path, "must be one of %s", list.data);
}

static bool read_time(struct reader *reader, const char *path,
		      const struct input *input, int64_t *out)
{
	if (input->text == NULL || !time_parse(input->text, out))
		return refuse(reader, INVALID, path,
			      "must be a date or a date-time of RFC 3339");
	return true;
}

static bool read_digits(struct reader *reader, const struct spec_field *field,
			const char *path, const struct input *input,
			const char **out)
{
	if (input->text == NULL ||
	    strspn(input->text, "0123456789") != strlen(input->text))
		return refuse(reader, INVALID, path,
			      "must be a string of digits");
	return read_text(reader, field, path, input, out);
}

static bool read_text_list(struct reader *reader,
			   const struct spec_field *field, const char *path,
			   const struct input *input, struct spec_list *out)
{
	size_t count = json_array_size(input->json), i;
	const char **items;

	if (!json_is_array(input->json))
		return refuse(reader, INVALID, path,
			      "must be a list of strings");
	if (!check_count(reader, field, path, (int64_t)count, "have", "item"))
		return false;
	items = arena_alloc(reader->arena, count * sizeof(*items));
	for (i = 0; i < count; i++) {
		const char *text = exact_string(json_array_get(input->json, i));

		if (text == NULL)
			return refuse(reader, INVALID, path,
				      "must be a list of strings");
		if (has_control(text))
			return refuse(reader, INVALID, path,
				      "must not contain control characters");
		items[i] = arena_strdup(reader->arena, text);
	}
	*out = (struct spec_list){items, count};
	return true;
}

static bool metadata_valid(const json_t *metadata, bool patch,
			   const char *param, struct arena *arena,
			   struct fault *fault);

static bool read_metadata(struct reader *reader, const struct spec_field *field,
			  const char *path, const struct input *input,
			  const char **out)
{
	struct text text;

	if (!metadata_valid(input->json, field->nullable, path, reader->arena,
			    reader->fault))
		return false;
	text_init(&text, reader->arena);
	exact_print(&text, input->json);
	*out = text.data;
	return true;
}

/* Coins have more decimals than many a client's numbers: text does as well. */
static bool read_decimal(struct reader *reader, const char *path,
			 const struct input *input, const char **out)
{
	const char *number =
		input->number != NULL ? input->number : input->text;
	size_t len = number == NULL ? 0 : strlen(number);

	if (len == 0 || exact_number_length(number, len) != len ||
	    *number == '-')
		return refuse(reader, INVALID, path,
			      "must be a number of at least 0, or its text");
	*out = arena_strdup(reader->arena, number);
	return true;
}

static bool read_object(struct reader *reader, const struct spec *spec,
			const char *prefix, const json_t *object, char *out);

static bool read_nested(struct reader *reader, const struct spec_field *field,
			const char *path, const struct input *input, char *out)
{
	if (!json_is_object(input->json))
		return refuse(reader, INVALID, path, "must be an object");
	return read_object(reader, field->object,
			   arena_printf(reader->arena, "%s.", path),
			   input->json, out);
}

/* What null stands for; a nested struct keeps its defaults. */
static void set_zero(const struct spec_field *field, void *to)
{
	switch (field->kind) {
	case SPEC_TEXT:
	case SPEC_DIGITS:
	case SPEC_ENUM:
	case SPEC_DECIMAL:
	case SPEC_METADATA:
		*(const char **)to = NULL;
		break;
	case SPEC_MONEY:
		*(struct money *)to = MONEY_USD(0);
		break;
	case SPEC_INT:
	case SPEC_TIME:
		*(int64_t *)to = 0;
		break;
	case SPEC_BOOL:
		*(bool *)to = false;
		break;
	case SPEC_TEXT_LIST:
		*(struct spec_list *)to = (struct spec_list){NULL, 0};
		break;
	case SPEC_OBJECT:
		break;
	}
}

static bool read_value(struct reader *reader, const struct spec_field *field,
		       const char *path, const struct input *input, void *to)
{
	switch (field->kind) {
	case SPEC_TEXT:
		return read_text(reader, field, path, input, to);
	case SPEC_DIGITS:
		return read_digits(reader, field, path, input, to);
	case SPEC_MONEY:
		return read_money(reader, field, path, input, to);
	case SPEC_INT:
		return read_int(reader, field, path, input, to);
	case SPEC_BOOL:
		return read_bool(reader, path, input, to);
	case SPEC_ENUM:
		return read_enum(reader, field, path, input, to);
	case SPEC_TIME:
		return read_time(reader, path, input, to);
	case SPEC_TEXT_LIST:
		return read_text_list(reader, field, path, input, to);
	case SPEC_METADATA:
		return read_metadata(reader, field, path, input, to);
	case SPEC_OBJECT:
		return read_nested(reader, field, path, input, to);
	case SPEC_DECIMAL:
		return read_decimal(reader, path, input, to);
	}
	return false;
}

/* Takes one value into its place and raises its flag. */
static bool take_value(struct reader *reader, const struct spec_field *field,
		       const char *path, const struct input *input, char *out)
{
	/* In metadata nullable speaks of the values inside. */
	bool null = json_is_null(input->json) && field->nullable &&
		    field->kind != SPEC_METADATA;

	if (null)
		set_zero(field, out + field->offset);
	else if (!read_value(reader, field, path, input, out + field->offset))
		return false;
	if (field->given != SPEC_NO_FLAG)
		*(bool *)(out + field->given) = true;
	return true;
}

/* The field's index, or count when there is none of that name. */
static size_t field_index(const struct spec *spec, const char *name)
{
	size_t i;

	for (i = 0; i < spec->count; i++)
		if (strcmp(spec->fields[i].name, name) == 0)
			break;
	return i;
}

static bool refuse_unknown(struct reader *reader, const char *path)
{
	return refuse(reader, ERR_UNKNOWN_PARAMETER, path,
		      "is not a parameter of this request");
}

static bool refuse_missing(struct reader *reader, const char *path)
{
	return refuse(reader, ERR_MISSING_PARAMETER, path, "is required");
}

/* object NULL counts as {}. */
static bool read_object(struct reader *reader, const struct spec *spec,
			const char *prefix, const json_t *object, char *out)
{
	/* Jansson iterates over const objects too; its iterator lacks const. */
	json_t *container = (json_t *)(uintptr_t)object, *value;
	const char *name, *path;
	size_t i;

	json_object_foreach(container, name, value)
	{
		if (field_index(spec, name) == spec->count)
			return refuse_unknown(
				reader, arena_printf(reader->arena, "%s%s",
						     prefix, name));
	}
	for (i = 0; i < spec->count; i++) {
		const struct spec_field *field = &spec->fields[i];
		struct input input;

		path = arena_printf(reader->arena, "%s%s", prefix, field->name);
		value = json_object_get(object, field->name);
		if (value == NULL) {
			if (field->required)
				return refuse_missing(reader, path);
			continue;
		}
		input = (struct input){.json = value,
				       .text = exact_string(value),
				       .number = exact_number(value)};
		if (!take_value(reader, field, path, &input, out))
			return false;
	}
	return true;
}

bool spec_read_body(const struct spec *spec, struct arena *arena,
		    const char *body, size_t len, void *out, json_t **root,
		    struct fault *fault)
{
	struct reader reader = {.arena = arena, .fault = fault};
	const char *why = "The body must be one JSON object.", *key = NULL;

	*root = NULL;
	if (len > 0) {
		*root = exact_parse_key(arena, body, len, &why, &key);
		if (!json_is_object(*root)) {
			json_decref(*root);
			*root = NULL;
			*fault = (struct fault){.code = ERR_INVALID_JSON,
						.param = key,
						.message = why};
			if (key != NULL)
				fault->param = param_cut(arena, key);
			return false;
		}
	}
	if (read_object(&reader, spec, "", *root, out))
		return true;
	json_decref(*root);
	*root = NULL;
	return false;
}

/* Takes one "name=value" apart into its field's place in values. */
static bool take_pair(struct reader *reader, const struct spec *spec,
		      char *pair, const char **values)
{
	char *value = strchr(pair, '=');
	size_t i;

	if (value != NULL)
		*value++ = '\0';
	else
		value = pair + strlen(pair);
	if (!form_decode(pair)) {
		*reader->fault = (struct fault){
			.code = INVALID,
			.message = "The query holds a name that is not "
				   "percent-encoded UTF-8.",
		};
		return false;
	}
	i = field_index(spec, pair);
	if (i == spec->count)
		return refuse_unknown(reader, pair);
	if (values[i] != NULL)
		return refuse(reader, ERR_REPEATED_PARAMETER, pair,
			      "is given more than once");
	if (!form_decode(value))
		return refuse(reader, INVALID, pair,
			      "must be percent-encoded UTF-8");
	values[i] = value;
	return true;
}

bool spec_read_query(const struct spec *spec, struct arena *arena,
		     const char *query, void *out, struct fault *fault)
{
	struct reader reader = {.arena = arena, .fault = fault};
	const char **values = arena_alloc(arena, spec->count * sizeof(*values));
	char *rest = arena_strdup(arena, query != NULL ? query : ""), *pair;
	size_t i;

	while ((pair = strsep(&rest, "&")) != NULL)
		if (*pair != '\0' && !take_pair(&reader, spec, pair, values))
			return false;
	for (i = 0; i < spec->count; i++) {
		const struct spec_field *field = &spec->fields[i];
		struct input input = {.text = values[i], .number = values[i]};

		if (values[i] == NULL && field->required)
			return refuse_missing(&reader, field->name);
		if (values[i] != NULL &&
		    !take_value(&reader, field, field->name, &input, out))
			return false;
	}
	return true;
}

static bool metadata_value_valid(const json_t *value, bool patch)
{
	const char *text = exact_string(value), *number = exact_number(value);

	if (json_is_null(value))
		return patch;
	if (number != NULL)
		return strlen(number) <= METADATA_VALUE_MAX;
	if (text != NULL)
		return utf8_length(text) <= METADATA_VALUE_MAX;
	return json_is_boolean(value);
}

/*
 * Metadata rules of the contract: ≤ 20 keys, key 1-40 code points, value a
 * string of ≤ 500 code points, a number or a boolean; null only when patching.
 * The database merges a patch (JSON_MERGE_PATCH) and counts the keys.
 */
static bool metadata_valid(const json_t *metadata, bool patch,
			   const char *param, struct arena *arena,
			   struct fault *fault)
{
	struct reader reader = {.arena = arena, .fault = fault};
	/* Jansson iterates over const objects too; its iterator lacks const. */
	json_t *container = (json_t *)(uintptr_t)metadata, *value;
	size_t keys = 0, len;
	const char *key;

	if (!json_is_object(metadata))
		return refuse(&reader, INVALID, param, "must be an object");
	json_object_foreach(container, key, value)
	{
		len = utf8_length(key);
		if (len < 1 || len > METADATA_KEY_MAX)
			return refuse(&reader, INVALID, param,
				      "must have keys of 1 to %d characters",
				      METADATA_KEY_MAX);
		if (!metadata_value_valid(value, patch))
			return refuse(&reader, INVALID,
				      arena_printf(arena, "%s.%s", param, key),
				      "must be a string of at most %d "
				      "characters, a number or a boolean%s",
				      METADATA_VALUE_MAX,
				      patch ? ", or null to delete it" : "");
		if (!json_is_null(value))
			keys++;
	}
	if (keys > METADATA_KEYS_MAX)
		return refuse(&reader, ERR_METADATA_TOO_LARGE, param,
			      "must have at most %d keys", METADATA_KEYS_MAX);
	return true;
}

/* "type":"string" or "type":["string","null"] */
static void print_type(struct text *out, const char *type,
		       const struct spec_field *field)
{
	text_printf(out,
		    field->nullable ? "\"type\":[\"%s\",\"null\"]"
				    : "\"type\":\"%s\"",
		    type);
}

/* Bounds of integers, and of what is counted. */
static void print_bounds(struct text *out, const struct spec_field *field,
			 const char *least, const char *most)
{
	if (!is_bounded(field))
		return;
	text_printf(out, ",\"%s\":%lld,\"%s\":%lld", least,
		    (long long)field->min, most, (long long)field->max);
}

static void print_money_bounds(struct text *out, const struct spec_field *field)
{
	char least[MONEY_TEXT_SIZE], most[MONEY_TEXT_SIZE];

	if (!is_bounded(field))
		return;
	money_format(least, MONEY_USD(field->min));
	money_format(most, MONEY_USD(field->max));
	text_printf(out, ",\"minimum\":%s,\"maximum\":%s", least, most);
}

static void print_metadata(struct text *out, const struct spec_field *field)
{
	text_add(out, "\"type\":\"object\",");
	/* A patch may name more: keys that it deletes do not count. */
	if (!field->nullable)
		text_printf(out, "\"maxProperties\":%d,", METADATA_KEYS_MAX);
	text_printf(out,
		    "\"propertyNames\":{\"minLength\":1,\"maxLength\":%d},"
		    "\"additionalProperties\":{\"type\":[\"string\","
		    "\"number\",\"boolean\"%s],\"maxLength\":%d}",
		    METADATA_KEY_MAX, field->nullable ? ",\"null\"" : "",
		    METADATA_VALUE_MAX);
}

static void print_members(struct text *out, const struct spec *spec);

/* The members of one field's schema, without the braces. */
static void print_kind(struct text *out, const struct spec_field *field)
{
	switch (field->kind) {
	case SPEC_TEXT:
		print_type(out, "string", field);
		print_bounds(out, field, "minLength", "maxLength");
		text_add(out, field->segment ? ",\"pattern\":\"^(?!\\\\.{1,2}$)"
					       "[ -.0-~]*$\""
			      : field->ascii ? ",\"pattern\":\"^[ -~]*$\""
					     : ",\"pattern\":"
					       "\"^[^\\\\u0000-\\\\u001F"
					       "\\\\u007F]*$\"");
		break;
	case SPEC_DIGITS:
		print_type(out, "string", field);
		print_bounds(out, field, "minLength", "maxLength");
		text_add(out, ",\"pattern\":\"^[0-9]*$\"");
		break;
	case SPEC_MONEY:
		print_type(out, "number", field);
		print_money_bounds(out, field);
		break;
	case SPEC_INT:
		print_type(out, "integer", field);
		print_bounds(out, field, "minimum", "maximum");
		break;
	case SPEC_BOOL:
		print_type(out, "boolean", field);
		break;
	case SPEC_ENUM:
		print_type(out, "string", field);
		emit_print_values(out, field->values, field->nullable);
		break;
	case SPEC_TIME:
		print_type(out, "string", field);
		text_add(out, ",\"anyOf\":[{\"format\":\"date-time\"},"
			      "{\"format\":\"date\"}]");
		break;
	case SPEC_TEXT_LIST:
		print_type(out, "array", field);
		text_add(out, ",\"items\":{\"type\":\"string\"}");
		print_bounds(out, field, "minItems", "maxItems");
		break;
	case SPEC_METADATA:
		print_metadata(out, field);
		break;
	case SPEC_OBJECT:
		print_type(out, "object", field);
		print_members(out, field->object);
		break;
	case SPEC_DECIMAL:
		text_add(out, "\"type\":[\"number\",\"string\"],\"minimum\":0,"
			      "\"pattern\":\"^[0-9]\"");
		break;
	}
}

static void print_description(struct text *out, const struct spec_field *field)
{
	const char *unit = field->kind == SPEC_MONEY
				   ? "In dollars, with at most two decimals."
				   : "";
	const char *doc = field->doc != NULL ? field->doc : "";

	if (*doc == '\0' && *unit == '\0')
		return;
	text_add(out, ",\"description\":");
	emit_string(out, arena_printf(out->arena, "%s%s%s", doc,
				      *doc != '\0' && *unit != '\0' ? " " : "",
				      unit));
}

/* properties, required and additionalProperties, each behind a comma. */
static void print_members(struct text *out, const struct spec *spec)
{
	bool first = true;
	size_t i;

	text_add(out, ",\"properties\":{");
	for (i = 0; i < spec->count; i++) {
		const struct spec_field *field = &spec->fields[i];

		if (i > 0)
			text_add_char(out, ',');
		emit_string(out, field->name);
		text_add(out, ":{");
		print_kind(out, field);
		print_description(out, field);
		if (field->example != NULL)
			text_printf(out, ",\"examples\":[%s]", field->example);
		text_add_char(out, '}');
	}
	text_add(out, "},\"required\":[");
	for (i = 0; i < spec->count; i++) {
		if (!spec->fields[i].required)
			continue;
		if (!first)
			text_add_char(out, ',');
		first = false;
		emit_string(out, spec->fields[i].name);
	}
	text_add(out, "],\"additionalProperties\":false");
}

void spec_print_schema(struct text *out, const struct spec *spec)
{
	text_add(out, "{\"type\":\"object\"");
	print_members(out, spec);
	text_add_char(out, '}');
}

void spec_print_parameters(struct text *out, const struct spec *spec)
{
	size_t i;

	for (i = 0; i < spec->count; i++) {
		const struct spec_field *field = &spec->fields[i];

		text_add(out, i > 0 ? ",{\"name\":" : "{\"name\":");
		emit_string(out, field->name);
		text_printf(out, ",\"in\":\"query\",\"required\":%s",
			    field->required ? "true" : "false");
		print_description(out, field);
		text_add(out, ",\"schema\":{");
		print_kind(out, field);
		text_add_char(out, '}');
		if (field->example != NULL)
			text_printf(out, ",\"example\":%s", field->example);
		text_add_char(out, '}');
	}
}
