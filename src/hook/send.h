/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOOK_SEND_H
#define HOOK_SEND_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/text.h"

/*
 * POSTs over HTTPS, thousands at once on one thread: connections and TLS
 * sessions are reused, nothing that one receiver does holds up another's.
 * Each address is judged where its socket is opened, so that no name, redirect
 * or later answer of the DNS leads inside. One sender belongs to one thread;
 * the process must ignore SIGPIPE.
 */
struct sender;

/* Its text must stay as long as the sender. */
struct sender_options {
	int timeout_ms;	      /* of an attempt, from look-up to the last byte */
	const char *ca_file;  /* "" for the system's */
	const char *networks; /* allowed beside public addresses, or "" */
	const char *user_agent;
	int in_flight;	  /* at most, in all */
	int per_endpoint; /* at most, of one endpoint */
};

/* All text is copied but the body's, which must stay until it is done: JSON,
 * and the sender says so. */
struct transfer {
	const char *url;
	const char *const *headers; /* "Name: value", NULL behind the last */
	struct bytes body;
	int64_t endpoint;
	void *opaque;
};

enum send_error {
	SEND_OK,		  /* 2xx, told in time */
	SEND_DNS,		  /* no such name, or no answer */
	SEND_ADDRESS_NOT_ALLOWED, /* it leads inside */
	SEND_CONNECT,		  /* refused, unreachable, or broken off */
	SEND_TLS,		  /* no handshake, or a bad certificate */
	SEND_TIMEOUT,
	SEND_PROTOCOL,	/* what came is not HTTP/1 */
	SEND_REDIRECT,	/* 3xx */
	SEND_STATUS,	/* 4xx, 5xx */
	SEND_TOO_LARGE, /* headers without end */
	SEND_INTERNAL,	/* ours: out of memory, files, a bad CA file */
};

#define SEND_ANSWER_MAX 4096 /* bytes of an answer's body that are read */

struct send_result {
	void *opaque;
	int64_t endpoint;
	enum send_error error;
	int status;	       /* 0 when none came */
	int64_t retry_after_s; /* -1 when none was told */
	int duration_ms;
	struct bytes answer; /* its beginning, not decoded; this call's */
};

/* "dns", "address_not_allowed" ...; NULL for SEND_OK. */
const char *send_error_word(enum send_error error);

/* NULL when libcurl or the CA file cannot be had (logged). */
struct sender *sender_new(const struct sender_options *options);
/* What is in flight is dropped without a word. */
void sender_free(struct sender *sender);

/* How many more of this endpoint would be taken now. */
int sender_room(struct sender *sender, int64_t endpoint);
int sender_in_flight(const struct sender *sender);

/* False when there is no room. Nothing is sent before the next sender_poll. */
bool sender_submit(struct sender *sender, const struct transfer *transfer);

/*
 * Moves all transfers on, waiting up to wait_ms for something to do; calls done
 * for each that ended, which may submit others. Returns how many ended; a
 * signal ends the wait early.
 */
int sender_poll(struct sender *sender, int wait_ms,
		void (*done)(void *context, const struct send_result *result),
		void *context);

#endif
