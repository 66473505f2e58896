# SPDX-License-Identifier: Apache-2.0
"""A card's life: made, funded, frozen, changed, ended."""

import re
from decimal import Decimal

import pytest
from conftest import BIN_MASTERCARD, BIN_VISA, MISSING_CARD, exact, luhn
from payments import Setup

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"

# The seeds' samples, field by field.
CREATED = ["id", "bin_id", "network", "last4", "status", "balance",
           "spending_limit", "label", "allowed_categories", "auto_freeze_at",
           "metadata", "created_at", "expires_at"]
FULL = CREATED + ["total_spent", "transaction_count", "last_used_at",
                  "pending", "frozen_reason", "available_to_spend",
                  "limit_resets_at"]
SAMPLE = {"bin_id": BIN_VISA, "amount": 500, "label": "Meta Ads Campaign #12",
          "spending_limit": 2000, "allowed_categories": ["advertising"],
          "metadata": {"campaign": "spring_2026"}}


def refused(reply, error, param=None):
    assert reply.status == 400, reply
    assert reply.error == error, reply
    assert reply.body.get("param") == param, reply
    return True


def test_create_as_the_sample_shows(api):
    before = api.wallet()
    reply = api.post("/cards", SAMPLE)
    assert reply.status == 201
    card = reply.body
    assert set(CREATED) <= set(card)
    assert re.fullmatch(r"card_[0-9A-Za-z]{16,}", card["id"])
    assert re.fullmatch(r"\d{4}", card["last4"])
    assert {name: card[name] for name in
            ("bin_id", "network", "status", "balance", "spending_limit",
             "label", "allowed_categories", "auto_freeze_at", "metadata")} == {
        "bin_id": BIN_VISA, "network": "visa", "status": "active",
        "balance": 500, "spending_limit": 2000,
        "label": "Meta Ads Campaign #12",
        "allowed_categories": ["advertising"], "auto_freeze_at": None,
        "metadata": {"campaign": "spring_2026"}}
    compact = reply.text.replace(": ", ":")
    assert '"balance":500.00' in compact
    assert '"spending_limit":2000.00' in compact
    created = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T.*", card["created_at"])
    assert re.fullmatch(TIME, card["created_at"])
    year, month, day = (int(group) for group in created.groups())
    if (month, day) == (2, 29):
        day = 28
    assert card["expires_at"] == \
        f"{year + 3}-{month:02}-{day:02}T23:59:59Z"
    after = api.wallet()
    assert before["balance"] - after["balance"] == 500
    assert after["cards_active"] == before["cards_active"] + 1
    assert after["cards_total_balance"] == \
        before["cards_total_balance"] + 500


def test_get_shows_the_full_card(api):
    created = api.post("/cards", SAMPLE).body
    reply = api.get(f"/cards/{created['id']}")
    assert reply.status == 200
    assert set(FULL) <= set(reply.body)
    assert {name: reply[name] for name in CREATED} == \
        {name: created[name] for name in CREATED}
    assert reply["total_spent"] == 0
    assert reply["transaction_count"] == 0
    assert reply["last_used_at"] is None
    assert reply["pending"] == 0
    assert reply["frozen_reason"] is None
    assert reply["available_to_spend"] == 500
    compact = reply.text.replace(": ", ":")
    for money in ('"balance":500.00', '"total_spent":0.00',
                  '"pending":0.00', '"available_to_spend":500.00'):
        assert money in compact
    assert '"transaction_count":0,' in compact


def test_only_details_has_secrets(api):
    card = api.card(10)
    seen = (api.get(f"/cards/{card['id']}").text + api.get("/cards").text)
    details = api.details(card["id"])
    assert details["pan"] not in seen
    assert "pan" not in card and "cvv" not in card


def test_what_can_be_spent_is_bounded_by_the_limit(api):
    card = api.card(100, spending_limit=30)
    assert api.get(f"/cards/{card['id']}")["available_to_spend"] == 30


