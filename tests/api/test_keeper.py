# SPDX-License-Identifier: Apache-2.0
"""cardstock-keeper: what time brings, once, however many keepers there are."""

import os
import pathlib
import signal
import subprocess
import time

import pytest
from conftest import unique, until
from payments import Processor, events, network, with_number


@pytest.fixture(autouse=True)
def audited(audit):
    yield
    audit()


@pytest.fixture
def keepers(env):
    """Starts so many beside the stack's own, which end when nothing is due."""
    build = pathlib.Path(os.environ.get("CARDSTOCK_BUILD") or
                         (env.var / "build.path").read_text().strip())
    running = []

    def start(count):
        running.extend(subprocess.Popen(
            [build / "cardstock-keeper", "--config",
             env.var / "cardstock.conf", "--once"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(count))
        return running

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def live(account):
    """A live card's client: no clock moves there but the real one."""
    account.adjust("live", 100000)
    card = with_number(account.live, account.live.card(500))
    return account.live, card


def holds(network, card, count, amount=1):
    way = Processor(network)
    made = [way.authorize(card, amount) for _ in range(count)]
    assert all(answer.approved for answer in made)
    return [answer.transaction for answer in made]


def make_due(owner, transactions):
    marks = ", ".join(["%s"] * len(transactions))
    owner.rows("UPDATE transactions SET hold_expires_at = UTC_TIMESTAMP() - "
               f"INTERVAL 1 SECOND WHERE public_id IN ({marks})",
               *transactions)


def expired(api, transactions):
    return all(api.get(f"/transactions/{row}")["status"] == "expired"
               for row in transactions)


def told_once(owner, card, count):
    told = [row["type"] for row in events(owner, card["id"])]
    assert told.count("transaction.expired") == count


def test_holds_expire(owner, network, live, keepers):
    api, card = live
    due, other = holds(network, card, 30), holds(network, card, 5)
    make_due(owner, due)
    for process in keepers(3):
        assert process.wait(60) == 0
    assert until(lambda: expired(api, due), 30)
    shown = api.get(f"/cards/{card['id']}")
    assert (shown["balance"], shown["pending"]) == (495, 5)
    assert not expired(api, other)
    told_once(owner, card, 30)
    detail = api.get(f"/transactions/{due[0]}")
    assert [row["type"] for row in detail["timeline"]] == \
        ["authorization", "expiry"]
    assert detail["hold_expires_at"] is None


def test_a_keeper_is_killed(owner, network, live, keepers):
    """Whatever it had in hand is done by the next."""
    api, card = live
    due = holds(network, card, 40)
    make_due(owner, due)
    for pause in (0.01, 0.02, 0.03, 0.05):
        process = keepers(1)[-1]
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert keepers(1)[-1].wait(60) == 0
    assert until(lambda: expired(api, due), 30)
    assert api.get(f"/cards/{card['id']}")["balance"] == 500
    told_once(owner, card, 40)


def test_expiry_races_with_clearing(owner, network, live, keepers):
    """Either is first; the money is right both ways."""
    api, card = live
    way = Processor(network)
    made = [way.authorize(card, 1) for _ in range(30)]
    make_due(owner, [answer.transaction for answer in made])
    keepers(2)
    for answer in made:
        assert not way.message("clearing", {"ref": answer.ref}, 1).error
    assert until(lambda: api.get(f"/cards/{card['id']}")["pending"] == 0, 30)
    shown = api.get(f"/cards/{card['id']}")
    assert (shown["balance"], shown["total_spent"]) == (470, 30)
    for answer in made:
        detail = api.get(f"/transactions/{answer.transaction}")
        assert (detail["status"], detail["cleared"]) == ("settled", 1)


def test_challenges_expire(owner, network, live, keepers):
    api, card = live
    made = [network.post("/3ds/challenges", {
        "card_id": card["id"], "amount": 1, "merchant": "SHOP"})["id"]
        for _ in range(5)]
    owner.rows("UPDATE challenges SET expires_at = created_at - INTERVAL 1 "
               "SECOND WHERE public_id IN (%s, %s, %s)", *made[:3])
    for process in keepers(2):
        assert process.wait(60) == 0

    def told():
        return [row["snapshot"]["public_id"]
                for row in events(owner, card["id"])
                if row["type"] == "3ds.expired"]

    assert until(lambda: len(told()) == 3, 30)
    assert sorted(told()) == sorted(made[:3])
    assert {api.get(f"/3ds/{row}")["status"] for row in made[3:]} == \
        {"pending"}


def test_idempotency_records_go_after_a_day(owner, account, keepers):
    account.test.deposit(100)
    api = account.test
    old, young = unique(), unique()
    body = {"bin_id": "491653", "amount": 1}
    for key in (old, young):
        assert api.post("/cards", body, idempotency=key).status == 201
    wanted = "SELECT COUNT(*) FROM idempotency_keys WHERE idem_key = %s"
    for key, hours in ((old, 73), (young, 23)):
        owner.rows("UPDATE idempotency_keys SET created_at = UTC_TIMESTAMP() "
                   f"- INTERVAL {hours} HOUR WHERE idem_key = %s", key)
    assert keepers(1)[-1].wait(60) == 0
    assert until(lambda: owner.value(wanted, old) == 0, 30)
    assert owner.value(wanted, young) == 1
    assert api.post("/cards", body, idempotency=young).replayed
