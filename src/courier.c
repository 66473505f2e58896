/* SPDX-License-Identifier: Apache-2.0 */
#include "courier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"

#define PAUSE_FIRST_US 100000
#define PAUSE_MAX_US 5000000
#define KEYS_AGAIN_US 1000000

static void *must_alloc(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory) {
		log_broken("event=out_of_memory");
		abort();
	}
	return memory;
}

static size_t bucket_of(int64_t id)
{
	return (size_t)id % BUCKETS;
}

/* ----------------------------------------------------------------- bodies */

struct body *body_new(struct bytes bytes)
{
	struct body *body = must_alloc(sizeof(*body) + bytes.len);

	body->users = 1;
	body->len = bytes.len;
	memcpy(body->data, bytes.data, bytes.len);
	return body;
}

void body_release(struct body *body)
{
	if (!body || --body->users > 0)
		return;
	secret_wipe(body->data, body->len); /* it may show a code */
	free(body);
}

/* -------------------------------------------------------------- endpoints */

struct endpoint *endpoint_find(const struct courier *courier, int64_t id)
{
	struct endpoint *endpoint = courier->endpoints[bucket_of(id)];

	while (endpoint && endpoint->lane.id != id)
		endpoint = endpoint->next;
	return endpoint;
}

struct endpoint *endpoint_add(struct courier *courier, int64_t id,
			      const char *public_id, const char *dialect)
{
	struct endpoint **bucket = &courier->endpoints[bucket_of(id)];
	struct endpoint *endpoint = must_alloc(sizeof(*endpoint));

	lane_endpoint_init(&courier->lanes, &endpoint->lane, id);
	(void)snprintf(endpoint->public_id, sizeof(endpoint->public_id), "%s",
		       public_id);
	endpoint->plan =
		strcmp(dialect, "privacy") == 0 ? RETRY_PRIVACY : RETRY_NATIVE;
	endpoint->next = *bucket;
	*bucket = endpoint;
	courier->endpoint_count++;
	return endpoint;
}

static void replace_bytes(struct bytes *bytes, struct bytes by)
{
	void *copy;

	if (bytes->len == by.len && by.len > 0 &&
	    memcmp(bytes->data, by.data, by.len) == 0)
		return;
	free((void *)(uintptr_t)bytes->data);
	*bytes = (struct bytes){NULL, 0};
	if (!by.data)
		return;
	copy = must_alloc(by.len + 1);
	memcpy(copy, by.data, by.len);
	*bytes = (struct bytes){copy, by.len};
}

void endpoint_fill(struct endpoint *endpoint, const char *url,
		   const char *secret_of, struct bytes secret,
		   struct bytes previous)
{
	if (!endpoint->url || strcmp(endpoint->url, url) != 0) {
		free(endpoint->url);
		endpoint->url = must_alloc(strlen(url) + 1);
		memcpy(endpoint->url, url, strlen(url));
	}
	(void)snprintf(endpoint->secret_of, sizeof(endpoint->secret_of), "%s",
		       secret_of ? secret_of : "");
	replace_bytes(&endpoint->secret_sealed, secret);
	replace_bytes(&endpoint->previous_secret_sealed, previous);
}

void courier_give_up(struct courier *courier, int64_t id)
{
	if (courier->given_up_count < courier->parcels_max)
		courier->given_up[courier->given_up_count++] = id;
}

void endpoint_drop(struct courier *courier, struct endpoint *endpoint,
		   size_t but, bool ours)
{
	struct lane_item *item = endpoint->lane.waiting.last;

	while (item && endpoint->lane.waiting.count > but) {
		struct lane_item *previous = item->previous;

		lane_drop(&courier->lanes, item);
		if (ours)
			courier_give_up(courier, item->id);
		parcel_remove(courier, (struct parcel *)item);
		item = previous;
	}
}

static void endpoint_free(struct courier *courier, struct endpoint *endpoint)
{
	lane_endpoint_remove(&courier->lanes, &endpoint->lane);
	replace_bytes(&endpoint->secret_sealed, (struct bytes){NULL, 0});
	replace_bytes(&endpoint->previous_secret_sealed,
		      (struct bytes){NULL, 0});
	free(endpoint->url);
	free(endpoint);
	courier->endpoint_count--;
}

void endpoints_sweep(struct courier *courier)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct endpoint **at = &courier->endpoints[i];

		while (*at) {
			struct endpoint *endpoint = *at;

			if (endpoint->parcels > 0) {
				at = &endpoint->next;
				continue;
			}
			*at = endpoint->next;
			endpoint_free(courier, endpoint);
		}
	}
}

/* ---------------------------------------------------------------- parcels */

struct parcel *parcel_find(const struct courier *courier, int64_t id)
{
	struct parcel *parcel = courier->parcels[bucket_of(id)];

