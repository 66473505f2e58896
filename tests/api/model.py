# SPDX-License-Identifier: Apache-2.0
"""
The life of a card payment once more, in the plainest words: what the engine
should have done. Written from the specification (LIFECYCLE), with nothing of
the engine in it. Amounts are cents, moments are seconds.
"""

import calendar
import datetime

ORDER = [
    "card_unknown", "card_expired", "expiry_mismatch", "cvv_mismatch",
    "account_suspended", "card_pending", "card_terminated", "card_frozen",
    "single_use_spent", "merchant_locked", "category_not_allowed",
    "country_not_allowed", "currency_not_supported", "transaction_limit",
    "bin_transaction_limit", "daily_limit", "weekly_limit", "monthly_limit",
    "yearly_limit", "lifetime_limit", "bin_monthly_limit", "count_limit",
    "insufficient_funds"]
DAY = 86400
HOLD_DAYS = 7
LONG_HOLD_DAYS = 30


class Refused(Exception):
    """The message is refused, with any of these codes."""


def month_before(moment):
    at = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc)
    year, month = (at.year, at.month - 1) if at.month > 1 else \
        (at.year - 1, 12)
    day = min(at.day, calendar.monthrange(year, month)[1])
    return at.replace(year=year, month=month, day=day).timestamp()


def year_start(moment):
    at = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc)
    return datetime.datetime(at.year, 1, 1,
                             tzinfo=datetime.timezone.utc).timestamp()


class Transaction:
    def __init__(self, card, kind, at, requested, shop):
        self.card, self.kind, self.at, self.shop = card, kind, at, shop
        self.requested = requested
        self.authorized = self.reversed = self.cleared = 0
        self.expired = self.refunded = 0
        self.declined = False
        self.expires = None
        self.reversals, self.final_clearings = set(), set()
        self.advices = set()

    @property
    def hold(self):
        return max(0, self.authorized - self.reversed - self.cleared
                   - self.expired)

    def hold_begins(self, now):
        days = LONG_HOLD_DAYS if self.shop["long"] else HOLD_DAYS
        self.expires = now + days * DAY

    @property
    def used(self):
        """What it takes of the limits."""
        return max(0, self.authorized - self.reversed - self.expired)

    @property
    def status(self):
        if self.declined:
            return "declined"
        if self.kind == "refund":
            return "voided" if self.reversed == self.requested else "settled"
        if self.kind == "verification":
            return "settled"
        if self.hold > 0:
            return "pending"
        if self.cleared > 0:
            return "refunded" if self.refunded == self.cleared else "settled"
        return "expired" if self.expired > 0 else "voided"

    @property
    def type(self):
        if self.declined:
            return "decline"
        if self.kind == "refund":
            return "refund"
        return "settlement" if self.cleared > 0 else "authorization"

    @property
    def amount(self):
        """As the API shows it: debits negative."""
        if self.kind == "refund":
            return self.requested - (
                0 if self.status == "voided" else self.reversed)
        return {"declined": -self.requested,
                "pending": self.reversed - self.authorized,
                "voided": -self.authorized, "expired": -self.authorized,
                }.get(self.status, -self.cleared)


