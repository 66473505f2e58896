# SPDX-License-Identifier: Apache-2.0
"""3-D Secure: challenges, their codes, five minutes and three tries."""

import re

import pytest
from conftest import MISSING_CARD, at_once
from payments import Processor, Sandbox, events, network, with_number
from test_lists import by_cursor, by_pages, ids

SAMPLE = ["id", "card_id", "merchant", "amount", "otp", "status",
          "expires_at", "created_at"]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
MISSING = "3ds_00000000000000000000"


@pytest.fixture(autouse=True)
def audited(audit):
    yield
    audit()


def challenge(api, card, amount=9.99, merchant="SPOTIFY"):
    reply = api.post("/simulate/3ds", {"card_id": card["id"],
                                       "amount": amount,
                                       "merchant": merchant})
    assert reply.status == 201, reply
    return reply


def answer(api, made, otp):
    return api.post("/simulate/3ds", {"challenge_id": made["id"],
                                      "otp": otp})


def wrong(otp, by=1):
    return f"{(int(otp) + by) % 1000000:06}"


def wait(api, seconds):
    assert api.post("/simulate/clock",
                    {"advance_seconds": seconds}).status == 201


def test_as_the_sample_shows(api, card):
    made = challenge(api, card)
    assert set(SAMPLE) <= set(made.body)
    assert re.fullmatch(r"3ds_[0-9A-Za-z]{16,}", made["id"])
    assert re.fullmatch(r"\d{6}", made["otp"])
    assert (made["card_id"], made["merchant"], made["status"]) == \
        (card["id"], "SPOTIFY", "pending")
    assert '"amount":9.99' in made.text.replace(": ", ":")
    assert re.fullmatch(TIME, made["created_at"])
    assert made["expires_at"] > made["created_at"]
    assert api.get(f"/3ds/{made['id']}").body == made.body
    assert api.get("/3ds")["data"] == [made.body]


def test_the_right_code(api, card):
    made = challenge(api, card)
    done = answer(api, made, made["otp"])
    assert (done.status, done["status"]) == (201, "completed")
    assert done["otp"] is None
    assert re.fullmatch(TIME, done["completed_at"])
    assert api.get(f"/3ds/{made['id']}").body == done.body
    # Asked once more it is still so; a wrong code is never answered so.
    again = answer(api, made, made["otp"])
    assert (again.status, again.body) == (201, done.body)
    again = answer(api, made, wrong(made["otp"]))
    assert (again.status, again.error) == (400, "challenge_not_pending")
    assert api.get(f"/3ds/{made['id']}").body == done.body


def test_three_wrong_codes(api, card):
    made = challenge(api, card)
    for number in (1, 2):
        reply = answer(api, made, wrong(made["otp"], number))
        assert (reply["status"], reply["otp"]) == ("pending", made["otp"])
    reply = answer(api, made, wrong(made["otp"], 3))
    assert (reply["status"], reply["otp"]) == ("failed", None)
    reply = answer(api, made, made["otp"])
    assert (reply["status"], reply["otp"]) == ("failed", None)
    assert api.get(f"/3ds/{made['id']}")["status"] == "failed"


@pytest.mark.parametrize("change", [
    lambda otp: otp[:5], lambda otp: otp + "0", lambda otp: "0" + otp,
    lambda otp: otp[1:] + otp[0] if otp[1:] + otp[0] != otp else "0"])
def test_codes_that_are_nearly_right(api, card, change):
    made = challenge(api, card)
    assert answer(api, made, change(made["otp"]))["status"] == "pending"
    assert answer(api, made, made["otp"])["status"] == "completed"


def test_five_minutes(api, card):
    made = challenge(api, card)
    wait(api, 290)
    assert api.get(f"/3ds/{made['id']}")["otp"] == made["otp"]
    wait(api, 15)
    late = api.get(f"/3ds/{made['id']}")
    assert (late["status"], late["otp"]) == ("expired", None)
    reply = answer(api, made, made["otp"])
    assert (reply["status"], reply["otp"]) == ("expired", None)
    assert ids(api.get("/3ds")) == []
    assert ids(api.get("/3ds", status="expired")) == [made["id"]]


def test_expired_at_once(api, owner, card):
    """Nobody has swept it up yet, and it reads expired."""
    made = challenge(api, card)
    owner.rows("UPDATE challenges SET expires_at = created_at "
               "- INTERVAL 1 SECOND WHERE public_id = %s", made["id"])
    late = api.get(f"/3ds/{made['id']}")
    assert (late["status"], late["otp"]) == ("expired", None)
    assert ids(api.get("/3ds")) == []
    assert ids(api.get("/3ds", status="expired")) == [made["id"]]
    reply = answer(api, made, made["otp"])
    assert (reply["status"], reply["otp"]) == ("expired", None)


