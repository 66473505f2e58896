/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/json/emit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "../../src/base/arena.h"
#include "../../src/base/money.h"
#include "../../src/base/text.h"
#include "../../src/json/exact.h"
#include "suite.h"

struct merchant {
	const char *name;
	int64_t mcc;
};

struct row {
	const char *id;
	struct money amount, held;
	int64_t created_at, count, rate;
	bool active;
	const char *metadata, *note;
	int64_t frozen_at;
	struct money limit;
	struct merchant merchant;
	struct emit_list items;
};

static const struct emit_field merchant_fields[] = {
	{"name", EMIT_TEXT, .nullable = true,
	 .offset = offsetof(struct merchant, name)},
	{"mcc", EMIT_INT, .offset = offsetof(struct merchant, mcc)},
};
static const struct emit_object merchant_object =
	EMIT("Merchant", merchant_fields);
static const struct emit_object inline_object = EMIT(NULL, merchant_fields);

static const char *const id_values[] = {"card_1", "card_2", NULL};

#define AT(member) .offset = offsetof(struct row, member)
static const struct emit_field row_fields[] = {
	{"id", EMIT_TEXT, .values = id_values, .doc = "The \"id\".", AT(id)},
	{"amount", EMIT_MONEY, AT(amount)},
	{"amount_cents", EMIT_CENTS, AT(amount)},
	{"held", EMIT_MONEY, .nullable = true, AT(held)},
	{"created_at", EMIT_TIME, .nullable = true, AT(created_at)},
	{"count", EMIT_INT, AT(count)},
	{"rate", EMIT_TENTHS, AT(rate)},
	{"active", EMIT_BOOL, AT(active)},
	{"metadata", EMIT_JSON, .json_schema = "{\"type\":\"object\"}",
	 AT(metadata)},
	{"note", EMIT_TEXT, .optional = true, AT(note)},
	{"frozen_at", EMIT_TIME, .optional = true, AT(frozen_at)},
	{"limit", EMIT_MONEY, .optional = true, AT(limit)},
	{"merchant", EMIT_OBJECT, .object = &merchant_object, AT(merchant)},
	{"items", EMIT_LIST, .object = &inline_object, AT(items)},
};
static const struct emit_object row_object = EMIT("Row", row_fields);

static struct text out;

static void fresh(void)
{
	static struct arena *arena;

	if (arena == NULL)
		arena = arena_new(65536);
	arena_reset(arena);
	text_init(&out, arena);
}

START_TEST(a_full_row)
{
	static const struct merchant items[] = {{"A", 1}, {NULL, 2}};
	struct row row = {
		.id = "card_1",
		.amount = MONEY_USD(999),
		.held = MONEY_USD(1250),
		.created_at = 1776254400,
		.count = INT64_MIN,
		.rate = 972,
		.active = true,
		.metadata = "{\"a\":1.50}",
		.note = "h\xc3\xa9",
		.frozen_at = 1,
		.limit = MONEY_USD(-5),
		.merchant = {"Shop \"1\"", 5411},
		.items = {items, 2, sizeof(items[0])},
	};

	fresh();
	emit_object(&out, &row_object, &row);
	ck_assert_str_eq(
		out.data,
		"{\"id\":\"card_1\",\"amount\":9.99,\"amount_cents\":999,"
		"\"held\":12.50,\"created_at\":\"2026-04-15T12:00:00Z\","
		"\"count\":-9223372036854775808,\"rate\":97.2,\"active\":true,"
		"\"metadata\":{\"a\":1.50},\"note\":\"h\xc3\xa9\","
		"\"frozen_at\":\"1970-01-01T00:00:01Z\",\"limit\":-0.05,"
		"\"merchant\":{\"name\":\"Shop \\\"1\\\"\",\"mcc\":5411},"
		"\"items\":[{\"name\":\"A\",\"mcc\":1},"
		"{\"name\":null,\"mcc\":2}]}");
}
END_TEST

