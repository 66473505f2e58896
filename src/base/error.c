/* SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <stddef.h>
#include <string.h>

static const struct error_info infos[ERR_COUNT] = {
	[ERR_NONE] = {"ok", 200, false, "It worked."},
#define ERROR(symbol, code, status, retryable, sentence)                       \
	[ERR_##symbol] = {code, status, retryable, sentence},
#include "error.def"
#undef ERROR
};

const struct error_info *error_info(enum error_code code)
{
	if ((unsigned int)code >= ERR_COUNT)
		code = ERR_INTERNAL_ERROR;
	return &infos[code];
}

enum error_code error_by_code(const char *code)
{
	int i;

	for (i = 0; i < ERR_COUNT; i++)
		if (strcmp(infos[i].code, code) == 0)
			return (enum error_code)i;
	return ERR_COUNT;
}
