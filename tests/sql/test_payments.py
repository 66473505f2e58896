# SPDX-License-Identifier: Apache-2.0
"""The routines of payments: ok, again, conflict, wrong; the rules of the
life of a payment that the database decides; races; windows against a sum
made here; the audit's views, clean after each and not blind."""

import calendar
import contextlib
import datetime
import itertools
import json
import random
import statistics
import threading
import time

import pymysql
import pytest

from conftest import call, check_books, query
from server import SRC

numbers = itertools.count(1)
SECOND = datetime.timedelta(seconds=1)
SHOP = ("SHOP", "5812", "US", "Austin", "m1")
FACTS = """outcome card_id card_public_id wallet_id mode now status expires_at
  pan_sealed account_status type locked_merchant allowed_categories limit_cents
  limit_window limit_used_cents bin_max_transaction_cents bin_max_monthly_cents
  month_used_cents count_limit approval_count single_use_spent balance_cents
  category country_blocked transaction_public_id""".split()
TRANSACTION = """id public_id wallet_id card_id card_public_id card_last4
  network_ref kind type status requested_cents authorized_cents reversed_cents
  cleared_cents expired_cents refunded_cents hold_cents amount_cents
  balance_after_cents merchant_name merchant_mcc merchant_country merchant_city
  merchant_id category merchant_amount_cents merchant_currency response_code
  authorization_code decline_reason decline_reasons three_ds
  original_public_id hold_expires_at created_at updated_at""".split()
# And what the Privacy dialect shows beside.
WITH_CARD = TRANSACTION + """merchant_authorized_cents card_created_at
  card_expires_at card_type card_label card_status card_limit_cents
  card_limit_window card_merchant_name card_single_use_spent""".split()


def new_ref(prefix="ref"):
    return f"{prefix}-{next(numbers)}"


def marks(parameters):
    return ", ".join(["%s"] * len(parameters))


class Network:
    """Messages as a worker passes them on; decides by the funds alone."""

    def __init__(self, connection, scope=None):
        self.connection, self.scope = connection, scope

    def query(self, statement, *parameters):
        return query(self.connection, statement, *parameters)

    def read(self, card, ref=None, mcc="5812", country="US", pan_hash=None):
        """Begins the database transaction."""
        rows = self.query(
            f"CALL authorization_open({marks(range(6))})", self.scope, card,
            pan_hash, ref, mcc, country)
        assert len(rows) == 1 and list(rows[0]) == FACTS + ["event_number"]
        return rows[0]

    def close(self, facts, amount, ref=None, approved=True, cents=None,
              kind="purchase", merchant=SHOP, bind=False):
        transaction = f"txn_{next(numbers):020d}"
        if facts["card_id"] is None:
            approved, reason, code = False, "card_unknown", "14"
        else:
            reason, code = "insufficient_funds", "51"
        parameters = (
            facts["card_id"], transaction, ref, kind, amount,
            (amount if cents is None else cents) if approved else 0, approved,
            "00" if approved else code, "A1B2C3" if approved else None,
            None if approved else reason,
            None if approved else json.dumps([reason]), *merchant,
            facts["category"], None, None, None, bind)
        assert self.query(f"CALL authorization_close({marks(parameters)})",
                          *parameters) == []
        return transaction

    def authorize(self, card, amount, ref=None, **options):
        """(transaction, approved); of a repeated reference, its own."""
        facts = self.read(card, ref)
        if facts["outcome"] == "replay":
            self.query("ROLLBACK")
            transaction = facts["transaction_public_id"]
            event = self.event(transaction, facts["event_number"])
            return transaction, bool(event["approved"])
        options.setdefault("approved", facts["balance_cents"] >= amount)
        return (self.close(facts, amount, ref, **options),
                options["approved"])

    def hold(self, card, amount, ref=None, **options):
        transaction, approved = self.authorize(card, amount, ref, **options)
        assert approved
        return transaction

    def message(self, routine, *parameters):
        """A routine that answers a transaction, kept where it is ok."""
        self.query("START TRANSACTION")
        try:
            rows = self.query(f"CALL {routine}({marks(range(len(parameters) + 1))})",
                              self.scope, *parameters)
        except pymysql.MySQLError:
            self.query("ROLLBACK")
            raise
        assert len(rows) == 1
        row = rows[0]
        assert list(row) == ["outcome"] + TRANSACTION + [
            "event_number", "event_amount_cents"]
        if row["outcome"] in ("ok", "replay"):
            assert row["event_number"] is not None
            if row["event_number"] > 0:
                assert row["event_amount_cents"] == self.event(
                    row["public_id"], row["event_number"])["amount_cents"]
        else:
            assert [v for v in row.values() if v is not None] == [
                row["outcome"]]
        keep = row["outcome"] == "ok" or (
            routine == "transaction_reverse"
            and row["outcome"] == "original_not_found")
        self.query("COMMIT" if keep else "ROLLBACK")
        return row

    def clear(self, transaction, amount=None, final=True, ref=None,
              message=None, merchant_amount=None, currency=None):
        return self.message("transaction_clear", transaction, ref, message,
                            amount, final, merchant_amount, currency)

    def reverse(self, transaction, amount=None, ref=None, message=None):
        return self.message("transaction_reverse", transaction, ref, message,
                            amount)

    def advise(self, transaction, amount, ref=None, message=None):
        return self.message("transaction_advice", transaction, ref, message,
                            amount)

    def force(self, card, amount, ref=None, merchant=SHOP, pan_hash=None):
        return self.message("force_post", card, pan_hash, ref,
                            f"txn_{next(numbers):020d}", amount, *merchant)

    def refund(self, card, amount, original=None, original_ref=None, ref=None,
               merchant=(None,) * 5):
        return self.message("refund", card, None, original, original_ref, ref,
                            f"txn_{next(numbers):020d}", amount, *merchant)

    def take_back(self, refund, amount=None, ref=None, message=None):
        return self.message("refund_reverse", refund, ref, message, amount)

    def increment(self, transaction, amount, ref=None, message=None):
        """(outcome, approved)"""
        self.query("START TRANSACTION")
        facts = self.query("CALL increment_read(%s, %s, %s, %s)", self.scope,
                           transaction, ref, message)[0]
        assert list(facts) == FACTS + ["transaction_id", "earlier_cents",
                                       "transaction_status", "event_number"]
        if facts["outcome"] != "ok":
            self.query("ROLLBACK")
            approved = None
            if facts["outcome"] == "replay":
                approved = bool(self.event(facts["transaction_public_id"],
                                           facts["event_number"])["approved"])
            return facts["outcome"], approved
        approved = facts["balance_cents"] >= amount
        assert self.query(
            "CALL increment_post(%s, %s, %s, %s, %s, %s, %s)",
            facts["transaction_id"], amount, approved,
            "00" if approved else "51",
            None if approved else "insufficient_funds",
            None if approved else '["insufficient_funds"]', message) == []
        self.query("COMMIT")
        return "ok", approved

    def row(self, transaction):
        return self.query(f"SELECT {', '.join(TRANSACTION)}"
                          " FROM transaction_rows WHERE public_id = %s",
                          transaction)[0]

    def events(self, transaction):
        return self.query(
            "SELECT * FROM transaction_event_rows"
            " WHERE transaction_public_id = %s ORDER BY number", transaction)

    def event(self, transaction, number):
        return self.events(transaction)[number - 1]


@pytest.fixture
def network(world):
    yield Network(world.api)
    check_audit(world.owner)


def views(owner):
    return [name for row in query(
        owner, "SELECT table_name AS name FROM information_schema.views"
        " WHERE table_schema = DATABASE() AND table_name LIKE 'audit\\_%%'")
        for name in row.values() if name not in ("audit_grants",
                                                 "audit_triggers")]


@pytest.fixture(scope="module", autouse=True)
def audit_views(installation):
    """The audit's checks, which cardstock-migrate installs elsewhere."""
    text = (SRC / "sql/audit.sql").read_text()
    for statement in text.split(";\n"):
        if "CREATE OR REPLACE VIEW" in statement:
            query(installation.owner, statement)


def findings(owner):
    return {view: rows for view in views(owner)
            if (rows := query(owner, f"SELECT * FROM {view}"))}


def check_audit(owner):
    assert findings(owner) == {}


def figures(world, card):
    """What an accountant calls the ledger's balance, and what is available."""
    row = world.row(card)
    return row["balance_cents"] + row["pending_cents"], row["balance_cents"]


# ---------------------------------------------------------------- authorizing


def test_authorization(world, network):
    card = world.card(10000)
    transaction = network.hold(card, 4500, "ref-auth-1")
    row = network.row(transaction)
    assert list(row) == TRANSACTION
    assert (row["type"], row["status"], row["kind"]) == (
        "authorization", "pending", "purchase")
    assert (row["requested_cents"], row["authorized_cents"],
            row["hold_cents"], row["amount_cents"],
            row["balance_after_cents"]) == (4500, 4500, 4500, -4500, 5500)
    assert row["network_ref"] == "ref-auth-1"
    assert row["authorization_code"] == "A1B2C3"
    assert row["category"] == "restaurants"
    assert row["hold_expires_at"] - row["created_at"] == datetime.timedelta(7)
    of_card = world.row(card)
    assert (of_card["balance_cents"], of_card["pending_cents"],
            of_card["total_spent_cents"], of_card["transaction_count"]) == (
                5500, 4500, 0, 1)
    assert of_card["last_used_at"] == row["created_at"]
    assert world.events(card) == ["card.created", "transaction.authorized"]
    [event] = network.events(transaction)
    assert (event["type"], event["amount_cents"], event["approved"],
            event["response_code"], event["balance_after_cents"]) == (
                "authorization", 4500, 1, "00", 5500)


def test_event_tells_the_transaction_as_it_is(world, network):
    card = world.card(10000)
    transaction = network.hold(card, 4500)
    network.clear(transaction, 4000)
    snapshots = [json.loads(row["snapshot"]) for row in query(
        world.owner, "SELECT e.snapshot FROM events AS e JOIN cards AS c"
        " ON c.id = e.card_id WHERE c.public_id = %s AND e.type LIKE"
        " 'transaction%%' ORDER BY e.sequence", card)]
    assert [s["status"] for s in snapshots] == ["pending", "settled"]
    for snapshot in snapshots:
        assert list(snapshot) == WITH_CARD + ["timeline"]
    row = query(world.owner, "SELECT * FROM transaction_rows"
                " WHERE public_id = %s", transaction)[0]
    assert list(row) == WITH_CARD
    assert (row["card_type"], row["card_status"]) == ("unlocked", "active")
    for column in WITH_CARD:
        value = row[column]
        if isinstance(value, datetime.datetime):
            value = str(value)
        assert snapshots[1][column] == value
    timeline = snapshots[1]["timeline"]
    if isinstance(timeline, str):
        timeline = json.loads(timeline)
    assert [(e["number"], e["type"], e["amount_cents"]) for e in timeline] == [
        (1, "authorization", 4500), (2, "clearing", 4000), (3, "release", 500)]


