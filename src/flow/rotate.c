/* SPDX-License-Identifier: Apache-2.0 */
#include "rotate.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../base/arena.h"
#include "../base/secret.h"
#include "../store/sealed.h"

/* Passes after the first find what workers wrote that had not yet read the
 * new key file; so many, a second apart, must be enough for a reload. */
#define PASSES_MAX 60
#define TELL_EVERY 10000

struct rotate {
	struct db *db;
	struct arena *arena; /* reset after each batch */
	const struct keyring *keyring;
	void (*tell)(const char *line);
	struct rotate_totals *totals;
	char *error;
	size_t error_size;
	/* The present batch. */
	int64_t cards_done, replies_done, others_done;
	enum sealed_kind kind; /* of others_body's rows */
	const void *rows;
	size_t count;
};

static bool fine(const struct rotate *run, enum db_result result)
{
	if (result == DB_OK)
		return true;
	if (run->error[0] == '\0')
		(void)snprintf(run->error, run->error_size,
			       "the database failed; what was done stays done, "
			       "run this again");
	return false;
}

/* The same plaintext under the present key; data NULL with error set. */
static struct bytes seal_again(const struct rotate *run,
			       enum key_purpose purpose, const char *context,
			       const char *subject, struct bytes before)
{
	struct bytes after = {NULL, before.len};
	const unsigned char *head = before.data;
	unsigned char *plain, *sealed;
	uint16_t key_id;

	if (before.len < SEAL_OVERHEAD) {
		(void)snprintf(run->error, run->error_size,
			       "%s: too short to be a ciphertext", subject);
		return after;
	}
	key_id = (uint16_t)(head[0] << 8 | head[1]);
	if (!keyring_has(run->keyring, key_id)) {
		(void)snprintf(run->error, run->error_size,
			       "%s is under key %u, which is not in the key "
			       "file: put it back",
			       subject, key_id);
		return after;
	}
	plain = arena_alloc(run->arena, before.len);
	sealed = arena_alloc(run->arena, before.len);
	if (secret_open(run->keyring, purpose, context, before, plain) &&
	    secret_seal(run->keyring, purpose, context,
			(struct bytes){plain, before.len - SEAL_OVERHEAD},
			sealed))
		after.data = sealed;
	else
		(void)snprintf(run->error, run->error_size,
			       "%s does not open under key %u: it was changed, "
			       "or the key was",
			       subject, key_id);
	secret_wipe(plain, before.len);
	return after;
}

static enum db_tx_next cards_body(struct db *db, void *arg,
				  enum db_result *result)
{
	struct rotate *run = arg;
	const struct sealed_card *cards = run->rows;

	run->cards_done = 0;
	for (size_t i = 0; i < run->count; i++) {
		struct sealed_card_change change = {
			.id = cards[i].id,
			.before = cards[i].sealed,
			.key_id = keyring_present(run->keyring),
		};
		uint64_t changed = 0;

		change.sealed =
			seal_again(run, KEY_PAN_ENCRYPTION, cards[i].public_id,
				   cards[i].public_id, change.before);
		if (!change.sealed.data) {
			*result = DB_NO_ROW;
			return DB_TX_FAILED;
		}
		*result = db_run(db, &sealed_card_change_statement, &change,
				 &changed);
		if (*result != DB_OK)
			return DB_TX_FAILED;
		run->cards_done += (int64_t)changed;
	}
	return DB_TX_COMMIT;
}

static enum db_tx_next replies_body(struct db *db, void *arg,
				    enum db_result *result)
{
	struct rotate *run = arg;
	const struct sealed_reply *replies = run->rows;

	run->replies_done = 0;
	for (size_t i = 0; i < run->count; i++) {
		struct sealed_reply_change change = {
			.wallet_id = replies[i].wallet_id,
			.key = replies[i].key,
			.before = replies[i].sealed,
		};
		const char *context = arena_printf(
			run->arena, "%lld:%s", (long long)change.wallet_id,
			(const char *)change.key.data);
		uint64_t changed = 0;

		change.sealed = seal_again(run, KEY_REPLY, context,
					   "a kept answer", change.before);
		if (!change.sealed.data) {
			*result = DB_NO_ROW;
			return DB_TX_FAILED;
		}
		*result = db_run(db, &sealed_reply_change_statement, &change,
				 &changed);
		if (*result != DB_OK)
			return DB_TX_FAILED;
		run->replies_done += (int64_t)changed;
	}
	return DB_TX_COMMIT;
}

