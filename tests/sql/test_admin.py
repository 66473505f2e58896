# SPDX-License-Identifier: Apache-2.0
"""What an operator does: each procedure, its audit row, and its refusals."""

import hashlib
import json
import re

import pymysql
import pytest

from conftest import query


def audit(world, subject):
    return [(r["actor"], r["action"], json.loads(r["detail"])) for r in query(
        world.admin, "SELECT * FROM admin_audit WHERE subject = %s ORDER BY id",
        subject)]


def issue(world, **changes):
    values = dict(account=world.account, mode="test", dialect=None,
                  scopes="read,write", label="CI", expires_at=None,
                  networks=None) | changes
    return query(world.admin, "CALL admin_key_issue(%s, %s, %s, %s, %s, %s,"
                 " %s)", *values.values())[0]


def refused(world, statement, *parameters, match):
    before = query(world.admin, "SELECT COUNT(*) AS n FROM admin_audit")
    with pytest.raises(pymysql.MySQLError) as error:
        query(world.admin, statement, *parameters)
    assert error.value.args[0] == 1644
    assert re.search(match, error.value.args[1])
    assert query(world.admin,
                 "SELECT COUNT(*) AS n FROM admin_audit") == before


def test_account(world):
    rows = query(world.admin, "SELECT mode, status, balance_cents FROM"
                 " admin_accounts WHERE account_id = %s ORDER BY mode",
                 world.account)
    assert [tuple(row.values()) for row in rows] == [
        ("live", "active", 0), ("test", "active", 0)]
    refused(world, "CALL admin_account_create('  ')", match="^name:")
    for verb, status in (("suspend", "suspended"), ("suspend", "suspended"),
                         ("reactivate", "active"), ("close", "closed"),
                         ("close", "closed")):
        assert query(world.admin, f"CALL admin_account_{verb}(%s)",
                     world.account)[0]["status"] == status
    assert [entry[1] for entry in audit(world, world.account)] == [
        "account_create", "account_suspend", "account_reactivate",
        "account_close"]
    assert audit(world, world.account)[0][0] == "cardstock_admin_user@localhost"
    for verb in ("suspend", "reactivate"):
        refused(world, f"CALL admin_account_{verb}(%s)", world.account,
                match="final")
    for verb in ("suspend", "reactivate", "close"):
        refused(world, f"CALL admin_account_{verb}('acct_none')",
                match="^account:")
    with pytest.raises(pymysql.MySQLError, match="closed"):
        issue(world)


def test_close_refuses_while_money_is_left(world):
    world.give(100, "live")
    key = issue(world)["key_id"]
    refused(world, "CALL admin_account_close(%s)", world.account,
            match="^account: live money")
    world.give(-100, "live")
    world.give(100, "test")
    query(world.admin, "CALL admin_account_close(%s)", world.account)
    assert query(world.admin, "SELECT revoked_at FROM admin_keys WHERE"
                 " key_id = %s", key)[0]["revoked_at"] is not None


@pytest.mark.parametrize("mode, dialect, pattern", [
    ("test", None, r"sk_test_[0-9A-Za-z]{32}"),
    ("live", "native", r"sk_live_[0-9A-Za-z]{32}"),
    ("test", "privacy", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]"
                        r"[0-9a-f]{3}-[0-9a-f]{12}")])
def test_key(world, mode, dialect, pattern):
    made = issue(world, mode=mode, dialect=dialect, networks="10.0.0.0/8 ::1",
                 expires_at="2099-01-01")
    key = made["api_key"]
    assert re.fullmatch(pattern, key)
    login = query(world.api, "SELECT * FROM api_logins WHERE key_hash = %s",
                  hashlib.sha256(key.encode()).digest())[0]
    assert (login["key_public_id"], login["wallet_id"], login["mode"],
            login["dialect"], login["scopes"], login["networks"]) == (
        made["key_id"], world.wallets[mode], mode, dialect or "native",
        "read,write", "10.0.0.0/8 ::1")
    shown = query(world.admin, "SELECT * FROM admin_keys WHERE key_id = %s",
                  made["key_id"])[0]
    assert shown["prefix"] == key[:12]
    assert issue(world, mode=mode, dialect=dialect)["api_key"] != key
    assert key not in str(audit(world, made["key_id"]))


