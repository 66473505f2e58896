# SPDX-License-Identifier: Apache-2.0
"""The webhook of the Privacy dialect: how it is named, what is sent, signed
with the API key, when it is sent again, and that it keeps to itself beside
the native webhooks of the same account."""

import base64
import hashlib
import hmac
import json
import re
import secrets
import time

import pytest

from conftest import PrivacyClient, at_once, unique, until
from hooks import advance, event_of, moment, receiver, verify_webhook
from payments import Sandbox, network, shop
from private import wait_for
from privacy import FIELDS
from receiver import answer, redirect, slow
from test_rotate_keys import (add_key, key_file, keys_in_use, reload, rotate)

# Nobody listens there; the stack of ./dev allows loopback.
URL = "https://127.0.0.1:9/hooks"
SHOWN = ["url", "state", "created", "last_success", "last_failure"]
NOT_FOUND = "There is no such resource."
DAY = 86400
# 5 minutes, doubled until the next would pass a day.
SCHEDULE = [300 * 2 ** number for number in range(9)]


def refused(reply, status, message):
    assert (reply.status, reply.message) == (status, message), reply


def canonical(value):
    """Keys sorted at every depth, no white space, UTF-8 as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"),
                      ensure_ascii=False).encode()


def signature(key, body):
    return base64.b64encode(
        hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


def name(privacy, url=URL, **options):
    reply = privacy.put("/webhook", {"url": url}, **options)
    assert reply.status == 200, reply
    return reply


class Hook:
    """The account's webhook, named at a path of the receiver."""

    def __init__(self, privacy, receiver, owner, *behaviour):
        self.privacy, self.receiver, self.owner = privacy, receiver, owner
        self.path = "/" + secrets.token_hex(8)
        if behaviour:
            receiver.on(self.path, *behaviour)
        name(privacy, receiver.url(self.path))
        self.id = owner.value(
            "SELECT h.public_id FROM webhooks h JOIN api_keys k "
            "ON k.id = h.api_key_id WHERE k.key_hash = UNHEX(SHA2(%s, 256)) "
            "AND h.deleted_at IS NULL", privacy.key)
        self.is_kept(privacy)

    def is_kept(self, privacy):
        """The worker keeps the key once it has answered."""
        assert until(lambda: kept(self.owner, privacy), 5, 0.01)

    def deliveries(self):
        return self.owner.rows(
            "SELECT d.* FROM deliveries d JOIN webhooks h "
            "ON h.id = d.webhook_id WHERE h.public_id = %s ORDER BY d.id",
            self.id)

    def attempts(self, number=1):
        """Those of the newest delivery, once there are so many."""
        def made():
            rows = self.owner.rows(
                "SELECT a.*, d.status AS delivery, d.due_at, d.last_error "
                "FROM delivery_attempts a "
                "JOIN deliveries d ON d.id = a.delivery_id "
                "WHERE d.id = %s ORDER BY a.number",
                self.deliveries()[-1]["id"])
            return rows if len(rows) >= number else None
        return wait_for(f"attempt {number}", made, 30)

    def all_delivered(self):
        """An answer is there before it is recorded."""
        wait_for("all are recorded", lambda: all(
            row["status"] == "delivered" for row in self.deliveries()))

    def came(self):
        return self.receiver.at(self.path)

    def wait(self, count=1, key=None, seconds=20):
        """So many came; the newest is a transaction that is rightly signed."""
        found = self.receiver.wait(self.path, count, seconds)
        assert len(found) == count, found
        return verified(found[-1], key or self.privacy.key)

    def quiet(self, count, seconds=0.5):
        return self.receiver.quiet(self.path, count, seconds)


def kept(owner, privacy):
    return owner.value("SELECT key_sealed IS NOT NULL FROM api_keys "
                       "WHERE key_hash = UNHEX(SHA2(%s, 256))", privacy.key)


