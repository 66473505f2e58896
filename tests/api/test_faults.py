# SPDX-License-Identifier: Apache-2.0
"""Processes killed in mid-load. What was answered stands; what was not can be
asked again with its key, and happens once."""

import concurrent.futures
import random
import threading
import time

import pytest
import requests
from conftest import NoAnswer, children, kill, unique, until

UNAVAILABLE = {502, 503, 504}


@pytest.fixture(autouse=True)
def audited(audit, anonymous):
    yield
    assert until(lambda: works(anonymous), 60)
    audit()


def works(client):
    try:
        return client.get("/status").status == 200
    except NoAnswer:
        return False


class Job:
    """One transfer with its key, and what has been answered to it."""

    def __init__(self, path, amount):
        self.path, self.body, self.key = path, {"amount": amount}, unique()
        self.replies = []
        self.cut = 0  # connections that ended without an answer
        self.done = None

    def attempt(self, api):
        began = time.monotonic()
        try:
            reply = api.post(self.path, self.body, idempotency=self.key)
        except NoAnswer:
            self.cut += 1
            return None
        self.replies.append((began, reply))
        if reply.status == 200:
            self.done = reply
        return reply


def load(api, cards, seconds, threads=8):
    """Funds the cards from so many threads; every attempt is a new job.
    Returns the jobs and a function that waits for them."""
    jobs, lock, stop = [], threading.Lock(), threading.Event()

    def work(number):
        chance = random.Random(number)
        while not stop.is_set():
            job = Job(f"/cards/{chance.choice(cards)}/fund",
                      chance.randrange(100, 200) / 100)
            with lock:
                jobs.append(job)
            job.attempt(api)
            if job.done is None:
                time.sleep(0.02)

    pool = concurrent.futures.ThreadPoolExecutor(threads)
    running = [pool.submit(work, number) for number in range(threads)]
    timer = threading.Timer(seconds, stop.set)
    timer.start()

    def finish():
        for future in running:
            future.result()
        timer.cancel()
        pool.shutdown()
        return jobs

    return stop, finish


def settle(api, jobs):
    """Asks again for all that was not answered, until it is."""
    for job in jobs:
        assert until(lambda: job.done is not None or
                     job.attempt(api) is not None and job.done is not None,
                     30, 0.05), (job.key, job.replies[-3:])


def cents(amount):
    return round(amount * 100)


def effects(owner, cards):
    """What the ledger says was put on the cards after they were made."""
    marks = ", ".join(["%s"] * len(cards))
    rows = owner.rows(
        "SELECT e.amount_cents FROM ledger_entries e JOIN ledger_journals j "
        "ON j.id = e.journal_id JOIN cards c ON c.ledger_account_id = "
        f"e.ledger_account_id WHERE c.public_id IN ({marks}) "
        "AND j.kind = 'card_funded'", *cards)
    return sorted(row["amount_cents"] for row in rows)


def exactly_once(api, owner, cards, jobs):
    assert effects(owner, cards) == \
        sorted(cents(job.body["amount"]) for job in jobs)
    # What was answered before is what a repetition answers now.
    for job in random.Random(0).sample(jobs, min(len(jobs), 100)):
        again = api.post(job.path, job.body, idempotency=job.key)
        assert again.replayed
        assert again.raw == job.done.raw
    # No two requests were answered with the same effect.
    by_card = {}
    for job in jobs:
        by_card.setdefault(job.path, []).append(job.done["new_balance"])
    for balances in by_card.values():
        assert len(set(balances)) == len(balances)
    api.wallet()


@pytest.fixture
def cards(account):
    for _ in range(5):
        account.test.deposit(100000)
    return [account.test.card(1)["id"] for _ in range(8)]


