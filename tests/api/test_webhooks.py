# SPDX-License-Identifier: Apache-2.0
"""Webhooks as their owner sees them: registration and all that it refuses,
secrets, changes, and looking back. What is sent is in test_deliveries.py."""

import base64
import json
import re
import secrets

import pytest
from conftest import at_once, unique
from private import Nginx, Pool, wait_for
from receiver import Receiver, answer

# Nobody listens there; the stack of ./dev allows loopback.
URL = "https://127.0.0.1:9/hooks"
MISSING = "wh_00000000000000000000"
FIELDS = ["id", "url", "events", "active", "created_at", "status",
          "description", "last_success_at", "last_failure_at",
          "disabled_reason"]


def whsec(size):
    return "whsec_" + base64.b64encode(secrets.token_bytes(size)).decode()


def register(client, **fields):
    reply = client.post("/webhooks", {"url": URL, "events": ["*"], **fields})
    assert reply.status == 201, reply
    return reply


def refused(reply, error, param=None, status=400):
    assert (reply.status, reply.error, reply.body.get("param")) == \
        (status, error, param), reply


def webhook_ids(client, **query):
    reply = client.get("/webhooks", **query)
    assert reply.status == 200, reply
    return [row["id"] for row in reply["data"]]


@pytest.fixture
def client(account):
    """A wallet without money makes no events."""
    return account.test


# --- registration -------------------------------------------------------------


def test_registration(client):
    events = ["transaction.declined", "3ds.challenge"]
    made = register(client, events=events, description="shop é")
    assert list(made.body) == FIELDS[:3] + ["secret"] + FIELDS[3:]
    assert re.fullmatch(r"wh_[0-9A-Za-z]{20}", made["id"])
    assert (made["url"], made["events"], made["active"]) == (URL, events, True)
    assert (made["status"], made["description"]) == ("enabled", "shop é")
    assert made["last_success_at"] is made["last_failure_at"] is None
    assert made["disabled_reason"] is None
    shown = client.get(f"/webhooks/{made['id']}")
    assert list(shown.body) == FIELDS
    assert shown.body == {name: made[name] for name in FIELDS}
    assert client.get("/webhooks")["data"] == [shown.body]


def test_a_secret_is_made(client):
    made = [register(client)["secret"] for _ in range(2)]
    for secret in made:
        prefix, text = secret.split("_")
        assert prefix == "whsec"
        assert len(base64.b64decode(text, validate=True)) == 32
    assert made[0] != made[1]


@pytest.mark.parametrize("secret", [
    whsec(24), whsec(25), whsec(26), whsec(64), "s" * 16, "~ !" * 85,
    "WHSEC_" + "a" * 10])
def test_a_secret_of_the_caller_s(client, secret):
    assert register(client, secret=secret)["secret"] == secret
    other = register(client)
    rotated = client.post(f"/webhooks/{other['id']}/rotate",
                          {"secret": secret})
    assert (rotated.status, rotated["secret"]) == (200, secret)


@pytest.mark.parametrize("secret", [
    "", "s" * 15, "s" * 256, whsec(23), whsec(65), "whsec_", "whsec_" +
    "a" * 31, "whsec_" + "a" * 30 + "-_", whsec(32) + "=", whsec(32) + "\n",
    "é" * 20, "a" * 10 + "\t" + "b" * 10,
    "a" * 20 + "\x7f", 17, None, ["s" * 20]])
def test_a_secret_that_is_not_good(client, secret):
    made = register(client)
    reply = client.post("/webhooks", {"url": URL, "events": ["*"],
                                      "secret": secret})
    refused(reply, "invalid_parameter", "secret")
    reply = client.post(f"/webhooks/{made['id']}/rotate", {"secret": secret})
    refused(reply, "invalid_parameter", "secret")
    assert webhook_ids(client) == [made["id"]]


@pytest.mark.parametrize("events", [
    [], ["card.flown"], ["card.created", "card.created"], ["*", "*"],
    ["*", "card.created"], ["card.created", "*"], ["card.*"], [""],
    ["card.created,card.funded"], ["CARD.CREATED"], "*", "card.created",
    [1], [None], None, {}, ["card.created"] * 65])
