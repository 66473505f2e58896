/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/base/log.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../src/base/clock.h"
#include "suite.h"

static int file = -1, real_stderr = -1;

static void capture(void)
{
	char path[] = "/tmp/test_log.XXXXXX";

	file = mkstemp(path);
	ck_assert_int_ge(file, 0);
	(void)unlink(path);
	real_stderr = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(file, STDERR_FILENO), 0);
}

/* What was logged since capture(). */
static const char *captured(void)
{
	static char text[65536];
	ssize_t len;

	(void)dup2(real_stderr, STDERR_FILENO);
	len = pread(file, text, sizeof(text) - 1, 0);
	ck_assert_int_ge(len, 0);
	text[len] = '\0';
	(void)close(file);
	(void)close(real_stderr);
	return text;
}

START_TEST(a_line_reads_as_promised)
{
	char expected[200], second[TIME_TEXT_SIZE];
	const char *line;
	int64_t moment;

	log_open("cardstockd", false, LOG_LEVEL_INFO);
	log_set_request("req_0123456789ab");
	capture();
	log_broken("event=%s count=%d", "test", 3);
	line = captured();
	(void)snprintf(expected, sizeof(expected),
		       "level=BROKEN program=cardstockd pid=%d "
		       "request=req_0123456789ab event=test count=3\n",
		       (int)getpid());
	ck_assert_uint_gt(strlen(line), 28);
	ck_assert_mem_eq(line, "ts=", 3);
	ck_assert_str_eq(line + 28, expected);
	/* ts=2026-04-15T12:00:00.123Z and a space. */
	ck_assert_int_eq(line[22], '.');
	ck_assert_mem_eq(line + 26, "Z ", 2);
	(void)snprintf(second, sizeof(second), "%.19sZ", line + 3);
	ck_assert(time_parse(second, &moment));
	ck_assert(moment <= clock_now() && moment > clock_now() - 60);
}
END_TEST

START_TEST(levels_filter)
{
	static const char *const names[] = {"BROKEN", "UNUSUAL", "CLIENT",
					    "INFO", "DEBUG"};
	int most, level;

	for (most = LOG_LEVEL_BROKEN; most <= LOG_LEVEL_DEBUG; most++) {
		const char *text;

		log_open("test", false, (enum log_level)most);
		log_set_request("");
		capture();
		log_broken("x=1");
		log_unusual("x=1");
		log_client("x=1");
		log_info("x=1");
		log_debug("x=1");
		text = captured();
		ck_assert_ptr_null(strstr(text, "request="));
		for (level = 0; level <= LOG_LEVEL_DEBUG; level++)
			ck_assert((strstr(text, names[level]) != NULL) ==
				  (level <= most));
	}
}
END_TEST

START_TEST(an_event_is_one_bounded_line)
{
	char evil[256], big[3000];
	const char *text, *end;
	int c;

	for (c = 1; c < 256; c++)
		evil[c - 1] = (char)c;
	evil[255] = '\0';
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_open("test", false, LOG_LEVEL_INFO);
	capture();
	log_info("raw=%s", evil);
	log_info("quoted=%s", log_text(evil));
	log_info("big=%s", big);
	text = captured();
	for (c = 0; c < 3; c++) {
		end = strchr(text, '\n');
		ck_assert_ptr_nonnull(end);
		ck_assert_int_le(end - text, 1023);
		for (; text < end; text++)
			ck_assert((unsigned char)*text >= 0x20 &&
				  *text != 0x7f);
		text = end + 1;
	}
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(text_is_quoted_and_escaped)
{
	char accents[401];
	size_t i, len;

	ck_assert_str_eq(log_text("plain"), "\"plain\"");
	ck_assert_str_eq(log_text(""), "\"\"");
	ck_assert_str_eq(log_text("a\"b\\c\nd\x1b\x7f"),
			 "\"a\\\"b\\\\c\\x0ad\\x1b\\x7f\"");
	ck_assert_str_eq(log_text("h\xc3\xa9"), "\"h\xc3\xa9\"");
	ck_assert_str_eq(log_text("\xff!"), "\"\\xff!\"");
	/* Cut at 200 bytes, never within a character. */
	for (i = 0; i < 200; i++)
		memcpy(accents + 2 * i, "\xc3\xa9", 2);
	accents[400] = '\0';
	ck_assert_uint_eq(strlen(log_text(accents)), 202);
	accents[0] = 'x';
	len = strlen(log_text(accents + 1));
	ck_assert_uint_gt(len, 190);
	accents[1] = 'y';
	ck_assert_uint_eq(strlen(log_text(accents + 1)), 201);
}
END_TEST

START_TEST(four_texts_stand_at_once)
{
	const char *a = log_text("a"), *b = log_text("b"), *c = log_text("c"),
		   *d = log_text("d");

	ck_assert_str_eq(a, "\"a\"");
	ck_assert_str_eq(b, "\"b\"");
	ck_assert_str_eq(c, "\"c\"");
	ck_assert_str_eq(d, "\"d\"");
}
END_TEST

SUITE("log", a_line_reads_as_promised, levels_filter,
      an_event_is_one_bounded_line, text_is_quoted_and_escaped,
      four_texts_stand_at_once)
