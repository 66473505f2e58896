# SPDX-License-Identifier: Apache-2.0
"""cardstock-migrate: from nothing to the present, and what it refuses."""

import shutil
import subprocess
import time

import pytest

from server import BUILD, SRC, Database, Server


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def database(server):
    database = Database(server)
    yield database
    database.close()


@pytest.fixture
def small(database, tmp_path):
    """A database whose migrations are three small files."""
    database.sql_dir = tmp_path / "sql"
    (database.sql_dir / "schema").mkdir(parents=True)
    (database.sql_dir / "routines").mkdir()
    write(database, "schema/0001_first.sql",
          "-- a ';' in a comment\nCREATE TABLE a (id INT PRIMARY KEY);\n"
          "INSERT INTO a VALUES (1);\nCREATE TABLE b (id INT PRIMARY KEY);\n")
    write(database, "schema/0002_second.sql",
          "ALTER TABLE a ADD COLUMN text VARCHAR(9) NOT NULL DEFAULT ';';\n")
    write(database, "routines/10_one.sql",
          "DELIMITER //\nCREATE OR REPLACE PROCEDURE one()\nBEGIN\n"
          "  SELECT 1; -- not its end;\nEND//\nDELIMITER ;\n")
    write(database, "audit.sql",
          "CREATE OR REPLACE VIEW audit_nothing AS\nSELECT 1 FROM a WHERE 0;\n")
    return database


def write(database, name, text):
    (database.sql_dir / name).write_text(text)


