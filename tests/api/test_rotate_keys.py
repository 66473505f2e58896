# SPDX-License-Identifier: Apache-2.0
"""All card numbers move under a new master key while the service runs."""

import os
import pathlib
import re
import secrets
import signal
import stat
import subprocess
import threading

import pytest
from conftest import children, until
from hooks import event_of, hook, judge, receiver, verify_webhook
from payments import network
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


# Binary, and no ciphertext.
PLAIN = {"idem_key", "key_hash", "pan_hash", "fingerprint", "digest"}
# Strings of a JSON column that look like one and are none.
PLAIN_HEX = {"tx_hash"}


def sealed_columns(owner):
    """Every column of the schema that holds ciphertext."""
    found = owner.rows(
        "SELECT c.table_name AS t, c.column_name AS c "
        "FROM information_schema.columns c JOIN information_schema.tables "
        "USING (table_schema, table_name) WHERE table_schema = DATABASE() "
        "AND table_type = 'BASE TABLE' AND (data_type LIKE '%%blob' "
        "OR data_type LIKE '%%binary' OR column_comment LIKE '%%AES%%')")
    names = {(row["t"], row["c"]) for row in found if row["c"] not in PLAIN}
    # A new one is named as the others are, or is none and is named above.
    assert all(column.endswith("_sealed") for _, column in names), names
    return names


def sealed_texts(owner):
    """(column, name) of what JSON columns hold as hex, and the ciphertexts."""
    found = {}
    for row in owner.rows(
            "SELECT c.table_name AS t, c.column_name AS c "
            "FROM information_schema.columns c JOIN information_schema.tables "
            "USING (table_schema, table_name) WHERE table_schema = DATABASE() "
            "AND table_type = 'BASE TABLE' AND data_type LIKE '%%text'"):
        for text in owner.rows(
                f"SELECT {row['c']} AS text FROM {row['t']} "
                f"WHERE {row['c']} REGEXP '[0-9a-fA-F]{{60}}'"):
            for name, value in re.findall(r'"(\w+)": ?"([0-9a-fA-F]{60,})"',
                                          text["text"]):
                if name not in PLAIN_HEX:
                    found.setdefault((f"{row['t']}.{row['c']}", name),
                                     []).append(value)
    return found


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
                asked = challenge(api, {"id": card})
                reply = answer_with(api, asked, asked["otp"])
                if reply["status"] != "completed":
                    failures.append(reply)
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
    assert keys_in_use(owner, "challenges", "otp_sealed") == {new}
    told = sealed_texts(owner)["events.snapshot", "otp_sealed"]
    assert {value[:4] for value in told} == {f"{new:04x}"}
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


# --- with the old key's line gone ---------------------------------------------

gone = {}  # key -> its line, while no file has it


def write_keys(path, text):
    fresh = pathlib.Path(str(path) + ".new")
    fresh.write_text(text)
    fresh.chmod(stat.S_IMODE(path.stat().st_mode))
    fresh.replace(path)


def reload_all(env):
    """The last worker of the old generation is gone."""
    before = set(children(env.pid("cardstockd")))
    reload(env)
    assert until(lambda: not before & set(children(env.pid("cardstockd"))), 60)


@pytest.fixture
def old(env, key_file):
    """A key that is not the root and under which everything is made."""
    key = add_key(key_file)
    reload_all(env)
    yield key
    if key not in key_ids(key_file):
        # Back again, so that one failure does not become many.
        lines = (key_file.read_text() + gone[key]).splitlines(True)
        lines.sort(key=lambda line: int(line.split()[0]))
        write_keys(key_file, "".join(lines))
        reload_all(env)


def drop(env, path, key):
    """Takes the key's line out of the file."""
    lines = path.read_text().splitlines(True)
    gone[key], = (line for line in lines if line.split()[0] == str(key))
    write_keys(path, "".join(line for line in lines if line != gone[key]))
    reload_all(env)


def rotated(env, path, old):
    """Moves everything under a new key, until the old one's line may go."""
    new = add_key(path)
    reload_all(env)
    done = rotate(env)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line for line in done.stdout.splitlines()
            if line.startswith(f"key {old}: no ciphertext is under it")]
    assert len(told) == 1 and told[0].endswith(
        "its line may go once no backup from before this is kept"), done.stdout
    return new


def challenge(api, card, merchant="SHOP"):
    reply = api.post("/simulate/3ds", {"card_id": card["id"], "amount": 5,
                                       "merchant": merchant})
    assert reply.status == 201, reply
    return reply.body


def answer_with(api, made, otp):
    return api.post("/simulate/3ds", {"challenge_id": made["id"], "otp": otp})


def wrong(otp):
    return f"{(int(otp) + 1) % 1000000:06}"