def verified(request, key):
    """The transaction of a delivery; what holds of each is asserted."""
    assert (request.method, request.version) == ("POST", "HTTP/1.1")
    assert request.header("content-type") == "application/json"
    assert int(request.header("content-length")) == len(request.body)
    assert request.header("user-agent").startswith("Cardstock-Webhook/")
    assert request.header("x-privacy-hmac") == signature(key, request.body)
    for other in ("x-webhook-signature", "webhook-id", "webhook-timestamp",
                  "webhook-signature", "authorization"):
        assert request.header(other) is None
    transaction = json.loads(request.body)
    assert request.body == canonical(transaction)
    assert set(transaction) == set(FIELDS)
    assert "pan" not in transaction["card"]
    assert "cvv" not in transaction["card"]
    return transaction


def read(privacy, token):
    reply = privacy.get(f"/transactions/{token}")
    assert reply.status == 200, reply
    return reply.body


def pay(privacy, card, amount=1500, status=201, **fields):
    reply = privacy.post("/simulate/authorize", {
        "descriptor": "COFFEE CO", "pan": card["pan"], "amount": amount,
        **fields})
    assert reply.status == status, reply
    return reply["token"]


def new_card(privacy, **fields):
    reply = privacy.post("/cards", {"type": "UNLOCKED", **fields})
    assert reply.status == 200, reply
    privacy.stack.card_numbers.add(reply["pan"])
    privacy.stack.card_codes[reply["pan"]] = reply["cvv"]
    return reply.body


def native_id(api, card):
    """The same card, as the native dialect names it."""
    rows = [row["id"] for row in api.get("/cards")["data"]
            if row["last4"] == card["last_four"]]
    assert len(rows) == 1, rows
    return {"id": rows[0]}


@pytest.fixture(autouse=True)
def nothing_broken(env):
    log = env.var / "log/courier.log"
    size = log.stat().st_size
    yield
    with open(log) as file:
        file.seek(size)
        text = file.read()
    assert "BROKEN" not in text and "Sanitizer" not in text, text


@pytest.fixture
def privacy(account):
    """A test key of the dialect; the wallet holds $1000."""
    account.adjust("test", 1000_00)
    return account.privacy()


@pytest.fixture
def card(privacy):
    return new_card(privacy)


@pytest.fixture
def hook(privacy, receiver, owner):
    return lambda *behaviour, by=privacy: Hook(by, receiver, owner, *behaviour)


# --- naming -------------------------------------------------------------------


def test_life(privacy):
    refused(privacy.get("/webhook"), 404, NOT_FOUND)
    refused(privacy.delete("/webhook"), 404, NOT_FOUND)
    named = name(privacy)
    assert list(named.body) == SHOWN
    assert (named["url"], named["state"]) == (URL, "ENABLED")
    assert named["last_success"] is named["last_failure"] is None
    assert abs(moment(named["created"]) - time.time()) < 60
    assert privacy.get("/webhook").body == named.body
    renamed = name(privacy, URL + "/moved")
    assert renamed.body == {**named.body, "url": URL + "/moved"}
    assert privacy.get("/webhook/").body == renamed.body
    gone = privacy.delete("/webhook")
    assert (gone.status, gone.body) == (200, {"deleted": True})
    refused(privacy.get("/webhook"), 404, NOT_FOUND)
    assert name(privacy)["url"] == URL


def test_a_body_without_a_content_type(privacy):
    reply = privacy.put("/webhook", body=json.dumps({"url": URL}),
                        headers={"Content-Type": "text/plain"})
    assert (reply.status, reply["url"]) == (200, URL)


@pytest.mark.parametrize("url, rule", [
    ("http://shop.example/hooks", "must begin with https://"),
    ("ftp://shop.example/", "must begin with https://"),
    ("hooks", "must be a whole URL without a fragment"),
    ("https://", "must be a whole URL without a fragment"),
    ("https://shop.example/#part", "must be a whole URL without a fragment"),
    ("https://shop.example:0/", "must be a whole URL without a fragment"),
    ("https://shop.example/a b", None), (" https://shop.example/", None),
    ("https://me:word@shop.example/",
     "must not hold a user name or password"),
    ("https://@shop.example/", "must not hold a user name or password"),
    ("https://shop.example/é", None), ("", None),
    ("https://shop.example/" + "a" * 2028, "must be at most 2048 characters"),
    (17, None), (None, None), ([URL], None),
    ("https://nobody.invalid/", None),
    ("https://10.0.0.1/", None), ("https://169.254.169.254/", None),
    ("https://[fd00:ec2::254]/", None), ("https://0x0a000001/", None)])
