/* SPDX-License-Identifier: Apache-2.0 */
/* Deliveries from the database into the lanes. */
#include <string.h>

#include "api/bodies.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "courier.h"
#include "store/events.h"

#define BUSY_PAUSE_US 10000
#define CLAIM_MAX 512
#define FULL_US 1000000
#define LIST_MAX 60000 /* bytes of a list of ids: a TEXT holds 65,535 */

/* A batch keeps several times what may be in flight to one endpoint, so that
 * a fast one never waits for the database. */
static int64_t batch_size(const struct courier *courier)
{
	return courier->config->courier_per_endpoint * 16;
}

/* Of an endpoint that has nothing to show, one after the other. */
static bool is_full(const struct courier *courier,
		    const struct endpoint *endpoint, int64_t now)
{
	size_t waiting = endpoint->lane.waiting.count;

	if (now < endpoint->full_us)
		return true;
	if (!endpoint->lane.proven)
		return endpoint->parcels > 0;
	return waiting * 2 >= (size_t)batch_size(courier);
}

/* Counts what is at hand for such endpoints on the way. */
static const char *full_list(struct courier *courier, int64_t now,
			     size_t *unproven)
{
	struct text list;

	text_init(&list, courier->arena);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct endpoint *endpoint = courier->endpoints[i];
		     endpoint; endpoint = endpoint->next) {
			if (!endpoint->lane.proven)
				*unproven += endpoint->parcels;
			if (!is_full(courier, endpoint, now) ||
			    list.len >= LIST_MAX)
				continue;
			if (list.len > 0)
				text_add_char(&list, ',');
			text_add_int(&list, endpoint->lane.id);
		}
	}
	return list.data;
}

/* ----------------------------------------------------------------- bodies */

/* An event of the batch in one dialect. */
struct made {
	int64_t event_id;
	const char *dialect;
	struct bytes sealed; /* kept, or to be kept */
	struct body *body;   /* once it was opened */
	bool asked, unreadable;
};

struct batch {
	struct courier *courier;
	struct courier_row *rows;
	size_t count;
	struct made *made;
	size_t made_count;
	int64_t until_us; /* nothing may start later under these leases */
	size_t unproven;  /* parcels for endpoints with nothing to show */
};

static struct made *made_find(struct batch *batch, int64_t event_id,
			      const char *dialect)
{
	for (size_t i = 0; i < batch->made_count; i++) {
		if (batch->made[i].event_id == event_id &&
		    strcmp(batch->made[i].dialect, dialect) == 0)
			return &batch->made[i];
	}
	return NULL;
}

static struct bytes body_print(struct batch *batch,
			       const struct courier_row *row)
{
	struct arena *arena = batch->courier->arena;
	struct event_row event = {
		.id = row->event_id,
		.public_id = row->event_public_id,
		.type = row->event_type,
		.card_public_id = row->card_public_id,
		.mode = row->mode,
		.snapshot = row->snapshot,
		.sequence = row->sequence,
		.created_at = row->created_at,
	};
	struct bytes sealed = {NULL, 0};
	unsigned char *data;
	struct text body;

	text_init(&body, arena);
	if (!event_body_print(arena, batch->courier->keyring, &event,
			      row->dialect, &row->funding, &body))
		return sealed;
	data = arena_alloc(arena, body.len + SEAL_OVERHEAD);
	if (secret_seal(batch->courier->keyring, KEY_EVENT,
			row->event_public_id,
			(struct bytes){body.data, body.len}, data))
		sealed = (struct bytes){data, body.len + SEAL_OVERHEAD};
	return sealed;
}

/* Each event of the batch once, rendered where nobody did before. */
static void make_bodies(struct batch *batch)
{
	batch->made = arena_alloc(batch->courier->arena,
				  (batch->count + 1) * sizeof(*batch->made));
	for (size_t i = 0; i < batch->count; i++) {
		struct courier_row *row = &batch->rows[i];
		struct made *made =
			made_find(batch, row->event_id, row->dialect);

		if (made || parcel_find(batch->courier, row->id))
			continue;
		made = &batch->made[batch->made_count++];
		made->event_id = row->event_id;
		made->dialect = row->dialect;
		made->sealed = row->body_sealed;
		if (made->sealed.data)
			continue;
		if (row->snapshot)
			made->sealed = body_print(batch, row);
		made->asked = made->sealed.data != NULL;
		made->unreadable = !made->asked;
	}
}

