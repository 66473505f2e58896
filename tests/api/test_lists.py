# SPDX-License-Identifier: Apache-2.0
"""Pages, cursors, filters, orders."""

import pytest
from conftest import BIN_MASTERCARD, BIN_VISA

LISTED = ["id", "bin_id", "network", "last4", "status", "balance", "label",
          "created_at"]
BALANCES = [30, 10, 70, 20, 60, 40, 50]


@pytest.fixture
def cards(api):
    """Seven cards, oldest first."""
    return [api.card(balance, label=f"card {number}")
            for number, balance in enumerate(BALANCES)]


def ids(reply):
    assert reply.status == 200, reply
    return [row["id"] for row in reply["data"]]


def by_pages(api, path, per_page, **query):
    found, page = [], 1
    while True:
        reply = api.get(path, page=page, per_page=per_page, **query)
        pagination = reply["pagination"]
        assert pagination["page"] == page
        assert pagination["per_page"] == per_page
        found += ids(reply)
        last = page >= pagination["total_pages"]
        assert (pagination["next_cursor"] is None) == last
        if last:
            assert pagination["total"] == len(found)
            return found
        page += 1


def by_cursor(api, path, per_page, **query):
    found, cursor = [], {}
    while True:
        reply = api.get(path, per_page=per_page, **cursor, **query)
        found += ids(reply)
        following = reply["pagination"]["next_cursor"]
        if following is None:
            return found
        cursor = {"cursor": following}


def test_an_empty_list(account):
    reply = account.test.get("/cards")
    assert reply["data"] == []
    assert reply["pagination"] == {"page": 1, "per_page": 25, "total": 0,
                                   "total_pages": 0, "next_cursor": None}


def test_the_shape_of_a_row(api, card):
    reply = api.get("/cards")
    assert set(LISTED) <= set(reply["data"][0])
    assert '"balance":100.00' in reply.text.replace(": ", ":")
    full = api.get(f"/cards/{card['id']}").body
    assert {name: reply["data"][0][name] for name in LISTED} == \
        {name: full[name] for name in LISTED}
    assert list(reply["pagination"])[:4] == ["page", "per_page", "total",
                                             "total_pages"]


def test_newest_first(api, cards):
    assert ids(api.get("/cards")) == [card["id"] for card in reversed(cards)]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", ["created_at", "balance", "last_used"])
@pytest.mark.parametrize("per_page", [1, 3, 7, 100])
def test_walking(api, cards, sort, order, per_page):
    """Page by page, cursor by cursor, every card once and in order."""
    if sort == "balance":
        expected = sorted(cards, key=lambda card: card["balance"])
    else:
        expected = list(cards)
    if order == "desc":
        expected.reverse()
    expected = [card["id"] for card in expected]
    assert by_pages(api, "/cards", per_page, sort=sort,
                    order=order) == expected
    assert by_cursor(api, "/cards", per_page, sort=sort,
                     order=order) == expected


def test_cards_of_the_same_balance(api):
    made = {api.card(5)["id"] for _ in range(7)}
    for order in ("asc", "desc"):
        walked = by_cursor(api, "/cards", 2, sort="balance", order=order)
        assert len(walked) == 7
        assert set(walked) == made
        assert by_pages(api, "/cards", 2, sort="balance",
                        order=order) == walked


def test_sort_by_last_use(api, cards, owner):
    for number in (2, 5, 3):
        owner.rows("UPDATE cards SET last_used_at = %s WHERE public_id = %s",
                   f"2026-01-0{number} 00:00:00", cards[number]["id"])
    walked = by_cursor(api, "/cards", 2, sort="last_used")
    assert walked[:3] == [cards[number]["id"] for number in (5, 3, 2)]
    assert set(walked[3:]) == {cards[number]["id"]
                               for number in (0, 1, 4, 6)}
    assert by_pages(api, "/cards", 2, sort="last_used") == walked
    upwards = by_cursor(api, "/cards", 2, sort="last_used", order="asc")
    assert upwards[-3:] == [cards[number]["id"] for number in (2, 3, 5)]
    assert by_pages(api, "/cards", 2, sort="last_used",
                    order="asc") == upwards


def test_a_cursor_stands_still_while_cards_come(api, cards):
    first = api.get("/cards", per_page=3)
    api.card(1)
    rest = ids(api.get("/cards", per_page=100,
                       cursor=first["pagination"]["next_cursor"]))
    assert rest == [card["id"] for card in reversed(cards)][3:]


def test_totals_follow_the_filter(api, cards):
    api.post(f"/cards/{cards[0]['id']}/freeze")
    api.delete(f"/cards/{cards[1]['id']}")
    other = api.post("/cards", {"bin_id": BIN_MASTERCARD, "amount": 5,
                                "label": "other"})["id"]

    def total(**query):
        reply = api.get("/cards", **query)
        assert reply["pagination"]["total"] == len(reply["data"])
        return len(reply["data"])

    assert total() == 8
    assert total(status="active") == 6
    assert total(status="frozen") == 1
    assert total(status="terminated") == 1
    assert total(status="pending_top_up") == 0
    assert total(bin_id=BIN_VISA) == 7
    assert total(bin_id=BIN_MASTERCARD) == 1
    assert total(bin_id="400000") == 0
    assert total(status="active", bin_id=BIN_MASTERCARD) == 1
    assert total(status="frozen", bin_id=BIN_MASTERCARD) == 0
    assert total(label="card") == 7
    assert total(label="card", status="active") == 5
    assert total(label="card", bin_id=BIN_MASTERCARD) == 0
    assert ids(api.get("/cards", label="other")) == [other]
    assert by_cursor(api, "/cards", 2, status="active") == \
        by_pages(api, "/cards", 2, status="active")
    assert by_cursor(api, "/cards", 2, label="card", status="active") == \
        by_pages(api, "/cards", 2, label="card", status="active")
    assert len(by_cursor(api, "/cards", 2, bin_id=BIN_VISA,
                         sort="balance")) == 7


