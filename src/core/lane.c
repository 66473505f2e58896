/* SPDX-License-Identifier: Apache-2.0 */
#include "lane.h"

#include <string.h>

void lanes_init(struct lanes *lanes, size_t width_max, size_t in_flight_max)
{
	memset(lanes, 0, sizeof(*lanes));
	lanes->width_max = width_max;
	lanes->in_flight_max = in_flight_max;
}

void lane_endpoint_init(const struct lanes *lanes,
			struct lane_endpoint *endpoint, int64_t id)
{
	memset(endpoint, 0, sizeof(*endpoint));
	endpoint->id = id;
	endpoint->width = lanes->width_max < LANE_WIDTH_FIRST
				  ? lanes->width_max
				  : LANE_WIDTH_FIRST;
}

/* ------------------------------------------------------------------ lists */

/* Behind the last that does not come after it: nearly always the end of the
 * list. */
static void list_insert(struct lane_list *list, struct lane_item *item)
{
	struct lane_item *before = list->last;

	while (before && before->order > item->order)
		before = before->previous;
	item->previous = before;
	item->next = before ? before->next : list->first;
	*(before ? &before->next : &list->first) = item;
	*(item->next ? &item->next->previous : &list->last) = item;
	list->count++;
}

static void list_remove(struct lane_list *list, struct lane_item *item)
{
	*(item->previous ? &item->previous->next : &list->first) = item->next;
	*(item->next ? &item->next->previous : &list->last) = item->previous;
	item->previous = item->next = NULL;
	list->count--;
}

/* ------------------------------------------------------------------ turns */

static struct lane_turns *turns_of(struct lanes *lanes, bool proven)
{
	return proven ? &lanes->proven : &lanes->unproven;
}

static void turn_give(struct lanes *lanes, struct lane_endpoint *endpoint)
{
	struct lane_turns *turns;

	if (endpoint->ready)
		return;
	turns = turns_of(lanes, endpoint->proven);
	endpoint->ready = true;
	endpoint->ready_as_proven = endpoint->proven;
	endpoint->ready_next = NULL;
	if (turns->last)
		turns->last->ready_next = endpoint;
	else
		turns->first = endpoint;
	turns->last = endpoint;
}

static struct lane_endpoint *turn_take(struct lane_turns *turns)
{
	struct lane_endpoint *endpoint = turns->first;

	if (!endpoint)
		return NULL;
	turns->first = endpoint->ready_next;
	if (!turns->first)
		turns->last = NULL;
	endpoint->ready = false;
	return endpoint;
}

void lane_endpoint_remove(struct lanes *lanes, struct lane_endpoint *endpoint)
{
	struct lane_turns *turns = turns_of(lanes, endpoint->ready_as_proven);
	struct lane_endpoint *before = NULL;

	if (!endpoint->ready)
		return;
	for (struct lane_endpoint *at = turns->first; at != endpoint;
	     at = at->ready_next)
		before = at;
	*(before ? &before->ready_next : &turns->first) = endpoint->ready_next;
	if (turns->last == endpoint)
		turns->last = before;
	endpoint->ready = false;
}

/* ------------------------------------------------------------------ items */

void lane_extend(struct lanes *lanes, struct lane_endpoint *endpoint,
		 int64_t until)
{
	endpoint->until = until;
	if (endpoint->waiting.count > 0)
		turn_give(lanes, endpoint);
}

void lane_add(struct lanes *lanes, struct lane_item *item)
{
	item->flying = false;
	list_insert(&item->endpoint->waiting, item);
	lanes->waiting++;
	turn_give(lanes, item->endpoint);
}

void lane_drop(struct lanes *lanes, struct lane_item *item)
{
	list_remove(&item->endpoint->waiting, item);
	lanes->waiting--;
}

static bool lane_busy(const struct lane_endpoint *endpoint, int64_t card_id)
{
	for (const struct lane_item *item = endpoint->flying.first; item;
	     item = item->next)
		if (item->card_id == card_id)
			return true;
	return false;
}

static struct lane_item *next_of(const struct lane_endpoint *endpoint,
				 int64_t now)
{
	if (endpoint->flying.count >= endpoint->width || now >= endpoint->until)
		return NULL;
	for (struct lane_item *item = endpoint->waiting.first; item;
	     item = item->next)
		if (!lane_busy(endpoint, item->card_id))
			return item;
	return NULL;
}

static void start(struct lanes *lanes, struct lane_item *item)
{
	struct lane_endpoint *endpoint = item->endpoint;

	list_remove(&endpoint->waiting, item);
	list_insert(&endpoint->flying, item);
	item->flying = true;
	item->as_proven = endpoint->proven;
	lanes->waiting--;
	lanes->in_flight++;
	lanes->in_flight_unproven += !item->as_proven;
	turn_give(lanes, endpoint);
}

/* An endpoint that has nothing to start loses its turn until something of its
 * own changes. */
static struct lane_item *take_from(struct lanes *lanes,
				   struct lane_turns *turns, int64_t now)
{
	struct lane_endpoint *endpoint;

	while ((endpoint = turn_take(turns)) != NULL) {
		struct lane_item *item = next_of(endpoint, now);

		if (item) {
			start(lanes, item);
			return item;
		}
	}
	return NULL;
}

static bool unproven_may(const struct lanes *lanes)
{
	return lanes->in_flight_unproven < (lanes->in_flight_max + 1) / 2;
}

struct lane_item *lane_take(struct lanes *lanes, int64_t now)
{
	struct lane_item *item = NULL;

	if (lanes->in_flight >= lanes->in_flight_max)
		return NULL;
	lanes->turn = !lanes->turn;
	if (lanes->turn && unproven_may(lanes))
		item = take_from(lanes, &lanes->unproven, now);
	if (!item)
		item = take_from(lanes, &lanes->proven, now);
	if (!item && unproven_may(lanes))
		item = take_from(lanes, &lanes->unproven, now);
	return item;
}

void lane_done(struct lanes *lanes, struct lane_item *item, enum lane_end end)
{
	struct lane_endpoint *endpoint = item->endpoint;

	list_remove(&endpoint->flying, item);
	item->flying = false;
	lanes->in_flight--;
	lanes->in_flight_unproven -= !item->as_proven;
	switch (end) {
	case LANE_SUCCEEDED:
		endpoint->proven = true;
		endpoint->width *= 2;
		if (endpoint->width > lanes->width_max)
			endpoint->width = lanes->width_max;
		break;
	case LANE_FAILED:
		break;
	case LANE_UNREACHABLE:
		endpoint->proven = false;
		endpoint->width /= 4;
		if (endpoint->width == 0)
			endpoint->width = 1;
		break;
	}
	if (endpoint->ready && endpoint->ready_as_proven != endpoint->proven)
		lane_endpoint_remove(lanes, endpoint);
	if (endpoint->waiting.count > 0)
		turn_give(lanes, endpoint);
}