def test_key_changes(world):
    key = issue(world)["key_id"]
    query(world.admin, "CALL admin_key_scope(%s, 'read,cards:details')", key)
    query(world.admin, "CALL admin_key_networks(%s, '192.0.2.7')", key)
    query(world.admin, "CALL admin_key_expire(%s, '2001-01-01')", key)
    first = query(world.admin, "CALL admin_key_revoke(%s)", key)
    assert query(world.admin, "CALL admin_key_revoke(%s)", key) == first
    shown = query(world.admin, "SELECT * FROM admin_keys WHERE key_id = %s",
                  key)[0]
    assert (shown["scopes"], shown["networks"], str(shown["expires_at"])) == (
        "read,cards:details", "192.0.2.7", "2001-01-01 00:00:00")
    assert [entry[1] for entry in audit(world, key)] == [
        "key_issue", "key_scope", "key_networks", "key_expire", "key_revoke"]
    for routine in ("scope('key_none', 'read')", "networks('key_none', '')",
                    "expire('key_none', NULL)", "revoke('key_none')"):
        refused(world, f"CALL admin_key_{routine}", match="^key:")
    refused(world, "CALL admin_key_scope(%s, 'all')", key, match="^scopes:")
    refused(world, "CALL admin_key_networks(%s, '10.0.0.0/33')", key,
            match="^networks:")


@pytest.mark.parametrize("changes, match", [
    (dict(account="acct_none"), "^account:"), (dict(mode="prod"), "^mode:"),
    (dict(dialect="seed"), "^dialect:"), (dict(scopes=""), "^scopes:"),
    (dict(scopes=None), "^scopes:"), (dict(scopes="read write"), "^scopes:"),
    (dict(networks="10.0.0.0/33"), "^networks:"),
    (dict(networks="10.0.0.0  ::1"), "^networks:"),
    (dict(networks="fe80::/129"), "^networks:"),
    (dict(networks="example.com"), "^networks:"),
    (dict(expires_at="2020-01-01"), "^expires_at:")])
def test_key_refused(world, changes, match):
    with pytest.raises(pymysql.MySQLError) as error:
        issue(world, **changes)
    assert re.search(match, error.value.args[1])
    assert query(world.admin, "SELECT 1 FROM admin_keys WHERE account_id = %s",
                 world.account) == []


GOOD_BIN = dict(bin="222100", network="mastercard", type="travel",
                issuer_country="GB", three_ds=1, apple_pay=0, google_pay=0,
                max_transaction_cents=100, max_monthly_cents=200,
                acceptance_tenths=900, best_for='["hotels"]')
PUT_BIN = "CALL admin_bin_put(" + ", ".join(["%s"] * len(GOOD_BIN)) + ")"


def test_bin(world):
    row = query(world.admin, PUT_BIN, *GOOD_BIN.values())[0]
    assert (row["id"], row["issuing"], row["max_monthly_cents"]) == (
        "222100", 1, 200)
    assert query(world.admin, "CALL admin_bin_stop('222100')")[0][
        "issuing"] == 0
    changed = GOOD_BIN | {"type": "everyday"}
    row = query(world.admin, PUT_BIN, *changed.values())[0]
    assert (row["type"], row["issuing"]) == ("everyday", 0)
    assert query(world.admin, "CALL admin_bin_start('222100')")[0][
        "issuing"] == 1
    assert [e[1] for e in audit(world, "222100")] == [
        "bin_put", "bin_stop", "bin_put", "bin_start"]
    for verb in ("stop", "start"):
        refused(world, f"CALL admin_bin_{verb}('999999')", match="^bin:")


@pytest.mark.parametrize("name, value, match", [
    ("bin", "12345", "^bin:"), ("bin", "49a653", "^bin:"),
    ("network", "visa", "^network:"), ("network", None, "^network:"),
    ("type", "", "^type:"), ("issuer_country", "gb", "^issuer_country:"),
    ("three_ds", None, "^three_ds"),
    ("max_transaction_cents", 0, "^max_transaction_cents:"),
    ("max_monthly_cents", None, "^max_monthly_cents:"),
    ("acceptance_tenths", 1001, "^acceptance_tenths:"),
    ("best_for", "hotels", "^best_for:"), ("best_for", "{}", "^best_for:")])
def test_bin_refused(world, name, value, match):
    refused(world, PUT_BIN, *(GOOD_BIN | {name: value}).values(), match=match)


SET_CURRENCY = "CALL admin_currency_set(%s, %s, %s, %s, %s, %s, %s)"


