/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_COUNTRY_H
#define CORE_COUNTRY_H

#include <stdbool.h>

/*
 * Countries by their codes of ISO 3166-1, and XK (XKX), which is of the codes
 * that the standard leaves to its users and which the card networks use for
 * Kosovo. Upper case only.
 */
bool country_alpha3(const char *alpha2, char alpha3[4]); /* "US" to "USA" */
bool country_alpha2(const char *alpha3, char alpha2[3]);

#endif
