# SPDX-License-Identifier: Apache-2.0
"""Cards in the Privacy dialect: the samples of that API, what its clients
send, and the same card seen from either dialect."""

import datetime
import json
import re
import time

import pytest
from conftest import BIN_VISA, PrivacyClient, at_once, luhn, unique
from payments import shop

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
NOBODY = "7ef7d65c-9023-4da3-b113-3b8583fd7951"

# The card schema's sample, in its order, and what it has beside.
FIELDS = ["created", "token", "last_four", "hostname", "memo", "type",
          "spend_limit", "spend_limit_duration", "state", "funding", "pan",
          "cvv", "exp_month", "exp_year"]
FUNDING = ["created", "token", "type", "state", "nickname", "account_name",
           "last_four"]
SAMPLE = {"type": "SINGLE_USE", "memo": "New Card", "spend_limit": 1000,
          "spend_limit_duration": "TRANSACTION", "state": "OPEN"}


class Cards:
    """One account's cards in either dialect."""

    def __init__(self, account):
        self.account, self.stack = account, account.stack
        self.native = account.test
        self.key = account.issue("test", "privacy")
        self.client = self.reader(self.key["api_key"])

    def reader(self, key, scheme="api-key "):
        return PrivacyClient(self.stack, key, scheme)

    def seen(self, reply):
        """Numbers that went over the wire: no log may have them."""
        for card in reply.body.get("data", [reply.body]):
            if "pan" in card:
                self.stack.card_numbers.add(card["pan"])
                self.stack.card_codes[card["pan"]] = card["cvv"]
        return reply

    def new(self, kind="UNLOCKED", path="/cards", **fields):
        reply = self.seen(self.client.post(path, {"type": kind, **fields}))
        assert reply.status == 200, reply
        return reply.body

    def get(self, token):
        return self.seen(self.client.get(f"/cards/{token}")).body

    def change(self, token, **fields):
        return self.seen(self.client.patch(f"/cards/{token}", fields))

    def list(self, path="/cards", client=None, **query):
        reply = self.seen((client or self.client).get(path, **query))
        assert reply.status == 200, reply
        return reply.body

    def id(self, token, admin):
        return admin.value("SELECT id_of_uuid(%s, 'card_')", token)

    def charge(self, card_id, dollars, merchant=None):
        return self.native.post("/simulate/authorization", {
            "card_id": card_id, "amount": dollars,
            "merchant": merchant or shop()})


@pytest.fixture
def cards(account):
    account.adjust("test", 100000)
    return Cards(account)


def refused(reply, status, message):
    assert reply.status == status, reply
    assert reply.message == message, reply


# --- create -----------------------------------------------------------------


@pytest.mark.parametrize("path", ["/cards", "/card", "/cards/", "/card/"])
def test_create_as_the_sample_shows(cards, account, path):
    before = cards.native.wallet()
    reply = cards.seen(cards.client.post(path, SAMPLE))
    assert reply.status == 200
    card = reply.body
    assert list(card) == FIELDS + ["account_token"]
    assert re.fullmatch(TIME, card["created"])
    assert re.fullmatch(UUID, card["token"])
    assert {name: card[name] for name in SAMPLE} == SAMPLE
    assert card["hostname"] == ""
    assert re.fullmatch(r"\d{16}", card["pan"]) and luhn(card["pan"])
    assert card["pan"].endswith(card["last_four"])
    assert re.fullmatch(r"\d{3}", card["cvv"])
    assert re.fullmatch(r"0[1-9]|1[0-2]", card["exp_month"])
    assert re.fullmatch(r"20\d\d", card["exp_year"])
    assert re.fullmatch(UUID, card["account_token"])
    funding = card["funding"]
    assert list(funding) == FUNDING
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", funding["created"])
    assert re.fullmatch(UUID, funding["token"])
    assert re.fullmatch(r"\d{4}", funding["last_four"])
    assert (funding["type"], funding["state"], funding["nickname"]) == (
        "DEPOSITORY_CHECKING", "ENABLED", "")
    assert funding["account_name"].startswith("test ")
    # No money has moved, and the card can be used at once.
    after = cards.native.wallet()
    assert after["balance"] == before["balance"]
    assert after["cards_active"] == before["cards_active"] + 1


def test_defaults(cards):
    card = cards.new("DIGITAL_WALLET")
    assert (card["memo"], card["spend_limit"], card["spend_limit_duration"],
            card["state"]) == ("", 0, "TRANSACTION", "OPEN")
    now = datetime.datetime.utcnow()
    assert int(card["exp_year"]) == now.year + 3
    assert int(card["exp_month"]) == now.month


@pytest.mark.parametrize("kind", ["SINGLE_USE", "MERCHANT_LOCKED",
                                  "DIGITAL_WALLET", "UNLOCKED"])
def test_types(cards, admin, kind):
    card = cards.new(kind)
    assert card["type"] == cards.get(card["token"])["type"] == kind
    native = cards.native.get(f"/cards/{cards.id(card['token'], admin)}")
    assert (native["type"], native["funding"]) == (kind.lower(), "wallet")


