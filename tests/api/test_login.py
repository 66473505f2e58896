# SPDX-License-Identifier: Apache-2.0
"""Who may ask: credentials, scopes, expiry, networks, the two worlds."""

import datetime
import statistics
import time

import pytest
from conftest import BIN_VISA, MISSING_CARD, Client, until

GRACE = 5.2  # seconds: five are promised


def refused(reply, status, error):
    return (reply.status, reply.error) == (status, error)


def on_every_worker(began, ask, status, error):
    """Seen by the first worker soon, by all after five seconds."""
    assert until(lambda: ask().status == status, GRACE)
    time.sleep(max(0, began + GRACE - time.monotonic()))
    for _ in range(30):
        assert refused(ask(), status, error)


def test_no_credential(anonymous):
    assert refused(anonymous.get("/cards"), 401, "credentials_missing")
    assert refused(anonymous.post("/cards", {}), 401, "credentials_missing")


@pytest.mark.parametrize("value", [
    "Bearer", "Bearer sk_test_", "Bearer sk_test_" + "0" * 32,
    "Bearer sk_live_" + "A" * 300, "Bearer x y", "Basic dXNlcjpwdw==",
    "Digest x", "Bearer ' OR 1=1 --",
    "Bearer \u00e9"])
def test_wrong_credentials(anonymous, value):
    reply = anonymous.get("/cards", headers={
        "Authorization": value.encode("latin-1")})
    assert reply.status == 401, reply
    assert reply.error in ("credentials_invalid", "credentials_missing")


def test_the_scheme_is_case_insensitive(account, anonymous):
    for scheme in ("bearer", "BEARER", "Bearer "):
        reply = anonymous.get("/cards", headers={
            "Authorization": f"{scheme} {account.test.key}"})
        assert reply.status == 200


def test_a_key_must_match_to_the_last_character(account, anonymous, stack):
    key = account.test.key
    other = "A" if key[-1] != "A" else "B"
    for wrong in (key[:-1], key[:-1] + other, key + "A",
                  key.replace("sk_test_", "sk_live_"), key.swapcase()):
        assert refused(Client(stack, wrong).get("/cards"), 401,
                       "credentials_invalid")


def test_a_revoked_key(account, admin):
    row = account.issue()
    client = Client(account.stack, row["api_key"])
    assert client.get("/cards").status == 200
    began = time.monotonic()
    admin.call("admin_key_revoke", row["key_id"])
    on_every_worker(began, lambda: client.get("/cards"), 401, "key_revoked")


def test_a_key_expires(account):
    soon = datetime.datetime.utcnow() + datetime.timedelta(seconds=3)
    client = account.client(expires_at=soon.strftime("%Y-%m-%d %H:%M:%S"))
    assert client.get("/cards").status == 200
    assert until(lambda: client.get("/cards").status == 401, 4)
    for _ in range(30):  # no cache outlives the key
        assert refused(client.get("/cards"), 401, "key_expired")


def test_a_suspended_account(account):
    assert account.test.get("/cards").status == 200
    began = time.monotonic()
    account.suspend()
    on_every_worker(began, lambda: account.test.get("/cards"), 403,
                    "account_suspended")
    assert refused(account.live.get("/cards"), 403, "account_suspended")
    account.reactivate()
    time.sleep(GRACE)
    for _ in range(30):
        assert account.test.get("/cards").status == 200


def test_a_key_is_bound_to_networks(account):
    for networks in ("127.0.0.0/8", "10.0.0.0/8 127.0.0.1/32",
                     "127.0.0.1/32 2001:db8::/32"):
        assert account.client(networks=networks).get("/cards").status == 200
    for networks in ("10.0.0.0/8", "127.0.0.2/32", "2001:db8::/32"):
        assert refused(account.client(networks=networks).get("/cards"), 403,
                       "address_not_allowed"), networks


def test_a_header_does_not_move_the_client(account):
    client = account.client(networks="10.0.0.0/8")
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        assert refused(client.get("/cards", headers={name: "10.1.2.3"}), 403,
                       "address_not_allowed")


def test_scopes(account):
    account.test.deposit(100)
    card = account.test.card(10)["id"]
    reader = account.client(scopes="read")
    writer = account.client(scopes="write")
    details = account.client(scopes="cards:details")
    for path in ("/cards", f"/cards/{card}", "/wallet/balance", "/bins",
                 "/wallet/deposits", "/wallet/deposit-address"):
        assert reader.get(path).status == 200, path
        assert refused(details.get(path), 403, "scope_missing"), path
    assert refused(reader.get(f"/cards/{card}/details"), 403, "scope_missing")
    assert refused(writer.get(f"/cards/{card}/details"), 403, "scope_missing")
    assert details.get(f"/cards/{card}/details").status == 200
    for path, body in (("/cards", {"bin_id": BIN_VISA, "amount": 10}),
                       (f"/cards/{card}/fund", {"amount": 1}),
                       (f"/cards/{card}/withdraw", {"amount": 1}),
                       (f"/cards/{card}/freeze", None),
                       (f"/cards/{card}/unfreeze", None),
                       ("/simulate/deposit",
                        {"currency": "btc", "amount_usd": 100})):
        assert refused(reader.post(path, body), 403, "scope_missing"), path
        assert writer.post(path, body).status in (200, 201), path
    assert refused(reader.patch(f"/cards/{card}", {"label": "x"}), 403,
                   "scope_missing")
    assert refused(reader.delete(f"/cards/{card}"), 403, "scope_missing")
    assert writer.delete(f"/cards/{card}").status == 200


def test_the_scope_is_asked_before_the_card(account):
    reader = account.client(scopes="read")
    assert refused(reader.delete(f"/cards/{MISSING_CARD}"), 403,
                   "scope_missing")


