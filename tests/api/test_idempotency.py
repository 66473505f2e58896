# SPDX-License-Identifier: Apache-2.0
"""The same key: one effect, one answer."""

import concurrent.futures
import threading

import pytest
from conftest import BIN_VISA, at_once, unique


def same(first, again):
    assert again.status == first.status, again
    assert again.raw == first.raw
    assert again.replayed
    assert not first.replayed


def test_each_kind_of_request_is_replayed(api):
    key = unique()
    first = api.post("/cards", {"bin_id": BIN_VISA, "amount": 100},
                     idempotency=key)
    assert first.status == 201
    same(first, api.post("/cards", {"bin_id": BIN_VISA, "amount": 100},
                         idempotency=key))
    path = f"/cards/{first['id']}"
    for method, step, body in (
            ("POST", "/fund", {"amount": 5}),
            ("POST", "/withdraw", {"amount": 5}),
            ("POST", "/freeze", None), ("POST", "/unfreeze", None),
            ("PATCH", "", {"metadata": {"n": 1}}), ("DELETE", "", None)):
        key = unique()
        one = api.call(method, path + step, body, idempotency=key)
        assert one.status == 200, one
        same(one, api.call(method, path + step, body, idempotency=key))
    assert api.get("/cards")["pagination"]["total"] == 1
    key = unique()
    body = {"currency": "btc", "amount_usd": 50}
    one = api.post("/simulate/deposit", body, idempotency=key)
    same(one, api.post("/simulate/deposit", body, idempotency=key))
    key = unique()
    one = api.post("/simulate/clock", {"advance_seconds": 60},
                   idempotency=key)
    same(one, api.post("/simulate/clock", {"advance_seconds": 60},
                       idempotency=key))
    api.wallet()


def test_the_answer_stands_though_the_world_moved_on(api, card):
    key = unique()
    path = f"/cards/{card['id']}"
    first = api.post(path + "/fund", {"amount": 5}, idempotency=key)
    api.delete(path)
    same(first, api.post(path + "/fund", {"amount": 5}, idempotency=key))
    assert api.get(path)["balance"] == 0


def test_both_names_of_the_header(api, card):
    path = f"/cards/{card['id']}/fund"
    key = unique()
    first = api.post(path, {"amount": 5}, headers={"Idempotency-Key": key})
    same(first, api.post(path, {"amount": 5},
                         headers={"X-Idempotency-Key": key}))
    reply = api.post(path, {"amount": 5}, headers={
        "Idempotency-Key": unique(), "X-Idempotency-Key": unique()})
    assert (reply.status, reply.error) == (400, "invalid_header")
    assert api.get(f"/cards/{card['id']}")["balance"] == 105


def test_another_request_with_the_key(api, card):
    key = unique()
    path = f"/cards/{card['id']}"
    assert api.post(path + "/fund", {"amount": 5},
                    idempotency=key).status == 200
    before = api.wallet()
    other = api.card(1)["id"]
    after = api.wallet()
    for method, where, body in (
            ("POST", path + "/fund", {"amount": 6}),
            ("POST", path + "/withdraw", {"amount": 5}),
            ("POST", f"/cards/{other}/fund", {"amount": 5}),
            ("POST", path + "/freeze", None),
            ("DELETE", path, None),
            ("PATCH", path, {"label": "x"})):
        reply = api.call(method, where, body, idempotency=key)
        assert (reply.status, reply.error) == \
            (422, "idempotency_key_reused"), (method, where)
    assert before["balance"] - after["balance"] == 1
    assert api.wallet() == after
    assert api.get(path)["label"] != "x"


@pytest.mark.parametrize("key", ["k", "x" * 255, "with space", "~!@#$%^&*()",
                                 '"quoted"', "a,b;c=d", "'; DROP TABLE x"])
def test_keys_that_are_taken(api, card, key):
    path = f"/cards/{card['id']}/fund"
    first = api.post(path, {"amount": 5}, idempotency=key)
    assert first.status == 200, first
    same(first, api.post(path, {"amount": 5}, idempotency=key))


@pytest.mark.parametrize("key", ["", "x" * 256, "x" * 2000,
                                 "é".encode("latin-1"), "é".encode(),
                                 b"a\x7fb", b"a\tb"])
def test_keys_that_are_refused(api, card, stack, key):
    key = key.encode() if isinstance(key, str) else key
    reply = stack.lines(
        [f"Authorization: Bearer {api.key}", "Content-Type: application/json",
         b"X-Idempotency-Key: " + key], b'{"amount":5}',
        path=f"/v1/cards/{card['id']}/fund")
    assert reply.status == 400, reply
    assert reply.error in ("invalid_header", "bad_request")
    assert api.get(f"/cards/{card['id']}")["balance"] == 100


def test_keys_differ_in_case(api, card):
    key = "k" + unique()
    path = f"/cards/{card['id']}/fund"
    api.post(path, {"amount": 5}, idempotency=key)
    reply = api.post(path, {"amount": 5}, idempotency=key.upper())
    assert not reply.replayed
    reply = api.post(path, {"amount": 5}, idempotency=key + " x")
    assert not reply.replayed


def test_a_refusal_is_not_remembered(account):
    account.test.deposit(50)
    card = account.test.card(10)
    path = f"/cards/{card['id']}/fund"
    key = unique()
    reply = account.test.post(path, {"amount": 500}, idempotency=key)
    assert reply.error == "insufficient_funds"
    account.test.deposit(1000)
    reply = account.test.post(path, {"amount": 500}, idempotency=key)
    assert reply.status == 200
    assert not reply.replayed
    # Nor does it bind the key to its request.
    key = unique()
    reply = account.test.post(path, {"amount": 0}, idempotency=key)
    assert reply.error == "amount_too_small"
    reply = account.test.post(path, {"amount": 1}, idempotency=key)
    assert reply.status == 200
    key = unique()
    reply = account.test.post("/cards/card_00000000000000000000/fund",
                              {"amount": 1}, idempotency=key)
    assert reply.status == 404
    assert account.test.post(path, {"amount": 1},
                             idempotency=key).status == 200


