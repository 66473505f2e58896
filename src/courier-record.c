/* SPDX-License-Identifier: Apache-2.0 */
/* How attempts ended, into the database; and what goes back unsent. */
#include "base/arena.h"
#include "base/log.h"
#include "courier.h"

#define RECORD_MAX 256
#define RELEASE_MAX 1000
#define TRIES 8

static const char *const outcome_words[] = {
	[OUTCOME_NONE] = "",	   [OUTCOME_DELIVERED] = "delivered",
	[OUTCOME_RETRY] = "retry", [OUTCOME_FAILED] = "failed",
	[OUTCOME_GONE] = "gone",
};

static void print_number(struct text *json, const char *name, int64_t value,
			 bool given)
{
	text_printf(json, ",\"%s\":", name);
	if (given)
		text_add_int(json, value);
	else
		text_add(json, "null");
}

static void print_text(struct text *json, const char *name, const char *value)
{
	text_printf(json, ",\"%s\":", name);
	if (value)
		text_printf(json, "\"%s\"", value);
	else
		text_add(json, "null");
}

static void print_result(struct text *json, const struct parcel *parcel)
{
	text_printf(json, "{\"id\":%lld,\"claim\":%lld,\"outcome\":\"%s\"",
		    (long long)parcel->item.id, (long long)parcel->claim,
		    outcome_words[parcel->outcome]);
	print_number(json, "delay_s", parcel->delay_s,
		     parcel->outcome == OUTCOME_RETRY);
	print_number(json, "hold_s", parcel->hold_s, parcel->hold_s >= 0);
	print_number(json, "status", parcel->status, parcel->status > 0);
	print_text(json, "error", parcel->error);
	print_number(json, "ms", parcel->ms, true);
	print_text(json, "answer",
		   parcel->answer.data
			   ? base64_encode(json->arena, parcel->answer.data,
					   parcel->answer.len)
			   : NULL);
	print_text(json, "at", parcel->at);
	text_add_char(json, '}');
}

/* The first count of those that are done. */
static enum db_result record(struct courier *courier, size_t count)
{
	const struct parcel *parcel = courier->done;
	enum db_result result;
	struct text json;
	int tries = 0;

	arena_reset(courier->arena);
	text_init(&json, courier->arena);
	for (size_t i = 0; i < count; i++) {
		text_add_char(&json, i == 0 ? '[' : ',');
		print_result(&json, parcel);
		parcel = parcel->done_next;
	}
	text_add_char(&json, ']');
	do {
		result = courier_record(courier->db, json.data);
	} while (result == DB_RETRY && ++tries < TRIES);
	return result;
}

static void forget_first(struct courier *courier, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct parcel *parcel = courier->done;

		courier->done = parcel->done_next;
		parcel_remove(courier, parcel);
	}
	courier->done_count -= count;
	if (courier->done)
		return;
	courier->done_end = &courier->done;
	courier->done_urgent = false;
}

/* One of them cannot be recorded: it must not keep the others from it. Its
 * delivery will be made again. */
static bool record_each(struct courier *courier, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum db_result result = record(courier, 1);

		if (result == DB_BROKEN || result == DB_DUPLICATE)
			log_broken("event=attempt_lost delivery=%lld",
				   (long long)courier->done->item.id);
		else if (!courier_fine(courier, result, "courier_record"))
			return false;
		forget_first(courier, 1);
	}
	return true;
}

void courier_write_results(struct courier *courier)
{
	while (courier->done) {
		size_t count = courier->done_count < RECORD_MAX
				       ? courier->done_count
				       : RECORD_MAX;
		enum db_result result = record(courier, count);

		if (result == DB_BROKEN || result == DB_DUPLICATE) {
			if (!record_each(courier, count))
				return;
		} else if (!courier_fine(courier, result, "courier_record")) {
			return;
		} else {
			forget_first(courier, count);
		}
	}
}

static enum db_result release(struct courier *courier, const char *list)
{
	enum db_result result;
	int tries = 0;

	do {
		result = courier_release(courier->db, courier->name, list);
	} while (result == DB_RETRY && ++tries < TRIES);
	return result;
}

static bool release_some(struct courier *courier, struct text *list)
{
	bool fine = courier_fine(courier, release(courier, list->data),
				 "courier_release");

	arena_reset(courier->arena);
	text_init(list, courier->arena);
	return fine;
}

void courier_give_back(struct courier *courier)
{
	struct text list;
	size_t count = 0;
	bool fine = true;

	arena_reset(courier->arena);
	text_init(&list, courier->arena);
	for (size_t i = 0; i < BUCKETS; i++) {
		struct endpoint *endpoint = courier->endpoints[i];

		for (; endpoint; endpoint = endpoint->next) {
			struct lane_item *item = endpoint->lane.waiting.first;

			for (; item && fine; item = item->next) {
				if (list.len > 0)
					text_add_char(&list, ',');
				text_add_int(&list, item->id);
				if (++count % RELEASE_MAX == 0)
					fine = release_some(courier, &list);
			}
			endpoint_drop(courier, endpoint, 0);
		}
	}
	if (fine)
		(void)release_some(courier, &list);
}
