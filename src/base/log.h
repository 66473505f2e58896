/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

/*
 * One line an event, key=value, to stderr or syslog. The verb says who erred:
 *
 *   log_client   they did: a bad request, a wrong credential
 *   log_unusual  the world did: database gone, disk full, peer hung up
 *   log_broken   we did: an invariant does not hold; a test that finds a
 *                BROKEN line in a log fails
 *   log_info     nobody: start, stop, reload, one line a request
 *
 * The format is literal text and %-conversions that yield key=value pairs;
 * use log_text() for a value that came from outside: it quotes and escapes.
 */
enum log_level {
	LOG_LEVEL_BROKEN,
	LOG_LEVEL_UNUSUAL,
	LOG_LEVEL_CLIENT,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

void log_open(const char *program, bool to_syslog, enum log_level most);
/* "broken", "unusual", "client", "info" or "debug". */
bool log_level_read(const char *name, enum log_level *level);
/* Put before each line until changed; "" for none. */
void log_set_request(const char *request_id);

void log_broken(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_unusual(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_client(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "text" quoted, control characters and quotes escaped, cut at 200 bytes; in
 * one of four static buffers used in turn. */
const char *log_text(const char *text);

#endif
