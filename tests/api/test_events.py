# SPDX-License-Identifier: Apache-2.0
"""Events: what they tell is what the object's GET showed at that moment."""

import pytest

SHOP = {"name": "SHOP", "mcc": "5734", "country": "US"}


def newest(api, **filters):
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    reply = api.get("/events?per_page=1" + ("&" + query if query else ""))
    assert reply.status == 200, reply
    return reply["data"][0]


def told(api, kind, path, **filters):
    """The newest event is of the kind, and holds what path answers now."""
    event = newest(api, **filters)
    assert event["type"] == kind
    assert event["data"] == api.get(path).body
    assert event["livemode"] is False
    assert api.get("/events/" + event["id"]).body == event
    return event


@pytest.fixture
def bought(api, card):
    reply = api.post("/simulate/authorization",
                     {"card_id": card["id"], "amount": 20, "merchant": SHOP})
    assert reply.status == 201, reply
    return reply.body


def test_a_card_s_life(api):
    api.deposit(100)
    deposit = api.get("/wallet/deposits")["data"][0]
    told(api, "deposit.confirmed", "/wallet/deposits/" + deposit["id"])
    card = api.card(50)["id"]
    path, mine = "/cards/" + card, {"card_id": card}
    told(api, "card.created", path, **mine)
    api.post(path + "/fund", {"amount": 5})
    told(api, "card.funded", path, **mine)
    api.post(path + "/withdraw", {"amount": 1})
    told(api, "card.withdrawn", path, **mine)
    api.patch(path, {"label": "é", "metadata": {"n": 1}})
    told(api, "card.updated", path, **mine)
    api.post(path + "/freeze")
    told(api, "card.frozen", path, **mine)
    api.post(path + "/unfreeze")
    told(api, "card.unfrozen", path, **mine)
    api.delete(path)
    told(api, "card.terminated", path, **mine)
    sequence = [event["sequence"] for event in
                api.get(f"/events?card_id={card}")["data"]]
    assert sequence == list(range(7, 0, -1))


def test_a_used_card_tells_what_its_limits_leave(api, card, bought):
    path = "/cards/" + card["id"]
    api.post(path + "/fund", {"amount": 5})
    event = told(api, "card.funded", path, card_id=card["id"])
    assert event["data"]["limit_resets_at"] is not None


@pytest.mark.parametrize("steps, kind", [
    ([], "transaction.authorized"),
    ([("increment", 5)], "transaction.authorized"),
    ([("clearing", 20)], "transaction.settled"),
    ([("reversal", 20)], "transaction.reversed"),
    ([("reversal", 5), ("clearing", 10)], "transaction.settled"),
])
def test_a_purchase(api, bought, steps, kind):
    for step, amount in steps:
        reply = api.post("/simulate/" + step,
                         {"transaction_id": bought["id"], "amount": amount})
        assert reply.status == 201, reply
    told(api, kind, "/transactions/" + bought["id"],
         card_id=bought["card_id"])


def test_a_decline_a_refund_and_an_expiry(api, card, bought):
    mine = {"card_id": card["id"]}
    declined = api.post("/simulate/authorization",
                        {"card_id": card["id"], "amount": 4999,
                         "merchant": SHOP})
    told(api, "transaction.declined", "/transactions/" + declined["id"],
         **mine)
    refund = api.post("/simulate/refund", {
        "card_id": card["id"], "amount": 3, "merchant": SHOP})
    told(api, "transaction.refunded", "/transactions/" + refund["id"], **mine)
    api.post("/simulate/clock", {"advance_seconds": 8 * 86400})
    told(api, "transaction.expired", "/transactions/" + bought["id"], **mine)


def test_a_challenge_holds_the_code_for_its_owner(api, card):
    mine = {"card_id": card["id"]}
    opened = api.post("/simulate/3ds", {"card_id": card["id"], "amount": 9.99,
                                        "merchant": "SPOTIFY"})
    event = told(api, "3ds.challenge", "/3ds/" + opened["id"], **mine)
    assert event["data"]["otp"] == opened["otp"]
    api.post("/simulate/3ds", {"challenge_id": opened["id"],
                               "otp": opened["otp"]})
    event = told(api, "3ds.completed", "/3ds/" + opened["id"], **mine)
    assert event["data"]["otp"] is None


def test_filters_pages_and_worlds(account, api, card):
    reply = api.get("/events?type=card.created")
    assert [event["data"]["id"] for event in reply["data"]] == [card["id"]]
    assert reply["pagination"]["total"] == 1
    assert api.get("/events?type=card.nothing").status == 400
    assert api.get("/events?from=2999-01-01")["data"] == []
    first = api.get("/events?per_page=1").body
    rest = api.get("/events?per_page=1&cursor="
                   + first["pagination"]["next_cursor"]).body
    assert rest["data"][0]["id"] != first["data"][0]["id"]
    live = account.client("live")
    assert live.get("/events/" + first["data"][0]["id"]).status == 404


def test_a_bin_s_acceptance_is_its_own_after_a_hundred(account, api, stack,
                                                       owner):
    """Figures of all accounts count, so only the direction is asserted."""
    api.deposit(500)
    card = api.card(300)["id"]

    def figures():
        row = owner.row("SELECT COALESCE(SUM(approved), 0) AS yes, "
                        "COALESCE(SUM(declined), 0) AS no "
                        "FROM bin_authorizations "
                        "WHERE bin_id = '491653' AND mode = 'test'")
        return int(row["yes"]), int(row["no"])

    for _ in range(110):
        api.post("/simulate/authorization",
                 {"card_id": card, "amount": 1, "merchant": SHOP})
    yes, no = figures()
    assert yes + no >= 110
    rows = {row["id"]: row for row in api.get("/bins")["data"]}
    assert rows["491653"]["acceptance_rate"] * 10 == \
        yes * 1000 // (yes + no)
