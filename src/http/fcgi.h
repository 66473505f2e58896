/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_FCGI_H
#define HTTP_FCGI_H

#include <stdbool.h>

#include "request.h"

/*
 * The worker's loop over libfcgi: accept on the inherited socket, read one
 * request, call serve, write the reply, until asked to stop. SIGTERM is taken
 * only when nobody waits, so that a request in hand is always finished and what
 * is queued is answered. A request whose nginx has gone is not served.
 */
struct fcgi_service {
	int listen_fd;
	int64_t requests_max; /* 0: no limit */
	struct arena *arena;
	void (*serve)(void *context, struct request *request,
		      struct reply *reply);
	/* After the reply has been handed to nginx. */
	void (*served)(void *context, const struct request *request,
		       const struct reply *reply, int64_t duration_us);
	void *context;
};
/* False when it could not begin. */
bool fcgi_serve(const struct fcgi_service *service);

/* A listening socket: "unix:/path" or "host:port". -1 with the message logged.
 */
int fcgi_listen(const char *where, int mode);

#endif
