/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Re-proves the ledger from its rows, as they were at one moment: the checks
 * of sql/audit.sql, the chain of every account's entries, the sum and shape of
 * every journal, and the seals over history. Prints each disagreement.
 */
#include <errno.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "db/db.h"
#include "db/script.h"
#include "store/audit.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#ifndef PKGDATADIR
#define PKGDATADIR "/usr/share/cardstock"
#endif

#define ARENA_BLOCK (1024 * 1024)
#define CHECKS_TEXT_MAX (1024 * 1024)
#define DIGEST_SIZE 32

/* A journal that is younger may have elder ones still uncommitted. */
#define SEAL_AGE_US (INT64_C(60) * 1000 * 1000)

enum status {
	STATUS_CLEAN,
	STATUS_DISAGREES,
	STATUS_FAILED
};

struct options {
	const char *config_path, *sql_dir;
	bool seal, quiet, help;
};

/* Seals being proved, and the one being made. */
struct sealer {
	const struct audit_seal *seals;
	size_t count, at; /* the seal whose range is being read */
	EVP_MD_CTX *sha256;
	bool open;	     /* the context has taken a beginning */
	int64_t first, last; /* of the range being read */
	bool new_ended;	     /* too young a journal was met */
};

struct audit {
	struct db *db;
	struct arena *arena; /* the run's */
	struct arena *batch; /* rows of one batch */
	struct arena *scratch;
	struct keyring *keyring;
	const struct options *options;
	int64_t now_us;
	int64_t disagreements, accounts, entries, journals;
	const char *check; /* the one that runs */
	struct sealer sealer;
};