static const struct {
	const char *subject;
	enum key_purpose purpose;
} kinds[SEALED_KINDS] = {
	[SEALED_SECRETS] = {"a webhook's secret", KEY_WEBHOOK_SECRET},
	[SEALED_PREVIOUS_SECRETS] = {"a webhook's secret", KEY_WEBHOOK_SECRET},
	[SEALED_BODIES] = {"an event", KEY_EVENT},
	[SEALED_ANSWERS] = {"a receiver's answer", KEY_EVENT},
	[SEALED_API_KEYS] = {"an API key", KEY_API_KEY},
	[SEALED_CODES] = {"a 3-D Secure code", KEY_OTP},
	[SEALED_TOLD_CODES] = {"an event's 3-D Secure code", KEY_OTP},
};

static enum db_tx_next others_body(struct db *db, void *arg,
				   enum db_result *result)
{
	struct rotate *run = arg;
	const struct sealed_row *rows = run->rows;

	run->others_done = 0;
	for (size_t i = 0; i < run->count; i++) {
		struct sealed_change change = {
			.id = rows[i].id,
			.number = rows[i].number,
			.before = rows[i].sealed,
		};
		uint64_t changed = 0;

		change.sealed = seal_again(
			run, kinds[run->kind].purpose, rows[i].context,
			arena_printf(run->arena, "%s (%s)",
				     kinds[run->kind].subject, rows[i].context),
			change.before);
		if (!change.sealed.data) {
			*result = DB_NO_ROW;
			return DB_TX_FAILED;
		}
		*result = db_run(db, &sealed_change_statements[run->kind],
				 &change, &changed);
		if (*result != DB_OK)
			return DB_TX_FAILED;
		run->others_done += (int64_t)changed;
	}
	return DB_TX_COMMIT;
}

static void tell_progress(struct rotate *run, int64_t *told)
{
	int64_t done =
		run->totals->cards + run->totals->replies + run->totals->others;

	if (done / TELL_EVERY == *told / TELL_EVERY)
		return;
	*told = done;
	run->tell(arena_printf(run->arena,
			       "re-encrypted %lld card numbers, %lld answers, "
			       "%lld of API keys, webhooks and 3-D Secure",
			       (long long)run->totals->cards,
			       (long long)run->totals->replies,
			       (long long)run->totals->others));
}

/* One batch, already read, in one transaction. */
static bool change_batch(struct rotate *run,
			 enum db_tx_next (*body)(struct db *, void *,
						 enum db_result *))
{
	struct db_tx tx = {.body = body, .arg = run};
	bool in_doubt;

	run->cards_done = run->replies_done = run->others_done = 0;
	if (run->count > 0 &&
	    !fine(run, db_tx_run(run->db, run->arena, &tx, &in_doubt)))
		return false;
	run->totals->cards += run->cards_done;
	run->totals->replies += run->replies_done;
	run->totals->others += run->others_done;
	return true;
}

static bool walk_cards(struct rotate *run, int64_t key_id)
{
	struct sealed_card_walk walk = {.key_id = key_id};
	int64_t told = 0;
	void *rows;

	do {
		arena_reset(run->arena);
		if (!fine(run,
			  db_all(run->db, run->arena, &sealed_cards_statement,
				 &walk, &rows, &run->count)))
			return false;
		run->rows = rows;
		if (!change_batch(run, cards_body))
			return false;
		if (run->count > 0)
			walk.after =
				((struct sealed_card *)rows)[run->count - 1].id;
		tell_progress(run, &told);
	} while (run->count > 0);
	return true;
}

static bool walk_replies(struct rotate *run)
{
	unsigned char last[256] = "";
	struct sealed_reply_walk walk = {
		.key = {last, 0},
		.present = keyring_present(run->keyring),
	};
	int64_t told = 0;
	void *rows;

	do {
		const struct sealed_reply *end;

		arena_reset(run->arena);
		if (!fine(run,
			  db_all(run->db, run->arena, &sealed_replies_statement,
				 &walk, &rows, &run->count)))
			return false;
		run->rows = rows;
		if (!change_batch(run, replies_body))
			return false;
		if (run->count > 0) {
			end = (struct sealed_reply *)rows + run->count - 1;
			walk.wallet_id = end->wallet_id;
			walk.key.len = end->key.len;
			memcpy(last, end->key.data, end->key.len);
		}
		tell_progress(run, &told);
	} while (run->count > 0);
	return true;
}

