# SPDX-License-Identifier: Apache-2.0
"""Accounts, funding sources and the status in the Privacy dialect; tokens and
the kept keys behind them."""

import re
import secrets
import time

import pytest
from conftest import PrivacyClient, until

NOBODY = "b0f0d91a-3697-46d8-85f3-20f0a585cbea"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.fixture
def privacy(account):
    return account.privacy()


def page(reply, data):
    assert reply.status == 200, reply
    assert reply.body == {"data": data, "page": 1, "total_entries": len(data),
                          "total_pages": len(data), "has_more": False}, reply
    assert list(reply.body) == ["data", "page", "total_entries",
                                "total_pages", "has_more"]


# --- status ------------------------------------------------------------------


def test_status(privacy, anonymous):
    assert privacy.get("/status").body == {"message": "OK"}
    # Without a credential it is the native one's.
    assert anonymous.get("/status")["status"] == "ok"


# --- accounts ----------------------------------------------------------------


def test_the_account_of_the_key(account, privacy, owner):
    listed = privacy.get("/accounts")
    one, = listed["data"]
    page(listed, [one])
    assert re.fullmatch(UUID, one["token"])
    assert one["token"] == owner.value("SELECT uuid_of_id(%s)", account.id)
    assert owner.value("SELECT id_of_uuid(%s, 'acct_')", one["token"]) == \
        account.id
    created = owner.value("SELECT created_at FROM accounts WHERE public_id ="
                          " %s", account.id)
    assert one == {
        "token": one["token"], "state": "ACTIVE",
        "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "spend_limit": {"daily": 0, "monthly": 0, "lifetime": 0}}
    assert list(one) == ["token", "state", "created", "spend_limit"]
    for token in (one["token"], one["token"].upper()):
        assert privacy.get(f"/accounts/{token}").body == one
    # The same one by a key of the other world.
    assert account.privacy("live").get("/accounts")["data"] == [one]


def test_an_account_is_nobody_else_s(account, stranger):
    theirs = stranger.privacy().get("/accounts")["data"][0]["token"]
    ours = account.privacy()
    assert ours.get(f"/accounts/{theirs}").status == 404
    assert ours.patch(f"/accounts/{theirs}", {}).status == 404


def test_limits_of_an_account_are_none(privacy):
    one, = privacy.get("/accounts")["data"]
    path = f"/accounts/{one['token']}"
    for body in (None, {}, {"state": "ACTIVE"},
                 {"daily_spend_limit": 0, "monthly_spend_limit": 0,
                  "lifetime_spend_limit": 0}):
        reply = privacy.patch(path, body)
        assert (reply.status, reply.body) == (200, one)
    for name in ("daily", "monthly", "lifetime"):
        reply = privacy.patch(path, {f"{name}_spend_limit": 1})
        assert reply.status == 422, reply
        assert "spend limits" in reply.message
        assert privacy.patch(path, {f"{name}_spend_limit": -1}).status == 400
    reply = privacy.patch(path, {"state": "PAUSED"})
    assert reply.status == 422 and "paused" in reply.message
    assert privacy.get(path).body == one


# --- funding sources ---------------------------------------------------------


def test_the_wallet_is_the_funding_source(account, privacy, owner, wallet_id):
    listed = privacy.get("/funding_sources")
    one, = listed["data"]
    page(listed, [one])
    row = owner.row("SELECT w.public_id, w.created_at, a.name FROM wallets w"
                    " JOIN accounts a ON a.id = w.account_id WHERE w.id = %s",
                    wallet_id)
    assert re.fullmatch("wal_[0-9A-Za-z]{20}", row["public_id"])
    assert re.fullmatch(r"\d{4}", one["last_four"])
    assert one == {
        "created": row["created_at"].strftime("%Y-%m-%d %H:%M:%S"),
        "token": owner.value("SELECT uuid_of_id(%s)", row["public_id"]),
        "type": "DEPOSITORY_CHECKING", "state": "ENABLED", "nickname": "",
        "account_name": row["name"], "last_four": one["last_four"]}
    assert list(one) == ["created", "token", "type", "state", "nickname",
                         "account_name", "last_four"]
    for path in ("/fundingsource", "/fundingsource/bank", "/fundingsource/"):
        page(privacy.get(path), [one])
    page(privacy.get("/fundingsource/card"), [])
    token = privacy.get("/accounts")["data"][0]["token"]
    page(privacy.get("/funding_sources", account_token=token), [one])
    # Each world has its own.
    other, = account.privacy("live").get("/funding_sources")["data"]
    assert other["token"] != one["token"]


def test_another_account_s_token_names_nothing(account, stranger):
    theirs = stranger.privacy().get("/accounts")["data"][0]["token"]
    ours = account.privacy()
    for token in (theirs, NOBODY):
        reply = ours.get("/funding_sources", account_token=token)
        assert reply.status == 400
        assert reply.message == ("account_token is not a valid parameter: must"
                                 " be the account of the API key")
    reply = ours.get("/funding_sources", account_token="x" * 36)
    assert reply.message.endswith("must be a UUID")


def test_days_bound_the_lists(privacy, owner):
    day = owner.value("SELECT CONCAT(UTC_DATE())")
    after = owner.value("SELECT CONCAT(UTC_DATE() + INTERVAL 1 DAY)")
    before = owner.value("SELECT CONCAT(UTC_DATE() - INTERVAL 1 DAY)")
    for path in ("/accounts", "/funding_sources"):
        for query, count in (
                ({"begin": before, "end": after}, 1), ({"begin": after}, 0),
                ({"end": before}, 0), ({"begin": before}, 1)):
            reply = privacy.get(path, **query)
            assert reply["total_entries"] == count, (query, reply)
            assert len(reply["data"]) == count
        assert privacy.get(path, begin=day, end=day)["total_entries"] == 0


def test_pages_of_one(privacy):
    for path in ("/accounts", "/funding_sources"):
        one, = privacy.get(path)["data"]
        second = privacy.get(path, page=2, page_size=1)
        assert second.body == {"data": [], "page": 2, "total_entries": 1,
                               "total_pages": 1, "has_more": False}
        for name in ("starting_after", "ending_before"):
            reply = privacy.get(path, **{name: one["token"]})
            assert reply["data"] == [] and reply["total_entries"] == 1


def test_a_nickname(privacy):
    one, = privacy.get("/funding_sources")["data"]
    path = f"/funding_sources/{one['token']}"
    name = "Été " + "x" * 60
    reply = privacy.patch(path, {"nickname": name, "state": "ENABLED"})
    assert (reply.status, reply.body) == (200, one | {"nickname": name})
    assert privacy.get("/funding_sources")["data"] == [reply.body]
    assert privacy.patch(path + "/", {}).body == reply.body
    assert privacy.patch(path, {"nickname": ""}).body == one


def test_a_wallet_is_always_enabled(privacy):
    one, = privacy.get("/funding_sources")["data"]
    for state in ("DELETED", "PENDING"):
        reply = privacy.patch(f"/funding_sources/{one['token']}",
                              {"state": state, "nickname": "Gone"})
        assert reply.status == 422, reply
    assert privacy.get("/funding_sources")["data"] == [one]


def test_a_funding_source_is_nobody_else_s(account, stranger):
    theirs = stranger.privacy().get("/funding_sources")["data"][0]["token"]
    live = account.privacy("live").get("/funding_sources")["data"][0]["token"]
    ours = account.privacy()
    for token in (theirs, live, NOBODY):
        assert ours.patch(f"/funding_sources/{token}",
                          {"nickname": "x"}).status == 404


@pytest.mark.parametrize("path", ["/funding_sources", "/fundingsource/bank"])
@pytest.mark.parametrize("body", [
    None, {"routing_number": "021000021", "account_number": "1",
           "account_name": "Mine"},
    {"validation_method": "BANK", "account_token": NOBODY}])
def test_no_other_source_is_added(privacy, path, body):
    reply = privacy.post(path, body)
    assert reply.status == 422, reply
    assert "deposit to the wallet" in reply.message
    assert len(privacy.get("/funding_sources")["data"]) == 1


# --- the keys behind it ------------------------------------------------------


def kept(owner, key_id):
    return owner.value("SELECT key_sealed FROM api_keys WHERE public_id = %s",
                       key_id)


def test_a_key_is_kept_once_it_was_used(account, owner, admin, env):
    row = account.issue(dialect="privacy")
    native = account.issue()
    key_id = row["key_id"]
    assert kept(owner, key_id) is None
    assert PrivacyClient(account.stack, "x" + row["api_key"]).get(
        "/accounts").status == 401
    assert PrivacyClient(account.stack, row["api_key"]).get(
        "/accounts").status == 200
    assert until(lambda: kept(owner, key_id) is not None)
    sealed = kept(owner, key_id)
    assert row["api_key"].encode() not in sealed
    assert len(sealed) == 30 + len(row["api_key"])
    # Once: other workers find it there.
    for _ in range(20):
        PrivacyClient(account.stack, row["api_key"]).get("/accounts")
    time.sleep(0.3)
    assert kept(owner, key_id) == sealed
    assert kept(owner, native["key_id"]) is None
    admin.call("admin_key_revoke", key_id)
    assert kept(owner, key_id) is None


def test_a_closed_account_s_keys_are_gone(account, owner, admin):
    row = account.issue(dialect="privacy")
    PrivacyClient(account.stack, row["api_key"]).get("/accounts")
    assert until(lambda: kept(owner, row["key_id"]) is not None)
    admin.call("admin_account_close", account.id)
    assert kept(owner, row["key_id"]) is None


def test_every_wallet_has_an_id(owner, admin):
    admin.call("admin_account_create", "test " + secrets.token_hex(6))
    ids = [row["public_id"] for row in
           owner.rows("SELECT public_id FROM wallets")]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("wal_[0-9A-Za-z]{20}", one) for one in ids)
