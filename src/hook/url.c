/* SPDX-License-Identifier: Apache-2.0 */
#include "url.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "../base/log.h"
#include "../core/address.h"
#include "target.h"

#define RESOLVE_MS 2000

/* RFC 3986: unreserved, reserved, and the percent sign; no '#', since a
 * fragment is never sent. */
static const char url_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz"
				     "0123456789-._~:/?[]@!$&'()*+,;=%";
static const char scheme_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"abcdefghijklmnopqrstuvwxyz"
					"0123456789+-.";

/* What can be told from the text alone. */
static enum url_result check_text(const char *url)
{
	const char *authority = url + 8;
	size_t len = strnlen(url, URL_MAX + 1);

	if (len > URL_MAX || strspn(url, url_characters) != len)
		return URL_MALFORMED;
	if (strncasecmp(url, "https://", 8) != 0) {
		size_t scheme = strspn(url, scheme_characters);

		return scheme > 0 && strncmp(url + scheme, "://", 3) == 0
			       ? URL_NOT_HTTPS
			       : URL_MALFORMED;
	}
	if (memchr(authority, '@', strcspn(authority, "/?")) != NULL)
		return URL_USER_INFO;
	/* libcurl would overlook a slash too many. */
	return *authority == '/' ? URL_MALFORMED : URL_OK;
}

/* The host as libcurl will connect to it: percent escapes decoded, numbers for
 * IPv4 in any base made a.b.c.d, brackets taken off. */
static enum url_result check_host(char *host, const char *networks)
{
	struct address address;
	size_t len = strlen(host);

	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		host++;
		if (!address_parse(&address, host))
			return URL_MALFORMED;
	} else if (!address_parse(&address, host)) {
		return len <= 255 ? URL_OK : URL_MALFORMED;
	}
	return target_allowed(&address, networks) ? URL_OK : URL_INSIDE;
}

static enum url_result check_parts(CURLU *parts, const char *url,
				   const char *networks)
{
	enum url_result result = URL_MALFORMED;
	char *host = NULL, *zone = NULL, *port = NULL;

	if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_ZONEID, &zone, 0) ==
		    CURLUE_NO_ZONEID &&
	    curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
		    CURLUE_OK &&
	    strcmp(port, "0") != 0 &&
	    curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
		result = check_host(host, networks);
	curl_free(zone);
	curl_free(port);
	curl_free(host);
	return result;
}

enum url_result url_check(const char *url, const char *networks)
{
	enum url_result result = check_text(url);
	CURLU *parts;

	if (result != URL_OK)
		return result;
	parts = curl_url();
	if (parts == NULL) {
		log_broken("event=out_of_memory");
		return URL_MALFORMED;
	}
	result = check_parts(parts, url, networks);
	curl_url_cleanup(parts);
	return result;
}

struct look_up {
	const char *networks;
	int allowed, refused;
};

/* Called for each address in turn, since none of them is ever opened. */
static curl_socket_t note_address(void *opaque, curlsocktype purpose,
				  struct curl_sockaddr *peer)
{
	struct look_up *look_up = opaque;

	(void)purpose;
	if (target_socket_allowed(&peer->addr, look_up->networks))
		look_up->allowed++;
	else
		look_up->refused++;
	return CURL_SOCKET_BAD;
}

enum url_result url_resolve(const char *url, const char *networks)
{
	struct look_up look_up = {.networks = networks};
	enum url_result result = url_check(url, networks);
	CURL *curl;

	if (result != URL_OK)
		return result;
	curl = target_handle();
	if (curl == NULL)
		return URL_UNRESOLVED;
	if (curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)RESOLVE_MS) ==
		    CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, note_address) ==
		    CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &look_up) ==
		    CURLE_OK)
		(void)curl_easy_perform(curl);
	curl_easy_cleanup(curl);
	if (look_up.refused > 0)
		return URL_INSIDE;
	return look_up.allowed > 0 ? URL_OK : URL_UNRESOLVED;
}
