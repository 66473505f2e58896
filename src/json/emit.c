/* SPDX-License-Identifier: Apache-2.0 */
#include "emit.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/money.h"
#include "../base/text.h"

void emit_string(struct text *out, const char *string)
{
	const char *run = string;

	text_add_char(out, '"');
	for (; *string != '\0'; string++) {
		unsigned char c = (unsigned char)*string;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		text_add_n(out, run, (size_t)(string - run));
		run = string + 1;
		if (c == '"' || c == '\\') {
			text_add_char(out, '\\');
			text_add_char(out, (char)c);
		} else if (c == '\n') {
			text_add(out, "\\n");
		} else {
			text_printf(out, "\\u%04x", c);
		}
	}
	text_add_n(out, run, (size_t)(string - run));
	text_add_char(out, '"');
}

static const void *at(const void *row, const struct emit_field *field)
{
	return (const char *)row + field->offset;
}

static const char *text_at(const void *row, const struct emit_field *field)
{
	return *(const char *const *)at(row, field);
}

static int64_t int_at(const void *row, const struct emit_field *field)
{
	return *(const int64_t *)at(row, field);
}

static struct money money_at(const void *row, const struct emit_field *field)
{
	return *(const struct money *)at(row, field);
}

/* Whether the value is its kind's nothing. */
static bool is_absent(const struct emit_field *field, const void *row)
{
	switch (field->kind) {
	case EMIT_TEXT:
	case EMIT_JSON:
		return text_at(row, field) == NULL;
	case EMIT_MONEY:
	case EMIT_CENTS:
		return money_is_zero(money_at(row, field));
	case EMIT_TIME:
		return int_at(row, field) == 0;
	case EMIT_INT:
	case EMIT_BOOL:
	case EMIT_TENTHS:
	case EMIT_OBJECT:
	case EMIT_LIST:
		break;
	}
	return false;
}

/* Zero money is an amount like any other unless the table says otherwise. */
static bool prints_null(const struct emit_field *field, const void *row)
{
	if (field->kind == EMIT_MONEY || field->kind == EMIT_CENTS)
		return field->nullable && is_absent(field, row);
	return is_absent(field, row);
}

static void emit_money(struct text *out, struct money amount)
{
	char digits[MONEY_TEXT_SIZE];

	money_format(digits, amount);
	text_add(out, digits);
}

static void emit_time(struct text *out, int64_t moment)
{
	char time[TIME_TEXT_SIZE];

	time_format(time, moment);
	text_add_char(out, '"');
	text_add(out, time);
	text_add_char(out, '"');
}

static void emit_tenths(struct text *out, int64_t tenths)
{
	if (tenths < 0 && tenths > -10)
		text_add_char(out, '-');
	text_add_int(out, tenths / 10);
	text_add_char(out, '.');
	text_add_int(out, tenths < 0 ? -(tenths % 10) : tenths % 10);
}

static void emit_rows(struct text *out, const struct emit_object *object,
		      const struct emit_list *list)
{
	size_t i;

	text_add_char(out, '[');
	for (i = 0; i < list->count; i++) {
		if (i > 0)
			text_add_char(out, ',');
		emit_object(out, object,
			    (const char *)list->rows + i * list->size);
	}
	text_add_char(out, ']');
}

static void emit_value(struct text *out, const struct emit_field *field,
		       const void *row)
{
	switch (field->kind) {
	case EMIT_TEXT:
		emit_string(out, text_at(row, field));
		break;
	case EMIT_MONEY:
		emit_money(out, money_at(row, field));
		break;
	case EMIT_CENTS:
		text_add_int(out, money_at(row, field).cents);
		break;
	case EMIT_TIME:
		emit_time(out, int_at(row, field));
		break;
	case EMIT_INT:
		text_add_int(out, int_at(row, field));
		break;
	case EMIT_BOOL:
		text_add(out, *(const bool *)at(row, field) ? "true" : "false");
		break;
	case EMIT_TENTHS:
		emit_tenths(out, int_at(row, field));
		break;
	case EMIT_JSON:
		text_add(out, text_at(row, field));
		break;
	case EMIT_OBJECT:
		emit_object(out, field->object, at(row, field));
		break;
	case EMIT_LIST:
		emit_rows(out, field->object, at(row, field));
		break;
	}
}