@pytest.mark.parametrize("duration, window", [
    ("TRANSACTION", "transaction"), ("MONTHLY", "monthly"),
    ("ANNUALLY", "yearly"), ("FOREVER", "forever")])
def test_durations(cards, admin, duration, window):
    card = cards.new(spend_limit=5000, spend_limit_duration=duration)
    assert card["spend_limit_duration"] == duration
    native = cards.native.get(f"/cards/{cards.id(card['token'], admin)}")
    assert (native["limit_window"], native["spending_limit"]) == (window, 50)


def test_the_operators_windows_are_shown(cards, admin):
    card = cards.new(spend_limit=5000)
    card_id = cards.id(card["token"], admin)
    for window in ("daily", "weekly"):
        admin.call("admin_card_limits_set", card_id, None, window, None, None,
                   "a test")
        assert cards.get(card["token"])["spend_limit_duration"] == \
            window.upper()


def test_chosen_expiry(cards, admin):
    year = datetime.datetime.utcnow().year + 1
    card = cards.new(exp_month="02", exp_year=str(year))
    assert (card["exp_month"], card["exp_year"]) == ("02", str(year))
    native = cards.native.get(f"/cards/{cards.id(card['token'], admin)}")
    last = (datetime.date(year, 3, 1) - datetime.timedelta(days=1)).day
    assert native["expires_at"] == f"{year}-02-{last}T23:59:59Z"
    card = cards.new(exp_month="12", exp_year=str(year))
    native = cards.native.get(f"/cards/{cards.id(card['token'], admin)}")
    assert native["expires_at"] == f"{year}-12-31T23:59:59Z"
    details = cards.native.details(native["id"])
    assert (details["exp_month"], details["exp_year"], details["pan"],
            details["cvv"]) == (12, year, card["pan"], card["cvv"])


def test_expires_this_month(cards):
    now = datetime.datetime.utcnow()
    card = cards.new(exp_month=f"{now.month:02}", exp_year=str(now.year))
    assert card["state"] == "OPEN"


def test_paused_from_the_start(cards, admin):
    card = cards.new(state="PAUSED")
    assert card["state"] == "PAUSED"
    card_id = cards.id(card["token"], admin)
    assert cards.native.get(f"/cards/{card_id}")["frozen_reason"] == "customer"
    assert cards.charge(card_id, 5)["decline_reason"] == "card_frozen"


PAST = datetime.datetime.utcnow().replace(day=1) - datetime.timedelta(days=1)
NOT_VALID = "%s is not a valid parameter"


@pytest.mark.parametrize("fields, message", [
    ({"type": None}, NOT_VALID % "type" + ": "),
    ({"type": "PHYSICAL"}, NOT_VALID % "type" + ": "),
    ({"type": "single_use"}, NOT_VALID % "type" + ": "),
    ({"memo": "x" * 256}, NOT_VALID % "memo" + ": "),
    ({"memo": 5}, NOT_VALID % "memo" + ": "),
    ({"spend_limit": 150}, NOT_VALID % "spend_limit" + ": must be whole"),
    ({"spend_limit": -100}, NOT_VALID % "spend_limit" + ": "),
    ({"spend_limit": "1000"}, NOT_VALID % "spend_limit" + ": "),
    ({"spend_limit": 10.5}, NOT_VALID % "spend_limit" + ": "),
    ({"spend_limit_duration": "WEEKLY"},
     NOT_VALID % "spend_limit_duration" + ": "),
    ({"state": "CLOSED"}, NOT_VALID % "state" + ": "),
    ({"exp_month": "06"}, "exp_year is required"),
    ({"exp_year": "2030"}, "exp_month is required"),
    ({"exp_month": "6", "exp_year": "2030"}, NOT_VALID % "exp_month" + ": "),
    ({"exp_month": "13", "exp_year": "2030"}, NOT_VALID % "exp_month" + ": "),
    ({"exp_month": "06", "exp_year": "30"}, NOT_VALID % "exp_year" + ": "),
    ({"exp_month": f"{PAST.month:02}", "exp_year": str(PAST.year)},
     NOT_VALID % "exp_year" + ": must not be past"),
    ({"exp_month": "12", "exp_year": str(PAST.year + 25)},
     NOT_VALID % "exp_year" + ": "),
    ({"funding_token": NOBODY}, NOT_VALID % "funding_token" + ": "),
    ({"funding_token": "wallet"}, NOT_VALID % "funding_token" + ": "),
    ({"account_token": NOBODY}, NOT_VALID % "account_token" + ": "),
    ({"colour": "red"}, NOT_VALID % "colour"),
    ({"amount": 100}, NOT_VALID % "amount"),
    ({"bin_id": BIN_VISA}, NOT_VALID % "bin_id"),
])
def test_create_refused(cards, fields, message):
    reply = cards.client.post("/cards", {"type": "SINGLE_USE", **fields})
    assert reply.status == 400, reply
    if message.endswith("parameter") or message.endswith("required"):
        assert reply.message == message
    else:
        assert reply.message.startswith(message), reply
    assert cards.list()["total_entries"] == 0


