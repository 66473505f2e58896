/* SPDX-License-Identifier: Apache-2.0 */
#include "exact.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/text.h"
#include "emit.h"

#define DEPTH_MAX 32

/* A number's quotes, and the mark that no sender can write. */
#define NUMBER_OPEN "\"\\u0000"
#define NUMBER_CLOSE "\""

static size_t digits_length(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && text[i] >= '0' && text[i] <= '9')
		i++;
	return i;
}

size_t exact_number_length(const char *text, size_t len)
{
	size_t at = len > 0 && text[0] == '-', digits, sign;

	digits = digits_length(text + at, len - at);
	if (digits == 0)
		return 0;
	at += text[at] == '0' ? 1 : digits;
	if (at < len && text[at] == '.') {
		digits = digits_length(text + at + 1, len - at - 1);
		if (digits == 0)
			return 0;
		at += 1 + digits;
	}
	if (at < len && (text[at] == 'e' || text[at] == 'E')) {
		sign = at + 1 < len &&
		       (text[at + 1] == '+' || text[at + 1] == '-');
		digits = digits_length(text + at + 1 + sign,
				       len - at - 1 - sign);
		if (digits == 0)
			return 0;
		at += 1 + sign + digits;
	}
	return at;
}

/* The text on its way to Jansson, and what has been seen so far. */
struct scan {
	const char *at, *end;
	struct text *out;
	unsigned int depth;
	const char *why;
};

static bool refuse(struct scan *scan, const char *why)
{
	scan->why = why;
	return false;
}

/* Copies a string as it stands; at is behind its opening quote. */
static bool scan_string(struct scan *scan)
{
	const char *start = scan->at - 1;

	while (scan->at < scan->end && *scan->at != '"') {
		if (*scan->at == '\\') {
			scan->at++;
			if (scan->end - scan->at >= 5 &&
			    memcmp(scan->at, "u0000", 5) == 0)
				return refuse(scan, "Text must not contain the "
						    "character U+0000.");
		}
		if (scan->at < scan->end)
			scan->at++;
	}
	if (scan->at == scan->end)
		return refuse(scan, "The JSON ends in the middle of a string.");
	scan->at++;
	text_add_n(scan->out, start, (size_t)(scan->at - start));
	return true;
}

static bool scan_number(struct scan *scan)
{
	size_t len =
		exact_number_length(scan->at, (size_t)(scan->end - scan->at));
	const char *behind = scan->at + len;

	if (len == 0 ||
	    (behind < scan->end && strchr(" \t\r\n,]}", *behind) == NULL))
		return refuse(scan, "The JSON holds a malformed number.");
	text_add(scan->out, NUMBER_OPEN);
	text_add_n(scan->out, scan->at, len);
	text_add(scan->out, NUMBER_CLOSE);
	scan->at = behind;
	return true;
}

static bool scan_brackets(struct scan *scan)
{
	if (*scan->at == '[' || *scan->at == '{') {
		if (scan->depth++ == DEPTH_MAX)
			return refuse(scan, "The JSON is nested too deeply.");
	} else if (scan->depth > 0) {
		scan->depth--;
	}
	text_add_char(scan->out, *scan->at++);
	return true;
}

/* Copies up to what needs a look: a string, a number or a bracket. */
static void scan_rest(struct scan *scan)
{
	const char *start = scan->at;

	while (scan->at < scan->end &&
	       strchr("\"-0123456789[]{}", *scan->at) == NULL)
		scan->at++;
	text_add_n(scan->out, start, (size_t)(scan->at - start));
}

/* Quotes the numbers. All else that is wrong is left for Jansson to find. */
static bool scan_all(struct scan *scan)
{
	for (;;) {
		bool good;

		scan_rest(scan);
		if (scan->at == scan->end)
			return true;
		if (*scan->at == '"') {
			scan->at++;
			good = scan_string(scan);
		} else if (strchr("[]{}", *scan->at) != NULL) {
			good = scan_brackets(scan);
		} else {
			good = scan_number(scan);
		}
		if (!good)
			return false;
	}
}

