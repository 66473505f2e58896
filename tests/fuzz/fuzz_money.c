/* SPDX-License-Identifier: Apache-2.0 */
/* The money parser: what it takes prints and parses back, and what it calls
 * malformed is what the JSON grammar calls so. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/base/money.h"
#include "../../src/json/exact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(struct money amount)
{
	char text[MONEY_TEXT_SIZE];
	struct money back;

	money_format(text, amount);
	if (money_parse_usd(text, &back) != MONEY_OK ||
	    money_compare(amount, back) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct money amount, most = MONEY_USD(MONEY_MAX_CENTS);
	char *text = malloc(size + 1);
	enum money_parse result;
	size_t len;

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	len = strlen(text);
	result = money_parse_usd(text, &amount);
	if ((result != MONEY_MALFORMED) !=
	    (len > 0 && exact_number_length(text, len) == len))
		abort();
	if (result == MONEY_OK) {
		if (money_compare(amount, most) > 0 ||
		    money_compare(money_negate(amount), most) > 0)
			abort();
		check_same(amount);
	}
	free(text);
	return 0;
}
