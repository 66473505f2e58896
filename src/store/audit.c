/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"

#define MICROSECONDS(column)                                                   \
	"TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', " column ")"

static const struct db_field finding_columns[] = {
	{DB_TEXT, offsetof(struct audit_finding, subject)},
	{DB_TEXT, offsetof(struct audit_finding, expected)},
	{DB_TEXT, offsetof(struct audit_finding, found)},
};
static const struct db_field after_params[] = {
	{DB_INT, offsetof(struct audit_range, after)},
};
static const struct db_field range_params[] = {
	{DB_INT, offsetof(struct audit_range, after)},
	{DB_INT, offsetof(struct audit_range, until)},
};
static const struct db_field now_columns[] = {
	{DB_INT, offsetof(struct audit_now, us)},
};
static const struct db_field account_columns[] = {
	{DB_INT, offsetof(struct audit_account, id)},
	{DB_TEXT, offsetof(struct audit_account, owner_key)},
	{DB_INT, offsetof(struct audit_account, balance_cents)},
	{DB_INT, offsetof(struct audit_account, entry_count)},
};
static const struct db_field entry_columns[] = {
	{DB_INT, offsetof(struct audit_entry, account_id)},
	{DB_INT, offsetof(struct audit_entry, number)},
	{DB_INT, offsetof(struct audit_entry, amount_cents)},
	{DB_INT, offsetof(struct audit_entry, balance_cents)},
};
static const struct db_field journal_columns[] = {
	{DB_INT, offsetof(struct audit_journal, id)},
	{DB_TEXT, offsetof(struct audit_journal, kind)},
	{DB_TEXT, offsetof(struct audit_journal, reference)},
	{DB_INT, offsetof(struct audit_journal, created_us)},
};
static const struct db_field leg_columns[] = {
	{DB_INT, offsetof(struct audit_leg, journal_id)},
	{DB_INT, offsetof(struct audit_leg, entry.account_id)},
	{DB_INT, offsetof(struct audit_leg, entry.number)},
	{DB_INT, offsetof(struct audit_leg, entry.amount_cents)},
	{DB_INT, offsetof(struct audit_leg, entry.balance_cents)},
	{DB_INT, offsetof(struct audit_leg, account_kind)},
	{DB_INT, offsetof(struct audit_leg, mode)},
	{DB_INT, offsetof(struct audit_leg, wallet_id)},
};
static const struct db_field seal_fields[] = {
	{DB_INT, offsetof(struct audit_seal, id)},
	{DB_INT, offsetof(struct audit_seal, first_journal)},
	{DB_INT, offsetof(struct audit_seal, last_journal)},
	{DB_BLOB, offsetof(struct audit_seal, digest)},
};

struct statement audit_check_statement(const char *name, const char *sql)
{
	return (struct statement){
		.name = name,
		.sql = sql,
		DB_COLUMNS(finding_columns, struct audit_finding),
	};
}

const struct statement audit_now_statement = {
	.name = "audit_now",
	.sql = "SELECT " MICROSECONDS("UTC_TIMESTAMP(6)"),
	DB_COLUMNS(now_columns, struct audit_now),
};
const struct statement audit_accounts_statement = {
	.name = "audit_accounts",
	.sql = "SELECT id, owner_key, balance_cents, entry_count"
	       " FROM ledger_accounts WHERE id > ? ORDER BY id LIMIT 10000",
	DB_PARAMS(after_params),
	DB_COLUMNS(account_columns, struct audit_account),
};
const struct statement audit_entries_statement = {
	.name = "audit_entries",
	.sql = "SELECT ledger_account_id, number, amount_cents, balance_cents"
	       " FROM ledger_entries FORCE INDEX (PRIMARY)"
	       " WHERE ledger_account_id > ? AND ledger_account_id <= ?"
	       " ORDER BY ledger_account_id, number",
	DB_PARAMS(range_params),
	DB_COLUMNS(entry_columns, struct audit_entry),
};
const struct statement audit_journals_statement = {
	.name = "audit_journals",
	.sql = "SELECT id, kind, reference, " MICROSECONDS(
		"created_at") ""
			      " FROM ledger_journals WHERE id > ? ORDER BY id "
			      "LIMIT 10000",
	DB_PARAMS(after_params),
	DB_COLUMNS(journal_columns, struct audit_journal),
};
/* The index on journals ends with the primary key: no sort. */
const struct statement audit_legs_statement = {
	.name = "audit_legs",
	.sql = "SELECT e.journal_id, e.ledger_account_id, e.number,"
	       " e.amount_cents, e.balance_cents, a.kind + 0, a.mode + 0,"
	       " a.wallet_id"
	       " FROM ledger_entries AS e FORCE INDEX (journal_id)"
	       " LEFT JOIN ledger_accounts AS a ON a.id = e.ledger_account_id"
	       " WHERE e.journal_id > ? AND e.journal_id <= ?"
	       " ORDER BY e.journal_id, e.ledger_account_id, e.number",
	DB_PARAMS(range_params),
	DB_COLUMNS(leg_columns, struct audit_leg),
};
const struct statement audit_seals_statement = {
	.name = "audit_seals",
	.sql = "SELECT id, first_journal, last_journal, digest"
	       " FROM ledger_seals ORDER BY id",
	DB_COLUMNS(seal_fields, struct audit_seal),
};
const struct statement audit_seal_add_statement = {
	.name = "audit_seal_add",
	.sql = "INSERT INTO ledger_seals"
	       " (id, first_journal, last_journal, digest, created_at)"
	       " VALUES (?, ?, ?, ?, UTC_TIMESTAMP())",
	DB_PARAMS(seal_fields),
};