static const char *sentence(const json_error_t *error)
{
	enum json_error_code code = json_error_code(error);

	if (code == json_error_duplicate_key)
		return "The JSON holds a key twice in one object.";
	if (code == json_error_end_of_input_expected)
		return "Something stands behind the JSON value.";
	if (code == json_error_premature_end_of_input)
		return "The JSON ends too early.";
	return "The JSON is malformed.";
}

/* The key that Jansson has just read: it ends, quote included, at end. */
static const char *key_before(struct arena *arena, const char *text, size_t end)
{
	const char *key = NULL;
	size_t start, back;
	json_t *value;

	for (start = end - 1; start > 0; start--) {
		if (text[start - 1] != '"')
			continue;
		for (back = start - 1; back > 0 && text[back - 1] == '\\';)
			back--;
		if ((start - 1 - back) % 2 == 0)
			break;
	}
	if (start == 0)
		return NULL;
	value = json_loadb(text + start - 1, end - start + 1, JSON_DECODE_ANY,
			   NULL);
	if (json_is_string(value))
		key = arena_strdup(arena, json_string_value(value));
	json_decref(value);
	return key;
}

json_t *exact_parse_key(struct arena *arena, const char *body, size_t len,
			const char **why, const char **key)
{
	struct text out;
	struct scan scan = {.at = body, .end = body + len, .out = &out};
	json_error_t error;
	json_t *value;

	*key = NULL;
	if (!utf8_valid(body, len)) {
		*why = "The JSON is not valid UTF-8.";
		return NULL;
	}
	text_init(&out, arena);
	if (!scan_all(&scan)) {
		*why = scan.why;
		return NULL;
	}
	value = json_loadb(out.data, out.len,
			   JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES |
				   JSON_DECODE_ANY,
			   &error);
	if (value != NULL)
		return value;
	*why = sentence(&error);
	if (json_error_code(&error) == json_error_duplicate_key &&
	    error.position > 1 && (size_t)error.position <= out.len &&
	    out.data[error.position - 1] == '"')
		*key = key_before(arena, out.data, (size_t)error.position);
	return NULL;
}

json_t *exact_parse(struct arena *arena, const char *body, size_t len,
		    const char **why)
{
	const char *key;

	return exact_parse_key(arena, body, len, why, &key);
}

static bool is_number(const json_t *value)
{
	return json_is_string(value) && json_string_length(value) > 0 &&
	       json_string_value(value)[0] == '\0';
}

const char *exact_number(const json_t *value)
{
	return is_number(value) ? json_string_value(value) + 1 : NULL;
}

const char *exact_string(const json_t *value)
{
	return is_number(value) ? NULL : json_string_value(value);
}

static void print_object(struct text *out, const json_t *object)
{
	/* Jansson iterates over const objects too; its iterator lacks const. */
	json_t *container = (json_t *)(uintptr_t)object, *value;
	const char *key;
	bool first = true;

	text_add_char(out, '{');
	json_object_foreach(container, key, value)
	{
		if (!first)
			text_add_char(out, ',');
		first = false;
		emit_string(out, key);
		text_add_char(out, ':');
		exact_print(out, value);
	}
	text_add_char(out, '}');
}

static void print_array(struct text *out, const json_t *array)
{
	size_t i;

	text_add_char(out, '[');
	for (i = 0; i < json_array_size(array); i++) {
		if (i > 0)
			text_add_char(out, ',');
		exact_print(out, json_array_get(array, i));
	}
	text_add_char(out, ']');
}

void exact_print(struct text *out, const json_t *value)
{
	if (json_is_object(value))
		print_object(out, value);
	else if (json_is_array(value))
		print_array(out, value);
	else if (is_number(value))
		text_add(out, exact_number(value));
	else if (json_is_string(value))
		emit_string(out, json_string_value(value));
	else if (json_is_true(value))
		text_add(out, "true");
	else if (json_is_false(value))
		text_add(out, "false");
	else
		text_add(out, "null");
}
