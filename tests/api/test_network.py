# SPDX-License-Identifier: Apache-2.0
"""The network interface itself: who may come in, what it answers, what it
refuses, and that a refused message changes nothing."""

import json
import os
import random
import re
import subprocess
import urllib.parse

import pytest
import requests
from conftest import MISSING_CARD
from payments import (Processor, cents, events, journal_count, network,
                      reference, shop, with_number)

ANSWER = ["transaction_id", "approved", "approved_amount", "response_code",
          "authorization_code", "decline_reason", "decline_reasons",
          "balance"]


@pytest.fixture
def numbered(api):
    return with_number(api, api.card(100))


def authorization(card, amount=10, **more):
    return {"network_ref": reference(), "pan": card["pan"],
            "exp_month": card["exp_month"], "exp_year": card["exp_year"],
            "cvv2": card["cvv"], "amount": amount, "merchant": shop(),
            **more}


# --- who may come in ----------------------------------------------------------


def connect(env, cert=None, path="/authorizations"):
    session = requests.Session()
    session.verify = env.ca
    session.trust_env = False
    return session.post(env.network_url + path, json={}, cert=cert,
                        timeout=10)


def test_without_a_certificate(env, owner):
    before = owner.value("SELECT COUNT(*) FROM network_refs")
    try:
        response = connect(env)
    except requests.exceptions.ConnectionError:
        pass  # the handshake failed
    else:
        assert response.status_code in (400, 403), response.text
        assert "No required SSL certificate" in response.text or \
            response.json()["error"]
    assert owner.value("SELECT COUNT(*) FROM network_refs") == before


