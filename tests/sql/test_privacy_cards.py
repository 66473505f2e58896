# SPDX-License-Identifier: Apache-2.0
"""Cards of the Privacy dialect, under the routines."""

import datetime
import json

import pytest

from conftest import query


def create(world, **changes):
    return world.create(**{"amount_cents": 0, "funding": "wallet",
                           "limit_window": "transaction",
                           "spending_limit_cents": 0} | changes)


def wallet_card(world, **changes):
    row = create(world, **changes)
    assert row["outcome"] == "ok"
    return row["public_id"]


def change(world, card, status=None, label=None, limit=None, window=None):
    return world.call("card_change", card, status, label, limit, window)


def test_a_card_that_draws_on_the_wallet_is_active_at_once(world):
    world.give(5000)
    row = create(world)
    assert (row["status"], row["funding"], row["type"], row["limit_window"],
            row["spending_limit_cents"], row["balance_cents"],
            row["ledger_balance_cents"]) == (
        "active", "wallet", "unlocked", "transaction", 0, 5000, 0)
    assert world.balance() == 5000
    assert world.events(row["public_id"]) == ["card.created"]
    snapshot = json.loads(query(
        world.owner, "SELECT snapshot FROM events WHERE card_id = %s",
        row["id"])[0]["snapshot"])
    assert (snapshot["balance_cents"], snapshot["funding"]) == (5000, "wallet")


@pytest.mark.parametrize("kind", ["unlocked", "single_use", "merchant_locked",
                                  "digital_wallet"])
@pytest.mark.parametrize("window", ["transaction", "monthly", "yearly",
                                    "forever"])
def test_types_and_windows(world, kind, window):
    row = create(world, type=kind, limit_window=window,
                 spending_limit_cents=99900)
    assert (row["type"], row["limit_window"], row["spending_limit_cents"]) == (
        kind, window, 99900)


def test_paused_from_the_start(world):
    row = create(world, frozen=True)
    assert (row["status"], row["frozen_reason"]) == ("frozen", "customer")
    assert row["frozen_at"] == row["created_at"]
    assert query(world.owner, "SELECT cards FROM card_counts WHERE wallet_id ="
                 " %s AND status = 'frozen'", world.wallet) == [{"cards": 1}]


@pytest.mark.parametrize("changes, outcome", [
    ({"funding": "wallet", "amount_cents": 100}, "card_draws_on_wallet"),
    ({"expires_at": datetime.datetime(2020, 1, 31, 23, 59, 59)},
     "invalid_parameter"),
    ({"expires_at": datetime.datetime(2090, 1, 31, 23, 59, 59)},
     "invalid_parameter"),
    ({"bin_id": "499999"}, "bin_not_found"),
])
def test_create_refused(world, changes, outcome):
    world.give(10000)
    assert create(world, **changes)["outcome"] == outcome
    assert world.balance() == 10000


def test_expiry_by_the_wallets_own_time(world):
    now = datetime.datetime.utcnow()
    soon = datetime.datetime(now.year + 1, 1, 31, 23, 59, 59)
    assert create(world, expires_at=soon)["expires_at"] == soon
    world.call("simulate_clock", 400 * 86400)
    assert create(world, expires_at=soon)["outcome"] == "invalid_parameter"


def test_only_prepaid_cards_are_bounded_by_the_month_of_their_bin(world):
    beyond = 99999999999999
    assert create(world, spending_limit_cents=beyond)["outcome"] == "ok"
    assert create(world, funding="prepaid", spending_limit_cents=beyond)[
        "outcome"] == "limit_exceeds_bin"
    assert create(world, funding="prepaid", spending_limit_cents=None)[
        "spending_limit_cents"] > 0


def test_a_label_of_255(world):
    label = "ü" * 255
    card = wallet_card(world, label=label)
    assert world.row(card)["label"] == label
    other = "é" * 255
    assert change(world, card, label=other)["label"] == other
    assert world.call("card_update", card, label, None, None, None, None)[
        "label"] == label


def test_it_holds_no_money(world):
    world.give(10000)
    card = wallet_card(world)
    for routine in ("card_fund", "card_withdraw"):
        assert world.call(routine, card, 100)["outcome"] == (
            "card_draws_on_wallet")
    assert world.call("card_terminate", card)["refunded_cents"] == 0
    for routine in ("card_fund", "card_withdraw"):
        assert world.call(routine, card, 100)["outcome"] == "card_terminated"
    assert world.balance() == 10000
    assert world.row(card)["balance_cents"] == 0


def test_a_change_is_all_or_nothing(world):
    card = wallet_card(world, label="before")
    row = change(world, card, "frozen", "after", 2000, "forever")
    assert (row["status"], row["frozen_reason"], row["label"],
            row["spending_limit_cents"], row["limit_window"]) == (
        "frozen", "customer", "after", 2000, "forever")
    assert world.events(card) == ["card.created", "card.updated",
                                  "card.frozen"]
    query(world.admin, "CALL admin_card_freeze(%s, 'stolen')", card)
    assert change(world, card, "active", "later", 0, "monthly")[
        "outcome"] == "card_not_active"
    row = world.row(card)
    assert (row["label"], row["spending_limit_cents"], row["limit_window"]) == (
        "after", 2000, "forever")