/* *found: there was something under another key. */
static bool walk_others(struct rotate *run, enum sealed_kind kind, bool *found)
{
	struct sealed_walk walk = {.present = keyring_present(run->keyring)};
	int64_t told = 0;
	void *rows;

	run->kind = kind;
	do {
		const struct sealed_row *end;

		arena_reset(run->arena);
		if (!fine(run, db_all(run->db, run->arena,
				      &sealed_rows_statements[kind], &walk,
				      &rows, &run->count)))
			return false;
		run->rows = rows;
		if (!change_batch(run, others_body))
			return false;
		if (run->count > 0) {
			end = (struct sealed_row *)rows + run->count - 1;
			walk.id = end->id;
			walk.number = end->number;
			*found = true;
		}
		tell_progress(run, &told);
	} while (run->count > 0);
	return true;
}

/* The ids of keys in use that are not the present one. */
static bool old_keys(struct rotate *run, const struct statement *statement,
		     int64_t ids[UINT8_MAX], size_t *count)
{
	struct sealed_key_id *row;
	void *rows;
	size_t found;

	arena_reset(run->arena);
	*count = 0;
	if (!fine(run,
		  db_all(run->db, run->arena, statement, NULL, &rows, &found)))
		return false;
	row = rows;
	for (size_t i = 0; i < found && *count < UINT8_MAX; i++) {
		if (row[i].id != keyring_present(run->keyring))
			ids[(*count)++] = row[i].id;
	}
	return true;
}

/* Whether a pass found nothing to do is in *clean. */
static bool pass(struct rotate *run, bool *clean)
{
	int64_t ids[UINT8_MAX];
	size_t cards, replies;
	bool others = false;

	if (!old_keys(run, &sealed_card_key_ids_statement, ids, &cards))
		return false;
	for (size_t i = 0; i < cards; i++) {
		if (!walk_cards(run, ids[i]))
			return false;
	}
	if (!old_keys(run, &sealed_reply_key_ids_statement, ids, &replies))
		return false;
	if (replies > 0 && !walk_replies(run))
		return false;
	for (int kind = 0; kind < SEALED_KINDS; kind++) {
		if (!walk_others(run, (enum sealed_kind)kind, &others))
			return false;
	}
	*clean = cards == 0 && replies == 0 && !others;
	return true;
}

static void tell_unused(const struct rotate *run)
{
	bool root = true;

	for (unsigned int id = 1; id <= UINT16_MAX; id++) {
		if (!keyring_has(run->keyring, (uint16_t)id) ||
		    id == keyring_present(run->keyring))
			continue;
		run->tell(arena_printf(
			run->arena,
			root ? "key %u: no ciphertext is under it, but it is "
			       "the root: its line must stay"
			     : "key %u: no ciphertext is under it, its line "
			       "may go once no backup from before this is kept",
			id));
		root = false;
	}
}

bool rotate_keys(struct db *db, struct arena *arena,
		 const struct keyring *keyring, void (*tell)(const char *line),
		 struct rotate_totals *totals, char *error, size_t error_size)
{
	struct rotate run = {
		.db = db,
		.arena = arena,
		.keyring = keyring,
		.tell = tell,
		.totals = totals,
		.error = error,
		.error_size = error_size,
	};
	const struct timespec second = {.tv_sec = 1};
	bool clean = false;

	error[0] = '\0';
	*totals = (struct rotate_totals){0};
	for (int tried = 0; tried < PASSES_MAX; tried++) {
		if (!pass(&run, &clean))
			return false;
		if (clean) {
			tell_unused(&run);
			return true;
		}
		/* The first finding is the work; later ones are news. */
		if (tried > 0) {
			tell("something is still written under an old key: "
			     "reload cardstockd and cardstock-courier "
			     "(SIGHUP)");
			(void)nanosleep(&second, NULL);
		}
	}
	(void)snprintf(error, error_size,
		       "something keeps writing under an old key: reload "
		       "cardstockd and cardstock-courier, then run this again");
	return false;
}