def test_a_key_belongs_to_account_and_world(account, stranger):
    key = unique()
    made = set()
    for someone in (account, stranger):
        for mode, client in (("test", someone.test), ("live", someone.live)):
            someone.adjust(mode, 5000)
            reply = client.post("/cards", {"bin_id": BIN_VISA, "amount": 5},
                                idempotency=key)
            assert reply.status == 201
            assert not reply.replayed
            made.add(reply["id"])
    assert len(made) == 4


def test_another_key_of_the_account_shares_them(account, api, card):
    path = f"/cards/{card['id']}/fund"
    key = unique()
    first = api.post(path, {"amount": 5}, idempotency=key)
    same(first, account.client().post(path, {"amount": 5}, idempotency=key))


def test_a_replay_needs_the_scope(account, api, card):
    path = f"/cards/{card['id']}/fund"
    key = unique()
    api.post(path, {"amount": 5}, idempotency=key)
    reader = account.client(scopes="read")
    assert reader.post(path, {"amount": 5}, idempotency=key).status == 403


def test_reading_takes_no_notice_of_a_key(api, card):
    key = unique()
    for _ in range(2):
        reply = api.get("/cards", idempotency=key)
        assert reply.status == 200
        assert not reply.replayed
    assert api.post(f"/cards/{card['id']}/fund", {"amount": 1},
                    idempotency=key).status == 200


def test_stored_answers_are_sealed(api, card, owner, wallet_id):
    key = unique()
    api.post(f"/cards/{card['id']}/fund", {"amount": 5}, idempotency=key)
    row = owner.row("SELECT * FROM idempotency_keys WHERE wallet_id = %s "
                    "AND idem_key = %s", wallet_id, key)
    assert row["status"] == 200
    assert card["id"].encode() not in row["reply_sealed"]
    assert b"balance" not in row["reply_sealed"]


@pytest.mark.parametrize("round_number", range(5))
def test_sixteen_at_once(api, card, round_number):
    key = unique()
    path = f"/cards/{card['id']}/fund"
    replies = at_once(16, lambda _: api.post(path, {"amount": 7},
                                             idempotency=key))
    answered = [reply for reply in replies if reply.status == 200]
    assert sum(not reply.replayed for reply in answered) == 1
    assert len({reply.raw for reply in answered}) == 1
    for reply in replies:
        assert reply.status == 200 or \
            (reply.status, reply.error) == (409, "idempotency_in_progress")
    assert api.get(f"/cards/{card['id']}")["balance"] == 107


def test_the_second_waits_and_gives_up(api, card, owner, wallet_id):
    """While the first is at work its claim is in an open transaction; here
    one that the test holds open for longer than any request may take."""
    key = unique()
    path = f"/cards/{card['id']}/fund"
    first = owner.connect()
    first.begin()
    with first.cursor() as cursor:
        cursor.execute(
            "INSERT INTO idempotency_keys (wallet_id, idem_key, fingerprint, "
            "created_at) VALUES (%s, %s, %s, UTC_TIMESTAMP())",
            (wallet_id, key, b"x" * 32))
        second = api.post(path, {"amount": 5}, idempotency=key)
    first.rollback()
    first.close()
    assert (second.status, second.error) == (409, "idempotency_in_progress")
    assert 1.5 < second.elapsed < 3.5
    third = api.post(path, {"amount": 5}, idempotency=key)
    assert third.status == 200
    assert not third.replayed
    assert api.get(f"/cards/{card['id']}")["balance"] == 105


def test_the_first_gives_up_to_the_second(api, card, owner, wallet_id):
    """It had claimed the key, waited for the card in vain, and finds at its
    second try that the key is at work for somebody else."""
    key = unique()
    holder, other = owner.connect(), owner.connect()
    holder.begin()
    other.begin()
    with holder.cursor() as cursor, other.cursor() as claim, \
            concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert cursor.execute("SELECT id FROM cards WHERE public_id = %s "
                              "FOR UPDATE", (card["id"],)) == 1
        asked = pool.submit(api.post, f"/cards/{card['id']}/freeze",
                            idempotency=key)
        assert not concurrent.futures.wait([asked], 0.5).done
        claim.execute(
            "INSERT INTO idempotency_keys (wallet_id, idem_key, fingerprint, "
            "created_at) VALUES (%s, %s, %s, UTC_TIMESTAMP())",
            (wallet_id, key, b"x" * 32))
        first = asked.result()
    holder.close()
    other.close()
    assert first.elapsed > 3  # for the card, and for the key
    assert (first.status, first.error) == (409, "idempotency_in_progress")
    assert api.get(f"/cards/{card['id']}")["status"] == "active"


def test_the_second_waits_and_is_answered(api, card, owner, wallet_id):
    key = unique()
    path = f"/cards/{card['id']}/fund"
    lock = owner.connect()
    lock.begin()
    with lock.cursor() as cursor:
        cursor.execute("SELECT id FROM ledger_accounts WHERE wallet_id = %s "
                       "FOR UPDATE", (wallet_id,))
        release = threading.Timer(1, lock.rollback)
        release.start()
        replies = at_once(2, lambda _: api.post(path, {"amount": 5},
                                                idempotency=key))
        release.join()
    lock.close()
    assert [reply.status for reply in replies] == [200, 200]
    assert replies[0].raw == replies[1].raw
    assert sum(reply.replayed for reply in replies) == 1
