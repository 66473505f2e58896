# SPDX-License-Identifier: Apache-2.0
"""The routines that change a card: ok, again, conflict, wrong."""

import datetime
import json

import pymysql
import pytest

from conftest import call, query

BIN_MAXIMUM = 5000000
UNKNOWN = "card_unknown0000000000000"


def test_create(world):
    world.give(50000)
    row = world.create(amount_cents=20000, metadata='{"a": 1}',
                       allowed_categories='["advertising", "software"]',
                       auto_freeze_at_cents=500)
    assert list(row)[:5] == ["outcome", "id", "public_id", "wallet_id",
                             "number"]
    assert len(row) == 33
    assert (row["status"], row["balance_cents"], row["pending_cents"]) == (
        "active", 20000, 0)
    assert row["spending_limit_cents"] == BIN_MAXIMUM
    assert row["number"] == 1 and row["network"] == "visa"
    assert json.loads(row["allowed_categories"]) == ["advertising", "software"]
    assert world.balance() == 30000
    assert world.events(row["public_id"]) == ["card.created"]
    assert world.create(amount_cents=30000)["number"] == 2
    assert world.balance() == 0


def test_create_without_money_waits(world):
    row = world.create(amount_cents=0)
    assert row["status"] == "pending_top_up"
    card = row["public_id"]
    assert world.call("card_withdraw", card, 1)["outcome"] == "card_not_active"
    assert world.call("card_freeze", card, "customer")["outcome"] == (
        "card_not_active")
    assert world.call("card_unfreeze", card)["outcome"] == "card_not_active"
    world.give(500)
    assert world.call("card_fund", card, 500)["outcome"] == "ok"
    assert world.row(card)["status"] == "active"
    assert world.events(card) == ["card.created", "card.activated",
                                  "card.funded"]


@pytest.mark.parametrize("changes, outcome", [
    (dict(bin_id="411111", allowed_categories='["no_such"]'), "bin_not_found"),
    (dict(allowed_categories='["no_such"]', spending_limit_cents=BIN_MAXIMUM + 1),
     "unknown_category"),
    (dict(allowed_categories='["Advertising"]'), "unknown_category"),
    (dict(allowed_categories='["advertising", "x\'y"]'), "unknown_category"),
    (dict(spending_limit_cents=BIN_MAXIMUM + 1, amount_cents=99999999),
     "limit_exceeds_bin"),
    (dict(amount_cents=10001), "insufficient_funds"),
    (dict(amount_cents=-1), "amount_too_small"),
])
def test_create_refused_in_order(world, changes, outcome):
    world.give(10000)
    assert world.create(**changes)["outcome"] == outcome
    assert world.balance() == 10000
    assert world.create(spending_limit_cents=BIN_MAXIMUM)["number"] == 1


def test_create_on_a_stopped_bin(world):
    world.give(10000)
    query(world.admin, "CALL admin_bin_stop('531993')")
    try:
        assert world.create(bin_id="531993")["outcome"] == "bin_not_available"
    finally:
        query(world.admin, "CALL admin_bin_start('531993')")
    assert world.create(bin_id="531993")["network"] == "mastercard"


def test_create_number_taken_writes_nothing(world):
    world.give(10000)
    parameters = world.card_parameters(amount_cents=100)
    assert world.call("card_create", *parameters)["outcome"] == "ok"
    parameters[0] = "card_another0000000000000"
    query(world.api, "START TRANSACTION")
    with pytest.raises(pymysql.err.IntegrityError) as error:
        query(world.api, "CALL card_create(" + ", ".join(["%s"] * 18) + ")",
              world.wallet, *parameters)
    assert error.value.args[0] == 1062
    # Even where the caller goes on and commits, nothing is half done.
    query(world.api, "COMMIT")
    assert world.balance() == 9900


def test_expiry_of_a_leap_day(world):
    days = (datetime.datetime(2028, 2, 29, 12) - datetime.datetime.utcnow())
    assert world.call("simulate_clock", int(days.total_seconds()))[
        "now"].date() == datetime.date(2028, 2, 29)
    assert world.row(world.card())["expires_at"] == (
        datetime.datetime(2031, 2, 28, 23, 59, 59))


def test_update(world):
    card = world.card(metadata='{"a": 1, "b": "x"}')
    row = world.call("card_update", card, "New", 1000, '["travel"]', 700,
                     '{"a": null, "c": true}')
    assert (row["label"], row["spending_limit_cents"],
            row["auto_freeze_at_cents"]) == ("New", 1000, 700)
    assert json.loads(row["metadata"]) == {"b": "x", "c": True}
    assert json.loads(row["allowed_categories"]) == ["travel"]
    assert row["status"] == "active"
    again = world.call("card_update", card, "New", 1000, '["travel"]', 700,
                       '{"a": null, "c": true}')
    nothing = world.call("card_update", card, None, None, None, None, None)
    assert row == again == nothing
    assert world.events(card) == ["card.created", "card.updated"]
    case = world.call("card_update", card, "NEW", None, None, None, None)
    assert case["label"] == "NEW"
    assert world.events(card)[2:] == ["card.updated"]


