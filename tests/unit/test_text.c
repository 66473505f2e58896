/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../src/base/arena.h"
#include "../../src/base/secret.h"
#include "suite.h"

START_TEST(text_grows)
{
	struct arena *arena = arena_new(64);
	struct text text;
	size_t i;

	text_init(&text, arena);
	ck_assert_str_eq(text.data, "");
	for (i = 0; i < 5000; i++) {
		text_add(&text, "ab");
		text_add_char(&text, 'c');
		text_printf(&text, "%c", 'd');
		ck_assert_uint_eq(text.len, 4 * (i + 1));
		ck_assert_int_eq(text.data[text.len], 0);
	}
	for (i = 0; i < text.len; i++)
		ck_assert_int_eq(text.data[i], "abcd"[i % 4]);
	arena_free(arena);
}
END_TEST

static void check_int(int64_t value)
{
	struct arena *arena = arena_new(256);
	int64_t back = ~value;
	char expected[32];
	struct text text;

	(void)snprintf(expected, sizeof(expected), "%" PRId64, value);
	text_init(&text, arena);
	text_add_int(&text, value);
	ck_assert_str_eq(text.data, expected);
	ck_assert(text_to_int(text.data, &back));
	ck_assert_int_eq(back, value);
	arena_free(arena);
}

START_TEST(integers_print_and_parse)
{
	int64_t power, i;

	for (i = -1100; i <= 1100; i++)
		check_int(i);
	for (power = 1; power < INT64_MAX / 10; power *= 10)
		for (i = -2; i <= 2; i++) {
			check_int(power + i);
			check_int(-power + i);
		}
	check_int(INT64_MAX);
	check_int(INT64_MIN);
}
END_TEST

START_TEST(integers_refused)
{
	static const char *const bad[] = {"",
					  "-",
					  "+1",
					  " 1",
					  "1 ",
					  "1.0",
					  "1e3",
					  "0x10",
					  "--1",
					  "9223372036854775808",
					  "-9223372036854775809",
					  "99999999999999999999999"};
	int64_t value;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!text_to_int(bad[i], &value), "%s", bad[i]);
}
END_TEST

