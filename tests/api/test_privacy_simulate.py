# SPDX-License-Identifier: Apache-2.0
"""The sandbox of the Privacy dialect: the same engine, by the card's number."""

import json

import pytest

from conftest import unique
from payments import shop
from privacy import agree


@pytest.fixture
def privacy(account):
    """A test key of the dialect; the wallet holds $1000."""
    account.adjust("test", 1000_00)
    return account.privacy()


@pytest.fixture
def card(privacy):
    return new_card(privacy)


def new_card(privacy, kind="UNLOCKED", **fields):
    reply = privacy.post("/cards", {"type": kind, **fields})
    assert reply.status == 200, reply
    privacy.stack.card_numbers.add(reply["pan"])
    privacy.stack.card_codes[reply["pan"]] = reply["cvv"]
    return reply.body


def authorize(privacy, card, amount, status=201, **fields):
    reply = privacy.post("/simulate/authorize", {
        "descriptor": "COFFEE CO", "pan": card["pan"], "amount": amount,
        **fields})
    assert reply.status == status, reply
    return reply


def say(privacy, kind, status=201, **body):
    reply = privacy.post(f"/simulate/{kind}", body)
    assert reply.status == status, reply
    return reply


def read(privacy, token):
    reply = privacy.get(f"/transactions/{token}")
    assert reply.status == 200, reply
    return reply.body


def refused(reply, status, message):
    assert (reply.status, reply.message) == (status, message), reply


# --- what is answered ---------------------------------------------------------


def test_the_answers(privacy, card):
    made = authorize(privacy, card, 1500)
    assert list(made.body) == ["debugging_request_id", "token"]
    token = made["token"]
    for kind, body in (("void", {"token": token, "amount": 500}),
                       ("clearing", {"token": token})):
        assert list(say(privacy, kind, **body).body) == [
            "debugging_request_id"]
    returned = say(privacy, "return", descriptor="COFFEE CO",
                   pan=card["pan"], amount=100)
    assert list(returned.body) == ["debugging_request_id", "token"]
    advised = say(privacy, "credit_authorization_advice",
                  descriptor="COFFEE CO", pan=card["pan"], amount=100)
    assert list(advised.body) == ["debugging_request_id", "token"]
    reversed_ = say(privacy, "return_reversal", token=returned["token"])
    assert list(reversed_.body) == ["debugging_request_id"]
    other = authorize(privacy, card, 700)["token"]
    advice = say(privacy, "authorization_advice", token=other, amount=900)
    assert advice["token"] == other


def test_a_whole_life(privacy, card, account):
    token = authorize(privacy, card, 2500, mcc="5812",
                      merchant_acceptor_id="M-1",
                      merchant_country="GBR")["token"]
    shown = read(privacy, token)
    assert (shown["status"], shown["result"], shown["amount"],
            shown["authorization_amount"], shown["settled_amount"]) == (
                "PENDING", "APPROVED", 2500, 2500, 0)
    assert shown["merchant"] == {
        "acceptor_id": "M-1", "city": "", "country": "GBR",
        "descriptor": "COFFEE CO", "mcc": "5812", "state": ""}
    say(privacy, "void", token=token, amount=500)
    say(privacy, "clearing", token=token, amount=2100)
    shown = read(privacy, token)
    assert (shown["status"], shown["amount"], shown["authorization_amount"],
            shown["settled_amount"]) == ("SETTLED", 2100, 2500, 2100)
    assert [(row["type"], row["amount"]) for row in shown["events"]] == [
        ("AUTHORIZATION", 2500), ("VOID", 500), ("CLEARING", 2100)]
    assert account.test.wallet()["balance"] == 979
    assert agree(account) == 1


def test_void_of_all(privacy, card, account):
    for body in ({"amount": 0}, {}):
        token = authorize(privacy, card, 2500)["token"]
        say(privacy, "void", token=token, **body)
        shown = read(privacy, token)
        assert (shown["status"], shown["amount"], shown["settled_amount"]) \
            == ("VOIDED", 2500, 0)
    assert account.test.wallet()["balance"] == 1000


def test_clearing_of_all(privacy, card):
    for body in ({"amount": 0}, {}):
        token = authorize(privacy, card, 2500)["token"]
        say(privacy, "clearing", token=token, **body)
        assert read(privacy, token)["settled_amount"] == 2500