__attribute__((format(printf, 2, 3))) static void disagree(struct audit *audit,
							   const char *format,
							   ...)
{
	va_list args;

	audit->disagreements++;
	printf("%s: ", audit->check);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

static bool fail(const char *what)
{
	fprintf(stderr, "cardstock-audit: %s\n", what);
	return false;
}

static bool fine(enum db_result result, const char *what)
{
	if (result == DB_OK)
		return true;
	fprintf(stderr, "cardstock-audit: the database failed at %s\n", what);
	return false;
}

/* --- the checks that are SQL ---------------------------------------------- */

static bool take_finding(void *arg, const void *row)
{
	const struct audit_finding *finding = row;

	disagree(arg, "%s: expected %s, found %s",
		 finding->subject ? finding->subject : "?",
		 finding->expected ? finding->expected : "?",
		 finding->found ? finding->found : "?");
	return true;
}

static char *read_checks(struct audit *audit)
{
	char *path = arena_printf(audit->arena, "%s/audit.sql",
				  audit->options->sql_dir);
	char *text = arena_alloc(audit->arena, CHECKS_TEXT_MAX + 1);
	FILE *file = fopen(path, "re");
	size_t len;

	if (!file) {
		fprintf(stderr, "cardstock-audit: %s: %s\n", path,
			strerror(errno));
		return NULL;
	}
	len = fread(text, 1, CHECKS_TEXT_MAX, file);
	fclose(file);
	return len > 0 && len < CHECKS_TEXT_MAX ? text : NULL;
}

/* CREATE OR REPLACE VIEW name AS select: runs the select. */
static bool run_check(struct audit *audit, const char *sql)
{
	static const char create[] = "CREATE OR REPLACE VIEW ";
	const char *name = sql + sizeof(create) - 1;
	const char *select = strstr(sql, " AS\n");
	struct statement statement;

	if (strncmp(sql, create, sizeof(create) - 1) != 0)
		return true; /* a grant */
	if (!select)
		return fail("audit.sql: a view without AS at a line's end");
	audit->check =
		arena_strndup(audit->arena, name, (size_t)(select - name));
	statement = audit_check_statement(audit->check, select + 4);
	return fine(db_each(audit->db, audit->scratch, &statement, NULL,
			    take_finding, audit),
		    audit->check);
}

static bool run_checks(struct audit *audit)
{
	struct script script;
	struct script_statement statement;
	char *text = read_checks(audit);
	int checks = 0;

	if (!text)
		return fail("the checks cannot be read");
	script_open(&script, text);
	while (script_next(&script, &statement)) {
		if (!run_check(audit,
			       arena_strndup(audit->arena, statement.sql.data,
					     statement.sql.len)))
			return false;
		checks++;
	}
	return checks > 0 || fail("audit.sql holds no checks");
}

/* --- the chain of each account -------------------------------------------- */

struct chain {
	struct audit *audit;
	const struct audit_account *accounts;
	size_t count, at;
	/* Of the account that at points to. */
	int64_t entries, sum;
	bool broken; /* said once: what follows a break is all wrong */
};

static void chain_break(struct chain *chain, const struct audit_entry *entry,
			const char *what, int64_t expected, int64_t found)
{
	if (!chain->broken)
		disagree(chain->audit,
			 "account %s entry %lld: expected %s %lld, found %lld",
			 chain->accounts[chain->at].owner_key,
			 (long long)entry->number, what, (long long)expected,
			 (long long)found);
	chain->broken = true;
}

/* All entries of the account have been seen. */
static void chain_end(struct chain *chain)
{
	const struct audit_account *account = &chain->accounts[chain->at];

	if (chain->sum != account->balance_cents)
		disagree(chain->audit,
			 "account %s: expected balance %lld, found %lld",
			 account->owner_key, (long long)chain->sum,
			 (long long)account->balance_cents);
	if (chain->entries != account->entry_count)
		disagree(chain->audit,
			 "account %s: expected entry_count %lld, found %lld",
			 account->owner_key, (long long)chain->entries,
			 (long long)account->entry_count);
	chain->audit->accounts++;
	chain->at++;
	chain->entries = chain->sum = 0;
	chain->broken = false;
}

static bool take_entry(void *arg, const void *row)
{
	struct chain *chain = arg;
	const struct audit_entry *entry = row;

	while (chain->at < chain->count &&
	       chain->accounts[chain->at].id < entry->account_id)
		chain_end(chain);
	if (chain->at == chain->count ||
	    chain->accounts[chain->at].id != entry->account_id) {
		disagree(chain->audit,
			 "entry %lld of account %lld: expected an account, "
			 "found none",
			 (long long)entry->number,
			 (long long)entry->account_id);
		return true;
	}
	chain->audit->entries++;
	chain->entries++;
	if (entry->number != chain->entries)
		chain_break(chain, entry, "number", chain->entries,
			    entry->number);
	if (__builtin_add_overflow(chain->sum, entry->amount_cents,
				   &chain->sum))
		chain_break(chain, entry, "a sum in range, after", 0,
			    entry->amount_cents);
	if (entry->balance_cents != chain->sum)
		chain_break(chain, entry, "balance", chain->sum,
			    entry->balance_cents);
	return true;
}

static bool prove_chains(struct audit *audit)
{
	struct audit_range range = {0};
	bool last = false;

	audit->check = "entry_chains";
	while (!last) {
		struct chain chain = {.audit = audit};
		void *rows;

		arena_reset(audit->batch);
		if (!fine(db_all(audit->db, audit->batch,
				 &audit_accounts_statement, &range, &rows,
				 &chain.count),
			  audit_accounts_statement.name))
			return false;
		chain.accounts = rows;
		last = chain.count == 0;
		range.until =
			last ? INT64_MAX : chain.accounts[chain.count - 1].id;
		if (!fine(db_each(audit->db, audit->scratch,
				  &audit_entries_statement, &range, take_entry,
				  &chain),
			  audit_entries_statement.name))
			return false;
		while (chain.at < chain.count)
			chain_end(&chain);
		range.after = range.until;
	}
	return true;
}

/* --- seals ----------------------------------------------------------------
 *
 * A seal is the HMAC of the SHA-256 of: the digest of the seal before (32
 * zero bytes for the first), the first journal's id, each journal and each of
 * its entries in order, the last journal's id. Numbers are 8 bytes big endian,
 * texts have their length before them; -1 stands for NULL.
 */

static void hash_number(EVP_MD_CTX *sha256, int64_t value)
{
	unsigned char bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)((uint64_t)value >> (56 - 8 * i));
	if (EVP_DigestUpdate(sha256, bytes, sizeof(bytes)) != 1)
		abort();
}