def migrated(database, *arguments):
    done = database.migrate(*arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout


def refused(database, *words):
    done = database.migrate()
    assert done.returncode == 2, done.stdout
    for word in words:
        assert word in done.stdout
    assert "BROKEN" not in done.stdout
    return done.stdout


def test_from_nothing(database):
    missing = database.migrate("--check")
    assert missing.returncode == 1
    assert "0001_service.sql: is missing" in missing.stdout
    assert database.sql("SHOW TABLES") == ()
    assert "routines re-created" in migrated(database)
    assert database.migrate("--check").returncode == 0
    assert "0 migrations applied in 0 steps, routines unchanged" in migrated(
        database)
    assert "routines re-created" in migrated(database, "--force")
    for (view,) in database.sql("SHOW TABLES LIKE 'audit\\_%%'"):
        if view != "audit_log":
            assert database.sql(f"SELECT * FROM {view}") == ()


def test_reversals_that_wait_are_kept(database, tmp_path):
    """0006 gives each a row of its own."""
    database.sql_dir = tmp_path / "sql"
    shutil.copytree(SRC / "sql", database.sql_dir)
    newer = [path for path in (database.sql_dir / "schema").iterdir()
             if path.name >= "0006"]
    for path in newer:
        path.unlink()
    (database.sql_dir / "audit.sql").write_text("")
    migrated(database)
    database.sql("INSERT INTO network_refs (scope, network_ref, answered,"
                 " reversal_waiting, reversal_cents, created_at) VALUES"
                 " (0, 'part', FALSE, TRUE, 400, '2026-01-01'),"
                 " (0, 'all', FALSE, TRUE, NULL, '2026-01-02'),"
                 " (0, 'none', TRUE, FALSE, 400, '2026-01-03')")
    database.sql_dir = SRC / "sql"
    migrated(database)
    assert database.sql(
        "SELECT network_ref, number, message_ref, amount_cents, event_number"
        " FROM early_reversals ORDER BY network_ref") == (
            ("all", 1, None, None, None), ("part", 1, None, 400, None))
    assert database.sql("SELECT * FROM audit_network_refs") == ()


def test_steps_and_routines(small):
    assert "schema 0002: 2 migrations applied in 4 steps" in migrated(small)
    assert small.sql("SELECT id, text FROM a") == ((1, ";"),)
    assert small.sql("CALL one()") == ((1,),)


def test_changed_routine_is_made_again(small):
    migrated(small)
    write(small, "routines/10_one.sql",
          "CREATE OR REPLACE PROCEDURE one() SELECT 2;\n")
    check = small.migrate("--check")
    assert check.returncode == 1
    assert "10_one.sql: has changed" in check.stdout
    assert "routines re-created" in migrated(small)
    assert small.sql("CALL one()") == ((2,),)


def test_broken_routine_is_tried_again(small):
    migrated(small)
    write(small, "routines/20_two.sql",
          "CREATE OR REPLACE PROCEDURE two()\nSELEC 2;\n")
    refused(small, "20_two.sql: line 1: error 1064")
    assert small.migrate("--check").returncode == 1
    write(small, "routines/20_two.sql",
          "CREATE OR REPLACE PROCEDURE two() SELECT 2;\n")
    migrated(small)
    assert small.sql("CALL two()") == ((2,),)


def test_changed_migration_is_refused(small):
    migrated(small)
    write(small, "schema/0001_first.sql", "CREATE TABLE c (id INT);\n")
    refused(small, "0001_first.sql was changed after it was applied")
    assert small.migrate("--check").returncode == 2


def test_gap_is_refused(small):
    write(small, "schema/0004_fourth.sql", "CREATE TABLE d (id INT);\n")
    refused(small, "0004_fourth.sql: number 3 is missing")
    assert small.sql("SHOW TABLES") == ()


def test_bad_name_is_refused(small):
    write(small, "schema/third.sql", "CREATE TABLE d (id INT);\n")
    refused(small, "third.sql: the name is not NNNN_name.sql")


def test_newer_schema_is_refused(small):
    migrated(small)
    (small.sql_dir / "schema/0002_second.sql").unlink()
    refused(small, "the schema is newer (2) than this program knows (1)")


def test_failed_step_is_resumed(small):
    write(small, "schema/0003_third.sql",
          "CREATE TABLE c (id INT PRIMARY KEY);\nINSERT INTO c VALUES (7);\n"
          "ALTER TABLE missing ADD COLUMN x INT;\n"
          "CREATE TABLE d (id INT PRIMARY KEY);\n")
    refused(small, "0003_third.sql: line 3: error 1146")
    assert "0003_third.sql: is half applied" in small.migrate("--check").stdout
    small.sql("CREATE TABLE missing (id INT)")
    assert "1 migrations applied in 2 steps" in migrated(small)
    assert small.sql("SELECT id FROM c") == ((7,),)
    assert small.sql("SELECT COUNT(x) FROM missing") == ((0,),)
    assert small.sql("SELECT COUNT(*) FROM d") == ((0,),)


def test_unrecorded_table_is_found(small):
    migrated(small)
    write(small, "schema/0003_third.sql",
          "CREATE TABLE c (id INT PRIMARY KEY);\nINSERT INTO c VALUES (7);\n")
    half_applied(small, begun=1, done=0)
    small.sql("CREATE TABLE c (id INT PRIMARY KEY)")
    migrated(small)
    assert small.sql("SELECT id FROM c") == ((7,),)


def test_table_that_was_not_made_is_made(small):
    migrated(small)
    write(small, "schema/0003_third.sql",
          "CREATE TABLE c (id INT PRIMARY KEY);\nINSERT INTO c VALUES (7);\n")
    half_applied(small, begun=1, done=0)
    migrated(small)
    assert small.sql("SELECT id FROM c") == ((7,),)


def test_half_applied_is_refused(small):
    migrated(small)
    write(small, "schema/0003_third.sql",
          "ALTER TABLE a ADD COLUMN x INT;\nALTER TABLE a ADD COLUMN y INT;\n")
    half_applied(small, begun=1, done=0)
    told = refused(small, "half applied", "step 1 (line 1)",
                   "UPDATE schema_migrations SET done = 1 WHERE number = 3")
    assert "x" not in [row[0] for row in small.sql("DESCRIBE a")], told
    small.sql("UPDATE schema_migrations SET begun = 0 WHERE number = 3")
    migrated(small)
    assert [row[0] for row in small.sql("DESCRIBE a")][-2:] == ["x", "y"]


def half_applied(database, begun, done):
    """The record that a program killed in a step of 0003 leaves."""
    text = (database.sql_dir / "schema/0003_third.sql").read_bytes()
    database.sql("INSERT INTO schema_migrations (number, name, digest, begun,"
                 " done) VALUES (3, '0003_third.sql',"
                 " UNHEX(SHA2(%s, 256)), %s, %s)", text, begun, done)


def test_killed_in_a_step(small):
    write(small, "schema/0003_third.sql",
          "CREATE TABLE c (id INT PRIMARY KEY);\n"
          "INSERT INTO c SELECT SLEEP(30);\n"
          "INSERT INTO c VALUES (8);\n")
    command = [BUILD / "cardstock-migrate", "--config", small.config,
               "--sql-dir", small.sql_dir]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        for _ in range(300):
            if small.sql("SHOW PROCESSLIST") and any(
                    row[7] and "SLEEP(30)" in row[7]
                    for row in small.sql("SHOW FULL PROCESSLIST")):
                break
            time.sleep(0.05)
        process.kill()
    for row in small.sql("SHOW FULL PROCESSLIST"):
        if row[3] == small.name and row[7] and "SLEEP(30)" in row[7]:
            small.sql(f"KILL {row[0]}")
    time.sleep(0.3)
    assert small.sql("SELECT begun, done FROM schema_migrations"
                     " WHERE number = 3") == ((1, 1),)
    assert small.sql("SELECT * FROM c") == ()


def test_several_at_once(small):
    write(small, "schema/0003_third.sql",
          "CREATE TABLE c (id INT AUTO_INCREMENT PRIMARY KEY, s INT);\n"
          "INSERT INTO c (s) SELECT SLEEP(1);\n"
          "ALTER TABLE c ADD COLUMN x INT;\n")
    command = [BUILD / "cardstock-migrate", "--config", small.config,
               "--sql-dir", small.sql_dir]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
               for _ in range(4)]
    told = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4, told
    assert sum("schema 0003: 3 migrations" in text for text in told) == 1
    assert sum("schema 0003: 0 migrations" in text for text in told) == 3
    assert small.sql("SELECT COUNT(*) FROM c") == ((1,),)


def test_database_away(small):
    small.config.write_text(small.config.read_text().replace(
        "/socket", "/nowhere"))
    done = small.migrate()
    assert done.returncode == 2
    assert "no connection" in done.stdout


def test_sources_are_installed_whole():
    """What `make install` ships is what the folder holds."""
    shipped = (SRC / "Makefile.am").read_text()
    for path in sorted((SRC / "sql").rglob("*.sql")):
        assert str(path.relative_to(SRC)) in shipped


def test_help_tells_all():
    told = subprocess.run([BUILD / "cardstock-migrate", "--help"],
                          capture_output=True, text=True)
    assert told.returncode == 0
    for word in ("--config", "--sql-dir", "--check", "--force", "rotate-keys"):
        assert word in told.stdout
