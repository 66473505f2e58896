# SPDX-License-Identifier: Apache-2.0
"""cardstock-audit: clean while money moves, and every tampering that the
database's administrator can think of is found."""

import contextlib
import threading

import pytest

from server import BIN, Database, Server

APPEND_ONLY = ("ledger_journals", "ledger_entries", "ledger_seals",
               "audit_log")


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.close()


class Books:
    """A database in which money has moved in every way that there is."""

    def __init__(self, server):
        self.db = db = Database(server)
        done = db.migrate()
        assert done.returncode == 0, done.stdout
        self.account = db.one("CALL admin_account_create('Acme')")
        self.wallet = db.one("SELECT id FROM wallets WHERE mode = 'test'")
        db.sql("CALL admin_wallet_adjust(%s, 'test', 100000, 'opening')",
               self.account)
        db.sql("CALL admin_wallet_adjust(%s, 'test', -250, 'correction')",
               self.account)
        db.sql("CALL admin_wallet_adjust(%s, 'live', 5000, 'opening')",
               self.account)
        self.call("simulate_deposit(%s, 'dep_0123456789abcdefghij', 'usdt',"
                  " NULL, 50000, 'hash1', TRUE)", self.wallet)
        self.call("simulate_deposit(%s, 'dep_1123456789abcdefghij', 'btc',"
                  " NULL, 700, 'hash2', FALSE)", self.wallet)
        self.cards = [self.card(n, cents)
                      for n, cents in enumerate((10000, 2500, 1000, 0))]
        self.call("card_fund(%s, %s, 700)", self.wallet, self.cards[0])
        self.call("card_fund(%s, %s, 900)", self.wallet, self.cards[0])
        self.call("card_withdraw(%s, %s, 300)", self.wallet, self.cards[1])
        self.call("card_freeze(%s, %s, 'customer')", self.wallet, self.cards[1])
        self.call("card_terminate(%s, %s)", self.wallet, self.cards[2])
        self.triggers = [
            self.db.sql(f"SHOW CREATE TRIGGER {table}_no_{verb}")[0][2]
            for table in APPEND_ONLY for verb in ("update", "delete")]
        self.keep()

    def call(self, call, *parameters):
        """A routine in a transaction; its outcome must be ok."""
        self.db.sql("START TRANSACTION")
        outcome = self.db.one("CALL " + call, *parameters)
        assert outcome == "ok", (call, outcome)
        self.db.sql("COMMIT")

    def card(self, number, cents):
        public = f"card_{number:020d}"
        self.call("card_create(%s, %s, %s, 'c', 'sealed', 1,"
                  " UNHEX(SHA2(%s, 256)), '1234', %s, NULL, '[]', 0, '{}',"
                  " 'unlocked', 'prepaid', 'monthly', FALSE, NULL)",
                  self.wallet, public, BIN, public, cents)
        return public

    def keep(self):
        """A copy of all rows, to begin each test with."""
        self.columns = {}
        self.db.sql(f"CREATE DATABASE {self.db.name}_kept")
        for table, column in self.db.sql(
                "SELECT table_name, column_name FROM information_schema.columns"
                " JOIN information_schema.tables USING (table_schema,"
                " table_name) WHERE table_schema = DATABASE() AND table_type ="
                " 'BASE TABLE' AND is_generated = 'NEVER'"):
            self.columns.setdefault(table, []).append(f"`{column}`")
        for table in self.columns:
            self.db.sql(f"CREATE TABLE {self.db.name}_kept.{table} AS"
                        f" SELECT * FROM {table}")
        self.key = self.db.keys.read_text()

    def restore(self):
        self.db.root.rollback()
        with self.unprotected():
            self.db.sql("START TRANSACTION")
            for table, names in self.columns.items():
                columns = ", ".join(names)
                self.db.sql(f"DELETE FROM {table}")
                self.db.sql(f"INSERT INTO {table} ({columns}) SELECT {columns}"
                            f" FROM {self.db.name}_kept.{table}")
            self.db.sql("COMMIT")
        self.db.keys.chmod(0o600)
        self.db.keys.write_text(self.key)

    @contextlib.contextmanager
    def unprotected(self):
        """As the owner who first takes the guards away, and puts them back."""
        for table in APPEND_ONLY:
            for verb in ("update", "delete"):
                self.db.sql(f"DROP TRIGGER IF EXISTS {table}_no_{verb}")
        self.db.sql("SET foreign_key_checks = 0, check_constraint_checks = 0")
        yield
        self.db.sql("SET foreign_key_checks = 1, check_constraint_checks = 1")
        for trigger in self.triggers:
            self.db.sql(trigger)

    def tamper(self, script):
        with self.unprotected():
            self.db.script(script)

    def age(self):
        """As if all that happened had happened two minutes ago."""
        self.tamper("UPDATE ledger_journals"
                    " SET created_at = created_at - INTERVAL 2 MINUTE")

    def clean(self, *arguments):
        done = self.db.audit(*arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def found(self, *arguments):
        done = self.db.audit(*arguments)
        assert done.returncode == 1, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def written(server):
    books = Books(server)
    books.clean()
    return books


@pytest.fixture
def books(written):
    yield written
    written.restore()


# The wallet's and the first card's ledger account, in any statement.
W = ("(SELECT id FROM (SELECT id FROM ledger_accounts WHERE owner_key ="
     " 'wallet:test:{wallet}') AS w)")
C = ("(SELECT id FROM (SELECT id FROM ledger_accounts WHERE owner_key ="
     " 'card:test:1') AS c)")

# What is done, and the beginning of a line that must tell of it.
TAMPERINGS = {
    "an entry's amount": (
        f"UPDATE ledger_entries SET amount_cents = amount_cents + 100"
        f" WHERE ledger_account_id = {C} AND number = 2",
        "entry_chains: account card:test:1 entry 2: expected balance"),
    "both amounts of a journal": (
        f"UPDATE ledger_entries SET amount_cents = amount_cents * 2 WHERE"
        f" journal_id = (SELECT MAX(id) FROM ledger_journals"
        f" WHERE kind = 'card_funded')",
        "entry_chains: account wallet:test:"),
    "an entry's balance": (
        f"UPDATE ledger_entries SET balance_cents = balance_cents + 1"
        f" WHERE ledger_account_id = {C} AND number = 2",
        "entry_chains: account card:test:1 entry 2: expected balance"),
    "an entry deleted": (
        f"DELETE FROM ledger_entries WHERE ledger_account_id = {C}"
        f" AND number = 3",
        "entry_chains: account card:test:1: expected balance 10700,"
        " found 11600"),
    "an entry deleted: its journal": (
        f"DELETE FROM ledger_entries WHERE ledger_account_id = {C}"
        f" AND number = 3",
        "journals: journal"),
    "an entry renumbered": (
        f"UPDATE ledger_entries SET number = 4"
        f" WHERE ledger_account_id = {C} AND number = 3",
        "entry_chains: account card:test:1 entry 4: expected number 3"),
    "an account of no entry": (
        "UPDATE ledger_entries SET ledger_account_id = 99999"
        f" WHERE ledger_account_id = {C} AND number = 3",
        "entry_chains: entry 3 of account 99999: expected an account"),
    "a card's balance": (
        f"UPDATE ledger_accounts SET balance_cents = balance_cents + 100"
        f" WHERE owner_key = 'card:test:1'",
        "entry_chains: account card:test:1: expected balance 11600,"
        " found 11700"),
    "two balances that cancel out": (
        f"UPDATE ledger_accounts SET balance_cents = balance_cents"
        f" + IF(owner_key = 'card:test:1', 100, -100)"
        f" WHERE owner_key IN ('card:test:1', 'card:test:2')",
        "entry_chains: account card:test:2: expected balance"),
    "a balance: the sum of all": (
        f"UPDATE ledger_accounts SET balance_cents = balance_cents + 100"
        f" WHERE owner_key = 'card:test:1'",
        "audit_mode_sums: ledger in test: expected 0, found 100"),
    "a wallet and its total": (
        "UPDATE ledger_accounts SET balance_cents = balance_cents + 100"
        " WHERE owner_key = 'wallet:test:{wallet}';\n"
        "UPDATE wallets SET total_deposited_cents = total_deposited_cents"
        " + 100 WHERE id = {wallet}",
        "entry_chains: account wallet:test:"),
    "an entry count": (
        "UPDATE ledger_accounts SET entry_count = 9"
        " WHERE owner_key = 'card:test:1'",
        "entry_chains: account card:test:1: expected entry_count 3, found 9"),
    "a balance below zero": (
        "UPDATE ledger_accounts SET balance_cents = -1"
        " WHERE owner_key = 'wallet:test:{wallet}'",
        "audit_balance_signs: account wallet:test:"),
    "a hold of nothing": (
        "UPDATE ledger_accounts SET balance_cents = 500"
        " WHERE owner_key = 'hold:test:1'",
        "audit_holds: account hold:test:1: expected 0, found 500"),
    "money on a terminated card": (
        "UPDATE ledger_accounts SET balance_cents = 500"
        " WHERE owner_key = 'card:test:3'",
        "audit_balance_signs: account card:test:3: expected at most 0, found 500"),
    "a journal deleted": (
        "DELETE FROM ledger_journals WHERE kind = 'card_withdrawn'",
        "journals: entry"),
    "a journal of nothing": (
        "INSERT INTO ledger_journals (kind, created_at)"
        " VALUES ('authorization', UTC_TIMESTAMP(6))",
        "journals: journal"),
    "a journal's kind": (
        "UPDATE ledger_journals SET kind = 'refund'"
        " WHERE kind = 'card_withdrawn'",
        "journals: journal"),
    "a journal's kind: its event": (
        "UPDATE ledger_journals SET kind = 'card_terminated'"
        " WHERE kind = 'card_withdrawn'",
        "audit_journal_events: journal"),
    "a journal between wallets": (
        "UPDATE ledger_entries SET ledger_account_id = (SELECT id FROM"
        " ledger_accounts WHERE kind = 'wallet' AND mode = 'live'), number = 2"
        f" WHERE ledger_account_id = {W} AND number = 4",
        "journals: journal"),
    "a wallet's total_deposited": (
        "UPDATE wallets SET total_deposited_cents = total_deposited_cents + 1"
        " WHERE id = {wallet}",
        "audit_wallet_identity: wallet"),
    "both totals of a wallet": (
        "UPDATE wallets SET total_deposited_cents = total_deposited_cents + 1,"
        " total_spent_cents = total_spent_cents + 1 WHERE id = {wallet}",
        "audit_wallet_totals: wallet"),
    "a card deleted": (
        "DELETE FROM cards WHERE id = 4",
        "audit_card_numbers: wallet"),
    "a card's number": (
        "UPDATE cards SET number = 9 WHERE id = 4",
        "audit_card_numbers: wallet"),
    "a card's status": (
        "UPDATE cards SET status = 'active', frozen_reason = NULL"
        " WHERE id = 2",
        "audit_card_counts: wallet"),
    "a count of cards": (
        "UPDATE card_counts SET cards = cards + 1 WHERE status = 'active'",
        "audit_card_counts: wallet"),
    "a card on another's account": (
        "UPDATE cards SET ledger_account_id = NULL WHERE id = 2;\n"
        "UPDATE cards SET ledger_account_id = (SELECT id FROM ledger_accounts"
        " WHERE owner_key = 'card:test:2') WHERE id = 3",
        "audit_account_owners: card card_00000000000000000002: expected"
        " card:test:3, found card:test:2"),
    "a deposit's amounts": (
        "UPDATE deposits SET fee_usd_cents = fee_usd_cents + 1,"
        " credited_usd_cents = credited_usd_cents - 1"
        " WHERE status = 'confirmed'",
        "audit_deposits: deposit dep_0123456789abcdefghij: expected credited"
        " 48999 fee 1001 cleared 50000, found credited 49000 fee 1000"),
    "a deposit undone": (
        "UPDATE deposits SET status = 'pending', confirmed_at = NULL"
        " WHERE status = 'confirmed'",
        "audit_deposits: journal"),
    "a deposit invented": (
        "UPDATE deposits SET status = 'confirmed',"
        " confirmed_at = UTC_TIMESTAMP() WHERE status = 'pending'",
        "audit_deposits: deposit dep_1123456789abcdefghij"),
    "a deposit deleted": (
        "DELETE FROM deposits WHERE status = 'confirmed'",
        "audit_deposits: journal"),
    "an event deleted": (
        "DELETE FROM events WHERE type = 'card.withdrawn'",
        "audit_journal_events: journal"),
    "an event deleted: its number": (
        "DELETE FROM events WHERE type = 'card.frozen'",
        "audit_event_sequences: card card_00000000000000000001"),
    "a wallet's event deleted": (
        "DELETE FROM events WHERE type = 'deposit.pending' LIMIT 1",
        "audit_event_sequences: wallet"),
    "a wallet's event renumbered": (
        "UPDATE events SET sequence = 1 WHERE card_id IS NULL",
        "audit_event_sequences: wallet"),
    "an event of no journal": (
        "UPDATE events SET journal_id = NULL WHERE type = 'card.withdrawn'",
        "audit_journal_events: event"),
    "an event of another journal": (
        "UPDATE events SET journal_id = 1 WHERE type = 'card.withdrawn'",
        "audit_journal_events: event"),
    "an adjustment's reason deleted": (
        "DELETE FROM audit_log WHERE action = 'wallet_adjust' LIMIT 1",
        "audit_adjustments: journal"),
    "an adjustment's reason given away": (
        "UPDATE audit_log SET detail = JSON_SET(detail, '$.journal_id', 9999)"
        " WHERE action = 'wallet_adjust' LIMIT 1",
        "audit_adjustments: journal 9999: expected 0 rows of audit_log, found 1"),
    "money posted without a word": (
        "CALL ledger_post('adjustment', NULL, (SELECT MIN(id) FROM"
        " ledger_accounts WHERE kind = 'adjustment' AND mode = 'test'),"
        f" {W}, 7777, FALSE, @journal);\n"
        "UPDATE wallets SET total_deposited_cents = total_deposited_cents"
        " + 7777 WHERE id = {wallet}",
        "audit_adjustments: journal"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found(books, name):
    script, line = TAMPERINGS[name]
    books.tamper(script.replace("{wallet}", str(books.wallet)))
    told = books.found()
    assert any(found.startswith(line) for found in told.splitlines()), told
    assert "BROKEN" not in told
    assert "disagreements" in told.splitlines()[-1]


def removed(books, share):
    """Books whose oldest events the keeper has removed."""
    books.db.sql("UPDATE events SET created_at = created_at - INTERVAL 40 DAY"
                 " ORDER BY id LIMIT %s",
                 int(books.db.one("SELECT COUNT(*) FROM events") * share))
    books.clean()
    assert books.db.one("CALL keeper_events(1000, 30)") > 3
    assert books.db.one("SELECT COUNT(*) FROM event_floors") > 1
    books.clean()


@pytest.mark.parametrize("share", [0.5, 1])
def test_what_retention_removed_is_not_missed(books, share):
    removed(books, share)
    books.call("card_fund(%s, %s, 100)", books.wallet, books.cards[0])
    books.call("simulate_deposit(%s, 'dep_2123456789abcdefghij', 'usdt',"
               " NULL, 500, 'hash3', TRUE)", books.wallet)
    books.clean()


@pytest.mark.parametrize("tampering, lines", [
    ("DELETE FROM events WHERE type = 'card.funded' ORDER BY id DESC LIMIT 1",
     ["audit_journal_events: journal", "audit_event_sequences: card"]),
    ("DELETE FROM events WHERE type = 'deposit.confirmed'"
     " ORDER BY id DESC LIMIT 1",
     ["audit_journal_events: journal", "audit_event_sequences: wallet"]),
    ("DELETE FROM events ORDER BY id LIMIT 1", ["audit_event_sequences:"]),
    ("DELETE FROM event_floors WHERE card_id <> 0",
     ["audit_event_sequences: card", "audit_journal_events: journal"]),
    ("DELETE FROM event_floors WHERE card_id = 0",
     ["audit_event_sequences: wallet", "audit_journal_events: journal"]),
])
def test_retention_hides_nothing_newer(books, tampering, lines):
    removed(books, 0.5)
    books.call("card_fund(%s, %s, 100)", books.wallet, books.cards[0])
    books.call("simulate_deposit(%s, 'dep_2123456789abcdefghij', 'usdt',"
               " NULL, 500, 'hash3', TRUE)", books.wallet)
    books.tamper(tampering)
    told = books.found()
    for line in lines:
        assert line in told, told


def test_guards_are_missed(books):
    books.db.sql("DROP TRIGGER ledger_entries_no_update")
    assert ("audit_triggers: table ledger_entries: expected a trigger that"
            " refuses UPDATE, found none") in books.found()
    books.db.sql("CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON"
                 " ledger_entries FOR EACH ROW SET @harmless = 'SIGNAL '")
    assert "found another: ledger_entries_no_update" in books.found()
    books.db.sql("DROP TRIGGER events_fan_out")
    assert ("audit_triggers: table events: expected a trigger that queues"
            " deliveries, found none") in books.found()
    assert books.db.migrate("--force").returncode == 0
    books.clean()


def test_rights_are_missed(books):
    name = f"intruder_{books.db.name}"
    books.db.sql(f"CREATE USER {name}@localhost")
    try:
        for right in ("INSERT ON ledger_entries", "DELETE ON ledger_journals",
                      "UPDATE (balance_cents) ON ledger_accounts",
                      f"UPDATE ON {books.db.name}.*", "DROP ON *.*"):
            books.db.sql(f"GRANT {right} TO {name}@localhost")
            told = books.found()
            assert f"audit_grants: '{name}'@'localhost' on" in told
            books.db.sql(f"REVOKE {right} FROM {name}@localhost")
            books.clean()
        books.db.sql(f"GRANT SELECT ON ledger_entries TO {name}@localhost")
        books.clean()
    finally:
        books.db.sql(f"DROP USER {name}@localhost")


def test_changed_view_hides_nothing(books):
    books.db.sql("CREATE OR REPLACE VIEW audit_card_counts AS SELECT '' AS"
                 " subject, '' AS expected, '' AS found FROM wallets WHERE 0")
    books.db.sql("UPDATE card_counts SET cards = cards + 1"
                 " WHERE status = 'active'")
    assert "audit_card_counts: wallet" in books.found()
    assert books.db.migrate("--force").returncode == 0


def test_operators_see_the_same(books):
    books.db.sql("UPDATE card_counts SET cards = cards + 1"
                 " WHERE status = 'active'")
    assert books.db.sql("SELECT * FROM audit_card_counts") == (
        (f"wallet {books.wallet} bin {BIN} active", "1", "2"),)


def test_quiet(books):
    assert books.clean("--quiet") == ""
    books.db.sql("UPDATE card_counts SET cards = 7 WHERE status = 'active'")
    assert "audit_card_counts" in books.found("--quiet")


def test_could_not_look(books):
    assert books.db.audit("--nonsense").returncode == 2
    keys = books.db.keys.read_text()
    books.db.keys.unlink()
    assert books.db.audit().returncode == 2
    books.db.keys.write_text(keys)
    books.db.keys.chmod(0o400)
    books.db.sql("RENAME TABLE card_counts TO card_counts_gone")
    assert books.db.audit().returncode == 2
    books.db.sql("RENAME TABLE card_counts_gone TO card_counts")
    books.clean()


def test_clean_while_money_moves(books):
    stop = threading.Event()
    moved = []

    def move():
        with books.server_connection() as connection:
            cursor = connection.cursor()
            while not stop.is_set():
                for call in ("card_fund", "card_withdraw"):
                    cursor.execute("START TRANSACTION")
                    cursor.execute(f"CALL {call}(%s, %s, 100)",
                                   (books.wallet, books.cards[0]))
                    moved.append(cursor.fetchone()[0])
                    while cursor.nextset():
                        pass
                    cursor.execute("COMMIT")

    books.server_connection = lambda: books.db.server.connect(books.db.name)
    thread = threading.Thread(target=move)
    thread.start()
    try:
        for _ in range(10):
            books.clean()
    finally:
        stop.set()
        thread.join()
    assert len(moved) > 10 and set(moved) == {"ok"}


# --- seals -------------------------------------------------------------------

def sealed(books):
    """Books whose history so far is sealed."""
    books.age()
    told = books.clean("--seal")
    assert told.startswith("seal 1: journals 1 to ")
    assert "1 seals" in books.clean()


def test_young_journals_wait(books):
    assert "0 seals" in books.clean("--seal")
    assert books.db.sql("SELECT * FROM ledger_seals") == ()


def test_seals_follow_each_other(books):
    sealed(books)
    books.call("card_fund(%s, %s, 500)", books.wallet, books.cards[0])
    assert "seal 2" not in books.clean("--seal")
    with books.unprotected():
        books.db.sql("UPDATE ledger_journals SET created_at = created_at"
                     " - INTERVAL 2 MINUTE ORDER BY id DESC LIMIT 1")
    newest = books.db.one("SELECT MAX(id) FROM ledger_journals")
    told = books.clean("--seal")
    assert told.startswith("seal 2: journals ") and f"to {newest}, " in told
    assert "2 seals" in books.clean("--seal")


def rewrite(books):
    """A funding of 7.00 was 8.00, and everything agrees that it was."""
    books.tamper(f"""
        SET @journal = (SELECT MIN(id) FROM ledger_journals
                         WHERE kind = 'card_funded');
        SET @card = {C};
        SET @wallet = {W};
        UPDATE ledger_entries SET amount_cents = IF(amount_cents < 0, -800, 800)
         WHERE journal_id = @journal;
        UPDATE ledger_entries SET balance_cents = balance_cents + 100
         WHERE ledger_account_id = @card AND journal_id >= @journal;
        UPDATE ledger_entries SET balance_cents = balance_cents - 100
         WHERE ledger_account_id = @wallet AND journal_id >= @journal;
        UPDATE ledger_accounts SET balance_cents = balance_cents + 100
         WHERE id = @card;
        UPDATE ledger_accounts SET balance_cents = balance_cents - 100
         WHERE id = @wallet;
        UPDATE wallets SET total_spent_cents = total_spent_cents + 100
         WHERE id = {books.wallet};
        """.replace("{wallet}", str(books.wallet)))


def test_consistent_rewriting(books):
    rewrite(books)
    books.clean()  # nothing but a seal can know
    sealed(books)


def test_consistent_rewriting_after_a_seal(books):
    sealed(books)
    rewrite(books)
    told = books.found()
    assert "seals: seal 1: expected journals 1 to" in told
    assert len(told.splitlines()) == 2


SEAL_TAMPERINGS = {
    "a journal's time": (
        "UPDATE ledger_journals SET created_at = created_at"
        " - INTERVAL 1 SECOND WHERE id = 2"),
    "a journal's reference": (
        "UPDATE ledger_journals SET reference = 'another' WHERE id = 1"),
    "a journal slipped in": (
        "DELETE FROM ledger_entries WHERE journal_id = 3;\n"
        "DELETE FROM ledger_journals WHERE id = 3"),
    "the digest": "UPDATE ledger_seals SET digest = REPEAT('x', 32)",
    "the range": "UPDATE ledger_seals SET last_journal = last_journal - 1",
    "the beginning": "UPDATE ledger_seals SET first_journal = 2",
    "the number": "UPDATE ledger_seals SET id = 2",
}


@pytest.mark.parametrize("name", SEAL_TAMPERINGS)
def test_seal_finds(books, name):
    sealed(books)
    books.tamper(SEAL_TAMPERINGS[name])
    assert "seals: seal" in books.found("--seal")
    assert books.db.one("SELECT COUNT(*) FROM ledger_seals") == 1


def test_seal_of_another_key(books):
    sealed(books)
    books.db.keys.chmod(0o600)
    books.db.keys.write_text("1 " + "ab" * 32 + "\n")
    assert "seals: seal 1" in books.found()
