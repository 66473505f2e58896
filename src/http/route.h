/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "request.h"

#define ROUTE_ARGS 2

struct route; /* the api layer's row; begins with a struct route_key */

struct route_key {
	enum http_method method;
	const char *pattern; /* "/v1/cards/{id}/fund": {…} is one segment */
};

enum route_match {
	ROUTE_FOUND,
	ROUTE_NO_PATH,
	ROUTE_NO_METHOD
};

struct route_result {
	const void *row;
	const char *args[ROUTE_ARGS]; /* the {…} segments, in the arena */
	char allow[64];		      /* for 405 and OPTIONS */
};

/*
 * Finds path in a table of rows of row_size bytes that each begin with a
 * struct route_key. HEAD matches GET. Of two patterns that match, the one with
 * fewer {…} wins, whatever their order. One trailing slash is ignored when
 * loose. allow names all methods of the path, whatever the outcome.
 */
enum route_match route_find(const void *table, size_t count, size_t row_size,
			    struct arena *arena, enum http_method method,
			    const char *path, bool loose,
			    struct route_result *result);

#endif
