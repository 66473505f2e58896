# SPDX-License-Identifier: Apache-2.0
"""Transactions as the Privacy dialect shows them: every word of the mapping,
filters and pages, and what its published clients ask."""

import datetime
import re
import uuid
from decimal import Decimal

import pytest

from payments import Processor, Sandbox, Setup, network, shop, with_number
from privacy import EVENTS, FIELDS, RESULTS, agree, same


@pytest.fixture
def privacy(account):
    account.adjust("test", 1000_00)
    return account.privacy()


def new_card(privacy, **fields):
    reply = privacy.post("/cards", {"type": "UNLOCKED", **fields})
    assert reply.status == 200, reply
    privacy.stack.card_numbers.add(reply["pan"])
    privacy.stack.card_codes[reply["pan"]] = reply["cvv"]
    return reply.body


def authorize(privacy, card, amount, **fields):
    reply = privacy.post("/simulate/authorize", {
        "descriptor": "COFFEE CO", "pan": card["pan"], "amount": amount,
        **fields})
    assert reply.status in (201, 422), reply
    return reply["token"]


def listed(privacy, path="/transactions", **query):
    reply = privacy.get(path, **query)
    assert reply.status == 200, reply
    assert list(reply.body) == ["data", "page", "total_entries",
                                "total_pages", "has_more"]
    return reply


def tokens(reply):
    return [row["token"] for row in reply["data"]]


def refused(reply, status, message):
    assert (reply.status, reply.message) == (status, message), reply
    assert list(reply.body) == ["debugging_request_id", "message"]


# --- the object ---------------------------------------------------------------


def test_the_object(privacy, account):
    card = new_card(privacy, memo="lunch", spend_limit=10000)
    token = authorize(privacy, card, 1500, mcc="5812",
                      merchant_acceptor_id="M-7", merchant_country="CAN")
    reply = privacy.get(f"/transactions/{token}")
    assert list(reply.body) == FIELDS
    assert reply["token"] == token and reply["card_token"] == card["token"]
    shown = reply["card"]
    assert shown == {name: value for name, value in card.items()
                     if name not in ("pan", "cvv")}
    assert list(reply["merchant"]) == [
        "acceptor_id", "city", "country", "descriptor", "mcc", "state"]
    assert list(reply["events"][0]) == ["amount", "created", "result",
                                        "token", "type"]
    for text in (token, reply["events"][0]["token"]):
        assert uuid.UUID(text).version == 4
    source = privacy.get("/funding_sources")["data"][0]
    assert reply["funding"] == [{"amount": 1500, "token": source["token"],
                                 "type": "DEPOSITORY_CHECKING"}]
    assert re.fullmatch("[0-9A-Z]{6}", reply["authorization_code"])
    assert reply.headers["Content-Type"] == "application/json"
    assert agree(account) == 1


def test_the_card_is_as_it_is_now(privacy):
    card = new_card(privacy)
    token = authorize(privacy, card, 100)
    privacy.patch(f"/cards/{card['token']}", {"state": "PAUSED",
                                              "memo": "later"})
    shown = privacy.get(f"/transactions/{token}")["card"]
    assert (shown["state"], shown["memo"]) == ("PAUSED", "later")


def test_no_number_in_any_reply(privacy):
    card = new_card(privacy)
    token = authorize(privacy, card, 100)
    for path in ("/transactions", f"/transactions/{token}",
                 "/transaction/all"):
        reply = privacy.get(path)
        assert card["pan"] not in reply.text
        assert '"cvv"' not in reply.text and '"pan"' not in reply.text


def test_tokens_are_the_ids(privacy, account, owner):
    authorize(privacy, new_card(privacy), 100)
    native = account.test.get("/transactions")["data"][0]
    shown = listed(privacy)["data"][0]
    for name, id_of in (("token", native["id"]),
                        ("card_token", native["card_id"])):
        assert shown[name] == owner.value("SELECT uuid_of_id(%s)", id_of)
    reply = privacy.get(f"/transactions/{shown['token'].upper()}")
    assert reply.body == shown


# --- why it was declined ------------------------------------------------------


def native_card(account, fund=100, **fields):
    return with_number(account.test, account.test.card(fund, **fields))