def test_a_url_that_is_not_good(privacy, url, rule):
    reply = privacy.put("/webhook", {"url": url})
    assert reply.status == 400, reply
    assert reply.message.startswith("url is not a valid parameter: "), reply
    assert rule is None or reply.message == \
        "url is not a valid parameter: " + rule, reply
    assert "word@" not in reply.text
    refused(privacy.get("/webhook"), 404, NOT_FOUND)
    name(privacy)
    assert privacy.put("/webhook", {"url": url}).status == 400
    assert privacy.get("/webhook")["url"] == URL


def test_bodies_that_are_not_good(privacy):
    refused(privacy.put("/webhook", {}), 400, "url is required")
    refused(privacy.put("/webhook"), 400, "url is required")
    for field in ("events", "secret", "state", "active"):
        refused(privacy.put("/webhook", {"url": URL, field: "x"}), 400,
                f"{field} is not a valid parameter")
    refused(privacy.get("/webhook?page=1"), 400,
            "page is not a valid parameter")
    for body in ("[]", "{", "https://127.0.0.1:9/"):
        assert privacy.put("/webhook", body=body).status == 400
    refused(privacy.get("/webhook"), 404, NOT_FOUND)


def test_other_methods_and_credentials(privacy, account, anonymous):
    reply = privacy.post("/webhook", {"url": URL})
    assert reply.status == 405, reply
    assert reply.headers["Allow"] == "GET, HEAD, PUT, DELETE, OPTIONS"
    refused(anonymous.get("/webhook"), 401,
            "Please provide API key in Authorization header")
    for method in ("GET", "PUT", "DELETE"):
        reply = account.test.call(method, "/webhook")
        assert (reply.status, reply.error) == (404, "not_found"), reply
        refused(privacy.call(method, "/webhooks"), 404, NOT_FOUND)


def test_rights(account, privacy):
    name(privacy)
    reader, writer = account.privacy(scopes="read"), \
        account.privacy(scopes="write")
    missing = "Insufficient Privileges. Issuing API key required"
    assert reader.get("/webhook")["url"] == URL
    refused(reader.put("/webhook", {"url": URL}), 401, missing)
    refused(reader.delete("/webhook"), 401, missing)
    refused(writer.get("/webhook"), 401, missing)
    assert writer.delete("/webhook").status == 200


def test_idempotency(privacy):
    key = unique()
    first = name(privacy, idempotency=key)
    name(privacy, URL + "/moved")
    again = name(privacy, idempotency=key)
    assert again.replayed and again.body == first.body
    assert privacy.get("/webhook")["url"] == URL + "/moved"
    reply = privacy.put("/webhook", {"url": URL + "/other"}, idempotency=key)
    assert reply.status == 422, reply
    key = unique()
    assert privacy.delete("/webhook", idempotency=key).status == 200
    name(privacy)
    again = privacy.delete("/webhook", idempotency=key)
    assert again.replayed and again.body == {"deleted": True}
    assert privacy.get("/webhook").status == 200


def test_there_is_one(account, privacy, stranger, owner):
    """Of each world of an account, however many name it at once."""
    at_once(8, lambda number: name(privacy, f"{URL}/{number}"))
    assert owner.value(
        "SELECT COUNT(*) FROM webhook_rows h JOIN wallets w "
        "ON w.id = h.wallet_id JOIN accounts a ON a.id = w.account_id "
        "WHERE a.public_id = %s", account.id) == 1
    second = account.privacy()
    url = privacy.get("/webhook")["url"]
    assert second.get("/webhook")["url"] == url
    live = account.privacy("live")
    refused(live.get("/webhook"), 404, NOT_FOUND)
    refused(stranger.privacy().get("/webhook"), 404, NOT_FOUND)
    name(live, URL + "/live")
    assert live.delete("/webhook").status == 200
    assert privacy.get("/webhook")["url"] == url