def test_type_is_required(cards):
    refused(cards.client.post("/cards", {}), 400, "type is required")
    refused(cards.client.post("/cards"), 400, "type is required")
    refused(cards.client.post("/card", body=""), 400, "type is required")


def test_own_tokens_and_what_is_ignored(cards):
    first = cards.new()
    card = cards.new(
        funding_token=first["funding"]["token"].upper(),
        account_token=first["account_token"],
        card_program_token=NOBODY, product_id="1", pin="x" * 300,
        digital_card_art_token=NOBODY, shipping_method="STANDARD",
        carrier={"qr_code_url": "https://example.com/1"},
        shipping_address={
            "first_name": "Ada", "last_name": "L", "address1": "1 Way",
            "address2": "", "city": "X", "state": "NY", "country": "USA",
            "postal_code": "10001", "email": "a@example.com",
            "phone_number": "+15555555555"})
    assert card["funding"] == first["funding"]
    assert card["account_token"] == first["account_token"]


def test_a_long_memo(cards, admin):
    memo = "Ünïcode " * 31 + "1234567"
    assert len(memo) == 255
    card = cards.new(memo=memo)
    assert card["memo"] == memo
    card_id = cards.id(card["token"], admin)
    assert cards.native.get(f"/cards/{card_id}")["label"] == memo
    # What looks like an answer's own members stays the client's text.
    tricky = '","exp_month":"99","token":"' + NOBODY
    card = cards.new(memo=tricky)
    assert (card["memo"], list(card)[:2]) == (tricky, ["created", "token"])
    assert card["pan"].endswith(card["last_four"])
    assert cards.change(card["token"], memo=None)["memo"] == ""


def test_bodies_without_a_content_type(cards):
    for headers in ({"Content-Type": None}, {"Content-Type": "text/plain"},
                    {"Content-Type":
                     "application/x-www-form-urlencoded"}):
        reply = cards.seen(cards.client.post("/cards", SAMPLE,
                                             headers=headers))
        assert reply.status == 200, headers


def test_no_bin_issues(cards, admin):
    issuing = [row["id"] for row in
               admin.rows("SELECT id FROM bin_rows WHERE issuing")]
    try:
        for bin_id in issuing:
            admin.call("admin_bin_stop", bin_id)
        refused(cards.client.post("/cards", SAMPLE), 400,
                "No new cards are issued at present")
    finally:
        for bin_id in issuing:
            admin.call("admin_bin_start", bin_id)
    assert cards.new()["pan"].startswith(min(issuing))


# --- change -----------------------------------------------------------------


def test_change_as_the_sample_shows(cards):
    card = cards.new("SINGLE_USE", memo="Card", spend_limit=1000)
    reply = cards.change(card["token"], memo="New Card", spend_limit=2000,
                         spend_limit_duration="FOREVER")
    assert reply.status == 200
    assert reply.body == {**card, "memo": "New Card", "spend_limit": 2000,
                          "spend_limit_duration": "FOREVER"}
    assert list(reply.body) == FIELDS + ["account_token"]
    assert cards.get(card["token"]) == reply.body


def test_change_by_the_older_path(cards):
    card = cards.new(memo="one")
    for state in ("PAUSED", "OPEN", "CLOSED"):
        reply = cards.seen(cards.client.put("/card", {
            "card_token": card["token"], "state": state, "memo": "one"}))
        assert (reply.status, reply["state"]) == (200, state)
    refused(cards.client.put("/card", {"state": "OPEN"}), 400,
            "card_token is required")
    assert cards.client.put(
        "/card", {"card_token": NOBODY, "state": "OPEN"}).status == 404
    assert cards.client.put(
        "/card", {"card_token": "x" * 36, "state": "OPEN"}).status == 400


def test_states(cards):
    token = cards.new()["token"]
    for state in ("OPEN", "PAUSED", "PAUSED", "OPEN", "PAUSED", "CLOSED",
                  "CLOSED"):
        assert cards.change(token, state=state)["state"] == state
    for fields in ({"state": "OPEN"}, {"state": "PAUSED"}, {"memo": "x"},
                   {"state": "CLOSED", "memo": "x"}):
        refused(cards.change(token, **fields), 400,
                "The card is CLOSED, which is final")
    assert cards.get(token)["state"] == "CLOSED"


def test_all_of_a_change_or_nothing(cards, admin):
    card = cards.new(memo="before", spend_limit=1000)
    admin.call("admin_card_freeze", cards.id(card["token"], admin), "stolen")
    reply = cards.change(card["token"], state="OPEN", memo="after",
                         spend_limit=0, spend_limit_duration="MONTHLY")
    refused(reply, 400, "The card was paused by the issuer, who alone can "
                        "open it")
    assert cards.get(card["token"]) == {**card, "state": "PAUSED"}
    assert cards.change(card["token"], state="PAUSED", memo="after")[
        "memo"] == "after"


def test_an_empty_change(cards):
    card = cards.new(memo="same")
    assert cards.change(card["token"]).body == card
    reply = cards.seen(cards.client.patch(f"/cards/{card['token']}"))
    assert reply.body == card


