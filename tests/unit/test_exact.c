/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/json/exact.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../../src/base/arena.h"
#include "../../src/base/text.h"
#include "suite.h"

static struct arena *arena;

/* Parses and prints again; NULL in back means the same text. */
static void check_prints(const char *text, const char *back)
{
	const char *why = NULL;
	struct text out;
	json_t *value;

	if (arena == NULL)
		arena = arena_new(65536);
	value = exact_parse(arena, text, strlen(text), &why);
	ck_assert_msg(value != NULL, "%s: %s", text, why);
	text_init(&out, arena);
	exact_print(&out, value);
	ck_assert_str_eq(out.data, back != NULL ? back : text);
	json_decref(value);
}

static void check_refused_bytes(const char *text, size_t len, const char *why)
{
	const char *said = NULL;
	json_t *value;

	if (arena == NULL)
		arena = arena_new(65536);
	value = exact_parse(arena, text, len, &said);
	ck_assert_msg(value == NULL, "%s", text);
	ck_assert_str_eq(said, why);
}

static void check_refused(const char *text, const char *why)
{
	check_refused_bytes(text, strlen(text), why);
}

START_TEST(numbers_keep_their_text)
{
	static const char *const numbers[] = {
		"0",
		"-0",
		"9.99",
		"500",
		"500.0",
		"500.00",
		"5e2",
		"5E+2",
		"1e-7",
		"9.9900000000000002",
		"9223372036854775808",
		"123456789012345678901234567890.123456789012345678901234567890",
		"1e400",
		"-1.0e-999999"};
	char text[200];
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		check_prints(numbers[i], NULL);
		(void)snprintf(text, sizeof(text), "[%s]", numbers[i]);
		check_prints(text, NULL);
		(void)snprintf(text, sizeof(text), "{\"a\":%s,\"b\":[%s,%s]}",
			       numbers[i], numbers[i], numbers[i]);
		check_prints(text, NULL);
		(void)snprintf(text, sizeof(text), " \t\r\n%s\n ", numbers[i]);
		check_prints(text, numbers[i]);
	}
}
END_TEST

START_TEST(values_print_as_they_came)
{
	check_prints("{}", NULL);
	check_prints("[]", NULL);
	check_prints("true", NULL);
	check_prints("[true,false,null,\"\",{},[]]", NULL);
	check_prints("{\"z\":1,\"a\":2,\"m\":{\"y\":\"1\",\"b\":[]}}", NULL);
	check_prints(" { \"a\" : [ 1 , 2 ] } ", "{\"a\":[1,2]}");
	check_prints("\"1.5\"", NULL);
	check_prints("\"a\\\"1,2\\\\\"", NULL);
	check_prints("[\"\\\\\",1,\"\\\\\\\"\",2]", NULL);
	check_prints("\"\\u00e9\\ud83d\\ude00\\/\"",
		     "\"\xc3\xa9\xf0\x9f\x98\x80/\"");
	check_prints("\"h\xc3\xa9\"", NULL);
	/* Not U+0000, but a backslash and letters. */
	check_prints("\"\\\\u0000\"", NULL);
}
END_TEST

START_TEST(strings_and_numbers_never_mix)
{
	const char *text = "[9.99,\"9.99\",\"\",true]", *why;
	struct arena *own = arena_new(4096);
	json_t *list = exact_parse(own, text, strlen(text), &why);

	ck_assert_ptr_nonnull(list);
	ck_assert_str_eq(exact_number(json_array_get(list, 0)), "9.99");
	ck_assert_ptr_null(exact_string(json_array_get(list, 0)));
	ck_assert_str_eq(exact_string(json_array_get(list, 1)), "9.99");
	ck_assert_ptr_null(exact_number(json_array_get(list, 1)));
	ck_assert_str_eq(exact_string(json_array_get(list, 2)), "");
	ck_assert_ptr_null(exact_number(json_array_get(list, 2)));
	ck_assert_ptr_null(exact_string(json_array_get(list, 3)));
	ck_assert_ptr_null(exact_number(json_array_get(list, 3)));
	ck_assert_ptr_null(exact_number(NULL));
	ck_assert_ptr_null(exact_string(NULL));
	json_decref(list);
	arena_free(own);
}
END_TEST

START_TEST(malformed_numbers)
{
	static const char *const bad[] = {
		"01",	"-",	 "-01",	  "1.",	    "1.e5",  "1e",    "1e+",
		"1a",	"1.2.3", "--1",	  "1-2",    "0x10",  "1e5.5", "00",
		"[1 2", "-a",	 "{1:2}", "1\"a\"", "9\x0b", "[0 0]x"};
	const char *why;
	char text[64];
	size_t i;

	if (arena == NULL)
		arena = arena_new(65536);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(exact_parse(arena, bad[i], strlen(bad[i]),
					  &why) == NULL,
			      "%s", bad[i]);
		(void)snprintf(text, sizeof(text), "[%s]", bad[i]);
		ck_assert_msg(exact_parse(arena, text, strlen(text), &why) ==
				      NULL,
			      "%s", text);
	}
	check_refused("[01]", "The JSON holds a malformed number.");
	check_refused("{\"a\": 1.}", "The JSON holds a malformed number.");
	check_refused("{\"a\": .5}", "The JSON is malformed.");
	check_refused("{\"a\": +5}", "The JSON is malformed.");
	check_refused("{\"a\": NaN}", "The JSON is malformed.");
	check_refused("{1 : 2}", "The JSON is malformed.");
}
END_TEST