def test_what_can_be_spent_is_bounded_by_the_bin(account, owner):
    """Before the first use too, and where the card draws on the wallet."""
    account.adjust("test", 20000_00)
    card = account.test.card(1, bin_id=BIN_MASTERCARD)["id"]
    assert account.test.post(f"/cards/{card}/withdraw",
                             {"amount": 1}).status == 200
    Setup(owner).change(card, funding="wallet", spending_limit_cents=0)
    most = {row["id"]: row["max_monthly"]
            for row in account.test.get("/bins")["data"]}[BIN_MASTERCARD]
    assert account.test.balance() > most
    assert account.test.get(f"/cards/{card}")["available_to_spend"] == most


def test_defaults(api):
    card = api.card(1)
    assert card["spending_limit"] == 50000
    assert card["label"] in ("", None)
    assert card["allowed_categories"] == []
    assert card["auto_freeze_at"] is None
    assert card["metadata"] == {}
    reply = api.post("/cards", {"bin_id": BIN_MASTERCARD, "amount": 1})
    assert reply["spending_limit"] == 10000
    assert reply["network"] == "mastercard"


@pytest.mark.parametrize("body, error, param", [
    ({}, "missing_parameter", "bin_id"),
    ({"amount": 5}, "missing_parameter", "bin_id"),
    ({"bin_id": BIN_VISA}, "missing_parameter", "amount"),
    ({"bin_id": None, "amount": 5}, "invalid_parameter", "bin_id"),
    ({"bin_id": 491653, "amount": 5}, "invalid_parameter", "bin_id"),
    ({"bin_id": BIN_VISA, "amount": 0.99}, "amount_too_small", "amount"),
    ({"bin_id": BIN_VISA, "amount": 0}, "amount_too_small", "amount"),
    ({"bin_id": BIN_VISA, "amount": 5000.01}, "amount_too_large", "amount"),
    ({"bin_id": BIN_VISA, "amount": None}, "invalid_parameter", "amount"),
    ({"bin_id": BIN_VISA, "amount": [5]}, "invalid_parameter", "amount"),
    ({"bin_id": BIN_VISA, "amount": True}, "invalid_parameter", "amount"),
    ({"bin_id": BIN_VISA, "amount": 5, "colour": "red"},
     "unknown_parameter", "colour"),
    ({"bin_id": BIN_VISA, "amount": 5, "status": "active"},
     "unknown_parameter", "status"),
    ({"bin_id": BIN_VISA, "amount": 5, "label": 5},
     "invalid_parameter", "label"),
    ({"bin_id": BIN_VISA, "amount": 5, "label": "x" * 65},
     "invalid_parameter", "label"),
    ({"bin_id": BIN_VISA, "amount": 5, "label": "nul\0"}, None, None),
    ({"bin_id": BIN_VISA, "amount": 5, "label": "two\nlines"},
     "invalid_parameter", "label"),
    ({"bin_id": BIN_VISA, "amount": 5, "spending_limit": 50000.01},
     "limit_exceeds_bin", "spending_limit"),
    ({"bin_id": BIN_MASTERCARD, "amount": 5, "spending_limit": 10001},
     "limit_exceeds_bin", "spending_limit"),
    ({"bin_id": BIN_VISA, "amount": 5, "spending_limit": "100"},
     "invalid_parameter", "spending_limit"),
    ({"bin_id": BIN_VISA, "amount": 5, "allowed_categories": "software"},
     "invalid_parameter", "allowed_categories"),
    ({"bin_id": BIN_VISA, "amount": 5, "metadata": []},
     "invalid_parameter", "metadata"),
])
def test_create_refuses(api, body, error, param):
    before = api.wallet()
    reply = api.post("/cards", body)
    if error is None:
        assert reply.status == 400
    else:
        refused(reply, error, param)
    assert api.wallet() == before
    assert api.get("/cards")["pagination"]["total"] == 0


def test_a_negative_limit_is_refused(api):
    reply = api.post("/cards", {"bin_id": BIN_VISA, "amount": 5,
                                "spending_limit": -1})
    assert reply.status == 400
    assert reply["param"] == "spending_limit"