def test_two_kinds_of_credential(account, anonymous):
    reply = anonymous.get("/cards", headers={
        "Authorization": f"Bearer {account.test.key}",
        "X-Seed": "c4f4-6e88-036c-761c"})
    assert refused(reply, 401, "credentials_ambiguous")


def test_a_credential_sent_twice(account, stack):
    line = f"Authorization: Bearer {account.test.key}"
    reply = stack.lines([line, line], method="GET")
    assert reply.status == 400
    reply = stack.lines(["X-Seed: c4f4-6e88-036c-761c"] * 2, method="GET")
    assert reply.status == 400


def test_the_other_dialects_refuse_strangers(anonymous):
    """A credential of another dialect is never taken for a native key."""
    for headers in ({"X-Seed": "c4f4-6e88-036c-761c"},
                    {"X-Seed": "not a seed"},
                    {"Authorization": "api-key 00000000-0000-0000"},
                    {"Authorization": "00000000-0000-0000-0000"}):
        assert anonymous.get("/cards", headers=headers).status == 401


def test_a_native_key_is_no_privacy_key(account, anonymous):
    for value in (f"api-key {account.test.key}", account.test.key):
        reply = anonymous.get("/cards", headers={"Authorization": value})
        assert reply.status == 401


def test_a_privacy_key_is_no_native_key(account, stack):
    key = account.issue(dialect="privacy")["api_key"]
    assert refused(Client(stack, key).get("/cards"), 401,
                   "credentials_invalid")


def test_two_worlds(account, owner):
    account.test.deposit(100)
    card = account.test.card(10)["id"]
    live = account.live
    assert live.get("/cards")["data"] == []
    assert live.get(f"/cards/{card}").status == 404
    assert live.get(f"/cards/{card}/details").status == 404
    assert live.post(f"/cards/{card}/fund", {"amount": 1}).status == 404
    assert live.delete(f"/cards/{card}").status == 404
    assert live.get("/wallet/deposits")["data"] == []
    assert live.wallet()["total_deposited"] == 0
    assert account.test.get(f"/cards/{card}")["status"] == "active"


def test_the_sandbox_is_for_test_keys(account):
    for path, body in (("/simulate/deposit",
                        {"currency": "btc", "amount_usd": 1}),
                       ("/simulate/clock", {"advance_seconds": 0}),
                       ("/simulate/deposit", {"nonsense": 1})):
        assert refused(account.live.post(path, body), 403, "test_mode_only")


def test_a_live_card(account):
    """Money that the operator put into the live wallet works the same."""
    account.adjust("live", 5000)
    card = account.live.card(20)
    assert account.live.details(card["id"]).status == 200
    wallet = account.live.wallet()
    assert wallet["balance"] == 30
    assert wallet["cards_total_balance"] == 20
    assert account.live.delete(f"/cards/{card['id']}")["refunded_amount"] == 20


def forms(card):
    return [("GET", f"/cards/{card}", None),
            ("GET", f"/cards/{card}/details", None),
            ("PATCH", f"/cards/{card}", {"label": "mine"}),
            ("POST", f"/cards/{card}/freeze", None),
            ("POST", f"/cards/{card}/unfreeze", None),
            ("POST", f"/cards/{card}/fund", {"amount": 1}),
            ("POST", f"/cards/{card}/withdraw", {"amount": 1}),
            ("DELETE", f"/cards/{card}", None)]


def test_anothers_card_is_like_a_missing_one(api, card, stranger):
    stranger.test.deposit(100)
    before = api.get(f"/cards/{card['id']}").body
    for ours, missing in zip(forms(card["id"]), forms(MISSING_CARD)):
        replies = [stranger.test.call(method, path, body)
                   for method, path, body in (ours, missing)]
        shown = [({name: value for name, value in reply.body.items()
                   if name != "request_id"},
                  {name: value for name, value in reply.headers.items()
                   if name not in ("X-Request-Id", "Date")})
                 for reply in replies]
        assert shown[0] == shown[1]
        assert shown[0][0]["error"] == "not_found"
    assert api.get(f"/cards/{card['id']}").body == before


def test_anothers_card_takes_as_long_as_a_missing_one(card, stranger):
    times = {card["id"]: [], MISSING_CARD: []}
    for _ in range(200):
        for card_id, taken in times.items():
            began = time.perf_counter()
            stranger.test.get(f"/cards/{card_id}")
            taken.append(time.perf_counter() - began)
    ours, missing = (statistics.median(taken) for taken in times.values())
    assert 0.7 < ours / missing < 1.4, (ours, missing)


def test_anothers_deposit_is_missing(api, stranger):
    deposit = api.get("/wallet/deposits")["data"][0]["id"]
    assert api.get(f"/wallet/deposits/{deposit}").status == 200
    assert stranger.test.get(f"/wallet/deposits/{deposit}").status == 404
    reply = stranger.test.post("/simulate/deposit", {"deposit_id": deposit})
    assert reply.status == 404


def test_last_use_is_kept_for_the_operator(account, owner):
    row = account.issue()
    client = Client(account.stack, row["api_key"])
    client.get("/bins")
    assert until(lambda: owner.value(
        "SELECT last_used_at IS NOT NULL FROM api_keys WHERE public_id = %s",
        row["key_id"]) == 1, 10)


def test_keys_are_stored_as_hashes(account, owner):
    row = account.issue()
    stored = owner.row("SELECT * FROM api_keys WHERE public_id = %s",
                       row["key_id"])
    assert row["api_key"].startswith(stored["prefix"])
    assert len(stored["prefix"]) <= 16 < len(row["api_key"])
    assert all(row["api_key"] != value for value in stored.values())
