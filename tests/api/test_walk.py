# SPDX-License-Identifier: Apache-2.0
"""
A walk of random messages, and the model that walks beside: balances, holds
and totals agree after every step. CARDSTOCK_WALK says how many messages,
CARDSTOCK_WALK_SEED where they begin.
"""

import concurrent.futures
import datetime
import os
import random
import threading
import time
from decimal import Decimal

import pytest
from conftest import (BIN_MASTERCARD, BIN_VISA, Account, NoAnswer, children,
                      kill, unique, until)
from model import Card, Model, Refused
from payments import (Processor, Sandbox, Setup, cents, events, network,
                      reference, shop, with_number)

MESSAGES = int(os.environ.get("CARDSTOCK_WALK", "3000"))
SEED = int(os.environ.get("CARDSTOCK_WALK_SEED", "1"))
ACCOUNT_MESSAGES = 500  # then the walk goes on with a fresh account

SHOPS = [
    {**shop("shop-1", "5734"), "category": "software", "long": False},
    {**shop("shop-2", "7011"), "category": "lodging", "long": True},
    {**shop("shop-3", "5734"), "category": "software", "long": False},
    {**shop("shop-4", "3351"), "category": "car_rental", "long": True},
    {**shop("shop-5", "4816"), "category": "software", "long": False}]
KINDS = [
    ("authorize", 30), ("increment", 10), ("advice", 6), ("reverse", 10),
    ("clear", 18), ("force_post", 4), ("refund", 9), ("take_back", 2),
    ("again", 6), ("freeze", 2), ("unfreeze", 5), ("fund", 6), ("withdraw", 3),
    ("limit", 2), ("terminate", 0.4), ("clock", 3)]
# Most per transaction, and in a month, as the sample BINs have it.
BIN_LIMITS = {BIN_VISA: (5000_00, 50000_00),
              BIN_MASTERCARD: (1000_00, 10000_00)}
# No number of these is near a day, a week, a month or a hold's end, so that
# it does not matter how long the walk itself takes.
STEP_SECONDS = 25 * 3600


def moment(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=datetime.timezone.utc).timestamp()


class Failed(AssertionError):
    pass