def test_events_that_are_not_good(client, events):
    refused(client.post("/webhooks", {"url": URL, "events": events}),
            "invalid_parameter", "events")
    made = register(client)
    refused(client.patch(f"/webhooks/{made['id']}", {"events": events}),
            "invalid_parameter", "events")
    assert client.get(f"/webhooks/{made['id']}")["events"] == ["*"]


def test_every_type_can_be_had(client, stack):
    schemas = stack.openapi.document["components"]["schemas"]
    types = schemas["Event"]["properties"]["type"]["enum"]
    assert len(types) == 21
    assert register(client, events=types)["events"] == types
    assert register(client, events=types[::-1])["events"] == types[::-1]


@pytest.mark.parametrize("url", [
    "http://shop.example/hooks", "HTTP://shop.example/", "ftp://shop.example/",
    "//shop.example/", "/hooks", "hooks", "", "https:", "https://",
    "https:///hooks", "https:shop.example", "https://:443/",
    "https://shop.example:0/", "https://shop.example:65536/",
    "https://shop.example:port/", "https://shop.example/#part",
    "https://shop.example/#", "https://user@shop.example/",
    "https://user:word@shop.example/", "https://:@shop.example/",
    "https://@shop.example/", "https://sh%6fp@127.0.0.1/",
    "https://shop.example\\@127.0.0.1/", " https://shop.example/",
    "https://shop.example/ ", "https://shop.example/a b",
    "https://shop.example/\r\nX-More: 1", "https://shop.example/\t",
    "https://shop.example/\x00", "https://shop.example/é",
    "https://éxample/", "https://[::1/", "https://::1/", "https://[fe80::1%25eth0]/",
    "https://shop.example/" + "a" * 2028, "https://" + "a" * 300 + ".example/",
    "file:///etc/passwd", "gopher://127.0.0.1/", "javascript:alert(1)",
    17, None, ["https://shop.example/"], {}])
def test_a_url_that_is_not_good(client, url):
    body = json.dumps({"url": url, "events": ["*"]})
    reply = client.post("/webhooks", body=body)
    if reply.error != "invalid_json":  # NUL
        refused(reply, "invalid_parameter", "url")
    assert webhook_ids(client) == []
    made = register(client)
    reply = client.patch(f"/webhooks/{made['id']}",
                         body=json.dumps({"url": url}))
    assert reply.status == 400, reply
    assert client.get(f"/webhooks/{made['id']}")["url"] == URL


def test_a_url_s_refusal_says_the_rule(client):
    for url, words in (
            ("http://shop.example/", "must begin with https://"),
            ("https://me:word@shop.example/", "user name or password"),
            ("https://shop.example/#part", "fragment"),
            ("https://shop.example/" + "a" * 2028, "at most 2048 characters")):
        reply = client.post("/webhooks", {"url": url, "events": ["*"]})
        assert words in reply["message"], reply
        assert "word@" not in reply.text


def test_a_url_may_be_long(client):
    url = "https://127.0.0.1:9/?" + "a" * (2048 - 21)
    assert len(url) == 2048
    assert register(client, url=url)["url"] == url
    # As it was given, not as it would be read.
    for url in ("https://127.0.0.1:9", "HTTPS://127.0.0.1:9/A/../b?c=%64",
                "https://localhost:9/"):
        assert register(client, url=url)["url"] == url


@pytest.mark.parametrize("url", [
    "https://nobody.invalid/", "https://nobody.invalid:8443/hooks"])
def test_a_url_that_leads_nowhere(client, url):
    made = register(client)
    refused(client.post("/webhooks", {"url": url, "events": ["*"]}),
            "url_unresolved", "url")
    refused(client.patch(f"/webhooks/{made['id']}", {"url": url}),
            "url_unresolved", "url")


@pytest.mark.parametrize("body, error, param", [
    ({}, "missing_parameter", "url"),
    ({"url": URL}, "missing_parameter", "events"),
    ({"events": ["*"]}, "missing_parameter", "url"),
    ({"url": URL, "events": ["*"], "active": False}, "unknown_parameter",
     "active"),
    ({"url": URL, "events": ["*"], "id": MISSING}, "unknown_parameter", "id"),
    ({"url": URL, "events": ["*"], "description": "d" * 256},
     "invalid_parameter", "description"),
    ({"url": URL, "events": ["*"], "description": "a\nb"},
     "invalid_parameter", "description")])
