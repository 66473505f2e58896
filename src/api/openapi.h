/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

struct text;

/* The OpenAPI 3.1 document of all routes, from their own tables. */
void openapi_print(struct text *out);

#endif
