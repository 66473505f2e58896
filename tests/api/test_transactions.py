# SPDX-License-Identifier: Apache-2.0
"""Transactions: what the sandbox makes, as lists and details show it."""

import datetime
import itertools
import re
from decimal import Decimal

import pytest
from conftest import MISSING_CARD, at_once, unique
from payments import Setup, events, journal_count, shop
from test_lists import by_cursor, by_pages, ids

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
MISSING = "txn_00000000000000000000"
# The seeds' sample, in its order.
ROW = ["id", "card_id", "type", "amount", "currency", "merchant",
       "balance_after", "created_at"]
DETAIL = ["status", "decline_reason", "decline_reasons", "three_ds",
          "original_transaction_id", "timeline", "authorization_code",
          "response_code", "authorized", "reversed", "cleared", "expired",
          "refunded", "pending", "merchant_amount", "merchant_currency",
          "network_ref", "hold_expires_at", "updated_at"]
FACEBOOK = {"name": "FACEBK ADS", "mcc": "7311", "country": "US"}


def authorize(api, card, amount, merchant=None, **more):
    reply = api.post("/simulate/authorization", {
        "card_id": card["id"], "amount": amount,
        "merchant": merchant or shop(), **more})
    assert reply.status == 201, reply
    return reply


def say(api, kind, transaction, **fields):
    return api.post(f"/simulate/{kind}",
                    {"transaction_id": transaction["id"], **fields})


def refused(reply, status, error, param=None):
    assert (reply.status, reply.error) == (status, error), reply
    assert reply.body.get("param") == param, reply


def test_as_the_sample_shows(api):
    card = api.card(500)
    made = authorize(api, card, 12.5, FACEBOOK)
    settled = say(api, "clearing", made)
    assert settled.status == 201
    listed = api.get("/transactions")
    assert set(listed.body) == {"data", "pagination"}
    row, = listed["data"]
    assert [name for name in row if name in ROW] == ROW
    assert re.fullmatch(r"txn_[0-9A-Za-z]{16,}", row["id"])
    assert row["card_id"] == card["id"]
    assert (row["type"], row["currency"]) == ("settlement", "USD")
    assert (row["amount"], row["balance_after"]) == (-12.5, 487.5)
    assert {name: row["merchant"][name] for name in
            ("name", "category", "mcc", "country")} == {
        **FACEBOOK, "category": "advertising"}
    compact = listed.text.replace(": ", ":")
    assert '"amount":-12.50' in compact
    assert '"balance_after":487.50' in compact
    assert re.fullmatch(TIME, row["created_at"])
    assert listed["pagination"] == {"page": 1, "per_page": 50, "total": 1,
                                    "total_pages": 1, "next_cursor": None}


def test_the_detail(api, card):
    made = authorize(api, card, 30, shop("shop-1", city="Austin"))
    detail = api.get(f"/transactions/{made['id']}")
    assert detail.status == 200
    assert set(ROW + DETAIL) <= set(detail.body)
    # What the sandbox answers is what the GET shows, and the message's own.
    assert {name: made[name] for name in detail.body} == detail.body
    assert (made["approved"], made["response_code"]) == (True, "00")
    assert re.fullmatch(r"[0-9A-Z]{6}", detail["authorization_code"])
    assert detail["merchant"]["city"] == "Austin"
    assert detail["merchant"]["id"] == "shop-1"
    assert (detail["status"], detail["pending"]) == ("pending", 30)
    assert detail["decline_reason"] is None
    assert detail["decline_reasons"] == []
    assert detail["three_ds"] is None
    assert detail["original_transaction_id"] is None
    assert detail["hold_expires_at"] > detail["created_at"]
    event, = detail["timeline"]
    assert (event["type"], event["amount"], event["response_code"],
            event["approved"], event["balance_after"]) == \
        ("authorization", 30, "00", True, 70)
    assert event["created_at"] == detail["created_at"]
    say(api, "reversal", made)
    after = api.get(f"/transactions/{made['id']}")
    assert after["hold_expires_at"] is None
    assert [event["type"] for event in after["timeline"]] == \
        ["authorization", "reversal"]


def test_three_ds_is_kept(api, card):
    made = authorize(api, card, 1, three_ds={"version": "2.2.0",
                                             "result": "authenticated"})
    assert api.get(f"/transactions/{made['id']}")["three_ds"] == {
        "version": "2.2.0", "result": "authenticated"}