def test_other_refusals(client, body, error, param):
    refused(client.post("/webhooks", body), error, param)
    assert webhook_ids(client) == []


def test_at_most_twenty(account):
    client = account.test
    replies = at_once(25, lambda _: client.post(
        "/webhooks", {"url": URL, "events": ["*"]}))
    made = [reply for reply in replies if reply.status == 201]
    assert len(made) == 20
    for reply in replies:
        if reply.status != 201:
            refused(reply, "webhook_limit_reached")
    # Each world has its own twenty.
    register(account.live)
    assert client.delete(f"/webhooks/{made[0]['id']}").status == 200
    register(client)
    refused(client.post("/webhooks", {"url": URL, "events": ["*"]}),
            "webhook_limit_reached")


# --- where a URL may lead -----------------------------------------------------

# From the IANA special-purpose registries of IPv4 and IPv6, the multicast
# registry, and the clouds' own metadata addresses; in every spelling that a
# resolver or libcurl takes.
INSIDE = [
    "127.0.0.1", "127.255.255.254", "127.1", "127.0.1", "2130706433",
    "0x7f000001", "0x7F.0.0.1", "0x7f.1", "017700000001", "0177.0.0.1",
    "0177.0.0.0x1", "%31%32%37.0.0.1", "0", "0.0.0.0", "0x0", "0.1.2.3",
    "10.0.0.0", "10.255.255.255", "167772161", "0xa000001", "012.0.0.1",
    "172.16.0.1", "172.31.255.255", "0xac.16.0.1", "192.168.0.1",
    "192.168.65535", "3232235521", "100.64.0.1", "100.127.255.255",
    "169.254.0.1", "169.254.169.254", "0xa9fea9fe", "2852039166",
    "0251.0376.0251.0376", "192.0.0.1", "192.0.0.170", "192.0.2.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "4294967295",
    "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::127.0.0.1]",
    "[::7f00:1]", "[::ffff:127.0.0.1]", "[::FFFF:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]", "[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]",
    "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::a00:1]",
    "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[100::1]", "[2001::1]",
    "[2001:0:7f00:1::]", "[2001:db8::1]", "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]", "[2002:c0a8:1::1]", "[fc00::1]", "[fd00:ec2::254]",
    "[fdff:ffff::1]", "[fe80::1]", "[febf::1]", "[fec0::1]", "[ff02::1]",
    "[ff0e::1]", "[5f00::1]"]
OUTSIDE = [
    "1.1.1.1", "9.255.255.255", "11.0.0.0", "93.184.216.34", "0x5db8d822",
    "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
    "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
    "223.255.255.255", "[2606:2800:220:1:248:1893:25c8:1946]",
    "[2a00:1450:4001:80b::200e]", "[::ffff:93.184.216.34]"]
# What the names of the strict stack resolve to.
NAMES = {"outside.test": ["93.184.216.34"],
         "outside-six.test": ["2606:2800:220:1:248:1893:25c8:1946"],
         "loopback.test": ["127.0.0.1"], "private.test": ["10.20.30.40"],
         "metadata.test": ["169.254.169.254"], "six.test": ["::1"],
         "local.test": ["fd12:3456::1"], "mapped.test": ["::ffff:10.0.0.1"],
         "mixed.test": ["93.184.216.34", "192.168.1.1"],
         "mixed-first.test": ["127.0.0.1", "93.184.216.34"]}


