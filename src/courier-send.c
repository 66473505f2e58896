/* SPDX-License-Identifier: Apache-2.0 */
/* Deliveries out of the lanes onto the wire, and how they ended. */
#include <stdlib.h>

#include "api/bodies.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "courier.h"
#include "hook/sign.h"

/* Where nobody answers, each try costs the database more than it brings. */
#define UNREACHED_PAUSE_US 500000

/* ------------------------------------------------------------------ start */

/* The endpoint's secrets in the courier's scratch arena. */
static enum opened open_secrets(struct courier *courier,
				const struct endpoint *endpoint,
				const char **secret, const char **previous)
{
	enum opened opened;
	struct bytes plain;

	*secret = *previous = NULL;
	/* It was deleted just now: what is left of it fails when next due. */
	if (endpoint->secret_sealed.len == 0)
		return OPENED_NO_KEY;
	opened = courier_open(
		courier, courier->scratch,
		endpoint->plan == RETRY_PRIVACY ? KEY_API_KEY
						: KEY_WEBHOOK_SECRET,
		endpoint->secret_of, endpoint->secret_sealed, &plain);
	if (opened != OPENED)
		return opened;
	*secret = plain.data;
	if (!endpoint->previous_secret_sealed.data)
		return OPENED;
	opened = courier_open(courier, courier->scratch, KEY_WEBHOOK_SECRET,
			      endpoint->public_id,
			      endpoint->previous_secret_sealed, &plain);
	if (opened == OPENED)
		*previous = plain.data;
	return opened;
}

static void native_headers(struct arena *arena, const struct parcel *parcel,
			   const char *secret, const char *previous,
			   struct bytes body, const char **headers)
{
	int64_t now = clock_now();
	struct signatures signatures;

	webhook_sign(arena, secret, previous, parcel->event_public_id, now,
		     body, &signatures);
	headers[0] =
		arena_printf(arena, "X-Webhook-Signature: %s", signatures.hex);
	headers[1] =
		arena_printf(arena, "webhook-id: %s", parcel->event_public_id);
	headers[2] =
		arena_printf(arena, "webhook-timestamp: %lld", (long long)now);
	headers[3] = arena_printf(arena, "webhook-signature: %s",
				  signatures.standard);
}

static bool submit(struct courier *courier, struct parcel *parcel,
		   const char *secret, const char *previous)
{
	struct endpoint *endpoint = (struct endpoint *)parcel->item.endpoint;
	struct arena *arena = courier->scratch;
	struct bytes body = {parcel->body->data, parcel->body->len};
	const char *headers[5] = {NULL};
	struct transfer transfer = {
		.url = endpoint->url,
		.headers = headers,
		.body = body,
		.endpoint = endpoint->lane.id,
		.opaque = parcel,
	};

	switch (endpoint->plan) {
	case RETRY_NATIVE:
		native_headers(arena, parcel, secret, previous, body, headers);
		break;
	case RETRY_PRIVACY:
		headers[0] =
			arena_printf(arena, "X-Privacy-HMAC: %s",
				     privacy_signature(arena, secret, body));
		break;
	}
	time_of_attempt(parcel->at);
	return sender_submit(courier->sender, &transfer);
}

static void tell(const struct endpoint *endpoint, const struct parcel *parcel)
{
	if (parcel->outcome == OUTCOME_DELIVERED)
		log_debug("event=delivered webhook=%s id=%s ms=%d",
			  endpoint->public_id, parcel->event_public_id,
			  parcel->ms);
	else
		log_client("event=not_delivered webhook=%s id=%s error=%s"
			   " status=%d try=%lld ms=%d",
			   endpoint->public_id, parcel->event_public_id,
			   parcel->error, parcel->status,
			   (long long)parcel->tries + 1, parcel->ms);
}

static void fail(struct courier *courier, struct parcel *parcel)
{
	lane_done(&courier->lanes, &parcel->item, LANE_FAILED);
	parcel->outcome = OUTCOME_FAILED;
	parcel->error = send_error_word(SEND_INTERNAL);
	time_of_attempt(parcel->at);
	parcel_done(courier, parcel);
}

static void try_again(struct parcel *parcel, enum retry_plan plan)
{
	uint32_t chance;

	random_bytes(&chance, sizeof(chance));
	parcel->outcome = retry_delay(plan, (int)parcel->tries + 1,
				      parcel->hold_s, chance, &parcel->delay_s)
				  ? OUTCOME_RETRY
				  : OUTCOME_FAILED;
}

/* No API key is kept: the next one that logs in may be. */
static void unsigned_yet(struct courier *courier, struct parcel *parcel)
{
	lane_done(&courier->lanes, &parcel->item, LANE_FAILED);
	parcel->error = "no_key";
	time_of_attempt(parcel->at);
	try_again(parcel, RETRY_PRIVACY);
	tell((struct endpoint *)parcel->item.endpoint, parcel);
	parcel_done(courier, parcel);
}