@pytest.mark.parametrize("changes, outcome", [
    ((None, BIN_MAXIMUM + 1, '["no_such"]', None, None), "limit_exceeds_bin"),
    ((None, None, '["no_such"]', None, None), "unknown_category"),
    ((None, None, None, None,
      json.dumps({f"k{n}": n for n in range(21)})), "metadata_too_large"),
])
def test_update_refused(world, changes, outcome):
    card = world.card()
    assert world.call("card_update", card, *changes)["outcome"] == outcome
    assert world.call("card_update", UNKNOWN, *changes)["outcome"] == (
        "not_found")
    world.call("card_terminate", card)
    assert world.call("card_update", card, *changes)["outcome"] == (
        "card_terminated")


def test_metadata_of_twenty_keys(world):
    card = world.card(metadata=json.dumps({f"k{n}": n for n in range(20)}))
    patch = '{"new": 1, "k0": null}'
    row = world.call("card_update", card, None, None, None, None, patch)
    assert len(json.loads(row["metadata"])) == 20
    assert world.call("card_update", card, None, None, None, None,
                      '{"one_more": 1}')["outcome"] == "metadata_too_large"


def test_freeze_and_unfreeze(world):
    card = world.card()
    frozen = world.call("card_freeze", card, "customer")
    assert list(frozen)[:3] == ["outcome", "refunded_cents", "id"]
    assert len(frozen) == 34
    assert (frozen["status"], frozen["frozen_reason"]) == ("frozen", "customer")
    assert world.call("card_freeze", card, "customer") == frozen
    assert world.call("card_fund", card, 1)["outcome"] == "insufficient_funds"
    assert world.call("card_withdraw", card, 1)["outcome"] == "ok"
    active = world.call("card_unfreeze", card)
    assert (active["status"], active["frozen_at"]) == ("active", None)
    assert world.call("card_unfreeze", card) == active
    assert world.events(card) == ["card.created", "card.frozen",
                                  "card.withdrawn", "card.unfrozen"]
    assert world.call("card_freeze", UNKNOWN, "customer")["outcome"] == (
        "not_found")
    assert world.call("card_unfreeze", UNKNOWN)["outcome"] == "not_found"


@pytest.mark.parametrize("reason", ["operator", "overdrawn",
                                    "deposit_reversed"])
def test_what_the_customer_cannot_unfreeze(world, reason):
    card = world.card()
    world.call("card_freeze", card, reason)
    assert world.call("card_unfreeze", card)["outcome"] == "card_not_active"
    assert world.row(card)["status"] == "frozen"


def test_terminate(world):
    card = world.card(10000)
    row = world.call("card_terminate", card)
    assert (row["status"], row["refunded_cents"], row["balance_cents"]) == (
        "terminated", 10000, 0)
    assert world.balance() == 10000
    again = world.call("card_terminate", card)
    assert again == row | {"refunded_cents": 0}
    assert world.events(card) == ["card.created", "card.terminated"]
    for routine, *parameters in (
            ("card_freeze", "customer"), ("card_unfreeze",),
            ("card_fund", 1), ("card_withdraw", 1)):
        assert world.call(routine, card, *parameters)["outcome"] == (
            "card_terminated"), routine
    assert world.call("card_terminate", UNKNOWN)["outcome"] == "not_found"


def test_terminate_frozen_and_waiting(world):
    card = world.card(300)
    world.call("card_freeze", card, "customer")
    assert world.call("card_terminate", card)["refunded_cents"] == 300
    waiting = world.create(amount_cents=0)["public_id"]
    assert world.call("card_terminate", waiting)["refunded_cents"] == 0


def test_fund(world):
    card = world.card(10000)
    world.give(2500)
    row = world.call("card_fund", card, 1000)
    assert list(row.items()) == [
        ("outcome", "ok"), ("public_id", card),
        ("previous_balance_cents", 10000), ("amount_cents", 1000),
        ("new_balance_cents", 11000), ("wallet_balance_cents", 1500)]
    assert world.row(card)["balance_cents"] == 11000
    assert world.call("card_fund", card, 1501)["outcome"] == (
        "insufficient_funds")
    assert world.call("card_fund", card, 0)["outcome"] == "amount_too_small"
    assert world.call("card_fund", card, -5)["outcome"] == "amount_too_small"
    assert world.call("card_fund", UNKNOWN, 1)["outcome"] == "not_found"
    assert world.call("card_fund", card, 1500)["wallet_balance_cents"] == 0
    assert world.events(card) == ["card.created", "card.funded", "card.funded"]