class Strict:
    """A service without the developer's exceptions, whose names resolve as
    NAMES says."""

    def __init__(self, env, folder, stack):
        self.stack = stack
        self.pool = Pool(env, folder, workers=2)
        self.pool.configured = re.sub(
            r"(?m)^webhook_allowed_networks\b.*\n", "", self.pool.configured)
        self.pool.configure()
        hosts = folder / "hosts"
        hosts.write_text("".join(
            f"{address} {name}\n" for name, addresses in NAMES.items()
            for address in addresses))
        # A build with sanitizers wants to be loaded first.
        self.pool.start(LD_PRELOAD="libnss_wrapper.so",
                        NSS_WRAPPER_HOSTS=str(hosts),
                        NSS_WRAPPER_DISABLE_DEEPBIND="1",
                        ASAN_OPTIONS="verify_asan_link_order=0:detect_leaks=0")
        self.nginx = Nginx(env, folder / "nginx",
                           upstream=self.pool.socket).start()

    def call(self, client, method, path, body):
        status, _, text = self.nginx.request(
            method, "/v1" + path, {
                "Authorization": f"Bearer {client.key}",
                "Content-Type": "application/json"}, json.dumps(body))
        reply = json.loads(text)
        if status >= 400:
            self.stack.provoked(reply["error"])
        return status, reply

    def register(self, client, url):
        return self.call(client, "POST", "/webhooks",
                         {"url": url, "events": ["*"]})

    def stop(self):
        self.nginx.stop()
        self.pool.stop()


@pytest.fixture(scope="module")
def strict(env, stack, tmp_path_factory):
    strict = Strict(env, tmp_path_factory.mktemp("w"), stack)
    yield strict
    strict.stop()
    assert "level=BROKEN" not in strict.pool.log.read_text()


@pytest.mark.parametrize("host", INSIDE)
def test_an_address_inside(strict, client, host):
    for url in (f"https://{host}/hooks", f"https://{host}:8443"):
        status, reply = strict.register(client, url)
        assert (status, reply["error"], reply["param"]) == \
            (400, "url_not_allowed", "url"), reply
    made = register(client)
    status, reply = strict.call(client, "PATCH", f"/webhooks/{made['id']}",
                                {"url": f"https://{host}/"})
    assert (status, reply["error"]) == (400, "url_not_allowed")
    assert client.get(f"/webhooks/{made['id']}")["url"] == URL


@pytest.mark.parametrize("host", OUTSIDE)
def test_an_address_outside(strict, client, host):
    status, reply = strict.register(client, f"https://{host}/hooks")
    assert status == 201, reply
    assert reply["url"] == f"https://{host}/hooks"


@pytest.mark.parametrize("host, error", [
    ("localhost", "url_not_allowed"), ("LOCALHOST", "url_not_allowed"),
    ("loopback.test", "url_not_allowed"), ("private.test", "url_not_allowed"),
    ("metadata.test", "url_not_allowed"), ("six.test", "url_not_allowed"),
    ("local.test", "url_not_allowed"), ("mapped.test", "url_not_allowed"),
    ("mixed.test", "url_not_allowed"), ("mixed-first.test", "url_not_allowed"),
    ("nobody.test", "url_unresolved"), ("outside.test", None),
    ("outside-six.test", None)])
def test_a_name(strict, client, host, error):
    status, reply = strict.register(client, f"https://{host}/hooks")
    assert (status, reply.get("error")) == (400 if error else 201, error), \
        reply


def test_a_name_with_a_dot_behind(strict, client):
    """Not worth a rule: it must not lead inside."""
    for host in ("127.0.0.1.", "localhost.", "0x7f.1.", "loopback.test."):
        status, reply = strict.register(client, f"https://{host}/")
        assert status == 400, reply


def test_only_what_the_operator_allows(client):
    """The stack of ./dev allows loopback: nothing else is inside of it."""
    for host in ("10.0.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0",
                 "[fe80::1]", "[fd00:ec2::254]"):
        refused(client.post("/webhooks", {"url": f"https://{host}/",
                                          "events": ["*"]}),
                "url_not_allowed", "url")
    for host in ("127.0.0.2", "0x7f.3", "[::1]"):
        register(client, url=f"https://{host}:9/")


# --- secrets ------------------------------------------------------------------


