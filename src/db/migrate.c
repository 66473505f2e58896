/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/arena.h"
#include "../base/log.h"
#include "../base/secret.h"
#include "../base/text.h"
#include "db.h"
#include "script.h"

#define LOCK_TRIES 300 /* of one lock wait each: some ten minutes */

struct sql_file {
	int64_t number; /* of a migration; 0 otherwise */
	const char *name;
	const char *text;
	unsigned char digest[32];
};

struct sql_files {
	struct sql_file *list;
	size_t count;
};

/* One run. */
struct migrate {
	struct db *db;
	struct db
		*lock; /* its transaction holds the row that keeps others out */
	struct arena *arena;
	const struct migrate_options *options;
	struct migrate_summary *summary;
	struct sql_files schema, routines;
	char *error;
	size_t error_size;
	bool done;
};

__attribute__((format(printf, 2, 3))) static bool refuse(
	const struct migrate *run, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(run->error, run->error_size, format, args);
	va_end(args);
	return false;
}

/* -------------------------------------------------------------- the files */

static bool read_file(const struct migrate *run, const char *path,
		      struct sql_file *file)
{
	struct stat status;
	char *text;
	size_t len = 0;
	ssize_t got = 1;
	int from = open(path, O_RDONLY | O_CLOEXEC);

	if (from < 0 || fstat(from, &status) != 0) {
		(void)refuse(run, "%s: %s", path, strerror(errno));
		if (from >= 0)
			close(from);
		return false;
	}
	text = arena_alloc(run->arena, (size_t)status.st_size + 1);
	while (got > 0 && len < (size_t)status.st_size) {
		got = read(from, text + len, (size_t)status.st_size - len);
		if (got > 0)
			len += (size_t)got;
	}
	close(from);
	if (got < 0)
		return refuse(run, "%s: cannot be read", path);
	file->text = text;
	sha256((struct bytes){text, len}, file->digest);
	return true;
}

