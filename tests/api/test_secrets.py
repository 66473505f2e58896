# SPDX-License-Identifier: Apache-2.0
"""Card numbers, codes and keys of the whole run: nowhere in clear."""

import base64
import hashlib
import os
import re
import subprocess

import pytest
from conftest import until


@pytest.fixture(scope="module")
def dump(env):
    """The whole database as text, binary columns in hex."""
    client_env = {**os.environ, "MYSQL_PWD": env.secret("owner")}
    done = subprocess.run(
        ["mysqldump", "--no-defaults", "-u", "cardstock_owner",
         "-S", env.db_socket, "--hex-blob", "--single-transaction",
         "--skip-triggers", env.db_name],
        capture_output=True, env=client_env)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8", "replace")


@pytest.fixture
def known(stack, api):
    """Numbers and keys that went over the wire in this run."""
    for _ in range(3):
        api.details(api.card(1)["id"])
    made = api.post("/webhooks", {"url": "https://127.0.0.1:9/",
                                  "events": ["card.updated"]})
    assert made["secret"] in stack.webhook_secrets
    return stack


def spellings(secret):
    """As it is, as hex of its bytes, in groups of four."""
    return (secret, secret.encode().hex().upper(),
            " ".join(re.findall(".{1,4}", secret)))


def numbers_in(text):
    """All that reads as sixteen digits: plain, as hex of its bytes, or in
    groups of four."""
    runs = re.findall(r"[0-9]{16,}", text)
    runs += ["".join(group[1::2]) for group in
             re.findall(r"(?:3[0-9]){16,}", text)]
    runs += [group.replace(" ", "") for group in
             re.findall(r"[0-9]{4}(?: [0-9]{4}){3,}", text)]
    return {run[at:at + 16] for run in runs for at in range(len(run) - 15)}


def test_no_card_number_in_the_database(known, dump):
    assert "card_rows" in dump or "cards" in dump
    for number in list(known.card_numbers)[:3]:
        for text in spellings(number):
            assert number in numbers_in("x" + text + "4x")
    assert not known.card_numbers & numbers_in(dump)


def test_no_key_in_the_database(known, dump):
    """At most the first letters of one, which are kept for display."""
    assert not re.search(r"sk_(live|test)_[0-9A-Za-z]{12}", dump)
    for key in list(known.keys)[:50]:
        assert key not in dump
        assert key.encode().hex().upper() not in dump
    # The check can see what is there: the hash of a key is.
    assert any(hashlib.sha256(key.encode()).hexdigest().upper() in dump
               for key in known.keys)


def test_no_webhook_secret_in_the_database(known, dump):
    for secret in list(known.webhook_secrets)[:50]:
        for text in spellings(secret):
            assert text not in dump
        if secret.startswith("whsec_"):
            key = base64.b64decode(secret[len("whsec_"):])
            assert key.hex().upper() not in dump


def test_a_plain_hash_does_not_give_a_number_away(known, dump):
    """Sixteen digits are few enough to try them all under a bare hash."""
    for number in list(known.card_numbers)[:50]:
        for name in ("md5", "sha1", "sha256"):
            digest = hashlib.new(name, number.encode()).hexdigest()
            assert digest.upper() not in dump


def test_no_code_beside_its_card(known, owner):
    """A CVV is only three digits: no column holds it for its card."""
    columns = owner.rows("SELECT column_name AS name FROM information_schema"
                         ".columns WHERE table_schema = DATABASE()")
    names = {row["name"].lower() for row in columns}
    assert not {name for name in names if "cvv" in name or "cvc" in name}


def test_nothing_of_it_in_a_log(known, env):
    logs = [path for path in (env.var / "log").rglob("*") if path.is_file()]
    assert logs
    for path in logs:
        text = path.read_bytes().decode("utf-8", "replace")
        assert not known.card_numbers & numbers_in(text), path
        for secret in [*known.keys][:100] + [*known.webhook_secrets][:100]:
            assert secret not in text, path
        assert "whsec_" not in text, path
        assert not re.search(r"\b(491653|531993)\d{10}\b", text), path
        assert not re.search(r"sk_(live|test)_[0-9A-Za-z]{16}", text), path
        assert "uthorization: " not in text, path


def test_queries_are_not_logged(known, api, env):
    api.get("/cards", label="find-me-in-a-log")
    for path in (env.var / "log").rglob("*"):
        if path.is_file():
            assert b"find-me-in-a-log" not in path.read_bytes(), path


def test_requests_are_found_by_their_id(api, env):
    """The same id stands in the service's log and in nginx's."""
    request_id = api.get("/bins").request_id.encode()

    def found():
        return [path.name for path in (env.var / "log").rglob("*")
                if path.is_file() and request_id in path.read_bytes()]

    assert until(lambda: len(found()) >= 2, 10), found()


def test_nothing_in_arguments(env):
    """What every local user sees of a process holds no secret."""
    secrets = {env.secret(name) for name in ("owner", "api", "admin")}
    for process in os.listdir("/proc"):
        if not process.isdigit():
            continue
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                line = file.read().decode("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        assert not [secret for secret in secrets if secret in line], process


def test_secrets_are_the_owners_alone(env):
    for path in (env.var / "secret").rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o007 == 0, path
