/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/json/spec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../src/base/arena.h"
#include "../../src/base/money.h"
#include "../../src/base/text.h"
#include "../../src/json/exact.h"
#include "suite.h"

struct merchant {
	const char *name;
	const char *mcc;
	bool mcc_given;
};

struct order {
	struct money amount;
	const char *label;
	bool label_given;
	int64_t count;
	bool active, active_given;
	const char *status;
	int64_t from;
	bool from_given;
	struct spec_list categories;
	const char *metadata;
	const char *patch;
	struct merchant merchant;
	bool merchant_given;
	const char *rate;
	struct money any;
	bool any_given;
};

static const char *const statuses[] = {"active", "frozen", "terminated", NULL};

static const struct spec_field merchant_fields[] = {
	{"name", SPEC_TEXT, .required = true,
	 .offset = offsetof(struct merchant, name)},
	{"mcc", SPEC_TEXT, .min = 4, .max = 4,
	 .offset = offsetof(struct merchant, mcc),
	 .given = offsetof(struct merchant, mcc_given)},
};
static const struct spec merchant_spec = SPEC("Merchant", merchant_fields);

#define AT(member) .offset = offsetof(struct order, member)
#define GIVEN(member) .given = offsetof(struct order, member)
static const struct spec_field order_fields[] = {
	{"amount", SPEC_MONEY, .required = true, .min = 100, .max = 500000,
	 .too_small = ERR_AMOUNT_TOO_SMALL, .too_large = ERR_AMOUNT_TOO_LARGE,
	 .doc = "What to pay.", .example = "25.00", AT(amount)},
	{"label", SPEC_TEXT, .nullable = true, .max = 64, AT(label),
	 GIVEN(label_given)},
	{"count", SPEC_INT, .min = 1, .max = 100, AT(count)},
	{"active", SPEC_BOOL, AT(active), GIVEN(active_given)},
	{"status", SPEC_ENUM, .values = statuses, AT(status)},
	{"from", SPEC_TIME, .nullable = true, AT(from), GIVEN(from_given)},
	{"categories", SPEC_TEXT_LIST, .nullable = true, .min = 1, .max = 3,
	 AT(categories)},
	{"metadata", SPEC_METADATA, AT(metadata)},
	{"patch", SPEC_METADATA, .nullable = true, AT(patch)},
	{"merchant", SPEC_OBJECT, .object = &merchant_spec, AT(merchant),
	 GIVEN(merchant_given)},
	{"rate", SPEC_DECIMAL, AT(rate)},
	{"any", SPEC_MONEY, .nullable = true, AT(any), GIVEN(any_given)},
};
static const struct spec order_spec = SPEC("Order", order_fields);

static const struct spec_field list_fields[] = {
	{"page", SPEC_INT, .min = 1, .max = 1000000, .doc = "The page.",
	 .example = "2", AT(count)},
	{"label", SPEC_TEXT, .min = 1, .max = 4, AT(label), GIVEN(label_given)},
	{"status", SPEC_ENUM, .values = statuses, AT(status)},
	{"from", SPEC_TIME, AT(from), GIVEN(from_given)},
	{"active", SPEC_BOOL, AT(active), GIVEN(active_given)},
	{"min_amount", SPEC_MONEY, AT(any), GIVEN(any_given)},
	{"rate", SPEC_DECIMAL, AT(rate)},
};
static const struct spec list_spec = SPEC("List", list_fields);

static const struct spec_field key_fields[] = {
	{"key", SPEC_TEXT, .required = true, AT(label)},
};
static const struct spec key_spec = SPEC("Key", key_fields);

static struct arena *arena;
static struct order order;
static struct fault fault;

static void fresh(void)
{
	if (arena == NULL)
		arena = arena_new(65536);
	arena_reset(arena);
	memset(&fault, 0, sizeof(fault));
	memset(&order, 0, sizeof(order));
	order.count = 7;
	order.label = "preset";
}