static int is_sql(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 4 &&
	       strcmp(entry->d_name + len - 4, ".sql") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The folder's *.sql in the order of their names, with room for one more. */
static bool read_folder(const struct migrate *run, const char *folder,
			struct sql_files *files)
{
	const char *path = arena_printf(run->arena, "%s/%s",
					run->options->sql_dir, folder);
	struct dirent **entries;
	int count = scandir(path, &entries, is_sql, by_name);
	bool fine = true;

	if (count < 0)
		return refuse(run, "%s: %s", path, strerror(errno));
	files->list = arena_alloc(run->arena,
				  sizeof(*files->list) * ((size_t)count + 1));
	for (int i = 0; i < count; i++) {
		struct sql_file *file = &files->list[files->count];
		const char *name = entries[i]->d_name;

		file->name = arena_strdup(run->arena, name);
		fine = fine &&
		       read_file(run,
				 arena_printf(run->arena, "%s/%s", path, name),
				 file);
		files->count += fine;
		free(entries[i]);
	}
	free(entries);
	return fine;
}

static bool number_migrations(const struct migrate *run)
{
	for (size_t i = 0; i < run->schema.count; i++) {
		struct sql_file *file = &run->schema.list[i];
		char digits[5] = "";

		memcpy(digits, file->name, strnlen(file->name, 4));
		if (strspn(digits, "0123456789") != 4 || file->name[4] != '_' ||
		    !text_to_int(digits + strspn(digits, "0"), &file->number))
			return refuse(run, "%s: the name is not NNNN_name.sql",
				      file->name);
		if (file->number != (int64_t)i + 1)
			return refuse(run,
				      "%s: number %zu is missing, or "
				      "there twice",
				      file->name, i + 1);
	}
	if (run->schema.count == 0)
		return refuse(run, "%s: no migrations", run->options->sql_dir);
	return true;
}

static bool read_files(struct migrate *run)
{
	struct sql_file *audit;
	const char *path =
		arena_printf(run->arena, "%s/audit.sql", run->options->sql_dir);

	if (!read_folder(run, "schema", &run->schema) ||
	    !number_migrations(run) ||
	    !read_folder(run, "routines", &run->routines) ||
	    run->routines.list == NULL)
		return false;
	audit = &run->routines.list[run->routines.count];
	audit->name = "audit.sql";
	run->routines.count++;
	return read_file(run, path, audit);
}

/* ---------------------------------------------------------- what is known */

static const char bookkeeping_sql[] =
	"CREATE TABLE IF NOT EXISTS schema_migrations ("
	"  number INT UNSIGNED NOT NULL PRIMARY KEY,"
	"  name VARCHAR(128) NOT NULL,"
	"  digest BINARY(32) NOT NULL COMMENT 'SHA-256 of the file',"
	"  begun INT UNSIGNED NOT NULL COMMENT 'the last step begun',"
	"  done INT UNSIGNED NOT NULL COMMENT 'the last step known done',"
	"  finished_at DATETIME NULL"
	") ENGINE=InnoDB COMMENT 'kept by cardstock-migrate';\n"
	"CREATE TABLE IF NOT EXISTS schema_routines ("
	"  name VARCHAR(128) NOT NULL PRIMARY KEY,"
	"  digest BINARY(32) NOT NULL COMMENT 'SHA-256 of the file',"
	"  installed_at DATETIME NOT NULL"
	") ENGINE=InnoDB COMMENT 'kept by cardstock-migrate';\n"
	"CREATE TABLE IF NOT EXISTS schema_lock ("
	"  id TINYINT UNSIGNED NOT NULL PRIMARY KEY"
	") ENGINE=InnoDB COMMENT 'its row is locked while migrating';\n";

struct record {
	int64_t number;
	const char *name;
	struct bytes digest;
	int64_t begun, done, finished_at;
};

static const struct db_field record_columns[] = {
	{DB_INT, offsetof(struct record, number)},
	{DB_TEXT, offsetof(struct record, name)},
	{DB_BLOB, offsetof(struct record, digest)},
	{DB_INT, offsetof(struct record, begun)},
	{DB_INT, offsetof(struct record, done)},
	{DB_TIME, offsetof(struct record, finished_at)},
};
static const struct db_field start_params[] = {
	{DB_INT, offsetof(struct record, number)},
	{DB_TEXT, offsetof(struct record, name)},
	{DB_BLOB, offsetof(struct record, digest)},
};
static const struct db_field progress_params[] = {
	{DB_INT, offsetof(struct record, begun)},
	{DB_INT, offsetof(struct record, done)},
	{DB_INT, offsetof(struct record, number)},
};
static const struct db_field number_param[] = {
	{DB_INT, offsetof(struct record, number)},
};
static const struct db_field name_param[] = {
	{DB_TEXT, offsetof(struct record, name)},
};
static const struct db_field routine_fields[] = {
	{DB_TEXT, offsetof(struct record, name)},
	{DB_BLOB, offsetof(struct record, digest)},
};

static const struct statement list_statement = {
	.name = "migrations_list",
	.sql = "SELECT number, name, digest, begun, done, finished_at"
	       " FROM schema_migrations ORDER BY number",
	DB_COLUMNS(record_columns, struct record),
};
static const struct statement start_statement = {
	.name = "migration_start",
	.sql = "REPLACE INTO schema_migrations"
	       " (number, name, digest, begun, done) VALUES (?, ?, ?, 0, 0)",
	DB_PARAMS(start_params),
};
static const struct statement progress_statement = {
	.name = "migration_progress",
	.sql = "UPDATE schema_migrations SET begun = ?, done = ?"
	       " WHERE number = ?",
	DB_PARAMS(progress_params),
};
static const struct statement finish_statement = {
	.name = "migration_finish",
	.sql = "UPDATE schema_migrations SET finished_at = UTC_TIMESTAMP()"
	       " WHERE number = ?",
	DB_PARAMS(number_param),
};
static const struct statement table_statement = {
	.name = "table_exists",
	.sql = "SELECT 1 FROM information_schema.tables"
	       " WHERE table_schema = DATABASE() AND table_name = ?",
	DB_PARAMS(name_param),
	DB_COLUMNS(number_param, struct record),
};
static const struct statement routines_statement = {
	.name = "routines_list",
	.sql = "SELECT name, digest FROM schema_routines",
	DB_COLUMNS(routine_fields, struct record),
};
static const struct statement routines_clear_statement = {
	.name = "routines_clear",
	.sql = "DELETE FROM schema_routines",
};
static const struct statement routine_statement = {
	.name = "routine_installed",
	.sql = "INSERT INTO schema_routines (name, digest, installed_at)"
	       " VALUES (?, ?, UTC_TIMESTAMP())",
	DB_PARAMS(routine_fields),
};
static const struct statement lock_statement = {
	.name = "schema_lock",
	.sql = "SELECT id FROM schema_lock WHERE id = 1 FOR UPDATE",
	DB_COLUMNS(number_param, struct record),
};

static const struct statement lock_row_statement = {
	.name = "schema_lock_row",
	.sql = "INSERT INTO schema_lock (id) SELECT 1"
	       " WHERE NOT EXISTS (SELECT 1 FROM schema_lock)",
};

static bool fine(const struct migrate *run, enum db_result result,
		 const char *what)
{
	if (result == DB_OK)
		return true;
	return refuse(run, "the database failed at %s", what);
}

static bool same(struct bytes digest, const struct sql_file *file)
{
	return digest.len == sizeof(file->digest) &&
	       memcmp(digest.data, file->digest, digest.len) == 0;
}

static bool read_records(const struct migrate *run, struct record **records,
			 size_t *count)
{
	void *rows;

	if (!fine(run,
		  db_all(run->db, run->arena, &list_statement, NULL, &rows,
			 count),
		  list_statement.name))
		return false;
	*records = rows;
	return true;
}

/* Whether the database's history is the beginning of the folder's. */
static bool history_fits(const struct migrate *run,
			 const struct record *records, size_t count)
{
	if (count > run->schema.count)
		return refuse(run,
			      "the schema is newer (%zu) than this program "
			      "knows (%zu)",
			      count, run->schema.count);
	for (size_t i = 0; i < count; i++) {
		const struct sql_file *file = &run->schema.list[i];

		if (records[i].number != file->number)
			return refuse(run,
				      "migration %zu was never applied, "
				      "but a later one was",
				      i + 1);
		if (!same(records[i].digest, file) &&
		    (records[i].finished_at || records[i].begun > 0))
			return refuse(run,
				      "%s was changed after it was "
				      "applied",
				      file->name);
		if (!records[i].finished_at && i + 1 < count)
			return refuse(run,
				      "%s is half applied, but a later "
				      "one is there",
				      file->name);
	}
	return true;
}

/* ------------------------------------------------------------------ steps */

static bool word_is(const char **at, const char *word)
{
	size_t len = strlen(word);

	if (strncasecmp(*at, word, len) != 0 ||
	    isalnum((unsigned char)(*at)[len]))
		return false;
	*at += len + strspn(*at + len, " \t\r\n");
	return true;
}

/* A statement that a transaction can hold together with its record. */
static bool is_transactional(const char *at)
{
	return word_is(&at, "INSERT") || word_is(&at, "UPDATE") ||
	       word_is(&at, "DELETE") || word_is(&at, "REPLACE") ||
	       word_is(&at, "SELECT");
}

/*
 * The program stopped between a step's two records. Only of a new table can
 * be told whether it was made: *done.
 */
static bool find_out(const struct migrate *run, const struct sql_file *file,
		     const struct script_statement *step, int64_t number,
		     bool *done)
{
	const char *at = step->sql.data;
	struct record row;
	enum db_result result;

	if (word_is(&at, "CREATE") && word_is(&at, "TABLE")) {
		struct record table = {
			.name = arena_strndup(run->arena, at,
					      strcspn(at, " \t\r\n(`"))};

		result = db_one(run->db, run->arena, &table_statement, &table,
				&row);
		*done = result == DB_OK;
		return *done || result == DB_NO_ROW ||
		       fine(run, result, table_statement.name);
	}
	return refuse(run,
		      "%s is half applied: nobody can tell whether step %lld "
		      "(line %d) was done. Look; if it was: UPDATE "
		      "schema_migrations SET done = %lld WHERE number = %lld; "
		      "if not: … SET begun = %lld …; then run this again",
		      file->name, (long long)number, step->line,
		      (long long)number, (long long)file->number,
		      (long long)number - 1);
}

static bool note(const struct migrate *run, struct record *record,
		 int64_t begun, int64_t done)
{
	record->begun = begun;
	record->done = done;
	return fine(run, db_run(run->db, &progress_statement, record, NULL),
		    progress_statement.name);
}

struct transactional {
	const struct migrate *run;
	const struct script_statement *step;
	struct record record;
};

static enum db_tx_next transactional_body(struct db *db, void *arg,
					  enum db_result *result)
{
	struct transactional *step = arg;

	if (!script_send(db, step->step, step->run->error,
			 step->run->error_size)) {
		*result = DB_NO_ROW; /* told in error, not worth a retry */
		return DB_TX_FAILED;
	}
	*result = db_run(db, &progress_statement, &step->record, NULL);
	return *result == DB_OK ? DB_TX_COMMIT : DB_TX_FAILED;
}

/* A step that the server refused was certainly not done; one that was cut off
 * may have been. */
static bool may_be_done(const char *error)
{
	static const char *const cut_off[] = {": error 2", ": error 1053",
					      ": error 1317", ": error 1927",
					      "no connection"};

	for (size_t i = 0; i < sizeof(cut_off) / sizeof(cut_off[0]); i++) {
		if (strstr(error, cut_off[i]))
			return true;
	}
	return false;
}

static bool run_step(const struct migrate *run, struct record *record,
		     const struct script_statement *step, int64_t number)
{
	struct transactional arg = {run, step, *record};
	struct db_tx tx = {.body = transactional_body, .arg = &arg};
	enum db_result result;
	bool in_doubt;

	if (!is_transactional(step->sql.data)) {
		if (!note(run, record, number, record->done))
			return false;
		if (script_send(run->db, step, run->error, run->error_size))
			return note(run, record, number, number);
		if (!may_be_done(run->error))
			(void)note(run, record, number - 1, number - 1);
		return false;
	}
	arg.record.begun = arg.record.done = number;
	result = db_tx_run(run->db, run->arena, &tx, &in_doubt);
	record->begun = record->done = number;
	return result == DB_NO_ROW ? false
				   : fine(run, result, progress_statement.name);
}

/* The lock's connection must live as long as we work. */
static bool still_alone(const struct migrate *run)
{
	struct record row;

	return fine(run,
		    db_one(run->lock, run->arena, &lock_statement, NULL, &row),
		    lock_statement.name);
}

static bool run_steps(const struct migrate *run, const struct sql_file *file,
		      struct record *record)
{
	struct script script;
	struct script_statement step;
	bool in_question = record->begun > record->done, done = false;

	script_open(&script, file->text);
	for (int64_t number = 1; script_next(&script, &step); number++) {
		if (number <= record->done)
			continue;
		if (!still_alone(run))
			return false;
		if (in_question && number == record->begun) {
			if (!find_out(run, file, &step, number, &done))
				return false;
			if (done) {
				if (!note(run, record, number, number))
					return false;
				continue;
			}
		}
		if (!run_step(run, record, &step, number))
			return false;
		run->summary->steps++;
	}
	return true;
}

static bool apply(const struct migrate *run, const struct sql_file *file,
		  struct record *record)
{
	char why[512];

	if (record->begun > 0) {
		run->options->tell(
			arena_printf(run->arena, "%s: resumed after step %lld",
				     file->name, (long long)record->done));
	} else {
		*record = (struct record){
			.number = file->number,
			.name = file->name,
			.digest = {file->digest, sizeof(file->digest)},
		};
		if (!fine(run, db_run(run->db, &start_statement, record, NULL),
			  start_statement.name))
			return false;
		run->options->tell(
			arena_printf(run->arena, "%s: applying", file->name));
	}
	if (!run_steps(run, file, record)) {
		(void)snprintf(why, sizeof(why), "%s", run->error);
		return refuse(run, "%s: %s", file->name, why);
	}
	run->summary->migrations++;
	return fine(run, db_run(run->db, &finish_statement, record, NULL),
		    finish_statement.name);
}

static bool apply_all(const struct migrate *run)
{
	struct record *records, fresh = {0};
	size_t count;

	if (!read_records(run, &records, &count) ||
	    !history_fits(run, records, count))
		return false;
	for (size_t i = 0; i < run->schema.count; i++) {
		struct record *record = i < count ? &records[i] : &fresh;

		if (record->finished_at == 0 &&
		    !apply(run, &run->schema.list[i], record))
			return false;
		fresh = (struct record){0};
	}
	run->summary->schema = (int)run->schema.count;
	return true;
}

/* --------------------------------------------------------------- routines */

/* How many files are not installed as they stand; tells which when asked. */
static bool count_changed(const struct migrate *run, bool tell, size_t *changed)
{
	void *rows;
	size_t count, kept = 0;

	*changed = 0;
	if (!fine(run,
		  db_all(run->db, run->arena, &routines_statement, NULL, &rows,
			 &count),
		  routines_statement.name))
		return false;
	for (size_t i = 0; i < run->routines.count; i++) {
		const struct sql_file *file = &run->routines.list[i];
		const struct record *row = rows;
		size_t at = 0;

		while (at < count && strcmp(row[at].name, file->name) != 0)
			at++;
		kept += at < count;
		if (at < count && same(row[at].digest, file))
			continue;
		++*changed;
		if (tell)
			run->options->tell(arena_printf(
				run->arena, "%s: %s", file->name,
				at < count ? "has changed" : "is missing"));
	}
	*changed += count - kept; /* installed, but no longer in the folder */
	return true;
}

/*
 * Rights, roles and the database's own collation: a dump does not hold them,
 * and one that is loaded over what is there takes routines' rights away with
 * the routines. The owner may not look what is there, but may say it again.
 */
static bool is_outside_dumps(const char *at)
{
	return word_is(&at, "GRANT") ||
	       (word_is(&at, "CREATE") && word_is(&at, "ROLE")) ||
	       (word_is(&at, "ALTER") && word_is(&at, "DATABASE"));
}

/* False when one fails: what it is about is missing. */
static bool grant_again(const struct migrate *run)
{
	struct script script;
	struct script_statement step;

	for (size_t i = 0; i < run->routines.count; i++) {
		script_open(&script, run->routines.list[i].text);
		while (script_next(&script, &step)) {
			if (is_outside_dumps(step.sql.data) &&
			    !script_send(run->db, &step, run->error,
					 run->error_size))
				return false;
		}
	}
	return true;
}

static bool install_routines(const struct migrate *run)
{
	size_t changed;
	char why[512];

	if (!count_changed(run, false, &changed))
		return false;
	if (changed == 0 && !run->options->force &&
	    run->summary->migrations == 0 && grant_again(run))
		return true;
	if (!fine(run, db_run(run->db, &routines_clear_statement, NULL, NULL),
		  routines_clear_statement.name))
		return false;
	for (size_t i = 0; i < run->routines.count; i++) {
		const struct sql_file *file = &run->routines.list[i];
		struct record record = {
			.name = file->name,
			.digest = {file->digest, sizeof(file->digest)},
		};

		if (!still_alone(run))
			return false;
		if (!db_script(run->db, file->text, why, sizeof(why)))
			return refuse(run, "%s: %s", file->name, why);
		if (!fine(run,
			  db_run(run->db, &routine_statement, &record, NULL),
			  routine_statement.name))
			return false;
	}
	run->summary->routines = (int)run->routines.count;
	return true;
}

/* -------------------------------------------------------------------- run */

static enum db_tx_next locked(struct db *lock, void *arg,
			      enum db_result *result)
{
	struct migrate *run = arg;
	struct record row;

	for (int try = 1; try <= LOCK_TRIES; try++) {
		*result = db_one(lock, run->arena, &lock_statement, NULL, &row);
		if (*result != DB_WAIT)
			break;
		if (try == 1)
			run->options->tell("another migrator is at work: "
					   "waiting for it");
	}
	if (*result == DB_WAIT) {
		(void)refuse(run, "another migrator does not finish");
		*result = DB_NO_ROW;
	}
	if (*result != DB_OK)
		return DB_TX_FAILED;
	run->done = apply_all(run) && install_routines(run);
	return DB_TX_ROLLBACK;
}

/* Another migrator may be making, or holding, the same. */
static bool keep_books(const struct migrate *run)
{
	enum db_result result;
	char why[512];

	if (!db_script(run->db, bookkeeping_sql, why, sizeof(why)))
		return refuse(run, "bookkeeping tables: %s", why);
	result = db_run(run->db, &lock_row_statement, NULL, NULL);
	return result == DB_DUPLICATE || result == DB_WAIT ||
	       fine(run, result, lock_row_statement.name);
}

bool migrate_run(const struct config *config, struct arena *arena,
		 const struct migrate_options *options,
		 struct migrate_summary *summary, char *error,
		 size_t error_size)
{
	struct migrate run = {
		.arena = arena,
		.options = options,
		.summary = summary,
		.error = error,
		.error_size = error_size,
	};
	struct db_tx tx = {.body = locked, .arg = &run};
	bool in_doubt;

	*summary = (struct migrate_summary){0};
	(void)refuse(&run, "the database cannot be reached");
	if (!read_files(&run))
		return false;
	run.db = db_open(config, DB_ROLE_OWNER);
	run.lock = db_open(config, DB_ROLE_OWNER);
	if (keep_books(&run))
		(void)db_tx_run(run.lock, arena, &tx, &in_doubt);
	db_close(run.lock);
	db_close(run.db);
	return run.done;
}

static bool check(struct migrate *run, bool *complete)
{
	struct record *records = NULL, row;
	struct record table = {.name = "schema_routines"};
	size_t count = 0, changed = 0, finished = 0;
	enum db_result result =
		db_one(run->db, run->arena, &table_statement, &table, &row);

	if (result != DB_OK && result != DB_NO_ROW)
		return fine(run, result, table_statement.name);
	if (result == DB_OK && (!read_records(run, &records, &count) ||
				!history_fits(run, records, count) ||
				!count_changed(run, true, &changed)))
		return false;
	if (result == DB_NO_ROW)
		changed = run->routines.count;
	for (size_t i = 0; i < run->schema.count; i++) {
		if (i < count && records[i].finished_at) {
			finished++;
			continue;
		}
		run->options->tell(arena_printf(
			run->arena, "%s: is %s", run->schema.list[i].name,
			i < count ? "half applied" : "missing"));
	}
	*complete = changed == 0 && finished == run->schema.count;
	return true;
}

bool migrate_check(const struct config *config, struct arena *arena,
		   const struct migrate_options *options, bool *complete,
		   char *error, size_t error_size)
{
	struct migrate run = {
		.arena = arena,
		.options = options,
		.error = error,
		.error_size = error_size,
	};
	bool looked;

	*complete = false;
	if (!read_files(&run))
		return false;
	run.db = db_open(config, DB_ROLE_OWNER);
	looked = check(&run, complete);
	db_close(run.db);
	return looked;
}