def test_a_decline(api, card):
    made = authorize(api, card, 100.01)
    assert (made["approved"], made["response_code"]) == (False, "51")
    detail = api.get(f"/transactions/{made['id']}")
    assert (detail["type"], detail["status"]) == ("decline", "declined")
    assert (detail["amount"], detail["balance_after"]) == \
        (Decimal("-100.01"), 100)
    assert detail["decline_reason"] == "insufficient_funds"
    assert detail["decline_reasons"] == ["insufficient_funds"]
    assert detail["authorization_code"] is None
    assert '"amount":-100.01' in detail.text.replace(": ", ":")
    row, = api.get("/transactions")["data"]
    assert row["decline_reason"] == "insufficient_funds"


def test_signs_and_balances(api):
    """Debits are negative; balance_after is that of the last event."""
    card = api.card(100)
    hold = authorize(api, card, 40)
    assert (hold["amount"], hold["balance_after"]) == (-40, 60)
    part = say(api, "reversal", hold, amount=15)
    assert (part["amount"], part["balance_after"]) == (-25, 75)
    done = say(api, "clearing", hold, amount=20)
    assert (done["amount"], done["balance_after"]) == (-20, 80)
    refund = api.post("/simulate/refund", {"transaction_id": hold["id"],
                                           "amount": 5})
    assert refund.status == 201, refund
    assert (refund["amount"], refund["balance_after"]) == (5, 85)
    assert refund["type"] == "refund"
    assert refund["original_transaction_id"] == hold["id"]
    assert refund["merchant"]["name"] == hold["merchant"]["name"]
    voided = authorize(api, card, 10)
    voided = say(api, "reversal", voided)
    assert (voided["amount"], voided["balance_after"],
            voided["status"]) == (-10, 85, "voided")
    posted = api.post("/simulate/force_post", {
        "card_id": card["id"], "amount": 3, "merchant": shop()})
    assert (posted["amount"], posted["balance_after"], posted["type"],
            posted["status"]) == (-3, 82, "settlement", "settled")
    assert posted["authorization_code"] is None
    shown = api.get(f"/cards/{card['id']}")
    assert (shown["balance"], shown["pending"], shown["total_spent"],
            shown["transaction_count"]) == (82, 0, 18, 4)


def test_a_card_by_its_number(api, card):
    details = api.details(card["id"]).body
    reply = api.post("/simulate/authorization", {
        "pan": details["pan"], "cvv": details["cvv"],
        "exp_month": details["exp_month"], "exp_year": details["exp_year"],
        "amount": 5, "merchant": shop()})
    assert reply.status == 201, reply
    assert (reply["approved"], reply["card_id"]) == (True, card["id"])
    assert details["pan"] not in reply.text


def test_the_card_shows_it(api):
    card = api.card(100, spending_limit=50)
    path = f"/cards/{card['id']}"
    before = api.get(path)
    assert before["last_used_at"] is None
    assert (before["pending"], before["available_to_spend"]) == (0, 50)
    authorize(api, card, 500)
    assert api.get(path)["last_used_at"] is None
    authorize(api, card, 20)
    after = api.get(path)
    assert re.fullmatch(TIME, after["last_used_at"])
    assert (after["balance"], after["pending"], after["total_spent"],
            after["available_to_spend"], after["transaction_count"]) == \
        (80, 20, 0, 30, 1)
    assert re.fullmatch(TIME, after["limit_resets_at"])
    authorize(api, card, 30)
    assert api.get(path)["available_to_spend"] == 0
    row, = api.get("/cards")["data"]
    assert row["balance"] == 50


