# SPDX-License-Identifier: Apache-2.0
"""All card numbers move under a new master key while the service runs."""

import os
import pathlib
import secrets
import signal
import stat
import subprocess
import threading

import pytest
from conftest import until
from hooks import event_of, hook, judge, receiver, verify_webhook
from receiver import answer


def key_ids(path):
    return [int(line.split()[0])
            for line in path.read_text().splitlines() if line.strip()]


def present(owner):
    return owner.value("SELECT COALESCE(MAX(pan_key_id), 0) FROM cards")


@pytest.fixture
def key_file(env):
    return env.var / "secret" / "master.key"


def add_key(path):
    new = max(key_ids(path)) + 1
    mode = stat.S_IMODE(path.stat().st_mode)
    text = path.read_text().rstrip("\n")
    fresh = pathlib.Path(str(path) + ".new")
    fresh.write_text(f"{text}\n{new} {secrets.token_hex(32)}\n")
    fresh.chmod(mode)
    fresh.replace(path)
    return new


def reload(env):
    for name in ("cardstockd", "courier"):
        os.kill(env.pid(name), signal.SIGHUP)


# What webhooks keep, and under what.
SEALED = {
    "webhooks": ["secret_sealed", "previous_secret_sealed"],
    "event_bodies": ["body_sealed"],
    "delivery_attempts": ["answer_sealed"],
}


def keys_in_use(owner, table, column):
    return {row["id"] for row in owner.rows(
        f"SELECT DISTINCT CONV(HEX(LEFT({column}, 2)), 16, 10) + 0 AS id "
        f"FROM {table} WHERE {column} <> ''")}


def rotate(env):
    build = pathlib.Path(os.environ.get("CARDSTOCK_BUILD", env.var / "build"))
    return subprocess.run(
        [str(build / "cardstock-migrate"), "rotate-keys", "--config",
         str(env.var / "cardstock.conf")],
        capture_output=True, text=True, timeout=240, check=False)


def test_rotation_while_cards_are_issued_and_read(env, owner, api, key_file):
    api.deposit(5000)
    before = [api.card(1)["id"] for _ in range(20)]
    shown = {card: api.details(card).body for card in before}
    kept = {"X-Idempotency-Key": "kept-" + secrets.token_hex(8)}
    body = {"bin_id": "491653", "amount": 1}
    first = api.post("/cards", body, headers=kept)

    new = add_key(key_file)
    reload(env)
    # Each worker of the new generation makes numbers under the new key.
    assert until(lambda: (api.card(1), present(owner) == new)[1], 10)

    stop, made, failures = threading.Event(), [], []

    def work():
        while not stop.is_set():
            try:
                card = api.card(1)["id"]
                made.append(card)
                details = api.details(card)
                if details.status != 200:
                    failures.append(details)
            except AssertionError as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        done = rotate(env)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert done.returncode == 0, done.stdout + done.stderr
    assert not failures
    assert made

    assert owner.value("SELECT COUNT(*) FROM cards WHERE pan_key_id <> %s",
                       new) == 0
    for card in before:
        assert api.details(card).body == shown[card]
    again = api.post("/cards", body, headers=kept)
    assert again.replayed and again.body == first.body

    again = rotate(env)
    assert again.returncode == 0, again.stderr
    assert env.secret("owner") not in done.stdout + done.stderr


def updated(api, card):
    """A card.updated event's id."""
    reply = api.patch(f"/cards/{card['id']}", {"label": secrets.token_hex(8)})
    assert reply.status == 200, reply
    return event_of(api, card_id=card["id"])["id"]


def test_what_webhooks_keep_moves(env, owner, api, card, hook, key_file):
    endpoint = hook("card.updated", behaviour=[
        answer(200, {}, b"thank you")])
    rotated = endpoint.post("rotate")
    assert rotated.status == 200, rotated
    first = updated(api, card)
    endpoint.finished(first)
    before = endpoint.delivery(first)
    assert before["attempts"][0]["answer"] == "thank you"

    new = add_key(key_file)
    reload(env)
    # Something is written under the new key as soon as both have read it.
    assert until(lambda: (endpoint.finished(updated(api, card)),
                          new in keys_in_use(owner, "event_bodies",
                                             "body_sealed"))[1], 10)
    done = rotate(env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rotated["secret"] not in done.stdout + done.stderr
    for table, columns in SEALED.items():
        for column in columns:
            assert keys_in_use(owner, table, column) == {new}, column

    assert endpoint.delivery(first) == before
    reply = api.post(f"/events/{first}/resend", {"webhook_id": endpoint.id})
    assert reply.status == 200, reply
    assert until(lambda: endpoint.came()[-1].id == first, 10)
    bodies = {request.body for request in endpoint.came()
              if request.id == first}
    assert len(bodies) == 1
    assert verify_webhook(endpoint.came()[-1].body.decode(),
                          endpoint.came()[-1].header("x-webhook-signature"),
                          rotated["secret"])


def test_a_courier_finds_a_new_key_itself(env, owner, api, card, hook,
                                          key_file):
    """What a worker has sealed under a key that the courier has not yet read
    is no failure: it looks at the file."""
    new = add_key(key_file)
    os.kill(env.pid("cardstockd"), signal.SIGHUP)
    endpoint = hook("card.updated")

    def under_the_new():
        reply = endpoint.post("rotate")
        assert reply.status == 200, reply
        return int.from_bytes(owner.value(
            "SELECT secret_sealed FROM webhooks WHERE public_id = %s",
            endpoint.id)[:2], "big") == new
    assert until(under_the_new, 10)
    event = updated(api, card)
    endpoint.finished(event)
    assert [attempt["status"] for attempt in
            endpoint.delivery(event)["attempts"]] == [200]


def test_a_key_that_is_not_in_the_file_stops_it(env, owner, api, key_file):
    api.deposit(10)
    card = api.card(1)["id"]
    sealed = owner.value("SELECT pan_sealed FROM cards WHERE public_id = %s",
                         card)
    stranger = (60000).to_bytes(2, "big") + sealed[2:]
    owner.rows("UPDATE cards SET pan_sealed = %s, pan_key_id = 60000 "
               "WHERE public_id = %s", stranger, card)
    try:
        done = rotate(env)
        assert done.returncode != 0
        assert "60000" in done.stdout + done.stderr
    finally:
        owner.rows("UPDATE cards SET pan_sealed = %s, pan_key_id = %s "
                   "WHERE public_id = %s", sealed,
                   int.from_bytes(sealed[:2], "big"), card)
