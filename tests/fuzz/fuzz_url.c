/* SPDX-License-Identifier: Apache-2.0 */
/* What passes for a webhook's URL is short, printable and https; and what is
 * inside for the Internet is not when every address is allowed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../src/hook/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_good(const char *url)
{
	size_t len = strlen(url);

	if (len > URL_MAX || strncasecmp(url, "https://", 8) != 0)
		abort();
	for (const char *at = url; *at != '\0'; at++)
		if (*at <= ' ' || *at > '~' || *at == '#' || *at == '\\')
			abort();
	if (memchr(url + 8, '@', strcspn(url + 8, "/?")) != NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum url_result strict, open;
	char *url = malloc(size + 1);

	if (url == NULL)
		abort();
	memcpy(url, data, size);
	url[size] = '\0';
	strict = url_check(url, "");
	open = url_check(url, "0.0.0.0/0 ::/0");
	if (open == URL_INSIDE || strict == URL_UNRESOLVED ||
	    (strict != open && strict != URL_INSIDE))
		abort();
	if (strict == URL_INSIDE && open != URL_OK)
		abort();
	if (open == URL_OK)
		check_good(url);
	free(url);
	return 0;
}
