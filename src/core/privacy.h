/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PRIVACY_H
#define CORE_PRIVACY_H

#include "decide.h"

/*
 * The Privacy dialect's words for what happened to a payment. What is known
 * here and has no word there does not compile, or fails the test that reads
 * the database's own lists. The lists end with NULL.
 */
extern const char *const privacy_results[];
extern const char *const privacy_statuses[];
extern const char *const privacy_event_types[];

const char *privacy_result(enum decline_reason reason);
/* The same by the reason's wire name; NULL is an approval: "APPROVED". */
const char *privacy_result_of(const char *decline_reason);
/* Of a transaction by its native status. partly: some of it is cleared. */
const char *privacy_status_of(const char *status, bool partly);
/* "clearing" to "CLEARING". */
const char *privacy_event_type_of(const char *type);

#endif