def test_a_secret_is_shown_twice_only(client, owner, env):
    made = register(client, secret=whsec(33))
    path = f"/webhooks/{made['id']}"
    rotated = client.post(path + "/rotate")
    assert rotated["secret"] != made["secret"]
    replies = [client.get(path), client.get("/webhooks"),
               client.patch(path, {"description": "d"}),
               client.post(path + "/ping"), client.get("/events"),
               client.get(path + "/deliveries"),
               client.post(path + "/replay", {"from": "2020-01-01"})]
    refused(client.post("/webhooks", {"url": URL, "events": ["*"],
                                      "secret": "whsec_not-base64"}),
            "invalid_parameter", "secret")
    replies.append(client.delete(path))
    hidden = [made["secret"], rotated["secret"]]
    hidden += [secret[len("whsec_"):] for secret in hidden]
    for reply in replies:
        assert reply.status == 200, reply
        assert "secret" not in reply.body
        for secret in hidden:
            assert secret not in reply.text
    log = "".join(path.read_text(errors="replace")
                  for path in (env.var / "log").rglob("*") if path.is_file())
    for secret in hidden + ["whsec_not-base64"]:
        assert secret not in log


def sealed(owner, webhook_id):
    return owner.row("SELECT secret_sealed, previous_secret_sealed, "
                     "previous_until, deleted_at FROM webhooks "
                     "WHERE public_id = %s", webhook_id)


def test_a_secret_is_kept_encrypted(client, owner):
    made = register(client)
    path = f"/webhooks/{made['id']}"
    first = sealed(owner, made["id"])
    assert len(first["secret_sealed"]) == len(made["secret"]) + 30
    rotated = client.post(path + "/rotate")
    second = sealed(owner, made["id"])
    assert second["previous_secret_sealed"] == first["secret_sealed"]
    assert second["previous_until"] is not None
    for secret in (made["secret"], rotated["secret"]):
        raw = base64.b64decode(secret[len("whsec_"):])
        for row in (first, second):
            for column in ("secret_sealed", "previous_secret_sealed"):
                assert secret.encode() not in (row[column] or b"")
                assert raw not in (row[column] or b"")
    # What is deleted cannot be had again.
    client.delete(path)
    gone = sealed(owner, made["id"])
    assert (gone["secret_sealed"], gone["previous_secret_sealed"]) == \
        (b"", None)


def test_rotation(client):
    made = register(client, events=["card.created"], description="d")
    path = f"/webhooks/{made['id']}"
    rotated = client.post(path + "/rotate", {})
    assert list(rotated.body) == list(made.body)
    assert {**rotated.body, "secret": None} == {**made.body, "secret": None}
    refused(client.post(path + "/rotate", {"url": URL}), "unknown_parameter",
            "url")


# --- changes ------------------------------------------------------------------


def test_changes(client):
    made = register(client, description="first")
    path = f"/webhooks/{made['id']}"
    shown = client.get(path).body
    for change, member in (
            ({"url": "https://127.0.0.1:9/moved"}, {}),
            ({"events": ["card.funded", "card.frozen"]}, {}),
            ({"description": "second"}, {}),
            ({"description": None}, {"description": ""}),
            ({"active": False}, {"status": "disabled",
                                 "disabled_reason": "customer"}),
            ({"active": False, "description": "off"}, {}),
            ({"active": True}, {"status": "enabled",
                                "disabled_reason": None}),
            ({"active": True}, {}), ({}, {})):
        shown = {**shown, **change, **member}
        reply = client.patch(path, change)
        assert (reply.status, reply.body) == (200, shown)
        assert client.get(path).body == shown
    for body, param in (({"secret": whsec(32)}, "secret"), ({"id": "x"}, "id"),
                        ({"status": "enabled"}, "status")):
        refused(client.patch(path, body), "unknown_parameter", param)
    for body, param in (({"active": None}, "active"), ({"active": 1}, "active"),
                        ({"active": "false"}, "active")):
        refused(client.patch(path, body), "invalid_parameter", param)
    assert client.get(path).body == shown


def test_a_disabled_one_takes_nothing(client):
    made = register(client)
    path = f"/webhooks/{made['id']}"
    event = client.post(path + "/ping")["id"]
    client.patch(path, {"active": False})
    refused(client.post(path + "/ping"), "webhook_disabled")
    refused(client.post(path + "/replay", {"from": "2020-01-01"}),
            "webhook_disabled")
    refused(client.post(f"/events/{event}/resend",
                        {"webhook_id": made["id"]}), "webhook_disabled")
    assert client.post(path + "/rotate").status == 200
    client.patch(path, {"active": True})
    assert client.post(path + "/ping").status == 200


