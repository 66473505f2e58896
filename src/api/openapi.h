/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

struct dialect;
struct text;

/* The OpenAPI 3.1 document of a dialect's routes, from their own tables. */
void openapi_print(struct text *out, const struct dialect *dialect);

#endif