static void hash_text(EVP_MD_CTX *sha256, const char *text)
{
	hash_number(sha256, text ? (int64_t)strlen(text) : -1);
	if (text && EVP_DigestUpdate(sha256, text, strlen(text)) != 1)
		abort();
}

static void seal_begin(struct sealer *sealer, int64_t first)
{
	static const unsigned char none[DIGEST_SIZE];
	const unsigned char *before = none;

	if (sealer->at > 0)
		before = sealer->seals[sealer->at - 1].digest.data;
	if (EVP_DigestInit_ex(sealer->sha256, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(sealer->sha256, before, DIGEST_SIZE) != 1)
		abort();
	hash_number(sealer->sha256, first);
	sealer->first = first;
	sealer->last = 0;
	sealer->open = true;
}

static void seal_end(const struct audit *audit, struct sealer *sealer,
		     int64_t last, unsigned char digest[DIGEST_SIZE])
{
	unsigned char plain[DIGEST_SIZE];

	hash_number(sealer->sha256, last);
	if (EVP_DigestFinal_ex(sealer->sha256, plain, NULL) != 1)
		abort();
	secret_hmac(audit->keyring, KEY_LEDGER_SEAL,
		    (struct bytes){plain, sizeof(plain)}, digest);
	sealer->open = false;
}

/* The range of the present seal has been read to its end. */
static void seal_prove(struct audit *audit)
{
	struct sealer *sealer = &audit->sealer;
	const struct audit_seal *seal = &sealer->seals[sealer->at];
	unsigned char digest[DIGEST_SIZE];

	seal_end(audit, sealer, seal->last_journal, digest);
	if (seal->digest.len != DIGEST_SIZE ||
	    !secret_equal(digest, seal->digest.data, DIGEST_SIZE)) {
		audit->check = "seals";
		disagree(audit,
			 "seal %lld: expected journals %lld to %lld as they "
			 "were sealed, found them changed",
			 (long long)seal->id, (long long)seal->first_journal,
			 (long long)seal->last_journal);
	}
	sealer->at++;
	if (sealer->at < sealer->count)
		seal_begin(sealer, sealer->seals[sealer->at].first_journal);
}

/* Goes to the range that holds the journal; whether it is to be hashed. */
static bool seal_takes(struct audit *audit, int64_t journal_id,
		       int64_t created_us)
{
	struct sealer *sealer = &audit->sealer;

	while (sealer->at < sealer->count &&
	       journal_id > sealer->seals[sealer->at].last_journal)
		seal_prove(audit);
	if (sealer->at < sealer->count)
		return true;
	if (!audit->options->seal || sealer->new_ended)
		return false;
	if (created_us > audit->now_us - SEAL_AGE_US) {
		sealer->new_ended = true;
		return false;
	}
	if (!sealer->open)
		seal_begin(sealer, sealer->count > 0
					   ? sealer->seals[sealer->count - 1]
							     .last_journal +
						     1
					   : 1);
	sealer->last = journal_id;
	return true;
}

/* One after the other, numbered from 1, from the first journal on. */
static bool seals_open(struct audit *audit)
{
	struct sealer *sealer = &audit->sealer;
	int64_t next = 1;
	void *rows;

	if (!fine(db_all(audit->db, audit->arena, &audit_seals_statement, NULL,
			 &rows, &sealer->count),
		  audit_seals_statement.name))
		return false;
	sealer->seals = rows;
	sealer->sha256 = EVP_MD_CTX_new();
	if (!sealer->sha256)
		abort();
	audit->check = "seals";
	for (size_t i = 0; i < sealer->count; i++) {
		const struct audit_seal *seal = &sealer->seals[i];

		if (seal->id != (int64_t)i + 1 || seal->first_journal != next)
			disagree(audit,
				 "seal %lld: expected seal %zu from journal "
				 "%lld, found journal %lld",
				 (long long)seal->id, i + 1, (long long)next,
				 (long long)seal->first_journal);
		if (seal->digest.len != DIGEST_SIZE)
			return fail("a seal is no digest");
		next = seal->last_journal + 1;
	}
	if (sealer->count > 0)
		seal_begin(sealer, sealer->seals[0].first_journal);
	return true;
}

/* --- journals ------------------------------------------------------------- */

/* Which kinds of account a journal may take from, and give to. */
#define BIT(kind) (1U << (kind))
#define WALLET BIT(ACCOUNT_WALLET)
#define CARD BIT(ACCOUNT_CARD)
#define HOLD BIT(ACCOUNT_HOLD)
#define CLEARING BIT(ACCOUNT_CRYPTO_CLEARING)
#define SETTLEMENT BIT(ACCOUNT_NETWORK_SETTLEMENT)
#define FEE BIT(ACCOUNT_FEE_INCOME)
#define ADJUSTMENT BIT(ACCOUNT_ADJUSTMENT)
#define SOURCE (WALLET | CARD)

static const struct shape {
	const char *kind;
	unsigned int debit, credit;
} shapes[] = {
	{"deposit", CLEARING, WALLET | FEE},
	{"deposit_reversal", WALLET | FEE, CLEARING},
	{"card_created", WALLET, CARD},
	{"card_funded", WALLET, CARD},
	{"card_withdrawn", CARD, WALLET},
	{"card_terminated", CARD, WALLET},
	{"authorization", SOURCE, HOLD},
	{"increment", SOURCE, HOLD},
	{"advice", SOURCE | HOLD, SOURCE | HOLD},
	{"reversal", HOLD, SOURCE},
	{"expiry", HOLD, SOURCE},
	{"release", HOLD, SOURCE},
	{"clearing", HOLD | SOURCE, SETTLEMENT | SOURCE},
	{"force_post", SOURCE, SETTLEMENT},
	{"refund", SETTLEMENT, SOURCE},
	{"refund_reversal", SOURCE, SETTLEMENT},
	{"adjustment", ADJUSTMENT | WALLET, ADJUSTMENT | WALLET},
};

/* Journals of one batch, merged with their legs. */
struct book {
	struct audit *audit;
	const struct audit_journal *journals;
	size_t count, at;
	bool hashed; /* the journal at is in a range that is sealed */
	bool begun;
	/* Of the journal that at points to. */
	int64_t legs, sum, mode, wallet_id;
	bool mixed, misshapen, overflowed;
};

static const struct shape *shape_of(const char *kind)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		if (strcmp(shapes[i].kind, kind) == 0)
			return &shapes[i];
	}
	return NULL;
}