static bool read_body(const char *body)
{
	json_t *root = (json_t *)&order;
	bool good;

	fresh();
	good = spec_read_body(&order_spec, arena, body, strlen(body), &order,
			      &root, &fault);
	if (!good)
		ck_assert_ptr_null(root);
	json_decref(root);
	return good;
}

static bool read_query(const struct spec *spec, const char *query)
{
	fresh();
	return spec_read_query(spec, arena, query, &order, &fault);
}

static void check_fault(const char *sent, enum error_code code,
			const char *param, const char *message)
{
	ck_assert_msg(fault.code == code, "%s: %s", sent,
		      error_info(fault.code)->code);
	if (param == NULL)
		ck_assert_ptr_null(fault.param);
	else
		ck_assert_str_eq(fault.param, param);
	ck_assert_str_eq(fault.message, message);
}

static void body_refused(const char *body, enum error_code code,
			 const char *param, const char *message)
{
	ck_assert_msg(!read_body(body), "%s", body);
	check_fault(body, code, param, message);
}

/* A member beside a good amount. */
static void member_refused(const char *member, const char *param,
			   const char *message)
{
	char body[2000];

	(void)snprintf(body, sizeof(body), "{\"amount\":5,%s}", member);
	body_refused(body, ERR_INVALID_PARAMETER, param, message);
}

static void take_member(const char *member)
{
	char body[8000];

	(void)snprintf(body, sizeof(body), "{\"amount\":5,%s}", member);
	ck_assert_msg(read_body(body), "%s: %s", body, fault.message);
}

static void query_refused(const char *query, enum error_code code,
			  const char *param, const char *message)
{
	ck_assert_msg(!read_query(&list_spec, query), "%s", query);
	check_fault(query, code, param, message);
}

START_TEST(a_full_body)
{
	ck_assert_msg(
		read_body("{\"amount\":25.5,\"label\":\"Ads\",\"count\":100,"
			  "\"active\":true,\"status\":\"frozen\","
			  "\"from\":\"2026-04-15\","
			  "\"categories\":[\"travel\",\"software\"],"
			  "\"metadata\":{\"b\":1.50,\"a\":\"x\",\"c\":false},"
			  "\"patch\":{\"gone\":null},"
			  "\"merchant\":{\"mcc\":\"5411\",\"name\":\"Shop\"},"
			  "\"rate\":1.2500e3,\"any\":-0.01}"),
		"%s", fault.message);
	ck_assert_int_eq(order.amount.cents, 2550);
	ck_assert_str_eq(order.amount.currency, "USD");
	ck_assert_str_eq(order.label, "Ads");
	ck_assert(order.label_given);
	ck_assert_int_eq(order.count, 100);
	ck_assert(order.active && order.active_given);
	ck_assert_str_eq(order.status, "frozen");
	ck_assert_int_eq(order.from, 1776211200);
	ck_assert_uint_eq(order.categories.count, 2);
	ck_assert_str_eq(order.categories.items[0], "travel");
	ck_assert_str_eq(order.categories.items[1], "software");
	ck_assert_str_eq(order.metadata,
			 "{\"b\":1.50,\"a\":\"x\",\"c\":false}");
	ck_assert_str_eq(order.patch, "{\"gone\":null}");
	ck_assert_str_eq(order.merchant.name, "Shop");
	ck_assert_str_eq(order.merchant.mcc, "5411");
	ck_assert(order.merchant.mcc_given && order.merchant_given);
	ck_assert_str_eq(order.rate, "1.2500e3");
	ck_assert_int_eq(order.any.cents, -1);
}
END_TEST

START_TEST(what_is_left_out_stays_as_it_was)
{
	ck_assert(read_body("{\"amount\":5}"));
	ck_assert_str_eq(order.label, "preset");
	ck_assert_int_eq(order.count, 7);
	ck_assert(!order.label_given && !order.active_given &&
		  !order.from_given && !order.merchant_given &&
		  !order.any_given);
	/* A flag tells false from absent. */
	take_member("\"active\":false");
	ck_assert(order.active_given && !order.active);
}
END_TEST