def test_with_a_strange_certificate(env, tmp_path):
    """One that another authority, here itself, has signed."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048",
                    "-nodes", "-keyout", key, "-out", cert, "-subj",
                    "/CN=stranger", "-days", "1"], check=True,
                   capture_output=True)
    try:
        response = connect(env, (str(cert), str(key)))
    except requests.exceptions.ConnectionError:
        return
    assert response.status_code in (400, 403), response.text


def test_an_api_key_is_no_certificate(env, account):
    session = requests.Session()
    session.verify, session.trust_env = env.ca, False
    try:
        response = session.post(
            env.network_url + "/authorizations", json={}, timeout=10,
            headers={"Authorization": f"Bearer {account.test.key}"})
    except requests.exceptions.ConnectionError:
        return
    assert response.status_code in (400, 403)


@pytest.mark.parametrize("path", [
    "/network/v1/authorizations", "/network/v1/force_posts", "/network/v1",
    "/network/v1/authorizations/x/reversal", "/network/",
    "/network/v1/3ds/challenges", "//network/v1/authorizations",
    "/v1/../network/v1/authorizations", "/NETWORK/v1/authorizations",
    "/v1/network/v1/authorizations", "/%6eetwork/v1/authorizations"])
def test_the_public_host_knows_no_network(stack, account, numbered, path):
    for headers in ({}, {"Authorization": f"Bearer {account.test.key}"},
                    {"X-SSL-Client-Verify": "SUCCESS",
                     "CARDSTOCK_NETWORK": "1", "Cardstock-Network": "1"}):
        reply = stack.send(
            "POST", path, {"Content-Type": "application/json", **headers},
            json.dumps(authorization(numbered)).encode(), check=False)
        assert reply.status in (401, 404), reply
        assert "approved" not in reply.text


@pytest.mark.parametrize("path", ["/v1/cards", "/v1/status", "/v1/bins",
                                  "/v1/transactions", "/metrics", "/"])
def test_the_network_host_knows_no_api(network, account, path):
    reply = network.link.request(
        "GET", path, {"Authorization": f"Bearer {account.test.key}"}, None, 10)
    assert reply.status == 404, reply


def test_paths_and_methods(network):
    assert network.call("GET", "/authorizations").status == 405
    assert network.call("DELETE", "/force_posts").status == 405
    assert network.post("/nowhere", {}).status == 404
    assert network.post("/authorizations/x/nowhere", {}).status == 404


# --- answers ------------------------------------------------------------------


def test_an_approval(api, network, numbered):
    body = authorization(numbered, 12.5)
    reply = network.post("/authorizations", body)
    assert reply.status == 200, reply
    assert list(reply.body) == ANSWER
    assert (reply["approved"], reply["approved_amount"],
            reply["response_code"], reply["balance"]) == \
        (True, 12.5, "00", 87.5)
    assert re.fullmatch(r"[0-9A-Z]{6}", reply["authorization_code"])
    assert (reply["decline_reason"], reply["decline_reasons"]) == (None, [])
    assert '"approved_amount":12.50' in reply.text.replace(": ", ":")
    shown = api.get(f"/transactions/{reply['transaction_id']}")
    assert shown["network_ref"] == body["network_ref"]
    assert shown["authorization_code"] == reply["authorization_code"]
    again = network.post("/authorizations", body)
    assert again.raw == reply.raw


def test_a_decline_is_an_answer(api, network, numbered):
    body = authorization(numbered, 100.01, cvv2="000"
                         if numbered["cvv"] != "000" else "001")
    reply = network.post("/authorizations", body)
    assert reply.status == 200, reply
    assert (reply["approved"], reply["approved_amount"],
            reply["response_code"], reply["authorization_code"]) == \
        (False, 0, "82", None)
    assert reply["decline_reason"] == "cvv_mismatch"
    assert reply["decline_reasons"] == ["cvv_mismatch", "insufficient_funds"]
    assert reply["balance"] == 100
    assert network.post("/authorizations", body).raw == reply.raw


def test_an_unknown_card(network):
    body = {"network_ref": reference(), "pan": "4916530000000000",
            "amount": 5, "merchant": shop()}
    reply = network.post("/authorizations", body)
    assert reply.status == 200
    assert (reply["transaction_id"], reply["approved"],
            reply["response_code"], reply["decline_reasons"]) == \
        (None, False, "14", ["card_unknown"])
    assert network.post("/authorizations", body).raw == reply.raw
    body = {**body, "network_ref": reference(), "card_id": MISSING_CARD}
    del body["pan"]
    assert network.post("/authorizations", body)["response_code"] == "14"


def test_the_first_answer_again(api, network, numbered):
    """Whatever has happened since, and whatever the repetition says."""
    body = authorization(numbered, 10)
    first = network.post("/authorizations", body)
    path = f"/authorizations/{body['network_ref']}"
    assert network.post(path + "/increment", {"amount": 5}).status == 200
    assert network.post(path + "/clearing", {"amount": 12}).status == 200
    api.post(f"/cards/{numbered['id']}/freeze")
    assert network.post("/authorizations", body).raw == first.raw
    changed = network.post("/authorizations", {**body, "amount": 77})
    assert changed.raw == first.raw


def test_messages_answer_alike(network, numbered):
    body = authorization(numbered, 10)
    made = network.post("/authorizations", body)
    path = f"/authorizations/{body['network_ref']}"
    for kind, fields, balance in (
            ("increment", {"amount": 5}, 85), ("advice", {"amount": 20}, 80),
            ("reversal", {"amount": 4}, 84), ("clearing", {}, 84)):
        reply = network.post(f"{path}/{kind}", fields)
        assert reply.status == 200, reply
        assert list(reply.body) == ANSWER
        assert (reply["approved"], reply["response_code"],
                reply["balance"]) == (True, "00", balance), kind
        assert reply["transaction_id"] == made["transaction_id"]


def test_message_references(api, network, numbered):
    """The same message is answered again as it was, to the byte."""
    body = authorization(numbered, 50)
    network.post("/authorizations", body)
    path = f"/authorizations/{body['network_ref']}"
    sent = [("increment", {"amount": 5, "message_ref": "a"}),
            ("increment", {"amount": 500, "message_ref": "b"}),
            ("advice", {"amount": 40, "message_ref": "a"}),
            ("reversal", {"amount": 3, "message_ref": "a"}),
            ("clearing", {"amount": 7, "final": False, "message_ref": "a"}),
            ("clearing", {"amount": 8, "final": False, "message_ref": "b"}),
            ("clearing", {"message_ref": "c"})]
    first = [network.post(f"{path}/{kind}", fields) for kind, fields in sent]
    assert [reply["approved"] for reply in first] == \
        [True, False, True, True, True, True, True]
    assert first[1]["decline_reasons"] == ["insufficient_funds"]
    shown = api.get(f"/cards/{numbered['id']}").body
    for (kind, fields), reply in zip(sent, first):
        assert network.post(f"{path}/{kind}", fields).raw == reply.raw, kind
    assert api.get(f"/cards/{numbered['id']}").body == shown


def test_early_reversals(api, network, numbered):
    """Each is kept with its reference, and releases once."""
    body = authorization(numbered, 10)
    path = f"/authorizations/{body['network_ref']}/reversal"
    part = {"amount": 4, "message_ref": "m-1"}
    for _ in range(2):
        assert network.post(path, part)["response_code"] == "25"
    held = network.post("/authorizations", body)
    assert (held["approved"], held["approved_amount"]) == (True, 10)
    again = network.post(path, part)
    assert (again.status, again["approved"], again["approved_amount"],
            again["balance"]) == (200, True, 4, 94), again
    assert api.get(f"/transactions/{held['transaction_id']}")["pending"] == 6


def test_a_full_early_reversal_after_a_part(api, network, numbered):
    body = authorization(numbered, 10)
    path = f"/authorizations/{body['network_ref']}/reversal"
    kept = [{"amount": 4, "message_ref": "m-1"}, {"message_ref": "m-2"},
            {"amount": 500, "message_ref": "m-3"}]
    for message in kept:
        assert network.post(path, message)["response_code"] == "25"
    held = network.post("/authorizations", body)
    shown = api.get(f"/transactions/{held['transaction_id']}")
    assert (shown["status"], shown["pending"]) == ("voided", 0)
    for message in kept:
        reply = network.post(path, message)
        assert (reply.status, reply["approved"]) == (200, True), reply
    assert api.get(f"/cards/{numbered['id']}")["balance"] == 100


def test_a_clearing_of_all_again(api, network, numbered):
    """Neither amount nor reference: the first answer again."""
    body = authorization(numbered, 10)
    network.post("/authorizations", body)
    path = f"/authorizations/{body['network_ref']}/clearing"
    first = network.post(path, {})
    assert (first.status, first["approved_amount"]) == (200, 10), first
    assert network.post(path, {}).raw == first.raw
    assert api.get(f"/cards/{numbered['id']}")["balance"] == 90


@pytest.mark.parametrize("given, missing", [
    ({"merchant_amount": 9}, "merchant_currency"),
    ({"merchant_currency": "EUR"}, "merchant_amount")])
def test_half_of_a_foreign_clearing(api, network, owner, numbered, given,
                                    missing):
    body = authorization(numbered, 10, merchant_amount=9,
                         merchant_currency="EUR")
    held = network.post("/authorizations", body)
    before = trace(owner, numbered)
    reply = network.post(f"/authorizations/{body['network_ref']}/clearing",
                         given)
    assert (reply.status, reply.error, reply.body.get("param")) == \
        (400, "missing_parameter", missing), reply
    reply = api.post("/simulate/clearing", {
        "transaction_id": held["transaction_id"], **given})
    assert (reply.status, reply.error, reply.body.get("param")) == \
        (400, "missing_parameter", missing), reply
    assert trace(owner, numbered) == before


def test_an_advice_of_nothing(api, network, numbered):
    """Accepted as any other: it replaces what is held."""
    body = authorization(numbered, 10)
    held = network.post("/authorizations", body)
    path = f"/authorizations/{body['network_ref']}/advice"
    for _ in range(2):
        reply = network.post(path, {"amount": 0, "message_ref": "a-0"})
        assert (reply.status, reply["approved"], reply["approved_amount"],
                reply["response_code"], reply["balance"]) == \
            (200, True, 0, "00", 100), reply
    shown = api.get(f"/transactions/{held['transaction_id']}")
    assert (shown["status"], shown["pending"], shown["amount"]) == \
        ("voided", 0, 0)


KINDS = ["authorizations", "force_posts", "refunds"]


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("then", KINDS)
def test_a_reference_of_another_kind(api, network, owner, numbered, first,
                                     then):
    """Each kind of message has references of its own: nothing is done, and
    nothing is answered that was not."""
    if first == then:
        return
    body = {"network_ref": reference(), "pan": numbered["pan"], "amount": 5,
            "merchant": shop()}
    made = network.post(f"/{first}", body)
    assert made["approved"] is True, made
    before = trace(owner, numbered)
    reply = network.post(f"/{then}", body)
    assert (reply.status, reply.error, reply.body.get("param"),
            reply.body["response_code"] if "response_code" in reply.body
            else "30") == (400, "invalid_parameter", "network_ref", "30")
    assert trace(owner, numbered) == before
    assert network.post(f"/{first}", body).raw == made.raw


def test_a_force_post_after_a_decline(network, numbered):
    """A clearing is never declined."""
    body = authorization(numbered, 500)
    assert network.post("/authorizations", body)["approved"] is False
    unknown = {"network_ref": reference(), "pan": "4916530000000000",
               "amount": 5, "merchant": shop()}
    assert network.post("/authorizations", unknown)["response_code"] == "14"
    for ref in (body["network_ref"], unknown["network_ref"]):
        reply = network.post("/force_posts", {
            "network_ref": ref, "pan": numbered["pan"], "amount": 5,
            "merchant": shop()})
        assert (reply.status, reply.error, reply.body.get("param")) == \
            (400, "invalid_parameter", "network_ref"), reply


def test_a_refund_with_its_purchases_reference(api, network, numbered):
    body = authorization(numbered, 10)
    network.post("/authorizations", body)
    network.post(f"/authorizations/{body['network_ref']}/clearing", {})
    reply = network.post("/refunds", {
        "network_ref": body["network_ref"], "amount": 10,
        "original_network_ref": body["network_ref"]})
    assert (reply.status, reply.error, reply.body.get("param")) == \
        (400, "invalid_parameter", "network_ref"), reply
    assert api.get(f"/cards/{numbered['id']}")["balance"] == 90


@pytest.mark.parametrize("card", [{"pan": "4916530000000000"},
                                  {"card_id": MISSING_CARD}])
def test_a_refund_of_a_purchase_to_nobody(api, network, owner, numbered,
                                          card):
    """The card that is named is the purchase's, or nothing is paid."""
    body = authorization(numbered, 10)
    network.post("/authorizations", body)
    network.post(f"/authorizations/{body['network_ref']}/clearing", {})
    before = trace(owner, numbered)
    reply = network.post("/refunds", {
        "network_ref": reference(), "amount": 5,
        "original_network_ref": body["network_ref"], **card})
    assert (reply.status, reply["response_code"], reply["approved"]) == \
        (200, "25", False), reply
    assert trace(owner, numbered)[1:] == before[1:]