/* Encodes without regard to what RFC 3629 leaves out. */
static size_t encode(uint32_t point, char *out)
{
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (char)(0xc0 | point >> 6);
		out[1] = (char)(0x80 | (point & 63));
		return 2;
	}
	if (point < 0x10000) {
		out[0] = (char)(0xe0 | point >> 12);
		out[1] = (char)(0x80 | (point >> 6 & 63));
		out[2] = (char)(0x80 | (point & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | point >> 18);
	out[1] = (char)(0x80 | (point >> 12 & 63));
	out[2] = (char)(0x80 | (point >> 6 & 63));
	out[3] = (char)(0x80 | (point & 63));
	return 4;
}

START_TEST(utf8_takes_every_code_point)
{
	uint32_t point;
	size_t len, cut;
	char bytes[5];

	for (point = 0; point < 0x112000; point++) {
		bool good = point > 0 && point <= 0x10ffff &&
			    (point < 0xd800 || point > 0xdfff);

		len = encode(point, bytes);
		bytes[len] = '\0';
		if (utf8_valid(bytes, len) != good)
			ck_abort_msg("U+%04X", point);
		if (good && utf8_length(bytes) != 1)
			ck_abort_msg("length of U+%04X", point);
		for (cut = 1; cut < len; cut++)
			if (utf8_valid(bytes, cut) ||
			    utf8_valid(bytes + cut, len - cut))
				ck_abort_msg("part of U+%04X", point);
	}
}
END_TEST

START_TEST(utf8_refuses_overlong_forms)
{
	static const char *const bad[] = {"\xc0\xaf",
					  "\xc1\xbf",
					  "\xe0\x80\xaf",
					  "\xff",
					  "\xe0\x9f\xbf",
					  "\xf0\x8f\xbf\xbf",
					  "\x80",
					  "\xf5\x80\x80\x80",
					  "\xf8\x88\x80\x80\x80",
					  "a\xc3",
					  "\xc3(",
					  "\xe2\x82("};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!utf8_valid(bad[i], strlen(bad[i])), "%zu", i);
	ck_assert(!utf8_valid("a\0b", 3));
	ck_assert(utf8_valid("", 0));
	ck_assert_uint_eq(utf8_length("h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
			  4);
}
END_TEST

START_TEST(hex_round_trip)
{
	unsigned char bytes[256], back[256];
	char hex[513];
	int i;

	for (i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	hex_encode(hex, bytes, sizeof(bytes));
	ck_assert_mem_eq(hex, "000102030405060708090a0b0c0d0e0f10", 34);
	ck_assert(hex_decode(back, sizeof(back), hex));
	ck_assert_mem_eq(back, bytes, sizeof(bytes));
	for (i = 1; i < 256; i++) {
		char one[3] = {(char)i, '0', '\0'};
		bool good = strchr("0123456789abcdef", i) != NULL;

		ck_assert(hex_decode(back, 1, one) == good);
		one[0] = '0';
		one[1] = (char)i;
		ck_assert(hex_decode(back, 1, one) == good);
	}
	ck_assert(!hex_decode(back, 2, "000"));
	ck_assert(!hex_decode(back, 2, "00"));
	ck_assert(!hex_decode(back, 2, "000000"));
	ck_assert(!hex_decode(back, 2, ""));
}
END_TEST

/* RFC 4648 section 10. */
START_TEST(base64_vectors)
{
	static const char *const pairs[][2] = {{"", ""},
					       {"f", "Zg=="},
					       {"fo", "Zm8="},
					       {"foo", "Zm9v"},
					       {"foob", "Zm9vYg=="},
					       {"fooba", "Zm9vYmE="},
					       {"foobar", "Zm9vYmFy"}};
	struct arena *arena = arena_new(1024);
	unsigned char *bytes;
	size_t i, len;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		ck_assert_str_eq(
			base64_encode(arena, pairs[i][0], strlen(pairs[i][0])),
			pairs[i][1]);
		bytes = base64_decode(arena, pairs[i][1], &len);
		ck_assert_ptr_nonnull(bytes);
		ck_assert_uint_eq(len, strlen(pairs[i][0]));
		ck_assert_mem_eq(bytes, pairs[i][0], len);
	}
	arena_free(arena);
}
END_TEST

START_TEST(base64_round_trip_and_refusals)
{
	static const char *const bad[] = {
		"Z",	    "Zg",   "Zg=",    "Zh==", "Zm9=", "Z===",	 "====",
		"Zg==Zg==", "Zm 9", "Zm9v\n", "Zm-_", "=Zm9", "Zm9vZ=g="};
	struct arena *arena = arena_new(4096);
	unsigned char bytes[100], *back;
	size_t len, back_len, i;

	for (len = 0; len < sizeof(bytes); len++) {
		random_bytes(bytes, len);
		back = base64_decode(arena, base64_encode(arena, bytes, len),
				     &back_len);
		ck_assert_ptr_nonnull(back);
		ck_assert_uint_eq(back_len, len);
		ck_assert(memcmp(back, bytes, len) == 0);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(base64_decode(arena, bad[i], &len) == NULL, "%s",
			      bad[i]);
	arena_free(arena);
}
END_TEST

static void check_form(const char *from, const char *to)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%s", from);
	if (to == NULL) {
		ck_assert_msg(!form_decode(text), "%s", from);
		return;
	}
	ck_assert_msg(form_decode(text), "%s", from);
	ck_assert_str_eq(text, to);
}

START_TEST(form_decodes)
{
	char escape[8], expected[2] = "";
	int c;

	for (c = 1; c < 0x80; c++) {
		expected[0] = (char)c;
		(void)snprintf(escape, sizeof(escape), "%%%02x", c);
		check_form(escape, expected);
		(void)snprintf(escape, sizeof(escape), "%%%02X", c);
		check_form(escape, expected);
	}
	check_form("%41+b", "A b");
	check_form("100%25+%2b", "100% +");
	check_form("%c3%A9", "\xc3\xa9");
	check_form("", "");
	check_form("%", NULL);
	check_form("%4", NULL);
	check_form("%4g", NULL);
	check_form("%g4", NULL);
	check_form("a%00b", NULL);
	check_form("%c3", NULL);
	check_form("%ff", NULL);
	check_form("\xc3(", NULL);
}
END_TEST

SUITE("text", text_grows, integers_print_and_parse, integers_refused,
      utf8_takes_every_code_point, utf8_refuses_overlong_forms, hex_round_trip,
      base64_vectors, base64_round_trip_and_refusals, form_decodes)