def test_withdraw(world):
    card = world.card(10000)
    row = world.call("card_withdraw", card, 1)
    assert list(row.values()) == ["ok", card, 10000, 1, 9999, 1]
    assert world.call("card_withdraw", card, 10000)["outcome"] == (
        "insufficient_card_balance")
    assert world.call("card_withdraw", card, 0)["outcome"] == (
        "amount_too_small")
    assert world.call("card_withdraw", UNKNOWN, 1)["outcome"] == "not_found"
    assert world.call("card_withdraw", card, 9999)["new_balance_cents"] == 0
    assert world.events(card) == ["card.created", "card.withdrawn",
                                  "card.withdrawn"]


def test_auto_freeze_once(world):
    card = world.card(10000, auto_freeze_at_cents=5000)
    world.call("card_withdraw", card, 5000)
    assert world.row(card)["status"] == "active"
    world.call("card_withdraw", card, 1)
    row = world.row(card)
    assert (row["status"], row["frozen_reason"]) == ("frozen", "auto_freeze")
    world.call("card_withdraw", card, 1)
    assert world.events(card) == ["card.created", "card.withdrawn",
                                  "card.withdrawn", "card.frozen",
                                  "card.withdrawn"]
    assert world.call("card_unfreeze", card)["status"] == "active"
    world.call("card_withdraw", card, 1)
    assert world.events(card)[5:] == ["card.unfrozen", "card.withdrawn",
                                      "card.frozen"]


def test_funding_cures_an_overdrawn_card(world):
    card = world.card(10000)
    world.call("force_post", card, None, None, f"txn_{card}", 10500,
               *[None] * 5)
    assert world.row(card)["frozen_reason"] == "overdrawn"
    world.give(2000)
    assert world.call("card_fund", card, 499)["new_balance_cents"] == -1
    assert world.row(card)["status"] == "frozen"
    assert world.call("card_fund", card, 1)["new_balance_cents"] == 0
    assert world.row(card)["status"] == "active"
    assert world.events(card)[-2:] == ["card.funded", "card.unfrozen"]


def test_details_leave_an_audit_row(world):
    card = world.card()
    row = world.call("card_details_read", card, "key_x", "192.0.2.1",
                     "req_0123456789ab")
    assert list(row)[:3] == ["outcome", "public_id", "pan_sealed"]
    assert row["pan_sealed"] == b"sealed"
    assert world.call("card_details_read", UNKNOWN, "key_x", "::1",
                      "req_0123456789ab")["outcome"] == "not_found"
    rows = query(world.owner, "SELECT * FROM audit_log WHERE subject IN"
                 " (%s, %s)", card, UNKNOWN)
    assert [(r["actor"], r["action"], r["address"], r["request_id"])
            for r in rows] == [("key_x", "card_details_read", "192.0.2.1",
                                "req_0123456789ab")]


def test_another_wallets_card_is_not_found(world, installation):
    card = world.card(10000)
    other = type(world)(installation)
    other.give(10000)
    for routine, *parameters in (
            ("card_freeze", "customer"), ("card_unfreeze",),
            ("card_terminate",), ("card_fund", 100), ("card_withdraw", 100),
            ("card_update", "x", None, None, None, None),
            ("card_details_read", "key_x", "::1", "req_0123456789ab")):
        assert other.call(routine, card, *parameters)["outcome"] == (
            "not_found"), routine
        assert call(other.api, routine, other.wallets["live"], card,
                    *parameters)["outcome"] == "not_found"
    assert world.row(card)["balance_cents"] == 10000


def test_event_holds_the_row(world):
    card = world.card(10000, metadata='{"a": 1}')
    event = query(world.owner, "SELECT * FROM events WHERE wallet_id = %s"
                  " AND card_id IS NOT NULL", world.wallet)[0]
    snapshot = json.loads(event["snapshot"])
    limits = query(world.owner, "SELECT * FROM card_limits WHERE card_id = %s",
                   world.row(card)["id"])[0]
    # Of a card that was never used, nothing is looked up.
    row = world.row(card) | limits | {
        "limit_used_cents": None, "month_used_cents": None,
        "limit_resets_at": None}
    assert set(snapshot) == set(row) - {"ledger_wallet_id", "ledger_kind",
                                        "ledger_card_id", "card_id"}
    for name, value in snapshot.items():
        is_time = isinstance(row[name], datetime.datetime)
        assert value == (str(row[name]) if is_time else row[name]), name
    assert event["public_id"].startswith("evt_")
    assert len(event["public_id"]) == 24
    assert query(world.owner, "SELECT kind FROM ledger_journals WHERE id = %s",
                 event["journal_id"]) == [{"kind": "card_created"}]