START_TEST(many_values_are_all_named)
{
	static const char *const colours[] = {
		"amaranth",    "aquamarine", "aubergine",  "azure",
		"burgundy",    "cerulean",   "chartreuse", "cinnabar",
		"cochineal",   "cornflower", "emerald",	   "fuchsia",
		"gamboge",     "heliotrope", "lapis",	   "lavender",
		"malachite",   "periwinkle", "sapphire",   "tangerine",
		"ultramarine", "verdigris",  "vermilion",  "viridian",
		"wisteria",    NULL};
	static const struct spec_field fields[] = {
		{"status", SPEC_ENUM, .values = colours, AT(status)},
	};
	static const struct spec spec = SPEC("Colours", fields);

	ck_assert(!read_query(&spec, "status=grey"));
	ck_assert_msg(strstr(fault.message, ", viridian, wisteria.") != NULL,
		      "%s", fault.message);
}
END_TEST

START_TEST(null_reads_as_zero_where_it_is_taken)
{
	take_member("\"label\":null,\"from\":null,\"categories\":null,"
		    "\"any\":null");
	ck_assert_ptr_null(order.label);
	ck_assert(order.label_given);
	ck_assert_int_eq(order.from, 0);
	ck_assert(order.from_given);
	ck_assert_uint_eq(order.categories.count, 0);
	ck_assert(money_is_zero(order.any) && order.any_given);
	ck_assert_str_eq(order.any.currency, "USD");
	body_refused("{\"amount\":null}", ERR_INVALID_PARAMETER, "amount",
		     "amount must be a number of dollars with at most two "
		     "decimals.");
	member_refused("\"count\":null", "count",
		       "count must be an integer from 1 to 100.");
	member_refused("\"status\":null", "status",
		       "status must be one of active, frozen, terminated.");
	member_refused("\"active\":null", "active",
		       "active must be true or false.");
	member_refused("\"metadata\":null", "metadata",
		       "metadata must be an object.");
	member_refused("\"patch\":null", "patch", "patch must be an object.");
	member_refused("\"merchant\":null", "merchant",
		       "merchant must be an object.");
}
END_TEST

START_TEST(shapes_are_closed)
{
	body_refused("{\"amount\":5,\"colour\":1}", ERR_UNKNOWN_PARAMETER,
		     "colour", "colour is not a parameter of this request.");
	body_refused("{\"colour\":1}", ERR_UNKNOWN_PARAMETER, "colour",
		     "colour is not a parameter of this request.");
	body_refused("{\"amount\":5,\"merchant\":{\"name\":\"a\",\"x\":1}}",
		     ERR_UNKNOWN_PARAMETER, "merchant.x",
		     "merchant.x is not a parameter of this request.");
	body_refused("", ERR_MISSING_PARAMETER, "amount",
		     "amount is required.");
	body_refused("{}", ERR_MISSING_PARAMETER, "amount",
		     "amount is required.");
	body_refused("{\"amount\":5,\"merchant\":{}}", ERR_MISSING_PARAMETER,
		     "merchant.name", "merchant.name is required.");
	body_refused("{\"amount\":5,\"merchant\":{\"name\":\"a\","
		     "\"mcc\":\"541\"}}",
		     ERR_INVALID_PARAMETER, "merchant.mcc",
		     "merchant.mcc must be at least 4 characters.");
	body_refused("[]", ERR_INVALID_JSON, NULL,
		     "The body must be one JSON object.");
	body_refused("5", ERR_INVALID_JSON, NULL,
		     "The body must be one JSON object.");
	body_refused("null", ERR_INVALID_JSON, NULL,
		     "The body must be one JSON object.");
	body_refused("{\"amount\":5", ERR_INVALID_JSON, NULL,
		     "The JSON ends too early.");
	body_refused("{\"amount\":5}x", ERR_INVALID_JSON, NULL,
		     "Something stands behind the JSON value.");
	body_refused("{\"amount\":5,\"amount\":5}", ERR_INVALID_JSON, "amount",
		     "The JSON holds a key twice in one object.");
}
END_TEST