def test_a_deleted_one_is_gone(client):
    made, other = register(client), register(client)
    path = f"/webhooks/{made['id']}"
    event = client.post(path + "/ping")["id"]
    reply = client.delete(path)
    assert (reply.status, reply.body) == \
        (200, {"id": made["id"], "deleted": True})
    assert webhook_ids(client) == [other["id"]]
    not_found(client, made["id"], event)
    # Its event is still there.
    assert client.get(f"/events/{event}")["data"]["id"] == made["id"]


def not_found(client, webhook_id, event_id):
    """Neither seen, changed nor sent to."""
    path = f"/webhooks/{webhook_id}"
    for reply in (client.get(path), client.patch(path, {"active": False}),
                  client.delete(path), client.post(path + "/ping"),
                  client.post(path + "/rotate"),
                  client.get(path + "/deliveries"),
                  client.post(path + "/replay", {"failed": True})):
        refused(reply, "not_found", status=404)
    refused(client.post(f"/events/{event_id}/resend",
                        {"webhook_id": webhook_id}), "webhook_not_found",
            "webhook_id", 404)


def test_worlds_and_accounts_are_apart(account, stranger):
    mine = register(account.test)
    path = f"/webhooks/{mine['id']}"
    event = account.test.post(path + "/ping")["id"]
    for other in (account.live, stranger.test, stranger.live):
        own = register(other)
        assert webhook_ids(other) == [own["id"]]
        not_found(other, mine["id"],
                  other.post(f"/webhooks/{own['id']}/ping")["id"])
        refused(other.post(f"/events/{event}/resend",
                           {"webhook_id": own["id"]}), "not_found", status=404)
    assert account.live.post(
        f"/webhooks/{webhook_ids(account.live)[0]}/ping")["livemode"] is True
    shown = account.test.get(path)
    assert (shown["active"], shown["status"]) != (False, "disabled")
    for odd in (MISSING, "wh_", "x", "%20", "wh_" + "é" * 20):
        reply = account.test.get(f"/webhooks/{odd}")
        assert reply.status in (400, 404), reply


def test_scopes(account):
    made = register(account.test)
    path = f"/webhooks/{made['id']}"
    reader = account.client("test", scopes="read")
    assert webhook_ids(reader) == [made["id"]]
    assert reader.get(path).status == 200
    assert reader.get(path + "/deliveries").status == 200
    for reply in (reader.post("/webhooks", {"url": URL, "events": ["*"]}),
                  reader.patch(path, {"active": False}), reader.delete(path),
                  reader.post(path + "/ping"), reader.post(path + "/rotate"),
                  reader.post(path + "/replay", {"failed": True}),
                  reader.post("/events/evt_x/resend", {"webhook_id": "x"})):
        refused(reply, "scope_missing", status=403)


def test_idempotency(client):
    key = unique()
    body = {"url": URL, "events": ["*"]}
    first = client.post("/webhooks", body, idempotency=key)
    again = client.post("/webhooks", body, idempotency=key)
    assert (again.status, again.raw, again.replayed) == (201, first.raw, True)
    assert again["secret"] == first["secret"]
    assert webhook_ids(client) == [first["id"]]
    refused(client.post("/webhooks", {**body, "events": ["card.created"]},
                        idempotency=key), "idempotency_key_reused",
            "X-Idempotency-Key", 422)
    path = f"/webhooks/{first['id']}"
    for method, step, sent in (
            ("POST", "/rotate", None), ("POST", "/ping", None),
            ("POST", "/replay", {"from": "2020-01-01"}),
            ("PATCH", "", {"active": False}), ("DELETE", "", None)):
        key = unique()
        one = client.call(method, path + step, sent, idempotency=key)
        two = client.call(method, path + step, sent, idempotency=key)
        assert (one.status, two.raw, two.replayed) == (200, one.raw, True)


def test_a_refused_url_does_not_use_up_a_key(client):
    key = unique()
    for url, error in (("https://nobody.invalid/", "url_unresolved"),
                       ("https://10.0.0.1/", "url_not_allowed")):
        reply = client.post("/webhooks", {"url": url, "events": ["*"]},
                            idempotency=key)
        refused(reply, error, "url")
    assert client.post("/webhooks", {"url": URL, "events": ["*"]},
                       idempotency=key).status == 201


