# SPDX-License-Identifier: Apache-2.0
"""Endpoints, the fan-out in the transaction of a change, the queue that
couriers share, what becomes of attempts, and what is removed in time."""

import base64
import contextlib
import datetime
import json
import threading

import pymysql
import pytest

from conftest import call, check_books, numbers, query

HOUR = datetime.timedelta(hours=1)
COURIER = "courier000000001"
OTHER = "courier000000002"


class Hooks:
    """The webhooks of a world, and couriers that see nobody else's."""

    def __init__(self, world):
        self.world = world
        self.owner, self.api, self.courier = (
            world.owner, world.api, world.installation.courier)
        # Couriers serve all; what other tests left is none of ours.
        query(self.owner, "DELETE FROM deliveries")
        query(self.owner, "UPDATE webhooks SET leased_by = NULL,"
              " leased_until = NULL")

    def add(self, events="*", **changes):
        values = dict(public_id=f"wh_{next(numbers):020d}",
                      url="https://example.com/hook", description="",
                      events=events, secret=b"sealed") | changes
        row = self.world.call("webhook_create", *values.values())
        assert row["outcome"] == "ok", row
        return row["public_id"]

    def row(self, webhook):
        return query(self.owner, "SELECT * FROM webhooks WHERE public_id = %s",
                     webhook)[0]

    def shown(self, webhook):
        return query(self.api, "SELECT * FROM webhook_rows WHERE public_id ="
                     " %s", webhook)[0]

    def change(self, webhook, **columns):
        for column, value in columns.items():
            query(self.owner, f"UPDATE webhooks SET {column} = %s WHERE"
                  " public_id = %s", value, webhook)

    def happen(self, count=1, card=None):
        """Events of a card; its own creation is not counted."""
        card = card or self.world.card()
        for _ in range(count):
            self.world.call("card_update", card, f"l{next(numbers)}", None,
                            None, None, None)
        return card

    def claim(self, courier=COURIER, limit=64, each=64, lease=20, full=""):
        return query(self.courier, "CALL courier_claim(%s, %s, %s, %s, %s)",
                     courier, limit, each, lease, full)

    def record(self, *results):
        rows = query(self.courier, "CALL courier_record(%s)",
                     json.dumps(results))
        assert list(rows[0]) == ["recorded"]
        return rows[0]["recorded"]

    def deliveries(self, webhook):
        return query(self.api, "SELECT * FROM delivery_rows WHERE"
                     " webhook_public_id = %s ORDER BY id", webhook)

    def types(self, webhook):
        return [row["event_type"] for row in self.deliveries(webhook)]

    def advance(self, **time):
        self.world.call("simulate_clock",
                        int(datetime.timedelta(**time).total_seconds()))


def result(row, outcome="delivered", **changes):
    values = dict(id=row["delivery_id"], claim=row["claim"], outcome=outcome,
                  delay_s=None, hold_s=None,
                  status=200 if outcome == "delivered" else 500, error=None,
                  ms=12, at=str(datetime.datetime.now(datetime.timezone.utc)
                                .replace(tzinfo=None)), answer=None)
    assert changes.keys() <= values.keys()
    return values | changes


@pytest.fixture
def hooks(world):
    return Hooks(world)


# --- endpoints ---------------------------------------------------------------

def test_life_of_an_endpoint(hooks):
    world = hooks.world
    webhook = hooks.add("card.created,card.frozen", description="books")
    row = hooks.shown(webhook)
    assert (row["active"], row["status"], row["event_types"],
            row["description"], row["dialect"]) == (
                1, "enabled", "card.created,card.frozen", "books", "native")
    assert not any("secret" in column for column in row)
    row = world.call("webhook_update", webhook, None, None, "*", None)
    assert (row["event_types"], row["description"]) == ("*", "books")
    row = world.call("webhook_update", webhook, "https://b/", "x", None, False)
    assert (row["status"], row["disabled_reason"], row["url"]) == (
        "disabled", "customer", "https://b/")
    assert world.call("webhook_ping", webhook)["outcome"] == "webhook_disabled"
    row = world.call("webhook_update", webhook, None, None, None, True)
    assert (row["status"], row["disabled_at"]) == ("enabled", None)
    assert world.call("webhook_delete", webhook) == {"outcome": "ok"}
    row = hooks.row(webhook)
    assert (row["secret_sealed"], row["previous_secret_sealed"]) == (b"", None)
    for routine, parameters in (
            ("webhook_delete", ()), ("webhook_ping", ()),
            ("webhook_update", (None,) * 4), ("webhook_rotate", (b"s",)),
            ("webhook_replay", (None, None, True, 10000))):
        for wallet, name in ((world.wallet, webhook), (world.wallet, "wh_x"),
                             (world.wallets["live"], hooks.add())):
            assert call(world.api, routine, wallet, name, *parameters)[
                "outcome"] == "not_found", routine


def test_twenty_at_most(hooks):
    webhooks = [hooks.add() for _ in range(20)]
    parameters = ("https://x/", "", "*", b"s")
    assert hooks.world.call("webhook_create", "wh_21", *parameters)[
        "outcome"] == "webhook_limit_reached"
    live = hooks.world.wallets["live"]
    assert call(hooks.api, "webhook_create", live, f"wh_live_{live}",
                *parameters)["outcome"] == "ok"
    hooks.world.call("webhook_delete", webhooks[3])
    hooks.add()


