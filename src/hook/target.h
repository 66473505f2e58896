/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOOK_TARGET_H
#define HOOK_TARGET_H

#include <curl/curl.h>
#include <stdbool.h>

struct address;
struct sockaddr;

/* What the look-up at registration and the sender have in common. */

/* Public, or in the operator's networks. */
bool target_allowed(const struct address *address, const char *networks);
/* The same of what a socket would be connected to; false for other families. */
bool target_socket_allowed(const struct sockaddr *peer, const char *networks);

/* A handle that speaks HTTPS and HTTP/1.1 only, with TLS 1.2 at least,
 * verified, past any proxy; NULL (logged) when libcurl cannot do that. */
CURL *target_handle(void);

#endif