	while (parcel && parcel->item.id != id)
		parcel = parcel->next;
	return parcel;
}

struct parcel *parcel_add(struct courier *courier, struct endpoint *endpoint,
			  const struct courier_row *row)
{
	struct parcel **bucket = &courier->parcels[bucket_of(row->id)];
	struct parcel *parcel = must_alloc(sizeof(*parcel));

	parcel->item.id = row->id;
	parcel->item.order = row->event_id;
	parcel->item.card_id = row->card_id;
	parcel->item.endpoint = &endpoint->lane;
	parcel->claim = row->claim;
	parcel->tries = row->tries;
	(void)snprintf(parcel->event_public_id, sizeof(parcel->event_public_id),
		       "%s", row->event_public_id);
	parcel->hold_s = -1;
	parcel->next = *bucket;
	*bucket = parcel;
	courier->parcel_count++;
	endpoint->parcels++;
	return parcel;
}

void parcel_remove(struct courier *courier, struct parcel *parcel)
{
	struct endpoint *endpoint = (struct endpoint *)parcel->item.endpoint;
	struct parcel **at = &courier->parcels[bucket_of(parcel->item.id)];

	while (*at != parcel)
		at = &(*at)->next;
	*at = parcel->next;
	courier->parcel_count--;
	endpoint->parcels--;
	body_release(parcel->body);
	replace_bytes(&parcel->answer, (struct bytes){NULL, 0});
	free(parcel);
}

void parcel_done(struct courier *courier, struct parcel *parcel)
{
	if (!courier->done)
		courier->done_since_us = clock_monotonic_us();
	parcel->done_next = NULL;
	*courier->done_end = parcel;
	courier->done_end = &parcel->done_next;
	courier->done_count++;
	if (parcel->hold_s >= 0 || parcel->outcome == OUTCOME_GONE)
		courier->done_urgent = true;
}

/* ------------------------------------------------------------------- keys */

void courier_read_keys(struct courier *courier)
{
	char error[256];
	struct keyring *keyring = keyring_open(courier->config->master_key_file,
					       error, sizeof(error));

	courier->keyring_tried_us = clock_monotonic_us();
	if (!keyring) {
		log_unusual("event=keys_refused error=%s", log_text(error));
		return;
	}
	keyring_close(courier->keyring);
	courier->keyring = keyring;
	log_info("event=keys_read key=%u", keyring_present(keyring));
}

static bool has_key(struct courier *courier, struct bytes sealed)
{
	const unsigned char *head = sealed.data;
	uint16_t id;

	if (sealed.len < SEAL_OVERHEAD)
		return true; /* and will not open */
	id = (uint16_t)(head[0] << 8 | head[1]);
	if (keyring_has(courier->keyring, id))
		return true;
	if (clock_monotonic_us() - courier->keyring_tried_us > KEYS_AGAIN_US)
		courier_read_keys(courier);
	return keyring_has(courier->keyring, id);
}

enum opened courier_open(struct courier *courier, struct arena *arena,
			 enum key_purpose purpose, const char *context,
			 struct bytes sealed, struct bytes *plain)
{
	unsigned char *data = arena_alloc(arena, sealed.len + 1);

	if (!has_key(courier, sealed)) {
		log_unusual("event=key_missing id=%s", context);
		return OPENED_NO_KEY;
	}
	if (!secret_open(courier->keyring, purpose, context, sealed, data))
		return OPENED_CHANGED;
	*plain = (struct bytes){data, sealed.len - SEAL_OVERHEAD};
	return OPENED;
}

/* --------------------------------------------------------------- database */

static void leave_alone(struct courier *courier)
{
	courier->pause_us =
		courier->pause_us == 0 ? PAUSE_FIRST_US : courier->pause_us * 2;
	if (courier->pause_us > PAUSE_MAX_US)
		courier->pause_us = PAUSE_MAX_US;
	courier->database_us = clock_monotonic_us() + courier->pause_us;
}

bool courier_fine(struct courier *courier, enum db_result result,
		  const char *what)
{
	switch (result) {
	case DB_OK:
		courier->pause_us = 0;
		return true;
	case DB_NO_ROW:
	case DB_DUPLICATE:
	case DB_BROKEN:
		log_broken("event=database_failed what=%s", what);
		break;
	case DB_RETRY:
	case DB_WAIT:
	case DB_LOST:
		log_unusual("event=put_off what=%s", what);
		break;
	}
	leave_alone(courier);
	return false;
}

void time_of_attempt(char at[AT_SIZE])
{
	struct timespec now;
	char text[TIME_TEXT_SIZE];

	clock_gettime(CLOCK_REALTIME, &now);
	time_format(text, now.tv_sec);
	(void)snprintf(at, AT_SIZE, "%.10s %.8s.%06ld", text, text + 11,
		       now.tv_nsec / 1000);
}
