# SPDX-License-Identifier: Apache-2.0
"""One database for all tests of routines and privileges, loaded by the owner
as an operator makes it (docs/administration.md); a fresh account a test."""

import contextlib
import itertools
import subprocess

import pymysql
import pytest

from server import BIN, SRC, Server

DATABASE = "cardstock"
PASSWORD = "tests only"
numbers = itertools.count(1)


def load(server, user, password, database):
    """Schema and routines through the client, in the order of their names."""
    for folder in ("schema", "routines"):
        for path in sorted((SRC / "sql" / folder).glob("*.sql")):
            done = subprocess.run(
                ["mariadb", "--no-defaults", f"--socket={server.socket}",
                 f"--user={user}", f"--password={password}", database],
                stdin=path.open(), capture_output=True, text=True)
            assert done.returncode == 0, f"{path.name}: {done.stderr}"


class Installation:
    def __init__(self):
        self.server = Server()
        with self.server.connect(None) as root:
            cursor = root.cursor()
            for statement in self.statements():
                cursor.execute(statement)
        load(self.server, "cardstock_owner", PASSWORD, DATABASE)
        self.owner = self.connect("cardstock_owner")
        self.api = self.connect("cardstock_api_user")
        self.admin = self.connect("cardstock_admin_user")
        self.keeper = self.connect("cardstock_keeper_user")
        self.courier = self.connect("cardstock_courier_user")

    def statements(self):
        yield f"CREATE DATABASE {DATABASE}"
        yield f"CREATE USER cardstock_owner@localhost IDENTIFIED BY '{PASSWORD}'"
        yield (f"GRANT ALL ON {DATABASE}.* TO cardstock_owner@localhost"
               " WITH GRANT OPTION")
        yield "GRANT CREATE USER ON *.* TO cardstock_owner@localhost"
        for role in ("api", "admin", "keeper", "courier"):
            user = f"cardstock_{role}_user@localhost"
            yield f"CREATE ROLE cardstock_{role}"
            yield f"CREATE USER {user} IDENTIFIED BY '{PASSWORD}'"
            yield f"GRANT cardstock_{role} TO {user}"
            yield f"SET DEFAULT ROLE cardstock_{role} FOR {user}"

    def connect(self, user):
        connection = self.server.connect(
            DATABASE, user, password=PASSWORD,
            cursorclass=pymysql.cursors.DictCursor)
        connection.cursor().execute(
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        return connection


def query(connection, statement, *parameters):
    """All rows of the only result."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        rows = list(cursor.fetchall())
        while cursor.nextset():
            assert cursor.description is None, f"second result: {statement}"
        return rows


def call(connection, routine, *parameters):
    """A worker's routine in a transaction, rolled back unless it is ok."""
    query(connection, "START TRANSACTION")
    marks = ", ".join(["%s"] * len(parameters))
    try:
        rows = query(connection, f"CALL {routine}({marks})", *parameters)
    except pymysql.MySQLError:
        query(connection, "ROLLBACK")
        raise
    assert len(rows) == 1 and next(iter(rows[0])) == "outcome"
    row = rows[0]
    if row["outcome"] == "ok":
        query(connection, "COMMIT")
    else:
        query(connection, "ROLLBACK")
        assert [v for v in row.values() if v is not None] == [row["outcome"]]
    return row


DISAGREEMENTS = {
    "a mode's ledger sums to zero": """
      SELECT mode FROM ledger_accounts
       GROUP BY mode HAVING SUM(balance_cents) <> 0""",
    "a journal sums to zero": """
      SELECT journal_id FROM ledger_entries
       GROUP BY journal_id HAVING SUM(amount_cents) <> 0 OR COUNT(*) < 2""",
    "no journal is empty": """
      SELECT id FROM ledger_journals
       WHERE id NOT IN (SELECT journal_id FROM ledger_entries)""",
    "balances and counts are those of the entries": """
      SELECT l.id FROM ledger_accounts AS l
        LEFT JOIN ledger_entries AS e ON e.ledger_account_id = l.id
       GROUP BY l.id, l.balance_cents, l.entry_count
      HAVING l.balance_cents <> COALESCE(SUM(e.amount_cents), 0)
          OR l.entry_count <> COUNT(e.number)
          OR l.entry_count <> COALESCE(MAX(e.number), 0)""",
    "running balances follow": """
      SELECT * FROM (SELECT ledger_account_id, number, balance_cents,
        SUM(amount_cents) OVER (PARTITION BY ledger_account_id ORDER BY number)
          AS running FROM ledger_entries) AS e
       WHERE balance_cents <> running""",
    "deposited less spent is the balance": """
      SELECT wallet_id FROM wallet_rows
       WHERE total_deposited_cents - total_spent_cents <> balance_cents""",
    "no wallet is below zero": """
      SELECT id FROM ledger_accounts
       WHERE kind IN ('wallet', 'hold') AND balance_cents < 0""",
    "counts of cards": """
      SELECT * FROM (SELECT wallet_id, bin_id, status, COUNT(*) AS cards
        FROM cards GROUP BY wallet_id, bin_id, status) AS c
        RIGHT JOIN card_counts AS n USING (wallet_id, bin_id, status)
       WHERE COALESCE(c.cards, 0) <> n.cards""",
    "numbers of cards": """
      SELECT w.id FROM wallets AS w LEFT JOIN cards AS c ON c.wallet_id = w.id
       GROUP BY w.id, w.card_count HAVING w.card_count <> COUNT(c.id)
          OR w.card_count <> COALESCE(MAX(c.number), 0)""",
    "events of a card have no gap": """
      SELECT c.id FROM cards AS c LEFT JOIN events AS e ON e.card_id = c.id
        LEFT JOIN event_floors AS f ON f.card_id = c.id
       GROUP BY c.id, c.event_sequence, f.sequence
      HAVING c.event_sequence <> COUNT(e.id) + COALESCE(f.sequence, 0)
          OR c.event_sequence <> COALESCE(MAX(e.sequence), f.sequence, 0)""",
    "events of a wallet have no gap": """
      SELECT w.id FROM wallets AS w
        LEFT JOIN events AS e ON e.wallet_id = w.id AND e.card_id IS NULL
        LEFT JOIN event_floors AS f ON f.wallet_id = w.id AND f.card_id = 0
       GROUP BY w.id, w.event_sequence, f.sequence
      HAVING w.event_sequence <> COUNT(DISTINCT e.sequence)
                                 + COALESCE(f.sequence, 0)
          OR w.event_sequence <> COUNT(e.id) + COALESCE(f.sequence, 0)
          OR w.event_sequence <> COALESCE(MAX(e.sequence), f.sequence, 0)""",
    "money that moved is told of": """
      SELECT j.id FROM ledger_journals AS j
        LEFT JOIN events AS e ON e.journal_id = j.id
       WHERE j.kind <> 'adjustment'
         AND NOT EXISTS (SELECT 1 FROM ledger_entries AS l
                           JOIN ledger_accounts AS a
                             ON a.id = l.ledger_account_id
                           JOIN event_floors AS f ON f.wallet_id = a.wallet_id
                          WHERE l.journal_id = j.id AND f.journal_id >= j.id)
       GROUP BY j.id HAVING COUNT(e.id) <> 1""",
}


class World:
    """A new account, its wallets and what tests ask of them."""

    def __init__(self, installation):
        self.installation = installation
        self.owner, self.api, self.admin = (
            installation.owner, installation.api, installation.admin)
        self.account = query(self.admin,
                             "CALL admin_account_create('Acme')")[0]["account_id"]
        self.wallets = {
            row["mode"]: row["id"] for row in query(
                self.owner, "SELECT w.id, w.mode FROM wallets AS w JOIN"
                " accounts AS a ON a.id = w.account_id WHERE a.public_id = %s",
                self.account)}
        self.wallet = self.wallets["test"]

    def call(self, routine, *parameters):
        return call(self.api, routine, self.wallet, *parameters)

    def give(self, cents, mode="test"):
        query(self.admin, "CALL admin_wallet_adjust(%s, %s, %s, 'test')",
              self.account, mode, cents)

    def card_parameters(self, **changes):
        number = next(numbers)
        values = dict(
            public_id=f"card_{number:020d}", bin_id=BIN, label="Ads",
            pan_sealed=b"sealed", pan_key_id=1,
            pan_hash=number.to_bytes(32, "big"), last4="1234",
            amount_cents=10000, spending_limit_cents=None,
            allowed_categories="[]", auto_freeze_at_cents=0, metadata="{}",
            type="unlocked", funding="prepaid", limit_window="monthly",
            frozen=False, expires_at=None)
        assert changes.keys() <= values.keys()
        return list((values | changes).values())

    def create(self, **changes):
        return self.call("card_create", *self.card_parameters(**changes))

    def card(self, cents=10000, **changes):
        """The id of a new card; its money is given to the wallet before."""
        if cents:
            self.give(cents)
        row = self.create(amount_cents=cents, **changes)
        assert row["outcome"] == "ok"
        return row["public_id"]

    def row(self, public_id):
        return query(self.api, "SELECT * FROM card_rows WHERE public_id = %s",
                     public_id)[0]

    def balance(self):
        return query(self.api, "SELECT balance_cents FROM wallet_rows"
                     " WHERE wallet_id = %s", self.wallet)[0]["balance_cents"]

    def events(self, public_id=None):
        """Types, in order: of a card, or of what belongs to no card."""
        if public_id is None:
            rows = query(self.owner, "SELECT type FROM events WHERE wallet_id"
                         " = %s AND card_id IS NULL ORDER BY sequence",
                         self.wallet)
        else:
            rows = query(self.owner, "SELECT e.type FROM events AS e JOIN cards"
                         " AS c ON c.id = e.card_id WHERE c.public_id = %s"
                         " ORDER BY e.sequence", public_id)
        return [row["type"] for row in rows]


@pytest.fixture(scope="session")
def installation():
    installation = Installation()
    with contextlib.closing(installation.server):
        yield installation


@pytest.fixture
def world(installation):
    yield World(installation)
    check_books(installation.owner)


def check_books(owner):
    for claim, statement in DISAGREEMENTS.items():
        assert query(owner, statement) == [], claim