def windowed(account, owner, window):
    card = native_card(account)
    Setup(owner).change(card["id"], limit_window=window,
                        spending_limit_cents=1000)
    return card, {}


def states(account, path, method="POST"):
    card = native_card(account)
    reply = account.test.call(method, f"/cards/{card['id']}{path}")
    assert reply.status == 200, reply
    return card, {}


def pending(account, owner):
    card = native_card(account, 5)
    assert account.test.post(f"/cards/{card['id']}/withdraw",
                             {"amount": 5}).status == 200
    Setup(owner).pending(card["id"])
    return card, {}


def spent(account, owner, way, kind):
    card = native_card(account)
    columns = {"type": kind} if kind != "count_limit" else {"count_limit": 1}
    Setup(owner).change(card["id"], **columns)
    first = way.authorize(card, 1, merchant=shop("first"))
    assert first.approved, first
    return card, {"merchant": shop("second")}


def expired(account, owner):
    card = native_card(account)
    owner.rows("UPDATE cards SET expires_at = UTC_TIMESTAMP() - INTERVAL 9 "
               "DAY WHERE public_id = %s", card["id"])
    return card, {}


def wrong_expiry(account):
    card = native_card(account)
    return card, {"exp_month": card["exp_month"] % 12 + 1,
                  "exp_year": card["exp_year"]}


def wrong_cvv(account):
    card = native_card(account)
    return card, {"cvv": f"{(int(card['cvv']) + 1) % 1000:03}"}


def blocked(account, owner, block):
    block.append("KP")
    owner.rows("INSERT IGNORE INTO blocked_countries (country, reason, "
               "created_at) VALUES ('KP', 'a test', UTC_TIMESTAMP())")
    return native_card(account), {"merchant": shop(country="KP")}


def bin_month(account, owner):
    """So much is used that the BIN's month is full."""
    card = native_card(account)
    Setup(owner).change(card["id"], limit_window="transaction",
                        spending_limit_cents=0)
    number = owner.value("SELECT id FROM cards WHERE public_id = %s",
                         card["id"])
    return card, {"used": number}


WORLD = {
    "card_expired": lambda a, o, w, b: expired(a, o),
    "expiry_mismatch": lambda a, o, w, b: wrong_expiry(a),
    "cvv_mismatch": lambda a, o, w, b: wrong_cvv(a),
    "account_suspended": lambda a, o, w, b: (native_card(a),
                                             {"suspend": True}),
    "card_pending": lambda a, o, w, b: pending(a, o),
    "card_terminated": lambda a, o, w, b: states(a, "", "DELETE"),
    "card_frozen": lambda a, o, w, b: states(a, "/freeze"),
    "single_use_spent": lambda a, o, w, b: spent(a, o, w, "single_use"),
    "merchant_locked": lambda a, o, w, b: spent(a, o, w, "merchant_locked"),
    "category_not_allowed": lambda a, o, w, b: (
        native_card(a, allowed_categories=["airlines"]), {}),
    "country_not_allowed": lambda a, o, w, b: blocked(a, o, b),
    "currency_not_supported": lambda a, o, w, b: (
        native_card(a), {"merchant_amount": 5.0,
                         "merchant_currency": "XXY"}),
    "transaction_limit": lambda a, o, w, b: windowed(a, o, "transaction"),
    "bin_transaction_limit": lambda a, o, w, b: (native_card(a),
                                                 {"amount": 5000.01}),
    "daily_limit": lambda a, o, w, b: windowed(a, o, "daily"),
    "weekly_limit": lambda a, o, w, b: windowed(a, o, "weekly"),
    "monthly_limit": lambda a, o, w, b: (native_card(a, spending_limit=10),
                                         {}),
    "yearly_limit": lambda a, o, w, b: windowed(a, o, "yearly"),
    "lifetime_limit": lambda a, o, w, b: windowed(a, o, "forever"),
    "bin_monthly_limit": lambda a, o, w, b: bin_month(a, o),
    "count_limit": lambda a, o, w, b: spent(a, o, w, "count_limit"),
    "insufficient_funds": lambda a, o, w, b: (native_card(a, 10), {})}


@pytest.fixture
def block(owner):
    countries = []
    yield countries
    for country in countries:
        owner.rows("DELETE FROM blocked_countries WHERE country = %s",
                   country)


