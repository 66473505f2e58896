/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COURIER_H
#define COURIER_H

#include "base/config.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/token.h"
#include "core/lane.h"
#include "core/retry.h"
#include "hook/send.h"
#include "store/courier.h"

/* What the files of cardstock-courier share; nobody else includes it. */

#define BUCKETS 4096
#define AT_SIZE 40 /* "YYYY-MM-DD HH:MM:SS.ffffff", and to spare */

/* An event as it is sent, of as many parcels as have it. */
struct body {
	size_t users, len;
	char data[];
};

/* An endpoint that the courier has, or had not long ago, a parcel for. */
struct endpoint {
	struct lane_endpoint lane; /* first: the one is found by the other */
	struct endpoint *next;	   /* in its bucket */
	char public_id[ID_SIZE];
	enum retry_plan plan; /* of its dialect */
	char *url;
	char secret_of[ID_SIZE]; /* what the secret is sealed for */
	struct bytes secret_sealed, previous_secret_sealed;
	size_t parcels;	    /* at hand, in whatever state */
	int64_t renewed_us; /* the lease is from then on */
	int64_t full_us;    /* no more of it before then */
};

enum outcome {
	OUTCOME_NONE, /* not yet tried */
	OUTCOME_DELIVERED,
	OUTCOME_RETRY,
	OUTCOME_FAILED,
	OUTCOME_GONE
};

/* A delivery at hand, from its claim until its attempt is recorded. */
struct parcel {
	struct lane_item item; /* first: the one is found by the other */
	struct parcel *next;   /* in its bucket */
	struct parcel *done_next;
	int64_t claim, tries;
	char event_public_id[ID_SIZE];
	struct body *body;
	/* The attempt. */
	enum outcome outcome;
	char at[AT_SIZE];    /* UTC */
	int64_t delay_s;     /* OUTCOME_RETRY */
	int64_t hold_s;	     /* of the whole endpoint; -1: none */
	int status, ms;	     /* status 0: none came */
	const char *error;   /* a word, or NULL */
	struct bytes answer; /* sealed, or NULL */
};

struct courier {
	const struct config *config;
	struct keyring *keyring;
	int64_t keyring_tried_us;
	struct db *db;
	struct sender *sender;
	struct arena *arena;   /* of one statement's rows */
	struct arena *scratch; /* of one attempt: secrets pass through it */
	char name[COURIER_NAME_SIZE];
	struct lanes lanes;
	struct endpoint *endpoints[BUCKETS];
	struct parcel *parcels[BUCKETS];
	size_t endpoint_count, parcel_count, parcels_max;
	/* Attempts to record, in the order in which they ended. */
	struct parcel *done, **done_end;
	size_t done_count;
	int64_t done_since_us;
	bool done_urgent;  /* one of them says to leave an endpoint alone */
	int64_t *given_up; /* ids to put back, of at most parcels_max */
	size_t given_up_count;
	int64_t claim_us, renew_us; /* when next */
	int64_t database_us;	    /* not before, since it failed */
	int64_t pause_us;	    /* how long to leave it alone then */
};

/* courier.c: what is at hand. */
struct parcel *parcel_find(const struct courier *courier, int64_t id);
struct parcel *parcel_add(struct courier *courier, struct endpoint *endpoint,
			  const struct courier_row *row);
void parcel_remove(struct courier *courier, struct parcel *parcel);
struct endpoint *endpoint_find(const struct courier *courier, int64_t id);
struct endpoint *endpoint_add(struct courier *courier, int64_t id,
			      const char *public_id, const char *dialect);
/* Where to send, as the database has it now. */
void endpoint_fill(struct endpoint *endpoint, const char *url,
		   const char *secret_of, struct bytes secret,
		   struct bytes previous);
/* Gives up what waits for it, but for the first few; if ours, to be put back:
 * due at once again. */
void endpoint_drop(struct courier *courier, struct endpoint *endpoint,
		   size_t but, bool ours);
/* What was claimed and cannot be used is due at once again. */
void courier_give_up(struct courier *courier, int64_t id);
/* Forgets endpoints that no parcel is for. */
void endpoints_sweep(struct courier *courier);
/* The parcel's attempt has ended: it waits to be recorded. */
void parcel_done(struct courier *courier, struct parcel *parcel);
struct body *body_new(struct bytes bytes);
void body_release(struct body *body);

/* Opens what is under one of our keys, into the arena, with a NUL behind it.
 * When the key is not in the ring the file is read again. */
enum opened {
	OPENED,
	OPENED_NO_KEY, /* somebody must put it back; nothing is lost */
	OPENED_CHANGED
};
enum opened courier_open(struct courier *courier, struct arena *arena,
			 enum key_purpose purpose, const char *context,
			 struct bytes sealed, struct bytes *plain);
/* Takes over a changed key file; the old ring stays when it is refused. */
void courier_read_keys(struct courier *courier);

/* True when the result is DB_OK; otherwise it has been told, and the database
 * is left alone for a while. */
bool courier_fine(struct courier *courier, enum db_result result,
		  const char *what);
void time_of_attempt(char at[AT_SIZE]);

/* courier-claim.c */
void courier_fetch(struct courier *courier);
void courier_renew_leases(struct courier *courier);

/* courier-send.c */
void courier_start(struct courier *courier);
void courier_ended(void *courier, const struct send_result *result);

/* courier-record.c */
void courier_write_results(struct courier *courier);
/* Gives back what was given up while the courier goes on. */
void courier_put_back_given_up(struct courier *courier);
/* Gives back all that waits, and every lease. */
void courier_give_back(struct courier *courier);

#endif
