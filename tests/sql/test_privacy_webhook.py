# SPDX-License-Identifier: Apache-2.0
"""The one webhook of the Privacy dialect: its row, whose key signs, and that
the native routines leave it alone."""

import threading

import pymysql
import pytest

from conftest import call, numbers, query
from test_webhooks import COURIER, Hooks, hooks, result

URL = "https://example.com/privacy"
EVENTS = ["transaction.authorized", "transaction.declined",
          "transaction.settled", "transaction.refunded",
          "transaction.reversed", "transaction.expired"]


class Privacy(Hooks):
    def key(self, mode="test", dialect="privacy", kept=True):
        row = query(self.world.admin, "CALL admin_key_issue(%s, %s, %s, 'read',"
                    " 'test', NULL, NULL)", self.world.account, mode,
                    dialect)[0]
        if kept:
            self.keep(row["key_id"])
        return row["key_id"]

    def keep(self, key):
        """Sealed, so to say: a test reads whose it is."""
        number = query(self.owner, "SELECT id FROM api_keys WHERE public_id ="
                       " %s", key)[0]["id"]
        query(self.api, "CALL key_keep(%s, %s)", number, b"of " + key.encode())
        query(self.api, "COMMIT")

    def put(self, key, url=URL, wallet=None):
        return call(self.api, "privacy_webhook_put",
                    wallet or self.world.wallet, f"wh_{next(numbers):020d}",
                    key, url)

    def delete(self):
        return self.world.call("privacy_webhook_delete")

    def rows(self):
        return query(self.api, "SELECT * FROM webhook_rows WHERE wallet_id = %s"
                     " AND dialect = 'privacy'", self.world.wallet)

    def pay(self):
        """A transaction event of a card."""
        card = self.world.card()
        row = query(self.owner, "SELECT id, wallet_id FROM cards WHERE"
                    " public_id = %s", card)[0]
        query(self.owner, "START TRANSACTION")
        query(self.owner, "UPDATE cards SET event_sequence = event_sequence + 1"
              " WHERE id = %s", row["id"])
        query(self.owner, "INSERT INTO events (public_id, wallet_id, card_id,"
              " sequence, type, snapshot, created_at) SELECT %s, wallet_id,"
              " id, event_sequence, 'transaction.declined', '{}',"
              " UTC_TIMESTAMP(6) FROM cards WHERE id = %s",
              f"evt_{next(numbers):020d}", row["id"])
        query(self.owner, "COMMIT")

    def signer(self):
        """Whose key signs what is sent now, and what of it the courier has."""
        self.pay()
        rows = self.claim()
        assert len({(r["secret_of"], r["secret_sealed"]) for r in rows}) == 1
        self.record(*(result(r) for r in rows))
        secret, of = rows[0]["secret_sealed"], rows[0]["secret_of"]
        assert secret == (b"of " + of.encode() if of else b"")
        renewed = query(self.courier, "CALL courier_renew(%s, %s, 20)", COURIER,
                        str(rows[0]["webhook_id"]))
        assert [(r["secret_of"], r["secret_sealed"]) for r in renewed] == [
            (of, secret)]
        query(self.courier, "CALL courier_release(%s, '')", COURIER)
        return of


@pytest.fixture
def privacy(world):
    return Privacy(world)


def test_life(privacy):
    key = privacy.key()
    made = privacy.put(key)
    assert (made["outcome"], made["dialect"], made["url"], made["status"],
            made["active"]) == ("ok", "privacy", URL, "enabled", 1)
    assert made["event_types"].split(",") == EVENTS
    row = privacy.row(made["public_id"])
    assert (row["secret_sealed"], row["previous_secret_sealed"]) == (b"", None)
    again = privacy.put(privacy.key(), URL + "/2")
    assert again == {**made, "url": URL + "/2"}
    assert privacy.row(made["public_id"])["api_key_id"] != row["api_key_id"]
    assert [r["id"] for r in privacy.rows()] == [made["id"]]
    assert privacy.delete() == {"outcome": "ok"}
    assert privacy.rows() == []
    assert privacy.delete() == {"outcome": "not_found"}
    assert privacy.put(key)["id"] != made["id"]
    assert privacy.put(key, wallet=10 ** 12) == {
        **dict.fromkeys(made), "outcome": "not_found"}


def test_two_at_once_are_one(privacy):
    world, key = privacy.world, privacy.key()
    other = world.installation.connect("cardstock_api_user")
    query(privacy.api, "START TRANSACTION")
    query(privacy.api, "CALL privacy_webhook_put(%s, %s, %s, %s)",
          world.wallet, f"wh_a{world.wallet}", key, URL)
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(call(
        other, "privacy_webhook_put", world.wallet, f"wh_b{world.wallet}",
        key, URL + "/2")))
    thread.start()
    thread.join(0.3)
    assert outcomes == []
    query(privacy.api, "COMMIT")
    thread.join(20)
    assert outcomes[0]["public_id"] == f"wh_a{world.wallet}"
    assert [row["url"] for row in privacy.rows()] == [URL + "/2"]
    other.close()


