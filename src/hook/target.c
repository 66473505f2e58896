/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "../base/log.h"
#include "../core/address.h"

bool target_allowed(const struct address *address, const char *networks)
{
	return address_is_public(address) ||
	       address_in_networks(address, networks);
}

bool target_socket_allowed(const struct sockaddr *peer, const char *networks)
{
	struct address address = {.ip = {[10] = 0xff, [11] = 0xff}};
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	if (peer->sa_family == AF_INET) {
		memcpy(&ipv4, peer, sizeof(ipv4));
		memcpy(address.ip + 12, &ipv4.sin_addr, 4);
	} else if (peer->sa_family == AF_INET6) {
		memcpy(&ipv6, peer, sizeof(ipv6));
		memcpy(address.ip, &ipv6.sin6_addr, 16);
	} else {
		return false;
	}
	return target_allowed(&address, networks);
}

/* Without quick exit, giving up on a name would wait for its look-up, and
 * everything else with it. */
static bool set_up(CURL *curl)
{
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{CURLOPT_NOSIGNAL, 1},
		{CURLOPT_QUICK_EXIT, 1},
		{CURLOPT_FOLLOWLOCATION, 0},
		{CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
		{CURLOPT_HTTP09_ALLOWED, 0},
		{CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
		{CURLOPT_SSL_VERIFYPEER, 1},
		{CURLOPT_SSL_VERIFYHOST, 2},
		{CURLOPT_NETRC, CURL_NETRC_IGNORED},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (curl_easy_setopt(curl, numbers[i].option,
				     numbers[i].value) != CURLE_OK)
			return false;
	return curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") ==
		       CURLE_OK;
}

CURL *target_handle(void)
{
	CURL *curl = curl_easy_init();

	if (curl != NULL && set_up(curl))
		return curl;
	log_broken("event=curl_unusable version=%s", curl_version());
	curl_easy_cleanup(curl);
	return NULL;
}