def views(api, made):
    """What the customer reads of challenges and of their events."""
    events = api.get("/events", per_page=100)["data"]
    events = [row for row in events if row["type"].startswith("3ds.")]
    return {
        "challenges": [api.get(f"/3ds/{row['id']}").text for row in made],
        "lists": [api.get("/3ds", status=status, per_page=100).text for status
                  in ("pending", "completed", "failed", "expired")],
        "events": events,
        "each": [api.get(f"/events/{row['id']}").text for row in events]}


def test_codes_read_as_before(env, owner, api, card, hook, network, key_file,
                              old, audit):
    endpoint = hook("3ds.challenge", "3ds.completed", "3ds.expired")
    # More than one batch, and a name that JSON has to quote.
    made = [challenge(api, card, 'Zoë\'s "A\\B" ☕' if n == 0 else "SHOP")
            for n in range(55)]
    assert keys_in_use(owner, "challenges", "otp_sealed") >= {old}
    pending, other, completed, failed = made[:4]
    assert answer_with(api, completed, completed["otp"])["status"] == \
        "completed"
    for _ in range(3):
        answer_with(api, failed, wrong(failed["otp"]))
    sent = {request.id: request.body for request in endpoint.wait(57)}
    cursor = api.get("/3ds", per_page=1)["pagination"]["next_cursor"]
    before = views(api, made)
    assert [text.count('"id"') for text in before["lists"]] == [53, 1, 1, 0]
    assert {row["data"]["id"]: row["data"]["otp"] for row in before["events"]
            if row["type"] == "3ds.challenge"} == \
        {row["id"]: row["otp"] for row in made}
    text = "SELECT id, REGEXP_REPLACE(snapshot, '[0-9a-f]{60,}', '') AS t " \
        "FROM events WHERE type LIKE '3ds.%%' ORDER BY id"
    texts = owner.rows(text)

    rotated(env, key_file, old)
    drop(env, key_file, old)
    assert views(api, made) == before
    assert owner.rows(text) == texts
    for event, body in sent.items():
        assert api.get(f"/events/{event}").raw == body
    last = before["events"][0]["id"]
    count = len(endpoint.came())
    assert api.post(f"/events/{last}/resend",
                    {"webhook_id": endpoint.id}).status == 200
    assert until(lambda: len(endpoint.came()) > count, 20)
    assert (endpoint.came()[-1].id, endpoint.came()[-1].body) == \
        (last, sent[last])

    # What the customer alone keeps was not moved: it is told so.
    reply = api.get("/3ds", per_page=1, cursor=cursor)
    assert (reply.status, reply.error) == (400, "invalid_cursor")

    # Each can still be answered, as before.
    tried = answer_with(api, pending, wrong(pending["otp"]))
    assert (tried["status"], tried["otp"]) == ("pending", pending["otp"])
    assert answer_with(api, pending, pending["otp"])["status"] == "completed"
    path = "/3ds/challenges/{}/verify"
    reply = network.post(path.format(other["id"]), {"otp": other["otp"]})
    assert (reply.status, reply["status"]) == (200, "completed"), reply
    again = answer_with(api, completed, completed["otp"])
    assert (again.status, again["status"]) == (201, "completed"), again
    again = answer_with(api, completed, wrong(completed["otp"]))
    assert again.error == "challenge_not_pending", again
    again = answer_with(api, failed, failed["otp"])
    assert (again.status, again["status"]) == (201, "failed"), again
    audit()


def test_every_ciphertext_is_rotated(env, owner, api, account, card, hook,
                                     key_file, old):
    """Whatever column or JSON copy there is: one in each, and all move."""
    endpoint = hook("card.updated", behaviour=[answer(200, {}, b"thanks")])
    assert endpoint.post("rotate").status == 200
    endpoint.finished(updated(api, card))
    assert api.post("/cards", {"bin_id": "491653", "amount": 1},
                    idempotency=secrets.token_hex(8)).status == 201
    challenge(api, card)
    privacy = account.privacy()
    assert privacy.get("/accounts").status == 200
    assert until(lambda: old in keys_in_use(owner, "api_keys", "key_sealed"))

    columns = sealed_columns(owner)
    for table, column in columns:
        assert old in keys_in_use(owner, table, column), \
            f"make one of {table}.{column} here"
    texts = sealed_texts(owner)
    assert set(texts) == {("events.snapshot", "otp_sealed")}

    new = rotated(env, key_file, old)
    assert sealed_columns(owner) == columns
    for table, column in columns:
        assert keys_in_use(owner, table, column) == {new}, (table, column)
    for place, values in sealed_texts(owner).items():
        assert {value[:4] for value in values} == {f"{new:04x}"}, place