def test_two_at_once_are_not_twenty_one(hooks):
    for _ in range(19):
        hooks.add()
    other = hooks.world.installation.connect("cardstock_api_user")
    query(hooks.api, "START TRANSACTION")
    query(hooks.api, "CALL webhook_create(%s, %s, 'https://x/', '', '*', 's')",
          hooks.world.wallet, f"wh_a{hooks.world.wallet}")
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(call(
        other, "webhook_create", hooks.world.wallet,
        f"wh_b{hooks.world.wallet}", "https://x/", "", "*", b"s")["outcome"]))
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    query(hooks.api, "COMMIT")
    thread.join()
    other.close()
    assert outcomes == ["webhook_limit_reached"]


def test_rotation_overlaps_for_a_day(hooks):
    webhook = hooks.add(secret=b"one")
    hooks.happen()

    def secrets():
        query(hooks.owner, "UPDATE deliveries SET due_at = '1970-01-01',"
              " leased_until = NULL")
        row = hooks.claim()[0]
        return row["secret_sealed"], row["previous_secret_sealed"]

    assert secrets() == (b"one", None)
    assert hooks.world.call("webhook_rotate", webhook,
                            b"two")["outcome"] == "ok"
    assert secrets() == (b"two", b"one")
    hooks.advance(hours=23)
    assert secrets() == (b"two", b"one")
    hooks.world.call("webhook_rotate", webhook, b"three")
    assert secrets() == (b"three", b"two")
    hooks.advance(hours=24)
    assert secrets() == (b"three", None)


# --- fan-out -----------------------------------------------------------------

def test_who_is_told(hooks):
    world = hooks.world
    everything = hooks.add()
    exact = hooks.add("card.create,card.updated")
    frozen = hooks.add("card.frozen,card.unfrozen")
    off, gone = hooks.add(), hooks.add()
    world.call("webhook_update", off, None, None, None, False)
    world.call("webhook_delete", gone)
    live = f"wh_live{next(numbers)}"
    call(hooks.api, "webhook_create", world.wallets["live"], live,
         "https://x/", "", "*", b"s")
    card = world.card()
    world.call("card_freeze", card, "customer")
    world.call("card_unfreeze", card)
    hooks.happen(card=card)
    assert hooks.types(everything) == ["card.created", "card.frozen",
                                       "card.unfrozen", "card.updated"]
    assert hooks.types(exact) == ["card.updated"]
    assert hooks.types(frozen) == ["card.frozen", "card.unfrozen"]
    for webhook in (off, gone, live):
        assert hooks.types(webhook) == []
    row = hooks.deliveries(everything)[0]
    event = query(hooks.owner, "SELECT * FROM events WHERE id = %s",
                  row["event_id"])[0]
    assert (row["status"], row["attempts"], row["next_attempt_at"],
            row["finished_at"]) == ("pending", 0, event["created_at"], None)