def test_what_it_refuses_to_do(api, network, numbered):
    """A business refusal: 400 with the code, nothing changed."""
    body = authorization(numbered, 10)
    network.post("/authorizations", body)
    path = f"/authorizations/{body['network_ref']}"
    reply = network.post(path + "/reversal", {"amount": 10.01})
    assert (reply.status, reply.error) == (400, "over_reversal")
    network.post(path + "/clearing", {})
    for kind, error in (("reversal", "transaction_settled"),
                        ("increment", "transaction_not_pending")):
        reply = network.post(f"{path}/{kind}", {"amount": 1})
        assert (reply.status, reply.error) == (400, error), reply
    reply = network.post("/refunds", {
        "network_ref": reference(), "pan": numbered["pan"], "amount": 10.01,
        "original_network_ref": body["network_ref"]})
    assert (reply.status, reply.error) == (400, "refund_exceeds_purchase")
    assert api.get(f"/cards/{numbered['id']}")["balance"] == 90


@pytest.mark.parametrize("kind", ["increment", "advice", "reversal",
                                  "clearing"])
def test_references_to_nothing(network, kind):
    reply = network.post(f"/authorizations/{reference()}/{kind}",
                         {"amount": 5})
    assert reply.status == 200, reply
    assert (reply["approved"], reply["response_code"],
            reply["decline_reason"], reply["transaction_id"]) == \
        (False, "25", "original_not_found", None)


