/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_COURIER_H
#define STORE_COURIER_H

#include "../base/text.h"
#include "../db/db.h"
#include "funding.h"

/* A courier's name: 16 characters of its own. */
#define COURIER_NAME_SIZE 17

/* A delivery that is the courier's until its lease ends, and all that it takes
 * to make it. */
struct courier_row {
	int64_t id, claim, tries;
	int64_t webhook_id;
	const char *webhook_public_id, *dialect, *url;
	/* native: the webhook's own, under its id; privacy: the API key that
	 * signs, under its id, or nothing. */
	const char *secret_of;
	struct bytes secret_sealed;
	struct bytes previous_secret_sealed; /* or NULL */
	int64_t event_id;
	const char *event_public_id, *event_type;
	int64_t card_id; /* 0: about no card */
	const char *card_public_id, *mode;
	int64_t sequence, created_at;
	const char *snapshot;	  /* NULL when the body is kept already */
	struct bytes body_sealed; /* under event_public_id, or NULL */
	int64_t wallet_id;
	struct funding_row funding; /* privacy: what its bodies show of it */
};

struct courier_claim {
	const char *courier;
	int64_t limit, per_endpoint, lease_s;
	const char *full; /* endpoints that get none: "1,2", or "" */
};
enum db_result courier_claim(struct db *db, struct arena *arena,
			     const struct courier_claim *claim,
			     struct courier_row **rows, size_t *count);

/* What is kept of an event: the first body that anybody kept. */
struct courier_body {
	int64_t event_id;
	const char *dialect;
	struct bytes sealed;
};
/* bodies: JSON [{"event_id":1,"dialect":"native","body":"BASE64"}]. */
enum db_result courier_keep(struct db *db, struct arena *arena,
			    const char *bodies, struct courier_body **kept,
			    size_t *count);

/* An endpoint whose lease is the courier's, as it is now. */
struct courier_lease {
	int64_t webhook_id;
	const char *url, *secret_of;
	struct bytes secret_sealed, previous_secret_sealed;
};
/* Holds on to the leases of endpoints ("1,2") for lease_s more seconds;
 * answers those that are still the courier's, and active. */
enum db_result courier_renew(struct db *db, struct arena *arena,
			     const char *courier, const char *webhooks,
			     int64_t lease_s, struct courier_lease **leases,
			     size_t *count);

/* results: JSON, an object for each attempt; see courier_record in SQL. */
enum db_result courier_record(struct db *db, const char *results);

/* Deliveries that were not started ("1,2") are due at once again. */
enum db_result courier_put_back(struct db *db, const char *courier,
				const char *deliveries);
/* So they are, and the endpoints are anyone's. */
enum db_result courier_release(struct db *db, const char *courier,
			       const char *deliveries);

/* For /metrics. */
struct courier_totals {
	int64_t waiting, oldest_s; /* of at most so many as are looked at */
	int64_t failing, disabled; /* endpoints */
	int64_t delivered, retried, failed, gone, duration_ms; /* attempts */
};
enum db_result courier_totals(struct db *db, struct arena *arena,
			      struct courier_totals *totals);

#endif