def test_lists(api):
    cards = [api.card(10), api.card(10)]
    made = [challenge(api, cards[number % 2], number + 1)
            for number in range(7)]
    numbers = [row["id"] for row in made]
    assert by_pages(api, "/3ds", 3) == numbers[::-1]
    assert by_cursor(api, "/3ds", 2) == numbers[::-1]
    assert ids(api.get("/3ds", card_id=cards[1]["id"])) == numbers[1::2][::-1]
    assert answer(api, made[0], made[0]["otp"])["status"] == "completed"
    for number in range(3):
        answer(api, made[1], wrong(made[1]["otp"]))
    assert ids(api.get("/3ds")) == numbers[:1:-1]
    assert ids(api.get("/3ds", status="pending")) == numbers[:1:-1]
    assert ids(api.get("/3ds", status="completed")) == numbers[:1]
    assert ids(api.get("/3ds", status="failed")) == numbers[1:2]
    assert ids(api.get("/3ds", status="expired")) == []
    assert ids(api.get("/3ds", status="completed",
                       card_id=cards[1]["id"])) == []
    assert ids(api.get("/3ds", card_id=MISSING_CARD)) == []
    wait(api, 301)
    assert ids(api.get("/3ds")) == []
    assert by_pages(api, "/3ds", 2, status="expired") == numbers[:1:-1]


@pytest.mark.parametrize("query, param", [
    ({"status": "open"}, "status"), ({"page": 0}, "page"),
    ({"per_page": 101}, "per_page"), ({"colour": "red"}, "colour")])
def test_lists_that_are_refused(api, query, param):
    reply = api.get("/3ds", **query)
    assert (reply.status, reply["param"]) == (400, param), reply


def test_codes_differ(api, card):
    codes = {challenge(api, card)["otp"] for _ in range(40)}
    assert len(codes) > 35
    assert len({code[0] for code in codes}) > 4


def test_the_database_has_no_code(api, owner, card, account):
    """Neither where challenges are kept nor where events are told."""
    made = challenge(api, card)
    row = owner.row("SELECT * FROM challenges WHERE public_id = %s",
                    made["id"])
    assert made["otp"].encode() not in row.pop("otp_sealed")
    text = repr(row) + repr(events(owner, card["id"])[-1])
    text = re.sub(r"[0-9a-f]{20,}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]*",
                  "", text)
    assert made["otp"] not in text


def test_events(api, owner, card):
    made = challenge(api, card)
    answer(api, made, made["otp"])
    failing = challenge(api, card)
    for _ in range(3):
        answer(api, failing, wrong(failing["otp"]))
    expiring = challenge(api, card)
    wait(api, 301)
    told = events(owner, card["id"], 1)
    assert [row["type"] for row in told] == [
        "3ds.challenge", "3ds.completed", "3ds.challenge", "3ds.completed",
        "3ds.challenge", "3ds.expired"]
    assert [row["snapshot"]["status"] for row in told] == [
        "pending", "completed", "pending", "failed", "pending", "expired"]
    assert [row["snapshot"]["public_id"] for row in told] == [
        made["id"], made["id"], failing["id"], failing["id"],
        expiring["id"], expiring["id"]]


def test_of_strangers(api, account, card, stranger):
    made = challenge(api, card)
    for other in (stranger.test, account.live):
        reply = other.get(f"/3ds/{made['id']}")
        assert (reply.status, reply.error) == (404, "not_found")
        assert ids(other.get("/3ds")) == []
    for body in ({"challenge_id": made["id"], "otp": made["otp"]},
                 {"challenge_id": MISSING, "otp": "000000"},
                 {"card_id": card["id"], "amount": 1, "merchant": "X"}):
        assert stranger.test.post("/simulate/3ds", body).status == 404
    assert api.get(f"/3ds/{MISSING}").status == 404
    assert api.get(f"/3ds/{made['id']}")["status"] == "pending"


@pytest.mark.parametrize("change, param", [
    ({"amount": None}, "amount"), ({"amount": -1}, "amount"),
    ({"amount": "1"}, "amount"), ({"merchant": None}, "merchant"),
    ({"merchant": ""}, "merchant"), ({"merchant": {"name": "X"}}, "merchant"),
    ({"merchant": "x" * 65}, "merchant"), ({"card_id": 5}, "card_id"),
    ({"otp": "123456"}, "challenge_id"), ({"colour": "red"}, "colour")])