@pytest.mark.parametrize("fields, message", [
    ({"state": "PENDING_ACTIVATION"}, NOT_VALID % "state" + ": "),
    ({"spend_limit": 1}, NOT_VALID % "spend_limit" + ": "),
    ({"funding_token": NOBODY}, NOT_VALID % "funding_token" + ": "),
    ({"type": "UNLOCKED"}, NOT_VALID % "type"),
    ({"exp_year": "2030"}, NOT_VALID % "exp_year"),
    ({"card_token": NOBODY}, NOT_VALID % "card_token"),
])
def test_change_refused(cards, fields, message):
    card = cards.new()
    reply = cards.change(card["token"], **fields)
    assert reply.status == 400 and reply.message.startswith(message), reply
    assert cards.get(card["token"]) == card


def test_a_debt_cannot_be_opened(cards, admin):
    card = cards.new()
    card_id = cards.id(card["token"], admin)
    reply = cards.native.post("/simulate/force_post", {
        "card_id": card_id, "amount": 2500, "merchant": shop()})
    assert reply.status == 201, reply
    assert cards.get(card["token"])["state"] == "PAUSED"
    reply = cards.change(card["token"], state="OPEN")
    assert reply.status == 400 and "in debt" in reply.message, reply
    cards.native.deposit(3000)
    assert cards.get(card["token"])["state"] == "OPEN"


# --- get, reissue, provision ------------------------------------------------


def test_unknown_cards(cards, stranger):
    card = cards.new()
    other = Cards(stranger)
    for token in (NOBODY, "card_00000000000000000000", "x", card["token"][:-1]):
        for client in (cards.client, other.client):
            assert client.get(f"/cards/{token}").status == 404
            assert client.patch(f"/cards/{token}", {"memo": "x"}).status == 404
    token = card["token"]
    for reply in (other.client.get(f"/cards/{token}"),
                  other.client.patch(f"/cards/{token}", {"state": "CLOSED"}),
                  other.client.post(f"/cards/{token}/reissue"),
                  other.client.post(f"/cards/{token}/provision",
                                    {"digital_wallet": "APPLE_PAY"})):
        assert reply.status == 404, reply
    assert cards.get(token.upper()) == card


def test_the_other_world_does_not_see_it(cards, account):
    card = cards.new()
    live = account.privacy("live")
    assert live.get(f"/cards/{card['token']}").status == 404
    assert live.get("/cards").body["total_entries"] == 0


def test_reissue(cards):
    card = cards.new(memo="again")
    reply = cards.seen(cards.client.post(f"/cards/{card['token']}/reissue"))
    assert (reply.status, reply.body) == (200, card)
    reply = cards.seen(cards.client.post(
        f"/cards/{card['token']}/reissue",
        {"product_id": "100", "shipping_method": "EXPRESS",
         "shipping_address": {"address1": "1 Way", "country": "USA"}}))
    assert (reply.status, reply.body) == (200, card)
    cards.change(card["token"], state="CLOSED")
    refused(cards.client.post(f"/cards/{card['token']}/reissue"), 400,
            "The card is CLOSED, which is final")
    refused(cards.client.post(f"/cards/{card['token']}/reissue",
                              {"colour": "red"}), 400, NOT_VALID % "colour")


def test_provision(cards):
    path = f"/cards/{cards.new('DIGITAL_WALLET')['token']}/provision"
    for wallet in ("APPLE_PAY", "GOOGLE_PAY", "SAMSUNG_PAY"):
        reply = cards.client.post(path, {
            "digital_wallet": wallet, "certificate": "abc", "nonce": "abc",
            "nonce_signature": "abc"})
        assert reply.status == 422, reply
        assert "No digital wallet provider is configured" in reply.message
    refused(cards.client.post(path), 400, "digital_wallet is required")
    reply = cards.client.post(path, {"digital_wallet": "PAYPAL"})
    assert reply.status == 400 and reply.message.startswith(
        NOT_VALID % "digital_wallet")


# --- lists ------------------------------------------------------------------


def tokens(page):
    return [card["token"] for card in page["data"]]


@pytest.mark.parametrize("path", ["/cards", "/card"])
def test_pages(cards, path):
    made = [cards.new(memo=str(n))["token"] for n in range(5)][::-1]
    whole = cards.list(path)
    assert list(whole) == ["data", "page", "total_entries", "total_pages",
                           "has_more"]
    assert tokens(whole) == made
    assert (whole["page"], whole["total_entries"], whole["total_pages"],
            whole["has_more"]) == (1, 5, 1, False)
    for number, wanted, more in ((1, made[:2], True), (2, made[2:4], True),
                                 (3, made[4:], False), (4, [], False)):
        page = cards.list(path, page=number, page_size=2)
        assert (tokens(page), page["page"], page["total_entries"],
                page["total_pages"], page["has_more"]) == (
            wanted, number, 5, 3, more)