void emit_object(struct text *out, const struct emit_object *object,
		 const void *row)
{
	const struct emit_field *field = object->fields;
	const struct emit_field *end = field + object->count;
	bool first = true;

	text_add_char(out, '{');
	for (; field < end; field++) {
		if (field->optional && is_absent(field, row))
			continue;
		text_add(out, first ? "\"" : ",\"");
		first = false;
		text_add(out, field->name);
		text_add(out, "\":");
		if (prints_null(field, row))
			text_add(out, "null");
		else
			emit_value(out, field, row);
	}
	text_add_char(out, '}');
}

/* "type":"string" or "type":["string","null"] */
static void print_type(struct text *out, const char *type, bool nullable)
{
	text_printf(out,
		    nullable ? "\"type\":[\"%s\",\"null\"]" : "\"type\":\"%s\"",
		    type);
}

void emit_print_values(struct text *out, const char *const *values,
		       bool nullable)
{
	text_add(out, ",\"enum\":[");
	for (const char *const *value = values; *value != NULL; value++) {
		if (value != values)
			text_add_char(out, ',');
		emit_string(out, *value);
	}
	text_add(out, nullable ? ",null]" : "]");
}

/* The members of a schema for a nested object. */
static void print_reference(struct text *out, const struct emit_object *object)
{
	struct text inner;

	if (object->name != NULL) {
		text_add(out, "\"$ref\":");
		text_add(out, "\"#/components/schemas/");
		text_add(out, object->name);
		text_add_char(out, '"');
		return;
	}
	text_init(&inner, out->arena);
	emit_print_schema(&inner, object);
	/* Its members, without the braces. */
	text_add_n(out, inner.data + 1, inner.len - 2);
}

static void print_json_schema(struct text *out, const struct emit_field *field)
{
	const char *schema = field->json_schema;

	if (schema == NULL)
		schema = "{}";
	text_printf(out,
		    field->nullable ? "\"anyOf\":[%s,{\"type\":\"null\"}]"
				    : "\"allOf\":[%s]",
		    schema);
}

static void print_field(struct text *out, const struct emit_field *field)
{
	switch (field->kind) {
	case EMIT_TEXT:
		print_type(out, "string", field->nullable);
		if (field->values != NULL)
			emit_print_values(out, field->values, field->nullable);
		break;
	case EMIT_MONEY:
	case EMIT_TENTHS:
		print_type(out, "number", field->nullable);
		break;
	case EMIT_CENTS:
	case EMIT_INT:
		print_type(out, "integer", field->nullable);
		break;
	case EMIT_TIME:
		print_type(out, "string", field->nullable);
		text_add(out, ",\"format\":\"date-time\"");
		break;
	case EMIT_BOOL:
		print_type(out, "boolean", field->nullable);
		break;
	case EMIT_JSON:
		print_json_schema(out, field);
		break;
	case EMIT_OBJECT:
		print_reference(out, field->object);
		break;
	case EMIT_LIST:
		text_add(out, "\"type\":\"array\",\"items\":{");
		print_reference(out, field->object);
		text_add_char(out, '}');
		break;
	}
}

static void print_required(struct text *out, const struct emit_object *object)
{
	bool first = true;
	size_t i;

	text_add(out, ",\"required\":[");
	for (i = 0; i < object->count; i++) {
		if (object->fields[i].optional)
			continue;
		if (!first)
			text_add_char(out, ',');
		first = false;
		emit_string(out, object->fields[i].name);
	}
	text_add_char(out, ']');
}

void emit_print_schema(struct text *out, const struct emit_object *object)
{
	size_t i;

	text_add(out, "{\"type\":\"object\",\"properties\":{");
	for (i = 0; i < object->count; i++) {
		const struct emit_field *field = &object->fields[i];

		if (i > 0)
			text_add_char(out, ',');
		emit_string(out, field->name);
		text_add(out, ":{");
		print_field(out, field);
		if (field->doc != NULL) {
			text_add(out, ",\"description\":");
			emit_string(out, field->doc);
		}
		text_add_char(out, '}');
	}
	text_add_char(out, '}');
	print_required(out, object);
	text_add(out, ",\"additionalProperties\":false}");
}