def test_challenges_that_are_refused(api, card, change, param):
    body = {"card_id": card["id"], "amount": 5, "merchant": "X", **change}
    if None in change.values():
        del body[next(iter(change))]
    reply = api.post("/simulate/3ds", body)
    assert (reply.status, reply["param"]) == (400, param), reply
    assert ids(api.get("/3ds")) == []


@pytest.mark.parametrize("body, param", [
    ({"challenge_id": MISSING}, "otp"), ({}, "merchant"),
    ({"challenge_id": MISSING, "otp": 123456}, "otp"),
    ({"challenge_id": MISSING, "otp": "12345x"}, "otp"),
    ({"challenge_id": MISSING, "otp": ""}, "otp")])
def test_answers_that_are_refused(api, body, param):
    reply = api.post("/simulate/3ds", body)
    assert (reply.status, reply["param"]) == (400, param), reply


def test_a_repeated_answer_counts_once(api, card):
    made = challenge(api, card)
    body = {"challenge_id": made["id"], "otp": wrong(made["otp"])}
    for _ in range(5):
        reply = api.post("/simulate/3ds", body, idempotency="answer-" +
                         made["id"])
        assert reply["status"] == "pending"
    assert answer(api, made, made["otp"])["status"] == "completed"


def test_codes_are_guessed_at_once(api, card):
    """Three tries are three however many arrive together."""
    made = challenge(api, card)
    guesses = [wrong(made["otp"], number + 1) for number in range(32)]
    replies = at_once(32, lambda number: answer(api, made, guesses[number]))
    assert sorted(reply["status"] for reply in replies) == \
        ["failed"] * 30 + ["pending"] * 2
    assert api.get(f"/3ds/{made['id']}")["status"] == "failed"


def test_the_right_code_at_once(api, owner, card):
    made = challenge(api, card)
    replies = at_once(16, lambda _: answer(api, made, made["otp"]))
    assert {reply["status"] for reply in replies} == {"completed"}
    assert [row["type"] for row in events(owner, card["id"], 1)] == \
        ["3ds.challenge", "3ds.completed"]


# --- the network's side -------------------------------------------------------


def test_the_network_asks_and_verifies(api, network, card):
    card = with_number(api, card)
    for names in ({"pan": card["pan"]}, {"card": card["pan"]},
                  {"card": card["id"]}, {"card_id": card["id"]}):
        reply = network.post("/3ds/challenges", {
            **names, "amount": 5, "merchant": "SHOP"})
        assert (reply.status, reply["status"]) == (200, "pending"), reply
        assert "otp" not in reply.body
        shown = api.get(f"/3ds/{reply['id']}")
        assert (shown["card_id"], shown["amount"], shown["merchant"]) == \
            (card["id"], 5, "SHOP")
        path = f"/3ds/challenges/{reply['id']}/verify"
        bad = network.post(path, {"otp": wrong(shown["otp"])})
        assert (bad.status, bad["status"]) == (200, "pending")
        assert "otp" not in bad.body
        good = network.post(path, {"otp": shown["otp"]})
        assert (good.status, good["status"]) == (200, "completed")


def test_the_network_is_refused(api, network, card):
    assert network.post("/3ds/challenges", {
        "card_id": MISSING_CARD, "amount": 5,
        "merchant": "SHOP"}).status == 404
    assert network.post(f"/3ds/challenges/{MISSING}/verify",
                        {"otp": "123456"}).status == 404
    for body, param in [
            ({"amount": 5, "merchant": "SHOP"}, "card_id"),
            ({"card_id": card["id"], "merchant": "SHOP"}, "amount"),
            ({"card_id": card["id"], "amount": 5}, "merchant"),
            ({"card_id": card["id"], "amount": 5, "merchant": "SHOP",
              "otp": "1"}, "otp")]:
        reply = network.post("/3ds/challenges", body)
        assert (reply.status, reply["param"]) == (400, param), reply
    assert ids(api.get("/3ds")) == []


@pytest.mark.parametrize("way", ["sandbox", "network"])
def test_late_and_too_often(api, network, card, way):
    card = with_number(api, card)
    way = Sandbox(api) if way == "sandbox" else Processor(network)
    made = way.challenge(card, 5, "SHOP")
    otp = api.get(f"/3ds/{made['id']}")["otp"]
    wait(api, 301)
    late = way.verify(made["id"], otp)
    assert late["status"] == "expired", late
    made = way.challenge(card, 5, "SHOP")
    otp = api.get(f"/3ds/{made['id']}")["otp"]
    told = [way.verify(made["id"], wrong(otp))["status"] for _ in range(3)]
    assert told == ["pending", "pending", "failed"]
