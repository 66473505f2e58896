# SPDX-License-Identifier: Apache-2.0
"""The wallet, its deposits, and the sandbox that fills it."""

import datetime
import re
from decimal import Decimal

import pytest
from test_lists import by_cursor, by_pages, ids

BALANCE = ["balance", "currency", "pending_deposits", "total_deposited",
           "total_spent", "cards_active", "cards_total_balance"]
DEPOSIT = ["id", "currency", "amount_crypto", "amount_usd", "fee_usd",
           "credited_usd", "status", "tx_hash", "confirmations",
           "created_at", "confirmed_at"]
BEYOND = ["network", "address", "rate", "required_confirmations",
          "hold_reason"]
MISSING_DEPOSIT = "dep_00000000000000000000"


def test_an_empty_wallet(account):
    reply = account.test.get("/wallet/balance")
    assert reply.status == 200
    assert list(reply.body) == BALANCE
    assert reply.body == {
        "balance": 0, "currency": "USD", "pending_deposits": 0,
        "total_deposited": 0, "total_spent": 0, "cards_active": 0,
        "cards_total_balance": 0}
    compact = reply.text.replace(": ", ":")
    for name in ("balance", "pending_deposits", "total_deposited",
                 "total_spent", "cards_total_balance"):
        assert f'"{name}":0.00' in compact
    assert '"cards_active":0' in compact


def test_a_deposit_as_the_sample_shows(account):
    api = account.test
    reply = api.post("/simulate/deposit", {"currency": "btc",
                                           "amount_usd": 500})
    assert reply.status == 201
    deposit = reply.body
    assert set(DEPOSIT + BEYOND) <= set(deposit)
    assert re.fullmatch(r"dep_[0-9A-Za-z]{16,}", deposit["id"])
    assert deposit["currency"] == "btc"
    assert deposit["network"] == "bitcoin"
    assert re.fullmatch(r"\d+\.\d+", deposit["amount_crypto"])
    assert (deposit["amount_usd"], deposit["fee_usd"],
            deposit["credited_usd"]) == (500, 10, 490)
    compact = reply.text.replace(": ", ":")
    assert '"amount_usd":500.00' in compact
    assert '"fee_usd":10.00' in compact
    assert '"credited_usd":490.00' in compact
    assert deposit["status"] == "confirmed"
    assert deposit["tx_hash"]
    assert deposit["confirmations"] >= 1
    assert deposit["confirmed_at"] >= deposit["created_at"]
    assert api.get(f"/wallet/deposits/{deposit['id']}").body == deposit
    assert api.get("/wallet/deposits")["data"] == [deposit]
    assert api.wallet() | {"currency": "USD"} == {
        "balance": 490, "currency": "USD", "pending_deposits": 0,
        "total_deposited": 490, "total_spent": 0, "cards_active": 0,
        "cards_total_balance": 0}


@pytest.mark.parametrize("coins", [0.125, "0.125"])
def test_a_deposit_in_coins(account, coins):
    """As a number, or as the text that replies have."""
    reply = account.test.post("/simulate/deposit", {"currency": "eth",
                                                    "amount_crypto": coins})
    assert reply.status == 201
    assert reply["amount_crypto"] == "0.125"
    assert reply["amount_usd"] == reply["fee_usd"] + reply["credited_usd"]
    assert reply["amount_usd"] > 0
    assert account.test.balance() == reply["credited_usd"]


@pytest.mark.parametrize("currency, network", [
    ("btc", "bitcoin"), ("eth", "ethereum"), ("sol", "solana"),
    ("usdt", "erc-20")])
def test_each_currency(account, currency, network):
    reply = account.test.post("/simulate/deposit", {"currency": currency,
                                                    "amount_usd": 100})
    assert reply.status == 201, reply
    assert reply["network"] == network
    assert account.test.wallet()["balance"] == reply["credited_usd"] == 98


