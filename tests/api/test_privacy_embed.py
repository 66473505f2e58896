# SPDX-License-Identifier: Apache-2.0
"""The embedded card: a page for whoever has a request signed with a key."""

import base64
import datetime
import hashlib
import hmac
import html.parser
import json
import urllib.parse

import pytest
from conftest import PrivacyClient, until
from private import Nginx, Pool

NOT_AUTHENTICATED = "User has not been authenticated"
NOBODY = "7ef7d65c-9023-4da3-b113-3b8583fd7951"


class Page(html.parser.HTMLParser):
    """Texts by id, and the style sheets."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.css, self.open, self.tags = {}, [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        if tag == "link":
            self.css.append(attributes["href"])
        elif tag != "meta":
            self.open.append(attributes.get("id"))
            if attributes.get("id"):
                self.ids[attributes["id"]] = ""

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        for name in self.open:
            if name:
                self.ids[name] += data.strip()


class Embed:
    def __init__(self, account, owner, **options):
        self.account, self.owner, self.stack = account, owner, account.stack
        self.row = account.issue("test", "privacy", **options)
        self.key = self.row["api_key"]
        self.client = PrivacyClient(self.stack, self.key)

    def card(self):
        reply = self.client.post("/cards", {"type": "UNLOCKED"})
        assert reply.status == 200, reply
        self.stack.card_numbers.add(reply["pan"])
        self.stack.card_codes[reply["pan"]] = reply["cvv"]
        self.kept()
        return reply.body

    def kept(self):
        """What a worker notes of a key comes after its reply."""
        assert until(lambda: self.owner.value(
            "SELECT key_sealed FROM api_keys WHERE public_id = %s",
            self.row["key_id"]) is not None, 5)

    def signed(self, message, key=None, quote=True):
        if not isinstance(message, bytes):
            message = json.dumps(message).encode()
        digest = hmac.new((key or self.key).encode(), message, hashlib.sha256)
        query = {"embed_request": base64.b64encode(message).decode(),
                 "hmac": base64.b64encode(digest.digest()).decode()}
        return urllib.parse.urlencode(query) if quote else \
            "&".join(f"{name}={value}" for name, value in query.items())

    def get(self, message, key=None, **options):
        return self.ask(self.signed(message, key, **options))

    def ask(self, query, headers=None):
        return self.stack.send("GET", f"/v1/embed/card?{query}", headers)


@pytest.fixture
def embed(account, owner):
    return Embed(account, owner)


@pytest.fixture
def shown(embed):
    return embed.card()


def refused(reply, status, message):
    assert reply.status == status, reply
    assert reply.message == message, reply


def check_page(reply, card):
    assert reply.status == 200, reply
    assert reply.headers["Content-Type"].split(";")[0] == "text/html"
    page = Page(reply.text)
    assert page.ids == {
        "card": card["pan"] + card["exp_month"] + "/" + card["exp_year"] +
        card["cvv"],
        "pan": card["pan"], "month": card["exp_month"], "separator": "/",
        "year": card["exp_year"], "cvv": card["cvv"],
        "expiry": card["exp_month"] + "/" + card["exp_year"]}
    assert not page.tags & {"script", "iframe", "object", "form", "style"}
    return page


def test_the_page(embed, shown):
    reply = embed.get({"token": shown["token"]})
    page = check_page(reply, shown)
    assert page.css == []
    assert reply.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'none'; base-uri 'none'; "
        "form-action 'none'")
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Cache-Control"] == "no-store"


def test_signed_with_the_whole_header(embed, shown):
    check_page(embed.get({"token": shown["token"]}, "api-key " + embed.key),
               shown)


def test_sent_as_clients_send_it(embed, shown):
    """A '+' that nobody quoted, the other alphabet, no padding."""
    seen = set()
    for n in range(40):
        message = {"token": shown["token"], "css": "?>~" * (n % 3) + str(n)}
        query = embed.signed(message, quote=False)
        seen |= set(query.split("hmac=")[1]) & {"+", "/", "="}
        check_page(embed.ask(query), shown)
        check_page(embed.ask(query.replace("+", "-").replace("/", "_").replace(
            "==", "").rstrip("=")), shown)
    assert seen == {"+", "/", "="}


def test_the_bytes_are_signed_as_they_are(embed, shown):
    for text in (f'{{"token":"{shown["token"]}"}}',
                 f'  {{ "token" :\n"{shown["token"].upper()}" }} \n'):
        check_page(embed.get(text.encode()), shown)


def test_expiration(embed, shown):
    def at(seconds, form="%Y-%m-%dT%H:%M:%SZ"):
        moment = datetime.datetime.utcnow() + datetime.timedelta(
            seconds=seconds)
        return {"token": shown["token"], "expiration": moment.strftime(form)}

    check_page(embed.get(at(60)), shown)
    check_page(embed.get(at(60, "%Y-%m-%dT%H:%M:%S")), shown)
    check_page(embed.get(at(60, "%Y-%m-%dT%H:%M:%S.%f")), shown)
    check_page(embed.get({"token": shown["token"], "expiration": None}), shown)
    for message in (at(-1), at(-1, "%Y-%m-%dT%H:%M:%S"), at(-100000)):
        refused(embed.get(message), 401, NOT_AUTHENTICATED)
    reply = embed.get({"token": shown["token"], "expiration": "soon"})
    assert reply.status == 400 and reply.message.startswith(
        "expiration is not a valid parameter"), reply


def test_wrong_signatures(embed, shown, account, stranger, owner):
    message = {"token": shown["token"]}
    other = Embed(stranger, owner)
    other.card()
    native = account.issue("test", "native")["api_key"]
    live = account.issue("live", "privacy")["api_key"]
    PrivacyClient(account.stack, live).get("/cards")
    for key in ("x", embed.key[:-1], embed.key + "x", other.key, native, live,
                "api-key  " + embed.key, "Bearer " + embed.key):
        refused(embed.get(message, key), 401, NOT_AUTHENTICATED)
    good = embed.signed(message)
    tampered = good.replace("embed_request=", "embed_request=" +
                            base64.b64encode(b" " * 3).decode())
    refused(embed.ask(tampered), 401, NOT_AUTHENTICATED)
    request = good.split("&")[0]
    for value in ("AAAA", "=", base64.b64encode(b"x" * 32).decode()):
        assert embed.ask(request + "&hmac=" + value).status in (400, 401)
    # A card that there is not reads as one that somebody else's key signed.
    refused(embed.get({"token": NOBODY}), 401, NOT_AUTHENTICATED)
    refused(embed.get({"token": other.card()["token"]}), 401,
            NOT_AUTHENTICATED)


@pytest.mark.parametrize("message", [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"token":"x","token":"x"}',
    b"{}", b'{"token":5}', b'{"token":"x"}', b'{"token":null}'])
def test_malformed_requests(embed, shown, message):
    assert embed.get(message).status == 400


def test_malformed_queries(embed, shown):
    good = embed.signed({"token": shown["token"]})
    request, digest = good.split("&")
    refused(embed.ask(request), 400, "hmac is required")
    refused(embed.ask(digest), 400, "embed_request is required")
    refused(embed.ask(""), 400, "embed_request is required")
    refused(embed.ask(good + "&x=1"), 400, "x is not a valid parameter")
    for query in (request + "&hmac=*", "embed_request=*&" + digest,
                  "embed_request=" + "A" * 5000 + "&" + digest):
        assert embed.ask(query).status == 400, query
    assert embed.get({"token": shown["token"], "pan": "1"}).status == 400
    reply = embed.stack.send("POST", "/v1/embed/card?" + good)
    assert reply.status in (401, 405), reply


def test_its_account(embed, shown):
    check_page(embed.get({"token": shown["token"],
                          "account_token": shown["account_token"]}), shown)
    for account in (NOBODY, "x" * 36):
        reply = embed.get({"token": shown["token"], "account_token": account})
        assert reply.status == 400 and reply.message.startswith(
            "account_token is not a valid parameter"), reply


def test_a_key_without_the_right_to_see_numbers(embed, shown, account, owner):
    weak = Embed(account, owner, scopes="read,write")
    weak.client.get("/cards")
    weak.kept()
    refused(weak.get({"token": shown["token"]}), 401,
            "Insufficient Privileges. Issuing API key required")


def test_a_key_that_was_never_used_cannot_be_known(embed, shown, account,
                                                   owner):
    fresh = Embed(account, owner)
    refused(fresh.get({"token": shown["token"]}), 401, NOT_AUTHENTICATED)
    fresh.client.get("/cards")
    fresh.kept()
    check_page(fresh.get({"token": shown["token"]}), shown)


def test_a_revoked_key(embed, shown, admin):
    admin.call("admin_key_revoke", embed.row["key_id"])
    refused(embed.get({"token": shown["token"]}), 401, NOT_AUTHENTICATED)


def test_a_suspended_account(embed, shown, account):
    account.suspend()
    refused(embed.get({"token": shown["token"]}), 401, NOT_AUTHENTICATED)
    account.reactivate()
    check_page(embed.get({"token": shown["token"]}), shown)


def test_a_row_for_each_page(embed, shown, admin, owner):
    card_id = admin.value("SELECT id_of_uuid(%s, 'card_')", shown["token"])

    def rows():
        return owner.rows("SELECT actor, request_id FROM audit_log WHERE"
                          " subject = %s AND action = 'card_embedded'", card_id)

    assert rows() == []
    reply = embed.get({"token": shown["token"]})
    assert rows() == [{"actor": embed.row["key_id"],
                       "request_id": reply.request_id}]
    embed.get({"token": shown["token"]}, "wrong")
    assert len(rows()) == 1


def test_with_a_credential_too(embed, shown):
    query = embed.signed({"token": shown["token"]})
    check_page(embed.ask(query, {"Authorization": "api-key " + embed.key}),
               shown)


# --- style sheets: nobody's but the operator's --------------------------------

STYLE = "https://cards.example.com"
ELSEWHERE = [
    "https://evil.example.com/x.css", "//cards.example.com/x.css",
    "http://cards.example.com/x.css", "https://cards.example.com.evil/x.css",
    "https://cards.example.com@evil/x.css", "https://cards.example.com:8443/x",
    "https://cards.example.com", "data:text/css,*{}", "javascript:alert(1)",
    "/x.css", "", '"><script>alert(1)</script>', None,
    STYLE + '/"><script>alert(1)</script>', STYLE + "/a b.css",
    STYLE + "/x.css\u00e9", STYLE + "/'x"]


@pytest.mark.parametrize("css", ELSEWHERE + [STYLE + "/card.css"])
def test_without_a_list_no_style_sheet_is_used(embed, shown, css):
    reply = embed.get({"token": shown["token"], "css": css})
    assert check_page(reply, shown).css == []
    assert "style-src 'none'" in reply.headers["Content-Security-Policy"]


@pytest.fixture(scope="module")
def styled(env, tmp_path_factory):
    """A pool whose operator allows two origins, behind an nginx of its own."""
    folder = tmp_path_factory.mktemp("styled")
    pool = Pool(env, folder, workers=1, config=(
        f"embed_css_origins = https://other.example.com:8443 {STYLE}\n"))
    pool.start()
    nginx = Nginx(env, folder / "n", upstream=pool.socket).start()
    yield nginx
    nginx.stop()
    pool.stop()


def styled_page(styled, embed, card, css):
    query = embed.signed({"token": card["token"], "css": css})
    status, headers, body = styled.request("GET", f"/v1/embed/card?{query}")
    assert status == 200, body
    page = Page(body.decode())
    assert page.ids["pan"] == card["pan"]
    assert "script" not in page.tags
    return page.css, headers["Content-Security-Policy"]


@pytest.mark.parametrize("origin, path", [
    (STYLE, "/card.css"), (STYLE, "/a/b.css?x=1&y=2&amp;z"),
    ("https://other.example.com:8443", "/")])
def test_allowed_style_sheets(styled, embed, shown, origin, path):
    css, policy = styled_page(styled, embed, shown, origin + path)
    assert css == [origin + path]
    assert policy == (f"default-src 'none'; style-src {origin}; "
                      "base-uri 'none'; form-action 'none'")


@pytest.mark.parametrize("css", ELSEWHERE)
def test_other_style_sheets(styled, embed, shown, css):
    css, policy = styled_page(styled, embed, shown, css)
    assert css == [] and "style-src 'none'" in policy


def test_no_key_and_no_number_in_the_logs(embed, shown, env):
    embed.get({"token": shown["token"]})
    for path in (env.var / "log").rglob("cardstock*"):
        if path.is_file():
            text = path.read_text(errors="replace")
            assert shown["pan"] not in text and embed.key not in text, path