def test_labels_are_searched_in_part_and_as_letters(api):
    for label in ("100% sure", "100x sure", "a_b", "aXb", "back\\slash",
                  "pipe|s", "ÄPFEL", "it's", "-"):
        api.card(1, label=label)

    def found(text):
        return sorted(row["label"]
                      for row in api.get("/cards", label=text)["data"])

    assert found("100%") == ["100% sure"]
    assert found("%") == ["100% sure"]
    assert found("a_b") == ["a_b"]
    assert found("_") == ["a_b"]
    assert found("\\") == ["back\\slash"]
    assert found("|") == ["pipe|s"]
    assert found("SURE") == ["100% sure", "100x sure"]
    assert found("äpfel") == ["ÄPFEL"]
    assert found("'") == ["it's"]
    assert found("nothing like it") == []
    assert found("axB") == ["aXb"]


@pytest.mark.parametrize("name, value", [
    ("page", "0"), ("page", "-1"), ("page", "x"), ("page", ""),
    ("page", "1.0"), ("page", "1e1"), ("page", " 1"), ("page", "+1"),
    ("page", "99999999999999999999"), ("per_page", "0"),
    ("per_page", "101"), ("per_page", "-5"), ("per_page", "ten"),
    ("status", "lost"), ("status", ""), ("status", "ACTIVE"),
    ("sort", "label"), ("sort", "id; DROP TABLE cards"), ("order", "up")])
def test_bad_values(api, name, value):
    reply = api.get("/cards", **{name: value})
    assert reply.status == 400, reply
    assert reply.error == "invalid_parameter"
    assert reply["param"] == name


def test_unknown_and_repeated_parameters(account):
    api = account.test
    for path in ("/cards", "/bins", "/wallet/deposits", "/wallet/balance",
                 "/wallet/deposit-address"):
        reply = api.get(path, nonsense=1)
        assert (reply.status, reply.error, reply["param"]) == \
            (400, "unknown_parameter", "nonsense"), path
    for path in ("/cards", "/bins", "/wallet/deposits"):
        reply = api.get(path + "?page=1&page=1")
        assert (reply.status, reply.error, reply["param"]) == \
            (400, "repeated_parameter", "page"), path
    reply = api.get("/cards?per_page=1&per%5Fpage=2")
    assert (reply.status, reply.error) == (400, "repeated_parameter")


@pytest.mark.parametrize("query", ["label=%", "label=%4", "label=%zz",
                                   "label=%00", "label=%ff", "label=%c3",
                                   "label=%ed%a0%80"])
def test_bad_escapes(account, stack, query):
    reply = stack.lines([f"Authorization: Bearer {account.test.key}"],
                        method="GET", path="/v1/cards?" + query)
    assert reply.status == 400, reply


def test_plus_is_a_space(api):
    api.card(1, label="two words")
    assert len(api.get("/cards?label=two+words")["data"]) == 1
    assert len(api.get("/cards?label=two%20words")["data"]) == 1
    assert len(api.get("/cards?label=two%2Bwords")["data"]) == 0


@pytest.mark.parametrize("cursor", ["x", "", "AAAA", "0" * 40, "%", "é",
                                    "A" * 2000])
def test_forged_cursors(api, cards, cursor):
    reply = api.get("/cards", cursor=cursor)
    assert reply.status == 400
    assert reply.error in ("invalid_cursor", "invalid_parameter")
    assert reply["param"] == "cursor"


def test_a_cursor_belongs_to_its_list(api, cards, stranger):
    cursor = api.get("/cards", per_page=2)["pagination"]["next_cursor"]
    changed = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for attempt in ({"cursor": changed}, {"cursor": cursor[:-2]},
                    {"cursor": cursor, "sort": "balance"},
                    {"cursor": cursor, "order": "asc"}):
        reply = api.get("/cards", **attempt)
        assert (reply.status, reply.error, reply["param"]) == \
            (400, "invalid_cursor", "cursor"), attempt
    reply = api.get("/wallet/deposits", cursor=cursor)
    assert (reply.status, reply.error) == (400, "invalid_cursor")


def test_a_cursor_shows_nothing_of_others(api, cards, stranger):
    cursor = api.get("/cards", per_page=2)["pagination"]["next_cursor"]
    stranger.test.deposit(100)
    stranger.test.card(10)
    reply = stranger.test.get("/cards", cursor=cursor)
    ours = {card["id"] for card in cards}
    assert reply.status == 400 or not ours & set(ids(reply))


def test_beyond_the_last_page(api, card):
    reply = api.get("/cards", page=2)
    assert reply.status == 200
    assert reply["data"] == []
    assert reply["pagination"]["total"] == 1
    assert reply["pagination"]["next_cursor"] is None
