/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "../base/secret.h"
#include "throttle.h"

#define SETS 8192 /* a power of two */
#define WAYS 8

/*
 * A bucket is one number, the moment at which it will be full again (the
 * "theoretical arrival time" of ITU-T I.371's algorithm): so one
 * compare-and-swap takes a token, and a worker killed at any instruction
 * leaves nothing locked. An address that takes over the entry of another may
 * for an instant see the other's bucket, which is older than its own would be.
 */
struct bucket {
	_Atomic uint64_t address; /* mixed; 0: free */
	_Atomic int64_t full_at_us;
};

struct throttle {
	uint64_t seed; /* so that nobody can aim at a set */
	struct bucket sets[SETS][WAYS];
};

struct throttle *throttle_new(void)
{
	struct throttle *throttle =
		mmap(NULL, sizeof(*throttle), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (throttle == MAP_FAILED)
		return NULL;
	random_bytes(&throttle->seed, sizeof(throttle->seed));
	return throttle;
}

/* The finalizer of MurmurHash3 (public domain): a bijection of 64 bits. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	x ^= x >> 33;
	return x;
}

/* IPv4 whole, IPv6 by its /64: a subscriber has as many of those as he likes
 * below that. An IPv4-mapped IPv6 address counts as IPv4. */
static uint64_t address_key(const struct throttle *throttle, const char *text)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	unsigned char raw[16] = {0};
	uint64_t bits = 0, family = 4, key;

	if (inet_pton(AF_INET6, text, raw) == 1) {
		if (memcmp(raw, mapped, sizeof(mapped)) == 0) {
			memmove(raw, raw + 12, 4);
			memset(raw + 4, 0, 12);
		} else {
			family = 6;
		}
	} else if (inet_pton(AF_INET, text, raw) != 1) {
		family = 0;
	}
	for (int i = 0; i < (family == 6 ? 8 : 4); i++)
		bits = bits << 8 | raw[i];
	key = mix(mix(bits ^ throttle->seed) + family);
	return key ? key : 1;
}

static struct bucket *bucket_of(struct throttle *throttle, uint64_t address)
{
	struct bucket *set = throttle->sets[address & (SETS - 1)];
	struct bucket *stalest = &set[0];
	uint64_t previous;

	for (int i = 0; i < WAYS; i++) {
		if (atomic_load(&set[i].address) == address)
			return &set[i];
		if (atomic_load(&set[i].full_at_us) <
		    atomic_load(&stalest->full_at_us))
			stalest = &set[i];
	}
	previous = atomic_load(&stalest->address);
	if (atomic_compare_exchange_strong(&stalest->address, &previous,
					   address))
		atomic_store(&stalest->full_at_us, 0);
	return stalest;
}

bool throttle_take(struct throttle *throttle, const char *address,
		   int64_t rate_per_minute, int64_t burst, int64_t now_us)
{
	struct bucket *bucket;
	int64_t interval_us, full_at_us, next_us;

	if (rate_per_minute <= 0)
		return true;
	if (burst < 1)
		burst = 1;
	interval_us = INT64_C(60000000) / rate_per_minute;
	if (interval_us < 1)
		interval_us = 1;
	bucket = bucket_of(throttle, address_key(throttle, address));
	full_at_us = atomic_load(&bucket->full_at_us);
	do {
		next_us = (full_at_us > now_us ? full_at_us : now_us) +
			  interval_us;
		if (next_us - now_us > interval_us * burst)
			return false;
	} while (!atomic_compare_exchange_weak(&bucket->full_at_us, &full_at_us,
					       next_us));
	return true;
}
