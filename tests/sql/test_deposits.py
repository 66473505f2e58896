# SPDX-License-Identifier: Apache-2.0
"""Deposits, addresses and the sandbox's clock."""

import itertools

import pytest

from conftest import call, query

numbers = itertools.count(1)
DAY = 86400


def deposit(world, currency="usdt", units=None, cents=None, confirm=True):
    number = next(numbers)
    return world.call("simulate_deposit", f"dep_{number:020d}", currency,
                      units, cents, f"tx{number}", confirm)


def test_the_samples_deposit(world):
    row = deposit(world, "btc", units="750000")
    assert len(row) == 19
    assert (row["amount_usd_cents"], row["fee_usd_cents"],
            row["credited_usd_cents"]) == (50000, 1000, 49000)
    assert (row["amount_units"], row["decimals"], row["network"]) == (
        "750000", 8, "bitcoin")
    assert row["status"] == "confirmed" and row["confirmed_at"] is not None
    assert row["confirmations"] == row["required_confirmations"]
    assert world.balance() == 49000
    assert world.events() == ["deposit.pending", "deposit.confirmed"]


@pytest.mark.parametrize("currency", ["btc", "eth", "sol", "usdt", "usdt-sol",
                                      "xmr"])
@pytest.mark.parametrize("cents", [1, 99, 12345, 99999999999999])
def test_dollars_come_back_from_units(world, currency, cents):
    row = deposit(world, currency, cents=cents, confirm=False)
    assert row["amount_usd_cents"] == cents
    units = int(row["amount_units"])
    rate, scale = row["rate_micros"], 10 ** (row["decimals"] + 4)
    assert units * rate // scale == cents
    assert (units - 1) * rate // scale == cents - 1
    assert row["fee_usd_cents"] == -(-cents * 200 // 10000)


def test_rounding_is_exact_where_division_is_not(world):
    # 0.999999999999999999 ether at 3200 dollars: a cent less than 3200.
    row = deposit(world, "eth", units="999999999999999999", confirm=False)
    assert row["amount_usd_cents"] == 319999


@pytest.mark.parametrize("currency, units, cents, outcome", [
    ("doge", "1", None, "invalid_parameter"),
    ("usdt", None, None, "invalid_parameter"),
    ("usdt", "1.5", None, "invalid_parameter"),
    ("usdt", "9999", None, "amount_too_small"),
    ("usdt", None, 0, "amount_too_small"),
    ("usdt", "1000000000000000000", None, "amount_too_large"),
    ("eth", "9" * 38, None, "amount_too_large"),
    ("usdt", None, 10 ** 15, "amount_too_large"),
])
def test_refused(world, currency, units, cents, outcome):
    assert deposit(world, currency, units, cents)["outcome"] == outcome
    assert world.events() == []


def test_live_wallets_have_no_sandbox(world):
    live = world.wallets["live"]
    for routine, *parameters in (
            ("simulate_deposit", "dep_live", "usdt", None, 100, "t", True),
            ("simulate_deposit_change", "dep_live", "confirm"),
            ("simulate_clock", 1)):
        assert call(world.api, routine, live, *parameters)["outcome"] == (
            "test_mode_only")


def test_pending_then_confirmed_once(world):
    row = deposit(world, cents=10000, confirm=False)
    assert (row["status"], row["confirmed_at"]) == ("pending", None)
    wallet = query(world.api, "SELECT * FROM wallet_rows WHERE wallet_id = %s",
                   world.wallet)[0]
    assert (wallet["pending_deposits_cents"], wallet["balance_cents"]) == (
        9800, 0)
    change = ("simulate_deposit_change", row["public_id"])
    assert world.call(*change, "confirm")["status"] == "confirmed"
    for action in ("confirm", "expire"):
        assert world.call(*change, action)["outcome"] == "deposit_not_pending"
    assert world.balance() == 9800
    assert world.events() == ["deposit.pending", "deposit.confirmed"]
    assert world.call(*change, "undo")["outcome"] == "invalid_parameter"
    assert world.call("simulate_deposit_change", "dep_none", "confirm")[
        "outcome"] == "not_found"


def test_expired_and_mined_after_all(world):
    change = ("simulate_deposit_change",
              deposit(world, cents=10000, confirm=False)["public_id"])
    assert world.call(*change, "expire")["status"] == "expired"
    assert world.call(*change, "expire")["outcome"] == "deposit_not_pending"
    assert world.balance() == 0
    assert world.call(*change, "confirm")["status"] == "confirmed"
    assert world.balance() == 9800
    assert world.events() == ["deposit.pending", "deposit.expired",
                              "deposit.confirmed"]


def test_the_rate_is_fixed_at_confirmation(world):
    row = deposit(world, "xmr", units="1000000000000", confirm=False)
    assert row["amount_usd_cents"] == 17000
    query(world.admin, "CALL admin_currency_set('xmr', 200000000, 100, 300,"
          " NULL, NULL, NULL)")
    try:
        seen = query(world.api, "SELECT * FROM deposit_rows WHERE id = %s",
                     row["id"])[0]
        assert (seen["amount_usd_cents"], seen["fee_usd_cents"],
                seen["credited_usd_cents"]) == (20000, 300, 19700)
        world.call("simulate_deposit_change", row["public_id"], "confirm")
        small = deposit(world, "xmr", cents=200)
        assert (small["fee_usd_cents"], small["credited_usd_cents"]) == (200, 0)
    finally:
        query(world.admin, "CALL admin_currency_set('xmr', 170000000, 200, 0,"
              " NULL, NULL, NULL)")
    assert world.balance() == 19700


def test_clock(world):
    first = world.call("simulate_clock", 0)
    assert first["offset_seconds"] == 0
    then = world.call("simulate_clock", 100)
    assert then["offset_seconds"] == 100
    assert (then["now"] - first["now"]).total_seconds() >= 100
    for wrong in (-1, 300 * 10 ** 9, 2 ** 63 - 1):
        assert world.call("simulate_clock", wrong)["outcome"] == (
            "invalid_parameter")
    card = world.card()
    assert abs((world.row(card)["created_at"]
                - then["now"]).total_seconds()) < 60


def test_clock_expires_what_is_due(world):
    old = deposit(world, cents=100, confirm=False)["public_id"]
    world.call("simulate_clock", 2 * DAY)
    young = deposit(world, cents=100, confirm=False)["public_id"]
    world.call("simulate_clock", DAY - 60)
    assert world.events()[2:] == []
    world.call("simulate_clock", 61)
    world.call("simulate_clock", 0)
    status = {row["public_id"]: row["status"] for row in query(
        world.api, "SELECT * FROM deposit_rows WHERE wallet_id = %s",
        world.wallet)}
    assert status == {old: "expired", young: "pending"}
    assert world.events()[2:] == ["deposit.expired"]


def test_addresses(world, installation):
    base = next(numbers) * 1000
    assert world.call("deposit_address_take", "doge")["outcome"] == (
        "invalid_parameter")
    assert world.call("deposit_address_take", "sol")["outcome"] == (
        "address_pool_empty")
    for idx in (base + 1, base):
        query(world.admin, "CALL admin_address_import('test', 'ethereum', %s,"
              " %s)", idx, f"0x{idx:040d}")
    query(world.admin, "CALL admin_address_import('live', 'ethereum', %s, %s)",
          base, f"0x{base + 7:040d}")
    lowest = f"0x{base:040d}"
    assert world.call("deposit_address_take", "eth")["address"] == lowest
    assert world.call("deposit_address_take", "eth")["address"] == lowest
    assert world.call("deposit_address_take", "usdt")["address"] == lowest
    other = type(world)(installation)
    assert other.call("deposit_address_take", "usdt")["address"] == (
        f"0x{base + 1:040d}")
    assert type(world)(installation).call("deposit_address_take", "eth")[
        "outcome"] == "address_pool_empty"
    assert deposit(world, "eth", cents=100)["address"] == lowest