def test_a_refund_of_nothing(network, numbered):
    reply = network.post("/refunds", {
        "network_ref": reference(), "pan": numbered["pan"], "amount": 5,
        "merchant": shop(), "original_network_ref": reference()})
    assert (reply.status, reply["response_code"]) == (200, "25"), reply


def test_a_refund_taken_back(network, numbered):
    ref = reference()
    given = network.post("/refunds", {
        "network_ref": ref, "pan": numbered["pan"], "amount": 5,
        "merchant": shop()})
    taken = network.post(f"/refunds/{ref}/reversal", {"amount": 2})
    assert (taken.status, taken["approved"], taken["approved_amount"],
            taken["response_code"], taken["transaction_id"]) == (
                200, True, 2, "00", given["transaction_id"]), taken
    assert taken["balance"] == given["balance"] - 2
    for rest in range(2):
        all_of_it = network.post(f"/refunds/{ref}/reversal")
        assert all_of_it["approved_amount"] == 3, all_of_it
        assert all_of_it["balance"] == given["balance"] - 5
    reply = network.post(f"/refunds/{ref}/reversal", {"amount": 1})
    assert (reply.status, reply.error) == (400, "over_reversal"), reply


def test_nothing_to_take_back(network, numbered):
    """No such reference, and a purchase's."""
    ref = reference()
    network.post("/force_posts", {
        "network_ref": ref, "pan": numbered["pan"], "amount": 5,
        "merchant": shop()})
    for unknown in (reference(), ref):
        reply = network.post(f"/refunds/{unknown}/reversal", {"amount": 5})
        assert (reply.status, reply["response_code"], reply["approved"]) == (
            200, "25", False), reply
    reply = network.post(f"/refunds/{ref}/reversal", {"final": True})
    assert (reply.status, reply.body.get("param")) == (400, "final"), reply