def test_states(world):
    card = wallet_card(world)
    for status in ("frozen", "frozen", "active", "active", "frozen",
                   "terminated", "terminated"):
        assert change(world, card, status)["status"] == status
    assert world.events(card) == [
        "card.created", "card.frozen", "card.unfrozen", "card.frozen",
        "card.terminated"]
    for status in ("active", "frozen"):
        assert change(world, card, status)["outcome"] == "card_terminated"
    assert change(world, card, None, "x")["outcome"] == "card_terminated"
    assert change(world, card, "terminated", "x")["outcome"] == (
        "card_terminated")


def test_nothing_to_change(world):
    card = wallet_card(world)
    assert change(world, card)["public_id"] == card
    assert change(world, card, None, "Ads", 0, "transaction")["outcome"] == "ok"
    assert world.events(card) == ["card.created"]


def test_another_wallets_card(world, installation):
    card = wallet_card(world)
    other = type(world)(installation)
    for status in (None, "active", "frozen", "terminated"):
        assert change(other, card, status)["outcome"] == "not_found"
    assert numbers(other, world.row(card)["id"]) == []


def numbers(world, *ids, action="card_list_read"):
    rows = query(world.api, "CALL card_numbers_read(%s, %s, %s, 'key_x',"
                 " '192.0.2.1', 'req_0123456789ab')", world.wallet,
                 json.dumps(list(ids)), action)
    query(world.api, "COMMIT")
    return rows


def audit(world, subject):
    return query(world.owner, "SELECT actor, action, detail, address,"
                 " request_id FROM audit_log WHERE subject = %s ORDER BY id",
                 subject)


def test_numbers_are_noted_before_they_are_read(world):
    cards = [wallet_card(world, pan_sealed=f"sealed {n}".encode())
             for n in range(3)]
    ids = [world.row(card)["id"] for card in cards]
    assert [row["pan_sealed"] for row in numbers(world, ids[2], ids[0], ids[1])
            ] == [b"sealed 2", b"sealed 0", b"sealed 1"]
    row = audit(world, world.account)[-1]
    assert json.loads(row.pop("detail")) == {
        "cards": 3, "first": cards[2], "last": cards[1]}
    assert row == {"actor": "key_x", "action": "card_list_read",
                   "address": "192.0.2.1", "request_id": "req_0123456789ab"}
    numbers(world, ids[1], action="card_embedded")
    (row,) = audit(world, cards[1])
    assert (row["action"], row["detail"]) == ("card_embedded", "{}")
    before = len(audit(world, world.account))
    assert numbers(world) == []
    assert len(audit(world, world.account)) == before


def test_who_may_have_signed(world):
    card = wallet_card(world)
    (row,) = query(world.api, "CALL embed_read(%s)", card)
    assert (row["account_public_id"], row["key_public_id"]) == (
        world.account, None)

    def key(dialect, scopes, expires=None):
        return query(world.admin, "CALL admin_key_issue(%s, 'test', %s, %s,"
                     " '', %s, '')", world.account, dialect, scopes,
                     expires)[0]["key_id"]

    full = key("privacy", "read,write,cards:details")
    weak = key("privacy", "read")
    unused, native = key("privacy", "read"), key("native", "cards:details")
    revoked = key("privacy", "cards:details")
    for name in (full, weak, native, revoked):
        query(world.owner, "UPDATE api_keys SET key_sealed = 'sealed'"
              " WHERE public_id = %s", name)
    query(world.admin, "CALL admin_key_revoke(%s)", revoked)
    rows = query(world.api, "CALL embed_read(%s)", card)
    assert [(row["key_public_id"], row["shows_numbers"], row["key_sealed"])
            for row in rows] == [(full, 1, b"sealed"), (weak, 0, b"sealed")]
    query(world.owner, "UPDATE api_keys SET expires_at = UTC_TIMESTAMP()"
          " - INTERVAL 1 SECOND WHERE public_id = %s", full)
    assert [row["key_public_id"] for row in
            query(world.api, "CALL embed_read(%s)", card)] == [weak]
    assert unused not in str(rows)
    assert query(world.api, "CALL embed_read('card_none')") == []


def test_the_first_bin_that_issues(world):
    def first(digital_wallet):
        return query(world.api, "SELECT id FROM issuing_bins ORDER BY %s AND"
                     " digital_wallet DESC, id LIMIT 1", digital_wallet)[0]["id"]

    bins = query(world.owner, "SELECT id, apple_pay OR google_pay AS pays FROM"
                 " bins WHERE issuing ORDER BY id")
    assert first(False) == bins[0]["id"]
    query(world.admin, "CALL admin_bin_stop(%s)", bins[0]["id"])
    try:
        assert first(False) == bins[1]["id"]
        assert first(True) == next(b["id"] for b in bins[1:] if b["pays"])
    finally:
        query(world.admin, "CALL admin_bin_start(%s)", bins[0]["id"])