def test_every_reason_is_in_the_table(env):
    text = (env.src / "src/core/decline.def").read_text()
    reasons = re.findall(r'^DECLINE\(\w+, "(\w+)"', text, re.M)
    assert len(reasons) > 20
    # An unknown card leaves no transaction.
    assert set(WORLD) == set(reasons) - {"card_unknown"}
    assert set(RESULTS) == {None, *reasons}


def test_every_event_is_in_the_table(owner):
    kinds = owner.value(
        "SELECT column_type FROM information_schema.columns WHERE "
        "table_schema = DATABASE() AND table_name = 'transaction_events' "
        "AND column_name = 'type'")
    assert set(re.findall(r"'(\w+)'", kinds)) == set(EVENTS)


@pytest.mark.parametrize("reason", WORLD)
def test_results(account, privacy, owner, network, block, reason):
    way = Processor(network)
    card, options = WORLD[reason](account, owner, way, block)
    amount = options.pop("amount", 50)
    suspended = options.pop("suspend", False)
    used = options.pop("used", None)
    if used is not None:
        assert way.force_post(card, 9).approved
        owner.rows("UPDATE card_usage SET cents = cents + 100000000 "
                   "WHERE card_id = %s", used)
    if suspended:
        account.suspend()
    answer = way.authorize(card, Decimal(str(amount)), **options)
    if suspended:
        account.reactivate()
    if used is not None:
        owner.rows("UPDATE card_usage SET cents = cents - 100000000 "
                   "WHERE card_id = %s", used)
    assert not answer.approved and answer.reason == reason, answer
    shown = listed(privacy)["data"][0]
    assert (shown["status"], shown["result"]) == ("DECLINED",
                                                  RESULTS[reason])
    assert shown["events"][0]["result"] == RESULTS[reason]
    same(account.test.get(f"/transactions/{answer.transaction}").body, shown)


def test_a_declined_increment(account, privacy):
    """The purchase stays approved; the event tells."""
    card = native_card(account, 10)
    way = Sandbox(account.test)
    made = way.authorize(card, 8)
    way.message("increment", {"id": made.transaction}, 5)
    shown = listed(privacy)["data"][0]
    assert (shown["result"], shown["amount"]) == ("APPROVED", 800)
    assert [(row["type"], row["result"]) for row in shown["events"]] == [
        ("AUTHORIZATION", "APPROVED"),
        ("AUTHORIZATION", "INSUFFICIENT_FUNDS")]
    assert agree(account) == 1


def test_partly_cleared(account, privacy):
    card = native_card(account, 100)
    way = Sandbox(account.test)
    made = {"id": way.authorize(card, 60).transaction}
    way.message("clearing", made, 25, final=False)
    shown = listed(privacy)["data"][0]
    assert (shown["status"], shown["amount"], shown["settled_amount"]) == (
        "SETTLING", 6000, 2500)
    way.message("clearing", made, 40)
    shown = listed(privacy)["data"][0]
    assert (shown["status"], shown["amount"], shown["settled_amount"]) == (
        "SETTLED", 6500, 6500)
    assert agree(account) == 1


def test_expired(account, privacy):
    card = native_card(account, 100)
    Sandbox(account.test).authorize(card, 60)
    account.test.post("/simulate/clock", {"advance_seconds": 8 * 86400})
    shown = listed(privacy)["data"][0]
    assert (shown["status"], shown["amount"], shown["settled_amount"]) == (
        "EXPIRED", 6000, 0)
    assert [row["type"] for row in shown["events"]] == ["AUTHORIZATION",
                                                        "VOID"]


# The stories of the specification: balance 1000, what is in the books and what
# is available after each step.
STORIES = [
    ([("authorize", 45, 1000, 955), ("clearing", 55, 945, 945)], 5500),
    ([("authorize", 25, 1000, 975), ("increment", 15, 1000, 960)], 4000),
    ([("authorize", 10, 1000, 990), ("void", 0, 1000, 1000)], 1000),
    ([("authorize", 30, 1000, 970), ("void", 20, 1000, 990),
      ("clearing", 10, 990, 990)], 1000),
    ([("force_post", 55, 945, 945)], 5500)]


