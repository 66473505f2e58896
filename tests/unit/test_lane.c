/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/core/lane.h"

#include <string.h>

#include "suite.h"

#define ENDPOINTS 64
#define ITEMS 256

static struct lanes lanes;
static struct lane_endpoint endpoints[ENDPOINTS];
static struct lane_item items[ITEMS];

static void begin(size_t width, size_t in_flight)
{
	memset(items, 0, sizeof(items));
	lanes_init(&lanes, width, in_flight);
	for (size_t i = 0; i < ENDPOINTS; i++) {
		lane_endpoint_init(&lanes, &endpoints[i], (int64_t)i);
		lane_extend(&lanes, &endpoints[i], 1000);
	}
}

static struct lane_item *add(size_t endpoint, size_t id, int64_t card_id)
{
	items[id].id = items[id].order = (int64_t)id;
	items[id].card_id = card_id;
	items[id].endpoint = &endpoints[endpoint];
	lane_add(&lanes, &items[id]);
	return &items[id];
}

/* The id that starts, -1 for none. */
static int take(void)
{
	struct lane_item *item = lane_take(&lanes, 0);

	return item ? (int)item->id : -1;
}

static void done(size_t id, enum lane_end end)
{
	lane_done(&lanes, &items[id], end);
}

START_TEST(one_card_is_one_at_a_time_in_order)
{
	begin(16, 100);
	add(0, 2, 7);
	add(0, 1, 7); /* a retry that came later */
	add(0, 3, 7);
	ck_assert_int_eq(take(), 1);
	ck_assert_int_eq(take(), -1);
	done(1, LANE_SUCCEEDED);
	ck_assert_int_eq(take(), 2);
	ck_assert_int_eq(take(), -1);
	done(2, LANE_FAILED); /* the later ones go on */
	ck_assert_int_eq(take(), 3);
	done(3, LANE_SUCCEEDED);
	ck_assert_int_eq(take(), -1);
	ck_assert_int_eq((int)lanes.waiting, 0);
	ck_assert_int_eq((int)lanes.in_flight, 0);
}
END_TEST

START_TEST(cards_and_the_account_go_side_by_side)
{
	begin(16, 100);
	add(0, 1, 7);
	add(0, 2, 7);
	add(0, 3, 8);
	add(0, 4, 0);
	add(0, 5, 0);
	ck_assert_int_eq(take(), 1);
	ck_assert_int_eq(take(), 3);
	ck_assert_int_eq(take(), 4);
	ck_assert_int_eq(take(), -1);
	done(4, LANE_SUCCEEDED);
	ck_assert_int_eq(take(), 5);
}
END_TEST

START_TEST(an_endpoint_earns_its_width)
{
	int taken;

	begin(16, 1000);
	for (size_t id = 1; id < 200; id++)
		add(0, id, (int64_t)id);
	for (taken = 0; take() >= 0; taken++)
		;
	ck_assert_int_eq(taken, LANE_WIDTH_FIRST);
	done(1, LANE_SUCCEEDED);
	ck_assert(endpoints[0].proven);
	for (taken = 0; take() >= 0; taken++)
		;
	ck_assert_int_eq(taken, 5); /* eight, three of them there already */
	done(2, LANE_SUCCEEDED);
	done(3, LANE_SUCCEEDED);
	while (take() >= 0)
		;
	ck_assert_int_eq((int)endpoints[0].flying.count, 16);
	done(4, LANE_UNREACHABLE);
	ck_assert(!endpoints[0].proven);
	ck_assert_int_eq(take(), -1); /* fifteen are more than four */
	for (size_t id = 5; id < 19; id++)
		done(id, LANE_UNREACHABLE);
	ck_assert_int_eq((int)endpoints[0].flying.count, 1);
	ck_assert_int_eq(take(), -1);
	done(19, LANE_FAILED);
	ck_assert_int_eq(take(), 20);
	ck_assert_int_eq(take(), -1);
}
END_TEST

START_TEST(endpoints_take_turns)
{
	int expected[] = {1, 11, 21, 2, 12, 22};

	begin(16, 100);
	for (size_t i = 0; i < 3; i++) {
		add(i, i * 10 + 1, 1);
		add(i, i * 10 + 2, 2);
	}
	for (size_t i = 0; i < 6; i++)
		ck_assert_int_eq(take(), expected[i]);
}
END_TEST

