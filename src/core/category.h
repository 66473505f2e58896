/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CATEGORY_H
#define CORE_CATEGORY_H

#include <stddef.h>

/*
 * Merchant category codes (ISO 18245) in groups: each four-digit code belongs
 * to exactly one category. The groups are ranges over the code space, so a
 * code that the standard adds later has a category as well. The operator's
 * own table in the database (mcc_categories) starts as a copy of this one.
 */
struct category_range {
	int first, last; /* 0-9999 */
	const char *category;
};
extern const struct category_range category_ranges[];
extern const size_t category_range_count;

extern const char *const category_names[]; /* NULL-terminated, sorted */

/* "7311" → "advertising"; "other" where the code is not four digits. */
const char *category_of(const char *mcc);

#endif