static void book_begin(struct book *book)
{
	const struct audit_journal *journal = &book->journals[book->at];
	EVP_MD_CTX *sha256 = book->audit->sealer.sha256;

	if (book->begun)
		return;
	book->begun = true;
	book->hashed =
		seal_takes(book->audit, journal->id, journal->created_us);
	if (!book->hashed)
		return;
	hash_number(sha256, journal->id);
	hash_text(sha256, journal->kind);
	hash_text(sha256, journal->reference);
	hash_number(sha256, journal->created_us);
}

/* All legs of the journal have been seen. */
static void book_end(struct book *book)
{
	struct audit *audit = book->audit;
	const struct audit_journal *journal = &book->journals[book->at];

	book_begin(book);
	audit->check = "journals";
	if (book->legs < 2)
		disagree(audit,
			 "journal %lld: expected 2 entries or more, found %lld",
			 (long long)journal->id, (long long)book->legs);
	if (book->sum != 0 || book->overflowed)
		disagree(audit, "journal %lld: expected sum 0, found %lld",
			 (long long)journal->id, (long long)book->sum);
	if (book->mixed)
		disagree(audit,
			 "journal %lld: expected accounts of one wallet and "
			 "mode, found several",
			 (long long)journal->id);
	if (book->misshapen)
		disagree(audit,
			 "journal %lld: expected accounts that %s moves money "
			 "between, found others",
			 (long long)journal->id, journal->kind);
	audit->journals++;
	*book = (struct book){
		.audit = audit,
		.journals = book->journals,
		.count = book->count,
		.at = book->at + 1,
	};
}

