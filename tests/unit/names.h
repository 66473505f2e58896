/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_NAMES_H
#define UNIT_NAMES_H

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * libcurl asks the program's own getaddrinfo, which stands before the C
 * library's: a name means what the test says. The test defines this: addresses
 * separated by spaces, "slow", or NULL.
 */
static const char *name_meaning(const char *name);

#define SLOW_S 60

static struct addrinfo *addrinfo_new(const char *text, size_t len,
				     const char *port)
{
	struct addrinfo *info = calloc(1, sizeof(*info));
	struct sockaddr_storage *to = calloc(1, sizeof(*to));
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)to;
	char address[INET6_ADDRSTRLEN];
	in_port_t number =
		htons((uint16_t)(port == NULL ? 0 : strtoul(port, NULL, 10)));

	if (info == NULL || to == NULL)
		abort();
	(void)snprintf(address, sizeof(address), "%.*s", (int)len, text);
	info->ai_addr = (struct sockaddr *)to;
	info->ai_socktype = SOCK_STREAM;
	if (inet_pton(AF_INET, address, &ipv4->sin_addr) == 1) {
		info->ai_family = AF_INET;
		info->ai_addrlen = sizeof(*ipv4);
		ipv4->sin_port = number;
	} else if (inet_pton(AF_INET6, address, &ipv6->sin6_addr) == 1) {
		info->ai_family = AF_INET6;
		info->ai_addrlen = sizeof(*ipv6);
		ipv6->sin6_port = number;
	} else {
		abort();
	}
	to->ss_family = (sa_family_t)info->ai_family;
	return info;
}

int getaddrinfo(const char *name, const char *service,
		const struct addrinfo *hints, struct addrinfo **result)
{
	const char *at = name_meaning(name);

	(void)hints;
	if (at == NULL)
		return EAI_NONAME;
	if (strcmp(at, "slow") == 0) {
		sleep(SLOW_S);
		return EAI_AGAIN;
	}
	for (; *at != '\0'; result = &(*result)->ai_next) {
		size_t len = strcspn(at, " ");

		*result = addrinfo_new(at, len, service);
		at += len + (at[len] == ' ');
	}
	return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
	while (info != NULL) {
		struct addrinfo *next = info->ai_next;

		free(info->ai_addr);
		free(info);
		info = next;
	}
}

#endif
