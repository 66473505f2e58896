/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_SPEC_H
#define JSON_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/error.h"

struct arena;
struct text;

/*
 * A request as a table: what it may hold, of what type and range, and where
 * each value goes in a C struct. What the table does not name is refused. The
 * OpenAPI document is printed from the same tables.
 */
enum spec_kind {
	SPEC_TEXT,   /* const char *; min/max are code points */
	SPEC_DIGITS, /* const char *: a string of digits; min/max count them */
	SPEC_MONEY,  /* struct money; min/max are cents (0,0: not checked) */
	SPEC_INT,    /* int64_t; a JSON integer or a query's decimal */
	SPEC_BOOL,   /* bool */
	SPEC_ENUM,   /* const char * out of values[], NULL-terminated */
	SPEC_TIME,   /* int64_t Unix seconds; text per time_parse */
	SPEC_TEXT_LIST, /* struct spec_list; min/max are the count of items */
	SPEC_METADATA,	/* const char *: JSON text of an object, see below;
			   nullable: null values are taken (a patch) */
	SPEC_OBJECT,	/* a nested struct at offset, by .object */
	SPEC_DECIMAL,	/* const char *: exact text of a non-negative number,
			   given as a number or as a string */
};

struct spec_list {
	const char *const *items;
	size_t count;
};

struct spec_field {
	const char *name;
	enum spec_kind kind;
	bool required;
	bool ascii;	  /* SPEC_TEXT: an id or code, ASCII only */
	bool segment;	  /* ascii, and can stand in a path between slashes */
	bool nullable;	  /* JSON null is taken and reads as the zero value */
	int64_t min, max; /* both 0: unbounded */
	enum error_code too_small, too_large; /* instead of invalid_parameter */
	const char *const *values;
	const struct spec *object;
	size_t offset;
	size_t given;	     /* offset of a bool set when the field is there, or
				SPEC_NO_FLAG */
	const char *doc;     /* one sentence for the OpenAPI document */
	const char *example; /* JSON text, may be NULL */
};
#define SPEC_NO_FLAG 0 /* request structs never start with a given-flag */

struct spec {
	const char *name; /* of the schema in the OpenAPI document */
	const struct spec_field *fields;
	size_t count;
};
#define SPEC(title, table)                                                     \
	{                                                                      \
		.name = (title), .fields = (table),                            \
		.count = sizeof(table) / sizeof((table)[0])                    \
	}

/*
 * Reads a body (an empty one counts as {}) or a query string into *out, which
 * the caller has filled with defaults. On refusal false with *fault telling
 * code, field path ("merchant.mcc") and rule. Text and lists live in arena.
 * *root must be released with json_decref by the caller after the request
 * (NULL when the body was empty).
 */
bool spec_read_body(const struct spec *spec, struct arena *arena,
		    const char *body, size_t len, void *out, json_t **root,
		    struct fault *fault);
bool spec_read_query(const struct spec *spec, struct arena *arena,
		     const char *query, void *out, struct fault *fault);

/* The JSON Schema (2020-12) of a body; the OpenAPI parameter objects of a
 * query, separated by commas and without the brackets around them. */
void spec_print_schema(struct text *out, const struct spec *spec);
void spec_print_parameters(struct text *out, const struct spec *spec);

#endif
