# SPDX-License-Identifier: Apache-2.0
"""Least privilege: what is not granted is tried, under each role, and refused;
what history holds not even the owner changes by mistake."""

import re

import pymysql
import pytest

from conftest import DATABASE, query
from server import SRC

# Not the server's numbers for a wrong statement, only for a forbidden one.
DENIED = {1044, 1142, 1143, 1227, 1370, 1698}

API_ROUTINES = {
    "tx_begin", "tx_commit", "key_touch", "card_create", "card_update",
    "card_freeze", "card_unfreeze", "card_terminate", "card_fund",
    "card_withdraw", "card_details_read", "card_change", "card_numbers_read",
    "embed_read", "key_keep", "funding_rename", "deposit_address_take",
    "simulate_deposit", "simulate_deposit_change", "simulate_clock",
    "authorization_open", "authorization_read", "authorization_post",
    "authorization_close", "increment_read", "increment_post",
    "transaction_advice", "transaction_clear", "transaction_reverse",
    "force_post", "refund", "refund_reverse", "challenge_create",
    "challenge_read", "challenge_answer", "webhook_create", "webhook_update",
    "webhook_delete", "webhook_rotate", "webhook_ping", "webhook_replay",
    "event_resend", "privacy_webhook_put", "privacy_webhook_delete"}
API_TABLES = {"card_rows", "card_days", "issuing_bins", "funding_rows",
              "wallet_rows", "deposit_rows", "bin_rows",
              "api_logins", "mcc_categories", "card_counts", "currencies",
              "card_limits", "event_rows", "transaction_rows", "transaction_event_rows",
              "transaction_count_rows", "challenge_rows", "webhook_rows",
              "delivery_rows", "attempt_rows", "courier_totals"}
ADMIN_ROUTINES = {
    "uuid_of_id", "id_of_uuid",
    "admin_account_create", "admin_account_suspend", "admin_account_reactivate",
    "admin_account_close", "admin_key_issue", "admin_key_scope",
    "admin_key_expire", "admin_key_revoke", "admin_key_networks",
    "admin_bin_put", "admin_bin_stop", "admin_bin_start", "admin_currency_set",
    "admin_category_set", "admin_card_freeze", "admin_card_unfreeze",
    "admin_card_terminate", "admin_card_limits_set", "admin_wallet_adjust",
    "admin_hold_window_set", "admin_country_block", "admin_country_unblock",
    "admin_address_import", "admin_webhook_disable", "admin_webhook_enable",
    "admin_delivery_retry", "uuid_of_id", "id_of_uuid"}
ADMIN_TABLES = {
    "admin_accounts", "admin_keys", "admin_cards", "admin_deposits",
    "admin_ledger_trial_balance", "admin_daily_volume", "admin_audit",
    "admin_currencies", "admin_address_pool", "admin_queue", "bin_rows",
    "mcc_categories", "admin_transactions", "admin_transaction_events",
    "admin_open_holds", "admin_daily_payments", "admin_challenges",
    "admin_hold_windows", "admin_blocked_countries", "admin_webhooks",
    "admin_deliveries_failed"}
KEEPER_ROUTINES = {"keeper_holds", "keeper_challenges", "keeper_deposits",
                   "keeper_idempotency", "keeper_usage", "keeper_events"}
COURIER_ROUTINES = {"courier_claim", "courier_keep", "courier_record",
                    "courier_release", "courier_renew", "courier_put_back"}
ROLES = {"api": (API_ROUTINES, API_TABLES),
         "admin": (ADMIN_ROUTINES, ADMIN_TABLES),
         "keeper": (KEEPER_ROUTINES, set()),
         "courier": (COURIER_ROUTINES, set())}


def denied(connection, statement):
    with pytest.raises(pymysql.MySQLError) as error:
        query(connection, statement)
    assert error.value.args[0] in DENIED, (statement, error.value)


def tables(owner):
    return [row["name"] for row in query(
        owner, "SELECT table_name AS name FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_type IN"
        " ('BASE TABLE', 'VIEW')")]


@pytest.mark.parametrize("role", ROLES)
def test_no_table_can_be_written(world, role):
    connection = getattr(world.installation, role)
    for table in tables(world.owner):
        column = query(world.owner, f"SHOW COLUMNS FROM {table}")[0]["Field"]
        for statement in (
                f"INSERT INTO {table} ({column}) VALUES (1)",
                f"REPLACE INTO {table} ({column}) VALUES (1)",
                f"UPDATE {table} SET {column} = {column}",
                f"DELETE FROM {table}", f"TRUNCATE TABLE {table}",
                f"ALTER TABLE {table} ADD COLUMN x INT",
                f"DROP TABLE {table}", f"DROP VIEW {table}",
                f"LOCK TABLES {table} WRITE",
                f"RENAME TABLE {table} TO {table}_2",
                f"CREATE TRIGGER t BEFORE INSERT ON {table} FOR EACH ROW"
                " SET @x = 1"):
            denied(connection, statement)


@pytest.mark.parametrize("role", ROLES)
def test_only_these_tables_can_be_read(world, role):
    connection = getattr(world.installation, role)
    for table in tables(world.owner):
        if table in ROLES[role][1]:
            query(connection, f"SELECT * FROM {table} LIMIT 1")
        else:
            denied(connection, f"SELECT COUNT(*) FROM {table}")
    for column in ("pan_sealed", "pan_hash"):
        denied(connection, f"SELECT {column} FROM cards")
    for column in ("key_hash", "key_sealed"):
        denied(connection, f"SELECT {column} FROM api_keys")
    denied(connection, "SELECT secret_sealed FROM webhooks")


