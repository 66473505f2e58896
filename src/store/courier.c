/* SPDX-License-Identifier: Apache-2.0 */
#include "courier.h"

static const struct db_field claim_params[] = {
	{DB_TEXT, offsetof(struct courier_claim, courier)},
	{DB_INT, offsetof(struct courier_claim, limit)},
	{DB_INT, offsetof(struct courier_claim, per_endpoint)},
	{DB_INT, offsetof(struct courier_claim, lease_s)},
	{DB_TEXT, offsetof(struct courier_claim, full)},
};
static const struct db_field row_columns[] = {
	{DB_INT, offsetof(struct courier_row, id)},
	{DB_INT, offsetof(struct courier_row, claim)},
	{DB_INT, offsetof(struct courier_row, tries)},
	{DB_INT, offsetof(struct courier_row, webhook_id)},
	{DB_TEXT, offsetof(struct courier_row, webhook_public_id)},
	{DB_TEXT, offsetof(struct courier_row, dialect)},
	{DB_TEXT, offsetof(struct courier_row, url)},
	{DB_TEXT, offsetof(struct courier_row, secret_of)},
	{DB_BLOB, offsetof(struct courier_row, secret_sealed)},
	{DB_BLOB, offsetof(struct courier_row, previous_secret_sealed)},
	{DB_INT, offsetof(struct courier_row, event_id)},
	{DB_TEXT, offsetof(struct courier_row, event_public_id)},
	{DB_TEXT, offsetof(struct courier_row, event_type)},
	{DB_INT, offsetof(struct courier_row, card_id)},
	{DB_TEXT, offsetof(struct courier_row, card_public_id)},
	{DB_TEXT, offsetof(struct courier_row, mode)},
	{DB_INT, offsetof(struct courier_row, sequence)},
	{DB_TIME, offsetof(struct courier_row, created_at)},
	{DB_TEXT, offsetof(struct courier_row, snapshot)},
	{DB_BLOB, offsetof(struct courier_row, body_sealed)},
	{DB_INT, offsetof(struct courier_row, wallet_id)},
	{DB_TEXT, offsetof(struct courier_row, funding.public_id)},
	{DB_TEXT, offsetof(struct courier_row, funding.nickname)},
	{DB_TIME, offsetof(struct courier_row, funding.created_at)},
	{DB_TEXT, offsetof(struct courier_row, funding.account_public_id)},
	{DB_TEXT, offsetof(struct courier_row, funding.account_name)},
};
static const struct statement statement_claim = {
	.name = "courier_claim",
	.sql = "CALL courier_claim(?, ?, ?, ?, ?)",
	DB_PARAMS(claim_params),
	DB_COLUMNS(row_columns, struct courier_row),
};

static const struct db_field text_param[] = {{DB_TEXT, 0}};
static const struct db_field body_columns[] = {
	{DB_INT, offsetof(struct courier_body, event_id)},
	{DB_TEXT, offsetof(struct courier_body, dialect)},
	{DB_BLOB, offsetof(struct courier_body, sealed)},
};
static const struct statement statement_keep = {
	.name = "courier_keep",
	.sql = "CALL courier_keep(?)",
	DB_PARAMS(text_param),
	DB_COLUMNS(body_columns, struct courier_body),
};
static const struct statement statement_record = {
	.name = "courier_record",
	.sql = "CALL courier_record(?)",
	DB_PARAMS(text_param),
};

struct renewal {
	const char *courier, *webhooks;
	int64_t lease_s;
};
static const struct db_field renewal_params[] = {
	{DB_TEXT, offsetof(struct renewal, courier)},
	{DB_TEXT, offsetof(struct renewal, webhooks)},
	{DB_INT, offsetof(struct renewal, lease_s)},
};
static const struct db_field lease_columns[] = {
	{DB_INT, offsetof(struct courier_lease, webhook_id)},
	{DB_TEXT, offsetof(struct courier_lease, url)},
	{DB_TEXT, offsetof(struct courier_lease, secret_of)},
	{DB_BLOB, offsetof(struct courier_lease, secret_sealed)},
	{DB_BLOB, offsetof(struct courier_lease, previous_secret_sealed)},
};
static const struct statement statement_renew = {
	.name = "courier_renew",
	.sql = "CALL courier_renew(?, ?, ?)",
	DB_PARAMS(renewal_params),
	DB_COLUMNS(lease_columns, struct courier_lease),
};

struct release {
	const char *courier, *deliveries;
};
static const struct db_field release_params[] = {
	{DB_TEXT, offsetof(struct release, courier)},
	{DB_TEXT, offsetof(struct release, deliveries)},
};
static const struct statement statement_put_back = {
	.name = "courier_put_back",
	.sql = "CALL courier_put_back(?, ?)",
	DB_PARAMS(release_params),
};
static const struct statement statement_release = {
	.name = "courier_release",
	.sql = "CALL courier_release(?, ?)",
	DB_PARAMS(release_params),
};

static const struct db_field total_columns[] = {
	{DB_INT, offsetof(struct courier_totals, waiting)},
	{DB_INT, offsetof(struct courier_totals, oldest_s)},
	{DB_INT, offsetof(struct courier_totals, failing)},
	{DB_INT, offsetof(struct courier_totals, disabled)},
	{DB_INT, offsetof(struct courier_totals, delivered)},
	{DB_INT, offsetof(struct courier_totals, retried)},
	{DB_INT, offsetof(struct courier_totals, failed)},
	{DB_INT, offsetof(struct courier_totals, gone)},
	{DB_INT, offsetof(struct courier_totals, duration_ms)},
};
static const struct statement statement_totals = {
	.name = "courier_totals",
	.sql = "SELECT waiting, oldest_s, failing, disabled, delivered, "
	       "retried,"
	       " failed, gone, duration_ms FROM courier_totals",
	DB_COLUMNS(total_columns, struct courier_totals),
};

enum db_result courier_claim(struct db *db, struct arena *arena,
			     const struct courier_claim *claim,
			     struct courier_row **rows, size_t *count)
{
	return db_all(db, arena, &statement_claim, claim, (void **)rows, count);
}

enum db_result courier_keep(struct db *db, struct arena *arena,
			    const char *bodies, struct courier_body **kept,
			    size_t *count)
{
	return db_all(db, arena, &statement_keep, &bodies, (void **)kept,
		      count);
}

enum db_result courier_renew(struct db *db, struct arena *arena,
			     const char *courier, const char *webhooks,
			     int64_t lease_s, struct courier_lease **leases,
			     size_t *count)
{
	struct renewal renewal = {courier, webhooks, lease_s};

	return db_all(db, arena, &statement_renew, &renewal, (void **)leases,
		      count);
}

enum db_result courier_record(struct db *db, const char *results)
{
	return db_run(db, &statement_record, &results, NULL);
}

enum db_result courier_put_back(struct db *db, const char *courier,
				const char *deliveries)
{
	struct release release = {courier, deliveries};

	return db_run(db, &statement_put_back, &release, NULL);
}

enum db_result courier_release(struct db *db, const char *courier,
			       const char *deliveries)
{
	struct release release = {courier, deliveries};

	return db_run(db, &statement_release, &release, NULL);
}

enum db_result courier_totals(struct db *db, struct arena *arena,
			      struct courier_totals *totals)
{
	return db_one(db, arena, &statement_totals, NULL, totals);
}