def test_currency(world):
    before = query(world.admin,
                   "SELECT * FROM admin_currencies WHERE code = 'sol'")[0]
    row = query(world.admin, SET_CURRENCY, "sol", 123, 150, 99, "0.25", 40,
                False)[0]
    assert (row["rate_micros"], row["fee_basis_points"], row["fee_min_cents"],
            row["min_deposit"], row["confirmations"], row["enabled"]) == (
        123, 150, 99, "0.25", 40, 0)
    assert world.call("deposit_address_take", "sol")["outcome"] == (
        "invalid_parameter")
    query(world.admin, SET_CURRENCY, "sol", *(
        before[name] for name in (
            "rate_micros", "fee_basis_points", "fee_min_cents", "min_deposit",
            "confirmations", "enabled")))
    unchanged = query(world.admin, SET_CURRENCY, "sol", *[None] * 6)[0]
    assert unchanged == before
    for parameters, match in (
            (("doge", 1), "^code:"), (("sol", 0), "^rate_micros:"),
            (("sol", None, 10000), "^fee_basis_points:"),
            (("sol", None, None, -1), "^fee_min_cents:"),
            (("sol", None, None, None, "1,5"), "^min_deposit:"),
            (("sol", None, None, None, None, -1), "^confirmations:")):
        refused(world, SET_CURRENCY,
                *(parameters + (None,) * (7 - len(parameters))), match=match)


def partition(world):
    rows = query(world.admin, "SELECT * FROM mcc_categories ORDER BY mcc_first")
    expected = 0
    for row in rows:
        assert row["mcc_first"] == expected
        expected = row["mcc_last"] + 1
    assert expected == 10000
    return {code: row["category"] for row in rows
            for code in range(row["mcc_first"], row["mcc_last"] + 1)}


# What a payments person expects of well-known codes: ISO 18245:2023 as the
# Visa Merchant Data Standards Manual and the Mastercard Quick Reference Booklet
# publish it. Charity holds civic and political bodies, health the pharmacies
# and ambulances, home the building trades, software hosting and digital goods.
EXPECTED = {
    "adult": [5967],
    "advertising": [7311],
    "agriculture": [0],
    "airlines": [3000, 3299, 4511],
    "alcohol_tobacco": [5921, 5993],
    "automotive": [5511, 7538],
    "car_rental": [3351, 3389, 7512],
    "charity": [8398, 8661],
    "clothing": [5651],
    "education": [8220],
    "electronics": [5732],
    "entertainment": [7832, 7841, 7994, 7996],
    "financial": [4829, 6011, 6051, 6211, 6540, 7321],
    "fuel": [5172, 5541, 5542, 5552],
    "gambling": [7800, 7801, 7802, 7995, 9406],
    "government": [9211, 9311],
    "groceries": [5411, 5499],
    "health": [4119, 5047, 5912, 8011, 8062],
    "home": [1520, 1711, 5200, 5712],
    "industrial": [5085],
    "insurance": [5960, 6300],
    "lodging": [3501, 3504, 3999, 7011],
    "office_supplies": [5021, 5044, 5111, 5943],
    "other": [9950, 9999],
    "personal_services": [7230, 8351],
    "pets": [742, 5995],
    "professional_services": [2741, 7333, 7392, 7399, 8111, 8931],
    "real_estate": [6513],
    "restaurants": [5812, 5814],
    "shipping": [4215, 9402],
    "shopping": [5262, 5311, 5942, 5999],
    "software": [4816, 5045, 5734, 5815, 5818, 7372, 7379],
    "subscriptions": [5968],
    "telecom": [4814, 4899],
    "transportation": [4111, 4121, 4784, 7523],
    "travel": [4411, 4722, 5962],
    "utilities": [4900],
}


def test_categories_of_well_known_codes(world):
    codes = partition(world)
    for category, expected in EXPECTED.items():
        assert {codes[code] for code in expected} == {category}
    assert set(codes.values()) == set(EXPECTED)


def test_category_set_keeps_every_code_in_one_row(world):
    codes = partition(world)
    original = query(world.admin, "SELECT * FROM mcc_categories")
    for first, last in ((7311, 7311), (0, 0), (9999, 9999), (3100, 3600),
                        (3000, 3350), (3000, 3000), (3350, 3351), (100, 9000)):
        query(world.admin, "CALL admin_category_set(%s, %s, 'special')", first,
              last)
        codes.update(dict.fromkeys(range(first, last + 1), "special"))
        assert partition(world) == codes, (first, last)
    for parameters, match in (((-1, 5, "x"), "^first:"),
                              ((6, 5, "x"), "^last:"),
                              ((5, 10000, "x"), "^last:"),
                              ((5, 6, "No Way"), "^category:")):
        refused(world, "CALL admin_category_set(%s, %s, %s)", *parameters,
                match=match)
    for row in original:
        query(world.admin, "CALL admin_category_set(%s, %s, %s)",
              *row.values())
    assert query(world.admin, "SELECT * FROM mcc_categories") == original