def test_create_needs_the_money(account):
    account.test.deposit(100)
    have = account.test.balance()
    reply = account.test.post("/cards", {"bin_id": BIN_VISA,
                                         "amount": float(have) + 0.01})
    assert refused(reply, "insufficient_funds", reply.body.get("param"))
    assert account.test.balance() == have
    card = account.test.card(float(have))
    assert card["balance"] == have
    assert account.test.balance() == 0


def test_the_largest_and_smallest(api):
    assert api.card(5000)["balance"] == 5000
    assert api.card(1)["balance"] == 1
    assert api.card(1.00, spending_limit=50000)["spending_limit"] == 50000


def test_a_label_counts_characters(api):
    label = "ж" * 63 + "💳"
    assert api.card(1, label=label)["label"] == label
    reply = api.post("/cards", {"bin_id": BIN_VISA, "amount": 1,
                                "label": label + "x"})
    refused(reply, "invalid_parameter", "label")


def test_labels_keep_every_character(api):
    for label in ('"quoted" \\ back/slash', " spaces ",
                  "<script>", "'; DROP TABLE cards; --", "\u2028", "e\u0301"):
        card = api.card(1, label=label)
        assert api.get(f"/cards/{card['id']}")["label"] == label


def test_categories(api):
    card = api.card(1, allowed_categories=["software", "advertising"])
    assert card["allowed_categories"] == ["software", "advertising"]
    reply = api.post("/cards", {"bin_id": BIN_VISA, "amount": 1,
                                "allowed_categories": ["software", "7311"]})
    refused(reply, "unknown_category", reply["param"])
    assert reply["param"].startswith("allowed_categories")
    for name in ("advertising", "software", "travel", "other"):
        assert name in reply["message"]


# --- change -----------------------------------------------------------------


def test_patch_changes_what_is_named(api, card):
    path = f"/cards/{card['id']}"
    before = api.get(path).body
    for change in ({"label": "new"}, {"spending_limit": 12.34},
                   {"allowed_categories": ["travel"]},
                   {"auto_freeze_at": 5}, {"metadata": {"a": 1}}):
        reply = api.patch(path, change)
        assert reply.status == 200
        after = reply.body
        expected = exact(str(change).replace("'", '"'))
        changed = set(change) | {"available_to_spend"}
        assert {name: after[name] for name in change} == expected
        assert {name: value for name, value in after.items()
                if name not in changed} == \
            {name: value for name, value in before.items()
             if name not in changed}
        assert api.get(path).body == after
        before = after
    assert '"spending_limit":12.34' in \
        api.get(path).text.replace(": ", ":")


def test_patch_nothing(api, card):
    path = f"/cards/{card['id']}"
    before = api.get(path).body
    assert api.patch(path, {}).body == before
    assert api.patch(path).body == before


@pytest.mark.parametrize("off", [0, None])
def test_auto_freeze_is_switched_off(api, off):
    card = api.card(100, auto_freeze_at=50)
    assert card["auto_freeze_at"] == 50
    reply = api.patch(f"/cards/{card['id']}", {"auto_freeze_at": off})
    assert reply["auto_freeze_at"] is None
    api.post(f"/cards/{card['id']}/withdraw", {"amount": 99})
    assert api.get(f"/cards/{card['id']}")["status"] == "active"


def test_auto_freeze(api):
    card = api.card(100, auto_freeze_at=50)
    api.post(f"/cards/{card['id']}/withdraw", {"amount": 50})
    assert api.get(f"/cards/{card['id']}")["status"] == "active"
    api.post(f"/cards/{card['id']}/withdraw", {"amount": 0.01})
    card = api.get(f"/cards/{card['id']}")
    assert card["status"] == "frozen"
    assert card["frozen_reason"] == "auto_freeze"
    assert card["balance"] == Decimal("49.99")