/* However many are dead, half of all places is for the living. */
START_TEST(the_dead_share_half)
{
	size_t id = 1;

	begin(16, 20);
	add(0, id, 1);
	ck_assert_int_eq(take(), 1);
	done(1, LANE_SUCCEEDED);
	for (size_t endpoint = 1; endpoint < ENDPOINTS; endpoint++)
		for (int i = 0; i < 3; i++, id++)
			add(endpoint, id + 1, i);
	while (take() >= 0)
		;
	ck_assert_int_eq((int)lanes.in_flight, 10);
	add(0, 250, 1);
	add(0, 251, 2);
	ck_assert_int_eq(take(), 250);
	ck_assert_int_eq(take(), 251);
	ck_assert_int_eq(take(), -1);
	/* A dead one's place goes to the next of the dead. */
	for (size_t i = 1; i < ITEMS; i++) {
		if (!items[i].flying || items[i].endpoint == &endpoints[0])
			continue;
		done(i, LANE_UNREACHABLE);
		break;
	}
	ck_assert_int_ge(take(), 0);
	ck_assert_int_eq(take(), -1);
}
END_TEST

START_TEST(never_more_than_all_places)
{
	begin(16, 3);
	for (size_t endpoint = 0; endpoint < 5; endpoint++) {
		endpoints[endpoint].proven = true;
		add(endpoint, endpoint + 1, 1);
	}
	ck_assert_int_eq(take(), 1);
	ck_assert_int_eq(take(), 2);
	ck_assert_int_eq(take(), 3);
	ck_assert_int_eq(take(), -1);
	done(2, LANE_SUCCEEDED);
	ck_assert_int_eq(take(), 4);
}
END_TEST

START_TEST(nothing_starts_without_a_lease)
{
	begin(16, 100);
	lane_extend(&lanes, &endpoints[0], 50);
	add(0, 1, 1);
	add(1, 2, 1);
	ck_assert_int_eq((int)lane_take(&lanes, 50)->id, 2);
	ck_assert_ptr_null(lane_take(&lanes, 50));
	lane_extend(&lanes, &endpoints[0], 51);
	ck_assert_int_eq((int)lane_take(&lanes, 50)->id, 1);
}
END_TEST

START_TEST(what_is_dropped_is_gone)
{
	begin(16, 100);
	add(0, 1, 1);
	add(0, 2, 1);
	add(0, 3, 1);
	lane_drop(&lanes, &items[2]);
	lane_drop(&lanes, &items[1]);
	ck_assert_int_eq((int)lanes.waiting, 1);
	ck_assert_int_eq(take(), 3);
	add(1, 4, 1);
	lane_drop(&lanes, &items[4]);
	lane_endpoint_remove(&lanes, &endpoints[1]);
	add(2, 5, 1);
	add(3, 6, 1);
	lane_drop(&lanes, &items[6]);
	lane_endpoint_remove(&lanes, &endpoints[3]); /* the last of the list */
	add(4, 7, 1);
	ck_assert_int_eq(take(), 5);
	ck_assert_int_eq(take(), 7);
	ck_assert_int_eq(take(), -1);
}
END_TEST

/* A walk by chance: order within a lane, every limit, nothing lost. */
START_TEST(a_long_walk)
{
	uint32_t chance = 1;
	int64_t last[8][8] = {{0}};
	size_t next = 1, ended = 0;

	begin(4, 9);
	while (ended < ITEMS - 1) {
		struct lane_item *item;

		chance = chance * 1664525 + 1013904223;
		if (next < ITEMS && chance >> 28 < 9) {
			add(chance >> 20 & 7, next++, chance >> 23 & 7);
			continue;
		}
		item = lane_take(&lanes, 0);
		if (item) {
			int64_t *before =
				&last[item->endpoint->id][item->card_id];

			ck_assert_int_lt(*before, item->id);
			*before = item->id;
			ck_assert_int_le((int)item->endpoint->flying.count, 4);
			ck_assert_int_le((int)lanes.in_flight, 9);
		}
		for (size_t i = 1; i < next; i++) {
			chance = chance * 1664525 + 1013904223;
			if (!items[i].flying || chance >> 30 != 0)
				continue;
			lane_done(&lanes, &items[i],
				  (enum lane_end)((chance >> 16) % 3));
			ended++;
		}
	}
	ck_assert_int_eq((int)lanes.waiting, 0);
	ck_assert_int_eq((int)lanes.in_flight, 0);
	ck_assert_int_eq((int)lanes.in_flight_unproven, 0);
}
END_TEST

SUITE("lane", one_card_is_one_at_a_time_in_order,
      cards_and_the_account_go_side_by_side, an_endpoint_earns_its_width,
      endpoints_take_turns, the_dead_share_half, never_more_than_all_places,
      nothing_starts_without_a_lease, what_is_dropped_is_gone, a_long_walk)
