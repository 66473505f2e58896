/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "../base/text.h"
#include "../db/db.h"

/* The ledger as the audit reads it: everything, in order. */

/* What a check of sql/audit.sql finds. */
struct audit_finding {
	const char *subject, *expected, *found;
};

/* The statement of such a check. */
struct statement audit_check_statement(const char *name, const char *sql);

/* A walk by id: what is beyond after, to until where a statement takes it. */
struct audit_range {
	int64_t after, until;
};

struct audit_account {
	int64_t id;
	const char *owner_key;
	int64_t balance_cents, entry_count;
};

/* In the order of (account, number). */
struct audit_entry {
	int64_t account_id, number, amount_cents, balance_cents;
};

struct audit_journal {
	int64_t id;
	const char *kind;
	const char *reference; /* or NULL */
	int64_t created_us;    /* microseconds since 1970 */
};

/* In the enum's order of ledger_accounts.kind. */
enum audit_account_kind {
	ACCOUNT_NONE, /* an entry of no account */
	ACCOUNT_WALLET,
	ACCOUNT_CARD,
	ACCOUNT_HOLD,
	ACCOUNT_CRYPTO_CLEARING,
	ACCOUNT_NETWORK_SETTLEMENT,
	ACCOUNT_FEE_INCOME,
	ACCOUNT_ADJUSTMENT
};

/* An entry with its account, in the order of (journal, account, number). */
struct audit_leg {
	int64_t journal_id;
	struct audit_entry entry;
	int64_t account_kind; /* enum audit_account_kind */
	int64_t mode;	      /* 1 live, 2 test, 0 no account */
	int64_t wallet_id;    /* 0: the operator's */
};

struct audit_seal {
	int64_t id, first_journal, last_journal;
	struct bytes digest;
};

struct audit_now {
	int64_t us; /* microseconds since 1970 */
};

extern const struct statement audit_now_statement;
extern const struct statement audit_accounts_statement;
extern const struct statement audit_entries_statement;
extern const struct statement audit_journals_statement;
extern const struct statement audit_legs_statement;
extern const struct statement audit_seals_statement;
extern const struct statement audit_seal_add_statement;

#endif