def test_a_payment_does_not_wait_for_it(privacy):
    world, key = privacy.world, privacy.key()
    privacy.put(key)
    card = world.card()
    query(privacy.owner, "START TRANSACTION")
    query(privacy.owner, "SELECT id FROM webhooks WHERE wallet_id = %s"
          " FOR UPDATE", world.wallet)
    privacy.happen(1, card)
    query(privacy.owner, "ROLLBACK")


def test_whose_key_signs(privacy):
    admin = privacy.world.admin
    first, second, third = privacy.key(), privacy.key(), privacy.key()
    privacy.key("live")
    privacy.put(first)
    assert privacy.signer() == first
    query(admin, "CALL admin_key_revoke(%s)", first)
    assert privacy.signer() == third
    query(admin, "CALL admin_key_expire(%s, '2020-01-01')", third)
    assert privacy.signer() == second
    fresh = privacy.key(kept=False)
    assert privacy.signer() == second
    privacy.put(fresh)
    assert privacy.signer() == second
    privacy.keep(fresh)
    assert privacy.signer() == fresh
    privacy.put(second)
    assert privacy.signer() == second
    query(admin, "CALL admin_key_revoke(%s)", second)
    query(admin, "CALL admin_key_revoke(%s)", fresh)
    assert privacy.signer() is None


def test_what_it_is_told(privacy):
    made = privacy.put(privacy.key())
    native = privacy.add("*")
    privacy.happen(2)
    privacy.pay()
    assert privacy.types(made["public_id"]) == ["transaction.declined"]
    assert len(privacy.deliveries(native)) == 5
    rows = {row["webhook_public_id"]: row for row in privacy.claim()}
    sent, other = rows[made["public_id"]], rows[native]
    assert (sent["dialect"], other["dialect"]) == ("privacy", "native")
    assert (other["secret_of"], other["secret_sealed"]) == (native, b"sealed")
    funding = query(privacy.api, "SELECT * FROM funding_rows WHERE wallet_id ="
                    " %s", privacy.world.wallet)[0]
    assert (sent["funding_public_id"], sent["account_public_id"],
            sent["account_name"]) == (
        funding["public_id"], privacy.world.account, "Acme")
    assert other["funding_public_id"] is None


def test_native_routines_leave_it_alone(privacy):
    world = privacy.world
    name = privacy.put(privacy.key())["public_id"]
    privacy.pay()
    event = privacy.deliveries(name)[0]["event_public_id"]
    before = privacy.row(name)
    for routine, parameters in (
            ("webhook_update", (None, None, "*", False)),
            ("webhook_delete", ()), ("webhook_rotate", (b"s",)),
            ("webhook_ping", ()),
            ("webhook_replay", (None, None, True, 10000))):
        assert world.call(routine, name, *parameters)["outcome"] == \
            "not_found", routine
    assert world.call("event_resend", event, name)["outcome"] == \
        "webhook_not_found"
    assert privacy.row(name) == before
    # And it does not count among the twenty.
    for _ in range(20):
        privacy.add()
    privacy.delete()
    assert privacy.put(privacy.key())["outcome"] == "ok"


def test_disabled(privacy):
    admin, key = privacy.world.admin, privacy.key()
    name = privacy.put(key)["public_id"]
    query(privacy.owner, "UPDATE webhooks SET disabled_at = '2026-01-01',"
          " disabled_reason = 'failing', failing_since = '2026-01-01',"
          " held_until = '2030-01-01' WHERE public_id = %s", name)
    privacy.pay()
    assert privacy.deliveries(name) == []
    assert privacy.put(key)["status"] == "enabled"
    row = privacy.row(name)
    assert (row["failing_since"], row["held_until"]) == (None, None)
    shown = query(admin, "CALL admin_webhook_disable(%s, 'ticket 1')", name)[0]
    assert (shown["dialect"], shown["disabled_reason"]) == ("privacy",
                                                            "operator")
    assert privacy.put(key)["outcome"] == "webhook_disabled"
    assert query(admin, "CALL admin_webhook_enable(%s, 'mended')", name)[0][
        "status"] == "enabled"
    assert query(admin, "CALL admin_delivery_retry(%s)", name)[0][
        "deliveries"] == 0
    assert privacy.put(key)["outcome"] == "ok"
    privacy.delete()
    with pytest.raises(pymysql.MySQLError, match="no webhook of this id"):
        query(admin, "CALL admin_webhook_disable(%s, 'ticket 2')", name)


def test_an_account_that_closes(privacy):
    name = privacy.put(privacy.key())["public_id"]
    query(privacy.world.admin, "CALL admin_account_close(%s)",
          privacy.world.account)
    assert privacy.shown(name)["status"] == "disabled"


def test_it_goes_in_time(privacy):
    """With the last event that names it, as any other endpoint."""
    name = privacy.put(privacy.key())["public_id"]
    privacy.delete()
    privacy.change(name, deleted_at="2020-01-01")
    query(privacy.world.installation.keeper, "CALL keeper_events(100, 30)")
    assert query(privacy.owner, "SELECT id FROM webhooks WHERE public_id = %s",
                 name) == []
