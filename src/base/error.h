/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

enum error_code {
	ERR_NONE = 0,
#define ERROR(symbol, code, status, retryable, sentence) ERR_##symbol,
#include "error.def"
#undef ERROR
	ERR_COUNT
};

struct error_info {
	const char *code; /* wire code, "ok" for ERR_NONE */
	int status;	  /* HTTP */
	bool retryable;
	const char *sentence; /* for a human, ends with a full stop */
};

/* Why a request was refused. A NULL message means the table's sentence. */
struct fault {
	enum error_code code;
	const char *param;   /* the field or header at fault, or NULL */
	const char *message; /* lives in the request's arena, or static */
};

const struct error_info *error_info(enum error_code code);

/* The code a wire word stands for: ERR_NONE for "ok", ERR_COUNT if unknown. */
enum error_code error_by_code(const char *code);

#endif
