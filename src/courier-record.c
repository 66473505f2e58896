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

/* ids in lists of at most RELEASE_MAX. What the database does not take now
 * will be due again when its lease ends. */
static bool give_back(struct courier *courier, const int64_t *ids, size_t count,
		      enum db_result (*call)(struct db *db, const char *courier,
					     const char *deliveries))
{
	size_t done = 0;

	do {
		enum db_result result;
		struct text list;
		int tries = 0;

		arena_reset(courier->arena);
		text_init(&list, courier->arena);
		for (size_t i = 0; i < RELEASE_MAX && done < count; i++) {
			if (i > 0)
				text_add_char(&list, ',');
			text_add_int(&list, ids[done++]);
		}
		do {
			result = call(courier->db, courier->name, list.data);
		} while (result == DB_RETRY && ++tries < TRIES);
		if (!courier_fine(courier, result, "give_back"))
			return false;
	} while (done < count);
	return true;
}

void courier_put_back_given_up(struct courier *courier)
{
	size_t count = courier->given_up_count;

	courier->given_up_count = 0;
	if (count > 0)
		(void)give_back(courier, courier->given_up, count,
				courier_put_back);
}

void courier_give_back(struct courier *courier)
{
	size_t count;

	for (size_t i = 0; i < BUCKETS; i++) {
		struct endpoint *endpoint = courier->endpoints[i];

		for (; endpoint; endpoint = endpoint->next)
			endpoint_drop(courier, endpoint, 0, true);
	}
	/* The last list ends the leases, and may be empty. */
	count = courier->given_up_count;
	courier->given_up_count = 0;
	if (count == 0 ||
	    give_back(courier, courier->given_up, count, courier_put_back))
		(void)give_back(courier, NULL, 0, courier_release);
}
