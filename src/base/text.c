/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "log.h"

#define TEXT_FIRST_SIZE 64

void text_init(struct text *text, struct arena *arena)
{
	text->arena = arena;
	text->len = 0;
	text->size = TEXT_FIRST_SIZE;
	text->data = arena_alloc(arena, text->size);
}

/* Makes room for more bytes and the NUL behind them. */
static void text_reserve(struct text *text, size_t more)
{
	size_t need = text->len + more + 1;
	char *data;

	if (need <= text->size)
		return;
	text->size = need > text->size * 2 ? need : text->size * 2;
	data = arena_alloc(text->arena, text->size);
	memcpy(data, text->data, text->len);
	text->data = data;
}

void text_add(struct text *text, const char *string)
{
	text_add_n(text, string, strlen(string));
}

void text_add_n(struct text *text, const char *bytes, size_t len)
{
	if (len == 0)
		return;
	text_reserve(text, len);
	memcpy(text->data + text->len, bytes, len);
	text->len += len;
	text->data[text->len] = '\0';
}

void text_add_char(struct text *text, char c)
{
	text_add_n(text, &c, 1);
}

void text_add_int(struct text *text, int64_t value)
{
	char digits[21];
	size_t at = sizeof(digits);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (value < 0)
		digits[--at] = '-';
	text_add_n(text, digits + at, sizeof(digits) - at);
}

void text_printf(struct text *text, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0) {
		log_broken("event=bad_format");
		return;
	}
	text_reserve(text, (size_t)len);
	va_start(args, format);
	(void)vsnprintf(text->data + text->len, (size_t)len + 1, format, args);
	va_end(args);
	text->len += (size_t)len;
}

/*
 * Length of the UTF-8 sequence at s of at most len bytes, 0 if it is not one:
 * the table of RFC 3629 section 4, which leaves out overlong forms,
 * surrogates and what lies beyond U+10FFFF.
 */
static size_t utf8_sequence(const unsigned char *s, size_t len)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t need, i;

	if (s[0] >= 0x01 && s[0] <= 0x7f)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		need = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		need = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		need = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (len < need || s[1] < low || s[1] > high)
		return 0;
	for (i = 2; i < need; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return need;
}

bool utf8_valid(const char *bytes, size_t len)
{
	const unsigned char *s = (const unsigned char *)bytes;

	while (len > 0) {
		size_t step = utf8_sequence(s, len);

		if (step == 0)
			return false;
		s += step;
		len -= step;
	}
	return true;
}

size_t utf8_length(const char *string)
{
	size_t count = 0;

	for (; *string != '\0'; string++)
		if (((unsigned char)*string & 0xc0) != 0x80)
			count++;
	return count;
}

bool text_to_int(const char *string, int64_t *value)
{
	bool negative = *string == '-';
	int64_t sum = 0;

	if (negative)
		string++;
	if (*string == '\0')
		return false;
	for (; *string != '\0'; string++) {
		int digit = *string - '0';

		if (digit < 0 || digit > 9)
			return false;
		/* Summed below zero, where INT64_MIN has room. */
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_sub_overflow(sum, digit, &sum))
			return false;
	}
	if (!negative && sum == INT64_MIN)
		return false;
	*value = negative ? sum : -sum;
	return true;
}

void hex_encode(char *hex, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *from = bytes;
	size_t i;

	for (i = 0; i < len; i++) {
		hex[2 * i] = digits[from[i] >> 4];
		hex[2 * i + 1] = digits[from[i] & 15];
	}
	hex[2 * len] = '\0';
}

int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int hex_lower(char c)
{
	return c >= 'A' && c <= 'F' ? -1 : hex_value(c);
}

bool hex_decode(void *bytes, size_t len, const char *hex)
{
	unsigned char *to = bytes;
	size_t i;

	for (i = 0; i < len; i++) {
		int high = hex_lower(hex[2 * i]), low;

		if (high < 0)
			return false;
		low = hex_lower(hex[2 * i + 1]);
		if (low < 0)
			return false;
		to[i] = (unsigned char)(high << 4 | low);
	}
	return hex[2 * len] == '\0';
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(struct arena *arena, const void *bytes, size_t len)
{
	const unsigned char *from = bytes;
	char *text = arena_alloc(arena, (len + 2) / 3 * 4 + 1);
	char *to = text;
	size_t i, digit;

	for (i = 0; i < len; i += 3) {
		size_t left = len - i < 3 ? len - i : 3;
		uint32_t group = (uint32_t)from[i] << 16;

		if (left > 1)
			group |= (uint32_t)from[i + 1] << 8;
		if (left > 2)
			group |= from[i + 2];
		for (digit = 0; digit < 4; digit++)
			*to++ = digit > left
					? '='
					: base64_digits[group >> (18 -
								  6 * digit) &
							63];
	}
	*to = '\0';
	return text;
}

/* The four characters' 24 bits; false if one is no digit. */
static bool base64_group(const char *text, size_t digits, uint32_t *group)
{
	size_t i;

	*group = 0;
	for (i = 0; i < 4; i++) {
		const char *at = "";

		*group <<= 6;
		if (i >= digits)
			continue;
		if (text[i] != '\0')
			at = strchr(base64_digits, text[i]);
		if (at == NULL || *at == '\0')
			return false;
		*group |= (uint32_t)(at - base64_digits);
	}
	return true;
}

unsigned char *base64_decode(struct arena *arena, const char *text, size_t *len)
{
	size_t size = strlen(text), pad = 0, i;
	unsigned char *bytes, *to;

	if (size % 4 != 0)
		return NULL;
	while (pad < 2 && pad < size && text[size - 1 - pad] == '=')
		pad++;
	to = bytes = arena_alloc(arena, size / 4 * 3);
	for (i = 0; i < size; i += 4) {
		size_t digits = i + 4 == size ? 4 - pad : 4;
		uint32_t group;

		if (!base64_group(text + i, digits, &group))
			return NULL;
		/* One spelling a value: the bits cut off must be zero. */
		if ((digits == 3 && (group & 0xff) != 0) ||
		    (digits == 2 && (group & 0xffff) != 0))
			return NULL;
		*to++ = (unsigned char)(group >> 16);
		if (digits > 2)
			*to++ = (unsigned char)(group >> 8 & 0xff);
		if (digits > 3)
			*to++ = (unsigned char)(group & 0xff);
	}
	*len = (size_t)(to - bytes);
	return bytes;
}

/* As hex_value; percent escapes come in either case. */
static int escape_value(char c)
{
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return hex_value(c);
}

bool form_decode(char *text)
{
	char *to = text, *from;

	for (from = text; *from != '\0'; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = *from == '+' ? ' ' : *from;
			continue;
		}
		high = escape_value(from[1]);
		if (high < 0)
			return false;
		low = escape_value(from[2]);
		if (low < 0 || (high == 0 && low == 0))
			return false;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return utf8_valid(text, (size_t)(to - text));
}
