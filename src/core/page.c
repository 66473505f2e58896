/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

int64_t page_count(int64_t total, int64_t per_page)
{
	/* Not (total + per_page - 1), which could overflow. */
	return total / per_page + (total % per_page != 0);
}