START_TEST(an_empty_row)
{
	struct row row = {0};

	fresh();
	emit_object(&out, &row_object, &row);
	ck_assert_str_eq(
		out.data,
		"{\"id\":null,\"amount\":0.00,\"amount_cents\":0,"
		"\"held\":null,\"created_at\":null,\"count\":0,\"rate\":0.0,"
		"\"active\":false,\"metadata\":null,"
		"\"merchant\":{\"name\":null,\"mcc\":0},\"items\":[]}");
}
END_TEST

START_TEST(tenths)
{
	static const struct emit_field fields[] = {
		{"t", EMIT_TENTHS, .offset = 0}};
	static const struct emit_object object = EMIT("T", fields);
	static const struct {
		int64_t tenths;
		const char *text;
	} rows[] = {{0, "{\"t\":0.0}"},	    {1, "{\"t\":0.1}"},
		    {-1, "{\"t\":-0.1}"},   {10, "{\"t\":1.0}"},
		    {-10, "{\"t\":-1.0}"},  {-19, "{\"t\":-1.9}"},
		    {1000, "{\"t\":100.0}"}};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fresh();
		emit_object(&out, &object, &rows[i].tenths);
		ck_assert_str_eq(out.data, rows[i].text);
	}
}
END_TEST

/* Jansson reads back what went in, for every character. */
START_TEST(strings_read_back)
{
	char string[8];
	uint32_t c;

	for (c = 1; c < 0x800; c++) {
		json_t *value;

		if (c < 0x80)
			(void)snprintf(string, sizeof(string), "%cx", (int)c);
		else
			(void)snprintf(string, sizeof(string), "%c%cx",
				       (int)(0xc0 | c >> 6),
				       (int)(0x80 | (c & 63)));
		fresh();
		emit_string(&out, string);
		value = json_loadb(out.data, out.len, JSON_DECODE_ANY, NULL);
		ck_assert_msg(json_is_string(value), "%s", out.data);
		ck_assert_str_eq(json_string_value(value), string);
		json_decref(value);
	}
	fresh();
	emit_string(&out, "a\"b\\c\nd\te\x01/\x7f");
	ck_assert_str_eq(out.data, "\"a\\\"b\\\\c\\nd\\u0009e\\u0001/\x7f\"");
}
END_TEST

START_TEST(schema)
{
	const char *why = NULL;
	json_t *value;

	fresh();
	emit_print_schema(&out, &row_object);
	value = exact_parse(out.arena, out.data, out.len, &why);
	ck_assert_msg(json_is_object(value), "%s: %s", why, out.data);
	json_decref(value);
	ck_assert_str_eq(
		out.data,
		"{\"type\":\"object\",\"properties\":{"
		"\"id\":{\"type\":\"string\",\"enum\":[\"card_1\",\"card_2\"],"
		"\"description\":\"The \\\"id\\\".\"},"
		"\"amount\":{\"type\":\"number\"},"
		"\"amount_cents\":{\"type\":\"integer\"},"
		"\"held\":{\"type\":[\"number\",\"null\"]},"
		"\"created_at\":{\"type\":[\"string\",\"null\"],"
		"\"format\":\"date-time\"},"
		"\"count\":{\"type\":\"integer\"},"
		"\"rate\":{\"type\":\"number\"},"
		"\"active\":{\"type\":\"boolean\"},"
		"\"metadata\":{\"allOf\":[{\"type\":\"object\"}]},"
		"\"note\":{\"type\":\"string\"},"
		"\"frozen_at\":{\"type\":\"string\",\"format\":\"date-time\"},"
		"\"limit\":{\"type\":\"number\"},"
		"\"merchant\":{\"$ref\":\"#/components/schemas/Merchant\"},"
		"\"items\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
		"\"properties\":{\"name\":{\"type\":[\"string\",\"null\"]},"
		"\"mcc\":{\"type\":\"integer\"}},"
		"\"required\":[\"name\",\"mcc\"],"
		"\"additionalProperties\":false}}},"
		"\"required\":[\"id\",\"amount\",\"amount_cents\",\"held\","
		"\"created_at\",\"count\",\"rate\",\"active\",\"metadata\","
		"\"merchant\",\"items\"],\"additionalProperties\":false}");
}
END_TEST

SUITE("emit", a_full_row, an_empty_row, tenths, strings_read_back, schema)