def test_card(world):
    card = world.card(700)
    change = "CALL admin_card_{}(%s, 'complaint 7')".format
    row = query(world.admin, change("freeze"), card)[0]
    assert (row["status"], row["frozen_reason"]) == ("frozen", "operator")
    assert world.call("card_unfreeze", card)["outcome"] == "card_not_active"
    query(world.admin, change("freeze"), card)
    assert query(world.admin, change("unfreeze"), card)[0]["status"] == "active"
    world.call("card_freeze", card, "customer")
    # The operator's freeze outranks the customer's.
    assert query(world.admin, change("freeze"), card)[0][
        "frozen_reason"] == "operator"
    row = query(world.admin, change("terminate"), card)[0]
    assert (row["status"], row["balance_cents"]) == ("terminated", 0)
    assert world.balance() == 700
    assert world.events(card) == ["card.created", "card.frozen",
                                  "card.unfrozen", "card.frozen",
                                  "card.updated", "card.terminated"]
    assert audit(world, card)[-1] == (
        "cardstock_admin_user@localhost", "card_terminate",
        {"reason": "complaint 7", "refunded_cents": 700})
    for verb in ("freeze", "unfreeze"):
        refused(world, change(verb), card, match="^card: it is terminated")
    waiting = world.create(amount_cents=0)["public_id"]
    refused(world, change("freeze"), waiting, match="^card: it waits")
    for verb in ("freeze", "unfreeze", "terminate"):
        refused(world, change(verb), "card_none", match="^card: there is no")
        refused(world, f"CALL admin_card_{verb}(%s, ' ')", card,
                match="^reason:")


def test_card_by_last_four(world):
    card = world.card(last4="9876")
    found = query(world.admin, "SELECT card_id, account_id FROM admin_cards"
                  " WHERE last4 = '9876'")
    assert {"card_id": card, "account_id": world.account} in found


def test_adjust(world):
    adjust = "CALL admin_wallet_adjust(%s, %s, %s, %s)"
    for cents, balance in ((500, 500), (-200, 300), (-300, 0)):
        assert query(world.admin, adjust, world.account, "live", cents,
                     "goodwill")[0]["balance_cents"] == balance
    actor, action, detail = audit(world, world.account)[-1]
    assert (action, detail["cents"], detail["reason"]) == (
        "wallet_adjust", -300, "goodwill")
    for parameters, match in (
            (("acct_none", "live", 1, "x"), "^account:"),
            ((world.account, "prod", 1, "x"), "^mode:"),
            ((world.account, "live", 0, "x"), "^cents:"),
            ((world.account, "live", -1, "x"), "^cents: the wallet"),
            ((world.account, "live", 1, ""), "^reason:"),
            ((world.account, "live", 1, None), "^reason:")):
        refused(world, adjust, *parameters, match=match)


def test_address_import(world):
    add = "CALL admin_address_import(%s, %s, %s, %s)"
    good = ("live", "monero", 5, "4" + "a" * 94)
    query(world.admin, add, *good)
    for changes, match in (({}, "^address: this"), ({3: "8" * 95}, "^address: this"),
                           ({2: 6}, "^address: this"), ({0: "x"}, "^mode:"),
                           ({1: "erc-20"}, "^network:"), ({2: None}, "^idx:"),
                           ({2: 7, 3: "short"}, "^address: 20")):
        wrong = [changes.get(n, value) for n, value in enumerate(good)]
        refused(world, add, *wrong, match=match)
    pool = query(world.admin, "SELECT * FROM admin_address_pool WHERE mode ="
                 " 'live' AND network = 'monero'")[0]
    assert (pool["free"], pool["taken"]) == (1, 0)


def test_trial_balance_volume_and_queue(world):
    world.card(1234)
    total = query(world.admin, "SELECT mode, SUM(balance_cents) AS total FROM"
                  " admin_ledger_trial_balance GROUP BY mode")
    assert [int(row["total"]) for row in total] == [0, 0]
    volume = query(world.admin, "SELECT * FROM admin_daily_volume WHERE mode ="
                   " 'test' AND kind = 'card_created'")[-1]
    assert volume["moved_cents"] >= 1234
    queues = query(world.admin, "SELECT * FROM admin_queue")
    assert [row["queue"] for row in queues] == ["deliveries",
                                                "holds to expire"]
    assert all(row["waiting"] >= 0 and row["oldest_s"] >= 0 for row in queues)


def test_an_error_leaves_no_transaction_open(world):
    refused(world, "CALL admin_wallet_adjust(%s, 'live', -1, 'x')",
            world.account, match="^cents")
    assert query(world.admin, "SELECT @@in_transaction AS open") == [
        {"open": 0}]
