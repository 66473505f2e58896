/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_TABLE_H
#define FUZZ_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/base/money.h"
#include "../../src/base/text.h"
#include "../../src/json/spec.h"

/* A request with a field of every kind. */
struct fuzz_row {
	const char *text;
	struct money money;
	int64_t number, moment;
	bool flag, flag_given;
	const char *choice;
	const char *decimal;
	struct spec_list list;
	const char *metadata, *patch;
};

static const char *const fuzz_choices[] = {"active", "frozen", NULL};

#define FUZZ_AT(member) .offset = offsetof(struct fuzz_row, member)
#define FUZZ_SCALARS                                                           \
	{"text", SPEC_TEXT, .nullable = true, .max = 8, FUZZ_AT(text)},        \
		{"money", SPEC_MONEY, .min = 1, .max = 500000,                 \
		 FUZZ_AT(money)},                                              \
		{"number", SPEC_INT, .min = -5, .max = 100, FUZZ_AT(number)},  \
		{"moment", SPEC_TIME, FUZZ_AT(moment)},                        \
		{"flag", SPEC_BOOL, FUZZ_AT(flag),                             \
		 .given = offsetof(struct fuzz_row, flag_given)},              \
		{"choice", SPEC_ENUM, .values = fuzz_choices,                  \
		 FUZZ_AT(choice)},                                             \
	{                                                                      \
		"decimal", SPEC_DECIMAL, FUZZ_AT(decimal)                      \
	}

static void fuzz_must(bool good)
{
	if (!good)
		abort();
}

/* What was taken keeps to the table. */
static inline void fuzz_check_row(const struct fuzz_row *row)
{
	fuzz_must(row->text == NULL ||
		  (utf8_valid(row->text, strlen(row->text)) &&
		   utf8_length(row->text) <= 8));
	fuzz_must(row->money.cents >= 0 && row->money.cents <= 500000);
	fuzz_must(row->number >= -5 && row->number <= 100);
	fuzz_must(!row->flag || row->flag_given);
	fuzz_must(row->choice == NULL || row->choice == fuzz_choices[0] ||
		  row->choice == fuzz_choices[1]);
}

/* What was refused can be told. */
static void fuzz_check_fault(const struct fault *fault)
{
	fuzz_must(fault->code != ERR_NONE && fault->code < ERR_COUNT);
	fuzz_must(error_info(fault->code)->status == 400);
	fuzz_must(fault->message != NULL &&
		  utf8_valid(fault->message, strlen(fault->message)));
	fuzz_must(fault->param == NULL ||
		  utf8_valid(fault->param, strlen(fault->param)));
}

#endif