@pytest.mark.parametrize("role", ROLES)
def test_only_these_routines_can_be_called(world, role):
    connection = getattr(world.installation, role)
    routines = query(world.owner, "SELECT routine_name AS name, routine_type AS"
                     " kind FROM information_schema.routines WHERE"
                     " routine_schema = DATABASE()")
    assert {r["name"] for r in routines} >= (
        API_ROUTINES | ADMIN_ROUTINES | KEEPER_ROUTINES | COURIER_ROUTINES)
    for routine in routines:
        count = len(query(
            world.owner, "SELECT 1 FROM information_schema.parameters WHERE"
            " specific_schema = DATABASE() AND specific_name = %s AND"
            " ordinal_position > 0", routine["name"]))
        marks = ", ".join(["NULL"] * count)
        verb = "CALL" if routine["kind"] == "PROCEDURE" else "SELECT"
        statement = f"{verb} {routine['name']}({marks})"
        if routine["name"] not in ROLES[role][0]:
            denied(connection, statement)
            denied(connection, f"DROP {routine['kind']} {routine['name']}")
            continue
        # Allowed: whatever it says to NULLs, it is not a missing right.
        try:
            query(connection, statement)
        except pymysql.MySQLError as error:
            assert error.args[0] not in DENIED, error
        query(connection, "ROLLBACK")


@pytest.mark.parametrize("role", ROLES)
def test_nothing_else(world, role):
    connection = getattr(world.installation, role)
    other = {"api": "admin", "admin": "api", "keeper": "api",
             "courier": "api"}[role]
    for statement in (
            "CREATE TABLE t (id INT)", "CREATE VIEW v AS SELECT 1",
            "CREATE PROCEDURE p() SELECT 1", f"DROP DATABASE {DATABASE}",
            "CREATE DATABASE another", "CREATE USER u@localhost",
            f"GRANT cardstock_{other} TO cardstock_{role}_user@localhost",
            f"GRANT SELECT ON cards TO cardstock_{role}_user@localhost",
            "SET GLOBAL innodb_flush_log_at_trx_commit = 0",
            "SELECT * FROM mysql.global_priv", "SHUTDOWN"):
        denied(connection, statement)
    with pytest.raises(pymysql.MySQLError):
        query(connection, f"SET ROLE cardstock_{other}")
    for row in query(connection, "SHOW GRANTS"):
        (grant,) = row.values()
        assert "GRANT OPTION" not in grant and "ADMIN OPTION" not in grant


@pytest.mark.parametrize("table", ["ledger_journals", "ledger_entries",
                                   "ledger_seals", "audit_log",
                                   "transaction_events"])
def test_history_is_not_the_owners_to_change(world, table):
    card = world.card()
    if table == "transaction_events":
        world.call("force_post", card, None, None, f"txn_{card}", 1,
                   *[None] * 5)
    if table == "ledger_seals" and not query(world.owner,
                                             "SELECT 1 FROM ledger_seals"):
        query(world.owner, "INSERT INTO ledger_seals (first_journal,"
              " last_journal, digest, created_at) VALUES (1, 1, '', NOW())")
    before = query(world.owner, f"SELECT * FROM {table}")
    assert before
    column = next(c for c in before[0] if c not in ("id", "journal_id"))
    for statement in (f"DELETE FROM {table}",
                      f"UPDATE {table} SET {column} = {column}"):
        with pytest.raises(pymysql.MySQLError, match="append-only"):
            query(world.owner, statement)
    assert query(world.owner, f"SELECT * FROM {table}") == before


def test_routines_run_as_the_owner(world):
    rows = query(world.owner, "SELECT routine_name, definer, security_type"
                 " FROM information_schema.routines WHERE routine_schema ="
                 " DATABASE()")
    assert {(r["definer"], r["security_type"]) for r in rows} == {
        ("cardstock_owner@localhost", "DEFINER")}


def test_outcomes_are_codes_of_the_error_table():
    codes = set(re.findall(r'ERROR\(\w+, "(\w+)"',
                           (SRC / "src/base/error.def").read_text()))
    found = set()
    for path in (SRC / "sql/routines").glob("*.sql"):
        text = path.read_text()
        if path.name.startswith(("70", "75", "80", "90")):
            continue
        for block in re.findall(r"_outcome = (CASE.*?END|IF\(.*?\)|'\w+')",
                                text, re.S):
            found |= set(re.findall(r"(?:THEN|ELSE|, |= |^) *'(\w+)'", block))
        found |= set(re.findall(r"v_outcome\b[^;]*DEFAULT '(\w+)'", text))
        found |= set(re.findall(r"IF\([^;]*?'(\w+)', 'ok'\) AS outcome", text))
    states = {"test", "terminated", "pending_top_up", "frozen", "operator",
              "confirmed", "pending", "overdrawn", "deposit_reversed",
              "declined", "refund", "force_post", "settled", "refunded",
              "wallet", "prepaid"}
    words = found - states
    assert {"not_found", "insufficient_funds", "replay", "card_not_active",
            "address_pool_empty"} <= words
    # The operator's sentence, in 70_admin.sql.
    assert words - {"ok", "replay", "card_overdrawn"} <= codes


def test_the_sql_is_ascii():
    """So that it means the same whatever character set a client speaks."""
    for path in (SRC / "sql").rglob("*.sql"):
        assert path.read_bytes().isascii(), path