# --- what is sent -------------------------------------------------------------


def test_each_event_as_its_get_shows_it(account, privacy, hook, owner):
    card = new_card(privacy, memo="Bücher ☕ \"x\\y\" </b>",
                    spend_limit=500_00)
    own = privacy.get("/funding_sources")["data"][0]["token"]
    assert privacy.patch(f"/funding_sources/{own}",
                         {"nickname": "Kasse №1"}).status == 200
    named = hook()
    api, way = account.test, Sandbox(account.test)
    there = native_id(api, card)
    merchant = shop("Café Größe ☕ 東京 \U0001f980", country="DE",
                    city="München")
    merchant["name"] = "Café Größe ☕ 東京 \U0001f980"
    sent = []

    def told(transaction, kind, status):
        """The newest is this one, as its GET shows it now."""
        sent.append(kind)
        token = owner.value("SELECT uuid_of_id(%s)", transaction["id"])
        body = named.wait(len(sent))
        assert named.came()[-1].body == canonical(read(privacy, token))
        assert (body["token"], body["status"]) == (token, status)
        assert event_of(api)["type"] == "transaction." + kind
        return body

    def ok(made):
        assert made.transaction, made
        return {"id": made.transaction}

    purchase = ok(way.authorize(there, 20, merchant))
    body = told(purchase, "authorized", "PENDING")
    assert body["merchant"]["descriptor"] == merchant["name"]
    assert merchant["name"].encode() in named.came()[0].body
    assert "Kasse №1".encode() in named.came()[0].body
    ok(way.message("increment", purchase, 5))
    told(purchase, "authorized", "PENDING")
    ok(way.message("advice", purchase, 22))
    told(purchase, "authorized", "PENDING")
    ok(way.message("reversal", purchase, 2))
    told(purchase, "reversed", "PENDING")
    ok(way.message("clearing", purchase, 4, final=False))
    assert told(purchase, "settled", "SETTLING")["settled_amount"] == 400
    ok(way.message("clearing", purchase, 5))
    body = told(purchase, "settled", "SETTLED")
    assert (body["amount"], body["authorization_amount"]) == (900, 2000)
    refund = ok(way.refund(3, original=purchase))
    assert told(refund, "refunded", "SETTLED")["amount"] == -300
    ok(way.take_back(refund, 1))
    told(refund, "reversed", "SETTLED")
    ok(way.take_back(refund))
    told(refund, "reversed", "VOIDED")
    told(ok(way.force_post(there, 1, merchant)), "settled", "SETTLED")
    declined = ok(way.authorize(there, 600, merchant))
    assert told(declined, "declined", "DECLINED")["result"] == \
        "USER_TRANSACTION_LIMIT"
    hold = ok(way.authorize(there, 10, merchant))
    told(hold, "authorized", "PENDING")
    advance(api, 8 * DAY)
    told(hold, "expired", "EXPIRED")
    # What is no transaction is not told.
    privacy.patch(f"/cards/{card['token']}", {"state": "PAUSED"})
    way.challenge(there, 10, merchant)
    api.deposit(50)
    named.quiet(len(sent))
    assert len(set(sent)) == 6
    named.all_delivered()
    shown = privacy.get("/webhook")
    assert shown["last_success"] is not None
    assert shown["last_failure"] is None