def test_clearing_beyond(privacy, card, account):
    token = authorize(privacy, card, 100_00)["token"]
    say(privacy, "clearing", token=token, amount=120_00)
    assert read(privacy, token)["amount"] == 120_00
    assert account.test.wallet()["balance"] == 880


def test_a_return_and_its_reversal(privacy, card, account):
    token = say(privacy, "return", descriptor="SHOP", pan=card["pan"],
                amount=40_00)["token"]
    shown = read(privacy, token)
    assert (shown["status"], shown["amount"], shown["settled_amount"],
            shown["authorization_amount"], shown["authorization_code"]) == (
                "SETTLED", -40_00, -40_00, 0, None)
    assert account.test.wallet()["balance"] == 1040
    say(privacy, "return_reversal", token=token)
    shown = read(privacy, token)
    assert (shown["status"], shown["amount"], shown["settled_amount"]) == (
        "VOIDED", -40_00, 0)
    assert [(row["type"], row["amount"]) for row in shown["events"]] == [
        ("RETURN", -40_00), ("VOID", 40_00)]
    assert account.test.wallet()["balance"] == 1000
    assert agree(account) == 1


def test_an_advice(privacy, card, account):
    token = authorize(privacy, card, 10_00)["token"]
    say(privacy, "authorization_advice", token=token, amount=30_00)
    shown = read(privacy, token)
    assert (shown["amount"], shown["authorization_amount"]) == (
        30_00, 10_00)
    assert [row["type"] for row in shown["events"]] == [
        "AUTHORIZATION", "AUTHORIZATION_ADVICE"]
    assert account.test.wallet()["balance"] == 970
    assert agree(account) == 1


@pytest.mark.parametrize("status, amount, state, events", [
    ("AUTHORIZATION", 500, "PENDING", ["AUTHORIZATION"]),
    ("FINANCIAL_AUTHORIZATION", 500, "SETTLED",
     ["AUTHORIZATION", "CLEARING"]),
    ("BALANCE_INQUIRY", 0, "SETTLED", ["AUTHORIZATION"]),
    ("BALANCE_INQUIRY", 500, "SETTLED", ["AUTHORIZATION"]),
    ("AUTHORIZATION", 0, "SETTLED", ["AUTHORIZATION"]),
    ("CREDIT_AUTHORIZATION", 500, "SETTLED", ["RETURN"]),
    ("FINANCIAL_CREDIT_AUTHORIZATION", 500, "SETTLED", ["RETURN"])])
def test_what_a_merchant_sends(privacy, card, account, status, amount, state,
                               events):
    made = privacy.post("/simulate/authorize", {
        "descriptor": "SHOP", "pan": card["pan"], "amount": amount,
        "status": status})
    assert made.status == 201, made
    shown = read(privacy, made["token"])
    assert (shown["status"], [row["type"] for row in shown["events"]]) == (
        state, events)
    moved = 0 if status == "BALANCE_INQUIRY" else amount
    assert shown["amount"] == (-moved if events == ["RETURN"] else moved)
    assert account.test.wallet()["balance"] * 100 == \
        1000_00 - shown["amount"]


def test_part_of_it(privacy, account):
    card = new_card(privacy)
    whole = authorize(privacy, card, 1500_00, status=422)
    assert whole.message == "INSUFFICIENT_FUNDS"
    part = authorize(privacy, card, 1500_00, partial_approval_capable=True)
    shown = read(privacy, part["token"])
    assert (shown["amount"], shown["authorization_amount"]) == (
        1000_00, 1000_00)
    assert agree(account) == 2


def test_another_currency(privacy, card, account):
    token = authorize(privacy, card, 1100, merchant_amount=1000,
                      merchant_currency="EUR")["token"]
    shown = read(privacy, token)
    assert (shown["amount"], shown["merchant_amount"],
            shown["merchant_authorization_amount"],
            shown["merchant_currency"]) == (1100, 1000, 1000, "EUR")
    txn = account.test.get("/transactions")["data"][0]["id"]
    cleared = account.test.post("/simulate/clearing", {
        "transaction_id": txn, "amount": 11.55, "merchant_amount": 10.5,
        "merchant_currency": "EUR"})
    assert cleared.status == 201, cleared
    shown = read(privacy, token)
    assert (shown["amount"], shown["merchant_amount"],
            shown["merchant_authorization_amount"]) == (1155, 1050, 1000)
    assert agree(account) == 1