def test_decline_moves_nothing(world, network):
    card = world.card(10000)
    transaction, approved = network.authorize(card, 10001)
    assert not approved
    row = network.row(transaction)
    assert (row["type"], row["status"], row["amount_cents"],
            row["balance_after_cents"], row["decline_reason"],
            row["response_code"], row["authorization_code"]) == (
                "decline", "declined", -10001, 10000, "insufficient_funds",
                "51", None)
    assert json.loads(row["decline_reasons"]) == ["insufficient_funds"]
    of_card = world.row(card)
    assert (of_card["balance_cents"], of_card["pending_cents"],
            of_card["transaction_count"]) == (10000, 0, 0)
    assert of_card["last_used_at"] == datetime.datetime(1970, 1, 1)
    assert world.events(card)[1:] == ["transaction.declined"]
    for answer in (network.clear(transaction), network.clear(transaction, 5),
                   network.reverse(transaction), network.advise(transaction, 5)):
        assert answer["outcome"] == "transaction_declined"
    assert network.increment(transaction, 5) == ("transaction_declined", None)


def test_partial_approval(world, network):
    card = world.card(3000)
    transaction = network.hold(card, 5000, approved=True, cents=3000)
    row = network.row(transaction)
    assert (row["requested_cents"], row["authorized_cents"],
            row["amount_cents"], row["balance_after_cents"]) == (
                5000, 3000, -3000, 0)


def test_more_than_there_is_cannot_be_posted(world, network):
    card = world.card(3000)
    facts = network.read(card)
    with pytest.raises(pymysql.MySQLError, match="less than was decided on"):
        network.close(facts, 3001)
    network.query("ROLLBACK")
    assert world.row(card)["balance_cents"] == 3000


def test_verification_holds_nothing(world, network):
    card = world.card(3000)
    query(world.owner, "UPDATE cards SET type = 'single_use',"
          " auto_freeze_at_cents = 9999 WHERE public_id = %s", card)
    transaction = network.hold(card, 0, kind="verification", bind=True)
    row = network.row(transaction)
    assert (row["type"], row["status"], row["hold_cents"],
            row["hold_expires_at"]) == ("authorization", "settled", 0, None)
    facts = network.read(card)
    network.query("ROLLBACK")
    assert (facts["single_use_spent"], facts["approval_count"],
            facts["locked_merchant"]) == (0, 0, None)
    assert world.row(card)["transaction_count"] == 1
    assert world.row(card)["status"] == "active"


def test_same_reference_same_answer(world, network):
    card = world.card(10000)
    ref = new_ref()
    transaction = network.hold(card, 4500, ref)
    network.increment(transaction, 100)
    assert network.authorize(card, 4500, ref) == (transaction, True)
    first = network.event(transaction, 1)
    assert (first["amount_cents"], first["balance_after_cents"]) == (4500,
                                                                     5500)
    assert world.row(card)["pending_cents"] == 4600
    # A decline is an answer too, and so is that there is no such card.
    other = new_ref()
    declined = network.authorize(card, 99999, other)
    assert network.authorize(card, 99999, other) == declined
    third = new_ref()
    facts = network.read("card_none", third)
    assert facts["outcome"] == "ok" and facts["card_id"] is None
    network.close(facts, 100, third)
    facts = network.read(card, third)
    network.query("ROLLBACK")
    assert (facts["outcome"], facts["card_id"],
            facts["transaction_public_id"]) == ("replay", None, None)


def test_references_of_a_sandbox_are_its_own(world, network):
    card = world.card(10000)
    sandbox = Network(world.api, world.wallet)
    ref = new_ref()
    one = network.hold(card, 100, ref)
    two = sandbox.hold(card, 100, ref)
    assert one != two
    assert sandbox.hold(card, 100, ref) == two
    assert sandbox.reverse(None, ref=ref)["public_id"] == two
    live = Network(world.api, world.wallets["live"])
    assert live.read(card)["card_id"] is None
    live.query("ROLLBACK")
    assert live.clear(one)["outcome"] == "original_not_found"
    assert live.force(card, 5)["outcome"] == "not_found"


def test_by_number(world, network):
    parameters = world.card_parameters(amount_cents=500)
    world.give(500)
    assert world.call("card_create", *parameters)["outcome"] == "ok"
    facts = network.read(None, pan_hash=parameters[5])
    network.query("ROLLBACK")
    assert facts["card_public_id"] == parameters[0]
    assert facts["pan_sealed"] == b"sealed"
    row = network.force(None, 100, pan_hash=parameters[5])
    assert row["card_public_id"] == parameters[0]


def test_facts(world, network):
    card = world.card(20000)
    query(world.admin, "CALL admin_country_block('KP', 'sanctions')")
    try:
        facts = network.read(card, country="KP", mcc="5734")
        network.query("ROLLBACK")
    finally:
        query(world.admin, "CALL admin_country_unblock('KP', 'test')")
    assert facts["country_blocked"] == 1
    assert facts["category"] == "software"
    assert (facts["limit_cents"], facts["limit_window"],
            facts["bin_max_transaction_cents"],
            facts["bin_max_monthly_cents"]) == (5000000, "monthly", 500000,
                                                5000000)
    assert facts["account_status"] == "active" and facts["mode"] == "test"
    facts = network.read(card, country="KP")
    network.query("ROLLBACK")
    assert facts["country_blocked"] == 0


# -------------------------------------------------------------------- stories

STORIES = [
    # name, messages, (balance, available) after each; from 1000.00
    ("cleared above", "auth 45, clear 55", [(1000, 955), (945, 945)]),
    ("increment", "auth 25, increment 15", [(1000, 975), (1000, 960)]),
    ("reversal", "auth 10, reverse 10", [(1000, 990), (1000, 1000)]),
    ("partly reversed", "auth 30, reverse 20, clear 10",
     [(1000, 970), (1000, 990), (990, 990)]),
    ("force post", "force 55", [(945, 945)]),
    ("clearing below", "auth 60, clear 45", [(1000, 940), (955, 955)]),
    ("more will come", "auth 60, part 20, part 15, clear 30",
     [(1000, 940), (980, 940), (965, 940), (935, 935)]),
    ("part, then the rest is taken back", "auth 60, part 20, reverse 40",
     [(1000, 940), (980, 940), (980, 980)]),
    ("advice up", "auth 60, advice 80, clear 80",
     [(1000, 940), (1000, 920), (920, 920)]),
    ("advice down", "auth 60, advice 10, clear 10",
     [(1000, 940), (1000, 990), (990, 990)]),
    ("advice beyond the funds", "auth 60, advice 1010", [(1000, 940),
                                                        (1000, -10)]),
    ("advice after a part", "auth 60, part 20, advice 5, clear 5",
     [(1000, 940), (980, 940), (980, 975), (975, 975)]),
    ("advice after too much", "auth 60, clear 70, advice 5, reverse 5",
     [(1000, 940), (930, 930), (930, 925), (930, 930)]),
    ("refund", "auth 60, clear 60, refund 25", [(1000, 940), (940, 940),
                                               (965, 965)]),
    ("into debt", "auth 990, clear 1010", [(1000, 10), (-10, -10)]),
    ("expired, cleared all the same", "auth 60, wait 8, clear 60",
     [(1000, 940), (1000, 1000), (940, 940)]),
]


@pytest.mark.parametrize("name, messages, after", STORIES,
                         ids=[story[0] for story in STORIES])