/* False when the sender takes no more. */
static bool start(struct courier *courier, struct parcel *parcel)
{
	struct endpoint *endpoint = (struct endpoint *)parcel->item.endpoint;
	const char *secret, *previous;
	bool taken = true;

	switch (open_secrets(courier, endpoint, &secret, &previous)) {
	case OPENED:
		taken = submit(courier, parcel, secret, previous);
		if (!taken) {
			lane_done(&courier->lanes, &parcel->item, LANE_FAILED);
			lane_add(&courier->lanes, &parcel->item);
		}
		break;
	case OPENED_NO_KEY:
		if (endpoint->plan == RETRY_PRIVACY &&
		    endpoint->secret_sealed.len == 0) {
			unsigned_yet(courier, parcel);
			break;
		}
		/* Until the leases end the key may have come. */
		lane_done(&courier->lanes, &parcel->item, LANE_FAILED);
		parcel_remove(courier, parcel);
		endpoint_drop(courier, endpoint, 0, false);
		break;
	case OPENED_CHANGED:
		log_broken("event=secret_unreadable webhook=%s",
			   endpoint->public_id);
		fail(courier, parcel);
		break;
	}
	arena_reset(courier->scratch);
	return taken;
}

void courier_start(struct courier *courier)
{
	int64_t now = clock_monotonic_us();
	struct lane_item *item;

	while ((item = lane_take(&courier->lanes, now)) != NULL) {
		if (!start(courier, (struct parcel *)item))
			break;
	}
}

/* -------------------------------------------------------------------- end */

/* What the next try may ask of a Retry-After; -1: nothing. */
static int64_t asked_to_wait(const struct send_result *result)
{
	if (result->status != 429 && result->status != 503)
		return -1;
	return result->retry_after_s > RETRY_AFTER_MAX_S
		       ? RETRY_AFTER_MAX_S
		       : result->retry_after_s;
}

/* To the Privacy dialect only 200 is success, and nothing is final. */
static enum send_error error_of(enum retry_plan plan,
				const struct send_result *result)
{
	if (plan == RETRY_PRIVACY && result->error == SEND_OK &&
	    result->status != 200)
		return SEND_STATUS;
	return result->error;
}

static void judge(struct parcel *parcel, enum retry_plan plan,
		  enum send_error error, const struct send_result *result)
{
	parcel->status = result->status;
	parcel->ms = result->duration_ms;
	parcel->error = send_error_word(error);
	if (error == SEND_OK) {
		parcel->outcome = OUTCOME_DELIVERED;
		return;
	}
	if (plan == RETRY_NATIVE && result->status == 410) {
		parcel->outcome = OUTCOME_GONE;
		return;
	}
	parcel->hold_s = asked_to_wait(result);
	try_again(parcel, plan);
}

static enum lane_end lane_end_of(enum send_error error)
{
	switch (error) {
	case SEND_OK:
		return LANE_SUCCEEDED;
	case SEND_REDIRECT:
	case SEND_STATUS:
	case SEND_TOO_LARGE:
	case SEND_INTERNAL:
		return LANE_FAILED;
	case SEND_DNS:
	case SEND_ADDRESS_NOT_ALLOWED:
	case SEND_CONNECT:
	case SEND_TLS:
	case SEND_TIMEOUT:
	case SEND_PROTOCOL:
		break;
	}
	return LANE_UNREACHABLE;
}

/* Sealed, since a receiver may say a code back to us. */
static void keep_answer(struct courier *courier, struct parcel *parcel,
			struct bytes answer)
{
	size_t len = answer.len + SEAL_OVERHEAD;
	unsigned char *sealed;

	if (answer.len == 0)
		return;
	sealed = calloc(1, len);
	if (sealed && secret_seal(courier->keyring, KEY_EVENT,
				  parcel->event_public_id, answer, sealed))
		parcel->answer = (struct bytes){sealed, len};
	else
		free(sealed);
}

void courier_ended(void *context, const struct send_result *result)
{
	struct courier *courier = context;
	struct parcel *parcel = result->opaque;
	struct endpoint *endpoint = (struct endpoint *)parcel->item.endpoint;
	enum send_error error = error_of(endpoint->plan, result);

	judge(parcel, endpoint->plan, error, result);
	tell(endpoint, parcel);
	keep_answer(courier, parcel, result->answer);
	lane_done(&courier->lanes, &parcel->item, lane_end_of(error));
	parcel_done(courier, parcel);
	/* An endpoint that has nothing to show keeps but one in hand. */
	if (parcel->outcome == OUTCOME_GONE || parcel->hold_s >= 0) {
		endpoint_drop(courier, endpoint, 0, true);
	} else if (lane_end_of(error) == LANE_UNREACHABLE) {
		endpoint->full_us = clock_monotonic_us() + UNREACHED_PAUSE_US;
		endpoint_drop(courier, endpoint, 0, true);
	} else if (!endpoint->lane.proven) {
		endpoint_drop(courier, endpoint, 1, true);
	}
}