@pytest.mark.parametrize("story, amount", STORIES)
def test_stories(account, privacy, story, amount):
    """Told in this dialect where it has the words, read in both."""
    card = new_card(privacy)
    token = None
    for kind, dollars, books, available in story:
        body = {"token": token, "amount": dollars * 100}
        if kind == "authorize":
            token = authorize(privacy, card, dollars * 100)
        elif kind in ("void", "clearing"):
            reply = privacy.post(f"/simulate/{kind}", body)
            assert reply.status == 201, reply
        else:
            native = account.test.get("/transactions")["data"]
            ids = {"transaction_id": native[0]["id"]} if native else {
                "card_id": account.test.get("/cards")["data"][0]["id"],
                "merchant": shop()}
            reply = account.test.post(f"/simulate/{kind}",
                                      {"amount": dollars, **ids})
            assert reply.status == 201, reply
        held = account.test.get("/cards")["data"][0]
        wallet = account.test.wallet()["balance"]
        pending = account.test.get(f"/cards/{held['id']}")["pending"]
        assert (wallet + pending, wallet) == (books, available), kind
        assert agree(account) == 1
    assert listed(privacy)["data"][0]["amount"] == amount


# --- lists --------------------------------------------------------------------


@pytest.fixture
def many(privacy):
    """Five on two cards: every second one declined. Newest first."""
    cards = [new_card(privacy, spend_limit=1000), new_card(privacy)]
    made = [authorize(privacy, cards[0], 500),
            authorize(privacy, cards[0], 5000),
            authorize(privacy, cards[1], 700),
            authorize(privacy, cards[1], 900000_00),
            authorize(privacy, cards[1], 800)]
    return cards, made[::-1]


def test_pages(privacy, many):
    _, all_of_them = many
    whole = listed(privacy)
    assert tokens(whole) == all_of_them
    assert (whole["page"], whole["total_entries"], whole["total_pages"],
            whole["has_more"]) == (1, 5, 1, False)
    seen = []
    for number in (1, 2, 3):
        page = listed(privacy, page=number, page_size=2)
        assert (page["page"], page["total_entries"], page["total_pages"],
                page["has_more"]) == (number, 5, 3, number < 3)
        seen += tokens(page)
    assert seen == all_of_them
    assert tokens(listed(privacy, page=4, page_size=2)) == []


def test_beside_a_token(privacy, many):
    _, all_of_them = many
    after = listed(privacy, starting_after=all_of_them[1], page_size=2)
    assert tokens(after) == all_of_them[2:4] and after["has_more"]
    before = listed(privacy, ending_before=all_of_them[3], page_size=2)
    assert tokens(before) == all_of_them[1:3] and before["has_more"]
    assert tokens(listed(privacy, ending_before=all_of_them[0])) == []


@pytest.mark.parametrize("query, wanted", [
    ({"result": "APPROVED"}, [0, 2, 4]), ({"result": "DECLINED"}, [1, 3]),
    ({"card": 0}, [3, 4]), ({"card": 1}, [0, 1, 2]),
    ({"card": 1, "result": "DECLINED"}, [1]),
    ({"card": 1, "result": "APPROVED", "page_size": 1}, [0])])
def test_filters(privacy, many, query, wanted):
    cards, all_of_them = many
    query = dict(query)
    if "card" in query:
        query["card_token"] = cards[query.pop("card")]["token"]
    page = listed(privacy, **query)
    assert tokens(page) == [all_of_them[number] for number in wanted]
    total = 2 if "page_size" in query else len(wanted)
    assert page["total_entries"] == total
    assert page["has_more"] == (total > len(wanted))


def test_days(privacy, many, account):
    account.test.post("/simulate/clock", {"advance_seconds": 86400})
    later = authorize(privacy, many[0][1], 100)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    tomorrow = today + datetime.timedelta(1)
    after = today + datetime.timedelta(2)
    assert tokens(listed(privacy, begin=tomorrow)) == [later]
    before = listed(privacy, end=tomorrow)
    assert tokens(before) == many[1] and before["total_entries"] == 5
    assert tokens(listed(privacy, begin=tomorrow, end=after)) == [later]
    assert tokens(listed(privacy, begin=after)) == []
    assert tokens(listed(privacy, begin=tomorrow, end=tomorrow)) == []