def test_from_a_token_on(cards):
    made = [cards.new(memo=str(n))["token"] for n in range(5)][::-1]
    page = cards.list(page_size=2, starting_after=made[1])
    assert (tokens(page), page["has_more"]) == (made[2:4], True)
    page = cards.list(page_size=2, starting_after=made[3])
    assert (tokens(page), page["has_more"]) == (made[4:], False)
    assert tokens(cards.list(starting_after=made[4])) == []
    page = cards.list(page_size=2, ending_before=made[4])
    assert (tokens(page), page["has_more"]) == (made[2:4], True)
    page = cards.list(page_size=2, ending_before=made[1])
    assert (tokens(page), page["has_more"]) == (made[:1], False)
    for query in ({"starting_after": made[1], "page": 1},
                  {"starting_after": made[1], "ending_before": made[2]},
                  {"starting_after": NOBODY}, {"starting_after": "x"},
                  {"ending_before": NOBODY}):
        assert cards.client.get("/cards", **query).status == 400, query


def test_dates(cards):
    first = cards.new()["token"]
    now = cards.native.post("/simulate/clock", {"advance_seconds": 0})["now"]
    day = datetime.date.fromisoformat(now[:10])
    cards.native.post("/simulate/clock", {"advance_seconds": 2 * 86400})
    second = cards.new()["token"]

    def found(begin=None, end=None):
        query = {}
        if begin is not None:
            query["begin"] = str(day + datetime.timedelta(days=begin))
        if end is not None:
            query["end"] = str(day + datetime.timedelta(days=end))
        page = cards.list(**query)
        assert page["total_entries"] == len(page["data"])
        return tokens(page)

    both = [second, first]
    assert found() == found(0) == found(-1, 3) == both
    # begin is the first day, end the day after the last.
    assert found(1) == found(2) == [second]
    assert found(3) == found(None, 0) == found(5, 3) == []
    assert found(0, 1) == found(None, 2) == [first]
    assert found(0, 3) == both
    page = cards.list(begin=str(day), page_size=1)
    assert (tokens(page), page["total_entries"], page["total_pages"],
            page["has_more"]) == ([second], 2, 2, True)
    page = cards.list(begin=str(day), page_size=1, starting_after=second)
    assert (tokens(page), page["has_more"]) == ([first], False)


def test_one_card_by_the_older_list(cards, stranger):
    card = cards.new()
    cards.new()
    page = cards.list("/card", card_token=card["token"])
    assert (page["data"], page["total_entries"], page["total_pages"],
            page["has_more"]) == ([card], 1, 1, False)
    for nobody in (NOBODY, Cards(stranger).new()["token"]):
        page = cards.list("/card", card_token=nobody)
        assert (page["data"], page["total_entries"]) == ([], 0)
    refused(cards.client.get("/cards", card_token=card["token"]), 400,
            NOT_VALID % "card_token")


@pytest.mark.parametrize("query, name", [
    ({"page": 0}, "page"), ({"page": "x"}, "page"),
    ({"page_size": 0}, "page_size"), ({"page_size": 1001}, "page_size"),
    ({"begin": "yesterday"}, "begin"), ({"end": "2026-02-30"}, "end"),
    ({"account_token": NOBODY}, "account_token"),
    ({"state": "OPEN"}, "state"), ({"per_page": 5}, "per_page")])
def test_queries_refused(cards, query, name):
    reply = cards.client.get("/cards", **query)
    assert reply.status == 400, reply
    assert reply.message.startswith(NOT_VALID % name), reply


def test_own_account_and_the_largest_page(cards):
    card = cards.new()
    page = cards.list(account_token=card["account_token"], page_size=1000)
    assert page["data"] == [card]


def test_a_long_page_shows_each_its_own_number(cards):
    made = {}
    for _ in range(100):
        card = cards.new()
        made[card["token"]] = (card["pan"], card["cvv"])
    began = time.monotonic()
    page = cards.list(page_size=1000)
    assert time.monotonic() - began < 2
    assert {card["token"]: (card["pan"], card["cvv"])
            for card in page["data"]} == made
    assert len(set(made.values())) == 100


# --- who may see numbers, and who is told that they were seen ----------------


def trail(owner, subject):
    return owner.rows("SELECT actor, action, detail, address, request_id FROM"
                      " audit_log WHERE subject = %s AND action LIKE 'card%%'"
                      " ORDER BY id", subject)


def test_every_number_shown_leaves_a_row(cards, owner, admin, account):
    created = cards.seen(cards.client.post("/cards", SAMPLE))
    token = created["token"]
    card_id = cards.id(token, admin)
    changed = cards.change(token, memo="x")
    read = cards.seen(cards.client.get(f"/cards/{token}"))
    reissued = cards.seen(cards.client.post(f"/cards/{token}/reissue"))
    put = cards.seen(cards.client.put("/card", {"card_token": token}))
    rows = trail(owner, card_id)
    assert [row["request_id"] for row in rows] == [
        reply.request_id for reply in (created, changed, read, reissued, put)]
    for row in rows:
        assert row["actor"] == cards.key["key_id"]
        assert row["action"] == "card_details_read"
        assert row["address"] in ("127.0.0.1", "::1")
    last = cards.new()
    page = cards.seen(cards.client.get("/cards"))
    (row,) = trail(owner, account.id)
    assert (row["action"], row["actor"], row["request_id"]) == (
        "card_list_read", cards.key["key_id"], page.request_id)
    assert json.loads(row["detail"]) == {
        "cards": 2, "first": cards.id(last["token"], admin), "last": card_id}
    assert cards.client.get("/cards", begin="2100-01-01").status == 200
    assert len(trail(owner, account.id)) == 1
    # What is refused shows nothing, and leaves nothing.
    before = len(trail(owner, card_id))
    cards.change(token, spend_limit=150)
    cards.client.post(f"/cards/{token}/provision",
                      {"digital_wallet": "APPLE_PAY"})
    assert len(trail(owner, card_id)) == before