/* A long unknown name comes back cut, and still as valid UTF-8. */
START_TEST(unknown_names_come_back_cut)
{
	char body[1000];
	int accents, shift;

	for (shift = 0; shift < 2; shift++) {
		(void)snprintf(body, sizeof(body), "{\"%s", shift ? "x" : "");
		for (accents = 0; accents < 200; accents++)
			memcpy(body + 2 + shift + 2 * accents, "\xc3\xa9", 3);
		memcpy(body + 2 + shift + 400, "\":1}", 5);
		ck_assert(!read_body(body));
		ck_assert(fault.code == ERR_UNKNOWN_PARAMETER);
		ck_assert_uint_le(strlen(fault.param), 80);
		ck_assert_uint_gt(strlen(fault.param), 70);
		ck_assert(utf8_valid(fault.param, strlen(fault.param)));
		ck_assert(utf8_valid(fault.message, strlen(fault.message)));
	}
}
END_TEST

START_TEST(money_in_bodies)
{
	static const char *const bad[] = {"\"5\"", "true", "[5]", "{}",
					  "1.005", "5e-9", "\"\""};
	char body[100];
	int64_t cents;
	size_t i;

	for (cents = 0; cents <= 500200; cents += cents < 300 ? 1 : 37) {
		(void)snprintf(body, sizeof(body),
			       "{\"amount\":%" PRId64 ".%02" PRId64 "}",
			       cents / 100, cents % 100);
		if (cents >= 100 && cents <= 500000) {
			ck_assert(read_body(body));
			ck_assert_int_eq(order.amount.cents, cents);
		} else {
			body_refused(
				body,
				cents < 100 ? ERR_AMOUNT_TOO_SMALL
					    : ERR_AMOUNT_TOO_LARGE,
				"amount",
				cents < 100
					? "amount must be at least 1.00."
					: "amount must be at most 5000.00.");
		}
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(body, sizeof(body), "{\"amount\":%s}", bad[i]);
		body_refused(body, ERR_INVALID_PARAMETER, "amount",
			     "amount must be a number of dollars with at most "
			     "two decimals.");
	}
	body_refused("{\"amount\":1e400}", ERR_AMOUNT_TOO_LARGE, "amount",
		     "amount must be at most 5000.00.");
	body_refused("{\"amount\":-1e400}", ERR_AMOUNT_TOO_SMALL, "amount",
		     "amount must be at least 1.00.");
	/* Without bounds of its own the type's hold. */
	member_refused("\"any\":1e12", "any",
		       "any must be at most 999999999999.99.");
	take_member("\"any\":999999999999.99");
	ck_assert_int_eq(order.any.cents, MONEY_MAX_CENTS);
}
END_TEST

/* Every length around the bound, in characters of one to four bytes. */
START_TEST(text_is_counted_in_characters)
{
	static const char *const chars[] = {"a", "\xc3\xa9", "\xe2\x82\xac",
					    "\xf0\x9f\x98\x80", "n"};
	char body[600];
	size_t i, count, at, k;

	for (i = 0; i < 5; i++)
		for (count = 0; count <= 70; count++) {
			at = (size_t)snprintf(body, sizeof(body),
					      "{\"amount\":5,\"label\":\"");
			for (k = 0; k < count; k++)
				at += (size_t)snprintf(body + at,
						       sizeof(body) - at, "%s",
						       chars[i]);
			(void)snprintf(body + at, sizeof(body) - at, "\"}");
			if (count <= 64) {
				ck_assert(read_body(body));
				ck_assert_uint_eq(utf8_length(order.label),
						  count);
			} else {
				body_refused(body, ERR_INVALID_PARAMETER,
					     "label",
					     "label must be at most 64 "
					     "characters.");
			}
		}
	member_refused("\"label\":5", "label", "label must be a string.");
	member_refused("\"label\":\"a\\nb\"", "label",
		       "label must not contain control characters.");
	member_refused("\"label\":\"a\x7f\"", "label",
		       "label must not contain control characters.");
}
END_TEST