@pytest.mark.parametrize("body, error, param", [
    ({"amount": 5}, "unknown_parameter", "amount"),
    ({"bin_id": BIN_VISA}, "unknown_parameter", "bin_id"),
    ({"balance": 5}, "unknown_parameter", "balance"),
    ({"status": "frozen"}, "unknown_parameter", "status"),
    ({"label": "x" * 65}, "invalid_parameter", "label"),
    ({"spending_limit": 50000.01}, "limit_exceeds_bin", "spending_limit"),
    ({"spending_limit": 1.001}, "invalid_parameter", "spending_limit"),
    ({"metadata": "x"}, "invalid_parameter", "metadata"),
])
def test_patch_refuses(api, card, body, error, param):
    path = f"/cards/{card['id']}"
    before = api.get(path).body
    refused(api.patch(path, body), error, param)
    assert api.get(path).body == before


def test_patch_refuses_unknown_categories(api, card):
    reply = api.patch(f"/cards/{card['id']}",
                      {"allowed_categories": ["nonsense"]})
    assert (reply.status, reply.error) == (400, "unknown_category")


# --- metadata ---------------------------------------------------------------


def test_metadata_is_merged(api):
    card = api.card(1, metadata={"a": "1", "b": 2, "c": True})
    path = f"/cards/{card['id']}"
    reply = api.patch(path, {"metadata": {"b": None, "c": False, "d": "x"}})
    assert reply["metadata"] == {"a": "1", "c": False, "d": "x"}
    assert api.patch(path, {"metadata": {}})["metadata"] == \
        {"a": "1", "c": False, "d": "x"}
    assert api.patch(path, {"metadata": {"zz": None}})["metadata"] == \
        {"a": "1", "c": False, "d": "x"}


def test_metadata_values_keep_their_text(api):
    reply = api.call("POST", "/cards", body=(
        b'{"bin_id":"491653","amount":1,"metadata":{"price":1.10,'
        b'"big":12345678901234567890123,"e":1E5,"zero":-0.0,"yes":true,'
        b'"text":"1.10"}}'))
    assert reply.status == 201
    path = f"/cards/{reply['id']}"
    patched = api.call("PATCH", path,
                       body=b'{"metadata":{"more":0.30000000000000004}}')
    for text in (reply.text, patched.text, api.get(path).text):
        compact = text.replace(": ", ":").replace(", ", ",")
        for piece in ('"price":1.10', '"big":12345678901234567890123',
                      '"e":1E5', '"zero":-0.0', '"yes":true',
                      '"text":"1.10"'):
            assert piece in compact, piece
    assert '"more":0.30000000000000004' in patched.text.replace(": ", ":")


def test_metadata_keys_and_values_at_their_limits(api):
    metadata = {"ключ" * 10: "ы" * 500}
    metadata |= {f"key{number}": number for number in range(19)}
    card = api.card(1, metadata=metadata)
    assert card["metadata"] == metadata
    path = f"/cards/{card['id']}"
    reply = api.patch(path, {"metadata": {"one_more": 1}})
    refused(reply, "metadata_too_large", "metadata")
    assert api.get(path)["metadata"] == metadata
    reply = api.patch(path, {"metadata": {"key0": None, "one_more": 1}})
    assert reply.status == 200
    assert len(reply["metadata"]) == 20


@pytest.mark.parametrize("metadata", [
    {"k" * 41: 1}, {"": 1}, {"k": "v" * 501}, {"k": {}}, {"k": []},
    {"k": ["x"]}, {"k": "nul\0"}])
def test_metadata_refuses(api, metadata):
    reply = api.post("/cards", {"bin_id": BIN_VISA, "amount": 1,
                                "metadata": metadata})
    assert reply.status == 400, reply
    assert reply.error in ("invalid_parameter", "invalid_json"), reply
    if reply.error == "invalid_parameter":
        assert reply["param"].startswith("metadata")


def test_metadata_null_only_deletes(api):
    reply = api.post("/cards", {"bin_id": BIN_VISA, "amount": 1,
                                "metadata": {"k": None}})
    assert reply.status == 400
    assert reply["param"].startswith("metadata")


