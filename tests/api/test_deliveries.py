# SPDX-License-Identifier: Apache-2.0
"""Webhooks arrive: at real HTTPS receivers, signed, filtered, in order, and
again where a receiver did not take them."""

import base64
import collections
import concurrent.futures
import datetime
import email.utils
import inspect
import json
import os
import re
import secrets
import socket
import ssl
import subprocess
import threading
import time

import pytest
import requests
from conftest import Account, until
from hooks import (Endpoint, advance, authority, courier, event_of, hook,
                   judge, moment, no_courier, receiver, signatures,
                   verify_webhook)
from payments import Setup
from private import free_port, wait_for
from receiver import (Receiver, answer, close, closing, endless_body,
                      endless_headers, garbage, hang, hang_in_body, http_09,
                      plainly, redirect, reset, slow, trickle_body,
                      trickle_headers)

SHOP = {"name": "SHOP", "mcc": "5734", "country": "US"}
SEEDS = {"card.created", "card.frozen", "card.unfrozen", "card.terminated",
         "card.funded", "transaction.authorized", "transaction.settled",
         "transaction.declined", "transaction.refunded", "3ds.challenge",
         "deposit.pending", "deposit.confirmed"}
DAY = 86400


@pytest.fixture(scope="module", autouse=True)
def audited(audit):
    yield
    audit()


def update(api, card, label=None):
    """A card.updated event's id."""
    reply = api.patch(f"/cards/{card['id']}",
                      {"label": label or secrets.token_hex(8)})
    assert reply.status == 200, reply
    return event_of(api, card_id=card["id"])["id"]


def simulate(api, kind, **body):
    reply = api.post("/simulate/" + kind, body)
    assert reply.status == 201, reply
    return reply.body


def buy(api, card, amount=20):
    return simulate(api, "authorization", card_id=card["id"], amount=amount,
                    merchant=SHOP)


# --- what arrives -------------------------------------------------------------


class Story:
    """Steps; of each the newest event, and what the object's GET showed."""

    def __init__(self, api):
        self.api = api
        self.told = []  # (type, event id, the object's GET)

    def tell(self, kind, path, **filters):
        event = event_of(self.api, type=kind, **filters)
        shown = self.api.get(path)
        assert shown.status == 200, shown
        self.told.append((kind, event["id"], shown.body))

    def deposits(self):
        deposit = simulate(self.api, "deposit", currency="btc",
                           amount_usd=1000, confirm=False)
        path = "/wallet/deposits/" + deposit["id"]
        self.tell("deposit.pending", path)
        simulate(self.api, "deposit", deposit_id=deposit["id"])
        self.tell("deposit.confirmed", path)
        deposit = simulate(self.api, "deposit", currency="eth",
                           amount_usd=10, confirm=False)
        simulate(self.api, "deposit", deposit_id=deposit["id"], expire=True)
        self.tell("deposit.expired", "/wallet/deposits/" + deposit["id"])

    def card(self, setup):
        api = self.api
        card = api.card(200, label="é ✓", metadata={"order": "a\"b\\c"})
        path = "/cards/" + card["id"]
        self.tell("card.created", path)
        for kind, step in (
                ("card.funded", lambda: api.post(path + "/fund",
                                                 {"amount": 5})),
                ("card.withdrawn", lambda: api.post(path + "/withdraw",
                                                    {"amount": 1})),
                ("card.updated", lambda: api.patch(path, {"label": "b"})),
                ("card.frozen", lambda: api.post(path + "/freeze")),
                ("card.unfrozen", lambda: api.post(path + "/unfreeze"))):
            assert step().status == 200
            self.tell(kind, path)
        other = api.card(10)
        api.delete("/cards/" + other["id"])
        self.tell("card.terminated", "/cards/" + other["id"])
        other = api.card(1)
        setup.pending(other["id"])
        api.post(f"/cards/{other['id']}/fund", {"amount": 5})
        self.tell("card.activated", "/cards/" + other["id"])
        return card

    def purchases(self, card):
        bought = buy(self.api, card)
        path = "/transactions/" + bought["id"]
        self.tell("transaction.authorized", path)
        simulate(self.api, "clearing", transaction_id=bought["id"], amount=20)
        self.tell("transaction.settled", path)
        refund = simulate(self.api, "refund", transaction_id=bought["id"],
                          amount=3)
        self.tell("transaction.refunded", "/transactions/" + refund["id"])
        declined = buy(self.api, card, 4999)
        self.tell("transaction.declined", "/transactions/" + declined["id"])
        bought = buy(self.api, card)
        simulate(self.api, "reversal", transaction_id=bought["id"],
                 amount=20)
        self.tell("transaction.reversed", "/transactions/" + bought["id"])

    def challenges(self, card):
        opened = simulate(self.api, "3ds", card_id=card["id"], amount=9.99,
                          merchant="SPOTIFY")
        self.tell("3ds.challenge", "/3ds/" + opened["id"])
        assert self.told[-1][2]["otp"] == opened["otp"]
        simulate(self.api, "3ds", challenge_id=opened["id"],
                 otp=opened["otp"])
        self.tell("3ds.completed", "/3ds/" + opened["id"])

    def time(self, card):
        bought = buy(self.api, card)
        opened = simulate(self.api, "3ds", card_id=card["id"], amount=1,
                          merchant="LATE")
        advance(self.api, 400)
        self.tell("3ds.expired", "/3ds/" + opened["id"])
        advance(self.api, 8 * DAY)
        self.tell("transaction.expired", "/transactions/" + bought["id"])