def test_the_database_is_killed(account, cards, owner, env, anonymous):
    api = account.test
    stop, finish = load(api, cards, 60)
    time.sleep(2)
    victim = env.pid("mariadb")
    killed = time.monotonic()
    assert kill(victim)
    probes = []
    while time.monotonic() - killed < 30:
        reply = api.get("/wallet/balance")
        probes.append(reply)
        if reply.status == 200 and time.monotonic() - killed > 2:
            break
        time.sleep(0.05)
    back = time.monotonic()
    time.sleep(2)
    stop.set()
    jobs = finish()
    assert env.pid("mariadb") != victim
    away = [reply for reply in probes if reply.status != 200]
    assert away, "the database was back before anyone noticed"
    for reply in away:
        assert (reply.status, reply.error) == (503, "service_unavailable")
        assert reply.elapsed < 1
    for job in jobs:
        for _, reply in job.replies:
            assert reply.status in (200, 503), reply
        for began, reply in job.replies:
            assert reply.elapsed < 2 or began < killed, reply
    answered = [job for job in jobs
                if job.done is not None and job.replies[0][0] > back]
    assert answered, "nothing was answered after the database came back"
    assert anonymous.get("/status").status == 200
    settle(api, jobs)
    exactly_once(api, owner, cards, jobs)


def test_status_tells_that_the_database_is_away(env, anonymous):
    assert kill(env.pid("mariadb"))
    seen = []

    def noticed():
        reply = anonymous.get("/status")
        seen.append(reply)
        return reply.status == 503

    assert until(noticed, 5, 0.02)
    assert seen[-1].elapsed < 1
    assert int(seen[-1].headers["Retry-After"]) >= 1
    assert until(lambda: anonymous.get("/status").status == 200, 30)


def test_workers_are_killed(account, cards, owner, env):
    """Over and over, at any instant; of the answers that were lost between
    COMMIT and the reply some are told by a repetition."""
    api = account.test
    stop, finish = load(api, cards, 1200)
    master = env.pid("cardstockd")
    chance = random.Random(1)
    kills = 0

    def killed():
        workers = children(master)
        return workers and kill(chance.choice(workers))

    try:
        while kills < 200:
            assert until(killed, 30, 0.02), f"no worker after {kills} kills"
            kills += 1
            time.sleep(chance.uniform(0.02, 0.12))
    finally:
        stop.set()
        jobs = finish()
    assert env.pid("cardstockd") == master
    lost = [job for job in jobs if job.done is None]
    for job in jobs:
        for _, reply in job.replies:
            assert reply.status == 200 or reply.status in UNAVAILABLE, reply
    assert lost, "no request was hit"
    # No more requests fail than workers died.
    assert len(lost) <= kills + 10
    settle(api, jobs)
    told = [job for job in lost if job.done.replayed]
    print(f"{len(jobs)} requests, {kills} kills, {len(lost)} unanswered, "
          f"of which {len(told)} had been done")
    assert told, "no kill fell between COMMIT and reply"
    exactly_once(api, owner, cards, jobs)


def test_a_killed_worker_is_replaced_within_a_second(env, api):
    master = env.pid("cardstockd")
    before = children(master)
    assert kill(before[0])
    assert until(lambda: len(children(master)) == len(before) and
                 before[0] not in children(master), 1, 0.01)
    for _ in range(20):
        assert api.get("/wallet/balance").status == 200


def test_connections_to_the_database_are_cut(account, cards, owner):
    """As a firewall or an operator's KILL would, many times under load."""
    api = account.test
    stop, finish = load(api, cards, 120)
    for _ in range(40):
        for row in owner.rows("SELECT id FROM information_schema.processlist "
                              "WHERE user LIKE 'cardstock_api%%'"):
            try:
                owner.rows("KILL CONNECTION %s", row["id"])
            except Exception as error:  # it is gone already
                assert "Unknown thread" in str(error), error
        time.sleep(0.1)
    stop.set()
    jobs = finish()
    for job in jobs:
        for _, reply in job.replies:
            assert reply.status in (200, 503), reply
    settle(api, jobs)
    exactly_once(api, owner, cards, jobs)


def test_clients_hang_up(account, cards, owner, stack):
    """A request whose client is gone before the answer: still one effect."""
    api = account.test
    jobs = []
    for number in range(40):
        job = Job(f"/cards/{cards[number % 8]}/fund", 1)
        jobs.append(job)
        try:
            requests.post(
                stack.env.origin + "/v1" + job.path,
                headers={"Authorization": f"Bearer {api.key}",
                         "Content-Type": "application/json",
                         "X-Idempotency-Key": job.key},
                data=b'{"amount": 1}', verify=stack.env.ca,
                timeout=(5, 0.0005 * (number % 10 + 1)))
        except requests.RequestException:
            pass
    for job in jobs:
        job.body = {"amount": 1}
    settle(api, jobs)
    assert effects(owner, cards) == [100] * len(jobs)