def test_postings_to_nobody(network):
    for path in ("/force_posts", "/refunds"):
        reply = network.post(path, {
            "network_ref": reference(), "pan": "4916530000000000",
            "amount": 5, "merchant": shop()})
        assert (reply.status, reply.error) == (404, "not_found"), reply


def test_both_worlds(network, account):
    """The network sees live cards and test cards alike."""
    account.adjust("live", 10000)
    card = with_number(account.live, account.live.card(50))
    way = Processor(network)
    answer = way.authorize(card, 20, cvv=card["cvv"])
    assert answer.approved, answer
    shown = account.live.get(f"/transactions/{answer.transaction}")
    assert shown["amount"] == -20
    assert account.test.get(
        f"/transactions/{answer.transaction}").status == 404
    assert account.live.get(f"/cards/{card['id']}")["balance"] == 30


def test_no_number_in_an_answer(network, numbered):
    body = authorization(numbered, 5)
    assert numbered["pan"] not in network.post("/authorizations", body).text


# --- malformed ----------------------------------------------------------------

CHANGES = [
    ({"network_ref": None}, "network_ref"), ({"network_ref": 5},
                                             "network_ref"),
    ({"network_ref": ""}, "network_ref"), ({"network_ref": "x" * 65},
                                           "network_ref"),
    ({"network_ref": "ä"}, "network_ref"),
    # No path could name the purchase.
    ({"network_ref": "a/b"}, "network_ref"), ({"network_ref": "/"},
                                              "network_ref"),
    ({"network_ref": "."}, "network_ref"), ({"network_ref": ".."},
                                            "network_ref"),
    ({"pan": 4916530000000000}, "pan"), ({"pan": "4916 5300"}, "pan"),
    ({"pan": "1" * 20}, "pan"), ({"card_id": "card_x"}, "pan"),
    ({"amount": None}, "amount"), ({"amount": -1}, "amount"),
    ({"amount": 1.001}, "amount"), ({"amount": "1"}, "amount"),
    ({"amount": 1e15}, "amount"), ({"amount": [1]}, "amount"),
    ({"exp_month": 13}, "exp_month"), ({"exp_month": 1.5}, "exp_month"),
    ({"exp_year": 10000}, "exp_year"), ({"cvv2": "12"}, "cvv2"),
    ({"cvv2": 123}, "cvv2"), ({"cvv": "123"}, "cvv"),
    ({"kind": "refund"}, "kind"), ({"merchant": None}, "merchant"),
    ({"merchant": []}, "merchant"), ({"merchant": {}}, "merchant.name"),
    ({"merchant": {"name": "X", "mcc": "5734", "country": "US"}},
     "merchant.id"),
    ({"merchant": shop(mcc="573")}, "merchant.mcc"),
    ({"merchant": shop(mcc="57345")}, "merchant.mcc"),
    ({"merchant": shop(country="U")}, "merchant.country"),
    ({"merchant": shop(city="x" * 65)}, "merchant.city"),
    ({"merchant_amount": -1}, "merchant_amount"),
    ({"merchant_currency": "EU"}, "merchant_currency"),
    ({"partial_capable": 1}, "partial_capable"),
    ({"three_ds": {"version": "2"}}, "three_ds.result"),
    ({"colour": "red"}, "colour")]