def test_the_dialect_s_own_sandbox(privacy, card, hook):
    named = hook()
    token = pay(privacy, card, status=201)
    assert named.wait(1) == read(privacy, token)
    privacy.post("/simulate/void", {"token": token, "amount": 500})
    assert named.wait(2) == read(privacy, token)
    privacy.post("/simulate/clearing", {"token": token})
    assert named.wait(3) == read(privacy, token)
    token = privacy.post("/simulate/return", {
        "descriptor": "SHOP", "pan": card["pan"], "amount": 400})["token"]
    assert named.wait(4) == read(privacy, token)
    declined = pay(privacy, card, 5000_00, status=422)
    body = named.wait(5)
    assert body == read(privacy, declined)
    assert (body["result"], body["status"]) == ("INSUFFICIENT_FUNDS",
                                                "DECLINED")


def test_a_native_card(account, privacy, hook):
    named = hook()
    card = account.test.card(50)
    made = Sandbox(account.test).authorize(card, 10)
    body = named.wait(1)
    assert body == read(privacy, body["token"])
    assert body["amount"] == 1000 and made.approved


def test_what_a_retry_sends(privacy, card, hook, account):
    """The transaction as it was when it happened, byte for byte."""
    named = hook(answer(500), answer(200))
    token = pay(privacy, card)
    named.attempts(1)
    before = read(privacy, token)
    privacy.delete("/webhook")
    name(privacy, named.receiver.url(named.path))
    named = hook(answer(500), answer(200))
    privacy.post("/simulate/clearing", {"token": token})
    named.attempts(1)
    first = named.came()[0].body
    cleared = read(privacy, token)
    assert first == canonical(cleared) != canonical(before)
    privacy.post("/simulate/return", {
        "descriptor": "SHOP", "pan": card["pan"], "amount": 1})
    named.receiver.wait(named.path, 2)
    advance(account.test, 301)
    found = named.receiver.wait(named.path, 3)
    assert found[2].body == first
    verified(found[2], privacy.key)


# --- the key that signs -------------------------------------------------------


def test_another_key_after_a_revocation(account, admin, privacy, card, hook,
                                        owner):
    first = account.issue(dialect="privacy")
    named = hook(by=PrivacyClient(account.stack, first["api_key"]))
    named.is_kept(privacy)
    pay(privacy, card)
    named.wait(1, first["api_key"])  # the key that named it
    admin.call("admin_key_revoke", first["key_id"])
    assert owner.value("SELECT key_sealed FROM api_keys WHERE public_id = %s",
                       first["key_id"]) is None
    pay(privacy, card)
    named.wait(2, privacy.key)  # the only one that is left
    third = account.privacy()
    third.get("/status")
    named.is_kept(third)
    pay(privacy, card)
    named.wait(3, third.key)  # the newest
    name(privacy, named.receiver.url(named.path))
    pay(privacy, card)
    named.wait(4, privacy.key)  # who names it, signs


def test_a_retry_is_signed_anew(account, admin, privacy, card, hook):
    first = account.issue(dialect="privacy")
    named = hook(answer(500), answer(200),
                 by=PrivacyClient(account.stack, first["api_key"]))
    named.is_kept(privacy)
    pay(privacy, card)
    named.attempts(1)
    admin.call("admin_key_revoke", first["key_id"])
    advance(account.test, 301)
    found = named.receiver.wait(named.path, 2)
    verified(found[0], first["api_key"])
    verified(found[1], privacy.key)
    assert found[0].body == found[1].body


def test_keys_that_expired_sign_nothing(account, admin, privacy, card, hook):
    first = account.issue(dialect="privacy")
    named = hook(by=PrivacyClient(account.stack, first["api_key"]))
    named.is_kept(privacy)
    admin.call("admin_key_expire", first["key_id"], "2020-01-01 00:00:00")
    pay(privacy, card)
    named.wait(1, privacy.key)


