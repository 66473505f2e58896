/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "../base/text.h"
#include "metrics.h"

/* What "other" at the end of each table takes has no place of its own. */
static const int statuses[] = {200, 201, 202, 204, 303, 304, 400, 401,
			       403, 404, 405, 409, 413, 415, 422, 429,
			       431, 500, 501, 502, 503, 504};
#define STATUSES (sizeof(statuses) / sizeof(statuses[0]) + 1)

static const int64_t bounds_us[] = {500,     1000,    2500,    5000,	10000,
				    25000,   50000,   100000,  250000,	500000,
				    1000000, 2500000, 5000000, 10000000};
#define BOUNDS (sizeof(bounds_us) / sizeof(bounds_us[0]))

struct route_counters {
	_Atomic uint64_t by_status[STATUSES];
	_Atomic uint64_t by_bound[BOUNDS + 1]; /* the last: above all bounds */
	_Atomic uint64_t sum_us;
};

enum database_count {
	DATABASE_ROUND_TRIPS,
	DATABASE_ERRORS,
	DATABASE_RETRIES,
	DATABASE_RECONNECTS,
	DATABASE_COUNTS
};

static const struct {
	const char *name, *help;
} database_names[DATABASE_COUNTS] = {
	[DATABASE_ROUND_TRIPS] = {"round_trips",
				  "Messages sent to the database and awaited."},
	[DATABASE_ERRORS] = {"errors", "Statements that the database failed."},
	[DATABASE_RETRIES] = {"retries",
			      "Transactions run again after a deadlock or "
			      "a lock wait."},
	[DATABASE_RECONNECTS] = {"reconnects",
				 "Connections opened after the first."},
};

/*
 * A slot outlives its workers. What a worker reports as its totals starts at
 * zero with each, so the totals of those before are kept apart.
 */
struct slot {
	_Atomic int busy;
	_Atomic uint64_t database[DATABASE_COUNTS];
	_Atomic uint64_t database_before[DATABASE_COUNTS];
	struct route_counters routes[];
};

struct metrics {
	const char *const *routes; /* static: the same in every process */
	int route_count, slot_count;
	size_t slot_size;
	int own_slot; /* differs by process: see metrics_use_slot */
	struct shared {
		_Atomic int slots_used, workers;
		_Atomic uint64_t restarts, reloads;
	} * shared;
	char *slots;
};

static struct slot *slot_at(const struct metrics *metrics, int slot)
{
	return (struct slot *)(void *)(metrics->slots +
				       (size_t)slot * metrics->slot_size);
}

static void *map_memory(size_t size, int sharing)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

struct metrics *metrics_new(const char *const *routes, int route_count,
			    int workers_max)
{
	struct metrics *metrics = map_memory(sizeof(*metrics), MAP_PRIVATE);
	size_t size = sizeof(struct slot) +
		      (size_t)route_count * sizeof(struct route_counters);

	if (!metrics)
		return NULL;
	metrics->routes = routes;
	metrics->route_count = route_count;
	metrics->slot_count = workers_max;
	metrics->slot_size = (size + 63) / 64 * 64;
	metrics->shared = map_memory(sizeof(*metrics->shared), MAP_SHARED);
	metrics->slots = map_memory((size_t)workers_max * metrics->slot_size,
				    MAP_SHARED);
	return metrics->shared && metrics->slots ? metrics : NULL;
}

void metrics_leave_slot(struct metrics *metrics, int slot)
{
	struct slot *left = slot_at(metrics, slot);

	atomic_store(&left->busy, 0);
	for (int i = 0; i < DATABASE_COUNTS; i++)
		atomic_fetch_add(&left->database_before[i],
				 atomic_exchange(&left->database[i], 0));
}

void metrics_use_slot(struct metrics *metrics, int slot)
{
	int used = atomic_load(&metrics->shared->slots_used);

	metrics->own_slot = slot;
	while (used <= slot &&
	       !atomic_compare_exchange_weak(&metrics->shared->slots_used,
					     &used, slot + 1))
		;
}

static void count_up(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

void metrics_request(struct metrics *metrics, int route, int status,
		     int64_t duration_us)
{
	struct route_counters *counters;
	size_t place = 0, bound = 0;

	if (route < 0 || route >= metrics->route_count)
		route = metrics->route_count - 1;
	counters = &slot_at(metrics, metrics->own_slot)->routes[route];
	while (place < STATUSES - 1 && statuses[place] != status)
		place++;
	while (bound < BOUNDS && duration_us > bounds_us[bound])
		bound++;
	count_up(&counters->by_status[place], 1);
	count_up(&counters->by_bound[bound], 1);
	count_up(&counters->sum_us,
		 duration_us > 0 ? (uint64_t)duration_us : 0);
}

void metrics_database(struct metrics *metrics, uint64_t round_trips,
		      uint64_t errors, uint64_t retries, uint64_t reconnects)
{
	struct slot *slot = slot_at(metrics, metrics->own_slot);

	atomic_store_explicit(&slot->database[DATABASE_ROUND_TRIPS],
			      round_trips, memory_order_relaxed);
	atomic_store_explicit(&slot->database[DATABASE_ERRORS], errors,
			      memory_order_relaxed);
	atomic_store_explicit(&slot->database[DATABASE_RETRIES], retries,
			      memory_order_relaxed);
	atomic_store_explicit(&slot->database[DATABASE_RECONNECTS], reconnects,
			      memory_order_relaxed);
}

void metrics_busy(struct metrics *metrics, int busy)
{
	atomic_store_explicit(&slot_at(metrics, metrics->own_slot)->busy, busy,
			      memory_order_relaxed);
}

void metrics_pool(struct metrics *metrics, int workers, uint64_t restarts,
		  uint64_t reloads)
{
	atomic_store(&metrics->shared->workers, workers);
	atomic_store(&metrics->shared->restarts, restarts);
	atomic_store(&metrics->shared->reloads, reloads);
}

/* One route's counters over all slots. */
struct route_total {
	uint64_t by_status[STATUSES], by_bound[BOUNDS + 1], sum_us, count;
};

static struct route_total route_sum(const struct metrics *metrics, int route)
{
	struct route_total total;
	int used = atomic_load(&metrics->shared->slots_used);

	memset(&total, 0, sizeof(total));
	for (int i = 0; i < used; i++) {
		struct route_counters *one =
			&slot_at(metrics, i)->routes[route];

		for (size_t k = 0; k < STATUSES; k++)
			total.by_status[k] += atomic_load(&one->by_status[k]);
		for (size_t k = 0; k <= BOUNDS; k++)
			total.by_bound[k] += atomic_load(&one->by_bound[k]);
		total.sum_us += atomic_load(&one->sum_us);
	}
	for (size_t k = 0; k <= BOUNDS; k++)
		total.count += total.by_bound[k];
	return total;
}

static void print_head(struct text *out, const char *name, const char *kind,
		       const char *help)
{
	text_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
		    kind);
}