START_TEST(integers_are_integers)
{
	static const char *const bad[] = {
		"0",   "101",	"-1",	"5.0", "5.5",
		"1e1", "\"5\"", "true", "[]",  "9223372036854775808"};
	char member[64];
	int value;
	size_t i;

	for (value = 1; value <= 100; value++) {
		(void)snprintf(member, sizeof(member), "\"count\":%d", value);
		take_member(member);
		ck_assert_int_eq(order.count, value);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(member, sizeof(member), "\"count\":%s", bad[i]);
		member_refused(member, "count",
			       "count must be an integer from 1 to 100.");
	}
}
END_TEST

START_TEST(other_kinds_refuse)
{
	const char *time = "from must be a date or a date-time of RFC 3339.";
	const char *list = "categories must be a list of strings.";
	const char *rate = "rate must be a number of at least 0, or its text.";
	const char *status =
		"status must be one of active, frozen, terminated.";

	member_refused("\"active\":1", "active",
		       "active must be true or false.");
	member_refused("\"active\":\"true\"", "active",
		       "active must be true or false.");
	member_refused("\"status\":\"Active\"", "status", status);
	member_refused("\"status\":\"\"", "status", status);
	member_refused("\"status\":1", "status", status);
	member_refused("\"from\":\"yesterday\"", "from", time);
	member_refused("\"from\":1776211200", "from", time);
	member_refused("\"from\":\"\"", "from", time);
	member_refused("\"categories\":\"travel\"", "categories", list);
	member_refused("\"categories\":{}", "categories", list);
	member_refused("\"categories\":[\"a\",1]", "categories", list);
	member_refused("\"categories\":[null]", "categories", list);
	member_refused("\"categories\":[\"a\\u0001\"]", "categories",
		       "categories must not contain control characters.");
	member_refused("\"categories\":[]", "categories",
		       "categories must have at least 1 item.");
	member_refused("\"categories\":[\"a\",\"b\",\"c\",\"d\"]", "categories",
		       "categories must have at most 3 items.");
	member_refused("\"merchant\":[]", "merchant",
		       "merchant must be an object.");
	member_refused("\"rate\":-1", "rate", rate);
	member_refused("\"rate\":\"\"", "rate", rate);
	member_refused("\"rate\":\"1x\"", "rate", rate);
	member_refused("\"rate\":\"-1\"", "rate", rate);
	member_refused("\"rate\":true", "rate", rate);
	member_refused("\"rate\":null", "rate", rate);
}
END_TEST

static void metadata_refused(const char *name, const char *inner,
			     const char *param, const char *message)
{
	char member[1500];

	(void)snprintf(member, sizeof(member), "\"%s\":%s", name, inner);
	member_refused(member, param, message);
}

/* keys keys, the first nulls of them null. */
static bool read_metadata(const char *name, int keys, int nulls)
{
	char body[4000];
	size_t at = (size_t)snprintf(body, sizeof(body),
				     "{\"amount\":5,\"%s\":{", name);
	int i;

	for (i = 0; i < keys; i++)
		at += (size_t)snprintf(body + at, sizeof(body) - at,
				       "%s\"key%d\":%s", i > 0 ? "," : "", i,
				       i < nulls ? "null" : "1");
	(void)snprintf(body + at, sizeof(body) - at, "}}");
	return read_body(body);
}