def moment(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def clock(api, seconds=0):
    reply = api.post("/simulate/clock", {"advance_seconds": seconds})
    assert reply.status == 201, reply
    return moment(reply["now"])


def clock_to(api, when):
    return clock(api, int((when - clock(api)).total_seconds()))


@pytest.mark.parametrize("day", [(1, 31), (2, 28), (3, 31), (4, 30),
                                 (12, 31)])
@pytest.mark.parametrize("window", ["daily", "weekly", "monthly", "yearly"])
def test_when_limits_leave_more(api, owner, window, day):
    """Not before limit_resets_at, and then."""
    now = clock(api)
    start = datetime.datetime(now.year, *day, 17, 30)
    if start <= now:
        start = start.replace(year=now.year + 1)
    clock_to(api, start)
    card = api.card(500, spending_limit=100)
    Setup(owner).change(card["id"], limit_window=window)
    path = f"/cards/{card['id']}"
    assert api.get(path)["limit_resets_at"] is None
    say(api, "clearing", authorize(api, card, 40))
    clock(api, 3600)
    say(api, "clearing", authorize(api, card, 10))
    used = api.get(path)
    assert used["available_to_spend"] == 50
    resets = moment(used["limit_resets_at"])
    assert resets > clock(api)
    clock_to(api, resets - datetime.timedelta(seconds=5))
    before = api.get(path)
    assert before["available_to_spend"] == 50
    assert before["limit_resets_at"] == used["limit_resets_at"]
    clock(api, 6)
    assert api.get(path)["available_to_spend"] >= 90


def test_limits_that_never_leave_more(api, owner):
    for window in ("transaction", "forever"):
        card = api.card(500, spending_limit=100)
        Setup(owner).change(card["id"], limit_window=window)
        authorize(api, card, 40)
        shown = api.get(f"/cards/{card['id']}")
        assert shown["limit_resets_at"] is None
        assert shown["available_to_spend"] == \
            (60 if window == "forever" else 100)


# --- lists --------------------------------------------------------------------


@pytest.fixture
def many(api):
    """Twelve of all kinds on two cards, oldest first."""
    cards = [api.card(500), api.card(500)]
    made = []
    for number in range(3):
        for card in cards:
            row = authorize(api, card, 10 + number,
                            shop(("Coffee 100%", "coffee_house",
                                  "Book Shop")[number]))
            made.append((card, row["id"]))
            if number == 1:
                assert say(api, "clearing", row).status == 201
    for card in cards:
        made.append((card, authorize(api, card, 900)["id"]))
        reply = api.post("/simulate/refund", {
            "card_id": card["id"], "amount": 7, "merchant": shop("Coffee")})
        assert reply.status == 201, reply
        made.append((card, reply["id"]))
    reply = authorize(api, cards[0], 1)
    assert say(api, "reversal", reply).status == 201
    made.append((cards[0], reply["id"]))
    reply = api.post("/simulate/force_post", {
        "card_id": cards[1]["id"], "amount": 2, "merchant": shop()})
    made.append((cards[1], reply["id"]))
    return cards, [row for _, row in made]


def test_newest_first(api, many):
    assert ids(api.get("/transactions")) == many[1][::-1]


@pytest.mark.parametrize("query, count", [
    ({}, 12), ({"type": "authorization"}, 5), ({"type": "settlement"}, 3),
    ({"type": "refund"}, 2), ({"type": "decline"}, 2),
    ({"status": "pending"}, 4), ({"status": "settled"}, 5),
    ({"status": "voided"}, 1), ({"status": "declined"}, 2),
    ({"status": "expired"}, 0), ({"status": "refunded"}, 0),
    ({"merchant": "coffee"}, 6), ({"merchant": "COFFEE 100%"}, 2),
    ({"merchant": "e_h"}, 2), ({"merchant": "%"}, 2),
    ({"merchant": "_"}, 2), ({"merchant": "tea"}, 0),
    ({"min_amount": 11}, 6), ({"max_amount": 7}, 4),
    ({"min_amount": 10, "max_amount": 10}, 2),
    ({"min_amount": "10.01", "max_amount": "11.99"}, 2),
    ({"min_amount": 900}, 2), ({"type": "settlement", "min_amount": 3}, 2),
    ({"type": "refund", "merchant": "coffee"}, 2),
    ({"from": "2020-01-01"}, 12), ({"to": "2020-01-01"}, 0),
    ({"from": "2020-01-01", "to": "2099-01-01T00:00:00+02:00"}, 12)])
def test_filters(api, many, query, count):
    cards, all_ids = many
    found = by_pages(api, "/transactions", 2, **query)
    assert len(found) == len(set(found)) == count
    assert by_cursor(api, "/transactions", 5, **query) == found
    reply = api.get("/transactions", **query)
    assert reply["pagination"]["total"] == count
    assert found == [row for row in all_ids[::-1] if row in found]
    shown = [api.get(f"/transactions/{row}") for row in found]
    for name in ("type", "status"):
        if name in query:
            assert {row[name] for row in shown} <= {query[name]}
    # The same of each card, and the two together are all.
    parts = [ids(api.get("/transactions", card_id=card["id"], **query))
             for card in cards]
    assert sorted(parts[0] + parts[1]) == sorted(found)
    for card, part in zip(cards, parts):
        total = api.get("/transactions", card_id=card["id"], per_page=1,
                        **query)["pagination"]["total"]
        assert total == len(part)


def test_filters_of_time_are_half_open(api, card):
    api.post("/simulate/clock", {"advance_seconds": 100})
    first = authorize(api, card, 1)
    api.post("/simulate/clock", {"advance_seconds": 100})
    second = authorize(api, card, 1)
    times = [first["created_at"], second["created_at"]]
    assert ids(api.get("/transactions", **{"from": times[1]})) == \
        [second["id"]]
    assert ids(api.get("/transactions", to=times[1])) == [first["id"]]
    assert ids(api.get("/transactions", **{"from": times[0],
                                           "to": times[1]})) == [first["id"]]


@pytest.mark.parametrize("query, param", [
    ({"type": "purchase"}, "type"), ({"status": "open"}, "status"),
    ({"from": "yesterday"}, "from"), ({"to": "2026-02-30"}, "to"),
    ({"min_amount": "x"}, "min_amount"), ({"max_amount": "1.001"},
                                          "max_amount"),
    ({"min_amount": -1}, "min_amount"), ({"page": 0}, "page"),
    ({"per_page": 101}, "per_page"), ({"colour": "red"}, "colour"),
    ({"cursor": "AAAA"}, "cursor")])
def test_filters_that_are_refused(api, query, param):
    reply = api.get("/transactions", **query)
    assert reply.status == 400, reply
    assert reply.body.get("param", "cursor") == param, reply


def test_a_cursor_is_one_lists(api, many):
    cursor = api.get("/transactions", per_page=2)["pagination"]["next_cursor"]
    reply = api.get("/transactions", per_page=2, cursor=cursor,
                    type="refund")
    refused(reply, 400, "invalid_cursor",
            reply.body.get("param"))


def test_a_card_of_nobody(api, many):
    assert ids(api.get("/transactions", card_id=MISSING_CARD)) == []


def test_of_strangers(api, card, stranger):
    made = authorize(api, card, 5)
    other = stranger.test
    refused(other.get(f"/transactions/{made['id']}"), 404, "not_found")
    refused(other.get(f"/transactions/{MISSING}"), 404, "not_found")
    assert ids(other.get("/transactions")) == []
    assert ids(other.get("/transactions", card_id=card["id"])) == []
    refused(other.post("/simulate/authorization", {
        "card_id": card["id"], "amount": 1, "merchant": shop()}),
        404, "not_found")
    for kind in ("increment", "advice", "clearing", "reversal"):
        refused(say(other, kind, made, amount=1), 404, "original_not_found")
        refused(say(other, kind, {"id": MISSING}, amount=1), 404,
                "original_not_found")
    refused(other.post("/simulate/refund", {
        "transaction_id": made["id"], "amount": 1}), 404,
        "original_not_found")
    assert other.post("/simulate/force_post", {
        "card_id": card["id"], "amount": 1,
        "merchant": shop()}).status == 404
    assert api.get(f"/transactions/{made['id']}")["pending"] == 5


def test_of_the_other_world(api, account, card):
    made = authorize(api, card, 5)
    refused(account.live.get(f"/transactions/{made['id']}"), 404,
            "not_found")
    assert ids(account.live.get("/transactions")) == []


def test_references_of_strangers_do_not_meet(api, card, stranger):
    """A sandbox's reference is its own wallet's."""
    stranger.test.deposit(100)
    other = stranger.test.card(10)
    ref = unique()
    first = authorize(api, card, 5, network_ref=ref)
    second = authorize(stranger.test, other, 6, network_ref=ref)
    assert second["approved"] and second["id"] != first["id"]
    assert authorize(api, card, 5, network_ref=ref)["id"] == first["id"]


# --- what the sandbox refuses -------------------------------------------------

GOOD = {"amount": 5, "merchant": shop()}
CHANGES = [
    ({"amount": None}, "amount"), ({"amount": "5"}, "amount"),
    ({"amount": -1}, "amount"), ({"amount": 5.001}, "amount"),
    ({"amount": 1e13}, "amount"), ({"merchant": None}, "merchant"),
    ({"merchant": "SHOP"}, "merchant"), ({"merchant": {}}, "merchant.name"),
    ({"merchant": {**shop(), "mcc": "57"}}, "merchant.mcc"),
    ({"merchant": {**shop(), "mcc": 5734}}, "merchant.mcc"),
    ({"merchant": {**shop(), "mcc": "57x4"}}, "merchant.mcc"),
    ({"merchant": {**shop(), "country": "USA"}}, "merchant.country"),
    ({"merchant": {**shop(), "name": ""}}, "merchant.name"),
    ({"merchant": {**shop(), "name": "x" * 65}}, "merchant.name"),
    ({"merchant": {**shop(), "colour": "red"}}, "merchant.colour"),
    ({"kind": "theft"}, "kind"), ({"kind": "verification"}, "amount"),
    ({"exp_month": 13}, "exp_month"), ({"exp_month": 0}, "exp_month"),
    ({"exp_year": "2029"}, "exp_year"), ({"cvv": 123}, "cvv"),
    ({"cvv": "12"}, "cvv"), ({"cvv": "12a"}, "cvv"),
    ({"partial_capable": "yes"}, "partial_capable"),
    ({"merchant_currency": "EURO"}, "merchant_currency"),
    ({"merchant_amount": "5"}, "merchant_amount"),
    ({"network_ref": ""}, "network_ref"),
    ({"network_ref": "x" * 65}, "network_ref"),
    ({"network_ref": 5}, "network_ref"), ({"colour": "red"}, "colour"),
    ({"three_ds": "yes"}, "three_ds"),
    ({"three_ds": {}}, "three_ds.version"),
    ({"card_id": 5}, "card_id"), ({"card_id": ""}, "card_id"),
    ({"pan": "4916530000000000"}, "pan")]


@pytest.mark.parametrize("change, param", CHANGES,
                         ids=[str(change)[:40] for change, _ in CHANGES])
def test_authorizations_that_are_refused(api, card, change, param):
    body = {"card_id": card["id"], **GOOD, **change}
    if change.get("amount", 0) is None or change.get("merchant", 0) is None:
        del body[next(iter(change))]
    reply = api.post("/simulate/authorization", body)
    assert (reply.status, reply.body.get("param")) == (400, param), reply
    assert api.get("/transactions")["pagination"]["total"] == 0


def test_without_a_card(api):
    refused(api.post("/simulate/authorization", GOOD), 400,
            "missing_parameter", "card_id")
    refused(api.post("/simulate/authorization", {
        **GOOD, "card_id": MISSING_CARD}), 404, "not_found")


@pytest.mark.parametrize("kind", ["increment", "advice", "clearing",
                                  "reversal"])
@pytest.mark.parametrize("change, param", [
    ({"amount": 0.001}, "amount"), ({"amount": -5}, "amount"),
    ({"amount": "5"}, "amount"), ({"transaction_id": 7}, "transaction_id"),
    ({"transaction_id": None}, "transaction_id"), ({"final": 1}, "final"),
    ({"colour": "red"}, "colour")])
def test_messages_that_are_refused(api, card, kind, change, param):
    made = authorize(api, card, 10)
    body = {"transaction_id": made["id"], "amount": 1, **change}
    reply = api.post(f"/simulate/{kind}", body)
    assert (reply.status, reply.body.get("param")) == (400, param), reply
    assert len(api.get(f"/transactions/{made['id']}")["timeline"]) == 1


@pytest.mark.parametrize("kind", ["increment", "advice"])
def test_messages_that_need_an_amount(api, card, kind):
    made = authorize(api, card, 10)
    refused(say(api, kind, made), 400, "missing_parameter", "amount")


@pytest.mark.parametrize("kind, body, param", [
    ("force_post", {"amount": 5, "merchant": shop()}, "card_id"),
    ("force_post", {"card_id": "C", "merchant": shop()}, "amount"),
    ("force_post", {"card_id": "C", "amount": 0, "merchant": shop()},
     "amount"),
    ("force_post", {"card_id": "C", "amount": 5}, "merchant"),
    ("refund", {"amount": 5, "merchant": shop()}, "card_id"),
    ("refund", {"card_id": "C", "amount": 5, "merchant": None}, "merchant"),
    ("refund", {"card_id": "C", "merchant": shop()}, "amount"),
    ("refund", {"card_id": "C", "transaction_id": MISSING, "amount": 5},
     "transaction_id")])
def test_postings_that_are_refused(api, card, kind, body, param):
    body = {name: card["id"] if value == "C" else value
            for name, value in body.items()}
    reply = api.post(f"/simulate/{kind}", body)
    assert (reply.status, reply.body.get("param")) == (400, param), reply
    assert api.get(f"/cards/{card['id']}")["balance"] == 100


def test_a_refund_taken_back(api, card):
    refund = api.post("/simulate/refund", {
        "card_id": card["id"], "amount": 5, "merchant": shop()})
    refused(api.post("/simulate/refund_reversal", {
        "transaction_id": refund["id"], "amount": 5.01}), 400,
        "over_reversal", "amount")
    taken = api.post("/simulate/refund_reversal", {
        "transaction_id": refund["id"], "amount": 2})
    assert taken.status == 201, taken
    assert (taken["status"], taken["amount"], taken["reversed"],
            taken["balance_after"], taken["approved"]) == (
                "settled", 3, 2, 103, True)
    taken = api.post("/simulate/refund_reversal", {
        "transaction_id": refund["id"]})
    assert (taken["status"], taken["type"], taken["amount"]) == (
        "voided", "refund", 5)
    assert [row["type"] for row in taken["timeline"]] == [
        "refund", "refund_reversal", "refund_reversal"]
    listed = api.get("/transactions?type=refund&status=voided").body["data"]
    assert [row["id"] for row in listed] == [refund["id"]]


def test_postings_to_nobody(api):
    for kind in ("force_post", "refund"):
        reply = api.post(f"/simulate/{kind}", {
            "card_id": MISSING_CARD, "amount": 5, "merchant": shop()})
        assert reply.status == 404, reply


@pytest.mark.parametrize("kind", [
    "authorization", "increment", "advice", "clearing", "reversal",
    "force_post", "refund", "refund_reversal", "3ds", "clock"])
def test_the_sandbox_is_for_test_keys(account, kind):
    refused(account.live.post(f"/simulate/{kind}", {}), 403,
            "test_mode_only")


@pytest.mark.parametrize("kind", [
    "authorization", "increment", "clearing", "reversal", "force_post",
    "refund", "refund_reversal", "3ds"])
def test_the_sandbox_needs_the_write_scope(account, kind):
    reader = account.client("test", scopes="read")
    refused(reader.post(f"/simulate/{kind}", {}), 403, "scope_missing")


def test_messages_that_come_too_late(api, card):
    declined = authorize(api, card, 500)
    for kind in ("increment", "advice", "clearing", "reversal"):
        refused(say(api, kind, declined, amount=1), 400,
                "transaction_declined")
    refused(api.post("/simulate/refund", {
        "transaction_id": declined["id"], "amount": 1}), 400,
        "refund_exceeds_purchase", "amount")
    settled = authorize(api, card, 10)
    assert say(api, "clearing", settled).status == 201
    refused(say(api, "reversal", settled), 400, "transaction_settled")
    refused(say(api, "increment", settled, amount=1), 400,
            "transaction_not_pending")
    voided = authorize(api, card, 10)
    refused(say(api, "reversal", voided, amount=10.01), 400, "over_reversal",
            "amount")
    assert say(api, "reversal", voided).status == 201
    refused(say(api, "increment", voided, amount=1), 400,
            "transaction_not_pending")
    shown = api.get(f"/cards/{card['id']}")
    assert (shown["balance"], shown["pending"]) == (90, 0)


def test_a_refund_without_a_merchant(api, owner, card):
    """Of a card alone: from the sandbox's own merchant."""
    refund = api.post("/simulate/refund", {"card_id": card["id"],
                                           "amount": 5})
    assert refund.status == 201, refund
    assert (refund["type"], refund["amount"], refund["balance_after"],
            refund["original_transaction_id"]) == ("refund", 5, 105, None)
    assert refund["merchant"] == {
        "name": "Sandbox", "category": "shopping", "mcc": "5999",
        "country": "US", "city": None, "id": None}
    events(owner, card["id"])


def test_an_advice_of_nothing(api, card):
    made = authorize(api, card, 20)
    done = say(api, "advice", made, amount=0)
    assert (done.status, done["status"], done["pending"]) == \
        (201, "voided", 0), done
    refused(say(api, "advice", made, amount=-1), 400, "amount_too_small",
            "amount")
    for kind in ("increment", "clearing", "reversal"):
        refused(say(api, kind, made, amount=0), 400, "amount_too_small",
                "amount")
    assert api.get(f"/cards/{card['id']}")["balance"] == 100


def test_a_reference_of_another_kind(api, card):
    ref = unique()
    body = {"card_id": card["id"], "network_ref": ref, **GOOD}
    made = api.post("/simulate/authorization", body)
    assert made.status == 201, made
    for kind in ("force_post", "refund"):
        for key in (None, unique()):
            refused(api.post(f"/simulate/{kind}", body, idempotency=key),
                    400, "invalid_parameter", "network_ref")
    ref = unique()
    body["network_ref"] = ref
    assert api.post("/simulate/force_post", body).status == 201
    refused(api.post("/simulate/authorization", body), 400,
            "invalid_parameter", "network_ref")


# --- once and again -----------------------------------------------------------


def test_a_repeated_request_is_one(api, owner, card):
    """Each of the sandbox's messages with one key: the same bytes again."""
    body = {"card_id": card["id"], **GOOD}

    def twice(path, body):
        key = unique()
        first = api.post(path, body, idempotency=key)
        assert first.status == 201, first
        state = (journal_count(owner, card["id"]),
                 len(events(owner, card["id"])))
        again = api.post(path, body, idempotency=key)
        assert again.replayed and again.raw == first.raw
        assert (journal_count(owner, card["id"]),
                len(events(owner, card["id"]))) == state
        other = api.post(path, {**body, "amount": 2}, idempotency=key)
        assert other.error == "idempotency_key_reused", other
        return first

    made = twice("/simulate/authorization", body)
    for kind, amount in (("increment", 3), ("advice", 9), ("reversal", 1),
                         ("clearing", 4)):
        twice(f"/simulate/{kind}", {"transaction_id": made["id"],
                                    "amount": amount})
    twice("/simulate/force_post", body)
    twice("/simulate/refund", body)


def test_a_clearing_in_one_currency(api, card):
    """The merchant's amount is posted at the clearing's rate."""
    made = authorize(api, card, 20, merchant_amount=18.5,
                     merchant_currency="EUR")
    assert (made["merchant_amount"], made["merchant_currency"]) == \
        (18.5, "EUR")
    done = say(api, "clearing", made, amount=21, merchant_amount=18.5,
               merchant_currency="EUR")
    assert (done["merchant_amount"], done["amount"]) == (18.5, -21)


# --- explain ------------------------------------------------------------------

REASONS = [
    "card_unknown", "card_expired", "expiry_mismatch", "cvv_mismatch",
    "account_suspended", "card_pending", "card_terminated", "card_frozen",
    "single_use_spent", "merchant_locked", "category_not_allowed",
    "country_not_allowed", "currency_not_supported", "transaction_limit",
    "bin_transaction_limit", "daily_limit", "weekly_limit", "monthly_limit",
    "yearly_limit", "lifetime_limit", "bin_monthly_limit", "count_limit",
    "insufficient_funds"]


def explain(api, card, **change):
    return api.post(f"/cards/{card['id']}/explain", {**GOOD, **change})


def test_explain_an_approval(api, card):
    reply = explain(api, card)
    assert reply.status == 200, reply
    assert (reply["approved"], reply["approved_amount"],
            reply["response_code"]) == (True, 5, "00")
    assert (reply["decline_reason"], reply["decline_reasons"]) == (None, [])
    assert [rule["rule"] for rule in reply["rules"]] == REASONS
    assert all(rule["passed"] for rule in reply["rules"])
    funds = reply["rules"][-1]
    assert (funds["applies"], funds["asked"], funds["room"]) == (True, 5, 100)
    assert funds["response_code"] == "51"


def test_explain_tells_what_an_authorization_would(api, card):
    """The same verdict and reasons, for each of many questions."""
    details = api.details(card["id"]).body
    wrong = f"{(int(details['cvv']) + 1) % 1000:03}"
    api.patch(f"/cards/{card['id']}", {"spending_limit": 60})
    changes = [{}, {"amount": 60}, {"amount": 60.01}, {"amount": 100.01},
               {"amount": 100.01, "cvv": wrong}, {"cvv": details["cvv"]},
               {"amount": 0}, {"amount": 0, "kind": "verification"},
               {"exp_month": details["exp_month"], "exp_year": 2001},
               {"exp_month": details["exp_month"]},
               {"exp_month": details["exp_month"] % 12 + 1},
               {"exp_year": details["exp_year"] % 100}, {"exp_year": 0},
               {"merchant_currency": "XYZ", "merchant_amount": 1},
               {"amount": 6000, "partial_capable": True}]
    for change, frozen in itertools.product(changes, (False, True)):
        if frozen:
            api.post(f"/cards/{card['id']}/freeze")
        told = explain(api, card, **change)
        done = api.post("/simulate/authorization", {
            "card_id": card["id"], **GOOD, **change})
        for name in ("approved", "response_code", "decline_reason",
                     "decline_reasons"):
            assert told[name] == done[name], (change, name)
        failed = [rule["rule"] for rule in told["rules"]
                  if not rule["passed"]]
        assert failed == told["decline_reasons"]
        if done["approved"]:
            say(api, "reversal", done)
        if frozen:
            api.post(f"/cards/{card['id']}/unfreeze")


def everything(owner, card):
    return [owner.rows(f"SELECT COUNT(*) AS n FROM {table}")[0]["n"]
            for table in ("transactions", "transaction_events",
                          "ledger_journals", "ledger_entries", "events",
                          "network_refs", "card_usage", "audit_log",
                          "transaction_counts", "challenges")] + \
        owner.rows("SELECT * FROM cards WHERE public_id = %s", card["id"])


def test_explain_leaves_no_trace(api, owner, card):
    before = everything(owner, card)
    for change in ({}, {"amount": 500}, {"amount": 0}, {"amount": 99.99}):
        assert explain(api, card, **change).status == 200
    at_once(8, lambda _: explain(api, card, amount=100))
    assert everything(owner, card) == before
    assert api.get("/transactions")["pagination"]["total"] == 0


def test_explain_refuses(api, account, card, stranger):
    refused(explain(api, {"id": MISSING_CARD}), 404, "not_found")
    refused(explain(stranger.test, card), 404, "not_found")
    refused(explain(api, card, card_id=card["id"]), 400,
            "unknown_parameter", "card_id")
    refused(explain(api, card, network_ref="x"), 400, "unknown_parameter",
            "network_ref")
    refused(explain(api, card, amount="5"), 400, "invalid_parameter",
            "amount")
    assert explain(account.client("test", scopes="read"), card).status == 200


def test_explain_with_a_cvv_shows_some_of_it(api, account, owner, card):
    """Whoever may ask often enough has it: it takes the right to see it, and
    leaves as much of a trace."""
    details = api.details(card["id"])
    wrong = f"{(int(details['cvv']) + 1) % 1000:03}"

    def notes():
        return owner.rows(
            "SELECT actor, address, request_id FROM audit_log "
            "WHERE subject = %s AND action = 'card_cvv_explained' "
            "ORDER BY id", card["id"])

    blind = account.client("test", scopes="read,write")
    for cvv in (wrong, details["cvv"]):
        refused(explain(blind, card, cvv=cvv), 403, "scope_missing")
    refused(explain(blind, {"id": MISSING_CARD}, cvv=wrong), 403,
            "scope_missing")
    assert explain(blind, card).status == 200
    assert notes() == []
    seeing = account.issue("test", scopes="read,cards:details")
    for cvv, approved in ((wrong, False), (details["cvv"], True)):
        reply = explain(api.__class__(api.stack, seeing["api_key"]), card,
                        cvv=cvv)
        assert (reply.status, reply["approved"]) == (200, approved), reply
        noted = notes()[-1]
        assert noted["request_id"] == reply.request_id
        assert noted["actor"] == seeing["key_id"] and noted["address"]
    assert len(notes()) == 2
    refused(explain(api, {"id": MISSING_CARD}, cvv=wrong), 404, "not_found")


def test_a_part_of_the_expiry(api, card):
    """What is given is compared, and nothing else."""
    details = api.details(card["id"]).body
    month, year = details["exp_month"], details["exp_year"]
    for change, fits in (({"exp_month": month}, True),
                         ({"exp_month": month % 12 + 1}, False),
                         ({"exp_year": year}, True),
                         ({"exp_year": year % 100}, True),
                         ({"exp_year": year - 1}, False),
                         ({"exp_year": 0}, False)):
        reply = api.post("/simulate/authorization", {
            "card_id": card["id"], **GOOD, **change})
        assert (reply["approved"], reply["decline_reasons"]) == \
            (fits, [] if fits else ["expiry_mismatch"]), change


def test_explain_partial(api, card):
    reply = explain(api, card, amount=120, partial_capable=True)
    assert (reply["approved"], reply["approved_amount"],
            reply["response_code"]) == (True, 100, "10")