def test_no_key_is_kept(account, admin, owner, hook):
    """A native key makes the payments; the one that named it is revoked."""
    account.adjust("test", 100_00)
    first = account.issue(dialect="privacy")
    named = hook(by=PrivacyClient(account.stack, first["api_key"]))
    admin.call("admin_key_revoke", first["key_id"])
    api = account.test
    assert Sandbox(api).authorize(api.card(50), 10).approved
    tried = named.attempts(1)[0]
    assert (tried["error"], tried["status"], tried["delivery"]) == (
        "no_key", None, "pending")
    wait = (tried["due_at"] - tried["started_at"]).total_seconds()
    assert 300 <= wait < 310
    row = admin.row("SELECT * FROM admin_deliveries_failed "
                    "WHERE webhook_id = %s", named.id)
    assert (row["last_error"], row["status"]) == ("no_key", "pending")
    advance(api, 301)
    assert named.attempts(2)[1]["error"] == "no_key"
    named.quiet(0, 0.2)
    fresh = account.privacy()
    assert fresh.get("/webhook")["last_failure"] is not None
    named.is_kept(fresh)
    advance(api, 601)
    named.wait(1, fresh.key)
    named.all_delivered()


def test_a_key_of_another_account_or_world(account, stranger, privacy, card,
                                           hook):
    named = hook()
    for other in (account.privacy("live"), stranger.privacy()):
        other.get("/status")
        named.is_kept(other)
    pay(privacy, card)
    named.wait(1, privacy.key)