def test_metadata_of_too_many_keys(api):
    reply = api.post("/cards", {"bin_id": BIN_VISA, "amount": 1, "metadata": {
        f"key{number}": 1 for number in range(21)}})
    refused(reply, "metadata_too_large", "metadata")


# --- freeze, unfreeze -------------------------------------------------------


def test_freeze_and_again_and_back(api, card):
    path = f"/cards/{card['id']}"
    frozen = api.post(path + "/freeze")
    assert frozen.status == 200
    assert list(frozen.body) == ["id", "status", "frozen_at"]
    assert frozen["id"] == card["id"]
    assert frozen["status"] == "frozen"
    assert re.fullmatch(TIME, frozen["frozen_at"])
    now = api.get(path)
    assert now["status"] == "frozen"
    assert now["frozen_reason"] == "customer"
    assert now["balance"] == 100
    again = api.post(path + "/freeze", {})
    assert again.status == 200
    assert again.body == frozen.body
    back = api.post(path + "/unfreeze")
    assert back.status == 200
    assert set(FULL) <= set(back.body)
    assert back["status"] == "active"
    assert back["frozen_reason"] is None
    assert back.body == api.get(path).body
    again = api.post(path + "/unfreeze")
    assert (again.status, again.body) == (200, back.body)


def test_a_frozen_card_takes_and_gives_money(api, card):
    path = f"/cards/{card['id']}"
    api.post(path + "/freeze")
    assert api.post(path + "/fund", {"amount": 1})["new_balance"] == 101
    assert api.post(path + "/withdraw", {"amount": 2})["new_balance"] == 99
    assert api.get(path)["status"] == "frozen"


def test_freeze_takes_no_fields(api, card):
    for step in ("freeze", "unfreeze"):
        refused(api.post(f"/cards/{card['id']}/{step}", {"reason": "x"}),
                "unknown_parameter", "reason")
        refused(api.post(f"/cards/{card['id']}/{step}", force=1),
                "unknown_parameter", "force")


# --- fund, withdraw ---------------------------------------------------------


def test_fund(api, card):
    wallet = api.wallet()
    reply = api.post(f"/cards/{card['id']}/fund", {"amount": 200})
    assert reply.status == 200
    assert list(reply.body) == ["id", "previous_balance", "funded_amount",
                                "new_balance", "wallet_balance"]
    assert reply.body == {
        "id": card["id"], "previous_balance": 100, "funded_amount": 200,
        "new_balance": 300, "wallet_balance": wallet["balance"] - 200}
    assert '"funded_amount":200.00' in reply.text.replace(": ", ":")
    after = api.wallet()
    assert after["balance"] == reply["wallet_balance"]
    assert after["cards_total_balance"] == wallet["cards_total_balance"] + 200
    assert api.get(f"/cards/{card['id']}")["balance"] == 300


def test_withdraw(api, card):
    wallet = api.wallet()
    reply = api.post(f"/cards/{card['id']}/withdraw", {"amount": 12.5})
    assert reply.status == 200
    assert list(reply.body) == ["id", "previous_balance", "withdrawn_amount",
                                "new_balance", "wallet_balance"]
    assert reply.body == {
        "id": card["id"], "previous_balance": 100,
        "withdrawn_amount": Decimal("12.50"),
        "new_balance": Decimal("87.50"),
        "wallet_balance": wallet["balance"] + Decimal("12.50")}
    assert '"new_balance":87.50' in reply.text.replace(": ", ":")
    assert api.wallet()["balance"] == reply["wallet_balance"]


def test_withdraw_all_and_one_cent_more(api, card):
    path = f"/cards/{card['id']}/withdraw"
    reply = api.post(path, {"amount": 100.01})
    assert reply.status == 400
    assert reply.error == "insufficient_card_balance"
    assert api.post(path, {"amount": 0.01})["new_balance"] == \
        Decimal("99.99")
    assert api.post(path, {"amount": 99.99})["new_balance"] == 0
    assert api.post(path, {"amount": 0.01}).error == \
        "insufficient_card_balance"
    assert api.get(f"/cards/{card['id']}")["status"] == "active"


