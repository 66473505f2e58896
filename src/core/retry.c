/* SPDX-License-Identifier: Apache-2.0 */
#include "retry.h"

#include <stddef.h>

#define HOUR_S 3600
#define PRIVACY_FIRST_S 300
#define PRIVACY_LAST_S (24 * HOUR_S)

static const int32_t native_delays_s[] = {
	5,	     300,	  HOUR_S / 2,  2 * HOUR_S,  5 * HOUR_S,
	10 * HOUR_S, 14 * HOUR_S, 20 * HOUR_S, 24 * HOUR_S,
};

/* 0 when no try is left. The spread is up to a fifth, so that what failed
 * together does not come back together. */
static int64_t native_delay(int tries_made, uint32_t random)
{
	int64_t delay_s;

	if ((size_t)tries_made >
	    sizeof(native_delays_s) / sizeof(native_delays_s[0]))
		return 0;
	delay_s = native_delays_s[tries_made - 1];
	return delay_s + (int64_t)((uint64_t)(delay_s / 5 + 1) * random >> 32);
}

static int64_t privacy_delay(int tries_made)
{
	int64_t delay_s = PRIVACY_FIRST_S;

	while (--tries_made > 0 && delay_s <= PRIVACY_LAST_S)
		delay_s *= 2;
	return delay_s <= PRIVACY_LAST_S ? delay_s : 0;
}

bool retry_delay(enum retry_plan plan, int tries_made, int64_t retry_after_s,
		 uint32_t random, int64_t *delay_s)
{
	int64_t planned_s = 0;

	if (tries_made < 1)
		tries_made = 1;
	switch (plan) {
	case RETRY_NATIVE:
		planned_s = native_delay(tries_made, random);
		break;
	case RETRY_PRIVACY:
		planned_s = privacy_delay(tries_made);
		break;
	}
	if (planned_s == 0)
		return false;
	if (retry_after_s > RETRY_AFTER_MAX_S)
		retry_after_s = RETRY_AFTER_MAX_S;
	*delay_s = planned_s > retry_after_s ? planned_s : retry_after_s;
	return true;
}