class Card:
    def __init__(self, model, funds, limit, window="monthly", auto_freeze=0,
                 kind="unlocked", categories=(), count_limit=0,
                 from_wallet=False, bin_limits=(500000, 5000000)):
        self.model = model
        self.money, self.limit, self.window = funds, limit, window
        self.auto_freeze, self.kind = auto_freeze, kind
        self.categories, self.count_limit = categories, count_limit
        self.from_wallet, self.bin_limits = from_wallet, bin_limits
        self.status, self.reason = "active", None
        self.bound = None
        self.approvals = 0
        self.spent = self.count = 0
        self.transactions = []

    @property
    def held(self):
        return sum(row.hold for row in self.transactions)

    # Where money comes from, and where it goes back to.

    @property
    def source(self):
        return self.model.wallet if self.from_wallet else self.money

    def take(self, amount):
        if self.from_wallet:
            self.model.wallet -= amount
        else:
            self.money -= amount

    def give(self, amount):
        if self.from_wallet or self.status == "terminated":
            self.model.wallet += amount
        else:
            self.money += amount

    def used_since(self, since):
        return sum(row.used for row in self.transactions
                   if row.kind != "refund" and row.at > since)

    def window_use(self, now):
        since = {"daily": now - DAY, "weekly": now - 7 * DAY,
                 "monthly": month_before(now),
                 "yearly": year_start(now) - 1,
                 "forever": float("-inf")}[self.window]
        return self.used_since(since)

    def room(self, now):
        """What limits leave to spend."""
        left = [max(0, self.bin_limits[1]
                    - self.used_since(month_before(now)))]
        if self.limit and self.window != "transaction":
            left.append(max(0, self.limit - self.window_use(now)))
        return min(left)

    def reasons(self, now, amount, shop, held=0, increment=False,
                wrong_cvv=False, wrong_expiry=False, currency_known=True):
        """All that fails, in the declared order."""
        failed = set()
        if wrong_expiry:
            failed.add("expiry_mismatch")
        if wrong_cvv:
            failed.add("cvv_mismatch")
        if self.status != "active":
            failed.add("card_" + self.status)
        if self.kind == "single_use" and self.approvals and not increment:
            failed.add("single_use_spent")
        if self.kind == "merchant_locked" and not increment and \
                self.bound not in (None, shop["id"]):
            failed.add("merchant_locked")
        if self.categories and shop["category"] not in self.categories:
            failed.add("category_not_allowed")
        if not currency_known:
            failed.add("currency_not_supported")
        if amount > 0:
            name = {"forever": "lifetime"}.get(self.window, self.window)
            if self.limit and self.window == "transaction":
                if held + amount > self.limit:
                    failed.add("transaction_limit")
            elif self.limit and self.window_use(now) + amount > self.limit:
                failed.add(name + "_limit")
            if held + amount > self.bin_limits[0]:
                failed.add("bin_transaction_limit")
            if self.used_since(month_before(now)) + amount > \
                    self.bin_limits[1]:
                failed.add("bin_monthly_limit")
            if self.count_limit and not increment and \
                    self.approvals >= self.count_limit:
                failed.add("count_limit")
            if amount > self.source:
                failed.add("insufficient_funds")
        return [name for name in ORDER if name in failed]

    def settle_state(self, forced):
        """After an event: below zero, or below what the owner said."""
        if self.status != "active":
            return
        if forced and self.source < 0:
            self.status, self.reason = "frozen", "overdrawn"
        elif self.source < self.auto_freeze:
            self.status, self.reason = "frozen", "auto_freeze"