def trace(owner, card):
    return (owner.value("SELECT COUNT(*) FROM network_refs"),
            owner.value("SELECT COUNT(*) FROM transactions"),
            journal_count(owner, card["id"]), len(events(owner, card["id"])))


@pytest.mark.parametrize("change, param", CHANGES,
                         ids=[json.dumps(change)[:40]
                              for change, _ in CHANGES])
def test_malformed_authorizations(network, owner, numbered, change, param):
    body = authorization(numbered)
    if None in change.values():
        del body[next(iter(change))]
    else:
        body.update(change)
    before = trace(owner, numbered)
    reply = network.post("/authorizations", body)
    assert reply.status == 400, reply
    assert reply.body.get("param") == param, reply
    assert trace(owner, numbered) == before


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b'"x"', b"{}x", b'{"amount":1,"amount":1}',
    b"\xff\xfe", b'{"a":' * 5000, b'{"network_ref":"\\ud800"}'])
def test_bodies_that_are_no_objects(network, owner, numbered, body):
    before = trace(owner, numbered)
    for path in ("/authorizations", "/force_posts", "/refunds",
                 f"/authorizations/{reference()}/increment"):
        reply = network.call("POST", path, body=body)
        assert reply.status == 400, reply
    assert trace(owner, numbered) == before


def test_bodies_of_another_type(network, numbered):
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        reply = network.call("POST", "/authorizations", body=json.dumps(
            authorization(numbered)), headers={"Content-Type": content_type})
        assert reply.status == 415, reply
    reply = network.call("POST", "/authorizations",
                         body=b'{"a":"' + b"x" * 70000 + b'"}')
    assert reply.status == 413, reply


@pytest.mark.parametrize("kind", ["increment", "advice", "reversal",
                                  "clearing"])
@pytest.mark.parametrize("body, param", [
    ({"amount": 0}, "amount"), ({"amount": -5}, "amount"),
    ({"amount": "5"}, "amount"), ({"amount": 5.001}, "amount"),
    ({"amount": True}, "amount"), ({"amount": 1, "final": "yes"}, "final"),
    ({"amount": 1, "message_ref": "a/b"}, "message_ref"),
    ({"amount": 1, "message_ref": ".."}, "message_ref"),
    ({"amount": 1, "message_ref": ""}, "message_ref"),
    ({"amount": 1, "message_ref": "x" * 65}, "message_ref"),
    ({"amount": 1, "transaction_id": "x"}, "transaction_id")])