/* Microseconds as the seconds that Prometheus wants, digit for digit. */
static void print_seconds(struct text *out, uint64_t us)
{
	text_printf(out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

static void print_requests(struct text *out, const struct metrics *metrics)
{
	print_head(out, "cardstock_requests_total", "counter",
		   "Requests answered, by route and status.");
	for (int route = 0; route < metrics->route_count; route++) {
		struct route_total total = route_sum(metrics, route);

		for (size_t k = 0; k < STATUSES; k++) {
			if (total.by_status[k] == 0)
				continue;
			text_printf(out,
				    "cardstock_requests_total{route=\"%s\",",
				    metrics->routes[route]);
			if (k < STATUSES - 1)
				text_printf(out, "status=\"%d\"}", statuses[k]);
			else
				text_add(out, "status=\"other\"}");
			text_printf(out, " %" PRIu64 "\n", total.by_status[k]);
		}
	}
}

static void print_histogram(struct text *out, const char *route,
			    const struct route_total *total)
{
	const char *name = "cardstock_request_duration_seconds";
	uint64_t below = 0;

	for (size_t k = 0; k < BOUNDS; k++) {
		below += total->by_bound[k];
		text_printf(out, "%s_bucket{route=\"%s\",le=\"", name, route);
		print_seconds(out, (uint64_t)bounds_us[k]);
		text_printf(out, "\"} %" PRIu64 "\n", below);
	}
	text_printf(out, "%s_bucket{route=\"%s\",le=\"+Inf\"} %" PRIu64 "\n",
		    name, route, total->count);
	text_printf(out, "%s_sum{route=\"%s\"} ", name, route);
	print_seconds(out, total->sum_us);
	text_printf(out, "\n%s_count{route=\"%s\"} %" PRIu64 "\n", name, route,
		    total->count);
}

static void print_durations(struct text *out, const struct metrics *metrics)
{
	print_head(out, "cardstock_request_duration_seconds", "histogram",
		   "Time from accepting a request to handing its reply to "
		   "nginx.");
	for (int route = 0; route < metrics->route_count; route++) {
		struct route_total total = route_sum(metrics, route);

		if (total.count > 0)
			print_histogram(out, metrics->routes[route], &total);
	}
}

static void print_pool(struct text *out, const struct metrics *metrics)
{
	int used = atomic_load(&metrics->shared->slots_used);
	int workers = atomic_load(&metrics->shared->workers);
	int busy = 0;

	for (int i = 0; i < used; i++)
		busy += atomic_load(&slot_at(metrics, i)->busy);
	print_head(out, "cardstock_workers", "gauge", "Workers, by state.");
	text_printf(out, "cardstock_workers{state=\"busy\"} %d\n", busy);
	text_printf(out, "cardstock_workers{state=\"idle\"} %d\n",
		    workers > busy ? workers - busy : 0);
	print_head(out, "cardstock_worker_restarts_total", "counter",
		   "Workers that died and were replaced.");
	text_printf(out, "cardstock_worker_restarts_total %" PRIu64 "\n",
		    atomic_load(&metrics->shared->restarts));
	print_head(out, "cardstock_reloads_total", "counter",
		   "Configurations taken over while running.");
	text_printf(out, "cardstock_reloads_total %" PRIu64 "\n",
		    atomic_load(&metrics->shared->reloads));
}

static void print_database(struct text *out, const struct metrics *metrics)
{
	int used = atomic_load(&metrics->shared->slots_used);

	for (int k = 0; k < DATABASE_COUNTS; k++) {
		uint64_t sum = 0;

		for (int i = 0; i < used; i++) {
			struct slot *slot = slot_at(metrics, i);

			sum += atomic_load(&slot->database[k]) +
			       atomic_load(&slot->database_before[k]);
		}
		text_printf(out, "# HELP cardstock_database_%s_total %s\n",
			    database_names[k].name, database_names[k].help);
		text_printf(out, "# TYPE cardstock_database_%s_total counter\n",
			    database_names[k].name);
		text_printf(out, "cardstock_database_%s_total %" PRIu64 "\n",
			    database_names[k].name, sum);
	}
}

void metrics_print(struct text *out, const struct metrics *metrics)
{
	print_requests(out, metrics);
	print_durations(out, metrics);
	print_pool(out, metrics);
	print_database(out, metrics);
}