START_TEST(metadata_counts)
{
	char member[1200];
	int i;

	for (i = 0; i < 30; i++) {
		ck_assert(read_metadata("metadata", i, 0) == (i <= 20));
		if (i > 20)
			check_fault("", ERR_METADATA_TOO_LARGE, "metadata",
				    "metadata must have at most 20 keys.");
		ck_assert(read_metadata("patch", i + 20, i) == true);
		ck_assert(read_metadata("patch", i + 21, i) == false);
		ck_assert(read_metadata("metadata", 3, 1) == false);
	}
	/* Characters, not bytes, of keys and values. */
	for (i = 0; i < 45; i++) {
		int k;
		size_t at = (size_t)snprintf(member, sizeof(member),
					     "{\"amount\":5,\"metadata\":{\"");

		for (k = 0; k < i; k++)
			at += (size_t)snprintf(member + at, sizeof(member) - at,
					       "\xc3\xa9");
		(void)snprintf(member + at, sizeof(member) - at, "\":true}}");
		ck_assert(read_body(member) == (i >= 1 && i <= 40));
	}
	for (i = 498; i < 503; i++) {
		(void)snprintf(member, sizeof(member),
			       "{\"amount\":5,\"metadata\":{\"a\":\"%0*d\"}}",
			       i, 0);
		ck_assert(read_body(member) == (i <= 500));
	}
}
END_TEST

START_TEST(metadata_values)
{
	const char *rule = "metadata.a must be a string of at most 500 "
			   "characters, a number or a boolean.";

	take_member("\"metadata\":{}");
	ck_assert_str_eq(order.metadata, "{}");
	take_member("\"metadata\":{\"a\":1.10,\"b\":\"\\\"\\n\",\"c\":false}");
	ck_assert_str_eq(order.metadata,
			 "{\"a\":1.10,\"b\":\"\\\"\\n\",\"c\":false}");
	metadata_refused("metadata", "{\"a\":null}", "metadata.a", rule);
	metadata_refused("metadata", "{\"a\":[]}", "metadata.a", rule);
	metadata_refused("metadata", "{\"a\":{}}", "metadata.a", rule);
	metadata_refused("patch", "{\"a\":[]}", "patch.a",
			 "patch.a must be a string of at most 500 characters, "
			 "a number or a boolean, or null to delete it.");
	metadata_refused("metadata", "[]", "metadata",
			 "metadata must be an object.");
	metadata_refused("metadata", "\"{}\"", "metadata",
			 "metadata must be an object.");
	metadata_refused("metadata", "{\"\":1}", "metadata",
			 "metadata must have keys of 1 to 40 characters.");
}
END_TEST

START_TEST(a_full_query)
{
	ck_assert_msg(
		read_query(&list_spec,
			   "page=12&label=h%C3%A9+%26&status=active&"
			   "from=2026-04-15T14%3A00%3A00%2B02:00&active=false&"
			   "min_amount=1.5e1&rate=0.10"),
		"%s", fault.message);
	ck_assert_int_eq(order.count, 12);
	ck_assert_str_eq(order.label, "h\xc3\xa9 &");
	ck_assert(order.label_given);
	ck_assert_str_eq(order.status, "active");
	ck_assert_int_eq(order.from, 1776254400);
	ck_assert(order.active_given && !order.active);
	ck_assert_int_eq(order.any.cents, 1500);
	ck_assert_str_eq(order.rate, "0.10");
	ck_assert(read_query(&list_spec, ""));
	ck_assert(read_query(&list_spec, NULL));
	ck_assert(read_query(&list_spec, "&&"));
	ck_assert_int_eq(order.count, 7);
	ck_assert(!order.label_given && !order.active_given);
	ck_assert(read_query(&list_spec, "%70age=3&"));
	ck_assert_int_eq(order.count, 3);
}
END_TEST