def test_the_account(privacy, many, account, stranger):
    own = privacy.get("/accounts")["data"][0]["token"]
    assert tokens(listed(privacy, account_token=own)) == many[1]
    other = stranger.privacy().get("/accounts")["data"][0]["token"]
    reply = privacy.get("/transactions", account_token=other)
    assert reply.status == 400, reply
    assert reply.message.startswith("account_token is not a valid parameter")


@pytest.mark.parametrize("query, name", [
    ({"page": 0}, "page"), ({"page": "x"}, "page"),
    ({"page_size": 0}, "page_size"), ({"page_size": 1001}, "page_size"),
    ({"result": "PENDING"}, "result"), ({"begin": "yesterday"}, "begin"),
    ({"end": "2026-02-30"}, "end"), ({"card_token": "x"}, "card_token"),
    ({"colour": "red"}, "colour"), ({"transaction_token": "x"},
                                    "transaction_token"),
    ({"per_page": 5}, "per_page")])
def test_queries_that_are_refused(privacy, query, name):
    reply = privacy.get("/transactions", **query)
    assert reply.status == 400, reply
    assert reply.message.startswith(f"{name} is not a valid parameter"), reply


def test_transactions_of_nobody(privacy, stranger):
    stranger.adjust("test", 10_00)
    other = stranger.privacy()
    card = new_card(other)
    theirs = authorize(other, card, 100)
    missing = "There is no such resource."
    for token in (theirs, str(uuid.uuid4()), "x", card["token"]):
        refused(privacy.get(f"/transactions/{token}"), 404, missing)
    assert tokens(listed(privacy, card_token=card["token"])) == []
    reply = privacy.get("/transactions", starting_after=theirs)
    assert reply.status == 400, reply
    live = stranger.privacy("live")
    refused(live.get(f"/transactions/{theirs}"), 404, missing)
    assert listed(live)["total_entries"] == 0


def test_the_right_to_read(account):
    writer = account.privacy(scopes="write")
    for path in ("/transactions", "/transaction/all"):
        refused(writer.get(path), 401,
                "Insufficient Privileges. Issuing API key required")


def test_a_thousand(privacy, account):
    """A page of the largest size, with all its events."""
    card = new_card(privacy)
    for _ in range(120):
        authorize(privacy, card, 1)
    reply = listed(privacy, page_size=1000)
    assert len(reply["data"]) == 120
    assert all(len(row["events"]) == 1 for row in reply["data"])


# --- the older paths ----------------------------------------------------------


def test_older_paths(privacy, many):
    cards, all_of_them = many
    for path, wanted in (("all", range(5)), ("approvals", (0, 2, 4)),
                         ("declines", (1, 3))):
        page = listed(privacy, f"/transaction/{path}")
        assert tokens(page) == [all_of_them[number] for number in wanted]
        assert page["total_entries"] == len(wanted)
    page = listed(privacy, "/transaction/all", page=2, page_size=2,
                  card_token=cards[1]["token"])
    assert tokens(page) == all_of_them[2:3]
    one = listed(privacy, "/transaction/all",
                 transaction_token=all_of_them[2])
    assert tokens(one) == [all_of_them[2]] and one["total_entries"] == 1
    assert tokens(listed(privacy, "/transaction/approvals",
                         transaction_token=all_of_them[1])) == []
    assert privacy.get("/transaction/pending").status == 404
    assert privacy.get("/transaction/all", result="APPROVED").status == 400


def test_as_clients_ask(privacy, many, stack):
    """No Content-Type, the bare key, a slash at the end, a body on a GET."""
    for scheme in ("api-key ", "API-KEY ", ""):
        for path in ("/v1/transaction/all?page=1&page_size=50",
                     "/v1/transaction/all/?page=1", "/v1/transactions/",
                     "/v1/transactions?begin=2020-01-01&end=2999-01-01"):
            reply = stack.send("GET", path, {
                "Authorization": scheme + privacy.key,
                "Accept": "*/*", "User-Agent": "python-requests/2.31"})
            assert reply.status == 200, reply
            assert tokens(reply) == many[1]
    reply = stack.send("GET", "/v1/transaction/approvals", {
        "Authorization": "api-key " + privacy.key,
        "Content-Type": "application/json"}, b"")
    assert reply.status == 200 and len(reply["data"]) == 3
