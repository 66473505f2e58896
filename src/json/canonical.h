/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_CANONICAL_H
#define JSON_CANONICAL_H

#include <stdbool.h>

#include "../base/text.h"

/* The same value with the keys of every object sorted by their bytes and no
 * white space; numbers are integers. False when it is no JSON object. */
bool canonical_print(struct text *out, struct bytes json);

#endif