START_TEST(what_is_refused_and_why)
{
	check_refused("", "The JSON ends too early.");
	check_refused("{\"a\":1", "The JSON ends too early.");
	check_refused("{\"a\":1}}", "Something stands behind the JSON value.");
	check_refused("{} {}", "Something stands behind the JSON value.");
	check_refused("1 2", "Something stands behind the JSON value.");
	check_refused("{\"a\":1,}", "The JSON is malformed.");
	check_refused("{'a':1}", "The JSON is malformed.");
	check_refused("[1,]", "The JSON is malformed.");
	check_refused("// no", "The JSON is malformed.");
	check_refused("\"abc", "The JSON ends in the middle of a string.");
	check_refused("\"abc\\", "The JSON ends in the middle of a string.");
	check_refused("\"abc\\\"", "The JSON ends in the middle of a string.");
	check_refused("\"a\nb\"", "The JSON is malformed.");
	check_refused("\"\\x\"", "The JSON is malformed.");
	check_refused("\"\\ud800\"", "The JSON is malformed.");
	check_refused("\"\\u0000\"",
		      "Text must not contain the character U+0000.");
	check_refused("[\"a\\u0000b\"]",
		      "Text must not contain the character U+0000.");
	check_refused("{\"\\u0000\":1}",
		      "Text must not contain the character U+0000.");
	check_refused("\"\\\\\\u0000\"",
		      "Text must not contain the character U+0000.");
	check_refused("\"\xff\"", "The JSON is not valid UTF-8.");
	check_refused("\"\xc3\"", "The JSON is not valid UTF-8.");
	check_refused("\"\xed\xa0\x80\"", "The JSON is not valid UTF-8.");
	check_refused("\xef\xbb\xbf{}", "The JSON is malformed.");
	check_refused_bytes("{}\0", 3, "The JSON is not valid UTF-8.");
	check_refused_bytes("\"\0\"", 3, "The JSON is not valid UTF-8.");
}
END_TEST

START_TEST(depth_is_bounded)
{
	char text[200] = "";
	const char *why = NULL;
	json_t *value;
	int depth;

	if (arena == NULL)
		arena = arena_new(65536);
	for (depth = 1; depth < 90; depth++) {
		memset(text, '[', (size_t)depth);
		memset(text + depth, ']', (size_t)depth);
		text[2 * depth] = '\0';
		value = exact_parse(arena, text, strlen(text), &why);
		ck_assert_int_eq(value != NULL, depth <= 32);
		json_decref(value);
	}
	ck_assert_str_eq(why, "The JSON is nested too deeply.");
	/* Brackets within strings do not count, nor do those closed again. */
	check_prints("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"", NULL);
	check_prints("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
		     "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]",
		     NULL);
}
END_TEST

static void check_repeated(const char *text, const char *expected)
{
	const char *why, *key;

	if (arena == NULL)
		arena = arena_new(65536);
	ck_assert_ptr_null(
		exact_parse_key(arena, text, strlen(text), &why, &key));
	if (expected == NULL) {
		ck_assert_ptr_null(key);
		return;
	}
	ck_assert_str_eq(why, "The JSON holds a key twice in one object.");
	ck_assert_ptr_nonnull(key);
	ck_assert_str_eq(key, expected);
}

START_TEST(repeated_keys_are_named)
{
	check_repeated("{\"a\":1,\"a\":1}", "a");
	check_repeated("{\"a\":1,\"b\":{\"long name of a key that is long\":1,"
		       "\"long name of a key that is long\":2}}",
		       "long name of a key that is long");
	check_repeated("{\"\":1,\"\":1}", "");
	check_repeated("{\"a\\\"b\":1,\"a\\\"b\":1}", "a\"b");
	check_repeated("{\"\\\\\":1,\"\\\\\":1}", "\\");
	check_repeated("{\"\\\"\":1,\"\\\"\":1}", "\"");
	check_repeated("{\"\\u0061\":1,\"a\":1}", "a");
	check_repeated("{\"\xc3\xa9\":1,\"\\u00e9\":1}", "\xc3\xa9");
	check_repeated("{\"a\":1,\"b\":}", NULL);
	check_prints("{\"a\":{\"a\":1},\"b\":{\"a\":1}}", NULL);
}
END_TEST

/* A number's length, for every text of up to six of these characters. */
START_TEST(number_length_agrees_with_the_grammar)
{
	static const char letters[] = "01.e-+";
	const char *why;
	char text[8];
	int code, len, rest, i;

	if (arena == NULL)
		arena = arena_new(65536);
	for (len = 1; len <= 6; len++) {
		int count = 1;

		for (i = 0; i < len; i++)
			count *= 6;
		for (code = 0; code < count; code++) {
			size_t used;
			json_t *value;

			for (i = 0, rest = code; i < len; i++, rest /= 6)
				text[i] = letters[rest % 6];
			text[len] = '\0';
			used = exact_number_length(text, (size_t)len);
			ck_assert_uint_le(used, (size_t)len);
			/* Jansson itself knows the grammar. */
			value = json_loads(text, JSON_DECODE_ANY, NULL);
			if (value != NULL)
				ck_assert_msg(used == (size_t)len, "%s", text);
			json_decref(value);
			value = exact_parse(arena, text, (size_t)len, &why);
			ck_assert_msg((value != NULL) == (used == (size_t)len),
				      "%s", text);
			json_decref(value);
		}
		arena_reset(arena);
	}
}
END_TEST

SUITE("exact", numbers_keep_their_text, values_print_as_they_came,
      strings_and_numbers_never_mix, malformed_numbers, what_is_refused_and_why,
      depth_is_bounded, repeated_keys_are_named,
      number_length_agrees_with_the_grammar)