def test_fund_needs_the_money(account):
    account.test.deposit(20)
    card = account.test.card(10)
    have = account.test.balance()
    reply = account.test.post(f"/cards/{card['id']}/fund",
                              {"amount": float(have) + 0.01})
    assert (reply.status, reply.error) == (400, "insufficient_funds")
    assert account.test.balance() == have
    assert reply["message"] == \
        "Your wallet balance is too low to fund this card."


@pytest.mark.parametrize("step, body, error", [
    ("fund", {}, "missing_parameter"),
    ("fund", {"amount": 0.99}, "amount_too_small"),
    ("fund", {"amount": -5}, "amount_too_small"),
    ("fund", {"amount": 5000.01}, "amount_too_large"),
    ("withdraw", {}, "missing_parameter"),
    ("withdraw", {"amount": 0}, "amount_too_small"),
    ("withdraw", {"amount": -0.01}, "amount_too_small"),
    ("withdraw", {"amount": 0.001}, "invalid_parameter"),
])
def test_transfers_refuse(api, card, step, body, error):
    before = api.wallet()
    refused(api.post(f"/cards/{card['id']}/{step}", body), error, "amount")
    assert api.wallet() == before


def test_transfers_to_missing_cards(api):
    for step in ("fund", "withdraw", "freeze", "unfreeze"):
        body = {"amount": 1} if step in ("fund", "withdraw") else None
        reply = api.post(f"/cards/{MISSING_CARD}/{step}", body)
        assert (reply.status, reply.error) == (404, "not_found")


# --- the end ----------------------------------------------------------------


def test_terminate_refunds(api, card):
    wallet = api.wallet()
    path = f"/cards/{card['id']}"
    reply = api.delete(path)
    assert reply.status == 200
    assert list(reply.body) == ["id", "status", "refunded_amount",
                                "terminated_at"]
    assert reply["id"] == card["id"]
    assert reply["status"] == "terminated"
    assert '"refunded_amount":100.00' in reply.text.replace(": ", ":")
    assert re.fullmatch(TIME, reply["terminated_at"])
    after = api.wallet()
    assert after["balance"] == wallet["balance"] + 100
    assert after["cards_active"] == wallet["cards_active"] - 1
    assert after["cards_total_balance"] == wallet["cards_total_balance"] - 100
    again = api.delete(path)
    assert again.status == 200
    assert again["status"] == "terminated"
    assert again["terminated_at"] == reply["terminated_at"]
    assert api.wallet() == after
    ended = api.get(path)
    assert ended["status"] == "terminated"
    assert ended["balance"] == 0


def test_terminated_is_final(api, card):
    path = f"/cards/{card['id']}"
    api.delete(path)
    before = api.get(path).body
    for step, body in (("fund", {"amount": 1}), ("withdraw", {"amount": 1}),
                       ("freeze", None), ("unfreeze", None)):
        reply = api.post(f"{path}/{step}", body)
        assert (reply.status, reply.error) == (400, "card_terminated"), step
    reply = api.patch(path, {"spending_limit": 10})
    assert (reply.status, reply.error) == (400, "card_terminated")
    assert api.get(path).body == before


def test_a_frozen_card_can_be_terminated(api, card):
    api.post(f"/cards/{card['id']}/freeze")
    reply = api.delete(f"/cards/{card['id']}")
    assert reply["refunded_amount"] == 100
    assert api.get(f"/cards/{card['id']}")["frozen_reason"] is None


def test_terminate_takes_no_body(api, card):
    reply = api.call("DELETE", f"/cards/{card['id']}",
                     body=b'{"refund": false}')
    refused(reply, "unknown_parameter", "refund")
    assert api.get(f"/cards/{card['id']}")["status"] == "active"


