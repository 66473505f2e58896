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
    os.kill(env.pid("cardstockd"), signal.SIGHUP)
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
