# SPDX-License-Identifier: Apache-2.0
"""Many clients at once: nothing made of nothing, nothing lost."""

import random
import time
from decimal import Decimal

import pytest
from conftest import BIN_VISA, at_once, unique

THREADS = 32


@pytest.fixture(autouse=True)
def audited(audit):
    yield
    audit()


def outcomes(replies):
    counted = {}
    for reply in replies:
        name = reply.error if reply.status >= 400 else "ok"
        counted[name] = counted.get(name, 0) + 1
    return counted


def test_withdrawing_from_one_card(api):
    card = api.card(20)
    before = api.wallet()
    path = f"/cards/{card['id']}/withdraw"
    replies = sum(at_once(THREADS, lambda _: [
        api.post(path, {"amount": 1}) for _ in range(3)]), [])
    assert outcomes(replies) == {"ok": 20, "insufficient_card_balance": 76}
    # Each withdrawal saw a balance of its own.
    assert sorted(reply["new_balance"] for reply in replies
                  if reply.status == 200) == list(range(20))
    assert api.get(f"/cards/{card['id']}")["balance"] == 0
    assert api.wallet()["balance"] == before["balance"] + 20


def test_creating_with_one_key(api):
    key = unique()
    before = api.wallet()
    replies = at_once(THREADS, lambda _: api.post(
        "/cards", {"bin_id": BIN_VISA, "amount": 50}, idempotency=key))
    made = {reply.raw for reply in replies if reply.status == 201}
    assert len(made) == 1
    assert set(outcomes(replies)) <= {"ok", "idempotency_in_progress"}
    assert sum(reply.status == 201 and not reply.replayed
               for reply in replies) == 1
    assert api.get("/cards")["pagination"]["total"] == 1
    assert before["balance"] - api.wallet()["balance"] == 50


def test_creating_many(api):
    """Every card has its own number, and lists count each of them."""
    replies = sum(at_once(THREADS, lambda _: [
        api.post("/cards", {"bin_id": BIN_VISA, "amount": 1})
        for _ in range(3)]), [])
    assert outcomes(replies) == {"ok": 96}
    listed = api.get("/cards", per_page=100)
    assert listed["pagination"]["total"] == 96
    assert {row["id"] for row in listed["data"]} == \
        {reply["id"] for reply in replies}
    wallet = api.wallet()
    assert (wallet["cards_active"], wallet["cards_total_balance"]) == (96, 96)


def test_emptying_one_wallet(account):
    api = account.test
    api.deposit(200)
    cards = [api.card(1)["id"] for _ in range(8)]
    room = int(api.balance() / 3)
    left = api.balance() - 3 * room
    replies = sum(at_once(THREADS, lambda number: [
        api.post(f"/cards/{cards[number % 8]}/fund", {"amount": 3})
        for _ in range(4)]), [])
    assert outcomes(replies) == {"ok": room,
                                 "insufficient_funds": 128 - room}
    wallet = api.wallet()
    assert wallet["balance"] == left
    assert wallet["cards_total_balance"] == 8 + 3 * room
    assert len({reply["wallet_balance"] for reply in replies
                if reply.status == 200}) == room


def test_metadata_of_many_hands(api):
    """PATCH merges; of twenty keys set at once, all are there."""
    card = api.card(1)
    path = f"/cards/{card['id']}"
    replies = at_once(20, lambda number: api.patch(
        path, {"metadata": {f"key{number}": number}}))
    assert outcomes(replies) == {"ok": 20}
    assert api.get(path)["metadata"] == {f"key{n}": n for n in range(20)}
    replies = at_once(8, lambda number: api.patch(
        path, {"metadata": {f"more{number}": number}}))
    assert outcomes(replies) == {"metadata_too_large": 8}


def test_terminating_while_funding(api):
    for _ in range(5):
        card = api.card(10)
        path = f"/cards/{card['id']}"
        before = api.wallet()

        def work(number):
            if number == 0:
                return api.delete(path)
            return api.post(path + "/fund", {"amount": 1})

        replies = at_once(12, work)
        assert set(outcomes(replies)) <= {"ok", "card_terminated"}
        funded = sum(reply.status == 200 for reply in replies[1:])
        assert replies[0]["refunded_amount"] == 10 + funded
        assert api.get(path)["balance"] == 0
        assert api.wallet()["balance"] == before["balance"] + 10


