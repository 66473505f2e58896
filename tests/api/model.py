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
        self.hold = self.used = 0
        self.declined = False
        self.expires = None
        self.foreign = (None, None)
        # What was said before, each with what it came to: reversals and final
        # clearings by amount, reversals by their reference too.
        self.reversals, self.final_clearings = {}, {}
        self.named_reversals = {}
        self.last_clearing = self.emptied = None
        self.advices = set()
        self.early = ()  # reversals that had come before it

    def move(self, authorized=0, reversed=0, cleared=0, expired=0):
        self.authorized += authorized
        self.reversed += reversed
        self.cleared += cleared
        self.expired += expired
        self.card.held -= self.hold
        self.hold = max(0, self.authorized - self.reversed - self.cleared
                        - self.expired)
        self.card.held += self.hold
        # What it takes of the limits.
        self.used = max(0, self.authorized - self.reversed - self.expired)

    def hold_begins(self, now):
        days = LONG_HOLD_DAYS if self.shop["long"] else HOLD_DAYS
        self.expires = now + days * DAY

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
        self.spent = self.count = self.held = 0
        self.transactions = []

    def add(self, row):
        self.transactions.append(row)
        self.model.rows.append(row)

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
        """A dead card keeps nothing but what it owes."""
        if self.from_wallet:
            self.model.wallet += amount
        elif self.status == "terminated":
            debt = min(amount, max(0, -self.money))
            self.money += debt
            self.model.wallet += amount - debt
        else:
            self.money += amount

    def give_no_more(self, amount):
        """A refund that was a mistake."""
        if self.from_wallet or self.status == "terminated":
            self.model.wallet -= amount
        else:
            self.money -= amount

    def used_since(self, since, whole=None):
        """whole: a transaction that counts whenever it was."""
        used = 0
        for row in self.transactions:
            if row.used and (row.at > since or row is whole):
                used += row.used
        return used

    def window_use(self, now, whole=None):
        since = {"daily": now - DAY, "weekly": now - 7 * DAY,
                 "monthly": month_before(now),
                 "yearly": year_start(now) - 1,
                 "forever": float("-inf")}[self.window]
        return self.used_since(since, whole)

    def room(self, now):
        """What limits leave to spend."""
        left = [max(0, self.bin_limits[1]
                    - self.used_since(month_before(now)))]
        if self.limit and self.window != "transaction":
            left.append(max(0, self.limit - self.window_use(now)))
        return min(left)

    def reasons(self, now, amount, shop, increment=None, wrong_cvv=False,
                wrong_expiry=False, currency_known=True):
        """All that fails, in the declared order. An increment (of this
        transaction) is decided as if the whole of it were asked for now."""
        failed = set()
        used = increment.used if increment else 0
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
                if used + amount > self.limit:
                    failed.add("transaction_limit")
            elif self.limit and \
                    self.window_use(now, increment) + amount > self.limit:
                failed.add(name + "_limit")
            if used + amount > self.bin_limits[0]:
                failed.add("bin_transaction_limit")
            if self.used_since(month_before(now), increment) + amount > \
                    self.bin_limits[1]:
                failed.add("bin_monthly_limit")
            if self.count_limit and not increment and \
                    self.approvals >= self.count_limit:
                failed.add("count_limit")
            if amount > self.source:
                failed.add("insufficient_funds")
        return [name for name in ORDER if name in failed]

    def cure(self):
        if self.reason == "overdrawn" and self.source >= 0:
            self.status, self.reason = "active", None
            self.model.cured.append(self)

    def settle_state(self, forced):
        """After an event: below zero, or below what the owner said. What is
        at zero again is cured instead, and all that the wallet pays for."""
        active = self.status == "active"
        self.cure()
        self.model.wallet_cure()
        if not active:
            return
        if forced and self.source < 0:
            self.status, self.reason = "frozen", "overdrawn"
        elif 0 < self.auto_freeze and self.source < self.auto_freeze:
            self.status, self.reason = "frozen", "auto_freeze"