# --- declines -----------------------------------------------------------------


def test_a_decline_is_kept(privacy, account):
    card = new_card(privacy, spend_limit=1000)
    reply = authorize(privacy, card, 1001, status=422)
    assert list(reply.body) == ["debugging_request_id", "message", "token"]
    assert reply.message == "USER_TRANSACTION_LIMIT"
    shown = read(privacy, reply["token"])
    assert (shown["status"], shown["result"], shown["amount"],
            shown["settled_amount"]) == (
                "DECLINED", "USER_TRANSACTION_LIMIT", 1001, 0)
    assert account.test.wallet()["balance"] == 1000
    assert agree(account) == 1


def test_card_states(privacy):
    card = new_card(privacy)
    for state, result in (("PAUSED", "CARD_PAUSED"), ("OPEN", None),
                          ("CLOSED", "CARD_CLOSED")):
        reply = privacy.patch(f"/cards/{card['token']}", {"state": state})
        assert reply.status == 200, reply
        reply = authorize(privacy, card, 100, 422 if result else 201)
        assert reply.message == result


def test_types(privacy):
    single = new_card(privacy, "SINGLE_USE")
    authorize(privacy, single, 100)
    assert authorize(privacy, single, 100, 422).message == \
        "SINGLE_USE_RECHARGED"
    locked = new_card(privacy, "MERCHANT_LOCKED")
    authorize(privacy, locked, 100)
    assert authorize(privacy, locked, 100, 422,
                     descriptor="ANOTHER").message == "UNAUTHORIZED_MERCHANT"
    shown = privacy.get(f"/cards/{locked['token']}")
    assert shown["hostname"] == "COFFEE CO"


def test_a_decline_again(privacy, account):
    """The same key of idempotency: the same answer, and one transaction."""
    card = new_card(privacy, spend_limit=1000)
    key = unique()
    body = {"descriptor": "X", "pan": card["pan"], "amount": 5000}
    first = privacy.post("/simulate/authorize", body, idempotency=key)
    again = privacy.post("/simulate/authorize", body, idempotency=key)
    assert (first.status, again.status) == (422, 422)
    assert again.raw == first.raw and again.replayed
    assert agree(account) == 1


# --- refusals -----------------------------------------------------------------

MISSING = "00000000-0000-4000-8000-000000000000"


def test_pan_of_nobody(privacy):
    reply = authorize(privacy, {"pan": "4111111111111111"}, 100, status=404)
    assert list(reply.body) == ["debugging_request_id", "message"]


def test_card_of_another_account(privacy, stranger):
    stranger.adjust("test", 10_00)
    card = new_card(stranger.privacy())
    authorize(privacy, card, 100, status=404)
    say(privacy, "return", 404, descriptor="X", pan=card["pan"], amount=5)


@pytest.mark.parametrize("body, text", [
    ({"descriptor": "x" * 26}, "descriptor is not a valid parameter: "),
    ({"descriptor": ""}, "descriptor is not a valid parameter: "),
    ({"descriptor": None}, "descriptor is required"),
    ({"pan": None}, "pan is required"),
    ({"amount": None}, "amount is required"),
    ({"amount": -1}, "amount is not a valid parameter: "),
    ({"amount": 1.5}, "amount is not a valid parameter: "),
    ({"amount": "15"}, "amount is not a valid parameter: "),
    ({"mcc": "58"}, "mcc is not a valid parameter: "),
    ({"merchant_country": "US"},
     "merchant_country is not a valid parameter: "),
    ({"merchant_country": "XYZ"}, "merchant_country is not a valid "
     "parameter: must be an ISO 3166-1 alpha-3 code"),
    ({"status": "CHARGE"}, "status is not a valid parameter: "),
    ({"partial_approval_capable": "yes"},
     "partial_approval_capable is not a valid parameter: "),
    ({"colour": "red"}, "colour is not a valid parameter")])
