/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LANE_H
#define CORE_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which delivery may start next. Deliveries to one endpoint about one card (or
 * about none) are a lane: one at a time, in their order. Endpoints
 * take turns. Each may have as many in flight as it has earned: few at first,
 * more with every success, one when it lets us wait. Those that have nothing
 * to show share half of all places, so that no number of dead endpoints holds
 * up a live one. The memory is the caller's.
 */
struct lane_item {
	int64_t id, order;
	int64_t card_id; /* 0: about no card */
	struct lane_endpoint *endpoint;
	struct lane_item *previous, *next;
	bool flying, as_proven;
};

struct lane_list {
	struct lane_item *first, *last;
	size_t count;
};

struct lane_endpoint {
	int64_t id;
	int64_t until; /* nothing starts at or after this moment */
	struct lane_list waiting, flying;
	size_t width; /* how many may be in flight */
	bool proven;  /* has succeeded, and not let us wait since */
	bool ready, ready_as_proven;
	struct lane_endpoint *ready_next;
};

struct lane_turns {
	struct lane_endpoint *first, *last;
};

struct lanes {
	size_t width_max, in_flight_max;
	size_t waiting, in_flight, in_flight_unproven;
	struct lane_turns proven, unproven;
	bool turn; /* of the unproven */
};

enum lane_end {
	LANE_SUCCEEDED,
	LANE_FAILED,	 /* answered at once, but not well */
	LANE_UNREACHABLE /* it let us wait, or is not there */
};

#define LANE_WIDTH_FIRST 4

void lanes_init(struct lanes *lanes, size_t width_max, size_t in_flight_max);
void lane_endpoint_init(const struct lanes *lanes,
			struct lane_endpoint *endpoint, int64_t id);

/* From now until a later moment the endpoint's items may start. */
void lane_extend(struct lanes *lanes, struct lane_endpoint *endpoint,
		 int64_t until);
/* id, order, card_id and endpoint are set; the item waits. */
void lane_add(struct lanes *lanes, struct lane_item *item);
/* The item that starts now, or NULL when none may. */
struct lane_item *lane_take(struct lanes *lanes, int64_t now);
/* What was taken has ended, and is the caller's again. */
void lane_done(struct lanes *lanes, struct lane_item *item, enum lane_end end);
/* What waits is given up, and is the caller's again. */
void lane_drop(struct lanes *lanes, struct lane_item *item);
/* An endpoint without items is forgotten. */
void lane_endpoint_remove(struct lanes *lanes, struct lane_endpoint *endpoint);

#endif