def test_no_change_no_delivery(hooks):
    webhook = hooks.add()
    card = hooks.world.card()
    before = hooks.types(webhook)
    query(hooks.api, "START TRANSACTION")
    query(hooks.api, "CALL card_freeze(%s, %s, 'customer')",
          hooks.world.wallet, card)
    query(hooks.api, "ROLLBACK")
    assert hooks.types(webhook) == before


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_payments_and_couriers_do_not_wait_for_each_other(hooks, isolation):
    """In an operator's sessions, whose isolation is the server's, too."""
    webhook = hooks.add()
    card = hooks.happen(2)
    first = hooks.world.installation.connect("cardstock_owner")
    with contextlib.closing(first):
        query(first, f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")
        for connection in (first, hooks.api, hooks.courier):
            query(connection, "SET innodb_lock_wait_timeout = 1")
        # A courier and the API hold the endpoint: a payment goes on.
        query(hooks.owner, "START TRANSACTION")
        query(hooks.owner, "UPDATE webhooks SET leased_by = 'x' WHERE"
              " public_id = %s", webhook)
        query(hooks.owner, "UPDATE deliveries SET claim = claim + 1,"
              " due_at = UTC_TIMESTAMP(6) WHERE queue_webhook_id IS NOT NULL")
        query(first, "CALL admin_card_freeze(%s, 'x')", card)
        query(first, "CALL admin_card_unfreeze(%s, 'x')", card)
        query(hooks.owner, "ROLLBACK")
        # A payment is open: couriers go on, past what is not committed.
        query(first, "START TRANSACTION")
        query(first, "CALL card_freeze(%s, %s, 'customer')",
              hooks.world.wallet, card)
        claimed = hooks.claim()
        assert [row["event_type"] for row in claimed] == [
            "card.created", "card.updated", "card.updated", "card.frozen",
            "card.unfrozen"]
        assert hooks.record(*map(result, claimed)) == 5
        hooks.world.call("webhook_update", webhook, None, "new", None, None)
        query(first, "COMMIT")
        assert [row["event_type"] for row in hooks.claim()] == ["card.frozen"]
        for connection in (hooks.api, hooks.courier):
            query(connection, "SET innodb_lock_wait_timeout = DEFAULT")


def test_operators_do_not_hold_up_payments(hooks):
    """admin_delivery_retry in a session of the server's own isolation."""
    hooks.add()
    webhook = hooks.add()
    card = hooks.happen(3)
    hooks.record(*(result(row, "failed") for row in hooks.claim()))
    operator = hooks.world.installation.connect("cardstock_owner")
    with contextlib.closing(operator):
        query(operator, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE"
              " READ")
        query(operator, "START TRANSACTION")
        query(operator, "CALL webhook_replay_apply((SELECT id FROM webhooks"
              " WHERE public_id = %s), NULL, NULL, TRUE, 10, @o, @n)", webhook)
        query(hooks.api, "SET innodb_lock_wait_timeout = 1")
        hooks.happen(card=card)
        query(operator, "ROLLBACK")
        query(hooks.api, "SET innodb_lock_wait_timeout = DEFAULT")


def test_suspended_accounts_are_told_closed_ones_are_not(hooks):
    world = hooks.world
    webhook = hooks.add()
    card = world.card()
    query(world.admin, "CALL admin_account_suspend(%s)", world.account)
    query(world.admin, "CALL admin_card_freeze(%s, 'x')", card)
    assert [row["event_type"] for row in hooks.claim()] == ["card.created",
                                                            "card.frozen"]
    query(world.admin, "CALL admin_account_close(%s)", world.account)
    assert hooks.shown(webhook)["disabled_reason"] == "operator"
    query(world.admin, "CALL admin_card_unfreeze(%s, 'x')", card)
    assert len(hooks.types(webhook)) == 2


def test_ping_goes_to_its_endpoint_only(hooks):
    hooks.add()
    webhook = hooks.add("card.frozen")
    row = hooks.world.call("webhook_ping", webhook)
    claimed = hooks.claim()
    assert [(r["webhook_public_id"], r["event_type"], r["event_public_id"],
             r["card_id"]) for r in claimed] == [
                 (webhook, "webhook.ping", row["event_public_id"], None)]
    snapshot = json.loads(claimed[0]["snapshot"])
    assert snapshot["public_id"] == webhook and "sealed" not in str(snapshot)
    assert hooks.world.call("event_resend", row["event_public_id"],
                            webhook)["outcome"] == "ok"
    assert hooks.world.call("event_resend", row["event_public_id"],
                            hooks.add())["outcome"] == "webhook_not_found"
    assert hooks.world.call("webhook_replay", hooks.add(), None, None, False,
                            10)["deliveries"] == 0


# --- claims ------------------------------------------------------------------

CLAIMED = """delivery_id claim tries webhook_id webhook_public_id dialect url
  secret_of secret_sealed previous_secret_sealed event_id event_public_id
  event_type card_id card_public_id mode sequence created_at snapshot
  body_sealed wallet_id funding_public_id nickname funding_created_at
  account_public_id account_name""".split()


def test_claim_and_body(hooks):
    webhook = hooks.add()
    card = hooks.happen(0)
    (row,) = hooks.claim()
    assert list(row) == CLAIMED
    assert (row["claim"], row["tries"], row["url"], row["card_public_id"],
            row["mode"], row["sequence"], row["body_sealed"]) == (
                1, 0, "https://example.com/hook", card, "test", 1, None)
    assert json.loads(row["snapshot"])["public_id"] == card
    assert hooks.claim() == []
    bodies = [{"event_id": row["event_id"], "dialect": "native",
               "body": base64.b64encode(body).decode()}
              for body in (b"\x00\xff'\"", b"second")]
    for body in bodies:
        assert query(hooks.courier, "CALL courier_keep(%s)",
                     json.dumps([body])) == [
            {"event_id": row["event_id"], "dialect": "native",
             "body_sealed": b"\x00\xff'\""}]
    hooks.record(result(row, "retry", delay_s=0))
    (row,) = hooks.claim()
    assert (row["claim"], row["tries"], row["snapshot"],
            row["body_sealed"]) == (2, 1, None, b"\x00\xff'\"")
    assert hooks.shown(webhook)["status"] == "failing"


def test_limits_and_room(hooks):
    one, two = hooks.add(), hooks.add()
    hooks.happen(9)
    ids = {name: hooks.row(name)["id"] for name in (one, two)}
    claimed = hooks.claim(limit=12, each=4)
    assert sorted(row["webhook_id"] for row in claimed) == sorted(
        [ids[one]] * 4 + [ids[two]] * 4)
    assert [row["sequence"] for row in claimed] == [1, 2, 3, 4] * 2
    assert {row["webhook_id"] for row in hooks.claim(
        limit=3, full=f"{ids[one]},99999")} == {ids[two]}
    # Whose turn was longest ago.
    assert {row["webhook_id"] for row in hooks.claim(limit=1)} == {ids[one]}
    assert hooks.claim(limit=10, full=f"{ids[two]},{ids[one]}") == []


def test_retries_have_a_quarter(hooks):
    webhook = hooks.add()
    card = hooks.happen(7)
    hooks.record(*(result(row, "retry", delay_s=0) for row in hooks.claim()))
    hooks.happen(8, card)
    hooks.change(webhook, failing_since=None)
    claimed = hooks.claim(each=8)
    assert [row["tries"] for row in claimed] == [1, 1] + [0] * 6
    assert [row["sequence"] for row in claimed] == [1, 2, 9, 10, 11, 12, 13,
                                                    14]
    claimed = hooks.claim(each=8)
    assert [row["sequence"] for row in claimed] == [3, 4, 5, 6, 7, 8, 15, 16]


def test_two_couriers_never_claim_the_same(hooks):
    for _ in range(6):
        hooks.add()
    hooks.happen(60)
    total = 6 * 61
    taken, errors = [], []

    def again(connection, statement, *parameters):
        """As couriers do: neighbours in an index may meet in a deadlock."""
        for _ in range(20):
            try:
                return query(connection, statement, *parameters)
            except pymysql.OperationalError as error:
                if error.args[0] != 1213:
                    raise
        raise AssertionError("deadlocks without end")

    def work(name):
        connection = hooks.world.installation.connect("cardstock_courier_user")
        try:
            for _ in range(60):
                rows = again(connection, "CALL courier_claim(%s, 16, 8, 20,"
                             " '')", name)
                taken.extend((name, r["webhook_id"], r["delivery_id"])
                             for r in rows)
                again(connection, "CALL courier_record(%s)",
                      json.dumps([result(r) for r in rows]))
        except pymysql.MySQLError as error:
            errors.append(error)
        connection.close()

    threads = [threading.Thread(target=work, args=(name,))
               for name in (COURIER, OTHER, "courier000000003")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(taken) == len({delivery for _, _, delivery in taken}) == total
    # An endpoint is one courier's.
    assert len({pair[:2] for pair in taken}) == 6
    assert query(hooks.owner, "SELECT DISTINCT status FROM deliveries") == [
        {"status": "delivered"}]


@pytest.mark.parametrize("routine, parameters", [
    ("courier_claim_endpoint", ", 64, 20, @ids, @count"),
    ("courier_take_over", ""),
    ("courier_fail_dead", ""),
])
def test_one_queue_locks_nothing_of_its_neighbours(hooks, routine,
                                                   parameters):
    """Two couriers that did would wait for each other."""
    ids = [hooks.row(hooks.add())["id"] for _ in range(3)]
    hooks.happen(3)
    assert hooks.record(*(result(row, "retry", delay_s=0)
                          for row in hooks.claim())) == 12
    operator = hooks.world.installation.connect("cardstock_owner")
    with contextlib.closing(operator):
        query(operator, "SET @ids = ''")
        query(operator, "START TRANSACTION")
        query(operator, f"CALL {routine}(%s, UTC_TIMESTAMP(6){parameters})",
              ids[1])
        query(hooks.owner, "START TRANSACTION")
        free = [row["id"] for row in query(
            hooks.owner, "SELECT queue_webhook_id AS id FROM deliveries FORCE"
            " INDEX (queue) WHERE queue_webhook_id IN (%s, %s) FOR UPDATE"
            " SKIP LOCKED", ids[0], ids[2])]
        query(hooks.owner, "ROLLBACK")
    assert free == [ids[0]] * 4 + [ids[2]] * 4


def test_attempts_without_end(hooks):
    """More than a row can count: what is new is still recorded."""
    webhook = hooks.add()
    hooks.happen(0)
    (row,) = hooks.claim()
    query(hooks.owner, "UPDATE deliveries SET attempts = 65534 WHERE id = %s",
          row["delivery_id"])
    for _ in range(3):
        hooks.record(result(row, "retry", delay_s=0))
        (row,) = hooks.claim()
    hooks.record(result(row))
    (shown,) = hooks.deliveries(webhook)
    assert shown["status"] == "delivered"
    (newest,) = query(hooks.owner, "SELECT number, status FROM"
                      " delivery_attempts WHERE delivery_id = %s",
                      row["delivery_id"])
    assert newest == {"number": 65535, "status": 200}


def test_killed_courier(hooks):
    """Its endpoint and what it had are another's after the lease, in order,
    before what is new."""
    hooks.add()
    card = hooks.happen(5)
    assert len(hooks.claim(each=4)) == 4
    assert hooks.claim(OTHER) == []
    query(hooks.owner, "UPDATE webhooks SET leased_until = UTC_TIMESTAMP(6)"
          " - INTERVAL 1 SECOND")
    query(hooks.owner, "UPDATE deliveries SET leased_until = UTC_TIMESTAMP(6)"
          " - INTERVAL 1 SECOND, due_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND"
          " WHERE claim = 1")
    hooks.happen(1, card)
    claimed = hooks.claim(OTHER)
    assert [(row["sequence"], row["claim"]) for row in claimed] == [
        (1, 2), (2, 2), (3, 2), (4, 2), (5, 1), (6, 1), (7, 1)]
    assert hooks.claim(COURIER) == []


def test_a_test_clock_ends_no_lease(hooks):
    """Due times are the wallet's, leases are not."""
    hooks.add()
    hooks.happen(1)
    assert len(hooks.claim()) == 2
    hooks.advance(days=2)
    assert hooks.claim() == []


def test_release(hooks):
    webhook = hooks.add()
    hooks.happen(3)
    claimed = hooks.claim()
    ids = ",".join(str(row["delivery_id"]) for row in claimed[1:])
    assert query(hooks.courier, "CALL courier_release(%s, %s)", OTHER,
                 ids) == [{"released": 0}]
    assert hooks.row(webhook)["leased_by"] == COURIER
    assert query(hooks.courier, "CALL courier_release(%s, %s)", COURIER,
                 ids) == [{"released": 3}]
    assert [row["sequence"] for row in hooks.claim(OTHER)] == [2, 3, 4]
    assert query(hooks.courier, "CALL courier_release(%s, '')",
                 COURIER) == [{"released": 0}]


@pytest.mark.parametrize("end", ["disable", "delete", "operator"])
def test_disabled_while_rows_are_leased(hooks, end):
    world = hooks.world
    webhook = hooks.add()
    card = hooks.happen(3)
    leased = hooks.claim(limit=2, each=2)
    if end == "disable":
        world.call("webhook_update", webhook, None, None, None, False)
    elif end == "delete":
        world.call("webhook_delete", webhook)
    else:
        query(world.admin, "CALL admin_webhook_disable(%s, 'x')", webhook)
    assert hooks.claim() == []
    hooks.happen(1, card)
    rows = hooks.deliveries(webhook)
    assert [(row["status"], row["last_error"]) for row in rows] == [
        ("pending", None)] * 2 + [("failed", "endpoint_disabled")] * 2
    # What was on its way: one arrived, one did not and is not tried again.
    hooks.record(result(leased[0]), result(leased[1], "retry", delay_s=5))
    assert hooks.claim() == []
    hooks.advance(seconds=6)
    assert hooks.claim() == []
    assert [row["status"] for row in hooks.deliveries(webhook)] == [
        "delivered", "failed", "failed", "failed"]


def test_held_endpoint(hooks):
    webhook = hooks.add()
    other = hooks.add()
    card = hooks.happen(0)
    rows = {row["webhook_public_id"]: row for row in hooks.claim()}
    hooks.record(result(rows[webhook], "retry", delay_s=60, hold_s=60,
                        status=429), result(rows[other]))
    hooks.happen(1, card)
    assert [row["webhook_public_id"] for row in hooks.claim()] == [other]
    hooks.advance(seconds=61)
    assert sorted(row["sequence"] for row in hooks.claim()) == [1, 2]


# --- results -----------------------------------------------------------------

def test_outcomes(hooks):
    webhook = hooks.add()
    hooks.happen(3)
    rows = hooks.claim()
    answer = base64.b64encode(b"\xffanswer").decode()
    assert hooks.record(
        result(rows[0], answer=answer, at="2026-01-02 03:04:05.678901"),
        result(rows[1], "retry", delay_s=300, error="timeout", status=None),
        result(rows[2], "failed", status=302, error="redirect"),
        result(rows[3], "retry", delay_s=5),
        result({"delivery_id": 999999999, "claim": 1})) == 4
    shown = hooks.deliveries(webhook)
    assert [(r["status"], r["attempts"], r["last_error"]) for r in shown] == [
        ("delivered", 1, None), ("pending", 1, "timeout"),
        ("failed", 1, "redirect"), ("pending", 1, "status")]
    assert [r["finished_at"] is None for r in shown] == [False, True, False,
                                                         True]
    late = shown[1]["next_attempt_at"] - shown[3]["next_attempt_at"]
    assert late == datetime.timedelta(seconds=295)
    attempts = query(hooks.api, "SELECT * FROM attempt_rows WHERE delivery_id"
                     " = %s", shown[0]["id"])
    assert [(a["number"], a["started_at"], a["duration_ms"], a["status"],
             a["error"], a["answer_sealed"]) for a in attempts] == [
        (1, datetime.datetime(2026, 1, 2, 3, 4, 5, 678901), 12, 200, None,
         b"\xffanswer")]
    assert attempts[0]["event_public_id"] == shown[0]["event_public_id"]
    for error, status in (("timeout", None), ("redirect", 302)):
        assert query(hooks.world.admin, "SELECT status, attempts, last_status"
                     " FROM admin_deliveries_failed WHERE webhook_id = %s AND"
                     " last_error = %s", webhook, error)[0][
            "last_status"] == status


def test_the_schedule_is_the_wallets_time(hooks):
    webhook = hooks.add()
    hooks.happen(0)
    for tries, hours in enumerate((1, 24, 120)):
        (row,) = hooks.claim()
        assert row["tries"] == tries
        hooks.record(result(row, "retry", delay_s=hours * 3600))
        assert hooks.claim() == []
        hooks.advance(hours=hours, seconds=-2)
        assert hooks.claim() == []
        hooks.advance(seconds=3)
    assert len(hooks.claim()) == 1
    attempts = query(hooks.api, "SELECT a.number, a.started_at FROM"
                     " attempt_rows AS a JOIN delivery_rows AS d ON d.id ="
                     " a.delivery_id WHERE d.webhook_public_id = %s"
                     " ORDER BY number", webhook)
    assert [a["number"] for a in attempts] == [1, 2, 3]
    assert attempts[2]["started_at"] - attempts[1]["started_at"] >= 24 * HOUR


def test_fence(hooks):
    """An old claim's failure changes nothing; what was delivered is."""
    webhook = hooks.add()
    hooks.happen(1)
    old = hooks.claim()
    query(hooks.owner, "UPDATE deliveries SET leased_until = NULL,"
          " due_at = '1970-01-01'")
    new = hooks.claim()
    assert [row["claim"] for row in new] == [2, 2]
    hooks.record(result(old[0], "failed"), result(old[1]))
    shown = hooks.deliveries(webhook)
    assert [(r["status"], r["attempts"]) for r in shown] == [
        ("pending", 1), ("delivered", 1)]
    hooks.record(result(new[0]), result(new[1], "failed"))
    shown = hooks.deliveries(webhook)
    assert [(r["status"], r["attempts"]) for r in shown] == [
        ("delivered", 2), ("delivered", 2)]


def test_a_result_told_twice_counts_once(hooks):
    """As a courier does that lost the answer."""
    webhook = hooks.add()
    hooks.happen(1)
    rows = hooks.claim()
    results = [result(rows[0], "retry", delay_s=300), result(rows[1])]
    assert hooks.record(*results) == 2
    before = hooks.deliveries(webhook), hooks.row(webhook)
    assert hooks.record(*results) == 0
    assert (hooks.deliveries(webhook), hooks.row(webhook)) == before
    assert query(hooks.owner, "SELECT SUM(tries) AS tries FROM deliveries")[0][
        "tries"] == 2


def test_leases_are_kept_and_lost(hooks):
    first, second = hooks.add(), hooks.add(url="https://example.com/old")
    hooks.happen(0)
    ids = {row["webhook_public_id"]: row["webhook_id"]
           for row in hooks.claim(lease=5)}
    asked = f"{ids[first]},{ids[second]}"

    def renew(courier=COURIER):
        return {row["id"]: row["url"] for row in query(
            hooks.courier, "CALL courier_renew(%s, %s, 20)", courier, asked)}

    hooks.change(second, url="https://example.com/new")
    before = hooks.row(first)["leased_until"]
    assert renew() == {ids[first]: "https://example.com/hook",
                       ids[second]: "https://example.com/new"}
    assert hooks.row(first)["leased_until"] - before > \
        datetime.timedelta(seconds=10)
    assert renew("another courier!") == {}
    hooks.change(first, leased_by="another courier!")
    assert renew() == {ids[second]: "https://example.com/new"}
    hooks.world.call("webhook_update", second, None, None, None, False)
    assert renew() == {}


def test_what_is_put_back_is_due_at_once(hooks):
    webhook = hooks.add()
    hooks.happen(2)
    rows = hooks.claim()
    hooks.record(result(rows[0]))
    ids = ",".join(str(row["delivery_id"]) for row in rows[:2])
    query(hooks.courier, "CALL courier_put_back(%s, %s)", "another courier!",
          ids)
    assert hooks.claim() == []
    query(hooks.courier, "CALL courier_put_back(%s, %s)", COURIER, ids)
    again = hooks.claim()
    assert [row["delivery_id"] for row in again] == [rows[1]["delivery_id"]]
    assert again[0]["claim"] == 2
    # The endpoint stayed the courier's.
    assert hooks.row(webhook)["leased_by"] == COURIER


def test_two_results_of_one_delivery_at_once(hooks):
    webhook = hooks.add()
    hooks.happen(0)
    (row,) = hooks.claim()
    assert hooks.record(result(row), result(row, "retry", delay_s=5)) == 2
    (shown,) = hooks.deliveries(webhook)
    assert (shown["status"], shown["attempts"]) == ("delivered", 2)


def test_failing_and_disabled_after_five_days(hooks):
    webhook = hooks.add()
    hooks.happen(0)
    assert hooks.shown(webhook)["status"] == "enabled"
    (row,) = hooks.claim()
    hooks.record(result(row, "retry", delay_s=0, error="connect"))
    row = hooks.shown(webhook)
    since = row["failing_since"]
    assert (row["status"], row["last_error"], row["last_success_at"]) == (
        "failing", "connect", None)
    hooks.advance(days=4, hours=23)
    hooks.record(result(hooks.claim()[0], "retry", delay_s=0))
    row = hooks.shown(webhook)
    assert (row["status"], row["failing_since"]) == ("failing", since)
    hooks.advance(hours=2)
    hooks.record(result(hooks.claim()[0], "retry", delay_s=0))
    row = hooks.shown(webhook)
    assert (row["status"], row["disabled_reason"]) == ("disabled", "failing")
    assert hooks.claim() == []
    assert hooks.deliveries(webhook)[0]["last_error"] == "endpoint_disabled"


def test_one_success_ends_the_failing(hooks):
    webhook = hooks.add()
    hooks.happen(1)
    rows = hooks.claim()
    hooks.record(result(rows[0], "retry", delay_s=0))
    hooks.advance(days=6)
    hooks.record(result(rows[1]), result(hooks.claim()[0], "retry", delay_s=0,
                                         at="2026-01-01 00:00:00"))
    row = hooks.shown(webhook)
    assert (row["status"], row["failing_since"]) == ("enabled", None)
    assert row["last_success_at"] is not None


def test_gone(hooks):
    webhook = hooks.add()
    hooks.happen(1)
    hooks.record(result(hooks.claim(limit=1)[0], "gone", status=410))
    row = hooks.shown(webhook)
    assert (row["status"], row["disabled_reason"]) == ("disabled", "gone")
    assert hooks.deliveries(webhook)[0]["status"] == "failed"
    assert hooks.claim() == []


def test_totals(hooks):
    before = query(hooks.api, "SELECT * FROM courier_totals")[0]
    hooks.add()
    hooks.happen(1)
    query(hooks.owner, "UPDATE deliveries SET created_at = created_at"
          " - INTERVAL 101 SECOND")
    now = query(hooks.api, "SELECT * FROM courier_totals")[0]
    assert now["waiting"] == 2 and 100 <= now["oldest_s"] < 110
    assert query(hooks.world.admin, "SELECT * FROM admin_queue")[0] == {
        "queue": "deliveries", "waiting": 2, "oldest_s": now["oldest_s"]}
    rows = hooks.claim()
    hooks.record(result(rows[0]), result(rows[1], "retry", delay_s=9999))
    now = query(hooks.api, "SELECT * FROM courier_totals")[0]
    assert {name: now[name] - before[name] for name in (
        "delivered", "retried", "failed", "duration_ms")} == {
            "delivered": 1, "retried": 1, "failed": 0, "duration_ms": 24}
    # What is due in an hour is not late.
    assert (now["waiting"], now["oldest_s"]) == (1, 0)


def test_lateness_is_the_couriers_own(hooks):
    """What an endpoint asks for or brings on itself raises no alarm."""
    held, failing, disabled, gone, well = (hooks.add() for _ in range(5))
    hooks.happen(1)
    query(hooks.owner, "UPDATE deliveries SET created_at = created_at"
          " - INTERVAL 502 SECOND")
    hooks.change(failing, failing_since="2026-01-01 00:00:00")
    hooks.world.call("webhook_update", disabled, *[None] * 3, False)
    hooks.world.call("webhook_delete", gone)

    def late():
        row = query(hooks.api, "SELECT waiting, oldest_s FROM courier_totals")
        assert row[0]["waiting"] == 10
        assert row == query(hooks.world.admin, "SELECT waiting, oldest_s FROM"
                            " admin_queue WHERE queue = 'deliveries'")
        return row[0]["oldest_s"]

    assert 500 <= late() < 510
    query(hooks.owner, "UPDATE deliveries AS d JOIN webhooks AS h ON h.id ="
          " d.webhook_id SET d.created_at = UTC_TIMESTAMP() WHERE h.public_id ="
          " %s", well)
    assert 500 <= late() < 510
    query(hooks.owner, "UPDATE webhooks SET held_until = UTC_TIMESTAMP()"
          " + INTERVAL 1 HOUR WHERE public_id = %s", held)
    assert late() < 10
    # The wait is over: from there on it is the couriers' affair.
    query(hooks.owner, "UPDATE webhooks SET held_until = UTC_TIMESTAMP()"
          " - INTERVAL 72 SECOND WHERE public_id = %s", held)
    assert 70 <= late() < 80


# --- again -------------------------------------------------------------------

def test_resend(hooks):
    world = hooks.world
    webhook, late = hooks.add(), hooks.add("card.frozen")
    hooks.happen(0)
    (row,) = hooks.claim()
    event = row["event_public_id"]
    hooks.record(result(row))
    shown = world.call("event_resend", event, webhook)
    assert (shown["status"], shown["attempts"], shown["finished_at"]) == (
        "pending", 1, None)
    (again,) = hooks.claim()
    assert (again["delivery_id"], again["event_public_id"],
            again["tries"]) == (row["delivery_id"], event, 0)
    # Leased: if this attempt fails, it is sent again, not left to its schedule.
    world.call("event_resend", event, webhook)
    hooks.record(result(again, "retry", delay_s=86400))
    (shown,) = hooks.deliveries(webhook)
    assert shown["status"] == "pending" and shown["attempts"] == 2
    assert shown["next_attempt_at"] == shown["created_at"]
    # Never queued for this endpoint, which has not subscribed to it.
    shown = world.call("event_resend", event, late)
    assert (shown["webhook_public_id"], shown["event_type"]) == (
        late, "card.created")
    for outcome, names in (("not_found", ("evt_x", webhook)),
                           ("webhook_not_found", (event, "wh_x"))):
        assert world.call("event_resend", *names)["outcome"] == outcome
    assert call(hooks.api, "event_resend", world.wallets["live"], event,
                webhook)["outcome"] == "not_found"
    world.call("webhook_update", webhook, None, None, None, False)
    assert world.call("event_resend", event,
                      webhook)["outcome"] == "webhook_disabled"


def test_replay(hooks):
    world = hooks.world
    webhook = hooks.add("card.updated")
    card = hooks.happen(4)
    rows = hooks.claim()
    hooks.record(result(rows[0]), result(rows[1], "failed"),
                 result(rows[2], "failed"), result(rows[3]))
    hooks.happen(1, card)
    later = hooks.add("card.updated,card.created")
    replay = lambda name, *rest: world.call("webhook_replay", name, *rest)
    assert replay(webhook, None, None, True, 1)["outcome"] == "replay_too_large"
    assert replay(webhook, None, None, True, 2)["deliveries"] == 2
    assert [row["sequence"] for row in hooks.claim()] == [3, 4, 6]
    # To an endpoint that was not there: in the order of the events.
    assert replay(later, None, None, True, 10)["deliveries"] == 0
    assert replay(later, None, None, False, 10)["deliveries"] == 6
    assert [row["sequence"] for row in hooks.claim()] == [1, 2, 3, 4, 5, 6]
    # From is in, to is out.
    events = query(hooks.owner, "SELECT id, sequence FROM events WHERE"
                   " wallet_id = %s AND card_id IS NOT NULL", world.wallet)
    for event in events:
        query(hooks.owner, "UPDATE events SET created_at = '2026-05-01' +"
              " INTERVAL %s DAY WHERE id = %s", event["sequence"], event["id"])
    query(hooks.owner, "DELETE FROM deliveries")
    assert replay(later, "2026-05-03", "2026-05-05", False,
                  10)["deliveries"] == 2
    assert [row["sequence"] for row in hooks.claim()] == [2, 3]
    # What waits is left as it is.
    assert replay(later, "2026-05-03", None, False, 10)["deliveries"] == 5
    assert [row["sequence"] for row in hooks.claim()] == [4, 5, 6]


def test_replay_of_ten_thousand(hooks):
    world = hooks.world
    webhook = hooks.add("x")
    query(hooks.owner, "INSERT INTO events (public_id, wallet_id, sequence,"
          " type, snapshot, created_at) SELECT CONCAT('evt_', %s, '_', seq),"
          " %s, seq, 'x', '{}', UTC_TIMESTAMP(6) FROM seq_1_to_10001",
          world.wallet, world.wallet)
    query(hooks.owner, "UPDATE wallets SET event_sequence = 10001 WHERE id ="
          " %s", world.wallet)
    query(hooks.owner, "DELETE FROM deliveries")
    assert world.call("webhook_replay", webhook, None, None, False,
                      10000)["outcome"] == "replay_too_large"
    assert world.call("webhook_replay", webhook, None, None, False,
                      10001)["deliveries"] == 10001
    claimed = hooks.claim(limit=256, each=256)
    assert [row["sequence"] for row in claimed] == list(range(1, 257))


# --- the operator ------------------------------------------------------------

def test_operator(hooks):
    world = hooks.world
    webhook = hooks.add()
    hooks.happen(2)
    rows = hooks.claim()
    hooks.record(*(result(row, "failed") for row in rows))
    (row,) = query(world.admin, "SELECT * FROM admin_webhooks WHERE"
                   " webhook_id = %s", webhook)
    assert (row["account_id"], row["mode"], row["status"], row["pending"],
            row["leased_by"]) == (world.account, "test", "failing", 0, COURIER)
    assert not any("secret" in column for column in row)
    disable = "CALL admin_webhook_disable(%s, %s)"
    for _ in range(2):
        assert query(world.admin, disable, webhook, "x")[0][
            "disabled_reason"] == "operator"
    assert world.call("webhook_update", webhook, None, None, None, True)[
        "outcome"] == "webhook_disabled"
    with pytest.raises(pymysql.MySQLError, match="^.*webhook: it is disabled"):
        query(world.admin, "CALL admin_delivery_retry(%s)", webhook)
    for _ in range(2):
        assert query(world.admin, "CALL admin_webhook_enable(%s, 'y')",
                     webhook)[0]["status"] == "enabled"
    assert query(world.admin, "CALL admin_delivery_retry(%s)", webhook) == [
        {"webhook_id": webhook, "deliveries": 3}]
    assert len(hooks.claim()) == 3
    for statement, word in ((disable.replace("%s, %s", "'wh_x', 'x'"),
                             "webhook:"),
                            (disable.replace("%s, %s", f"'{webhook}', ' '"),
                             "reason:"),
                            ("CALL admin_delivery_retry(NULL)", "webhook:")):
        with pytest.raises(pymysql.MySQLError, match=word):
            query(world.admin, statement)
    assert [(row["action"], json.loads(row["detail"])) for row in query(
        world.admin, "SELECT * FROM admin_audit WHERE subject = %s ORDER BY"
        " id", webhook)] == [
            ("webhook_disable", {"reason": "x"}),
            ("webhook_enable", {"reason": "y", "disabled": "operator"}),
            ("delivery_retry", {"deliveries": 3})]


# --- what time removes -------------------------------------------------------

def keep(hooks, limit=1000, days=30):
    return query(hooks.world.installation.keeper, "CALL keeper_events(%s, %s)",
                 limit, days)[0]["done"]


def kept(hooks):
    return [row["sequence"] for row in query(
        hooks.owner, "SELECT sequence FROM events WHERE wallet_id = %s AND"
        " card_id IS NOT NULL ORDER BY id", hooks.world.wallet)]


def age(hooks, days):
    """As if all that happened had happened so many days earlier."""
    query(hooks.owner, "UPDATE events SET created_at = created_at - INTERVAL"
          " %s DAY WHERE wallet_id = %s", days, hooks.world.wallet)


def test_retention(hooks):
    keep(hooks)
    webhook = hooks.add()
    card = hooks.happen(4)
    rows = hooks.claim()
    query(hooks.courier, "CALL courier_keep(%s)", json.dumps(
        [{"event_id": row["event_id"], "dialect": "native", "body": "AAAA"}
         for row in rows]))
    hooks.record(*(result(row) for row in rows[:2]),
                 result(rows[2], "retry", delay_s=86400 * 60),
                 *(result(row) for row in rows[3:]))
    assert keep(hooks) == 0
    hooks.advance(days=60)  # a test clock removes nothing
    age(hooks, 29)
    assert keep(hooks) == 0
    age(hooks, 2)
    hooks.happen(1, card)
    # Up to the first that is not delivered; in batches.
    assert keep(hooks, limit=1) == 1
    assert kept(hooks) == [2, 3, 4, 5, 6]
    assert keep(hooks) == 1
    assert kept(hooks) == [3, 4, 5, 6]
    assert [row["attempts"] for row in hooks.deliveries(webhook)] == [
        1, 1, 1, 0]
    assert query(hooks.owner, "SELECT COUNT(*) AS n FROM event_bodies AS b"
                 " LEFT JOIN events AS e ON e.id = b.event_id WHERE e.id IS"
                 " NULL")[0]["n"] == 0
    hooks.record(result({"delivery_id": rows[2]["delivery_id"], "claim": 1}))
    # A late word on what is removed is passed over.
    assert keep(hooks) == 3
    assert kept(hooks) == [6]
    assert hooks.record(*map(result, rows)) == 0
    # The newest is not missed where all are gone, the next one is counted on.
    hooks.record(*map(result, hooks.claim()))
    age(hooks, 31)
    assert keep(hooks) == 0  # it is of the test clock's day
    age(hooks, 60)
    assert keep(hooks) == 1 and kept(hooks) == []
    check_books(hooks.owner)
    hooks.happen(1, card)
    assert kept(hooks) == [7]


def test_retention_and_whoever_sends_again(hooks):
    keep(hooks)
    webhook = hooks.add()
    hooks.happen(0)
    (row,) = hooks.claim()
    hooks.record(result(row))
    age(hooks, 31)
    # A resend that is not committed yet: the event stays.
    query(hooks.api, "START TRANSACTION")
    query(hooks.api, "CALL event_resend(%s, %s, %s)", hooks.world.wallet,
          row["event_public_id"], webhook)
    assert keep(hooks) == 0
    query(hooks.api, "COMMIT")
    assert keep(hooks) == 0 and kept(hooks) == [1]
    hooks.record(*map(result, hooks.claim()))
    # The keeper is first: no payment waits, and the event is not found.
    keeper = hooks.world.installation.connect("cardstock_owner")
    with contextlib.closing(keeper):
        query(keeper, "START TRANSACTION")
        query(keeper, "CALL keeper_wallet_events(%s, 100, 30, @removed)",
              hooks.world.wallet)
        query(hooks.api, "SET innodb_lock_wait_timeout = 1")
        hooks.happen(1)
        assert len(hooks.claim()) == 2
        query(hooks.api, "SET innodb_lock_wait_timeout = DEFAULT")
        query(keeper, "COMMIT")
    assert hooks.world.call("event_resend", row["event_public_id"],
                            webhook)["outcome"] == "not_found"


def test_deleted_endpoints_go_last(hooks):
    webhook = hooks.add()
    hooks.happen(0)
    hooks.record(*map(result, hooks.claim()))
    hooks.world.call("webhook_delete", webhook)
    hooks.advance(days=2)
    keep(hooks)
    assert hooks.row(webhook)
    age(hooks, 31)
    keep(hooks)
    assert query(hooks.owner, "SELECT 1 FROM webhooks WHERE public_id = %s",
                 webhook) == []
