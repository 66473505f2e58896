/* SPDX-License-Identifier: Apache-2.0 */
/* For LD_PRELOAD: a name server that says something else each time. The first
 * look-up of a name below hooks.example gives 127.0.0.2, the next 127.0.0.1,
 * and so on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <string.h>

static const char *const addresses[] = {"127.0.0.2", "127.0.0.1"};
static atomic_uint asked;

int getaddrinfo(const char *node, const char *service,
		const struct addrinfo *hints, struct addrinfo **found)
{
	int (*next)(const char *, const char *, const struct addrinfo *,
		    struct addrinfo **);
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");

	memcpy(&next, &symbol, sizeof(next));
	if (node != NULL && strstr(node, ".hooks.example") != NULL)
		node = addresses[atomic_fetch_add(&asked, 1) % 2];
	return next(node, service, hints, found);
}