def test_malformed_messages(api, network, owner, numbered, kind, body,
                            param):
    if kind == "advice" and body == {"amount": 0}:
        return  # nothing is to be held any more
    made = authorization(numbered)
    network.post("/authorizations", made)
    before = trace(owner, numbered)
    reply = network.post(
        f"/authorizations/{made['network_ref']}/{kind}", body)
    assert (reply.status, reply.body.get("param")) == (400, param), reply
    assert trace(owner, numbered) == before


@pytest.mark.parametrize("path", ["/force_posts", "/refunds"])
@pytest.mark.parametrize("change, param", [
    ({"amount": 0}, "amount"), ({"amount": None}, "amount"),
    ({"network_ref": None}, "network_ref"), ({"pan": None}, "card_id"),
    ({"merchant": None}, "merchant"), ({"merchant": "X"}, "merchant"),
    ({"final": True}, "final")])
def test_malformed_postings(network, owner, numbered, path, change, param):
    body = {"network_ref": reference(), "pan": numbered["pan"], "amount": 5,
            "merchant": shop()}
    if None in change.values():
        del body[next(iter(change))]
    else:
        body.update(change)
    before = trace(owner, numbered)
    reply = network.post(path, body)
    assert (reply.status, reply.body.get("param")) == (400, param), reply
    assert trace(owner, numbered) == before


@pytest.mark.parametrize("ref", [
    "a", "...", ".a", "a b", "a%b", "a?b", "a#b", "a;b",
    "~!@$^&*()+=|\\\"'<>"])
def test_references_with_all_that_is_printable(network, numbered, ref):
    """What an authorization takes, a later message finds."""
    body = {**authorization(numbered, 5), "network_ref": reference() + ref}
    if ref == "...":
        body["network_ref"] = "." * (3 + random.randrange(62))
    made = network.post("/authorizations", body)
    assert made.status == 200, made
    path = urllib.parse.quote(body["network_ref"], safe="")
    reply = network.post(f"/authorizations/{path}/advice", {"amount": 0})
    assert (reply.status, reply["transaction_id"]) == \
        (200, made["transaction_id"]), reply


@pytest.mark.parametrize("ref", ["%C3%A4", "a%20b", "x" * 65, "%00", "a%2Fb",
                                 "%ff"])
@pytest.mark.parametrize("kind", ["increment", "advice", "reversal",
                                  "clearing"])
def test_references_that_nothing_can_have(network, kind, ref):
    reply = network.call("POST", f"/authorizations/{ref}/{kind}",
                         {"amount": 5}, check=False)
    assert reply.status in (200, 400, 404), reply
    assert reply.body.get("approved") is not True, reply


@pytest.mark.parametrize("name, path", [
    ("network_ref", "/authorizations"), ("network_ref", "/force_posts"),
    ("network_ref", "/refunds"), ("original_network_ref", "/refunds"),
    ("card_id", "/authorizations"), ("card_id", "/force_posts"),
    ("message_ref", "reversal"), ("message_ref", "clearing"),
    ("message_ref", "increment"), ("message_ref", "advice")])
def test_references_in_ascii(network, owner, numbered, name, path):
    """Printable ASCII, as references are kept; and what a path can name."""
    for text in ("ä", "a\u0007b", "\u20ac" * 21, "a/b", ".", ".."):
        if path[0] == "/":
            body = {"network_ref": reference(), "pan": numbered["pan"],
                    "amount": 5, "merchant": shop(), name: text}
            if name == "card_id":
                del body["pan"]
        else:
            made = authorization(numbered)
            network.post("/authorizations", made)
            body = {"amount": 5, name: text}
        before = trace(owner, numbered)
        reply = network.post(
            path if path[0] == "/" else
            f"/authorizations/{made['network_ref']}/{path}", body)
        if name == "card_id" and reply.status in (200, 404):
            continue  # there is just no such card
        assert (reply.status, reply.body.get("param")) == (400, name), reply
        assert trace(owner, numbered) == before


# --- fuzz ---------------------------------------------------------------------