static const char *bodies_json(struct batch *batch)
{
	struct arena *arena = batch->courier->arena;
	struct text json;

	text_init(&json, arena);
	for (size_t i = 0; i < batch->made_count; i++) {
		const struct made *made = &batch->made[i];

		if (!made->asked)
			continue;
		text_printf(&json,
			    "%c{\"event_id\":%lld,\"dialect\":\"%s\","
			    "\"body\":\"",
			    json.len > 0 ? ',' : '[', (long long)made->event_id,
			    made->dialect);
		text_add(&json, base64_encode(arena, made->sealed.data,
					      made->sealed.len));
		text_add(&json, "\"}");
	}
	if (json.len > 0)
		text_add_char(&json, ']');
	return json.data;
}

/* What another courier kept first is what we send as well. */
static bool keep_bodies(struct batch *batch)
{
	struct courier *courier = batch->courier;
	const char *bodies = bodies_json(batch);
	struct courier_body *kept;
	enum db_result result;
	size_t count;
	int tries = 0;

	if (*bodies == '\0')
		return true;
	do {
		result = courier_keep(courier->db, courier->arena, bodies,
				      &kept, &count);
	} while (result == DB_RETRY && ++tries < 8);
	if (!courier_fine(courier, result, "courier_keep"))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct made *made =
			made_find(batch, kept[i].event_id, kept[i].dialect);

		if (made)
			made->sealed = kept[i].sealed;
	}
	return true;
}

/* The body, opened once for all who take it; NULL when it is not to be had,
 * then *lost says whether it ever will. */
static struct body *body_of(struct batch *batch, const struct courier_row *row,
			    bool *lost)
{
	struct made *made = made_find(batch, row->event_id, row->dialect);
	struct bytes plain;

	*lost = made->unreadable;
	if (made->unreadable || made->body)
		return made->body;
	switch (courier_open(batch->courier, batch->courier->arena, KEY_EVENT,
			     row->event_public_id, made->sealed, &plain)) {
	case OPENED:
		made->body = body_new(plain);
		break;
	case OPENED_NO_KEY:
		break;
	case OPENED_CHANGED:
		log_broken("event=body_unreadable id=%s", row->event_public_id);
		*lost = made->unreadable = true;
		break;
	}
	return made->body;
}

/* ------------------------------------------------------------------ claim */

static struct endpoint *endpoint_of(struct batch *batch,
				    const struct courier_row *row)
{
	struct courier *courier = batch->courier;
	struct endpoint *endpoint = endpoint_find(courier, row->webhook_id);

	if (!endpoint)
		endpoint = endpoint_add(courier, row->webhook_id,
					row->webhook_public_id, row->dialect);
	endpoint_fill(endpoint, row->url, row->secret_of, row->secret_sealed,
		      row->previous_secret_sealed);
	endpoint->renewed_us = clock_monotonic_us();
	lane_extend(&courier->lanes, &endpoint->lane, batch->until_us);
	return endpoint;
}

/* It has no body and never will: the others must not wait for it. */
static void give_up(struct courier *courier, struct parcel *parcel)
{
	parcel->outcome = OUTCOME_FAILED;
	parcel->error = send_error_word(SEND_INTERNAL);
	time_of_attempt(parcel->at);
	parcel_done(courier, parcel);
}

/*
 * An endpoint that has nothing to show gets as many as it may have in flight,
 * and all of its kind half the room: however many hang, there is room for those
 * that do not.
 */
static bool has_room(struct batch *batch, struct endpoint *endpoint)
{
	if (endpoint->lane.proven)
		return true;
	if (endpoint->parcels < endpoint->lane.width &&
	    batch->unproven < batch->courier->parcels_max / 2) {
		batch->unproven++;
		return true;
	}
	if (endpoint->parcels == 0)
		endpoint->full_us = clock_monotonic_us() + FULL_US;
	return false;
}

static void take_row(struct batch *batch, const struct courier_row *row)
{
	struct courier *courier = batch->courier;
	struct parcel *parcel = parcel_find(courier, row->id);
	struct endpoint *endpoint = endpoint_of(batch, row);
	struct body *body;
	bool lost;

	/* Due again while it is at hand, since the wallet's clock went on or
	 * its lease ran out: the same parcel under a new claim. */
	if (parcel) {
		parcel->claim = row->claim;
		return;
	}
	if (!has_room(batch, endpoint)) {
		courier_give_up(courier, row->id);
		return;
	}
	body = body_of(batch, row, &lost);
	if (!body && !lost)
		return; /* its lease will end */
	parcel = parcel_add(courier, endpoint, row);
	parcel->body = body;
	if (!body) {
		give_up(courier, parcel);
		return;
	}
	body->users++;
	lane_add(&courier->lanes, &parcel->item);
}