static void book_leg(struct book *book, const struct audit_leg *leg)
{
	const struct shape *shape = shape_of(book->journals[book->at].kind);
	unsigned int kind = BIT((unsigned int)leg->account_kind);
	unsigned int allowed = 0;

	if (shape)
		allowed = leg->entry.amount_cents < 0 ? shape->debit
						      : shape->credit;
	book->misshapen |= (kind & allowed) == 0;
	book->mixed |= book->legs > 0 && leg->mode != book->mode;
	book->mixed |= leg->wallet_id != 0 && book->wallet_id != 0 &&
		       leg->wallet_id != book->wallet_id;
	if (leg->wallet_id != 0)
		book->wallet_id = leg->wallet_id;
	book->mode = leg->mode;
	book->legs++;
	book->overflowed |= __builtin_add_overflow(
		book->sum, leg->entry.amount_cents, &book->sum);
}

static bool take_leg(void *arg, const void *row)
{
	struct book *book = arg;
	const struct audit_leg *leg = row;
	EVP_MD_CTX *sha256 = book->audit->sealer.sha256;

	while (book->at < book->count &&
	       book->journals[book->at].id < leg->journal_id)
		book_end(book);
	if (book->at == book->count ||
	    book->journals[book->at].id != leg->journal_id) {
		book->audit->check = "journals";
		disagree(book->audit,
			 "entry %lld of account %lld: expected journal %lld, "
			 "found none",
			 (long long)leg->entry.number,
			 (long long)leg->entry.account_id,
			 (long long)leg->journal_id);
		return true;
	}
	book_begin(book);
	book_leg(book, leg);
	if (book->hashed) {
		hash_number(sha256, leg->entry.account_id);
		hash_number(sha256, leg->entry.number);
		hash_number(sha256, leg->entry.amount_cents);
		hash_number(sha256, leg->entry.balance_cents);
	}
	return true;
}

static bool prove_journals(struct audit *audit)
{
	struct audit_range range = {0};
	bool last = false;

	while (!last) {
		struct book book = {.audit = audit};
		void *rows;

		arena_reset(audit->batch);
		if (!fine(db_all(audit->db, audit->batch,
				 &audit_journals_statement, &range, &rows,
				 &book.count),
			  audit_journals_statement.name))
			return false;
		book.journals = rows;
		last = book.count == 0;
		range.until =
			last ? INT64_MAX : book.journals[book.count - 1].id;
		if (!fine(db_each(audit->db, audit->scratch,
				  &audit_legs_statement, &range, take_leg,
				  &book),
			  audit_legs_statement.name))
			return false;
		while (book.at < book.count)
			book_end(&book);
		range.after = range.until;
	}
	while (audit->sealer.at < audit->sealer.count)
		seal_prove(audit);
	return true;
}

/* --- the run -------------------------------------------------------------- */

static bool prove_all(struct audit *audit)
{
	struct audit_now now;
	bool proved;

	if (!fine(db_snapshot_begin(audit->db), "begin"))
		return false;
	proved = fine(db_one(audit->db, audit->arena, &audit_now_statement,
			     NULL, &now),
		      audit_now_statement.name);
	if (proved) {
		audit->now_us = now.us;
		proved = seals_open(audit) && run_checks(audit) &&
			 prove_chains(audit) && prove_journals(audit);
	}
	db_snapshot_end(audit->db);
	return proved;
}