def test_a_key_without_the_right_to_see_numbers(cards, account, owner, admin):
    card = cards.new()
    plain = account.privacy(scopes="read,write")
    hidden = {name: value for name, value in card.items()
              if name not in ("pan", "cvv")}
    reply = plain.get(f"/cards/{card['token']}")
    assert reply.body == hidden
    assert plain.get("/cards")["data"] == [hidden]
    assert plain.get("/card", card_token=card["token"])["data"] == [hidden]
    assert plain.patch(f"/cards/{card['token']}", {}).body == hidden
    assert plain.post(f"/cards/{card['token']}/reissue").body == hidden
    made = plain.post("/cards", SAMPLE)
    assert made.status == 200
    assert list(made.body) == [name for name in FIELDS
                               if name not in ("pan", "cvv")] + \
        ["account_token"]
    assert trail(owner, cards.id(made["token"], admin)) == []
    assert len(trail(owner, cards.id(card["token"], admin))) == 1


def test_a_key_that_may_only_read(cards, account):
    card = cards.new()
    reader = account.privacy(scopes="read")
    assert reader.get("/cards").status == 200
    for reply in (reader.post("/cards", SAMPLE), reader.post("/card", SAMPLE),
                  reader.patch(f"/cards/{card['token']}", {"memo": "x"}),
                  reader.put("/card", {"card_token": card["token"]}),
                  reader.post(f"/cards/{card['token']}/reissue")):
        refused(reply, 401,
                "Insufficient Privileges. Issuing API key required")


def test_a_bare_key_works(cards):
    bare = cards.reader(cards.key["api_key"], scheme="")
    card = cards.new()
    assert cards.seen(bare.get(f"/cards/{card['token']}")).body == card


# --- idempotency ------------------------------------------------------------


def test_a_create_repeated(cards, owner, admin):
    key = unique()
    first = cards.seen(cards.client.post("/cards", SAMPLE, idempotency=key))
    again = cards.seen(cards.client.post("/cards", SAMPLE, idempotency=key))
    assert again.status == 200 and again.replayed and not first.replayed
    assert again.raw == first.raw
    assert cards.list()["total_entries"] == 1
    # Shown twice, noted twice.
    rows = trail(owner, cards.id(first["token"], admin))
    assert [row["request_id"] for row in rows][:2] == [
        first.request_id, again.request_id]
    other = cards.client.post("/cards", {**SAMPLE, "memo": "another"},
                              idempotency=key)
    assert other.status == 422, other


def test_a_repeated_answer_shows_what_its_own_key_may_see(cards, account,
                                                          owner):
    plain = account.privacy(scopes="read,write")
    key = unique()
    first = cards.seen(cards.client.post("/cards", SAMPLE, idempotency=key))
    again = plain.post("/cards", SAMPLE, idempotency=key)
    assert again.replayed
    assert "pan" not in again.body and "cvv" not in again.body
    assert again.body == {name: value for name, value in first.body.items()
                          if name not in ("pan", "cvv")}
    key = unique()
    first = plain.post("/cards", SAMPLE, idempotency=key)
    again = cards.seen(cards.client.post("/cards", SAMPLE, idempotency=key))
    assert again.replayed and again["token"] == first["token"]
    assert again["pan"].endswith(first["last_four"])


def test_a_change_repeated(cards):
    token = cards.new()["token"]
    key = unique()
    first = cards.seen(cards.client.patch(
        f"/cards/{token}", {"state": "PAUSED"}, idempotency=key))
    assert cards.change(token, state="OPEN")["state"] == "OPEN"
    again = cards.seen(cards.client.patch(
        f"/cards/{token}", {"state": "PAUSED"}, idempotency=key))
    assert again.replayed and again.raw == first.raw
    assert cards.get(token)["state"] == "OPEN"


# --- one card, two dialects ---------------------------------------------------