def test_a_pending_deposit_is_confirmed(account):
    api = account.test
    pending = api.post("/simulate/deposit", {
        "currency": "btc", "amount_usd": 500, "confirm": False})
    assert pending.status == 201
    assert pending["status"] == "pending"
    assert pending["confirmed_at"] is None
    assert pending["confirmations"] < pending["required_confirmations"]
    wallet = api.wallet()
    assert (wallet["balance"], wallet["pending_deposits"]) == (0, 490)
    confirmed = api.post("/simulate/deposit", {"deposit_id": pending["id"]})
    assert confirmed.status == 201
    assert confirmed["id"] == pending["id"]
    assert confirmed["status"] == "confirmed"
    assert confirmed["confirmations"] >= confirmed["required_confirmations"]
    assert confirmed["confirmed_at"] is not None
    wallet = api.wallet()
    assert (wallet["balance"], wallet["pending_deposits"]) == (490, 0)
    again = api.post("/simulate/deposit", {"deposit_id": pending["id"]})
    assert (again.status, again.error) == (400, "deposit_not_pending")
    assert api.wallet() == wallet


def test_a_pending_deposit_expires(account):
    api = account.test
    pending = api.post("/simulate/deposit", {
        "currency": "btc", "amount_usd": 500, "confirm": False})
    expired = api.post("/simulate/deposit", {"deposit_id": pending["id"],
                                             "expire": True})
    assert expired.status == 201
    assert expired["status"] == "expired"
    assert expired["confirmed_at"] is None
    wallet = api.wallet()
    assert (wallet["balance"], wallet["pending_deposits"]) == (0, 0)
    again = api.post("/simulate/deposit", {"deposit_id": pending["id"],
                                           "expire": True})
    assert (again.status, again.error) == (400, "deposit_not_pending")


@pytest.mark.parametrize("body, param", [
    ({}, "currency"),
    ({"amount_usd": 5}, "currency"),
    ({"currency": "btc"}, None),
    ({"currency": "doge", "amount_usd": 5}, "currency"),
    ({"currency": "BTC", "amount_usd": 5}, "currency"),
    ({"currency": "btc ", "amount_usd": 5}, "currency"),
    ({"currency": "btc", "amount_usd": 0}, "amount_usd"),
    ({"currency": "btc", "amount_usd": -5}, "amount_usd"),
    ({"currency": "btc", "amount_usd": "5"}, "amount_usd"),
    ({"currency": "btc", "amount_usd": 5.001}, "amount_usd"),
    ({"currency": "btc", "amount_crypto": 0}, "amount_crypto"),
    ({"currency": "btc", "amount_crypto": -1}, "amount_crypto"),
    ({"currency": "btc", "amount_crypto": "one"}, "amount_crypto"),
    ({"currency": "btc", "amount_crypto": 0.123456789}, "amount_crypto"),
    ({"currency": "btc", "amount_usd": 5, "amount_crypto": 1}, None),
    ({"currency": "btc", "amount_usd": 5, "confirm": "no"}, "confirm"),
    ({"currency": "btc", "amount_usd": 5, "confirm": None}, "confirm"),
    ({"deposit_id": 5}, "deposit_id"),
    ({"currency": "btc", "amount_usd": 5, "when": "now"}, "when"),
])
def test_simulate_deposit_refuses(account, body, param):
    reply = account.test.post("/simulate/deposit", body)
    assert reply.status == 400, reply
    if param is not None:
        assert reply["param"] == param, reply
    assert account.test.wallet()["total_deposited"] == 0
    assert account.test.get("/wallet/deposits")["data"] == []


def test_missing_deposits(account):
    api = account.test
    assert api.get(f"/wallet/deposits/{MISSING_DEPOSIT}").status == 404
    assert api.get("/wallet/deposits/nonsense").status == 404
    reply = api.post("/simulate/deposit", {"deposit_id": MISSING_DEPOSIT})
    assert (reply.status, reply.error) == (404, "not_found")


def test_the_identity_holds_after_every_step(account):
    api = account.test
    steps = []

    def step(reply):
        assert reply.status in (200, 201), reply
        wallet = api.wallet()
        cards = api.get("/cards", per_page=100)["data"]
        assert wallet["cards_total_balance"] == \
            sum(card["balance"] for card in cards)
        assert wallet["cards_active"] == \
            sum(card["status"] == "active" for card in cards)
        assert wallet["total_spent"] == wallet["cards_total_balance"]
        steps.append(wallet["balance"])
        return reply

    step(api.post("/simulate/deposit", {"currency": "btc",
                                        "amount_usd": 1000}))
    one = step(api.post("/cards", {"bin_id": "491653", "amount": 100}))["id"]
    two = step(api.post("/cards", {"bin_id": "531993", "amount": 50}))["id"]
    step(api.post(f"/cards/{one}/fund", {"amount": 25.25}))
    step(api.post(f"/cards/{two}/withdraw", {"amount": 0.01}))
    step(api.post(f"/cards/{one}/freeze"))
    step(api.post(f"/cards/{one}/withdraw", {"amount": 5}))
    step(api.delete(f"/cards/{one}"))
    step(api.delete(f"/cards/{one}"))
    step(api.post("/simulate/deposit", {"currency": "btc", "amount_usd": 10}))
    step(api.delete(f"/cards/{two}"))
    assert steps[:5] == [980, 880, 830, Decimal("804.75"),
                         Decimal("804.76")]
    assert steps[-1] == 980 + Decimal("9.80")
    assert api.wallet()["total_spent"] == 0