static void take_batch(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		take_row(batch, &batch->rows[i]);
	for (size_t i = 0; i < batch->made_count; i++)
		body_release(batch->made[i].body);
}

/* A lease of which a whole attempt and a second would not be left. */
static int64_t leased_until(const struct config *config, int64_t now)
{
	return now + (config->courier_lease_s - config->webhook_timeout_s - 1) *
			     1000000;
}

void courier_fetch(struct courier *courier)
{
	size_t room = courier->parcels_max - courier->parcel_count;
	int64_t now = clock_monotonic_us();
	struct batch batch = {
		.courier = courier,
		.until_us = leased_until(courier->config, now),
	};
	struct courier_claim claim = {
		.courier = courier->name,
		.limit = room < CLAIM_MAX ? (int64_t)room : CLAIM_MAX,
		.per_endpoint = batch_size(courier),
		.lease_s = courier->config->courier_lease_s,
	};
	enum db_result result;

	courier->claim_us = now + courier->config->courier_poll_ms * 1000;
	arena_reset(courier->arena);
	claim.full = full_list(courier, now, &batch.unproven);
	result = courier_claim(courier->db, courier->arena, &claim, &batch.rows,
			       &batch.count);
	/* However much there is to look through, looking is the smaller part.
	 */
	courier->claim_us += (clock_monotonic_us() - now) * 4;
	/* Somebody else was at it: soon again. */
	if (result == DB_RETRY || result == DB_WAIT)
		return;
	if (!courier_fine(courier, result, "courier_claim") || batch.count == 0)
		return;
	courier->claim_us = now + BUSY_PAUSE_US;
	make_bodies(&batch);
	if (keep_bodies(&batch))
		take_batch(&batch);
}

/* ----------------------------------------------------------------- leases */

static int64_t renew_every_us(const struct config *config)
{
	return leased_until(config, 0) / 2;
}

static const char *renew_list(struct courier *courier, int64_t now)
{
	struct text list;

	text_init(&list, courier->arena);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct endpoint *endpoint = courier->endpoints[i];
		     endpoint && list.len < LIST_MAX;
		     endpoint = endpoint->next) {
			if (endpoint->lane.waiting.count == 0 ||
			    now - endpoint->renewed_us <
				    renew_every_us(courier->config) / 2)
				continue;
			if (list.len > 0)
				text_add_char(&list, ',');
			text_add_int(&list, endpoint->lane.id);
		}
	}
	return list.data;
}

/* What waits for an endpoint that is somebody else's by now, or nobody's any
 * more, is theirs. */
static void drop_lost(struct courier *courier, const char *asked, int64_t now)
{
	while (*asked != '\0') {
		size_t len = strcspn(asked, ",");
		struct endpoint *endpoint;
		int64_t id;

		(void)text_to_int(arena_strndup(courier->arena, asked, len),
				  &id);
		asked += len + (asked[len] == ',');
		endpoint = endpoint_find(courier, id);
		if (endpoint && endpoint->renewed_us < now)
			endpoint_drop(courier, endpoint, 0, false);
	}
}

/*
 * Deliveries may wait long in their lanes: their endpoints stay ours as long
 * as we live, and are seen as they are now.
 */
void courier_renew_leases(struct courier *courier)
{
	int64_t now = clock_monotonic_us();
	struct courier_lease *leases;
	const char *asked;
	enum db_result result;
	size_t count;

	courier->renew_us = now + renew_every_us(courier->config) / 4;
	arena_reset(courier->arena);
	asked = renew_list(courier, now);
	if (*asked == '\0')
		return;
	result = courier_renew(courier->db, courier->arena, courier->name,
			       asked, courier->config->courier_lease_s, &leases,
			       &count);
	if (result == DB_RETRY || result == DB_WAIT ||
	    !courier_fine(courier, result, "courier_renew"))
		return;
	for (size_t i = 0; i < count; i++) {
		struct endpoint *endpoint =
			endpoint_find(courier, leases[i].webhook_id);

		if (!endpoint)
			continue;
		endpoint_fill(endpoint, leases[i].url, leases[i].secret_of,
			      leases[i].secret_sealed,
			      leases[i].previous_secret_sealed);
		endpoint->renewed_us = now;
		lane_extend(&courier->lanes, &endpoint->lane,
			    leased_until(courier->config, now));
	}
	drop_lost(courier, asked, now);
}
