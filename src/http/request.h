/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/error.h"
#include "../base/text.h"
#include "../base/token.h"

struct arena;

#define BODY_MAX 65536

enum http_method {
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_PATCH,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_OTHER
};
extern const char *const http_method_names[];

/* A request as nginx handed it over; text lives in the arena. */
struct request {
	struct arena *arena;
	enum http_method method;
	const char *path;  /* decoded once, begins with '/' , no query */
	const char *query; /* as sent, without '?'; "" when absent */
	const char *body;
	size_t body_len;
	const char *content_type; /* NULL when absent, so below */
	const char *authorization;
	const char *seed; /* X-Seed */
	const char *idempotency_key;
	const char *origin;
	const char *client_address; /* text form */
	char request_id[REQUEST_ID_SIZE];
	char debugging_id[UUID_SIZE]; /* begins with the request id's digits */
	bool network;		      /* came by the mTLS server */
	/* What nginx says a client address may show of refused credentials:
	 * for throttle_take. Rate 0: no limit. */
	int64_t refused_rate_per_minute, refused_burst;
	int64_t accepted_us;	/* clock_monotonic_us() */
	int64_t content_length; /* as announced; -1 when not */
	struct fault fault; /* found while reading: answered before routing */
};

/*
 * Fills *request from FastCGI parameters, a NULL-terminated list of
 * "NAME=value"; the body is added afterwards. What is wrong with the path or
 * with a header is left in fault.
 */
void request_read(struct request *request, struct arena *arena,
		  char *const *params);

/*
 * Splits a raw request target into path, percent-decoded once, and query, as
 * sent. False when the path could be read in two ways: a bad escape, an
 * encoded slash, a control character, invalid UTF-8, an empty segment, "." or
 * "..".
 */
bool target_split(struct arena *arena, const char *target, const char **path,
		  const char **query);

/* What goes back. headers beyond the fixed ones are added as whole lines. */
struct reply {
	int status;
	const char *content_type; /* default application/json */
	struct text body;
	struct text headers; /* "Name: value\r\n" … */
};

void reply_init(struct reply *reply, struct arena *arena);
/* A value with a control character is left out: it could end the header. */
void reply_header(struct reply *reply, const char *name, const char *value);
/* The whole reply as a FastCGI application writes it. */
void reply_print(struct text *out, const struct reply *reply,
		 const struct request *request);

#endif
