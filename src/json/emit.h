/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_EMIT_H
#define JSON_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text;

/*
 * A reply as a table over a C struct: the same table prints the object and its
 * schema in the OpenAPI document, so the two cannot disagree. Fields print in
 * the table's order.
 */
enum emit_kind {
	EMIT_TEXT,   /* const char *; NULL prints null */
	EMIT_MONEY,  /* struct money: 9.99 */
	EMIT_CENTS,  /* struct money: 999 */
	EMIT_TIME,   /* int64_t Unix seconds: RFC 3339; 0 prints null */
	EMIT_INT,    /* int64_t */
	EMIT_BOOL,   /* bool */
	EMIT_TENTHS, /* int64_t 972 prints 97.2 */
	EMIT_JSON,   /* const char * holding JSON text; NULL prints null */
	EMIT_OBJECT, /* nested struct at offset, by .object */
	EMIT_LIST,   /* struct emit_list of .object rows */
};

struct emit_list {
	const void *rows;
	size_t count, size; /* size of one row */
};

struct emit_object;

struct emit_field {
	const char *name;
	enum emit_kind kind;
	bool nullable; /* the schema allows null; zero money prints null */
	bool optional; /* a NULL text or JSON, a zero time or money: left out */
	size_t offset;
	const char *const *values; /* EMIT_TEXT: all it may be */
	const struct emit_object *object;
	const char *json_schema; /* EMIT_JSON: JSON Schema of the text */
	const char *doc;
};

struct emit_object {
	const char *name; /* of the schema in the OpenAPI document */
	const struct emit_field *fields;
	size_t count;
};
#define EMIT(title, table)                                                     \
	{                                                                      \
		.name = (title), .fields = (table),                            \
		.count = sizeof(table) / sizeof((table)[0])                    \
	}

void emit_object(struct text *out, const struct emit_object *object,
		 const void *row);
void emit_string(struct text *out, const char *string); /* quoted, escaped */
/* A schema's member enum: the values, NULL-terminated, and null. */
void emit_print_values(struct text *out, const char *const *values,
		       bool nullable);
/* JSON Schema of the object; nested named objects as $ref into
 * #/components/schemas/. */
void emit_print_schema(struct text *out, const struct emit_object *object);

#endif