class Model:
    def __init__(self, wallet):
        self.wallet = wallet
        self.cards, self.rows = [], []
        self.early = {}  # reference -> reversals that wait for it
        self.cured = []  # cards, for whoever wants to look at them

    def wallet_cure(self):
        if self.wallet >= 0:
            for card in self.cards:
                if card.from_wallet:
                    card.cure()

    # --- the network's messages; each gives what the answer must say ---------

    def authorize(self, now, card, amount, shop, partial=False,
                  verification=False, early=(), **wrong):
        made = Transaction(card, "verification" if verification or not amount
                           else "purchase", now, amount, shop)
        reasons = card.reasons(now, amount, shop, **wrong)
        approved = amount
        if reasons == ["insufficient_funds"] and partial and card.source > 0:
            reasons, approved = [], card.source
        card.add(made)
        if reasons:
            made.declined = True
            return made, reasons, 0
        card.count += 1
        if approved:
            made.move(authorized=approved)
            made.hold_begins(now)
            card.approvals += 1
            if card.kind == "merchant_locked" and card.bound is None:
                card.bound = shop["id"]
            card.take(approved)
            card.settle_state(False)
        for amount, ref in early:
            self.release(made, min(made.hold, amount or made.hold), amount,
                         ref)
        return made, [], approved

    def increment(self, now, row, amount):
        if row.declined:
            raise Refused("transaction_declined")
        if row.status != "pending":
            raise Refused("transaction_not_pending")
        reasons = row.card.reasons(now, amount, row.shop, row)
        if not reasons:
            row.move(authorized=amount)
            row.card.take(amount)
            row.card.settle_state(False)
        return reasons

    def advice(self, now, row, amount, named):
        """Nobody is asked: what was over is open again. One that changes
        nothing is an event all the same, if it is not said twice: then
        False."""
        if row.declined:
            raise Refused("transaction_declined")
        if not named and amount == row.hold and amount in row.advices:
            return False
        row.advices.add(amount)
        if not row.hold:
            row.hold_begins(now)
        difference = amount - row.hold
        row.move(row.reversed + row.cleared + row.expired + amount
                 - row.authorized)
        if difference > 0:
            row.card.take(difference)
        elif difference < 0:
            row.card.give(-difference)
        row.card.settle_state(True)
        return True

    def early_reversal(self, ref, amount, message):
        """Before its authorization, amount None: all. False: a repetition."""
        kept = self.early.setdefault(ref, [])
        if any(message == other if message else amount == said
               for said, other in kept):
            return False
        kept.append((amount, message))
        return True

    def release(self, row, cents, said, ref):
        """A reversal that said so much, and comes to so many cents."""
        if ref is not None:
            row.named_reversals[ref] = cents
        row.reversals[cents] = cents
        row.reversals.setdefault(said, cents)
        if not cents:
            return
        row.move(reversed=cents)
        if not row.hold:
            row.emptied = cents
        row.card.give(cents)
        row.card.settle_state(False)

    def reverse(self, row, amount, ref):
        """What it gives back, now or when it was first said; amount None: all
        that is held."""
        if row.declined:
            raise Refused("transaction_declined")
        if row.kind != "purchase":
            raise Refused("transaction_settled")
        if ref is None:
            if amount is None and not row.hold and row.emptied is not None:
                return row.emptied
            if amount in row.reversals and amount is not None:
                return row.reversals[amount]
        elif ref in row.named_reversals:
            return row.named_reversals[ref]
        if row.status in ("settled", "refunded"):
            raise Refused("transaction_settled")
        cents = row.hold if amount is None else amount
        if not row.hold or cents > row.hold:
            raise Refused("over_reversal")
        self.release(row, cents, amount, ref)
        return cents

    def clear(self, row, amount, final, named, foreign=None):
        """What it takes, now or when it was first said."""
        if row.declined:
            raise Refused("transaction_declined")
        if not named and final:
            if amount is None and not row.hold and \
                    row.last_clearing is not None:
                return row.last_clearing
            if amount in row.final_clearings:
                return amount
        if amount is None and not row.hold:
            raise Refused("missing_parameter")
        amount = row.hold if amount is None else amount
        if final:
            row.final_clearings[amount] = row.last_clearing = amount
        if foreign is not None:
            row.foreign = foreign
        card = row.card
        card.take(amount - min(amount, row.hold))
        row.move(cleared=amount)
        rest = row.hold
        if final and rest:
            row.move(reversed=rest)
            card.give(rest)
        card.spent += amount
        card.settle_state(True)
        return amount

    def force_post(self, now, card, amount, shop):
        made = Transaction(card, "force_post", now, amount, shop)
        card.add(made)
        made.move(authorized=amount, cleared=amount)
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
        card.add(made)
        card.give(amount)
        card.spent -= amount
        card.count += 1
        card.settle_state(False)
        return made

    def take_back(self, row, amount, named):
        if row.kind != "refund":
            raise Refused("original_not_found")
        left = row.requested - row.reversed
        if not named:
            if amount is None and not left and row.emptied is not None:
                return row.emptied
            if amount in row.reversals:
                return amount
        amount = left if amount is None else amount
        if not left or amount > left:
            raise Refused("over_reversal")
        row.reversals[amount] = amount
        row.reversed += amount
        if amount == left:
            row.emptied = amount
        if row.original is not None:
            row.original.refunded -= amount
        row.card.give_no_more(amount)
        row.card.spent += amount
        row.card.settle_state(True)
        return amount

    # --- the owner's doings ---------------------------------------------------

    def deposit(self, amount):
        self.wallet += amount
        self.wallet_cure()

    def adjust(self, amount):
        if amount < 0 and self.wallet + amount < 0:
            raise Refused("the wallet holds less than that")
        self.deposit(amount)

    def fund(self, card, amount):
        if card.status == "terminated":
            raise Refused("card_terminated")
        if amount > self.wallet:
            raise Refused("insufficient_funds")
        self.wallet -= amount
        card.money += amount
        card.cure()

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
        self.wallet_cure()

    def time_passes(self, now):
        due = [row for row in self.rows
               if row.hold and row.expires is not None and row.expires <= now]
        for row in sorted(due, key=lambda row: row.expires):
            rest = row.hold
            row.move(expired=rest)
            row.card.give(rest)
            row.card.settle_state(False)
        return due