def test_pages(client):
    made = [register(client)["id"] for _ in range(5)][::-1]
    assert webhook_ids(client) == made
    assert webhook_ids(client, per_page=2, page=2) == made[2:4]
    first = client.get("/webhooks", per_page=3)
    assert first["pagination"]["total"] == 5
    cursor = first["pagination"]["next_cursor"]
    rest = client.get("/webhooks", per_page=3, cursor=cursor)
    assert [row["id"] for row in first["data"] + rest["data"]] == made
    assert rest["pagination"]["next_cursor"] is None
    refused(client.get("/events", cursor=cursor), "invalid_cursor", "cursor")
    refused(client.get("/webhooks", status="enabled"), "unknown_parameter",
            "status")


# --- looking back -------------------------------------------------------------


def test_ping_is_an_event(client):
    made = register(client, events=["card.created"], description="pinged")
    path = f"/webhooks/{made['id']}"
    shown = client.get(path).body
    event = client.post(path + "/ping")
    assert event.status == 200, event
    assert event.raw == client.get(f"/events/{event['id']}").raw
    assert (event["type"], event["livemode"]) == ("webhook.ping", False)
    assert event["data"] == shown
    assert list(event["data"]) == FIELDS
    again = client.post(path + "/ping")
    assert again["sequence"] == event["sequence"] + 1
    listed = client.get("/events", type="webhook.ping")["data"]
    assert [row["id"] for row in listed] == [again["id"], event["id"]]


def test_deliveries(client):
    made, other = register(client), register(client)
    path = f"/webhooks/{made['id']}/deliveries"
    events = [client.post(f"/webhooks/{made['id']}/ping")["id"]
              for _ in range(3)][::-1]
    rows = client.get(path)["data"]
    assert [row["event_id"] for row in rows] == events
    for row in rows:
        assert list(row) == [
            "event_id", "event_type", "webhook_id", "status", "last_error",
            "created_at", "finished_at", "next_attempt_at", "attempt_count",
            "attempts"]
        assert (row["event_type"], row["webhook_id"], row["status"]) == \
            ("webhook.ping", made["id"], "pending")
        assert row["next_attempt_at"] >= row["created_at"]
        assert row["finished_at"] is None
        assert row["attempt_count"] == len(row["attempts"])
    assert client.get(f"/webhooks/{other['id']}/deliveries")["data"] == []
    one, = client.get(path, event_id=events[1])["data"]
    assert one["event_id"] == events[1]
    assert client.get(path, status="delivered")["data"] == []
    assert len(client.get(path, status="pending")["data"]) == 3
    assert client.get(path, event_id="evt_none")["data"] == []
    first = client.get(path, per_page=2)
    cursor = first["pagination"]["next_cursor"]
    rest = client.get(path, per_page=2, cursor=cursor)["data"]
    assert [row["event_id"] for row in rest] == events[2:]
    for wrong in (f"/webhooks/{other['id']}/deliveries", "/webhooks"):
        refused(client.get(wrong, cursor=cursor), "invalid_cursor", "cursor")
    refused(client.get(path, status="lost"), "invalid_parameter", "status")
    refused(client.get(path, event="x"), "unknown_parameter", "event")


def test_what_is_no_text_in_an_answer(client, env):
    """What a receiver says need not be UTF-8."""
    said = {"/latin": (b"caf\xe9", "caf\ufffd"),
            "/cut": ("né".encode()[:-1], "n\ufffd"),
            "/zero": (b"a\0b", "a\ufffdb"),
            "/surrogate": (b"\xed\xa0\x80", "\ufffd" * 3),
            "/fine": ("\n\"\\é€😀".encode(), "\n\"\\é€😀")}
    with Receiver((env.server_cert, env.server_key)) as receiver:
        for path, (body, text) in said.items():
            receiver.on(path, answer(200, body=body))
            made = register(client, url=receiver.url(path))
            event = client.post(f"/webhooks/{made['id']}/ping")["id"]
            receiver.wait(path)
            row = finished(client, made["id"], event)
            assert row["attempts"][0]["answer"] == text


