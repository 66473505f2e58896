/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "text.h"
#include "token.h"

#define LINE_SIZE 1024
#define TEXT_MAX 200
#define TEXT_BUFFERS 4

static const char *const level_names[] = {
	[LOG_LEVEL_BROKEN] = "BROKEN", [LOG_LEVEL_UNUSUAL] = "UNUSUAL",
	[LOG_LEVEL_CLIENT] = "CLIENT", [LOG_LEVEL_INFO] = "INFO",
	[LOG_LEVEL_DEBUG] = "DEBUG",
};

static const int priorities[] = {
	[LOG_LEVEL_BROKEN] = LOG_CRIT,	 [LOG_LEVEL_UNUSUAL] = LOG_WARNING,
	[LOG_LEVEL_CLIENT] = LOG_NOTICE, [LOG_LEVEL_INFO] = LOG_INFO,
	[LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

/* The log belongs to the process: the one place where state is global. */
static struct {
	char program[32];
	char request_id[REQUEST_ID_SIZE];
	bool to_syslog;
	enum log_level most;
} state = {.program = "cardstock", .most = LOG_LEVEL_INFO};

void log_open(const char *program, bool to_syslog, enum log_level most)
{
	(void)snprintf(state.program, sizeof(state.program), "%s", program);
	if (state.to_syslog)
		closelog();
	state.to_syslog = to_syslog;
	state.most = most;
	if (to_syslog)
		openlog(state.program, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void log_set_request(const char *request_id)
{
	(void)snprintf(state.request_id, sizeof(state.request_id), "%s",
		       request_id);
}

/* "2026-04-15T12:00:00.123Z" */
static void put_timestamp(char *out, size_t size)
{
	char second[TIME_TEXT_SIZE];
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	time_format(second, now.tv_sec);
	(void)snprintf(out, size, "%.19s.%03dZ", second,
		       (int)(now.tv_nsec / 1000000));
}

/* Writes the line's head; the bytes written. */
static size_t put_head(char *line, size_t size, enum log_level level)
{
	char timestamp[32] = "";
	int len;

	if (!state.to_syslog)
		put_timestamp(timestamp, sizeof(timestamp));
	len = snprintf(line, size, "%s%s%slevel=%s program=%s pid=%d%s%s ",
		       timestamp[0] != '\0' ? "ts=" : "", timestamp,
		       timestamp[0] != '\0' ? " " : "", level_names[level],
		       state.program, (int)getpid(),
		       state.request_id[0] != '\0' ? " request=" : "",
		       state.request_id);
	return len < 0 ? 0 : (size_t)len;
}

static void put_line(enum log_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void put_line(enum log_level level, const char *format, va_list args)
{
	char line[LINE_SIZE];
	size_t len, i;

	if (level > state.most)
		return;
	len = put_head(line, sizeof(line), level);
	(void)vsnprintf(line + len, sizeof(line) - len, format, args);
	len = strlen(line);
	/* Whatever came in, an event stays one line. */
	for (i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	if (state.to_syslog) {
		syslog(priorities[level], "%s", line);
		return;
	}
	line[len] = '\n';
	/* There is nobody to tell when the log itself cannot be written. */
	if (write(STDERR_FILENO, line, len + 1) < 0)
		return;
}

#define LOG_FUNCTION(name, level)                                              \
	void name(const char *format, ...)                                     \
	{                                                                      \
		va_list args;                                                  \
                                                                               \
		va_start(args, format);                                        \
		put_line(level, format, args);                                 \
		va_end(args);                                                  \
	}

LOG_FUNCTION(log_broken, LOG_LEVEL_BROKEN)
LOG_FUNCTION(log_unusual, LOG_LEVEL_UNUSUAL)
LOG_FUNCTION(log_client, LOG_LEVEL_CLIENT)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

const char *log_text(const char *text)
{
	static char buffers[TEXT_BUFFERS][4 * TEXT_MAX + 3];
	static unsigned int turn;
	char *buffer = buffers[turn++ % TEXT_BUFFERS], *to = buffer;
	size_t len = strnlen(text, TEXT_MAX + 1), i;
	bool utf8;

	if (len > TEXT_MAX) {
		/* Not within a character. */
		for (len = TEXT_MAX; len > TEXT_MAX - 3; len--)
			if (((unsigned char)text[len] & 0xc0) != 0x80)
				break;
	}
	utf8 = utf8_valid(text, len);
	*to++ = '"';
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\') {
			*to++ = '\\';
			*to++ = (char)c;
		} else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8)) {
			*to++ = '\\';
			*to++ = 'x';
			hex_encode(to, &c, 1);
			to += 2;
		} else {
			*to++ = (char)c;
		}
	}
	*to++ = '"';
	*to = '\0';
	return buffer;
}

bool log_level_read(const char *name, enum log_level *level)
{
	static const char *const names[] = {
		[LOG_LEVEL_BROKEN] = "broken", [LOG_LEVEL_UNUSUAL] = "unusual",
		[LOG_LEVEL_CLIENT] = "client", [LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}