def test_made_here_paused_there_charged_and_read_in_both(cards, admin):
    card = cards.new(memo="shared", spend_limit=10000,
                     spend_limit_duration="MONTHLY")
    card_id = cards.id(card["token"], admin)
    native = cards.native.get(f"/cards/{card_id}").body
    assert (native["label"], native["spending_limit"], native["limit_window"],
            native["status"], native["last4"], native["created_at"]) == (
        "shared", 100, "monthly", "active", card["last_four"],
        card["created"])
    assert native["balance"] == native["available_to_spend"] + 900 == 1000
    assert cards.native.post(f"/cards/{card_id}/freeze").status == 200
    assert cards.get(card["token"])["state"] == "PAUSED"
    assert cards.charge(card_id, 10)["decline_reason"] == "card_frozen"
    assert cards.change(card["token"], state="OPEN")["state"] == "OPEN"
    charged = cards.charge(card_id, 60)
    assert charged["approved"]
    assert cards.charge(card_id, 60)["decline_reason"] == "monthly_limit"
    native = cards.native.get(f"/cards/{card_id}").body
    assert (native["balance"], native["pending"],
            native["available_to_spend"]) == (940, 60, 40)
    assert cards.native.balance() == 940
    cleared = cards.native.post("/simulate/clearing", {
        "transaction_id": charged["id"]})
    assert cleared["status"] == "settled"
    native = cards.native.get(f"/cards/{card_id}").body
    assert (native["balance"], native["pending"], native["total_spent"]) == (
        940, 0, 60)
    assert cards.native.patch(f"/cards/{card_id}", {
        "label": "theirs", "spending_limit": 25.5}).status == 200
    seen = cards.get(card["token"])
    assert (seen["memo"], seen["spend_limit"],
            seen["spend_limit_duration"]) == ("theirs", 2550, "MONTHLY")
    assert cards.native.delete(f"/cards/{card_id}")["refunded_amount"] == 0
    assert cards.get(card["token"])["state"] == "CLOSED"
    assert cards.native.get(f"/cards/{card_id}")["balance"] == 0
    assert cards.native.balance() == 940


def test_made_there_closed_here(cards, owner):
    native = cards.native.card(100, label="prepaid", spending_limit=500)
    (card,) = cards.list()["data"]
    assert (card["memo"], card["type"], card["spend_limit"],
            card["spend_limit_duration"], card["state"], card["last_four"]) == (
        "prepaid", "UNLOCKED", 50000, "MONTHLY", "OPEN", native["last4"])
    details = cards.native.details(native["id"])
    assert (details["pan"], details["cvv"]) == (card["pan"], card["cvv"])
    assert cards.change(card["token"], state="PAUSED", spend_limit=0)[
        "spend_limit"] == 0
    seen = cards.native.get(f"/cards/{native['id']}")
    assert (seen["status"], seen["spending_limit"], seen["funding"]) == (
        "frozen", 0, "prepaid")
    assert seen["available_to_spend"] == 100
    assert cards.change(card["token"], state="OPEN")["state"] == "OPEN"
    before = cards.native.balance()
    assert cards.change(card["token"], state="CLOSED")["state"] == "CLOSED"
    seen = cards.native.get(f"/cards/{native['id']}")
    assert (seen["status"], seen["balance"]) == ("terminated", 0)
    assert cards.native.balance() == before + 100


def test_a_card_that_waits_for_its_first_funding(cards, admin, owner):
    native = cards.native.card(100)
    owner.rows("UPDATE cards SET status = 'pending_top_up' WHERE public_id ="
               " %s", native["id"])
    try:
        (card,) = cards.list()["data"]
        assert card["state"] == "PENDING_ACTIVATION"
        for state in ("OPEN", "PAUSED"):
            refused(cards.change(card["token"], state=state), 400,
                    "The card waits for its first funding")
    finally:
        owner.rows("UPDATE cards SET status = 'active' WHERE public_id = %s",
                   native["id"])


def test_the_wallet_pays_and_nothing_is_put_on_the_card(cards, admin):
    card_id = cards.id(cards.new()["token"], admin)
    for verb in ("fund", "withdraw"):
        reply = cards.native.post(f"/cards/{card_id}/{verb}", {"amount": 5})
        assert (reply.status, reply.error) == (400, "card_draws_on_wallet")
    assert cards.native.wallet()["cards_total_balance"] == 0
    assert cards.charge(card_id, 1000)["approved"]
    assert cards.charge(card_id, 1)["decline_reason"] == "insufficient_funds"
    assert cards.native.balance() == 0


def test_the_native_list_in_the_order_of_balances(cards, admin):
    drawing = [cards.id(cards.new()["token"], admin) for _ in range(2)]
    filled = [cards.native.card(amount)["id"] for amount in (5, 50)]
    rows = cards.native.get("/cards", sort="balance", order="asc")["data"]
    assert [row["id"] for row in rows] == drawing + filled
    found = []
    cursor = {}
    while True:
        page = cards.native.get("/cards", sort="balance", order="asc",
                                per_page=1, **cursor).body
        found += [row["id"] for row in page["data"]]
        if page["pagination"]["next_cursor"] is None:
            break
        cursor = {"cursor": page["pagination"]["next_cursor"]}
    assert found == drawing + filled


def test_hostname_is_the_merchant_that_it_is_locked_to(cards, admin):
    card = cards.new("MERCHANT_LOCKED")
    card_id = cards.id(card["token"], admin)
    assert card["hostname"] == ""
    assert cards.charge(card_id, 2000)["decline_reason"] == \
        "insufficient_funds"
    assert cards.get(card["token"])["hostname"] == ""
    assert cards.charge(card_id, 5, shop("coffee"))["approved"]
    assert cards.get(card["token"])["hostname"] == "COFFEE"
    assert cards.charge(card_id, 5, shop("tea"))["decline_reason"] == \
        "merchant_locked"
    assert cards.charge(card_id, 5, shop("coffee"))["approved"]
    assert cards.get(card["token"])["hostname"] == "COFFEE"