START_TEST(queries_refused)
{
	const char *page = "page must be an integer from 1 to 1000000.";

	query_refused("page=1&page=1", ERR_REPEATED_PARAMETER, "page",
		      "page is given more than once.");
	query_refused("page=1&%70age=2", ERR_REPEATED_PARAMETER, "page",
		      "page is given more than once.");
	query_refused("page=&page=", ERR_REPEATED_PARAMETER, "page",
		      "page is given more than once.");
	query_refused("colour=red", ERR_UNKNOWN_PARAMETER, "colour",
		      "colour is not a parameter of this request.");
	query_refused("=1", ERR_UNKNOWN_PARAMETER, "",
		      "\"\" is not a parameter of this request.");
	query_refused("Page=1", ERR_UNKNOWN_PARAMETER, "Page",
		      "Page is not a parameter of this request.");
	query_refused("label=%4", ERR_INVALID_PARAMETER, "label",
		      "label must be percent-encoded UTF-8.");
	query_refused("label=%ff", ERR_INVALID_PARAMETER, "label",
		      "label must be percent-encoded UTF-8.");
	query_refused("label=a%00", ERR_INVALID_PARAMETER, "label",
		      "label must be percent-encoded UTF-8.");
	query_refused("%zz=1", ERR_INVALID_PARAMETER, NULL,
		      "The query holds a name that is not percent-encoded "
		      "UTF-8.");
	query_refused("page=", ERR_INVALID_PARAMETER, "page", page);
	query_refused("page", ERR_INVALID_PARAMETER, "page", page);
	query_refused("page=0", ERR_INVALID_PARAMETER, "page", page);
	query_refused("page=1000001", ERR_INVALID_PARAMETER, "page", page);
	query_refused("page=1.0", ERR_INVALID_PARAMETER, "page", page);
	query_refused("page=+1", ERR_INVALID_PARAMETER, "page", page);
	query_refused("page=99999999999999999999", ERR_INVALID_PARAMETER,
		      "page", page);
	query_refused("label=", ERR_INVALID_PARAMETER, "label",
		      "label must be at least 1 character.");
	query_refused("label=abcde", ERR_INVALID_PARAMETER, "label",
		      "label must be at most 4 characters.");
	query_refused("label=a%0Ab", ERR_INVALID_PARAMETER, "label",
		      "label must not contain control characters.");
	query_refused("status=all", ERR_INVALID_PARAMETER, "status",
		      "status must be one of active, frozen, terminated.");
	query_refused("from=", ERR_INVALID_PARAMETER, "from",
		      "from must be a date or a date-time of RFC 3339.");
	query_refused("active=1", ERR_INVALID_PARAMETER, "active",
		      "active must be true or false.");
	query_refused("active=", ERR_INVALID_PARAMETER, "active",
		      "active must be true or false.");
	query_refused("min_amount=", ERR_INVALID_PARAMETER, "min_amount",
		      "min_amount must be a number of dollars with at most "
		      "two decimals.");
	query_refused("min_amount=1.001", ERR_INVALID_PARAMETER, "min_amount",
		      "min_amount must be a number of dollars with at most "
		      "two decimals.");
	query_refused("rate=1.", ERR_INVALID_PARAMETER, "rate",
		      "rate must be a number of at least 0, or its text.");
	ck_assert(!read_query(&key_spec, ""));
	check_fault("", ERR_MISSING_PARAMETER, "key", "key is required.");
	ck_assert(read_query(&key_spec, "key="));
	ck_assert_str_eq(order.label, "");
}
END_TEST

static void check_valid_json(const char *json, size_t len)
{
	const char *why = NULL;
	json_t *value = exact_parse(arena, json, len, &why);

	ck_assert_msg(value != NULL, "%s: %s", why, json);
	json_decref(value);
}