def known_types(stack):
    schema = stack.openapi.document["components"]["schemas"]["Event"]
    return set(schema["properties"]["type"]["enum"])


def test_each_type_arrives(account, hook, stack, owner, stranger, receiver):
    """To an endpoint of all, and to one of this type and another; the same
    bytes as the event's own GET; data as the object's GET showed it."""
    api = account.test
    every, other = hook("*"), hook("*", api=stranger.test)
    kinds = sorted(known_types(stack) - {"webhook.ping"})
    assert SEEDS < set(kinds)
    pairs = [(pair, hook(*pair)) for pair in
             zip(kinds[::2], kinds[1::2] + kinds[:len(kinds) % 2])]
    story = Story(api)
    story.deposits()
    card = story.card(Setup(owner))
    story.purchases(card)
    story.challenges(card)
    story.time(card)
    ping = every.ping()
    story.told.append(("webhook.ping", ping["id"], ping["data"]))
    assert {kind for kind, _, _ in story.told} == known_types(stack)
    listed = everything(api)
    came = {request.id: request for request in every.wait(len(listed))}
    assert set(came) == {event["id"] for event in listed}
    for event in listed:
        shown = api.get("/events/" + event["id"])
        assert came[event["id"]].body == shown.raw
        assert shown.body == event
    for kind, event_id, shown in story.told:
        body = every.verify(came[event_id])
        assert (body["type"], body["data"]) == (kind, shown)
    # And by their filters.
    for pair, endpoint in pairs:
        wanted = {event["id"] for event in listed if event["type"] in pair}
        assert {request.id for request in endpoint.wait(len(wanted))} == \
            wanted, pair
    # The codes are for this account's endpoints alone.
    assert other.quiet(0) == []


def everything(api):
    """All events of the wallet, oldest first."""
    found, query = [], {"per_page": 100}
    while True:
        reply = api.get("/events", **query)
        found += reply["data"]
        if reply["pagination"]["next_cursor"] is None:
            return found[::-1]
        query["cursor"] = reply["pagination"]["next_cursor"]


def test_filters(account, api, hook):
    frozen = hook("card.frozen")
    two = hook("card.created", "transaction.authorized")
    card = api.card(100)
    api.post(f"/cards/{card['id']}/freeze")
    api.post(f"/cards/{card['id']}/unfreeze")
    buy(api, card)
    two.wait(2)
    frozen.wait(1)
    assert two.quiet(2) and two.types() == ["card.created",
                                            "transaction.authorized"]
    assert frozen.types() == ["card.frozen"]
    # From the next event on it is another filter.
    frozen.patch(events=["card.unfrozen"])
    api.post(f"/cards/{card['id']}/freeze")
    api.post(f"/cards/{card['id']}/unfreeze")
    frozen.wait(2)
    assert frozen.quiet(2) and frozen.types() == ["card.frozen",
                                                  "card.unfrozen"]


def test_test_and_live_are_apart(account, hook):
    account.test.deposit(100)
    account.adjust("live", 10000)
    test, live = hook("*"), hook("*", api=account.live)
    for api, endpoint, mode in ((account.test, test, False),
                                (account.live, live, True)):
        card = api.card(10)
        body = endpoint.verify(endpoint.wait(1)[0])
        assert body["data"]["id"] == card["id"]
        assert body["livemode"] is mode
    test.quiet(1)
    live.quiet(1)


def test_nobody_else_hears(account, stranger, api, hook):
    mine, theirs = hook("*"), hook("*", api=stranger.test)
    api.card(1)
    mine.wait(1)
    theirs.quiet(0)


def test_an_idle_courier_is_quick(api, card, hook):
    """From the answer to the arrival, one by one."""
    endpoint, late = hook("*"), []
    for count in range(1, 11):
        api.patch(f"/cards/{card['id']}", {"label": str(count)})
        committed = time.time()
        late.append(endpoint.wait(count)[-1].at - committed)
    assert sorted(late)[5] < 1, late


def test_connections_are_reused(api, card, hook, receiver):
    endpoint = hook("*")
    for count in range(1, 31):
        update(api, card)
        endpoint.wait(count)
    assert len({request.connection for request in endpoint.came()}) <= 3


def test_tls_sessions_are_reused(api, card, hook, receiver):
    """A receiver that closes after each reply loses none, and most of the
    handshakes are short ones."""
    endpoint = hook("*", behaviour=[closing()])
    for count in range(1, 21):
        event = update(api, card)
        endpoint.wait(count)
        assert endpoint.finished(event)["attempts"][0]["status"] == 200
    assert len(endpoint.came()) == 20
    assert sum(request.resumed for request in endpoint.came()) >= 10


def test_tls_1_2_is_good_enough(env, api, card, hook):
    with Receiver((env.server_cert, env.server_key),
                  maximum=ssl.TLSVersion.TLSv1_2) as receiver:
        endpoint = hook("*", receiver=receiver)
        endpoint.finished(update(api, card))


class Gauge:
    """How many requests are under way at once, in all and per card."""

    def __init__(self, seconds):
        self.seconds, self.lock = seconds, threading.Lock()
        self.now, self.highest = collections.Counter(), collections.Counter()

    def __call__(self, exchange):
        card = json.loads(exchange.request.body)["data"]["id"]
        with self.lock:
            for name in ("all", card):
                self.now[name] += 1
                self.highest[name] = max(self.highest[name], self.now[name])
        exchange.pause(self.seconds)
        with self.lock:
            for name in ("all", card):
                self.now[name] -= 1
        exchange.reply(200)