VALUES = [None, True, False, 0, -1, 1, 0.01, 0.001, 1e3, 1e308, -0.0, 2 ** 63,
          2 ** 64, "", "0", "x", "x" * 65, "x" * 5000, "\u0000", "\ud7ff", "ä",
          "card_", "'; DROP TABLE cards; --", "%s%n", "[]", [], [[]], {},
          {"name": "X"}, ["US"], "US", "5734", "USD", "verification",
          "\n", "\u202e", 99999999999999.99, -99999999999999.99]
FIELDS = ["network_ref", "pan", "card_id", "amount", "merchant", "exp_month",
          "exp_year", "cvv2", "kind", "merchant_amount", "merchant_currency",
          "partial_capable", "three_ds", "final", "message_ref",
          "original_network_ref", "otp", "card", "", "merchant.name"]
DEEP = ["name", "mcc", "country", "city", "id", "version", "result", "x"]


def mangle(chance, body):
    body = json.loads(json.dumps(body))
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        what = chance.random()
        target, names = body, FIELDS
        if chance.random() < 0.3 and isinstance(body.get("merchant"), dict):
            target, names = body["merchant"], DEEP
        if what < 0.2 and target:
            del target[chance.choice(sorted(target))]
        elif what < 0.5 and target:
            target[chance.choice(sorted(target))] = chance.choice(VALUES)
        else:
            target[chance.choice(names)] = chance.choice(VALUES)
    text = json.dumps(body, ensure_ascii=chance.random() < 0.5)
    raw = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.25:
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(raw) + 1)
            cut = raw[at + chance.choice([0, 1, 1, 5]):]
            raw = raw[:at] + chance.choice(
                [b"", b'"', b"{", b"}", b",", b":", b"\\", b"\xff", b"0",
                 b"-", b"e9", b"\x00", b"[", b" "]) + cut
    return raw


def test_fuzz(api, network, owner, stack, audit):
    """Whatever comes is answered: 200, or 400 and nothing happened."""
    seed = int(os.environ.get("CARDSTOCK_FUZZ_SEED", "1"))
    count = int(os.environ.get("CARDSTOCK_FUZZ", "1500"))
    chance = random.Random(seed)
    card = with_number(api, api.card(1000))
    made = authorization(card, 1)
    network.post("/authorizations", made)
    told = {}
    for number in range(count):
        path, body = chance.choice([
            ("/authorizations", authorization(card, 1)),
            ("/authorizations", authorization(card, 1, three_ds={
                "version": "2.2.0", "result": "ok"}, kind="purchase")),
            ("/force_posts", {"network_ref": reference(),
                              "pan": card["pan"], "amount": 1,
                              "merchant": shop()}),
            ("/refunds", {"network_ref": reference(), "pan": card["pan"],
                          "amount": 1, "merchant": shop()}),
            (f"/authorizations/{made['network_ref']}/" + chance.choice(
                ["increment", "advice", "reversal", "clearing"]),
             {"amount": 1, "final": False}),
            ("/3ds/challenges", {"card": card["pan"], "amount": 1,
                                 "merchant": "SHOP"})])
        raw = mangle(chance, body)
        before = trace(owner, card) if number % 10 == 0 else None
        reply = network.call("POST", path, body=raw)
        where = (seed, number, path, raw[:300], reply)
        told[reply.status] = told.get(reply.status, 0) + 1
        assert reply.status in (200, 400, 404, 413), where
        if reply.status == 400:
            assert reply.error and reply["message"], where
            if before is not None:
                assert trace(owner, card) == before, where
    assert told[400] > count // 4 and told[200] > count // 50, told
    shown = api.get(f"/cards/{card['id']}")
    rows = owner.row(
        "SELECT COALESCE(SUM(GREATEST(0, authorized_cents - reversed_cents "
        "- cleared_cents - expired_cents)), 0) AS held FROM transactions t "
        "JOIN cards c ON c.id = t.card_id WHERE c.public_id = %s",
        card["id"])
    assert cents(shown["pending"]) == rows["held"]
    audit()