class Walk:
    def __init__(self, seed, account, owner, way, patient=False):
        self.chance = random.Random(seed)
        self.seed, self.steps = seed, 0
        self.account, self.api = account, account.test
        self.owner, self.way, self.patient = owner, way, patient
        self.setup = Setup(owner)
        self.named = way.name == "network"
        self.said = []  # what can be said again, and its answer
        self.seen = set()  # statuses, reasons and refusals that came by
        self.what = None
        self.hurried(lambda: account.adjust("test", 200_000_00), False)
        self.model = Model(200_000_00)
        for kind in ("unlocked", "unlocked", "merchant_locked",
                     "single_use", "wallet"):
            self.new_card(kind)
        self.read_clock()

    # --- asking ---------------------------------------------------------------

    def hurried(self, ask, replies=True):
        """Asks until there is an answer; the messages' own references see to
        it that asking twice does nothing twice."""
        end = time.monotonic() + 60
        while True:
            try:
                reply = ask()
                if not replies or reply.status < 500:
                    return reply
            except NoAnswer:
                pass
            if not self.patient:
                raise Failed(f"{self.where()}: no answer")
            assert time.monotonic() < end, self.where()
            time.sleep(0.05)

    def where(self):
        return f"seed {self.seed} step {self.steps} {self.what}"

    def get(self, path, **query):
        # The document judges every tenth: judging takes longer than answering.
        reply = self.hurried(lambda: self.api.get(
            path, check=self.steps % 10 == 0, **query))
        assert reply.status == 200, (self.where(), reply)
        return reply

    def owner_says(self, method, path, body, refused):
        key = unique()
        reply = self.hurried(lambda: self.api.call(
            method, path, body, idempotency=key))
        if refused is None:
            assert reply.status in (200, 201), (self.where(), reply)
        else:
            assert reply.error in refused.args, (self.where(), refused, reply)
        return reply

    def expect(self, work):
        """What the model makes of it: its refusal, or None."""
        try:
            self.told = work()
            return None
        except Refused as refused:
            return refused

    # --- time -----------------------------------------------------------------

    def read_clock(self, seconds=0):
        reply = self.owner_says("POST", "/simulate/clock",
                                {"advance_seconds": seconds}, None)
        self.offset = moment(reply["now"]) - time.time()

    @property
    def now(self):
        return time.time() + self.offset

    # --- cards ----------------------------------------------------------------

    def new_card(self, kind):
        chance = self.chance
        funds = chance.choice([50_00, 200_00, 1000_00])
        limit = chance.choice([0, 0, 150_00, 600_00])
        freeze = chance.choice([0, 0, 30_00])
        window = chance.choice(["transaction", "daily", "weekly", "monthly",
                                "yearly", "forever"])
        count_limit = chance.choice([0, 0, 0, 6])
        bin_id = chance.choice(sorted(BIN_LIMITS))
        categories = chance.choice([(), (), (), ("software", "lodging")])
        from_wallet = kind == "wallet"
        if from_wallet:
            limit, freeze, kind = 0, 0, "unlocked"
        body = {"bin_id": bin_id, "amount": funds / 100,
                "allowed_categories": list(categories)}
        if freeze:
            body["auto_freeze_at"] = freeze / 100
        reply = self.owner_says("POST", "/cards", body, None)
        names = self.patiently(lambda: with_number(self.api, reply.body))
        columns = {"type": kind, "limit_window": window,
                   "spending_limit_cents": limit, "count_limit": count_limit}
        self.model.wallet -= funds
        if from_wallet:
            self.owner_says("POST", f"/cards/{names['id']}/withdraw",
                            {"amount": funds / 100}, None)
            self.model.wallet += funds
            funds, columns["funding"] = 0, "wallet"
        self.patiently(lambda: self.setup.change(names["id"], **columns))
        card = Card(self.model, funds, limit, window, freeze, kind,
                    categories, count_limit, from_wallet,
                    BIN_LIMITS[bin_id])
        card.names, card.id = names, names["id"]
        self.model.cards.append(card)

    def patiently(self, work):
        """The database itself may be away as well."""
        end = time.monotonic() + 60
        while True:
            try:
                return work()
            except Exception:
                if not self.patient or time.monotonic() > end:
                    raise
                time.sleep(0.1)

    # --- one step -------------------------------------------------------------

    def step(self):
        names, weights = zip(*KINDS)
        kind = self.chance.choices(names, weights)[0]
        self.what = kind
        self.steps += 1
        touched = getattr(self, "do_" + kind)()
        for card in self.model.cards if kind == "clock" else touched[0]:
            self.check_card(card)
        for row in touched[1]:
            self.check_transaction(row)
        self.check_wallet()

    def run(self, messages):
        for _ in range(messages):
            self.step()
        self.finish()

    def card(self):
        return self.chance.choice(self.model.cards)

    def row(self, kinds=("purchase",)):
        """One that is pending, mostly."""
        rows = [row for card in self.model.cards
                for row in card.transactions if row.kind in kinds]
        pending = [row for row in rows if row.status == "pending"]
        if pending and self.chance.random() < 0.85:
            return self.chance.choice(pending)
        return self.chance.choice(rows) if rows else None

    def cents(self, most=12000):
        return self.chance.choice([
            1, 100, 1000, 2500, self.chance.randrange(1, most),
            self.chance.randrange(1, 3000)])

    def say(self, ask, expected, what):
        """A message and what must come of it. expected: reasons of a decline,
        or what the model refuses with."""
        self.what = what
        reply = self.hurried(ask)
        if isinstance(expected, Refused):
            assert reply.error in expected.args, \
                (self.where(), expected, reply)
            self.seen.add(reply.error)
        else:
            self.seen.update(expected)
            assert not reply.error and reply.status < 300, \
                (self.where(), expected, reply)
            assert reply.approved == (not expected), \
                (self.where(), expected, reply)
            if self.named:
                assert list(reply.reasons) == expected, \
                    (self.where(), expected, reply)
            if len(self.said) < 400 and (
                    self.named or what.startswith("authorize")):
                self.said.append((ask, reply, what))
        return reply

    def do_authorize(self):
        chance, card = self.chance, self.card()
        place = chance.choice(SHOPS)
        amount = self.cents()
        if chance.random() < 0.06:
            amount = chance.choice([0, chance.randrange(500_00, 1100_00)])
        if chance.random() < 0.04 and card.source > 0:
            amount = min(card.source + chance.choice([0, 1]), 5001_00)
        options, wrong = {}, {}
        if chance.random() < 0.15:
            options["partial_capable"] = True
        if chance.random() < 0.04:
            options["cvv"] = f"{(int(card.names['cvv']) + 1) % 1000:03}"
            wrong["wrong_cvv"] = True
        if chance.random() < 0.04:
            options["exp_month"] = card.names["exp_month"] % 12 + 1
            options["exp_year"] = card.names["exp_year"]
            wrong["wrong_expiry"] = True
        if chance.random() < 0.1:
            options["merchant_amount"] = 5
            options["merchant_currency"] = chance.choice(["EUR", "JPY",
                                                          "XYZ"])
            wrong["currency_known"] = \
                options["merchant_currency"] != "XYZ"
        merchant = {name: place[name] for name in
                    ("name", "mcc", "country", "id")}
        made, reasons, approved = self.model.authorize(
            self.now, card, amount, place,
            partial="partial_capable" in options, **wrong)
        ref = reference()
        answer = self.say(
            lambda: self.way.authorize(card.names, Decimal(amount) / 100,
                                       merchant, ref=ref, **options),
            reasons, f"authorize {amount} {options} {place['id']} "
            f"{card.id} {ref}")
        if not self.named:
            assert answer.reasons == reasons, (self.where(), reasons, answer)
        elif not reasons:
            assert cents(answer.amount) == approved, (self.where(), answer)
            assert answer.code == ("00" if approved == amount else "10")
        made.id, made.ref = answer.transaction, ref
        return [card], [made]

    def message(self, kind, row, amount, expected, **more):
        ref = unique()
        value = None if amount is None else Decimal(amount) / 100
        target = {"id": row.id, "ref": row.ref}
        return self.say(
            lambda: self.way.message(kind, target, value, ref=ref, **more),
            expected, f"{kind} {row.id} {amount} {more} of {row.status} "
            f"{row.authorized}-{row.reversed}-{row.cleared}-{row.expired}")

    def do_increment(self):
        row, amount = self.row(), self.cents()
        if self.chance.random() < 0.05:
            amount = self.chance.randrange(300_00, 1100_00)
        if row is None:
            return [], []
        refused = self.expect(
            lambda: self.model.increment(self.now, row, amount))
        self.message("increment", row, amount, refused or self.told)
        return [row.card], [row]

    def do_advice(self):
        row, amount = self.row(), self.cents()
        if row is None:
            return [], []
        if row.card.status == "terminated" or row.card.from_wallet:
            if not row.hold:
                return [], []
            amount = min(amount, row.hold)
        refused = self.expect(
            lambda: self.model.advice(self.now, row, amount, self.named))
        self.message("advice", row, amount, refused or [])
        return [row.card], [row]

    def do_reverse(self):
        row = self.row(("purchase", "purchase", "force_post"))
        if row is None:
            return [], []
        amount = self.chance.choice([row.hold, row.hold // 2, self.cents()])
        if self.chance.random() < 0.05:
            amount = row.hold + 1
        amount = max(1, amount)
        refused = self.expect(
            lambda: self.model.reverse(row, amount, self.named))
        self.message("reversal", row, amount, refused or [])
        return [row.card], [row]

    def do_clear(self):
        row = self.row()
        if row is None:
            return [], []
        amount = self.chance.choice([row.hold, row.hold // 2, None,
                                     self.cents()])
        if amount is not None:
            amount = max(1, amount)
        if amount is None and not self.named:
            amount = max(1, row.hold)
        if row.card.from_wallet and amount is not None:
            amount = min(amount, 20_00)
        final = self.chance.random() < 0.7
        refused = self.expect(
            lambda: self.model.clear(row, amount, final, self.named))
        self.message("clearing", row, amount, refused or [], final=final)
        return [row.card], [row]

    def do_force_post(self):
        card, amount, place = self.card(), self.cents(5000), SHOPS[0]
        merchant = {name: place[name] for name in
                    ("name", "mcc", "country", "id")}
        made = self.model.force_post(self.now, card, amount, place)
        ref = reference()
        answer = self.say(
            lambda: self.way.force_post(card.names, Decimal(amount) / 100,
                                        merchant, ref=ref),
            [], f"force_post {amount} {card.id} {ref}")
        made.id, made.ref = answer.transaction, ref
        return [card], [made]

    def do_refund(self):
        original, card = None, self.card()
        amount = self.cents(5000)
        if self.chance.random() < 0.6:
            original = self.row(("purchase", "force_post"))
            if original is not None:
                card = original.card
                left = original.cleared - original.refunded
                amount = self.chance.choice([left, left + 1, left // 2,
                                             amount])
                amount = max(1, amount)
        refused = self.expect(lambda: self.model.refund(
            self.now, card, amount, original))
        ref = reference()
        target = None if original is None else {"id": original.id,
                                                "ref": original.ref}
        answer = self.say(
            lambda: self.way.refund(Decimal(amount) / 100, card=card.names,
                                    original=target, ref=ref),
            refused or [], f"refund {amount} {card.id} {target}")
        rows = [] if original is None else [original]
        if refused is None:
            self.told.id, self.told.ref = answer.transaction, ref
            rows.append(self.told)
        return [card], rows

    def do_take_back(self):
        row = self.row(("refund",))
        if row is None:
            return [], []
        left = row.requested - row.reversed
        amount = max(1, self.chance.choice([left, left // 2, left + 1,
                                            self.cents(3000)]))
        refused = self.expect(
            lambda: self.model.take_back(row, amount, self.named))
        ref, target = unique(), {"id": row.id, "ref": row.ref}
        self.say(lambda: self.way.take_back(target, Decimal(amount) / 100,
                                            ref=ref),
                 refused or [], f"take_back {amount} of {row.id}")
        return [row.card], [row] + ([row.original] if row.original else [])

    def do_again(self):
        """Something said before: the same answer, and nothing else."""
        if not self.said:
            return [], []
        ask, before, what = self.chance.choice(self.said)
        self.what = "again " + what
        answer = self.hurried(ask)
        if self.named:
            assert answer.reply.raw == before.reply.raw, \
                (self.where(), before, answer)
        else:
            assert answer.transaction == before.transaction, self.where()
            assert answer.approved == before.approved, self.where()
        return self.model.cards, []

    def card_step(self, card, method, path, body, work):
        self.what = f"{method} {path} {body} {card.id} {card.status}"
        refused = self.expect(work)
        self.owner_says(method, f"/cards/{card.id}{path}", body, refused)
        return [card], []

    def prepaid(self):
        return self.chance.choice([card for card in self.model.cards
                                   if not card.from_wallet])

    def do_freeze(self):
        card = self.card()
        return self.card_step(card, "POST", "/freeze", None,
                              lambda: self.model.freeze(card))

    def do_unfreeze(self):
        frozen = [card for card in self.model.cards
                  if card.status == "frozen"]
        card = self.chance.choice(frozen or self.model.cards)
        return self.card_step(card, "POST", "/unfreeze", None,
                              lambda: self.model.unfreeze(card))

    def do_fund(self):
        card = self.prepaid()
        amount = self.chance.choice([100, 10_00, 100_00, 1000_00])
        return self.card_step(card, "POST", "/fund", {"amount": amount / 100},
                              lambda: self.model.fund(card, amount))

    def do_withdraw(self):
        card = self.prepaid()
        amount = self.chance.choice([1, 100, max(1, card.money),
                                     max(1, card.money + 1)])
        return self.card_step(card, "POST", "/withdraw",
                              {"amount": amount / 100},
                              lambda: self.model.withdraw(card, amount))

    def do_limit(self):
        card = self.prepaid()
        if card.status == "terminated":
            return [], []
        limit = self.chance.choice([100_00, 400_00, 2000_00])
        card.limit = limit
        return self.card_step(card, "PATCH", "",
                              {"spending_limit": limit / 100}, lambda: None)

    def do_terminate(self):
        card = self.card()
        touched = self.card_step(card, "DELETE", "", None,
                                 lambda: self.model.terminate(card))
        self.new_card(self.chance.choice(["unlocked", "merchant_locked",
                                          "single_use", "wallet"]))
        return touched

    def do_clock(self):
        self.what = "clock"
        self.read_clock(STEP_SECONDS * self.chance.choice([1, 1, 1, 2, 7]))
        return [], self.model.time_passes(self.now)

    # --- what must agree ------------------------------------------------------

    def same(self, found, expected):
        assert found == expected, (self.where(), "found", found,
                                   "expected", expected)

    def check_card(self, card):
        shown = self.get(f"/cards/{card.id}")
        found = {"status": shown["status"], "reason": shown["frozen_reason"],
                 "pending": cents(shown["pending"]),
                 "spent": cents(shown["total_spent"]),
                 "count": shown["transaction_count"]}
        expected = {"status": card.status, "reason": card.reason,
                    "pending": card.held, "spent": card.spent,
                    "count": card.count}
        if not card.from_wallet:
            found["balance"] = cents(shown["balance"])
            expected["balance"] = card.money
            if card.status == "active" and card.window != "transaction":
                found["available"] = cents(shown["available_to_spend"])
                expected["available"] = max(0, min(
                    card.money, card.room(self.now)))
        self.same(found, expected)

    def check_transaction(self, row):
        shown = self.get(f"/transactions/{row.id}")
        names = ("authorized", "reversed", "cleared", "expired", "refunded")
        found = {name: cents(shown[name]) for name in names}
        found.update(status=shown["status"], type=shown["type"],
                     amount=cents(shown["amount"]),
                     hold=cents(shown["pending"]))
        expected = {name: getattr(row, name) for name in names}
        if row.kind in ("force_post", "refund"):
            # Its own event tells its amount; nothing was authorized before.
            del found["authorized"], expected["authorized"]
        expected.update(status=row.status, type=row.type, amount=row.amount,
                        hold=row.hold)
        self.seen.update((row.status, row.card.reason))
        self.same(found, expected)

    def check_wallet(self):
        shown = self.get("/wallet/balance")
        self.same(cents(shown["balance"]), self.model.wallet)
        self.same(cents(shown["total_deposited"] - shown["total_spent"]),
                  self.model.wallet)

    def finish(self):
        """Every card and transaction once more, and the lists' totals."""
        self.what = "finish"
        rows = [row for card in self.model.cards for row in card.transactions]
        for card in self.model.cards:
            self.check_card(card)
            self.patiently(lambda: events(self.owner, card.id))
            total = self.get("/transactions", card_id=card.id,
                             per_page=1)["pagination"]["total"]
            self.same(total, len(card.transactions))
        for row in rows:
            self.check_transaction(row)
        for kind in ("authorization", "settlement", "refund", "decline"):
            total = self.get("/transactions", type=kind,
                             per_page=1)["pagination"]["total"]
            self.same(total, sum(row.type == kind for row in rows))
        assert len({row.id for row in rows}) == len(rows)



# What a walk of 1,500 messages comes by.
USUAL = {
    "pending", "settled", "voided", "expired", "declined", "refunded",
    "auto_freeze", "overdrawn", "customer", "expiry_mismatch",
    "cvv_mismatch", "card_terminated", "card_frozen", "single_use_spent",
    "merchant_locked", "category_not_allowed", "currency_not_supported",
    "insufficient_funds", "over_reversal", "transaction_settled",
    "transaction_declined", "refund_exceeds_purchase"}


def walk(seed, messages, stack, admin, owner, way_name, network):
    seen, all_messages = set(), messages
    while messages > 0:
        account = Account(stack, admin)
        way = Sandbox(account.test) if way_name == "sandbox" else \
            Processor(network)
        part = min(messages, ACCOUNT_MESSAGES)
        one = Walk(seed, account, owner, way)
        one.run(part)
        seen |= one.seen
        messages -= part
        seed += 1
    assert all_messages < 1500 or USUAL <= seen, USUAL - seen
    return seen


@pytest.mark.parametrize("way", ["sandbox", "network"])
def test_walk(way, stack, admin, owner, network, audit):
    walk(SEED * 1000000 + (way == "network") * 500000, MESSAGES // 2, stack,
         admin, owner, way, network)
    audit()


def test_walks_side_by_side(stack, admin, owner, network, audit):
    """Four at once do not mind each other."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(walk, SEED * 1000000 + 900000 + number,
                                   min(MESSAGES // 10, 500), stack, admin,
                                   owner, "network", network)
                       for number in range(4)]:
            future.result()
    audit()


def test_walk_while_all_is_killed(env, stack, admin, owner, network, audit,
                                  anonymous):
    """Workers and the database die in mid-walk. What was answered stands;
    what was not is asked again, and happened once at the most."""
    stop, kills = threading.Event(), {"worker": 0, "mariadb": 0}
    chance = random.Random(SEED)
    walks = [Walk(SEED * 1000000 + 950000 + number, Account(stack, admin),
                  owner, Processor(network), patient=True)
             for number in range(4)]

    def killer():
        master = env.pid("cardstockd")
        again = time.monotonic() + 4
        while not stop.is_set():
            workers = children(master)
            if workers and kill(chance.choice(workers)):
                kills["worker"] += 1
            if time.monotonic() > again and kills["mariadb"] < 4 and \
                    kill(env.pid("mariadb")):
                kills["mariadb"] += 1
                again = time.monotonic() + 8
            stop.wait(chance.uniform(0.05, 0.3))

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        end = time.monotonic() + float(
            os.environ.get("CARDSTOCK_WALK_KILL_SECONDS", "40"))

        def run(walk):
            while time.monotonic() < end:
                walk.step()

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(run, walk) for walk in walks]:
                future.result()
    finally:
        stop.set()
        thread.join()
    assert until(lambda: works(anonymous), 60)
    for one in walks:
        one.finish()
    steps = sum(one.steps for one in walks)
    print(f"{steps} messages, {kills}")
    assert kills["worker"] > 20 and kills["mariadb"] >= 2
    assert steps > 200
    audit()


def works(client):
    try:
        return client.get("/status").status == 200
    except NoAnswer:
        return False