def test_several_at_once_but_not_too_many(api, hook):
    """Up to sixteen to an endpoint; of a card one after the other."""
    gauge = Gauge(0.1)
    endpoint = hook("card.updated", behaviour=[gauge])
    cards = [api.card(1) for _ in range(40)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            list(pool.map(lambda card: update(api, card), cards))
    endpoint.wait(160, 40)
    highest = dict(gauge.highest)
    assert 8 <= highest.pop("all") <= 16
    assert set(highest.values()) == {1}


# --- signatures ---------------------------------------------------------------

PRINTABLE = "".join(map(chr, range(33, 127)))


@pytest.mark.parametrize("secret", [
    None,
    "whsec_" + base64.b64encode(bytes(range(24))).decode(),
    "whsec_" + base64.b64encode(bytes(range(100, 132))).decode(),
    "whsec_" + base64.b64encode(bytes(range(191, 255))).decode(),
    "sixteen letters!",
    PRINTABLE,
    "x" * 255,
])
def test_secrets(api, card, hook, judge, secret):
    endpoint = hook("*", **({"secret": secret} if secret else {}))
    if secret is None:
        assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", endpoint.secret)
    else:
        assert endpoint.secret == secret
    update(api, card)
    request = endpoint.wait(1)[0]
    # The judges can refuse.
    wrong = "whsec_" + base64.b64encode(b"another" * 5).decode()
    hexed = request.header("x-webhook-signature")
    body = request.body.decode()
    assert not verify_webhook(body, hexed, wrong)
    assert not verify_webhook(body + " ", hexed, endpoint.secret)
    assert judge.verdict(request, wrong) == "No matching signature found"
    assert judge.verdict(request, endpoint.secret, request.body + b" ") == \
        "No matching signature found"
    for name in ("webhook-id", "webhook-timestamp"):
        changed = request.header(name)[:-1] + \
            ("1" if request.header(name)[-1] != "1" else "2")
        assert judge.verdict(request, endpoint.secret, **{name: changed}) == \
            "No matching signature found"


@pytest.mark.parametrize("first", [None, "a raw secret of mine"])
@pytest.mark.parametrize("second", [None, "another raw secret, mine too",
                                    "whsec_" + "QUJD" * 10])
def test_rotation(account, api, card, hook, judge, first, second):
    """For a day both secrets verify, then the new one."""
    endpoint = hook("*", **({"secret": first} if first else {}))
    update(api, card)
    old = endpoint.secret
    assert len(signatures(endpoint.wait(1)[0])) == 1
    rotated = endpoint.post("rotate", {"secret": second} if second else None)
    assert rotated.status == 200, rotated
    endpoint.secret = rotated["secret"]
    assert endpoint.secret == (second or endpoint.secret) != old
    advance(api, DAY - 60)
    update(api, card)
    both = endpoint.receiver.wait(endpoint.path, 2)[-1]
    endpoint.verify(both)
    assert len(signatures(both)) == 2
    assert judge.verdict(both, old) == "ok"
    assert judge.verdict(both, endpoint.secret) == "ok"
    hexed = both.header("x-webhook-signature")
    assert verify_webhook(both.body.decode(), hexed, endpoint.secret)
    assert not verify_webhook(both.body.decode(), hexed, old)
    advance(api, 120)
    update(api, card)
    last = endpoint.receiver.wait(endpoint.path, 3)[-1]
    endpoint.verify(last)
    assert len(signatures(last)) == 1
    assert judge.verdict(last, old) == "No matching signature found"


def test_two_rotations_in_a_day(api, card, hook, judge):
    """The one before is the one that is kept."""
    endpoint = hook("*")
    passed = [endpoint.secret]
    for _ in range(2):
        passed.append(endpoint.post("rotate")["secret"])
    endpoint.secret = passed[-1]
    update(api, card)
    request = endpoint.wait(1)[0]
    assert [judge.verdict(request, secret) for secret in passed] == \
        ["No matching signature found", "ok", "ok"]


# --- answers and their meaning ------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success(api, card, hook, status):
    endpoint = hook("*", behaviour=[answer(status)])
    event = update(api, card)
    row = endpoint.finished(event)
    attempt, = row["attempts"]
    assert (attempt["status"], attempt["error"]) == (status, None)
    assert row["next_attempt_at"] is None
    endpoint.quiet(1)
    shown = endpoint.get()
    assert shown["status"] == "enabled"
    assert shown["last_success_at"] is not None
    assert shown["last_failure_at"] is None


BAD = {  # name: (behaviour, status shown, error words that may be shown)
    "a bad request": (answer(400), 400, {"status"}),
    "nothing there": (answer(404), 404, {"status"}),
    "an error": (answer(500, body=b"Traceback\n"), 500, {"status"}),
    "a gateway": (answer(502), 502, {"status"}),
    "switches protocols": (plainly(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
        b"Upgrade: websocket\r\n\r\n"), None, {"protocol"}),
    "no status of HTTP's": (answer(999), 999, {"protocol"}),
    "not modified": (answer(304), 304, {"status", "redirect"}),
    "moved": (301, 301, {"redirect"}),
    "found": (302, 302, {"redirect"}),
    "see other": (303, 303, {"redirect"}),
    "moved for a while": (307, 307, {"redirect"}),
    "moved for good": (308, 308, {"redirect"}),
    "hangs": (hang, None, {"timeout"}),
    "trickles headers": (trickle_headers, None, {"timeout"}),
    "endless headers": (endless_headers, None, {"protocol", "too_large"}),
    "reset": (reset, None, {"connect", "protocol"}),
    "closes": (close, None, {"connect", "protocol"}),
    "garbage": (garbage, None, {"protocol"}),
    "HTTP/0.9": (http_09, None, {"protocol"}),
    "slower than 15 s": (slow(17), None, {"timeout"}),
}
# The status was 2xx: what follows it does not matter.
GOOD = {
    "hangs in the body": hang_in_body,
    "endless body": endless_body,
    "trickles the body": trickle_body,
    "takes its time": slow(10),
    "HTTP/1.0": plainly(b"HTTP/1.0 200 OK\r\n\r\ngood"),
    "continues first": plainly(b"HTTP/1.1 100 Continue\r\n\r\n"
                               b"HTTP/1.1 202 Accepted\r\n"
                               b"Content-Length: 0\r\n\r\n"),
    "in chunks": plainly(b"HTTP/1.1 200 OK\r\n"
                         b"Transfer-Encoding: chunked\r\n\r\n"
                         b"4\r\ngood\r\n0\r\n\r\n"),
    "too short a body": plainly(b"HTTP/1.1 200 OK\r\n"
                                b"Content-Length: 10\r\n\r\ngood"),
    "an unknown encoding": plainly(b"HTTP/1.1 200 OK\r\n"
                                   b"Content-Encoding: gzip\r\n"
                                   b"Content-Length: 4\r\n\r\ngood"),
}
TLS = ["wrong name", "expired", "self-signed", "TLS 1.1", "not TLS",
       "says nothing", "nobody listens"]


@pytest.fixture(scope="module")
def crowd(env, stack, admin, judge, authority):
    """All that can go wrong, at once: one event for all of them."""
    made, receivers = {}, []
    server = (env.server_cert, env.server_key)
    main, elsewhere = Receiver(server), Receiver(server)
    special = {
        "wrong name": Receiver(authority.issue("other.example")),
        "expired": Receiver(authority.issue("127.0.0.1", expired=True)),
        "self-signed": Receiver(authority.issue("127.0.0.1",
                                                self_signed=True)),
        "TLS 1.1": Receiver(server, maximum=ssl.TLSVersion.TLSv1_1),
        "not TLS": Receiver(greeting=b"220 mail.example ESMTP\r\n"),
        "says nothing": Receiver(),
        "nobody listens": Receiver(server),
    }
    assert sorted(special) == sorted(TLS)
    receivers += [main, elsewhere, *special.values()]
    special["nobody listens"].stop()
    cases = [(name, main, behaviour) for name, (behaviour, _, _)
             in BAD.items()]
    cases += [(name, main, behaviour) for name, behaviour in GOOD.items()]
    cases += [(name, special[name], answer(200)) for name in TLS]
    accounts = [Account(stack, admin) for _ in range(len(cases) // 15 + 1)]
    for number, (name, receiver, behaviour) in enumerate(cases):
        if isinstance(behaviour, int):
            behaviour = redirect(behaviour, elsewhere.url("/moved"))
        made[name] = Endpoint(accounts[number // 15].test, receiver, judge,
                              ["deposit.confirmed"], behaviour=[behaviour])
    began = time.time()
    for account in accounts:
        account.test.deposit(100)
    for name, endpoint in made.items():
        endpoint.event = event_of(endpoint.api)["id"]
        endpoint.row = endpoint.attempted(endpoint.event, 1, 45)
    made["elsewhere"], made["began"] = elsewhere, began
    yield made
    for receiver in receivers:
        receiver.stop()


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_success(crowd, name):
    _, status, errors = BAD[name]
    endpoint = crowd[name]
    attempt = endpoint.row["attempts"][0]
    assert attempt["status"] == status
    assert attempt["error"] in errors
    assert endpoint.row["status"] == "pending"
    assert endpoint.row["next_attempt_at"] is not None
    assert endpoint.get()["status"] == "failing"
    if "timeout" in errors:
        assert 14500 <= attempt["duration_ms"] <= 16500
    else:
        assert attempt["duration_ms"] < 5000
    if name == "an error":
        assert attempt["answer"] == "Traceback\n"


@pytest.mark.parametrize("name", GOOD)
def test_what_is_success_all_the_same(crowd, name):
    endpoint = crowd[name]
    attempt = endpoint.row["attempts"][0]
    assert attempt["status"] in (200, 202) and attempt["error"] is None
    assert endpoint.row["status"] == "delivered"
    assert attempt["duration_ms"] <= 16500
    if "good" in (attempt["answer"] or ""):
        assert attempt["answer"] == "good"
    if name == "endless body":
        assert attempt["duration_ms"] < 5000
        assert 0 < len(attempt["answer"]) <= 4096
        assert attempt["answer"].startswith("endless endless")
    if name == "hangs in the body":
        assert attempt["answer"] == "begun"


@pytest.mark.parametrize("name", TLS)
def test_what_is_no_receiver(crowd, name):
    endpoint = crowd[name]
    attempt = endpoint.row["attempts"][0]
    assert attempt["status"] is None
    assert attempt["error"] in {"nobody listens": {"connect"},
                                "says nothing": {"timeout"}}.get(
                                    name, {"tls"})
    assert endpoint.row["status"] == "pending"
    assert endpoint.receiver.requests == []


def test_redirects_are_not_followed(crowd):
    assert crowd["elsewhere"].connections == 0


def test_nobody_waited_for_another(crowd):
    """Fifteen of the crowd hung; who answers at once was served at once."""
    late = [request.at - crowd["began"] for name in
            ("an error", "moved", "endless body")
            for request in crowd[name].came()[:1]]
    assert max(late) < 5, late


def test_the_answer_is_kept(api, card, hook):
    """Its first 4 KiB; what is no UTF-8 is replaced."""
    endpoint = hook("*", behaviour=[
        answer(500, body="größer ✓".encode() + b"\xff\xfe!"),
        answer(200, body=b"y" * 100000)])
    event = update(api, card)
    endpoint.attempted(event, 1)
    row = endpoint.attempted(event, 2)
    first, second = (attempt["answer"] for attempt in row["attempts"])
    assert first.startswith("größer ✓\ufffd") and first.endswith("!")
    assert set(second) == {"y"} and 1000 < len(second) <= 4096


# --- retries ------------------------------------------------------------------

SCHEDULE = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]


def test_the_whole_schedule(account, api, card, hook, judge):
    """Three endpoints that never take it, through three days and a half."""
    endpoints = [hook("card.updated", behaviour=[answer(500)])
                 for _ in range(3)]
    event = update(api, card)
    offset = advance(api, 0) - time.time()
    spread = set()
    for number, delay in enumerate(SCHEDULE, 1):
        tried = []
        for endpoint in endpoints:
            row = endpoint.attempted(event, number)
            assert (row["status"], len(row["attempts"])) == ("pending",
                                                             number)
            at = moment(row["attempts"][-1]["at"])
            tried.append(at)
            waits = moment(row["next_attempt_at"]) - at
            assert delay - 1 <= waits <= delay * 1.2 + 2
            spread.add(waits / delay)
        if delay > 60:
            # Not before its time …
            now = time.time() + offset
            offset += delay - 4 - int(now - min(tried))
            advance(api, delay - 4 - int(now - min(tried)))
            for endpoint in endpoints:
                endpoint.quiet(number, 0.3)
            # … and then soon.
            advance(api, delay // 5 + 8)
            offset += delay // 5 + 8
        for endpoint in endpoints:
            endpoint.receiver.wait(endpoint.path, number + 1, 20)
    assert len(spread) > len(SCHEDULE), "there is no jitter"
    for endpoint in endpoints:
        row = endpoint.finished(event, "failed")
        assert row["next_attempt_at"] is None
        assert [attempt["number"] for attempt in row["attempts"]] == \
            list(range(1, 11))
    advance(api, 3 * DAY)
    for endpoint in endpoints:
        same_each_time(endpoint.quiet(10), event)
        for request in endpoint.came():
            endpoint.verify(request)


def same_each_time(requests, event):
    """One id, one body; a timestamp and signatures of its own each time."""
    assert {request.id for request in requests} == {event}
    assert len({request.body for request in requests}) == 1
    stamps = [int(request.header("webhook-timestamp"))
              for request in requests]
    assert stamps == sorted(stamps) and stamps[-1] > stamps[0]
    for request, stamp in zip(requests, stamps):
        assert abs(request.at - stamp) < 3
    assert len({(request.header("webhook-timestamp"),
                 request.header("webhook-signature"))
                for request in requests}) == \
        len(set(stamps))


def test_the_first_retry_in_real_time(api, card, hook):
    endpoint = hook("*", behaviour=[answer(500), answer(200)])
    event = update(api, card)
    first, second = endpoint.receiver.wait(endpoint.path, 2)
    assert 4.5 <= second.at - first.at < 9
    assert [attempt["status"] for attempt in
            endpoint.finished(event)["attempts"]] == [500, 200]
    same_each_time([first, second], event)
    shown = endpoint.get()
    assert shown["status"] == "enabled"
    assert shown["last_success_at"] >= shown["last_failure_at"]


def test_a_retry_tells_what_was_so_then(api, card, hook):
    """The event, not the object as it has become since."""
    endpoint = hook("card.updated", behaviour=[answer(500), answer(200)])
    event = update(api, card, "as it was")
    endpoint.attempted(event)
    api.post(f"/cards/{card['id']}/fund", {"amount": 5})
    advance(api, 10)
    for request in endpoint.receiver.wait(endpoint.path, 2):
        body = endpoint.verify(request)
        assert (body["data"]["label"], body["data"]["balance"]) == \
            ("as it was", 100)
        assert request.body == api.get(f"/events/{event}").raw


def test_410_is_the_end(api, card, hook):
    endpoint = hook("*", behaviour=[answer(410), answer(200)])
    event = update(api, card)
    row = endpoint.finished(event, "failed")
    assert row["attempts"][0]["status"] == 410
    shown = endpoint.get()
    assert (shown["active"], shown["status"], shown["disabled_reason"]) == \
        (False, "disabled", "gone")
    update(api, card)
    advance(api, DAY)
    endpoint.quiet(1)
    # Until the customer says otherwise.
    revived = endpoint.patch(active=True)
    assert (revived["status"], revived["disabled_reason"]) == ("enabled",
                                                               None)
    event = update(api, card)
    endpoint.finished(event)
    assert endpoint.ids()[1:] == [event]


def later(seconds):
    return email.utils.format_datetime(
        datetime.datetime.now(datetime.timezone.utc)
        + datetime.timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("said, low, high", [
    (lambda: "120", 120, 150),
    (lambda: later(600), 590, 720),
    (lambda: "7200", 3600, 3600),
    (lambda: "99999999999999999999", 3600, 3600),
    (lambda: later(30 * DAY), 3600, 3600),
    (lambda: later(-30), 5, 7),
    (lambda: "0", 5, 7),
    (lambda: "-5", 5, 7),
    (lambda: "soon", 5, 7),
    (lambda: "1.5e3", 5, 7),
])
def test_retry_after(api, card, hook, status, said, low, high):
    """At least that long, at most an hour, the whole endpoint."""
    endpoint = hook("*", behaviour=[
        lambda exchange: answer(status, {"Retry-After": said()})(exchange),
        answer(200)])
    event = update(api, card)
    row = endpoint.attempted(event)
    attempt = row["attempts"][0]
    assert attempt["status"] == status
    waits = moment(row["next_attempt_at"]) - moment(attempt["at"])
    assert low - 2 <= waits <= high * 1.2 + 2
    if low <= 5:
        return
    # What comes meanwhile waits too.
    other = update(api, card)
    endpoint.quiet(1, 0.7)
    advance(api, low - 15)
    endpoint.quiet(1, 0.3)
    advance(api, int(high * 0.2) + high - low + 20)
    endpoint.receiver.wait(endpoint.path, 3)
    assert set(endpoint.ids()) == {event, other}
    endpoint.finished(event)
    endpoint.finished(other)


def test_retry_after_of_others_is_not_obeyed(api, card, hook):
    endpoint = hook("*", behaviour=[answer(500, {"Retry-After": "3000"}),
                                    answer(200)])
    row = endpoint.attempted(update(api, card))
    assert moment(row["next_attempt_at"]) - \
        moment(row["attempts"][0]["at"]) <= 8


def test_one_that_waits_does_not_hold_another(api, card, hook):
    held = hook("*", behaviour=[answer(503, {"Retry-After": "600"})])
    free = hook("*")
    for count in range(1, 4):
        update(api, card)
        free.wait(count)
    held.quiet(1)


def fail_for(api, card, endpoint, days):
    """An event a day that fails; the last one."""
    for _ in range(days):
        event = update(api, card)
        endpoint.attempted(event)
        advance(api, DAY)
    return event


def test_five_days_of_failing(api, card, hook):
    endpoint = hook("card.updated", behaviour=[answer(500)])
    fail_for(api, card, endpoint, 4)
    shown = endpoint.get()
    assert (shown["active"], shown["status"]) == (True, "failing")
    last = fail_for(api, card, endpoint, 1)
    advance(api, DAY // 2)
    assert until(lambda: endpoint.get()["status"] == "disabled", 20)
    shown = endpoint.get()
    assert (shown["active"], shown["disabled_reason"]) == (False, "failing")
    # What waited is given up when its time comes, and what happens now is not
    # even begun.
    before = len(endpoint.came())
    endpoint.on(answer(200))
    missed = update(api, card)
    advance(api, 2 * DAY)
    assert until(lambda: not endpoint.deliveries(status="pending"), 20)
    assert endpoint.delivery(last)["last_error"] == "endpoint_disabled"
    endpoint.quiet(before)
    revived = endpoint.patch(active=True)
    assert (revived["active"], revived["status"]) == (True, "enabled")
    event = update(api, card)
    endpoint.finished(event)
    assert endpoint.ids()[before:] == [event]
    # One failure does not disable it at once again.
    endpoint.on(answer(500), answer(200))
    event = update(api, card)
    endpoint.attempted(event)
    assert endpoint.get()["status"] == "failing"
    advance(api, 10)
    endpoint.finished(event)
    assert endpoint.get()["status"] == "enabled"
    # And what was given up can be had again.
    assert endpoint.post("replay", {"failed": True})["deliveries"] >= 1
    assert until(lambda: last in endpoint.ids()[before:], 20)
    assert missed not in endpoint.ids()


def test_a_success_begins_the_five_days_anew(api, card, hook):
    endpoint = hook("card.updated", behaviour=[answer(500)])
    fail_for(api, card, endpoint, 4)
    endpoint.on(answer(200))
    endpoint.finished(update(api, card))
    assert endpoint.get()["status"] == "enabled"
    endpoint.on(answer(500))
    fail_for(api, card, endpoint, 3)
    shown = endpoint.get()
    assert (shown["active"], shown["status"]) == (True, "failing")


def test_time_moves_while_one_is_under_way(api, card, hook):
    """A clock that jumps is no reason to send it twice at once."""
    endpoint = hook("card.updated", behaviour=[slow(3)])
    event = update(api, card)
    endpoint.receiver.wait(endpoint.path, 1)
    for _ in range(4):
        advance(api, DAY)
        time.sleep(0.2)
    assert len(endpoint.finished(event)["attempts"]) == 1
    endpoint.quiet(1, 1)


# --- order --------------------------------------------------------------------


def sequences(endpoint):
    found = {}
    for request in endpoint.came():
        body = json.loads(request.body)
        found.setdefault(body["data"]["id"], []).append(body["sequence"])
    return found


def test_order_per_card(api, hook):
    """Ten cards at once, at a receiver that is slow now and then."""
    endpoint = hook("card.updated", behaviour=[
        slow(0.05 * (number * 7 % 3)) for number in range(200)])
    cards = [api.card(1) for _ in range(10)]

    def change(card):
        for number in range(20):
            api.patch(f"/cards/{card['id']}", {"label": str(number)})

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        list(pool.map(change, cards))
    endpoint.wait(200, 40)
    assert len(endpoint.came()) == 200
    for card in cards:
        assert sequences(endpoint)[card["id"]] == list(range(2, 22))


def test_later_ones_go_on_after_a_failure(api, card, hook):
    """sequence tells that one is missing, and that it comes late."""
    endpoint = hook("card.updated", behaviour=[answer(200), answer(500),
                                               answer(200)])
    events = []
    for count in range(1, 5):
        events.append(update(api, card))
        endpoint.attempted(events[-1])
    advance(api, 10)
    endpoint.receiver.wait(endpoint.path, 5)
    # The retry is the last, unless making four took five seconds.
    came = endpoint.ids()
    assert list(dict.fromkeys(came)) == events
    assert sorted(came) == sorted(events + [events[1]])
    assert sequences(endpoint)[card["id"]].count(3) == 2


# --- looking back -------------------------------------------------------------


def test_attempts_are_shown(api, card, hook):
    endpoint = hook("card.updated", behaviour=[
        answer(503), answer(404, body=b"who?"),
        answer(201, body=b"thanks")])
    event = update(api, card)
    endpoint.attempted(event)
    advance(api, 10)
    endpoint.attempted(event, 2)
    advance(api, 400)
    row = endpoint.finished(event)
    assert row["event_id"] == event
    assert [(attempt["number"], attempt["status"], attempt["error"],
             attempt["answer"]) for attempt in row["attempts"]] == [
        (1, 503, "status", None), (2, 404, "status", "who?"),
        (3, 201, None, "thanks")]
    times = [moment(attempt["at"]) for attempt in row["attempts"]]
    assert times == sorted(times) and times[2] - times[1] > 300
    assert all(0 <= attempt["duration_ms"] < 5000
               for attempt in row["attempts"])
    assert endpoint.deliveries(status="delivered") == [row]
    assert endpoint.deliveries(status="pending") == []


def resend(api, endpoint, event):
    reply = api.post(f"/events/{event}/resend", {"webhook_id": endpoint.id})
    assert reply.status == 200, reply
    return reply


def test_resend(api, card, hook):
    """What was delivered, what failed and what was never subscribed."""
    endpoint = hook("card.updated")
    event = update(api, card)
    first, = endpoint.wait(1)
    endpoint.finished(event)
    assert resend(api, endpoint, event)["status"] == "pending"
    second = endpoint.receiver.wait(endpoint.path, 2)[1]
    assert (second.id, second.body) == (first.id, first.body)
    row = endpoint.attempted(event, 2)
    assert [attempt["number"] for attempt in row["attempts"]] == [1, 2]
    created = event_of(api, type="card.created")["id"]
    resend(api, endpoint, created)
    endpoint.wait(2)
    assert endpoint.ids() == [event, event, created]
    # It does not wait for its turn in the schedule.
    endpoint.on(answer(500), answer(200))
    event = update(api, card)
    endpoint.attempted(event)
    endpoint.receiver.wait(endpoint.path, 5, 10)
    endpoint.finished(event)
    resend(api, endpoint, event)
    endpoint.receiver.wait(endpoint.path, 6, 10)
    endpoint.quiet(6)


def test_resend_begins_a_new_round(api, card, hook):
    endpoint = hook("card.updated", behaviour=[answer(500)])
    event = update(api, card)
    for number, delay in enumerate(SCHEDULE, 1):
        endpoint.attempted(event, number)
        advance(api, delay * 6 // 5 + 2)
    endpoint.finished(event, "failed")
    resend(api, endpoint, event)
    row = endpoint.attempted(event, 11)
    assert row["status"] == "pending"
    waits = moment(row["next_attempt_at"]) - \
        moment(row["attempts"][-1]["at"])
    assert 4 <= waits <= 8
    endpoint.on(answer(200))
    advance(api, 10)
    assert len(endpoint.finished(event)["attempts"]) == 12


def test_replay_of_a_time(api, card, hook):
    endpoint = hook("card.updated", "card.frozen")
    before = update(api, card)
    start = advance(api, 100)
    wanted = [update(api, card) for _ in range(3)]
    api.post(f"/cards/{card['id']}/freeze")
    api.post(f"/cards/{card['id']}/unfreeze")
    wanted.append(event_of(api, type="card.frozen")["id"])
    end = advance(api, 100)
    after = update(api, card)
    endpoint.wait(6)
    assert until(lambda: not endpoint.deliveries(status="pending"))
    replayed = endpoint.post("replay", {"from": stamp(start - 50),
                                        "to": stamp(end - 50)})
    assert replayed.status == 200, replayed
    assert replayed.body == {"webhook_id": endpoint.id, "deliveries": 4}
    endpoint.receiver.wait(endpoint.path, 10)
    assert endpoint.ids()[6:] == wanted, (before, after)


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def test_replay_of_what_failed(api, card, hook):
    endpoint = hook("card.updated", behaviour=[answer(200)])
    good = update(api, card)
    endpoint.finished(good)
    endpoint.on(answer(410))
    bad = update(api, card)
    endpoint.finished(bad, "failed")
    endpoint.on(answer(200))
    refused = endpoint.post("replay", {"failed": True})
    assert (refused.status, refused.error) == (400, "webhook_disabled")
    endpoint.patch(active=True)
    assert endpoint.post("replay", {"failed": True})["deliveries"] == 1
    endpoint.finished(bad)
    assert endpoint.ids() == [good, bad, bad]
    assert endpoint.post("replay", {"failed": True})["deliveries"] == 0


def test_what_came_while_it_was_off_can_be_had(api, card, hook):
    endpoint = hook("card.updated")
    endpoint.patch(active=False)
    missed = update(api, card)
    endpoint.quiet(0)
    assert endpoint.deliveries() == []
    endpoint.patch(active=True)
    endpoint.quiet(0)
    reply = endpoint.post("replay", {"from": "2020-01-01"})
    assert reply["deliveries"] == 1
    assert endpoint.wait(1)[0].id == missed


def test_switched_off_by_the_customer(api, card, hook):
    """What waits is given up when its time comes."""
    endpoint = hook("card.updated", behaviour=[answer(500)])
    event = update(api, card)
    endpoint.attempted(event)
    shown = endpoint.patch(active=False)
    assert (shown["status"], shown["disabled_reason"]) == ("disabled",
                                                           "customer")
    advance(api, 10)
    row = endpoint.finished(event, "failed")
    assert row["last_error"] == "endpoint_disabled"
    endpoint.quiet(1)


def test_ping(api, hook):
    """Only to whom it is for, whatever is subscribed."""
    endpoint, other = hook("card.created"), hook("*")
    event = endpoint.ping()
    request, = endpoint.wait(1)
    assert request.id == event["id"]
    assert endpoint.verify(request) == event
    assert event["type"] == "webhook.ping"
    assert request.body == api.get("/events/" + event["id"]).raw
    shown = endpoint.get().body
    data = event["data"]
    assert data["id"] == endpoint.id
    assert "secret" not in data and endpoint.secret not in request.body.decode()
    assert {name: shown[name] for name in ("url", "events", "active")} == \
        {name: data[name] for name in ("url", "events", "active")}
    other.quiet(0)


def test_a_deleted_endpoint_gets_nothing_more(api, card, hook):
    endpoint = hook("*", behaviour=[answer(500)])
    other = hook("*")
    event = update(api, card)
    endpoint.attempted(event)
    assert api.delete(f"/webhooks/{endpoint.id}").status == 200
    before = len(endpoint.came())
    update(api, card)
    advance(api, DAY)
    other.wait(2)
    endpoint.quiet(before, 1)
    reply = api.post(f"/events/{event}/resend", {"webhook_id": endpoint.id})
    assert (reply.status, reply.error) == (404, "webhook_not_found")


def test_an_address_that_moves(api, card, hook, receiver):
    """A retry goes to where the endpoint is now."""
    endpoint = hook("*", behaviour=[answer(500)])
    event = update(api, card)
    endpoint.attempted(event)
    endpoint.patch(url=receiver.url("/moved-here"))
    advance(api, 10)
    assert receiver.wait("/moved-here")[0].id == event


def test_secrets_are_not_in_a_log(env, hook, api, card):
    endpoint = hook("*", secret="a secret that nobody shall see")
    update(api, card)
    endpoint.wait(1)
    for path in (env.var / "log").rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            assert endpoint.secret.encode() not in text, path


# --- the guide ----------------------------------------------------------------


def blocks(env, language):
    text = (env.src / "docs/webhooks.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def test_the_guide_s_python(env, api, card, hook, tmp_path):
    """The published function as printed, and the other one."""
    endpoint = hook("*")
    update(api, card)
    request = endpoint.wait(1)[0]
    printed, standard = blocks(env, "python")[:2]
    assert printed.endswith(inspect.getsource(verify_webhook))
    names = {}
    exec(printed, names)
    assert names["verify_webhook"](
        request.body.decode(), request.header("x-webhook-signature"),
        endpoint.secret)
    names = {}
    exec(standard, names)
    headers = {key.lower(): value for key, value in request.headers}
    assert names["verify"](request.body, headers, endpoint.secret)
    assert not names["verify"](request.body + b" ", headers, endpoint.secret)
    headers["webhook-timestamp"] = str(int(time.time()) - 600)
    assert not names["verify"](request.body, headers, endpoint.secret)


def test_the_guide_s_node(env, api, card, hook):
    """The receiver as printed takes what was sent, and nothing else."""
    endpoint = hook("*")
    update(api, card)
    request = endpoint.wait(1)[0]
    port = free_port()
    program, = [block for block in blocks(env, "js") if "require" in block]
    with subprocess.Popen(
            ["node", "-e", program], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PORT": str(port),
                 "WEBHOOK_SECRET": endpoint.secret,
                 "NODE_PATH": os.environ["CARDSTOCK_NODE_MODULES"]}) as node:
        def post(body):
            try:
                return requests.post(
                    f"http://127.0.0.1:{port}/", data=body, timeout=10,
                    headers=dict(request.headers) | {
                        "Content-Length": str(len(body))}).status_code
            except requests.ConnectionError:
                return None
        try:
            assert wait_for("the receiver", lambda: post(request.body)) == 204
            assert post(request.body.replace(b"card", b"Card")) == 400
        finally:
            node.kill()
        assert node.stdout.readline() == f"{request.id} card.updated\n"


def test_the_guide_s_receiver(env, hook):
    """As printed, on another port."""
    port = free_port()
    program = blocks(env, "python")[2]
    assert "8000" in program
    with subprocess.Popen(
            ["/usr/bin/python3", "-c", program.replace("8000", str(port))],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "CARDSTOCK_SERVER_CERT": env.server_cert,
                 "CARDSTOCK_SERVER_KEY": env.server_key}) as receiver:
        try:
            wait_for("the receiver listens", lambda: not port_free(port))
            endpoint = hook("*", url=f"https://127.0.0.1:{port}/hooks")
            event = endpoint.ping()["id"]
            assert receiver.stdout.readline().startswith(
                f'{event} {{"id":"{event}","type":"webhook.ping",')
            endpoint.finished(event)
        finally:
            receiver.kill()


def port_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_guide_describes_each_type(env, stack):
    text = (env.src / "docs/webhooks.md").read_text()
    for kind in known_types(stack):
        assert f"`{kind}`" in text, kind