START_TEST(schema)
{
	struct text out;

	fresh();
	text_init(&out, arena);
	spec_print_schema(&out, &order_spec);
	check_valid_json(out.data, out.len);
	ck_assert_str_eq(
		out.data,
		"{\"type\":\"object\",\"properties\":{"
		"\"amount\":{\"type\":\"number\",\"minimum\":1.00,"
		"\"maximum\":5000.00,\"description\":\"What to pay. In dollars,"
		" with at most two decimals.\",\"examples\":[25.00]},"
		"\"label\":{\"type\":[\"string\",\"null\"],\"minLength\":0,"
		"\"maxLength\":64,"
		"\"pattern\":\"^[^\\\\u0000-\\\\u001F\\\\u007F]*$\"},"
		"\"count\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100}"
		","
		"\"active\":{\"type\":\"boolean\"},"
		"\"status\":{\"type\":\"string\",\"enum\":[\"active\","
		"\"frozen\",\"terminated\"]},"
		"\"from\":{\"type\":[\"string\",\"null\"],\"anyOf\":["
		"{\"format\":\"date-time\"},{\"format\":\"date\"}]},"
		"\"categories\":{\"type\":[\"array\",\"null\"],\"items\":"
		"{\"type\":\"string\"},\"minItems\":1,\"maxItems\":3},"
		"\"metadata\":{\"type\":\"object\",\"maxProperties\":20,"
		"\"propertyNames\":{\"minLength\":1,\"maxLength\":40},"
		"\"additionalProperties\":{\"type\":[\"string\",\"number\","
		"\"boolean\"],\"maxLength\":500}},"
		"\"patch\":{\"type\":\"object\","
		"\"propertyNames\":{\"minLength\":1,\"maxLength\":40},"
		"\"additionalProperties\":{\"type\":[\"string\",\"number\","
		"\"boolean\",\"null\"],\"maxLength\":500}},"
		"\"merchant\":{\"type\":\"object\",\"properties\":{"
		"\"name\":{\"type\":\"string\","
		"\"pattern\":\"^[^\\\\u0000-\\\\u001F\\\\u007F]*$\"},"
		"\"mcc\":{\"type\":\"string\",\"minLength\":4,\"maxLength\":4,"
		"\"pattern\":\"^[^\\\\u0000-\\\\u001F\\\\u007F]*$\"}},"
		"\"required\":[\"name\"],\"additionalProperties\":false},"
		"\"rate\":{\"type\":[\"number\",\"string\"],\"minimum\":0,"
		"\"pattern\":\"^[0-9]\"},"
		"\"any\":{\"type\":[\"number\",\"null\"],\"description\":"
		"\"In dollars, with at most two decimals.\"}},"
		"\"required\":[\"amount\"],\"additionalProperties\":false}");
}
END_TEST

START_TEST(parameters)
{
	struct text out;
	char *brackets;

	fresh();
	text_init(&out, arena);
	spec_print_parameters(&out, &list_spec);
	brackets = arena_printf(arena, "[%s]", out.data);
	check_valid_json(brackets, strlen(brackets));
	ck_assert_mem_eq(out.data,
			 "{\"name\":\"page\",\"in\":\"query\",\"required\":"
			 "false,\"description\":\"The page.\",\"schema\":{"
			 "\"type\":\"integer\",\"minimum\":1,"
			 "\"maximum\":1000000},\"example\":2},"
			 "{\"name\":\"label\"",
			 154);
	text_init(&out, arena);
	spec_print_parameters(&out, &key_spec);
	ck_assert_ptr_nonnull(strstr(out.data, "\"required\":true"));
}
END_TEST

SUITE("spec", a_full_body, what_is_left_out_stays_as_it_was,
      many_values_are_all_named, null_reads_as_zero_where_it_is_taken,
      shapes_are_closed, unknown_names_come_back_cut, money_in_bodies,
      text_is_counted_in_characters, integers_are_integers, other_kinds_refuse,
      metadata_counts, metadata_values, a_full_query, queries_refused, schema,
      parameters)