def test_one_pending_deposit_is_credited_once(api):
    pending = api.post("/simulate/deposit", {
        "currency": "btc", "amount_usd": 100, "confirm": False})["id"]
    before = api.wallet()
    replies = at_once(16, lambda number: api.post(
        "/simulate/deposit", {"deposit_id": pending, "expire": True}
        if number % 2 else {"deposit_id": pending}))
    assert outcomes(replies)["ok"] in (1, 2)
    confirmed = [reply for reply in replies
                 if reply.status == 201 and reply["status"] == "confirmed"]
    assert len(confirmed) <= 1
    gained = api.wallet()["balance"] - before["balance"]
    assert gained == 98 * len(confirmed)
    assert api.wallet()["pending_deposits"] == 0


ALLOWED = {"ok", "insufficient_funds", "insufficient_card_balance",
           "card_terminated", "idempotency_in_progress"}


def test_everything_at_once(account):
    """Ten seconds of whatever comes; the sums are exact in between too."""
    api = account.test
    api.deposit(3000)
    deposited = api.wallet()["total_deposited"]
    cards = [api.card(100)["id"] for _ in range(8)]
    end = time.monotonic() + 10

    def work(number):
        chance = random.Random(number)
        replies = []
        while time.monotonic() < end:
            path = f"/cards/{chance.choice(cards)}"
            amount = {"amount": chance.randrange(100, 9000) / 100}
            kind = chance.random()
            if number == 0:
                wallet = api.wallet()
                assert wallet["total_deposited"] == deposited
                assert wallet["balance"] + wallet["cards_total_balance"] == \
                    deposited
                time.sleep(0.05)
            elif kind < 0.40:
                replies.append(api.post(path + "/fund", amount,
                                        idempotency=unique()))
            elif kind < 0.80:
                replies.append(api.post(path + "/withdraw", amount))
            elif kind < 0.88:
                replies.append(api.post(path + "/freeze"))
            elif kind < 0.96:
                replies.append(api.post(path + "/unfreeze"))
            elif kind < 0.98:
                replies.append(api.patch(path, {"auto_freeze_at": 10}))
            elif kind < 0.985 and number < 4:
                replies.append(api.delete(path))
            else:
                replies.append(api.get(path))
        return replies

    replies = sum(at_once(16, work), [])
    counted = outcomes(replies)
    assert set(counted) <= ALLOWED, counted
    assert counted["ok"] > 100
    wallet = api.wallet()
    balances = [card["balance"]
                for card in api.get("/cards", per_page=100)["data"]]
    assert sum(balances) == wallet["cards_total_balance"]
    assert wallet["balance"] + sum(balances) == deposited
    assert min(balances) >= 0 and wallet["balance"] >= 0


def test_the_ledger_tells_the_same(account, owner, wallet_id):
    """Balances are the sums of the entries, numbered without gaps."""
    api = account.test
    api.deposit(1000)
    cards = [api.card(10)["id"] for _ in range(4)]
    at_once(16, lambda number: [
        api.post(f"/cards/{cards[(number + turn) % 4]}/"
                 + ("fund" if turn % 2 else "withdraw"), {"amount": 1})
        for turn in range(6)])
    rows = owner.rows(
        "SELECT l.id, l.balance_cents AS kept, l.entry_count AS count, "
        "COALESCE(SUM(e.amount_cents), 0) AS summed, COUNT(e.number) AS n, "
        "COALESCE(MAX(e.number), 0) AS last FROM ledger_accounts l "
        "LEFT JOIN ledger_entries e ON e.ledger_account_id = l.id "
        "WHERE l.wallet_id = %s GROUP BY l.id", wallet_id)
    assert len(rows) >= 5
    for row in rows:
        assert row["kept"] == row["summed"]
        assert row["count"] == row["n"] == row["last"]
    in_cents = owner.value(
        "SELECT SUM(balance_cents) FROM ledger_accounts WHERE wallet_id = %s",
        wallet_id)
    assert Decimal(in_cents) / 100 == api.wallet()["total_deposited"]