def pend(owner, card):
    """Makes an emptied card one that waits for its first money."""
    owner.rows("UPDATE card_counts n JOIN cards c ON c.wallet_id = "
               "n.wallet_id AND c.bin_id = n.bin_id AND c.status = n.status "
               "SET n.cards = n.cards - 1 WHERE c.public_id = %s", card)
    owner.rows("UPDATE cards SET status = 'pending_top_up' "
               "WHERE public_id = %s", card)
    owner.rows("INSERT INTO card_counts (wallet_id, bin_id, status, cards) "
               "SELECT wallet_id, bin_id, status, 1 FROM cards "
               "WHERE public_id = %s ON DUPLICATE KEY UPDATE "
               "cards = cards + 1", card)


def test_a_pending_card(api, card, owner):
    path = f"/cards/{card['id']}"
    api.post(path + "/withdraw", {"amount": 100})
    pend(owner, card["id"])
    assert api.get(path)["status"] == "pending_top_up"
    for step in ("freeze", "unfreeze"):
        reply = api.post(f"{path}/{step}")
        assert (reply.status, reply.error) == (400, "card_not_active"), step
    assert api.get("/cards", status="pending_top_up")["data"][0]["id"] == \
        card["id"]
    assert api.post(path + "/fund", {"amount": 5})["new_balance"] == 5
    assert api.get(path)["status"] == "active"


# --- card numbers -----------------------------------------------------------


def test_details(api, stack):
    for bin_id in (BIN_VISA, BIN_MASTERCARD):
        card = api.post("/cards", {"bin_id": bin_id, "amount": 1}).body
        reply = api.details(card["id"])
        assert reply.status == 200
        assert list(reply.body) == ["id", "pan", "cvv", "exp_month",
                                    "exp_year", "holder_name",
                                    "billing_address"]
        assert re.fullmatch(bin_id + r"\d{10}", reply["pan"])
        assert luhn(reply["pan"])
        assert reply["pan"].endswith(card["last4"])
        assert re.fullmatch(r"\d{3}", reply["cvv"])
        assert f"{reply['exp_year']}-{reply['exp_month']:02}" == \
            card["expires_at"][:7]
        assert set(reply["billing_address"]) == {"line1", "city", "state",
                                                 "zip", "country"}
        assert reply["holder_name"]
        assert api.details(card["id"]).body == reply.body


def test_numbers_and_codes_differ(api):
    seen = [api.details(api.card(1)["id"]).body for _ in range(20)]
    assert len({details["pan"] for details in seen}) == 20
    assert len({details["cvv"] for details in seen}) > 10


def test_details_are_audited(api, card, admin, account):
    reply = api.details(card["id"])
    rows = admin.rows("SELECT * FROM admin_audit WHERE subject = %s "
                      "ORDER BY at", card["id"])
    reads = [row for row in rows if row["request_id"] == reply.request_id]
    assert len(reads) == 1
    assert re.fullmatch(r"key_[0-9A-Za-z]{16,}", reads[0]["actor"])
    assert reads[0]["address"] in ("127.0.0.1", "::1", "::ffff:127.0.0.1")
    assert reads[0]["at"] is not None
    for row in rows:
        assert reply["pan"] not in str(row)
    assert api.get(f"/cards/{MISSING_CARD}/details").status == 404


def test_a_number_that_was_tampered_with(api, card, owner, stack):
    """A changed byte fails the seal: 500, and nothing of it is shown."""
    sealed = owner.value("SELECT pan_sealed FROM cards WHERE public_id = %s",
                         card["id"])
    broken = sealed[:-1] + bytes([sealed[-1] ^ 1])
    change = "UPDATE cards SET pan_sealed = %s WHERE public_id = %s"
    owner.rows(change, broken, card["id"])
    try:
        reply = api.get(f"/cards/{card['id']}/details")
        assert (reply.status, reply.error) == (500, "internal_error")
        stack.broken_expected.add(reply.request_id)
    finally:
        owner.rows(change, sealed, card["id"])
    assert api.details(card["id"]).status == 200