def test_the_master_key_moves(env, owner, privacy, card, hook, key_file):
    named = hook(answer(500), answer(200))
    pay(privacy, card)
    named.attempts(1)
    new = add_key(key_file)
    reload(env)

    def under_the_new():
        pay(privacy, card)
        return new in keys_in_use(owner, "event_bodies", "body_sealed")
    assert until(under_the_new, 10)
    done = rotate(env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert privacy.key not in done.stdout + done.stderr
    assert keys_in_use(owner, "api_keys", "key_sealed") == {new}
    token = pay(privacy, card)
    sent = wait_for("what came after", lambda: [
        request for request in named.came()
        if json.loads(request.body)["token"] == token])
    assert verified(sent[0], privacy.key) == read(privacy, token)


# --- what counts --------------------------------------------------------------


@pytest.mark.parametrize("status", [201, 202, 204, 206, 400, 401, 404, 410,
                                    500])
def test_only_200_counts(privacy, card, hook, status, account):
    named = hook(answer(status), answer(200))
    pay(privacy, card)
    tried = named.attempts(1)[0]
    assert (tried["status"], tried["error"], tried["delivery"]) == (
        status, "status", "pending")
    shown = privacy.get("/webhook")
    assert (shown["state"], shown["last_success"]) == ("ENABLED", None)
    assert shown["last_failure"] is not None
    advance(account.test, 301)
    found = named.receiver.wait(named.path, 2)
    assert found[0].body == found[1].body
    assert named.attempts(2)[1]["delivery"] == "delivered"
    shown = privacy.get("/webhook")
    assert shown["last_success"] >= shown["last_failure"]
    named.quiet(2, 0.2)


def test_a_redirect_is_not_followed(privacy, card, hook):
    named = hook(redirect(302, "/elsewhere"))
    pay(privacy, card)
    tried = named.attempts(1)[0]
    assert (tried["status"], tried["error"]) == (302, "redirect")
    assert named.receiver.at("/elsewhere") == []


def test_the_whole_schedule(account, privacy, card, hook):
    named = hook(answer(500))
    began = pay(privacy, card)
    api, offset = account.test, 0
    for number, delay in enumerate(SCHEDULE, 1):
        tried = named.attempts(number)
        assert (len(tried), tried[-1]["delivery"]) == (number, "pending")
        wait = (tried[-1]["due_at"] - tried[-1]["started_at"]).total_seconds()
        assert delay <= wait < delay + 5, (number, wait)
        # Not before its time …
        advance(api, delay - 10)
        named.quiet(number, 0.3)
        # … and then soon.
        advance(api, 10)
        named.receiver.wait(named.path, number + 1)
    assert len(named.attempts(10)) == 10
    wait_for("the end", lambda:
             named.deliveries()[-1]["status"] == "failed")
    advance(api, 2 * DAY)
    found = named.quiet(10)
    assert len({request.body for request in found}) == 1
    assert verified(found[-1], privacy.key)["token"] == began
    # The next transaction is told of.
    named.receiver.on(named.path, answer(200))
    pay(privacy, card)
    named.receiver.wait(named.path, 11)


def test_five_days_of_failures(account, privacy, card, hook):
    named = hook(answer(500))
    for _ in range(3):
        pay(privacy, card)
        named.attempts(1)
        advance(account.test, 2 * DAY)
    pay(privacy, card)
    assert until(lambda: privacy.get("/webhook")["state"] == "DISABLED", 20)
    came = len(named.came())
    pay(privacy, card)
    named.quiet(came, 1)
    named.receiver.on(named.path, answer(200))
    assert name(privacy, named.receiver.url(named.path))["state"] == "ENABLED"
    token = pay(privacy, card)
    assert until(lambda: any(
        json.loads(request.body)["token"] == token
        for request in named.came()), 20)


def test_a_slow_one_holds_nobody_back(privacy, card, hook, stranger):
    hook(slow(3))
    pay(privacy, card)
    stranger.adjust("test", 100_00)
    other = stranger.privacy()
    quick = hook(by=other)
    began = time.monotonic()
    pay(other, new_card(other))
    quick.wait(1)
    assert time.monotonic() - began < 2.5


def test_deleted_and_renamed(account, privacy, card, hook):
    named = hook(answer(500))
    pay(privacy, card)
    named.attempts(1)
    moved = hook(answer(200))  # the same one, elsewhere
    assert moved.id == named.id
    advance(account.test, 301)
    moved.wait(1)
    named.quiet(1, 0.1)
    assert privacy.delete("/webhook").status == 200
    pay(privacy, card)
    advance(account.test, DAY)
    moved.quiet(1)


# --- beside the native ones ---------------------------------------------------


def register(api, receiver, events):
    path = "/" + secrets.token_hex(8)
    made = api.post("/webhooks", {"url": receiver.url(path),
                                  "events": events})
    assert made.status == 201, made
    return path, made


def test_side_by_side(account, privacy, card, hook, receiver):
    named = hook()
    path, made = register(account.test, receiver, ["*"])
    tokens = [pay(privacy, card) for _ in range(3)]
    for token in tokens:
        privacy.post("/simulate/clearing", {"token": token})
    named.receiver.wait(named.path, 6)
    found = receiver.wait(path, 6)
    assert [json.loads(request.body)["type"] for request in found] == \
        ["transaction.authorized"] * 3 + ["transaction.settled"] * 3
    for request in found:
        assert request.header("x-privacy-hmac") is None
        assert verify_webhook(request.body.decode(),
                              request.header("x-webhook-signature"),
                              made["secret"])
    for request in named.came():
        verified(request, privacy.key)
    assert [json.loads(request.body)["token"] for request in named.came()] \
        == tokens * 2
    # One that fails is no business of the other.
    named.receiver.on(named.path, answer(500))
    pay(privacy, card)
    named.attempts(1)
    receiver.wait(path, 7)
    assert account.test.get(f"/webhooks/{made['id']}")["status"] == "enabled"


def test_the_native_paths_do_not_know_it(account, privacy, card, hook,
                                         receiver):
    api = account.test
    named = hook(answer(200))
    _path, made = register(api, receiver, ["transaction.declined"])
    pay(privacy, card)
    named.wait(1)
    named.all_delivered()
    event = event_of(api)["id"]
    assert [row["id"] for row in api.get("/webhooks")["data"]] == [made["id"]]
    assert api.get("/webhooks")["pagination"]["total"] == 1
    path = f"/webhooks/{named.id}"
    shown = privacy.get("/webhook").body
    for reply in (
            api.get(path), api.patch(path, {"active": False}),
            api.patch(path, {"url": URL}), api.delete(path),
            api.post(path + "/ping"), api.post(path + "/rotate"),
            api.get(path + "/deliveries"),
            api.post(path + "/replay", {"from": "2020-01-01"})):
        assert (reply.status, reply.error) == (404, "not_found"), reply
    reply = api.post(f"/events/{event}/resend", {"webhook_id": named.id})
    assert (reply.status, reply.error) == (404, "webhook_not_found"), reply
    assert privacy.get("/webhook").body == shown
    named.quiet(1)
    # Twenty native ones leave room for it, and it takes none of theirs.
    for _ in range(19):
        register(api, receiver, ["card.frozen"])
    assert api.post("/webhooks", {"url": URL, "events": ["*"]}).error == \
        "webhook_limit_reached"
    privacy.delete("/webhook")
    name(privacy)


def test_live_apart_from_test(account, privacy, card, hook, owner):
    """A live payment is told to the live webhook alone, and the reverse."""
    account.adjust("live", 100_00)
    live = account.privacy("live")
    there, here = hook(by=live), hook()
    pay(privacy, card)
    here.wait(1, privacy.key)
    there.quiet(0, 0.3)
    assert there.id != here.id
    assert [row["id"] for row in there.deliveries()] == []


def test_a_live_payment(account, privacy, hook, network):
    account.adjust("live", 100_00)
    live = account.privacy("live")
    there, here = hook(by=live), hook()
    card = new_card(live)
    reply = network.post("/authorizations", {
        "network_ref": "ref-" + secrets.token_hex(8), "pan": card["pan"],
        "exp_month": int(card["exp_month"]),
        "exp_year": int(card["exp_year"]), "amount": 12.5,
        "merchant": shop("größe")})
    assert reply["approved"], reply
    body = there.wait(1, live.key)
    assert body == read(live, body["token"])
    here.quiet(0, 0.3)


# --- the operator -------------------------------------------------------------


def test_the_operator_sees_it(admin, account, privacy, card, hook):
    named = hook(answer(500))
    pay(privacy, card)
    named.attempts(1)
    row = admin.row("SELECT * FROM admin_webhooks WHERE account_id = %s",
                    account.id)
    assert (row["webhook_id"], row["dialect"], row["status"]) == (
        named.id, "privacy", "failing")
    assert row["pending"] == 1 and privacy.key not in str(row)
    admin.call("admin_webhook_disable", named.id, "floods, ticket 1")
    assert privacy.get("/webhook")["state"] == "DISABLED"
    refused(privacy.put("/webhook", {"url": URL}), 400,
            "The webhook is disabled.")
    pay(privacy, card)
    advance(account.test, DAY)
    named.quiet(1)
    assert {row["last_error"] for row in named.deliveries()} == {
        "endpoint_disabled"}
    named.receiver.on(named.path, answer(200))
    admin.call("admin_webhook_enable", named.id, "mended")
    assert privacy.get("/webhook")["state"] == "ENABLED"
    done = admin.call("admin_delivery_retry", named.id)[0]
    assert done == {"webhook_id": named.id, "deliveries": 1}
    found = named.receiver.wait(named.path, 2)
    assert found[0].body == found[1].body
    verified(found[1], privacy.key)


# --- the page -----------------------------------------------------------------


def test_the_page_s_verification(env, privacy, card, hook):
    """As docs/privacy.md prints it, its example and what really comes."""
    page = (env.src / "docs/privacy.md").read_text()
    printed = {}
    exec(re.search(r"```python\n(import base64, hashlib.*?)```", page,
                   re.S)[1], printed)
    verify = printed["verify_privacy"]
    body, example = re.search(
        r'key `privacy-test-api-key` the body\n\n    (\{.*\})\n\n'
        r'has the signature `(.*)`', page).groups()
    assert verify(body.encode(), example, "privacy-test-api-key")
    assert not verify(body.encode(), example, privacy.key)
    named = hook()
    pay(privacy, card, descriptor="CAFÉ GRÖSSE")
    named.wait(1)
    sent = named.came()[0]
    assert verify(sent.body, sent.header("x-privacy-hmac"), privacy.key)
    assert not verify(sent.body + b" ", sent.header("x-privacy-hmac"),
                      privacy.key)
