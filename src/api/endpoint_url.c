/* SPDX-License-Identifier: Apache-2.0 */
/* Where a webhook may go, for either dialect. */
#include "../base/config.h"
#include "../hook/url.h"
#include "resources.h"

static bool refuse(struct call *call, const char *message)
{
	struct fault fault = {ERR_INVALID_PARAMETER, "url", message};

	reply_refuse(call, &fault);
	return false;
}

bool url_fits(struct call *call, const char *url)
{
	const char *networks = call->service->config->webhook_allowed_networks;

	switch (url_check(url, networks)) {
	case URL_OK:
	case URL_UNRESOLVED:
		return true;
	case URL_MALFORMED:
		return refuse(call,
			      "url must be a whole URL without a fragment.");
	case URL_NOT_HTTPS:
		return refuse(call, "url must begin with https://.");
	case URL_USER_INFO:
		return refuse(call,
			      "url must not hold a user name or password.");
	case URL_INSIDE:
		reply_error(call, ERR_URL_NOT_ALLOWED, "url");
		return false;
	}
	return false;
}

struct url_lookup url_lookup(const struct call *call, const char *url)
{
	return (struct url_lookup){
		.url = url,
		.networks = call->service->config->webhook_allowed_networks,
	};
}

static enum error_code lookup_refusal(const struct url_lookup *lookup)
{
	switch (url_resolve(lookup->url, lookup->networks)) {
	case URL_OK:
		return ERR_NONE;
	case URL_MALFORMED:
	case URL_NOT_HTTPS:
	case URL_USER_INFO:
		return ERR_INVALID_PARAMETER;
	case URL_INSIDE:
		return ERR_URL_NOT_ALLOWED;
	case URL_UNRESOLVED:
		return ERR_URL_UNRESOLVED;
	}
	return ERR_INTERNAL_ERROR;
}

bool url_lookup_refused(struct url_lookup *lookup, enum error_code *refusal)
{
	if (lookup->url != NULL && !lookup->looked_up) {
		lookup->refusal = lookup_refusal(lookup);
		lookup->looked_up = true;
	}
	*refusal = lookup->refusal;
	return *refusal != ERR_NONE;
}
