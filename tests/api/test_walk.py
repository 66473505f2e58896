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

import pymysql
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
    ("clear", 18), ("force_post", 4), ("refund", 9), ("take_back", 2.5),
    ("early", 5), ("confuse", 1), ("again", 6), ("freeze", 2),
    ("unfreeze", 5), ("fund", 6), ("withdraw", 3), ("deposit", 5),
    ("limit", 2), ("terminate", 0.8), ("clock", 3)]
POOR_CENTS = 300_00  # what is in the wallet of every third account
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
        self.poor = seed % 3 == 0
        self.said = []  # what can be said again, and its answer
        self.seen = set()  # statuses, reasons and refusals that came by
        self.what = None
        self.model = Model(0)
        if not self.poor:
            self.top_up(200_000_00)
        for kind in ("unlocked", "wallet", "single_use", "wallet", "wallet") \
                if self.poor else ("unlocked", "unlocked", "merchant_locked",
                                   "single_use", "wallet"):
            self.new_card(kind)
        if self.poor:
            self.top_up(POOR_CENTS)
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

    def top_up(self, amount):
        """By the operator, or by coins where asking twice must be no harm."""
        if not self.patient:
            self.account.adjust("test", amount)
        else:
            body = {"currency": "btc", "amount_usd": amount / 100}
            amount = cents(self.owner_says(
                "POST", "/simulate/deposit", body, None)["credited_usd"])
        self.model.adjust(amount)

    def new_card(self, kind):
        chance = self.chance
        funds = chance.choice([50_00, 100_00, 150_00] if self.poor else
                              [50_00, 200_00, 1000_00])
        limit = chance.choice([0, 0, 150_00, 600_00])
        freeze = chance.choice([0, 0, 30_00])
        window = chance.choice(["transaction", "daily", "weekly", "monthly",
                                "yearly", "forever"])
        count_limit = chance.choice([0, 0, 0, 6])
        bin_id = chance.choice(sorted(BIN_LIMITS))
        categories = chance.choice([(), (), (), ("software", "lodging")])
        from_wallet = kind == "wallet"
        if from_wallet:
            limit, kind, freeze = 0, "unlocked", chance.choice([0, freeze // 3])
        body = {"bin_id": bin_id, "amount": funds / 100,
                "allowed_categories": list(categories)}
        if freeze and not from_wallet:
            body["auto_freeze_at"] = freeze / 100
        if self.model.wallet < funds:
            self.owner_says("POST", "/cards", body,
                            Refused("insufficient_funds"))
            self.top_up((funds - self.model.wallet) * 2)
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
            columns["auto_freeze_at_cents"] = freeze
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
        self.model.cured.clear()
        cards, rows = getattr(self, "do_" + kind)()
        for card in self.model.cards if kind == "clock" else cards:
            self.check_card(card)
        for card in self.model.cured:
            self.seen.add("cured")
            if card not in cards or kind == "deposit":
                self.seen.add("cured by another")
                self.check_card(card)
        for row in rows:
            self.check_transaction(row)
        self.check_wallet()

    def run(self, messages):
        for _ in range(messages):
            self.step()
        self.finish()

    def card(self):
        return self.chance.choice(self.model.cards)

    def row(self, kinds=("purchase",)):
        """One that is pending, mostly; of a dead card, now and then."""
        rows = [row for row in self.model.rows if row.kind in kinds]
        chance = self.chance.random()
        if chance < 0.9:
            rows = [row for row in rows if not row.declined] or rows
        if chance < 0.2:
            rows = [row for row in rows
                    if row.card.status == "terminated"] or rows
        if chance < 0.85:
            rows = [row for row in rows if row.hold] or rows
        return self.chance.choice(rows) if rows else None

    def cents(self, most=12000):
        return self.chance.choice([
            1, 100, 1000, 2500, self.chance.randrange(1, most),
            self.chance.randrange(1, 3000)])

    def say(self, ask, expected, what, again=True):
        """A message and what must come of it. expected: reasons of a decline,
        or what the model refuses with. again: it may be repeated later."""
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
            if len(self.said) < 400 and again and (
                    self.named or what.startswith("authorize")):
                self.said.append((ask, reply, what))
        return reply

    def came_to(self, reply, amount, card):
        """The processor is told how much it was, and what is left."""
        if self.named:
            self.same((cents(reply.amount), cents(reply.balance)),
                      (amount, card.source))

    def do_authorize(self):
        chance, card = self.chance, self.card()
        place = chance.choice(SHOPS)
        amount = self.cents()
        if chance.random() < 0.06:
            amount = chance.choice([0, chance.randrange(500_00, 1100_00)])
        drains = self.poor and card.from_wallet
        if chance.random() < (0.25 if drains else 0.04) and card.source > 0:
            amount = min(card.source + chance.choice([0, 1]), 5001_00)
        options, wrong = {}, {}
        if chance.random() < 0.15:
            options["partial_capable"] = True
        if chance.random() < 0.04:
            options["cvv"] = f"{(int(card.names['cvv']) + 1) % 1000:03}"
            wrong["wrong_cvv"] = True
        if chance.random() < 0.1:
            month, year = card.names["exp_month"], card.names["exp_year"]
            given = chance.choice(["month", "year", "both"])
            off = chance.random() < 0.5
            if given != "year":
                options["exp_month"] = month % 12 + 1 if off else month
            if given != "month":
                off = off and given == "year"
                options["exp_year"] = year + off
                if chance.random() < 0.3:
                    options["exp_year"] %= 100
            wrong["wrong_expiry"] = \
                options.get("exp_month", month) != month or \
                options.get("exp_year", year) % 100 != year % 100
            self.seen.add(f"expiry of {given}")
        if chance.random() < 0.1:
            options["merchant_amount"] = 5
            options["merchant_currency"] = chance.choice(["EUR", "JPY",
                                                          "XYZ"])
            wrong["currency_known"] = \
                options["merchant_currency"] != "XYZ"
        ref, early = reference(), []
        if self.model.early and chance.random() < 0.6:
            ref = chance.choice(list(self.model.early))
            early = self.model.early.pop(ref)
        merchant = {name: place[name] for name in
                    ("name", "mcc", "country", "id")}
        made, reasons, approved = self.model.authorize(
            self.now, card, amount, place,
            partial="partial_capable" in options, early=early, **wrong)
        made.foreign = tuple(options.get(name) for name in (
            "merchant_amount", "merchant_currency"))
        if early and made.hold < approved:
            self.seen.add("cancelled early")
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
            if not early:
                self.came_to(answer, approved, card)
        made.id, made.ref, made.early = answer.transaction, ref, early
        return [card], [made]

    def message(self, kind, row, amount, expected, ref=None, again=True,
                **more):
        if not self.named:
            ref = unique()
        value = None if amount is None else Decimal(amount) / 100
        target = {"id": row.id, "ref": row.ref}
        return self.say(
            lambda: self.way.message(kind, target, value, ref=ref, **more),
            expected, f"{kind} {row.id} {amount} {ref} {more} of {row.status} "
            f"{row.authorized}-{row.reversed}-{row.cleared}-{row.expired}",
            again)

    def message_ref(self):
        """On the network most have one, and the others are known again by
        what they say. None do in the sandbox."""
        if self.named and (self.chance.random() < 0.75 or self.patient):
            return unique()
        return None

    def do_increment(self):
        row, amount = self.row(), self.cents()
        if self.chance.random() < 0.05:
            amount = self.chance.randrange(300_00, 1100_00)
        if row is None:
            return [], []
        if row.card.window in ("daily", "weekly") and row.card.limit and \
                self.now - row.at > {"daily": 1, "weekly": 7}[
                    row.card.window] * 86400:
            self.seen.add("increment after its window")
        refused = self.expect(
            lambda: self.model.increment(self.now, row, amount))
        reply = self.message("increment", row, amount, refused or self.told,
                             unique())
        if refused is None:
            self.came_to(reply, 0 if self.told else amount, row.card)
        return [row.card], [row]

    def do_advice(self):
        row, amount = self.row(), self.cents()
        if row is None:
            return [], []
        if self.chance.random() < 0.2:
            amount = self.chance.choice([0, row.hold])
        amount = self.beyond(row, amount)
        ref = self.message_ref()
        refused = self.expect(
            lambda: self.model.advice(self.now, row, amount, ref is not None))
        reply = self.message("advice", row, amount, refused or [], ref,
                             ref is not None)
        if refused is None and self.told:
            self.came_to(reply, amount, row.card)
        return [row.card], [row]

    def do_reverse(self):
        row = self.row(("purchase",) * 2 + ("force_post",))
        if row is None:
            return [], []
        amount = self.chance.choice([row.hold, row.hold // 2, self.cents(),
                                     None])
        if self.chance.random() < 0.05:
            amount = row.hold + 1
        if self.chance.random() < 0.1:
            amount = self.chance.choice(list(row.reversals) or [None])
        if amount is not None:
            amount = max(1, amount)
        self.one_or_two(
            "reversal", row, amount,
            lambda ref: self.model.reverse(row, amount, ref))
        return [row.card], [row]

    def one_or_two(self, kind, row, amount, work, **more):
        """Says it, and where nothing names it sometimes once more."""
        ref = self.message_ref()
        for number in range(2 if self.chance.random() < 0.3 else 1):
            before = row.hold, row.cleared, row.reversed
            refused = self.expect(lambda: work(ref))
            reply = self.message(kind, row, amount, refused or [], ref,
                                 ref is not None, **more)
            if refused is None and \
                    before == (row.hold, row.cleared, row.reversed):
                self.seen.add(f"{kind} repeated")
                if self.named and self.told:
                    self.same(cents(reply.amount), self.told)
            elif refused is None:
                self.came_to(reply, self.told, row.card)
            if ref is not None:
                break

    def beyond(self, row, amount):
        """Now and then as much as takes the source to zero, or below."""
        poor = self.poor and row.card.from_wallet
        if self.chance.random() < (0.3 if poor else 0.05) and \
                (poor or not row.card.from_wallet):
            return row.hold + max(0, row.card.source) + \
                self.chance.choice([0, 1, self.cents()])
        return amount

    def do_clear(self):
        row = self.row()
        if row is None:
            return [], []
        amount = self.chance.choice([row.hold, row.hold // 2, None,
                                     self.cents()])
        amount = self.beyond(row, amount)
        if amount is not None:
            amount = max(1, amount)
        final = self.chance.random() < 0.7
        more, foreign = {"final": final}, None
        if self.chance.random() < 0.15:
            foreign = (self.chance.randrange(1, 900),
                       self.chance.choice(["EUR", "JPY"]))
            more.update(merchant_amount=foreign[0],
                        merchant_currency=foreign[1])
            if self.chance.random() < 0.2:
                missing = self.chance.choice(["merchant_amount",
                                              "merchant_currency"])
                del more[missing]
                reply = self.message("clearing", row, amount, Refused(
                    "missing_parameter"), unique(), **more)
                self.same(reply.reply.body.get("param"), missing)
                return [row.card], [row]
        self.one_or_two(
            "clearing", row, amount, lambda ref: self.model.clear(
                row, amount, final, ref is not None, foreign), **more)
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
        amount = self.chance.choice([left, left // 2, left + 1,
                                     self.cents(3000), None])
        amount = None if amount is None else max(1, amount)
        ref, target = self.message_ref(), {"id": row.id, "ref": row.ref}
        refused = self.expect(
            lambda: self.model.take_back(row, amount, ref is not None))
        sent = ref if self.named else unique()
        value = None if amount is None else Decimal(amount) / 100
        self.say(lambda: self.way.take_back(target, value, ref=sent),
                 refused or [], f"take_back {amount} {ref} of {row.id}",
                 ref is not None)
        return [row.card], [row] + ([row.original] if row.original else [])

    def do_early(self):
        """A reversal that comes before its authorization, or one of those
        again; after it, whatever has become of that."""
        if not self.named:
            return [], []
        chance, early = self.chance, self.model.early
        done = [row for row in self.model.rows
                if row.kind == "purchase" and row.early]
        if done and chance.random() < 0.4:
            row = chance.choice(done)
            amount, ref = chance.choice(row.early)
            refused = self.expect(
                lambda: self.model.reverse(row, amount, ref))
            reply = self.message("reversal", row, amount, refused or [], ref,
                                 False)
            if refused is None and self.told:
                self.same(cents(reply.amount), self.told)
            self.seen.add("early again")
            return [row.card], [row]
        network_ref = reference()
        amount = chance.choice([None, self.cents()])
        ref = self.message_ref()
        if early and chance.random() < 0.5:
            network_ref = chance.choice(list(early))
            if chance.random() < 0.5:
                amount, ref = chance.choice(early[network_ref])
        self.model.early_reversal(network_ref, amount, ref)
        value = None if amount is None else Decimal(amount) / 100
        self.say(lambda: self.way.message("reversal", {"ref": network_ref},
                                          value, ref=ref),
                 Refused("original_not_found"),
                 f"early {network_ref} {amount} {ref}")
        return [], []

    def do_confuse(self):
        """A reference that is another message's, of another kind."""
        if not self.named or not self.model.rows:
            return [], []
        row, amount = self.chance.choice(self.model.rows), self.cents()
        kind = {"purchase": "authorize", "verification": "authorize"}.get(
            row.kind, row.kind)
        other = self.chance.choice([name for name in (
            "authorize", "force_post", "refund") if name != kind])
        card, value = self.card(), Decimal(amount) / 100
        ask = {"authorize": lambda: self.way.authorize(
                   card.names, value, ref=row.ref),
               "force_post": lambda: self.way.force_post(
                   card.names, value, ref=row.ref),
               "refund": lambda: self.way.refund(
                   value, card=card.names, ref=row.ref)}[other]
        reply = self.say(ask, Refused("invalid_parameter"),
                         f"{other} with the reference of {row.id}, a {kind}")
        self.same((reply.status, reply.reply.body.get("param")),
                  (400, "network_ref"))
        self.seen.add("another kind's reference")
        return [card, row.card], [row]

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
        amount = self.chance.choice([
            100, 10_00, 100_00, 50_00 if self.poor else 1000_00,
            max(100, -card.money)])
        return self.card_step(card, "POST", "/fund", {"amount": amount / 100},
                              lambda: self.model.fund(card, amount))

    def do_deposit(self):
        """What the wallet owes exactly, or not all, or more; where it owes
        nothing some goes out again, of a poor one all but a little."""
        wallet = self.model.wallet
        if wallet < -1:
            amounts = [-wallet, -wallet - 1, 50_00, POOR_CENTS, POOR_CENTS]
        elif self.poor:
            amounts = [20_00 - wallet, -wallet - 1, 50_00, 150_00]
        else:
            amounts = [-20_00, -wallet - 1, 50_00]
        amount = self.chance.choice(amounts) or 1
        way = self.chance.choice(["coins", "operator"])
        self.what = f"deposit {amount} {way}"
        if way == "operator" and not self.patient:
            refused = self.expect(lambda: self.model.adjust(amount))
            if refused is None:
                self.account.adjust("test", amount)
            else:
                with pytest.raises(pymysql.MySQLError, match=refused.args[0]):
                    self.account.adjust("test", amount)
        elif amount > 0:
            reply = self.owner_says("POST", "/simulate/deposit", {
                "currency": "btc", "amount_usd": amount / 100}, None)
            self.model.deposit(cents(reply["credited_usd"]))
        return [card for card in self.model.cards if card.from_wallet], []

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
        self.read_clock(STEP_SECONDS * self.chance.choice([1, 1, 2, 7, 7]))
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
        found["balance"] = cents(shown["balance"])
        expected["balance"] = 0 if card.from_wallet and \
            card.status == "terminated" else card.source
        if card.status == "terminated" and card.money < 0:
            self.seen.add("dead in debt")
        if card.status == "active" and card.window != "transaction" \
                and (card.count or not card.from_wallet):
            found["available"] = cents(shown["available_to_spend"])
            expected["available"] = max(0, min(
                card.source, card.room(self.now)))
        self.same(found, expected)

    def check_transaction(self, row):
        shown = self.get(f"/transactions/{row.id}")
        names = ("authorized", "reversed", "cleared", "expired", "refunded")
        foreign = shown["merchant_amount"], shown["merchant_currency"]
        self.same(foreign, row.foreign)
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
        if self.model.wallet < 0:
            self.seen.add("wallet below zero")
        self.same(cents(shown["balance"]), self.model.wallet)
        self.same(cents(shown["total_deposited"] - shown["total_spent"]),
                  self.model.wallet)

    def finish(self):
        """Every card and transaction once more, and the lists' totals."""
        self.what = "finish"
        rows = self.model.rows
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
    "transaction_declined", "refund_exceeds_purchase", "wallet below zero",
    "cured", "missing_parameter", "dead in debt",
    "expiry of month", "expiry of year"}
USUAL_ON_NETWORK = USUAL | {
    "cancelled early", "early again", "original_not_found",
    "another kind's reference", "reversal repeated", "clearing repeated"}


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
    usual = USUAL_ON_NETWORK if way_name == "network" else USUAL
    assert all_messages < 1500 or usual <= seen, usual - seen
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