def test_story(world, network, name, messages, after):
    card = world.card(100000)
    transaction = None
    for message, (balance, available) in zip(messages.split(", "), after):
        verb, amount = message.split()
        amount = int(amount) * 100
        if verb == "auth":
            transaction = network.hold(card, amount)
        elif verb == "increment":
            assert network.increment(transaction, amount) == ("ok", True)
        elif verb == "wait":
            world.call("simulate_clock", amount // 100 * 86400)
        else:
            answer = {
                "clear": lambda: network.clear(transaction, amount),
                "part": lambda: network.clear(transaction, amount, False),
                "reverse": lambda: network.reverse(transaction, amount),
                "advice": lambda: network.advise(transaction, amount),
                "force": lambda: network.force(card, amount),
                "refund": lambda: network.refund(None, amount, transaction),
            }[verb]()
            assert answer["outcome"] == "ok", message
        assert figures(world, card) == (balance * 100, available * 100), message
        check_audit(world.owner)


# ------------------------------------------------------------------- messages


def test_clear(world, network):
    card = world.card(10000)
    transaction = network.hold(card, 4500)
    row = network.clear(transaction, merchant_amount=4100, currency="EUR")
    assert (row["outcome"], row["type"], row["status"], row["amount_cents"],
            row["hold_cents"], row["hold_expires_at"]) == (
                "ok", "settlement", "settled", -4500, 0, None)
    assert (row["merchant_amount_cents"], row["merchant_currency"]) == (
        4100, "EUR")
    of_card = world.row(card)
    assert (of_card["total_spent_cents"], of_card["transaction_count"]) == (
        4500, 1)
    again = network.clear(transaction, 4500)
    assert (again["outcome"], again["event_number"]) == ("replay", 2)
    again = network.clear(transaction)
    assert (again["outcome"], again["event_number"]) == ("replay", 2)
    assert network.clear(transaction, 0)["outcome"] == "amount_too_small"
    assert network.clear("txn_none", 5)["outcome"] == "original_not_found"
    assert network.clear(None, 5, ref="none")["outcome"] == (
        "original_not_found")
    # Another one is never declined.
    more = network.clear(transaction, 100)
    assert (more["outcome"], more["cleared_cents"], more["amount_cents"]) == (
        "ok", 4600, -4600)
    assert world.events(card)[1:] == ["transaction.authorized",
                                      "transaction.settled",
                                      "transaction.settled"]


def test_clear_by_message_reference(world, network):
    card = world.card(10000)
    ref = new_ref()
    network.hold(card, 4500, ref)
    one = network.clear(None, 1000, False, ref, "c1")
    two = network.clear(None, 1000, False, ref, "c2")
    three = network.clear(None, 1000, False, ref)
    four = network.clear(None, 1000, False, ref)
    assert [r["outcome"] for r in (one, two, three, four)] == ["ok"] * 4
    again = network.clear(None, 1000, False, ref, "c2")
    assert (again["outcome"], again["event_number"]) == (
        "replay", two["event_number"])
    assert four["cleared_cents"] == 4000 and four["status"] == "pending"
    assert four["type"] == "settlement"
    assert network.clear(None, 500, True, ref, "c1")["outcome"] == "replay"
    last = network.clear(None, None, True, ref, "c3")
    assert (last["status"], last["cleared_cents"]) == ("settled", 4500)


def test_reverse(world, network):
    card = world.card(10000)
    transaction = network.hold(card, 3000)
    assert network.reverse(transaction, 3001)["outcome"] == "over_reversal"
    assert network.reverse(transaction, 0)["outcome"] == "amount_too_small"
    part = network.reverse(transaction, 2000)
    assert (part["outcome"], part["status"], part["hold_cents"],
            part["amount_cents"]) == ("ok", "pending", 1000, -1000)
    again = network.reverse(transaction, 2000)
    assert (again["outcome"], again["event_number"],
            again["hold_cents"]) == ("replay", 2, 1000)
    full = network.reverse(transaction)
    assert (full["outcome"], full["status"], full["amount_cents"],
            full["type"]) == ("ok", "voided", -3000, "authorization")
    assert network.reverse(transaction)["outcome"] == "replay"
    assert network.reverse(transaction, 1000)["outcome"] == "replay"
    assert network.reverse(transaction, 7)["outcome"] == "over_reversal"
    assert network.increment(transaction, 5) == ("transaction_not_pending",
                                                 None)
    assert world.row(card)["balance_cents"] == 10000
    settled = network.hold(card, 3000)
    network.clear(settled)
    assert network.reverse(settled, 1)["outcome"] == "transaction_settled"
    assert network.reverse("txn_none")["outcome"] == "original_not_found"
    partly = network.hold(card, 3000)
    network.clear(partly, 1000, False)
    assert network.reverse(partly)["status"] == "settled"
    assert network.reverse(partly)["outcome"] == "replay"
    # Cleared since: a reversal of all is no repetition of that of a part.
    cleared = network.hold(card, 3000)
    network.reverse(cleared, 2000)
    network.clear(cleared)
    assert network.reverse(cleared)["outcome"] == "transaction_settled"
    assert network.reverse(cleared, 2000)["outcome"] == "replay"


@pytest.mark.parametrize("amount, status, hold", [
    (None, "voided", 0), (3000, "voided", 0), (9000, "voided", 0),
    (1000, "pending", 2000)])
def test_reversal_before_its_authorization(world, network, amount, status,
                                           hold):
    card = world.card(10000)
    ref = new_ref()
    assert network.reverse(None, amount, ref)["outcome"] == (
        "original_not_found")
    assert network.reverse(None, amount, ref)["outcome"] == (
        "original_not_found")
    transaction = network.hold(card, 3000, ref)
    row = network.row(transaction)
    assert (row["status"], row["hold_cents"]) == (status, hold)
    assert [e["type"] for e in network.events(transaction)] == [
        "authorization", "reversal"]
    assert world.events(card)[1:] == ["transaction.authorized",
                                      "transaction.reversed"]
    assert network.authorize(card, 3000, ref) == (transaction, True)
    again = network.reverse(None, amount, ref)
    assert (again["outcome"], again["event_number"]) == ("replay", 2)
    assert world.row(card)["pending_cents"] == hold


@pytest.mark.parametrize("kept, hold, released", [
    ([("m-1", 400)], 600, [400]),
    ([("m-1", 400), ("m-1", 400)], 600, [400]),
    ([("m-1", 400), ("m-2", 400)], 200, [400, 400]),
    ([("m-1", None)], 0, [1000]),
    ([("m-1", 400), ("m-2", None)], 0, [400, 600]),
    ([("m-1", 400), (None, None)], 0, [400, 600]),
    ([("m-1", None), ("m-2", 400)], 0, [1000]),
    ([("m-1", 700), ("m-2", 9000)], 0, [700, 300]),
    # Without a reference one of the same amount is the same.
    ([(None, 400), (None, 400)], 600, [400]),
    ([("m-1", 400), (None, 400)], 600, [400]),
    ([(None, 400), ("m-1", 400)], 200, [400, 400]),
    ([(None, 400), (None, 300)], 300, [400, 300]),
    ([(None, None), (None, 300)], 0, [1000])])
def test_reversals_before_their_authorization(world, network, kept, hold,
                                              released):
    """Each is kept with its reference, and takes effect once."""
    card = world.card(10000)
    ref = new_ref()
    for message, amount in kept:
        assert network.reverse(None, amount, ref, message)["outcome"] == (
            "original_not_found")
    transaction = network.hold(card, 1000, ref)

    def state():
        row = network.row(transaction)
        events = network.events(transaction)
        assert [e["type"] for e in events[1:]] == ["reversal"] * len(released)
        return row["hold_cents"], [e["amount_cents"] for e in events[1:]]

    assert state() == (hold, released)
    for message, amount in kept:
        again = network.reverse(None, amount, ref, message)
        assert again["outcome"] == "replay"
        # 0: there was nothing left for it.
        assert again["event_amount_cents"] in released or (
            again["event_number"] == 0 and sum(released) == 1000)
    assert state() == (hold, released)
    assert world.row(card)["balance_cents"] == 10000 - hold


def test_reversals_before_a_verification(world, network):
    card = world.card(100)
    ref = new_ref()
    network.reverse(None, None, ref, "m-1")
    transaction, approved = network.authorize(card, 0, ref,
                                              kind="verification")
    assert approved and len(network.events(transaction)) == 1
    assert network.reverse(None, None, ref, "m-1")["outcome"] == (
        "transaction_settled")


def test_reversal_before_a_decline(world, network):
    card = world.card(100)
    ref = new_ref()
    network.reverse(None, None, ref)
    transaction, approved = network.authorize(card, 3000, ref)
    assert not approved
    assert network.reverse(None, None, ref)["outcome"] == (
        "transaction_declined")


def test_clear_of_all_again(world, network):
    """Without amount and reference: a repetition once nothing is held."""
    card = world.card(10000)
    transaction = network.hold(card, 3000)
    network.clear(transaction, 1000, False)
    last = network.clear(transaction)
    assert (last["outcome"], last["event_amount_cents"]) == ("ok", 2000)
    again = network.clear(transaction)
    assert (again["outcome"], again["event_number"],
            again["cleared_cents"]) == ("replay", last["event_number"], 3000)
    # More is held: another clearing.
    network.advise(transaction, 500)
    more = network.clear(transaction)
    assert (more["outcome"], more["cleared_cents"]) == ("ok", 3500)
    assert network.clear(transaction)["event_number"] == more["event_number"]
    # One with a reference of its own is another.
    assert network.clear(transaction, message="c9")["outcome"] == (
        "missing_parameter")
    assert network.clear(transaction, None, False)["outcome"] == (
        "missing_parameter")
    voided = network.hold(card, 3000)
    network.reverse(voided)
    assert network.clear(voided)["outcome"] == "missing_parameter"


def test_references_of_another_kind(world, network):
    """What one kind of message has used, another cannot."""
    card = world.card(10000)
    refs = {kind: new_ref() for kind in ("held", "declined", "force",
                                         "refund", "unknown")}
    network.hold(card, 100, refs["held"])
    assert not network.authorize(card, 99999, refs["declined"])[1]
    network.force(card, 100, refs["force"])
    network.refund(card, 100, ref=refs["refund"])
    network.close(network.read("card_none", refs["unknown"]), 100,
                  refs["unknown"])
    before = world.row(card)
    for kind, ref in refs.items():
        facts = network.read(card, ref)
        network.query("ROLLBACK")
        assert facts["outcome"] == ("invalid_parameter" if kind in (
            "force", "refund") else "replay"), kind
        assert network.force(card, 100, ref)["outcome"] == (
            "replay" if kind == "force" else "invalid_parameter"), kind
        assert network.refund(card, 100, ref=ref)["outcome"] == (
            "replay" if kind == "refund" else "invalid_parameter"), kind
    assert network.refund(None, 100, None, refs["held"], refs["held"])[
        "outcome"] == "invalid_parameter"
    assert world.row(card) == before


def test_increment(world, network):
    card = world.card(10000)
    transaction = network.hold(card, 2500)
    assert network.increment(transaction, 1500, message="i1") == ("ok", True)
    assert network.increment(transaction, 1500, message="i1") == ("replay",
                                                                  True)
    assert network.increment(transaction, 6001, message="i2") == ("ok", False)
    assert network.increment(transaction, 6001, message="i2") == ("replay",
                                                                  False)
    assert network.increment(transaction, 6000) == ("ok", True)
    row = network.row(transaction)
    assert (row["hold_cents"], row["requested_cents"], row["status"],
            row["balance_after_cents"]) == (10000, 2500, "pending", 0)
    events = network.events(transaction)
    assert [(e["type"], e["amount_cents"], e["approved"], e["response_code"],
             e["decline_reason"]) for e in events[1:]] == [
                 ("increment", 1500, 1, "00", None),
                 ("increment", 6001, 0, "51", "insufficient_funds"),
                 ("increment", 6000, 1, "00", None)]
    assert network.increment("txn_none", 5) == ("original_not_found", None)
    network.clear(transaction)
    assert network.increment(transaction, 5) == ("transaction_not_pending",
                                                 None)
    assert world.row(card)["transaction_count"] == 1


def test_advice(world, network):
    card = world.card(10000)
    transaction = network.hold(card, 2500)
    row = network.advise(transaction, 4000, message="a1")
    assert (row["outcome"], row["hold_cents"], row["amount_cents"],
            row["balance_after_cents"]) == ("ok", 4000, -4000, 6000)
    assert network.advise(transaction, 9000, message="a1")["outcome"] == (
        "replay")
    assert network.advise(transaction, 4000)["outcome"] == "replay"
    assert network.advise(transaction, -1)["outcome"] == "amount_too_small"
    assert network.advise("txn_none", 1)["outcome"] == "original_not_found"
    assert network.advise(transaction, 0)["status"] == "voided"
    assert world.row(card)["balance_cents"] == 10000
    # Even then it is no question.
    row = network.advise(transaction, 12000)
    assert (row["status"], row["hold_cents"]) == ("pending", 12000)
    assert row["hold_expires_at"] is not None
    of_card = world.row(card)
    assert (of_card["balance_cents"], of_card["status"],
            of_card["frozen_reason"]) == (-2000, "frozen", "overdrawn")
    forced = network.force(card, 5)
    assert network.advise(forced["public_id"], 5)["outcome"] == (
        "transaction_settled")


def test_force_post(world, network):
    card = world.card(10000)
    ref = new_ref()
    row = network.force(card, 5500, ref)
    assert (row["outcome"], row["kind"], row["type"], row["status"],
            row["amount_cents"], row["balance_after_cents"],
            row["category"]) == ("ok", "force_post", "settlement", "settled",
                                 -5500, 4500, "restaurants")
    assert network.force(card, 5500, ref)["outcome"] == "replay"
    assert network.force(card, 0)["outcome"] == "amount_too_small"
    assert network.force("card_none", 5)["outcome"] == "not_found"
    of_card = world.row(card)
    assert (of_card["total_spent_cents"], of_card["transaction_count"],
            of_card["last_used_at"]) == (5500, 1, row["created_at"])
    assert world.events(card)[1:] == ["transaction.settled"]
    assert network.reverse(row["public_id"])["outcome"] == (
        "transaction_settled")


def test_refund(world, network):
    card = world.card(10000)
    ref = new_ref()
    transaction = network.hold(card, 6000, ref)
    assert network.refund(None, 1, transaction)["outcome"] == (
        "refund_exceeds_purchase")
    network.clear(transaction, 5000)
    assert network.refund(None, 5001, transaction)["outcome"] == (
        "refund_exceeds_purchase")
    # A card that is named is the purchase's.
    for other in ("card_none", world.card(100)):
        assert network.refund(other, 1, transaction)["outcome"] == (
            "original_not_found")
        assert network.refund(other, 1, None, ref)["outcome"] == (
            "original_not_found")
    own = new_ref()
    row = network.refund(None, 2000, None, ref, own)
    assert (row["outcome"], row["kind"], row["type"], row["status"],
            row["amount_cents"], row["original_public_id"],
            row["merchant_name"], row["category"],
            row["balance_after_cents"]) == (
                "ok", "refund", "refund", "settled", 2000, transaction,
                "SHOP", "restaurants", 7000)
    assert network.refund(None, 2000, None, ref, own)["outcome"] == "replay"
    assert network.row(transaction)["status"] == "settled"
    assert network.refund(None, 3001, transaction)["outcome"] == (
        "refund_exceeds_purchase")
    assert network.refund(card, 3000, transaction)["outcome"] == "ok"
    original = network.row(transaction)
    assert (original["status"], original["type"], original["refunded_cents"],
            original["amount_cents"]) == ("refunded", "settlement", 5000,
                                          -5000)
    # Without a purchase there is no cap.
    assert network.refund(card, 99900, merchant=SHOP)["outcome"] == "ok"
    of_card = world.row(card)
    assert (of_card["balance_cents"], of_card["total_spent_cents"],
            of_card["transaction_count"]) == (109900, -99900, 4)
    other = world.card(100)
    for answer in (network.refund(other, 1, transaction),
                   network.refund(None, 1, "txn_none"),
                   network.refund(None, 1, row["public_id"]),
                   network.refund(None, 1, None, "none")):
        assert answer["outcome"] == "original_not_found"
    assert network.refund("card_none", 1)["outcome"] == "not_found"
    assert network.refund(card, 0)["outcome"] == "amount_too_small"
    for answer in (network.clear(row["public_id"], 5),
                   network.reverse(row["public_id"]),
                   network.advise(row["public_id"], 5)):
        assert answer["outcome"] == "transaction_settled"


@pytest.mark.parametrize("refunded", [False, True])
def test_the_rest_reversed_again(world, network, refunded):
    """The answer is that of the message that took the rest, not of a part."""
    card = world.card(10000)
    if refunded:
        transaction = network.refund(card, 3000, merchant=SHOP)["public_id"]
        say = network.take_back
    else:
        transaction, say = network.hold(card, 3000), network.reverse
    assert say(transaction, 2000)["event_amount_cents"] == 2000
    rest = say(transaction)
    assert (rest["outcome"], rest["event_amount_cents"]) == ("ok", 1000)
    again = say(transaction)
    assert (again["outcome"], again["event_amount_cents"],
            again["event_number"]) == ("replay", 1000, rest["event_number"])


def test_refund_reversal(world, network):
    card = world.card(10000)
    purchase = network.hold(card, 6000)
    network.clear(purchase)
    ref = new_ref()
    refund = network.refund(None, 6000, purchase, ref=ref)["public_id"]
    assert network.row(purchase)["status"] == "refunded"
    row = network.take_back(refund, 2500)
    assert (row["outcome"], row["type"], row["status"], row["reversed_cents"],
            row["amount_cents"], row["event_amount_cents"], row["hold_cents"],
            row["balance_after_cents"]) == (
                "ok", "refund", "settled", 2500, 3500, 2500, 0, 7500)
    original = network.row(purchase)
    assert (original["status"], original["refunded_cents"],
            original["amount_cents"]) == ("settled", 3500, -6000)
    # As much can be given back again, and no more.
    assert network.refund(None, 2501, purchase)["outcome"] == (
        "refund_exceeds_purchase")
    assert network.take_back(refund, 2500)["outcome"] == "replay"
    assert network.take_back(refund, 3501)["outcome"] == "over_reversal"
    assert network.take_back(refund, 0)["outcome"] == "amount_too_small"
    row = network.take_back(None, None, ref, "m-1")
    assert (row["outcome"], row["status"], row["reversed_cents"],
            row["amount_cents"], row["event_amount_cents"]) == (
                "ok", "voided", 6000, 6000, 3500)
    for again in (network.take_back(None, None, ref, "m-1"),
                  network.take_back(refund)):
        assert again["outcome"] == "replay"
    assert network.take_back(refund, 1)["outcome"] == "over_reversal"
    assert [(e["type"], e["amount_cents"]) for e in network.events(refund)] == [
        ("refund", 6000), ("refund_reversal", 2500),
        ("refund_reversal", 3500)]
    of_card = world.row(card)
    assert (of_card["balance_cents"], of_card["total_spent_cents"],
            of_card["transaction_count"]) == (4000, 6000, 2)
    assert world.events(card)[-2:] == ["transaction.reversed"] * 2
    assert network.refund(None, 6000, purchase)["outcome"] == "ok"
    for nothing in (network.take_back(purchase), network.take_back("txn_none"),
                    network.take_back(None, 5, "none")):
        assert nothing["outcome"] == "original_not_found"


def test_refund_reversal_takes_no_limit(world, network):
    card = world.card(10000)
    network.hold(card, 1000)
    refund = network.refund(card, 700, merchant=SHOP)["public_id"]
    network.take_back(refund, 300)
    facts = network.read(card)
    network.query("ROLLBACK")
    assert facts["month_used_cents"] == 1000


def test_refund_reversal_beyond_the_funds(world, network):
    card = world.card(1000)
    refund = network.refund(card, 500, merchant=SHOP)["public_id"]
    network.hold(card, 1400)
    row = network.take_back(refund)
    assert (row["outcome"], row["balance_after_cents"]) == ("ok", -400)
    assert (world.row(card)["status"], world.row(card)["frozen_reason"]) == (
        "frozen", "overdrawn")
    # A terminated card's was the wallet's, and comes from there.
    card = world.card(1000)
    world.call("card_terminate", card)
    refund = network.refund(card, 500, merchant=SHOP)["public_id"]
    other = world.card(100)
    world.call("card_fund", other, world.balance() - 200)
    assert network.take_back(refund)["status"] == "voided"
    assert (world.balance(), world.row(card)["balance_cents"]) == (-300, 0)
    check_audit(world.owner)
    world.call("card_withdraw", other, 300)


# ---------------------------------------------------------------------- rules


def test_limits_count_what_is_authorized(world, network):
    card = world.card(100000)
    query(world.owner, "UPDATE cards SET limit_window = 'daily'"
          " WHERE public_id = %s", card)

    def used():
        facts = network.read(card)
        network.query("ROLLBACK")
        assert facts["limit_used_cents"] == facts["month_used_cents"]
        return facts["limit_used_cents"]

    one = network.hold(card, 1000)
    assert used() == 1000
    network.increment(one, 500)
    assert used() == 1500
    network.reverse(one, 300)
    assert used() == 1200
    network.clear(one, 9000)
    assert used() == 1200
    network.refund(None, 9000, one)
    assert used() == 1200
    network.authorize(card, 999999999)
    assert used() == 1200
    network.force(card, 100)
    assert used() == 1300
    two = network.hold(card, 1000)
    network.clear(two, 400)
    assert used() == 1700
    three = network.hold(card, 1000)
    network.advise(three, 50)
    assert used() == 1750
    query(world.owner, "UPDATE cards SET limit_window = 'forever'"
          " WHERE public_id = %s", card)
    assert used() == 1750
    world.call("simulate_clock", 86400 * 8)
    assert used() == 1700
    facts = network.read(card)
    network.query("ROLLBACK")
    assert facts["approval_count"] == 3


def test_single_use_closes_on_its_first_approval(world, network):
    card = world.card(10000)
    query(world.admin, "CALL admin_card_limits_set(%s, 'single_use', NULL,"
          " NULL, NULL, 'test')", card)

    def spent():
        facts = network.read(card)
        network.query("ROLLBACK")
        return facts["single_use_spent"]

    network.authorize(card, 10001)
    network.force(card, 5)
    assert spent() == 0
    transaction = network.hold(card, 100)
    assert spent() == 1
    assert network.increment(transaction, 5) == ("ok", True)
    network.reverse(transaction)
    assert spent() == 1


def test_merchant_locked_binds_to_the_first_approved(world, network):
    card = world.card(10000)
    query(world.admin, "CALL admin_card_limits_set(%s, 'merchant_locked',"
          " NULL, NULL, NULL, 'test')", card)
    network.force(card, 5, merchant=("F", "5812", "US", None, "forced"))
    network.authorize(card, 99999, merchant=("D", "5812", "US", None, "no"),
                      bind=True)
    assert world.row(card)["locked_merchant"] is None
    network.hold(card, 5, merchant=("Name", "5812", "US", None, None),
                 bind=True)
    network.hold(card, 5, merchant=("Other", "5812", "US", None, "id"),
                 bind=True)
    assert world.row(card)["locked_merchant"] == "Name"


@pytest.mark.parametrize("mcc, days", [
    ("5812", 7), ("3350", 7), ("3351", 30), ("3500", 30), ("3501", 30),
    ("3999", 30), ("4411", 30), ("7011", 30), ("7012", 7), ("7512", 30),
    ("7513", 30), ("7514", 7), ("7519", 30), ("0000", 7), ("9999", 7)])
def test_holds_last_by_their_merchant(world, network, mcc, days):
    card = world.card(1000)
    transaction = network.hold(card, 5, merchant=("S", mcc, "US", None, None))
    row = network.row(transaction)
    assert row["hold_expires_at"] - row["created_at"] == (
        datetime.timedelta(days))


def test_expiry(world, network):
    card = world.card(10000)
    transaction = network.hold(card, 1000)
    network.clear(transaction, 300, False)
    lodging = network.hold(card, 2000, merchant=("H", "7011", "US", None, "h"))
    world.call("simulate_clock", 7 * 86400 - 600)
    assert network.row(transaction)["status"] == "pending"
    world.call("simulate_clock", 600)
    row = network.row(transaction)
    assert (row["status"], row["expired_cents"], row["hold_cents"]) == (
        "settled", 700, 0)
    assert network.row(lodging)["status"] == "pending"
    world.call("simulate_clock", 23 * 86400)
    row = network.row(lodging)
    assert (row["status"], row["amount_cents"], row["hold_expires_at"]) == (
        "expired", -2000, None)
    assert world.events(card)[-2:] == ["transaction.expired"] * 2
    assert network.reverse(lodging)["outcome"] == "over_reversal"
    assert network.increment(lodging, 5)[0] == "transaction_not_pending"
    cleared = network.clear(lodging, 2000)
    assert (cleared["outcome"], cleared["status"]) == ("ok", "settled")
    assert world.row(card)["balance_cents"] == 7700


def test_terminated_card(world, network):
    card = world.card(10000)
    held, reversed_, expired, beyond = (network.hold(card, 1000)
                                        for _ in range(4))
    row = world.call("card_terminate", card)
    assert row["refunded_cents"] == 6000 and world.balance() == 6000
    assert network.clear(held, 600)["outcome"] == "ok"
    assert world.balance() == 6400
    assert network.reverse(reversed_)["outcome"] == "ok"
    assert world.balance() == 7400
    assert network.clear(beyond, 1500)["outcome"] == "ok"
    assert world.row(card)["balance_cents"] == -500
    # What comes back pays the card's debt first.
    world.call("simulate_clock", 8 * 86400)
    assert network.row(expired)["status"] == "expired"
    assert (world.row(card)["balance_cents"], world.balance()) == (0, 7900)
    assert network.refund(None, 200, held)["outcome"] == "ok"
    assert world.balance() == 8100
    assert network.force(card, 100)["outcome"] == "ok"
    assert world.row(card)["balance_cents"] == -100
    assert world.row(card)["status"] == "terminated"


def test_debt_of_a_terminated_card_in_the_ledger(world, network):
    """One journal, of three legs where two get something, of two else."""
    card = world.card(6000)
    transaction = network.hold(card, 6000)
    world.call("card_terminate", card)
    network.force(card, 5900)
    legs = """
      SELECT CONCAT(a.kind) AS kind, l.amount_cents FROM transaction_events AS e
        JOIN transactions AS t ON t.id = e.transaction_id
        JOIN ledger_entries AS l ON l.journal_id = e.journal_id
        JOIN ledger_accounts AS a ON a.id = l.ledger_account_id
       WHERE t.public_id = %s AND e.number = %s"""

    def journal(number):
        return {row["kind"]: row["amount_cents"] for row in query(
            world.owner, legs, transaction, number)}

    network.reverse(transaction, 5800)
    assert journal(2) == {"hold": -5800, "card": 5800}
    network.reverse(transaction, 150)
    assert journal(3) == {"hold": -150, "card": 100, "wallet": 50}
    network.reverse(transaction, 50)
    assert journal(4) == {"hold": -50, "wallet": 50}
    assert network.event(transaction, 3)["balance_after_cents"] == 0
    wallet = query(world.owner, "SELECT * FROM wallets WHERE id = %s",
                   world.wallet)[0]
    assert (wallet["total_spent_cents"], world.balance()) == (5900, 100)


def test_increment_sees_the_whole_of_its_purchase(world, network):
    """Also where its beginning has left the window, or the BIN's month."""
    card = world.card(10000, limit_window="weekly")
    transaction = network.hold(card, 4000)
    network.reverse(transaction, 500)
    network.clear(transaction, 1000, final=False)

    def facts():
        network.query("START TRANSACTION")
        row = network.query("CALL increment_read(NULL, %s, NULL, NULL)",
                            transaction)[0]
        network.query("ROLLBACK")
        return (row["earlier_cents"], row["limit_used_cents"],
                row["month_used_cents"])

    assert facts() == (3500, 3500, 3500)
    query(world.owner, "UPDATE transactions SET hold_expires_at ="
          " hold_expires_at + INTERVAL 1 YEAR WHERE public_id = %s",
          transaction)
    for days in (6, 2, 30):
        world.call("simulate_clock", days * 86400)
        assert facts() == (3500, 3500, 3500)
    network.hold(card, 100)
    assert facts() == (3500, 3600, 3600)
    for window, used in (("daily", 3600), ("monthly", 3600),
                         ("forever", 3600), ("transaction", 0)):
        query(world.owner, "UPDATE cards SET limit_window = %s"
              " WHERE public_id = %s", window, card)
        assert facts() == (3500, used, 3600)
    # Counted where the purchase is, all the same.
    network.increment(transaction, 200)
    assert facts() == (3700, 0, 3800)
    assert network.read(card)["month_used_cents"] == 100
    network.query("ROLLBACK")


def test_debt_freezes_and_funding_cures(world, network):
    card = world.card(1000)
    network.force(card, 1500)
    row = world.row(card)
    assert (row["status"], row["frozen_reason"], row["balance_cents"]) == (
        "frozen", "overdrawn", -500)
    assert world.events(card)[1:] == ["transaction.settled", "card.frozen"]
    assert world.call("card_unfreeze", card)["outcome"] == "card_not_active"
    with pytest.raises(pymysql.MySQLError, match="in debt"):
        query(world.admin, "CALL admin_card_unfreeze(%s, 'please')", card)
    world.give(5000)
    world.call("card_fund", card, 400)
    assert world.row(card)["status"] == "frozen"
    world.call("card_fund", card, 100)
    assert world.row(card)["status"] == "active"


def test_debt_of_a_card_frozen_before(world, network):
    card = world.card(1000)
    world.call("card_freeze", card, "customer")
    network.force(card, 1500)
    assert world.row(card)["frozen_reason"] == "customer"
    assert world.call("card_unfreeze", card)["outcome"] == "card_not_active"
    world.give(500)
    world.call("card_fund", card, 500)
    assert world.call("card_unfreeze", card)["status"] == "active"


@pytest.mark.parametrize("lift", ["adjustment", "deposit", "withdrawal",
                                  "termination"])
def test_a_debt_paid_long_ago(world, network, lift):
    """Any credit of the wallet finds who was frozen for its debt."""
    card = world.card(0, funding="wallet")
    other = world.card(100)
    world.call("card_freeze", card, "customer")
    query(world.owner, "UPDATE cards SET frozen_reason = 'overdrawn'"
          " WHERE public_id = %s", card)
    if lift == "adjustment":
        world.give(1)
    elif lift == "deposit":
        world.call("simulate_deposit", f"dep_{next(numbers):020d}", "usdt",
                   None, 5000, f"0x{next(numbers):064x}", True)
    elif lift == "withdrawal":
        world.call("card_withdraw", other, 1)
    else:
        world.call("card_terminate", other)
    assert world.row(card)["status"] == "active"
    assert world.events(card)[-1] == "card.unfrozen"


def test_operator_cannot_unfreeze_what_draws_on_a_wallet_in_debt(world,
                                                                 network):
    card, other = (world.card(0, funding="wallet") for _ in range(2))
    world.call("card_freeze", card, "operator")
    network.force(other, 1)
    with pytest.raises(pymysql.MySQLError, match="in debt"):
        query(world.admin, "CALL admin_card_unfreeze(%s, 'please')", card)
    assert world.call("card_unfreeze", card)["outcome"] == "card_not_active"
    world.give(1)
    query(world.admin, "CALL admin_card_unfreeze(%s, 'please')", card)
    assert world.row(card)["status"] == "active"


def test_debt_before_the_first_funding(world, network):
    card = world.card(0)
    network.force(card, 1500)
    assert world.row(card)["status"] == "pending_top_up"
    world.give(5000)
    world.call("card_fund", card, 1000)
    row = world.row(card)
    assert (row["status"], row["frozen_reason"]) == ("frozen", "overdrawn")
    world.call("card_fund", card, 500)
    assert world.row(card)["status"] == "active"


def test_auto_freeze_once(world, network):
    card = world.card(10000, auto_freeze_at_cents=5000)
    transaction = network.hold(card, 5000)
    assert world.row(card)["status"] == "active"
    network.increment(transaction, 1)
    row = world.row(card)
    assert (row["status"], row["frozen_reason"]) == ("frozen", "auto_freeze")
    network.clear(transaction)
    network.force(card, 1)
    assert world.events(card).count("card.frozen") == 1
    assert world.row(card)["frozen_reason"] == "auto_freeze"


def test_card_that_draws_on_the_wallet(world, network):
    world.give(10000)
    card = world.card(0)
    query(world.owner, "UPDATE cards SET funding = 'wallet', status = 'active'"
          " WHERE public_id = %s", card)
    query(world.owner, "UPDATE card_counts SET status = 'active'"
          " WHERE wallet_id = %s", world.wallet)
    transaction = network.hold(card, 4000)
    assert network.row(transaction)["balance_after_cents"] == 6000
    assert world.balance() == 6000
    network.clear(transaction, 3000)
    assert world.balance() == 7000
    facts = network.read(card)
    network.query("ROLLBACK")
    assert facts["balance_cents"] == 7000
    network.refund(None, 500, transaction)
    assert world.balance() == 7500
    check_audit(world.owner)
    network.force(card, 8000)
    assert world.balance() == -500
    assert world.row(card)["frozen_reason"] == "overdrawn"
    check_audit(world.owner)
    world.give(500)
    assert world.row(card)["status"] == "active"
    held = network.hold(world.card(1000), 10)
    assert network.reverse(held)["outcome"] == "ok"


def test_list_totals(world, network):
    card, other = world.card(10000), world.card(10000)
    one = network.hold(card, 10)
    network.hold(card, 10)
    network.authorize(card, 99999)
    network.clear(one, 5, False)
    network.refund(None, 1, one)
    network.force(other, 1)
    rows = query(world.api, "SELECT card_public_id, type, transactions FROM"
                 " transaction_count_rows WHERE wallet_id = %s"
                 " AND transactions > 0", world.wallet)
    assert {(r["card_public_id"], r["type"]): r["transactions"]
            for r in rows} == {
                (card, "authorization"): 1, (card, "settlement"): 1,
                (card, "decline"): 1, (card, "refund"): 1,
                (other, "settlement"): 1}


# ----------------------------------------------------------------- challenges


def challenge(world, card, public_id=None):
    return world.call("challenge_create", card, None,
                      public_id or f"3ds_{next(numbers):020d}", b"sealed",
                      "SPOTIFY", 999)


CHALLENGE = """outcome id public_id wallet_id card_public_id merchant
  amount_cents otp_sealed status tries expires_at completed_at
  created_at""".split()


def test_challenge(world, network):
    card = world.card(100)
    row = challenge(world, card)
    assert list(row) == CHALLENGE
    assert row["expires_at"] - row["created_at"] == datetime.timedelta(
        minutes=5)
    public_id = row["public_id"]
    assert world.call("challenge_read", public_id)["otp_sealed"] == b"sealed"
    assert world.call("challenge_answer", public_id, False)["tries"] == 1
    done = world.call("challenge_answer", public_id, True)
    assert done["status"] == "completed" and done["completed_at"]
    assert world.call("challenge_answer", public_id, False) == done
    assert world.events(card)[1:] == ["3ds.challenge", "3ds.completed"]
    assert challenge(world, "card_none")["outcome"] == "not_found"
    assert world.call("challenge_answer", "3ds_none", True)["outcome"] == (
        "not_found")
    assert Network(world.api, world.wallets["live"]).query(
        "CALL challenge_read(%s, %s)", world.wallets["live"], public_id)[0][
            "outcome"] == "not_found"
    world.call("card_terminate", card)
    assert challenge(world, card)["outcome"] == "card_terminated"


def test_challenge_of_three_wrong_codes(world, network):
    card = world.card(100)
    public_id = challenge(world, card)["public_id"]
    states = [world.call("challenge_answer", public_id, wrong)["status"]
              for wrong in (False, False, False, True)]
    assert states == ["pending", "pending", "failed", "failed"]
    assert world.events(card)[1:] == ["3ds.challenge", "3ds.completed"]


def test_challenge_expires(world, network):
    card = world.card(100)
    one, two = (challenge(world, card)["public_id"] for _ in range(2))
    # Unswept, it reads expired at once, and an answer comes too late.
    query(world.owner, "UPDATE wallets SET clock_offset_s = 301 WHERE id = %s",
          world.wallet)
    assert query(world.api, "SELECT status FROM challenge_rows"
                 " WHERE public_id = %s", one)[0]["status"] == "expired"
    assert world.call("challenge_answer", one, True)["status"] == "expired"
    world.call("simulate_clock", 0)
    assert world.events(card)[1:] == ["3ds.challenge", "3ds.challenge",
                                      "3ds.expired", "3ds.expired"]
    assert world.call("challenge_read", two)["status"] == "expired"


# --------------------------------------------------------------------- windows


def month_before(moment):
    year, month = moment.year, moment.month - 1
    if month == 0:
        year, month = year - 1, 12
    day = min(moment.day, calendar.monthrange(year, month)[1])
    return moment.replace(year=year, month=month, day=day)


def test_where_windows_begin(world):
    moments = [datetime.datetime(2027, 3, 31, 10, 20, 30),
               datetime.datetime(2028, 3, 31), datetime.datetime(2028, 2, 29),
               datetime.datetime(2027, 1, 1), datetime.datetime(2027, 12, 31,
                                                                23, 59, 59)]
    rng = random.Random(7)
    moments += [datetime.datetime(2026, 1, 1)
                + rng.randrange(10**8) * SECOND for _ in range(300)]
    for when in moments:
        expected = {"daily": when - datetime.timedelta(1),
                    "weekly": when - datetime.timedelta(7),
                    "monthly": month_before(when),
                    "yearly": datetime.datetime(when.year, 1, 1) - SECOND}
        for window, start in expected.items():
            assert query(world.owner, "SELECT limit_window_start(%s, %s) AS s",
                         window, when)[0]["s"] == start, (window, when)


def test_windows_are_exact(world, network):
    """Random payments under a moving clock; every sum is made again here."""
    rng = random.Random(20260415)
    card = world.card(10**9)
    card_id = world.row(card)["id"]
    open_ = []
    for step in range(700):
        roll = rng.random()
        if roll < 0.25:
            world.call("simulate_clock",
                       rng.choice([1, 7, 59, 60, 61, 3599, 86399,
                                   rng.randrange(100000)]))
        elif roll < 0.75 or not open_:
            open_.append(network.hold(card, rng.randrange(1, 5000)))
        elif roll < 0.80:
            network.force(card, rng.randrange(1, 5000))
        else:
            transaction = open_[rng.randrange(len(open_))]
            if roll < 0.86:
                network.reverse(transaction, rng.randrange(1, 2000))
            elif roll < 0.90:
                network.increment(transaction, rng.randrange(1, 2000))
            elif roll < 0.94:
                network.advise(transaction, rng.randrange(1, 2000))
            else:
                network.clear(transaction, rng.randrange(1, 5000))
    uses = [(row["created_at"], row["cents"]) for row in query(
        world.owner, "SELECT created_at, authorized_cents - reversed_cents"
        " - expired_cents AS cents FROM transactions WHERE card_id = %s",
        card_id)]
    assert len(uses) > 300
    first, last = min(uses)[0], max(uses)[0]
    span = int((last - first).total_seconds())
    assert span > 30 * 86400
    moments = [at + shift * SECOND for at, _ in rng.sample(uses, 100)
               for shift in (-1, 0, 1)]
    moments += [first + rng.randrange(span) * SECOND for _ in range(500)]
    moments += [m.replace(second=59) for m in moments[:50]]
    moments += [m.replace(minute=59, second=59) for m in moments[:50]]
    moments += [m.replace(hour=23, minute=59, second=59) for m in moments[:50]]
    for after in moments:
        found = query(world.owner, "SELECT card_usage_since(%s, %s) AS used",
                      card_id, after)[0]["used"]
        assert found == sum(cents for at, cents in uses if at > after), after
    for window in ("daily", "weekly", "monthly", "yearly", "forever"):
        query(world.owner, "UPDATE cards SET limit_window = %s WHERE id = %s",
              window, card_id)
        facts = network.read(card)
        network.query("ROLLBACK")
        now = facts["now"]
        start = {"daily": now - datetime.timedelta(1),
                 "weekly": now - datetime.timedelta(7),
                 "monthly": month_before(now),
                 "yearly": datetime.datetime(now.year, 1, 1) - SECOND,
                 "forever": datetime.datetime(1970, 1, 1)}[window]
        assert facts["limit_used_cents"] == sum(
            cents for at, cents in uses if at > start)
        assert facts["month_used_cents"] == sum(
            cents for at, cents in uses if at > month_before(now))
        [limits] = query(world.api, "SELECT * FROM card_limits"
                         " WHERE card_id = %s", card_id)
        assert limits["limit_used_cents"] == facts["limit_used_cents"]


def handler_reads(network):
    return sum(int(row["Value"]) for row in network.query(
        "SHOW SESSION STATUS LIKE 'Handler_read%%'"))


def reads_of(network, card):
    """Milliseconds and rows that the database reads to answer."""
    times = []
    for _ in range(20):
        started = time.perf_counter()
        network.read(card)
        times.append((time.perf_counter() - started) * 1000)
        network.query("ROLLBACK")
    before = handler_reads(network)
    network.read(card)
    network.query("ROLLBACK")
    rows = handler_reads(network) - before
    return statistics.median(times), rows


def test_windows_cost_the_same_with_any_history(world, record_property):
    """100,000 transactions in the month of one card."""
    owner = Network(world.owner)
    card, fresh = world.card(10**9), world.card(10000)
    card_id = world.row(card)["id"]
    query(world.owner, "SET @base = UTC_TIMESTAMP()")
    try:
        query(world.owner, """
          INSERT INTO transactions (public_id, wallet_id, card_id, kind, type,
            status, requested_cents, authorized_cents, cleared_cents,
            balance_after_cents, response_code, created_at, updated_at)
          SELECT CONCAT('txn_bulk', seq), %s, %s, 'purchase', 'settlement',
                 'settled', 1, 1, 1, 0, '00', @base - INTERVAL seq * 25 SECOND,
                 @base FROM seq_1_to_100000""", world.wallet, card_id)
        for level, cut in enumerate(("0", "SECOND(created_at)",
                                     "TIME_TO_SEC(created_at) MOD 3600",
                                     "TIME_TO_SEC(created_at)")):
            query(world.owner, f"""
              INSERT INTO card_usage (card_id, level, start, cents)
              SELECT card_id, {level}, created_at - INTERVAL {cut} SECOND AS s,
                     COUNT(*) FROM transactions WHERE card_id = %s
               GROUP BY s""", card_id)
        before = handler_reads(owner)
        resets = query(world.owner, "SELECT limit_resets_at(%s, 'monthly',"
                       " @base) = @base - INTERVAL 100000 * 25 SECOND"
                       " + INTERVAL 1 MONTH AS due", card_id)[0]["due"]
        resets_rows = handler_reads(owner) - before
        busy_ms, busy_rows = reads_of(owner, card)
        facts = owner.read(card)
        owner.query("ROLLBACK")
        assert facts["month_used_cents"] == 100000
        fresh_ms, fresh_rows = reads_of(owner, fresh)
    finally:
        query(world.owner, "DELETE FROM card_usage WHERE card_id = %s",
              card_id)
        query(world.owner, "DELETE FROM transactions WHERE card_id = %s",
              card_id)
    record_property("authorization_read", f"{busy_ms:.2f} ms, {busy_rows} rows;"
                    f" without history {fresh_ms:.2f} ms, {fresh_rows} rows")
    print(f"authorization_read: {busy_ms:.2f} ms, {busy_rows} rows; without"
          f" history {fresh_ms:.2f} ms, {fresh_rows} rows")
    assert resets and resets_rows < 50
    assert busy_rows < fresh_rows + 250
    assert busy_ms < fresh_ms * 5 + 5


# ----------------------------------------------------------------------- races


def at_once(installation, jobs, scope=None):
    """Each job gets a network on a connection of its own; deadlocks and waits
    are tried again, as the workers do. Their answers, in order."""
    barrier = threading.Barrier(len(jobs))
    answers = [None] * len(jobs)
    retries = itertools.count()

    def run(place, job):
        with contextlib.closing(
                installation.connect("cardstock_api_user")) as connection:
            network = Network(connection, scope)
            barrier.wait()
            for _ in range(20):
                try:
                    answers[place] = job(network)
                    return
                except pymysql.err.OperationalError as error:
                    if error.args[0] not in (1205, 1213):
                        answers[place] = error
                        return
                    next(retries)
                    query(connection, "ROLLBACK")
                    time.sleep(random.random() / 50)
                except BaseException as error:
                    answers[place] = error
                    return

    threads = [threading.Thread(target=run, args=pair)
               for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers, next(retries)


def test_the_last_ten_dollars(world, network, installation):
    card = world.card(1000)
    answers, retries = at_once(installation, [
        lambda n: n.authorize(card, 1000, new_ref())] * 32)
    assert sum(approved for _, approved in answers) == 1
    assert retries == 0
    row = world.row(card)
    assert (row["balance_cents"], row["pending_cents"],
            row["transaction_count"]) == (0, 1000, 1)


def test_never_more_held_than_there_was(world, network, installation):
    card = world.card(1000)
    answers, _ = at_once(installation, [
        lambda n: n.authorize(card, 300, new_ref())] * 16)
    assert sum(approved for _, approved in answers) == 3
    assert world.row(card)["balance_cents"] == 100


def test_same_reference_at_once(world, network, installation):
    card = world.card(10000)
    ref = new_ref()
    answers, retries = at_once(installation, [
        lambda n: n.authorize(card, 1000, ref)] * 32)
    assert len(set(answers)) == 1 and retries == 0
    assert world.row(card)["pending_cents"] == 1000
    assert world.events(card)[1:] == ["transaction.authorized"]
    for send in (lambda n: n.force(card, 70, "f" + ref),
                 lambda n: n.refund(card, 70, ref="r" + ref)):
        answers, _ = at_once(installation, [send] * 8)
        assert sorted(a["outcome"] for a in answers) == ["ok"] + ["replay"] * 7
        assert len({a["public_id"] for a in answers}) == 1
    answers, _ = at_once(installation, [
        lambda n: n.take_back(None, 30, "r" + ref, "m")] * 8)
    assert sorted(a["outcome"] for a in answers) == ["ok"] + ["replay"] * 7
    network.refund(card, 30, merchant=SHOP)
    assert world.row(card)["balance_cents"] == 9000


def test_reversal_and_clearing_at_once(world, network, installation):
    for _ in range(6):
        card = world.card(1000)
        ref = new_ref()
        network.hold(card, 600, ref)
        (cleared, reversed_), _ = at_once(installation, [
            lambda n: n.clear(None, 600, True, ref),
            lambda n: n.reverse(None, 600, ref)])
        assert cleared["outcome"] == "ok"
        assert reversed_["outcome"] in ("ok", "transaction_settled")
        assert figures(world, card) == (400, 400)


def test_reversal_and_its_authorization_at_once(world, network, installation):
    for _ in range(6):
        card = world.card(1000)
        ref = new_ref()
        (held, reversed_), _ = at_once(installation, [
            lambda n: n.hold(card, 600, ref),
            lambda n: n.reverse(None, None, ref)])
        assert reversed_["outcome"] in ("ok", "original_not_found")
        assert network.row(held)["status"] == "voided"
        assert world.row(card)["balance_cents"] == 1000


def test_reversals_and_their_authorization_at_once(world, network,
                                                   installation):
    """Each releases its part once, whichever comes first."""
    for _ in range(6):
        card = world.card(1000)
        ref = new_ref()
        at_once(installation, [
            lambda n: n.reverse(None, 200, ref, "m-1"),
            lambda n: n.hold(card, 600, ref),
            lambda n: n.reverse(None, 200, ref, "m-2"),
            lambda n: n.reverse(None, 200, ref, "m-1")])
        assert figures(world, card) == (1000, 800)


def test_freeze_and_authorization_at_once(world, network, installation):
    card = world.card(100000)

    def freeze(n):
        n.query("START TRANSACTION")
        n.query("CALL card_freeze(%s, %s, 'customer')", world.wallet, card)
        n.query("COMMIT")
        return True

    def authorize(n):
        facts = n.read(card)
        active = facts["status"] == "active"
        n.close(facts, 100, approved=active)
        return active

    answers, retries = at_once(installation, [authorize] * 8 + [freeze]
                               + [authorize] * 8)
    assert retries == 0
    events = world.events(card)
    frozen = events.index("card.frozen")
    assert "transaction.authorized" not in events[frozen:]
    assert "transaction.declined" not in events[:frozen]
    assert world.row(card)["pending_cents"] == 100 * (sum(answers) - 1)


def test_debts_and_cures_at_once(world, network, installation):
    """Cards of one wallet that take it below zero and lift it again, while
    others change them: in no debt, nobody is frozen for one."""
    world.give(1000)
    cards = [world.card(0, funding="wallet") for _ in range(4)]

    def pay(network, card):
        for _ in range(5):
            posted = network.force(card, 700)["public_id"]
            network.refund(None, 700, posted)

    def change(network, card):
        for place in range(10):
            call(network.connection, "card_update", world.wallet, card,
                 f"name {place}", None, None, None, None)

    _, retries = at_once(
        installation, [lambda n, card=card, job=job: job(n, card)
                       for card in cards for job in (pay, change)])
    assert retries == 0
    assert world.balance() == 1000
    for card in cards:
        assert world.row(card)["status"] == "active"
        told = world.events(card)
        assert told.count("card.frozen") == told.count("card.unfrozen")
    assert "card.frozen" in sum((world.events(c) for c in cards), [])


def test_everything_at_once(world, network, installation):
    """Messages of all kinds to few cards, funding and terminating among them;
    the books are right whatever came first."""
    cards = [world.card(5000) for _ in range(3)]
    world.give(100000)

    def client(seed):
        def run(n):
            rng = random.Random(seed)
            mine, given = [], []
            for _ in range(12):
                card = rng.choice(cards)
                roll = rng.random()
                try:
                    if roll < 0.4 or not mine:
                        mine.append(n.authorize(card, rng.randrange(1, 900),
                                                new_ref())[0])
                    elif roll < 0.55:
                        n.clear(rng.choice(mine), rng.randrange(1, 1200),
                                rng.random() < 0.5)
                    elif roll < 0.7:
                        n.reverse(rng.choice(mine), rng.randrange(1, 500))
                    elif roll < 0.78:
                        n.advise(rng.choice(mine), rng.randrange(1, 500))
                    elif roll < 0.82:
                        given.append(n.refund(
                            card, rng.randrange(1, 200))["public_id"])
                    elif roll < 0.84 and given:
                        n.take_back(rng.choice(given), rng.randrange(1, 99))
                    elif roll < 0.90:
                        n.force(card, rng.randrange(1, 200))
                    elif roll < 0.99:
                        n.query("START TRANSACTION")
                        n.query("CALL card_fund(%s, %s, %s)", world.wallet,
                                card, rng.randrange(100, 900))
                        n.query("COMMIT")
                    else:
                        n.query("START TRANSACTION")
                        n.query("CALL card_terminate(%s, %s)", world.wallet,
                                cards[0])
                        n.query("COMMIT")
                except pymysql.err.OperationalError as error:
                    if error.args[0] not in (1205, 1213):
                        raise
                    n.query("ROLLBACK")
            return True
        return run

    at_once(installation, [client(seed) for seed in range(12)])


# ---------------------------------------------------------------------- keeper


def kept(world, routine, limit=100):
    [row] = query(world.installation.keeper, f"CALL {routine}(%s)", limit)
    assert list(row) == ["done"]
    return row["done"]


def ahead(world, seconds):
    """The clock as time alone moves it."""
    query(world.owner, "UPDATE wallets SET clock_offset_s = %s WHERE id = %s",
          seconds, world.wallet)


def test_keeper_expires(world, network):
    card = world.card(10000)
    transactions = [network.hold(card, 100) for _ in range(5)]
    public_id = challenge(world, card)["public_id"]
    deposit = world.call("simulate_deposit", f"dep_{next(numbers):020d}",
                         "usdt", None, 5000, f"0x{next(numbers):064x}", False)
    assert kept(world, "keeper_holds") == 0
    assert kept(world, "keeper_challenges") == 0
    assert kept(world, "keeper_deposits") == 0
    ahead(world, 8 * 86400)
    assert kept(world, "keeper_holds", 2) == 2
    assert kept(world, "keeper_holds") == 3
    assert kept(world, "keeper_holds") == 0
    assert kept(world, "keeper_challenges") == 1
    assert kept(world, "keeper_deposits") == 1
    assert {network.row(t)["status"] for t in transactions} == {"expired"}
    assert world.call("challenge_read", public_id)["status"] == "expired"
    assert query(world.api, "SELECT status FROM deposit_rows WHERE public_id ="
                 " %s", deposit["public_id"])[0]["status"] == "expired"
    assert world.row(card)["balance_cents"] == 10000


def test_keeper_goes_on_past_what_fails(world, network):
    """One that cannot expire stays as it is and is told of; what is due after
    it does not wait for it."""
    broken, card = world.card(10000), world.card(10000)
    first = network.hold(broken, 100)
    transactions = [network.hold(card, 100) for _ in range(3)]
    damage = ("UPDATE ledger_accounts SET balance_cents = balance_cents + %s"
              " WHERE id = (SELECT hold_account_id FROM cards"
              " WHERE public_id = %s)")
    ahead(world, 8 * 86400)
    query(world.owner, damage, -1, broken)
    try:
        for _ in range(2):
            with pytest.raises(pymysql.MySQLError, match="hold [0-9]+: "
                               ".*less than was decided"):
                kept(world, "keeper_holds")
            assert {network.row(t)["status"] for t in transactions} == {
                "expired"}
        assert network.row(first)["status"] == "pending"
    finally:
        query(world.owner, damage, 1, broken)
    check_books(world.owner)
    assert kept(world, "keeper_holds") == 1
    assert network.row(first)["status"] == "expired"


def test_keeper_keeps_what_it_did_before_the_world_failed(world, network):
    """It holds locks of ten cards at most, and loses as much."""
    card = world.card(10000)
    transactions = [network.hold(card, 100) for _ in range(15)]
    ahead(world, 8 * 86400)
    query(world.owner, "CREATE TRIGGER trial BEFORE UPDATE ON transactions FOR"
          f" EACH ROW BEGIN IF OLD.public_id = '{transactions[-1]}' THEN SIGNAL"
          " SQLSTATE 'HY000' SET MYSQL_ERRNO = 1030; END IF; END")
    try:
        with pytest.raises(pymysql.MySQLError, match="1030"):
            kept(world, "keeper_holds")
        assert [network.row(t)["status"] for t in transactions] == (
            ["expired"] * 10 + ["pending"] * 5)
    finally:
        query(world.owner, "DROP TRIGGER trial")
    assert kept(world, "keeper_holds") == 5


def test_keeper_in_real_time(world, network):
    card = world.card(10000)
    transaction = network.hold(card, 100)
    query(world.owner, "UPDATE transactions SET hold_expires_at ="
          " UTC_TIMESTAMP() WHERE public_id = %s", transaction)
    assert kept(world, "keeper_holds") == 1
    assert network.row(transaction)["status"] == "expired"


def test_keepers_do_not_wait(world, network, installation):
    """What a payment is busy with is passed over; two keepers share."""
    busy, free = world.card(1000), world.card(1000)
    gone = world.card(1000)
    for card in (busy, free, gone):
        network.hold(card, 100)
    world.call("card_terminate", gone)
    ahead(world, 8 * 86400)
    with contextlib.closing(
            installation.connect("cardstock_api_user")) as connection:
        other = Network(connection)
        other.read(busy)
        assert kept(world, "keeper_holds") == 2
        other.query("ROLLBACK")
    assert world.row(gone)["pending_cents"] == 0
    assert kept(world, "keeper_holds") == 1
    cards = [world.card(1000) for _ in range(6)]
    for card in cards:
        network.hold(card, 100)
    ahead(world, 16 * 86400)
    done = []

    def keep():
        with contextlib.closing(
                installation.connect("cardstock_keeper_user")) as connection:
            for _ in range(8):
                done.append(query(connection, "CALL keeper_holds(2)")[0][
                    "done"])

    threads = [threading.Thread(target=keep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 6


def test_keeper_prunes(world, network):
    card = world.card(1000)
    card_id = world.row(card)["id"]
    network.hold(card, 100)
    query(world.owner, "UPDATE transactions SET created_at = created_at"
          " - INTERVAL 41 DAY WHERE card_id = %s", card_id)
    query(world.owner, "UPDATE card_usage SET start = start - INTERVAL 41 DAY"
          " WHERE card_id = %s", card_id)
    assert kept(world, "keeper_usage", 2) == 2
    assert kept(world, "keeper_usage") == 1
    assert [row["level"] for row in query(
        world.owner, "SELECT level FROM card_usage WHERE card_id = %s",
        card_id)] == [3]
    for key, age in ((b"old", 26), (b"young", 24)):
        query(world.owner, "INSERT INTO idempotency_keys (wallet_id, idem_key,"
              " fingerprint, status, created_at) VALUES (%s, %s, %s, 200,"
              " UTC_TIMESTAMP() - INTERVAL %s HOUR)", world.wallet, key,
              b"f" * 32, age)
    assert kept(world, "keeper_idempotency") >= 1
    assert [row["idem_key"] for row in query(
        world.owner, "SELECT idem_key FROM idempotency_keys"
        " WHERE wallet_id = %s", world.wallet)] == [b"young"]


# --------------------------------------------------------------- the operator


def test_admin_looks_up(world, network):
    card = world.card(10000)
    ref = new_ref()
    transaction = network.hold(card, 500, ref)
    [row] = query(world.admin, "SELECT * FROM admin_transactions"
                  " WHERE network_ref = %s", ref)
    assert (row["transaction_id"], row["card_id"], row["held_cents"]) == (
        transaction, card, 500)
    assert len(query(world.admin, "SELECT * FROM admin_transactions"
                     " WHERE card_id = %s AND last4 = '1234'", card)) == 1
    assert len(query(world.admin, "SELECT * FROM admin_transaction_events"
                     " WHERE transaction_id = %s", transaction)) == 1
    [hold] = query(world.admin, "SELECT * FROM admin_open_holds"
                   " WHERE account_id = %s", world.account)
    assert (hold["held_cents"], hold["overdue_s"]) == (500, 0)
    ahead(world, 7 * 86400 + 60)
    [hold] = query(world.admin, "SELECT * FROM admin_open_holds"
                   " WHERE account_id = %s", world.account)
    assert hold["overdue_s"] >= 60
    assert any(row["transactions"] for row in query(
        world.admin, "SELECT * FROM admin_daily_payments"))


def test_admin_hold_window(world, network):
    def window(mcc):
        return query(world.admin, "SELECT days FROM admin_hold_windows WHERE"
                     " %s BETWEEN mcc_first AND mcc_last", mcc)

    query(world.admin, "CALL admin_hold_window_set(5000, 5010, 3)")
    try:
        card = world.card(1000)
        row = network.row(network.hold(card, 5, merchant=(
            "S", "5005", "US", None, None)))
        assert row["hold_expires_at"] - row["created_at"] == (
            datetime.timedelta(3))
    finally:
        query(world.admin, "CALL admin_hold_window_set(5000, 5010, 7)")
    for mcc in (0, 4999, 5000, 5010, 5011, 9999):
        assert window(mcc) == [{"days": 7}], mcc
    for wrong in ("-1, 5, 7", "5, 4, 7", "5, 10000, 7", "5, 6, 0",
                  "5, 6, NULL"):
        with pytest.raises(pymysql.MySQLError):
            query(world.admin, f"CALL admin_hold_window_set({wrong})")


def test_admin_card_limits(world, network):
    card = world.card(1000)
    [row] = query(world.admin, "CALL admin_card_limits_set(%s, 'single_use',"
                  " 'daily', 5000, 3, 'asked by phone')", card)
    assert (row["type"], row["limit_window"], row["spending_limit_cents"],
            row["count_limit"]) == ("single_use", "daily", 5000, 3)
    [row] = query(world.admin, "CALL admin_card_limits_set(%s, NULL, NULL,"
                  " NULL, 0, 'again')", card)
    assert (row["type"], row["count_limit"]) == ("single_use", 0)
    assert world.events(card)[1:] == ["card.updated"] * 2
    for wrong in ("'other', NULL, NULL, NULL, 'x'",
                  "NULL, 'hourly', NULL, NULL, 'x'",
                  "NULL, NULL, -1, NULL, 'x'", "NULL, NULL, NULL, -1, 'x'",
                  "NULL, NULL, NULL, NULL, ''"):
        with pytest.raises(pymysql.MySQLError):
            query(world.admin, f"CALL admin_card_limits_set(%s, {wrong})",
                  card)
    assert world.events(card)[1:] == ["card.updated"] * 2


def test_admin_countries(world):
    for wrong in ("'us', 'x'", "'USA', 'x'", "'US', ''", "NULL, 'x'"):
        with pytest.raises(pymysql.MySQLError):
            query(world.admin, f"CALL admin_country_block({wrong})")
    query(world.admin, "CALL admin_country_block('KP', 'one')")
    query(world.admin, "CALL admin_country_block('KP', 'two')")
    assert query(world.admin, "SELECT reason FROM admin_blocked_countries") == [
        {"reason": "two"}]
    query(world.admin, "CALL admin_country_unblock('KP', 'x')")
    query(world.admin, "CALL admin_country_unblock('KP', 'x')")
    assert query(world.admin, "SELECT action FROM admin_audit WHERE subject ="
                 " 'KP' ORDER BY id DESC LIMIT 3") == [
                     {"action": "country_unblock"},
                     {"action": "country_block"}, {"action": "country_block"}]


# ------------------------------------------------------------------- the audit

BREAKS = [
    ("audit_holds", "UPDATE transactions SET authorized_cents ="
     " authorized_cents + 1 WHERE status = 'pending' AND card_id = %s"),
    ("audit_transactions", "UPDATE transactions SET cleared_cents ="
     " cleared_cents + 1 WHERE status = 'settled' AND card_id = %s"),
    ("audit_transactions", "UPDATE transactions SET status = 'voided'"
     " WHERE kind = 'force_post' AND card_id = %s"),
    ("audit_transactions", "UPDATE transactions SET balance_after_cents = 7"
     " WHERE kind = 'force_post' AND card_id = %s"),
    ("audit_payment_journals", "INSERT INTO transaction_events SELECT id, 9,"
     " 'expiry', 5, -5, TRUE, TRUE, '00', NULL, '[]', NULL, NULL, 0, created_at"
     " FROM transactions WHERE kind = 'force_post' AND card_id = %s"),
    ("audit_card_totals", "UPDATE cards SET total_spent_cents = 1"
     " WHERE id = %s"),
    ("audit_card_totals", "UPDATE cards SET transaction_count = 1"
     " WHERE id = %s"),
    ("audit_card_totals", "UPDATE cards SET used_cents = 1 WHERE id = %s"),
    ("audit_card_usage", "UPDATE card_usage SET cents = cents + 1"
     " WHERE level = 2 AND card_id = %s"),
    ("audit_card_usage", "DELETE FROM card_usage WHERE level = 3 AND"
     " card_id = %s"),
    ("audit_transaction_counts", "UPDATE transaction_counts SET transactions ="
     " transactions + 1 WHERE type = 'settlement' AND card_id = %s"),
    ("audit_refunds", "UPDATE transactions SET refunded_cents = 1"
     " WHERE kind = 'force_post' AND card_id = %s"),
    ("audit_refunds", "UPDATE transactions SET reversed_cents = 1"
     " WHERE kind = 'refund' AND card_id = %s"),
    ("audit_network_refs", "UPDATE network_refs AS n JOIN transactions AS t ON"
     " t.id = n.transaction_id SET n.network_ref = CONCAT(n.network_ref, 'x')"
     " WHERE t.kind = 'force_post' AND t.card_id = %s"),
    ("audit_network_refs", "UPDATE early_reversals JOIN network_refs USING"
     " (scope, network_ref) JOIN transactions AS t ON t.id = transaction_id"
     " SET event_number = NULL WHERE t.card_id = %s"),
    ("audit_network_refs", "UPDATE early_reversals JOIN network_refs USING"
     " (scope, network_ref) JOIN transactions AS t ON t.id = transaction_id"
     " SET event_number = 1 WHERE t.card_id = %s"),
    ("audit_network_refs", "UPDATE early_reversals JOIN network_refs USING"
     " (scope, network_ref) JOIN transactions AS t ON t.id = transaction_id"
     " SET message_ref = 'm-2' WHERE t.card_id = %s"),
    ("audit_network_refs", "UPDATE early_reversals JOIN network_refs USING"
     " (scope, network_ref) JOIN transactions AS t ON t.id = transaction_id"
     " SET early_reversals.amount_cents = 9 WHERE t.card_id = %s"),
    ("audit_network_refs", "UPDATE network_refs JOIN transactions AS t ON"
     " t.id = transaction_id SET reversal_waiting = TRUE"
     " WHERE t.card_id = %s"),
    ("audit_network_refs", "UPDATE network_refs SET reversal_waiting = FALSE"
     " WHERE NOT answered AND %s"),
    ("audit_balance_signs", "UPDATE cards SET status = 'active',"
     " frozen_reason = NULL WHERE status = 'frozen' AND id <> %s"),
]


@pytest.mark.parametrize("view, damage", BREAKS)
def test_audit_finds(world, view, damage):
    network = Network(world.api)
    card, debtor = world.card(10000), world.card(10)
    ref = new_ref()
    network.reverse(None, 10, ref, "m-1")
    network.reverse(None, None, new_ref())
    network.hold(card, 100, ref)
    settled = network.hold(card, 100, new_ref())
    network.clear(settled)
    network.refund(None, 50, settled)
    network.force(card, 100, new_ref())
    network.force(debtor, 100)
    assert findings(world.owner) == {}
    query(world.owner, "START TRANSACTION")
    query(world.owner, damage, world.row(card)["id"])
    found = findings(world.owner)
    query(world.owner, "ROLLBACK")
    assert view in found
    assert list(found[view][0]) == ["subject", "expected", "found"]
    assert findings(world.owner) == {}


def test_events_of_transactions_are_append_only(world, network):
    network.hold(world.card(100), 5)
    for statement in ("UPDATE transaction_events SET amount_cents = 1",
                      "DELETE FROM transaction_events"):
        with pytest.raises(pymysql.MySQLError, match="append-only"):
            query(world.owner, statement)