# --- the list ---------------------------------------------------------------


@pytest.fixture
def deposits(account):
    made = []
    for currency, confirm in (("btc", True), ("eth", False), ("btc", False),
                              ("sol", True), ("btc", True)):
        made.append(account.test.post("/simulate/deposit", {
            "currency": currency, "amount_usd": 50,
            "confirm": confirm}).body)
    return made


def test_deposits_are_listed(account, deposits):
    api = account.test
    newest_first = [deposit["id"] for deposit in reversed(deposits)]
    assert ids(api.get("/wallet/deposits")) == newest_first
    for per_page in (1, 2, 5, 50):
        assert by_pages(api, "/wallet/deposits", per_page) == newest_first
        assert by_cursor(api, "/wallet/deposits", per_page) == newest_first


def test_deposits_are_filtered(account, deposits):
    api = account.test
    path = "/wallet/deposits"
    names = [deposit["id"] for deposit in deposits]

    def found(**query):
        return set(by_pages(api, path, 2, **query))

    assert found(currency="btc") == {names[0], names[2], names[4]}
    assert found(status="pending") == {names[1], names[2]}
    assert found(status="confirmed", currency="btc") == {names[0], names[4]}
    assert found(status="expired") == set()
    assert api.get(path, status="lost")["param"] == "status"
    assert found(currency="doge") == set()


def test_deposits_are_filtered_by_time(account, owner, deposits):
    api = account.test
    days = ["2026-02-27 23:59:59", "2026-02-28 00:00:00",
            "2026-02-28 12:00:00", "2026-03-01 00:00:00",
            "2026-03-01 00:00:01"]
    for deposit, day in zip(deposits, days):
        owner.rows("UPDATE deposits SET created_at = %s "
                   "WHERE public_id = %s", day, deposit["id"])
    names = [deposit["id"] for deposit in deposits]

    def found(**query):
        query = {name.rstrip("_"): value for name, value in query.items()}
        return set(by_cursor(api, "/wallet/deposits", 2, **query))

    assert found(from_="2026-02-28") == set(names[1:])
    assert found(to="2026-02-28") == {names[0]}
    assert found(from_="2026-02-28", to="2026-03-01") == set(names[1:3])
    assert found(from_="2026-02-28T12:00:00Z") == set(names[2:])
    assert found(to="2026-02-28T12:00:00Z") == set(names[:2])
    assert found(from_="2026-02-28T14:00:00+02:00") == set(names[2:])
    assert found(from_="2026-02-28T07:00:00-05:00",
                 to="2026-03-01T00:00:01Z") == set(names[2:4])
    assert found(from_="2026-03-01", to="2026-02-28") == set()


@pytest.mark.parametrize("value", [
    "yesterday", "2026-02-30", "2026-13-01", "2026-2-1", "20260201",
    "2026-02-01T12:00:00", "2026-02-01T25:00:00Z", "2026-02-01 12:00:00Z ",
    "1770000000", "", "2026-02-01T12:00:00+25:00"])
def test_times_that_are_refused(account, value):
    for name in ("from", "to"):
        reply = account.test.get("/wallet/deposits", **{name: value})
        assert (reply.status, reply.error, reply["param"]) == \
            (400, "invalid_parameter", name), value


# --- addresses --------------------------------------------------------------


def restock(owner, count=20):
    """Puts addresses of the test world into the pool, as the watcher would."""
    for network in ("bitcoin", "ethereum", "solana", "monero"):
        first = int(owner.value(
            "SELECT COALESCE(MAX(idx), 0) + 1 FROM deposit_addresses "
            "WHERE mode = 'test' AND network = %s", network))
        for idx in range(first, first + count):
            owner.rows("INSERT INTO deposit_addresses (mode, network, idx, "
                       "address) VALUES ('test', %s, %s, %s)", network, idx,
                       f"pool-{network}-{idx}")


