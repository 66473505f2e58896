/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PAGE_H
#define CORE_PAGE_H

#include <stdint.h>

/* What a list's pagination object says. */
struct page {
	int64_t page, per_page, total, total_pages;
	const char *next_cursor; /* NULL on the last page */
};

/* total_pages is 0 for an empty list. */
int64_t page_count(int64_t total, int64_t per_page);

#endif
