/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PAN_H
#define CORE_PAN_H

#include <stdbool.h>
#include <stdint.h>

/* Primary account numbers, ISO/IEC 7812-1: 16 digits, Luhn check digit. */
#define PAN_SIZE 17

/* The digit that makes digits+digit valid, as '0'-'9'. */
char luhn_digit(const char *digits);

/* prefix (6-8 digits) + middle as decimal, zero-filled, modulo what fits +
 * check digit. middle is the caller's randomness. */
void pan_build(char pan[PAN_SIZE], const char *prefix, uint64_t middle);

#endif