class Model:
    def __init__(self, wallet):
        self.wallet = wallet
        self.cards = []

    def total(self):
        """All that is the account's; only the network changes it."""
        return self.wallet + sum(card.money + card.held
                                 for card in self.cards)

    # --- the network's messages; each gives what the answer must say ---------

    def authorize(self, now, card, amount, shop, partial=False,
                  verification=False, **wrong):
        made = Transaction(card, "verification" if verification or not amount
                           else "purchase", now, amount, shop)
        reasons = card.reasons(now, amount, shop, **wrong)
        approved = amount
        if reasons == ["insufficient_funds"] and partial and card.source > 0:
            reasons, approved = [], card.source
        card.transactions.append(made)
        if reasons:
            made.declined = True
            return made, reasons, 0
        card.count += 1
        if approved:
            made.authorized = approved
            made.hold_begins(now)
            card.approvals += 1
            if card.kind == "merchant_locked" and card.bound is None:
                card.bound = shop["id"]
            card.take(approved)
            card.settle_state(False)
        return made, [], approved

    def increment(self, now, row, amount):
        if row.declined:
            raise Refused("transaction_declined")
        if row.status != "pending":
            raise Refused("transaction_not_pending")
        reasons = row.card.reasons(now, amount, row.shop, row.hold, True)
        if not reasons:
            row.authorized += amount
            row.card.take(amount)
            row.card.settle_state(False)
        return reasons

    def advice(self, now, row, amount, named):
        """Nobody is asked: what was over is open again. One that changes
        nothing is an event all the same, if it is not said twice."""
        if row.declined:
            raise Refused("transaction_declined")
        if not named and amount == row.hold and amount in row.advices:
            return
        row.advices.add(amount)
        if not row.hold:
            row.hold_begins(now)
        difference = amount - row.hold
        row.authorized = row.reversed + row.cleared + row.expired + amount
        if difference > 0:
            row.card.take(difference)
        elif difference < 0:
            row.card.give(-difference)
        row.card.settle_state(True)

    def reverse(self, row, amount, named):
        """named: the message has a reference, and is one of its own."""
        if row.declined:
            raise Refused("transaction_declined")
        if row.kind != "purchase":
            raise Refused("transaction_settled")
        if not named and amount in row.reversals:
            return
        if row.status in ("settled", "refunded"):
            raise Refused("transaction_settled")
        if amount > row.hold:
            raise Refused("over_reversal")
        row.reversals.add(amount)
        row.reversed += amount
        row.card.give(amount)
        row.card.settle_state(False)

    def clear(self, row, amount, final, named):
        if row.declined:
            raise Refused("transaction_declined")
        if amount is None and not row.hold:
            raise Refused("missing_parameter")
        amount = row.hold if amount is None else amount
        if not named and final and amount in row.final_clearings:
            return
        if final:
            row.final_clearings.add(amount)
        card = row.card
        card.take(amount - min(amount, row.hold))
        row.cleared += amount
        rest = row.hold
        if final and rest:
            row.reversed += rest
            card.give(rest)
        card.spent += amount
        card.settle_state(True)

    def force_post(self, now, card, amount, shop):
        made = Transaction(card, "force_post", now, amount, shop)
        made.authorized = made.cleared = amount
        card.transactions.append(made)
        card.take(amount)
        card.spent += amount
        card.count += 1
        card.settle_state(True)
        return made

    def refund(self, now, card, amount, original=None):
        if original is not None:
            if original.declined:
                raise Refused("transaction_declined",
                              "refund_exceeds_purchase")
            if amount > original.cleared - original.refunded:
                raise Refused("refund_exceeds_purchase")
            original.refunded += amount
        made = Transaction(card, "refund", now, amount, None)
        made.original = original
        card.transactions.append(made)
        card.give(amount)
        card.spent -= amount
        card.count += 1
        card.settle_state(False)
        return made

    def take_back(self, row, amount, named):
        if row.kind != "refund":
            raise Refused("original_not_found")
        if not named and amount in row.reversals:
            return
        if amount > row.requested - row.reversed:
            raise Refused("over_reversal")
        row.reversals.add(amount)
        row.reversed += amount
        if row.original is not None:
            row.original.refunded -= amount
        row.card.give(-amount)
        row.card.spent += amount
        row.card.settle_state(True)

    # --- the owner's doings ---------------------------------------------------

    def fund(self, card, amount):
        if card.status == "terminated":
            raise Refused("card_terminated")
        if amount > self.wallet:
            raise Refused("insufficient_funds")
        self.wallet -= amount
        card.money += amount
        if card.reason == "overdrawn" and card.money >= 0:
            card.status, card.reason = "active", None

    def withdraw(self, card, amount):
        if card.status == "terminated":
            raise Refused("card_terminated")
        if amount > card.money:
            raise Refused("insufficient_card_balance")
        card.money -= amount
        self.wallet += amount
        card.settle_state(False)

    def freeze(self, card):
        if card.status == "terminated":
            raise Refused("card_terminated")
        if card.status == "active":
            card.status, card.reason = "frozen", "customer"

    def unfreeze(self, card):
        if card.status == "terminated":
            raise Refused("card_terminated")
        if card.status == "active":
            return
        if card.reason == "overdrawn" or card.source < 0:
            raise Refused("card_not_active")
        card.status, card.reason = "active", None

    def terminate(self, card):
        if card.status == "terminated":
            return
        if not card.from_wallet:
            back = max(0, card.money)
            card.money -= back
            self.wallet += back
        card.status, card.reason = "terminated", None

    def time_passes(self, now):
        due = [row for card in self.cards for row in card.transactions
               if row.hold and row.expires is not None and row.expires <= now]
        for row in sorted(due, key=lambda row: row.expires):
            rest = row.hold
            row.expired += rest
            row.card.give(rest)
            row.card.settle_state(False)
        return due