def finished(client, webhook_id, event_id):
    return wait_for("the delivery", lambda: next(
        (row for row in client.get(f"/webhooks/{webhook_id}/deliveries",
                                   event_id=event_id)["data"]
         if row["status"] == "delivered"), None), 20)


def test_resend(client):
    client.deposit(10)
    event = client.get("/events", type="deposit.confirmed")["data"][0]["id"]
    made, other = register(client), register(client, events=["card.created"])
    path = f"/events/{event}/resend"
    sent = client.post(path, {"webhook_id": other["id"]})
    assert sent.status == 200, sent
    assert (sent["event_id"], sent["webhook_id"], sent["status"]) == \
        (event, other["id"], "pending")
    assert (sent["attempt_count"], sent["attempts"]) == (0, [])
    # However often: it is one delivery.
    for _ in range(2):
        client.post(path, {"webhook_id": other["id"]})
    assert len(client.get(f"/webhooks/{other['id']}/deliveries")["data"]) == 1
    refused(client.post(path), "missing_parameter", "webhook_id")
    # A ping is of one endpoint only.
    ping = client.post(f"/webhooks/{made['id']}/ping")["id"]
    refused(client.post(f"/events/{ping}/resend", {"webhook_id": other["id"]}),
            "webhook_not_found", "webhook_id", 404)
    assert client.post(f"/events/{ping}/resend",
                       {"webhook_id": made["id"]}).status == 200
    refused(client.post(path, {"webhook_id": MISSING}), "webhook_not_found",
            "webhook_id", 404)
    refused(client.post("/events/evt_00000000000000000000/resend",
                        {"webhook_id": made["id"]}), "not_found", status=404)


def test_replay_must_say_what(client):
    made = register(client)
    path = f"/webhooks/{made['id']}/replay"
    for body in (None, {}, {"failed": False}):
        refused(client.post(path, body), "missing_parameter", "from")
    refused(client.post(path, {"from": "yesterday"}), "invalid_parameter",
            "from")
    refused(client.post(path, {"to": 5}), "invalid_parameter", "to")
    refused(client.post(path, {"failed": "yes"}), "invalid_parameter",
            "failed")
    refused(client.post(path, {"webhook_id": made["id"]}),
            "unknown_parameter", "webhook_id")
    client.post(f"/webhooks/{made['id']}/ping")
    for body, count in (({"from": "2999-01-01"}, 0), ({"to": "2020-01-01"}, 0),
                        ({"failed": True}, 0)):
        reply = client.post(path, body)
        assert (reply.status, reply.body) == \
            (200, {"webhook_id": made["id"], "deliveries": count})


@pytest.fixture
def many(account, owner, wallet_id):
    """A wallet with 10,001 events, as a customer who was away for long."""
    account.test.deposit(10)
    event = account.test.get("/events", type="deposit.confirmed")["data"][0]
    owner.rows(
        "INSERT INTO events (public_id, wallet_id, card_id, sequence, type, "
        "snapshot, created_at) "
        "SELECT CONCAT('evt_', LPAD(e.id * 100000 + s.seq, 20, 'm')), "
        "e.wallet_id, NULL, e.sequence + s.seq, e.type, e.snapshot, "
        "e.created_at + INTERVAL s.seq SECOND "
        "FROM events AS e JOIN seq_1_to_10000 AS s "
        "WHERE e.public_id = %s", event["id"])
    owner.rows("UPDATE wallets SET event_sequence = %s WHERE id = %s",
               event["sequence"] + 10000, wallet_id)
    return event


def test_a_replay_has_a_bound(client, many):
    made = register(client, events=["deposit.confirmed"])
    path = f"/webhooks/{made['id']}/replay"
    refused(client.post(path, {"from": "2020-01-01"}), "replay_too_large")
    assert client.get(f"/webhooks/{made['id']}/deliveries")["data"] == []
    reply = client.post(path, {"from": "2020-01-01",
                               "to": many["created_at"]})
    assert reply["deliveries"] == 0
    other = register(client, events=["card.created"])
    assert client.post(f"/webhooks/{other['id']}/replay",
                       {"from": "2020-01-01"})["deliveries"] == 0
