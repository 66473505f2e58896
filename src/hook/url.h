/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOOK_URL_H
#define HOOK_URL_H

/* What speaks against a webhook's URL, in the order in which it is looked
 * for. */
enum url_result {
	URL_OK,
	URL_MALFORMED, /* no absolute URL, over URL_MAX, a fragment ... */
	URL_NOT_HTTPS,
	URL_USER_INFO,
	URL_INSIDE,	/* an address that is neither public nor in networks */
	URL_UNRESOLVED, /* url_resolve only: no address within two seconds */
};

#define URL_MAX 2048 /* characters */

/* The URL's form, and its host if that is an address in any spelling. networks
 * are the operator's exceptions, as address_in_networks takes them. */
enum url_result url_check(const char *url, const char *networks);

/*
 * url_check, then the host is looked up, without connecting: every address
 * that it has must be allowed. Blocks for two seconds at most. A courtesy to
 * who registers it: what a name means is judged again at each connection.
 */
enum url_result url_resolve(const char *url, const char *networks);

#endif