def test_a_single_use_card(cards, admin):
    card = cards.new("SINGLE_USE")
    card_id = cards.id(card["token"], admin)
    assert cards.charge(card_id, 0)["approved"]
    assert cards.get(card["token"])["state"] == "OPEN"
    assert cards.charge(card_id, 5)["approved"]
    assert cards.charge(card_id, 5)["decline_reason"] == "single_use_spent"


def test_a_single_use_card_closes_with_its_use(cards, admin):
    card = cards.new("SINGLE_USE")
    token = card["token"]
    charge = cards.charge(cards.id(token, admin), 5)
    assert charge["approved"], charge
    closed = {**card, "state": "CLOSED"}
    assert cards.get(token) == closed
    assert cards.list()["data"] == [closed]
    shown = cards.client.get("/transactions")["data"][0]["card"]
    assert shown["state"] == "CLOSED"
    final = "The card is CLOSED, which is final"
    for fields in ({"state": "OPEN"}, {"state": "PAUSED"}, {"memo": "No"}):
        refused(cards.change(token, **fields), 400, final)
    for verb, body in (("reissue", {}),
                       ("provision", {"digital_wallet": "APPLE_PAY"})):
        refused(cards.client.post(f"/cards/{token}/{verb}", body), 400, final)
    assert cards.get(token) == closed
    # What was begun goes on.
    cleared = cards.native.post("/simulate/clearing", {
        "transaction_id": charge["id"]})
    assert cleared["cleared"] == 5, cleared
    reply = cards.change(token, state="CLOSED")
    assert reply.status == 200 and reply.body == closed, reply


def test_a_limit_of_each_duration(cards, admin):
    each = {}
    for duration in ("TRANSACTION", "MONTHLY", "ANNUALLY", "FOREVER"):
        token = cards.new(spend_limit=1000,
                          spend_limit_duration=duration)["token"]
        each[duration] = cards.id(token, admin)
    for card_id in each.values():
        assert cards.charge(card_id, 10)["approved"]
        assert not cards.charge(card_id, 10.01)["approved"]
    reasons = {duration: cards.charge(card_id, 10)["decline_reason"]
               for duration, card_id in each.items()}
    assert reasons == {"TRANSACTION": None, "MONTHLY": "monthly_limit",
                       "ANNUALLY": "yearly_limit", "FOREVER": "lifetime_limit"}


def test_many_at_once(cards, admin, audit):
    """Changes, charges and new cards of one wallet: none waits for ever, and
    no cent is spent twice."""
    tokens = [cards.new(spend_limit=1000)["token"] for _ in range(3)]
    ids = [cards.id(token, admin) for token in tokens]

    def work(number):
        replies = []
        for step in range(6):
            token = tokens[(number + step) % 3]
            if number % 3 == 0:
                reply = cards.change(
                    token, state=("PAUSED", "OPEN")[step % 2],
                    memo=f"{number} {step}", spend_limit=1000 * (step % 2))
            elif number % 3 == 1:
                reply = cards.charge(ids[(number + step) % 3], 40)
            else:
                reply = cards.client.post("/cards", SAMPLE)
            replies.append(reply)
        return replies

    replies = [reply for each in at_once(9, work) for reply in each]
    assert {reply.status for reply in replies} <= {200, 201}
    approved = sum(bool(reply.body.get("approved")) for reply in replies)
    assert approved <= 25
    assert cards.native.balance() == 1000 - 40 * approved
    assert cards.list()["total_entries"] == 3 + 18
    audit()


def test_one_create_repeated_at_once(cards):
    key = unique()
    replies = at_once(6, lambda _: cards.client.post(
        "/cards", SAMPLE, idempotency=key))
    assert {reply.status for reply in replies} <= {200, 409}
    done = [cards.seen(reply) for reply in replies if reply.status == 200]
    assert len({reply.raw for reply in done}) == 1
    assert cards.list()["total_entries"] == 1


def test_the_events_of_a_card_made_here(cards, admin):
    card = cards.new(state="PAUSED", memo="m" * 100)
    cards.change(card["token"], state="OPEN", memo="n")
    cards.change(card["token"], state="CLOSED")
    card_id = cards.id(card["token"], admin)
    events = cards.native.get("/events")["data"][::-1]
    told = [event for event in events
            if event["data"].get("id") == card_id]
    assert [event["type"] for event in told] == [
        "card.created", "card.updated", "card.unfrozen", "card.terminated"]
    assert told[0]["data"]["funding"] == "wallet"
    assert told[0]["data"]["label"] == "m" * 100
    assert told[0]["data"]["balance"] == 1000


def test_no_number_in_the_logs(cards, env):
    card = cards.new()
    cards.list()
    cards.client.post("/cards", {"type": "x", "memo": card["pan"],
                                 "pin": card["cvv"] * 5})
    cards.client.get("/cards", begin=card["pan"])
    for path in (env.var / "log").rglob("cardstock*"):
        if path.is_file():
            assert card["pan"] not in path.read_text(errors="replace"), path


def test_the_ledger_still_proves(cards, audit):
    cards.new()
    audit()