def test_malformed_authorizations(privacy, card, account, body, text):
    whole = {"descriptor": "X", "pan": card["pan"], "amount": 100, **body}
    whole = {name: value for name, value in whole.items()
             if value is not None}
    reply = privacy.post("/simulate/authorize", whole)
    assert reply.status == 400, reply
    if text.endswith(": "):
        assert reply.message.startswith(text), reply
    else:
        assert reply.message == text, reply
    assert agree(account) == 0


@pytest.mark.parametrize("kind, body", [
    ("void", {"amount": 0}), ("clearing", {}), ("return_reversal", {}),
    ("authorization_advice", {"amount": 5})])
def test_transactions_of_nobody(privacy, stranger, kind, body):
    stranger.adjust("test", 100_00)
    other = stranger.privacy()
    theirs = authorize(other, new_card(other), 100)["token"]
    for token in (MISSING, theirs):
        say(privacy, kind, 404, token=token, **body)
    reply = say(privacy, kind, 400, token="x", **body)
    assert reply.message.startswith("token is not a valid parameter"), reply
    reply = say(privacy, kind, 400, **body)
    assert reply.message == "token is required", reply


def test_more_than_there_is(privacy, card):
    token = authorize(privacy, card, 500)["token"]
    reply = say(privacy, "void", 400, token=token, amount=501)
    assert "reverse" in reply.message
    say(privacy, "clearing", token=token)
    say(privacy, "void", 400, token=token)
    say(privacy, "return_reversal", 404, token=token)
    declined = authorize(privacy, card, 90000_00, 422)["token"]
    for kind in ("void", "clearing"):
        refused(say(privacy, kind, 400, token=declined), 400,
                "The transaction was declined.")
    say(privacy, "return", 400, descriptor="X", pan=card["pan"], amount=0)


PATHS = ["authorize", "void", "clearing", "return", "return_reversal",
         "authorization_advice", "credit_authorization_advice"]


@pytest.mark.parametrize("kind", PATHS)
def test_for_test_keys(account, kind):
    reply = account.privacy("live").post(f"/simulate/{kind}", {})
    refused(reply, 403, "This endpoint works with test keys only.")


@pytest.mark.parametrize("kind", PATHS)
def test_the_right_to_write(account, kind):
    reply = account.privacy(scopes="read").post(f"/simulate/{kind}", {})
    refused(reply, 401, "Insufficient Privileges. Issuing API key required")


# --- as published clients send them -------------------------------------------


def test_without_a_content_type(privacy, card, stack):
    body = json.dumps({"descriptor": "CLIENT", "pan": card["pan"],
                       "amount": 1000}).encode()
    for scheme in ("api-key ", "Api-Key ", ""):
        for path in ("/v1/simulate/authorize", "/v1/simulate/authorize/"):
            reply = stack.send("POST", path, {
                "Authorization": scheme + privacy.key}, body)
            assert reply.status == 201, reply
            assert reply.headers["Content-Type"] == "application/json"
    reply = stack.send("POST", "/v1/simulate/authorize", {
        "Authorization": "api-key " + privacy.key,
        "Content-Type": "application/x-www-form-urlencoded"}, body)
    assert reply.status == 201, reply


def test_native_key_has_other_paths(account, card):
    reply = account.test.post("/simulate/authorize", {})
    assert (reply.status, reply.error) == (404, "not_found"), reply


def test_native_card(account, privacy):
    """A prepaid card of the other dialect is charged here as well."""
    made = account.test.card(100)
    shown = privacy.get("/cards")["data"]
    assert len(shown) == 1 and shown[0]["type"] == "UNLOCKED"
    privacy.stack.card_numbers.add(shown[0]["pan"])
    privacy.stack.card_codes[shown[0]["pan"]] = shown[0]["cvv"]
    authorize(privacy, shown[0], 60_00)
    assert account.test.get(f"/cards/{made['id']}")["balance"] == 40
    assert authorize(privacy, shown[0], 60_00, 422).message == \
        "INSUFFICIENT_FUNDS"
    native = account.test.post("/simulate/authorization", {
        "card_id": made["id"], "amount": 10, "merchant": shop()})
    assert native.status == 201, native
    assert agree(account) == 3