/* Two audits may seal at once: the first one's seal stands. */
static bool add_seal(struct audit *audit)
{
	struct sealer *sealer = &audit->sealer;
	unsigned char digest[DIGEST_SIZE];
	char hex[2 * DIGEST_SIZE + 1];
	struct audit_seal seal = {
		.id = (int64_t)sealer->count + 1,
		.first_journal = sealer->first,
		.last_journal = sealer->last,
		.digest = {digest, sizeof(digest)},
	};
	enum db_result result;

	if (!sealer->open)
		return true;
	seal_end(audit, sealer, sealer->last, digest);
	result = db_run(audit->db, &audit_seal_add_statement, &seal, NULL);
	if (result != DB_DUPLICATE &&
	    !fine(result, audit_seal_add_statement.name))
		return false;
	hex_encode(hex, digest, sizeof(digest));
	if (result == DB_OK && !audit->options->quiet)
		printf("seal %lld: journals %lld to %lld, %s\n",
		       (long long)seal.id, (long long)seal.first_journal,
		       (long long)seal.last_journal, hex);
	return true;
}

static enum status run(struct audit *audit)
{
	if (!prove_all(audit))
		return STATUS_FAILED;
	if (audit->disagreements > 0) {
		printf("audit: %lld disagreements\n",
		       (long long)audit->disagreements);
		return STATUS_DISAGREES;
	}
	if (audit->options->seal && !add_seal(audit))
		return STATUS_FAILED;
	if (!audit->options->quiet)
		printf("audit: clean (%lld accounts, %lld journals, %lld "
		       "entries, %zu seals)\n",
		       (long long)audit->accounts, (long long)audit->journals,
		       (long long)audit->entries, audit->sealer.count);
	return STATUS_CLEAN;
}

static void usage(FILE *to)
{
	fputs("usage: cardstock-audit [--config FILE] [--sql-dir DIR] "
	      "[--seal] [--quiet]\n"
	      "\n"
	      "Re-proves the ledger from its rows and prints every "
	      "disagreement.\n"
	      "  --seal   when clean, seal the journals over a minute old\n"
	      "  --quiet  print nothing but disagreements\n"
	      "Exit status: 0 clean, 1 disagreements, 2 it could not look.\n",
	      to);
}

static bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"sql-dir", required_argument, NULL, 's'},
		{"seal", no_argument, NULL, 'm'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'c')
			options->config_path = optarg;
		else if (option == 's')
			options->sql_dir = optarg;
		else if (option == 'm')
			options->seal = true;
		else if (option == 'q')
			options->quiet = true;
		else if (option == 'h')
			options->help = true;
		else
			return false;
	}
	return optind == argc;
}

static enum status audit_configured(const struct options *options,
				    struct arena *arena)
{
	struct config config;
	struct audit audit = {.arena = arena, .options = options};
	enum status status;
	char error[512];

	if (!config_read(&config, arena, options->config_path, error,
			 sizeof(error))) {
		(void)fail(error);
		return STATUS_FAILED;
	}
	audit.keyring =
		keyring_open(config.master_key_file, error, sizeof(error));
	if (!audit.keyring) {
		(void)fail(error);
		return STATUS_FAILED;
	}
	audit.batch = arena_new(ARENA_BLOCK);
	audit.scratch = arena_new(ARENA_BLOCK);
	audit.db = db_open(&config, DB_ROLE_OWNER);
	status = run(&audit);
	db_close(audit.db);
	EVP_MD_CTX_free(audit.sealer.sha256);
	arena_free(audit.scratch);
	arena_free(audit.batch);
	keyring_close(audit.keyring);
	return status;
}

int main(int argc, char **argv)
{
	struct options options = {
		.config_path = SYSCONFDIR "/cardstock/cardstock.conf",
		.sql_dir = PKGDATADIR "/sql",
	};
	struct arena *arena;
	enum status status;

	if (!options_read(&options, argc, argv)) {
		usage(stderr);
		return STATUS_FAILED;
	}
	if (options.help) {
		usage(stdout);
		return STATUS_CLEAN;
	}
	log_open("cardstock-audit", false, LOG_LEVEL_UNUSUAL);
	arena = arena_new(ARENA_BLOCK);
	status = audit_configured(&options, arena);
	arena_free(arena);
	return (int)status;
}