def test_deposit_addresses(account, owner):
    api = account.test
    reply = api.get("/wallet/deposit-address")
    if reply.error == "address_pool_empty":
        restock(owner)
        reply = api.get("/wallet/deposit-address")
    assert reply.status == 200
    assert set(reply.body) == {"addresses", "networks", "min_deposit"}
    assert {"btc", "eth", "sol", "usdt"} <= set(reply["addresses"])
    assert set(reply["addresses"]) == set(reply["networks"]) == \
        set(reply["min_deposit"])
    assert {name: reply["networks"][name]
            for name in ("btc", "eth", "sol", "usdt")} == {
        "btc": "bitcoin", "eth": "ethereum", "sol": "solana",
        "usdt": "erc-20"}
    assert {name: reply["min_deposit"][name]
            for name in ("btc", "eth", "sol", "usdt")} == {
        "btc": "0.0001", "eth": "0.005", "sol": "0.1", "usdt": "5.00"}
    assert reply["addresses"]["eth"] == reply["addresses"]["usdt"]
    assert api.get("/wallet/deposit-address").body == reply.body
    for currency in reply["addresses"]:
        one = api.get("/wallet/deposit-address", currency=currency)
        assert one.body == {part: {currency: reply[part][currency]}
                            for part in reply.body}


def test_addresses_are_nobody_elses(account, stranger, owner):
    restock(owner)
    ours = account.test.get("/wallet/deposit-address")["addresses"]
    theirs = stranger.test.get("/wallet/deposit-address")["addresses"]
    assert not set(ours.values()) & set(theirs.values())


def test_unknown_currency_of_an_address(account):
    for currency in ("doge", "", "BTC", "btc ", "btc,eth"):
        reply = account.test.get("/wallet/deposit-address",
                                 currency=currency)
        assert (reply.status, reply["param"]) == (400, "currency")


def test_no_address_is_left(account, owner):
    """503, and every other currency still has its address."""
    restock(owner)
    spare = owner.rows("SELECT * FROM deposit_addresses WHERE mode = 'test' "
                       "AND network = 'solana' AND wallet_id IS NULL")
    owner.rows("DELETE FROM deposit_addresses WHERE mode = 'test' AND "
               "network = 'solana' AND wallet_id IS NULL")
    try:
        reply = account.test.get("/wallet/deposit-address", currency="sol")
        assert (reply.status, reply.error) == (503, "address_pool_empty")
        assert account.test.get("/wallet/deposit-address",
                                currency="btc").status == 200
    finally:
        for row in spare:
            owner.rows("INSERT INTO deposit_addresses (mode, network, idx, "
                       "address) VALUES (%s, %s, %s, %s)", row["mode"],
                       row["network"], row["idx"], row["address"])
    assert account.test.get("/wallet/deposit-address",
                            currency="sol").status == 200


# --- the clock --------------------------------------------------------------


def moment(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def test_the_clock(account, stranger):
    api = account.test
    zero = api.post("/simulate/clock", {"advance_seconds": 0})
    assert zero.status == 201
    assert list(zero.body) == ["now", "offset_seconds"]
    assert zero["offset_seconds"] == 0
    real = datetime.datetime.utcnow()
    assert abs((moment(zero["now"]) - real).total_seconds()) < 5
    day = api.post("/simulate/clock", {"advance_seconds": 86400})
    assert day["offset_seconds"] == 86400
    assert 86395 < (moment(day["now"]) - real).total_seconds() < 86405
    more = api.post("/simulate/clock", {"advance_seconds": 1})
    assert more["offset_seconds"] == 86401
    api.deposit(100)
    card = api.card(10)
    assert 86390 < (moment(card["created_at"]) - real).total_seconds() < 86420
    reply = stranger.test.post("/simulate/clock", {"advance_seconds": 0})
    assert reply["offset_seconds"] == 0


@pytest.mark.parametrize("value", [-1, 1.5, "60", None, True, 10 ** 20])
def test_the_clock_refuses(account, value):
    reply = account.test.post("/simulate/clock", {"advance_seconds": value})
    assert (reply.status, reply.error, reply["param"]) == \
        (400, "invalid_parameter", "advance_seconds")


def test_the_clock_says_how_far(account):
    reply = account.test.post("/simulate/clock", {})
    if reply.status == 400:
        assert reply["param"] == "advance_seconds"
    else:
        assert reply["offset_seconds"] == 0
