# SPDX-License-Identifier: Apache-2.0
"""
Reads a scenario: a line is a verb, the name of what it is about, columns
name=value, and after -> the outcome, in words and columns. Each column after
the arrow is read from the API after the step.

    account  A  wallet=100.00
    card     C  of=A fund=80.00 spending_limit=70.00
    auth     H1 card=C amount=60.00     -> approved balance=20.00
    clear    H1 amount=45.00            -> settled balance=35.00
    clear    H1 amount=45.00            -> settled (same) balance=35.00
    audit                               -> clean

(same) says that the message left no event: it was a repetition. A line that
begins with `network:` or `sandbox:` is for that way only.

Columns of outcomes. Of the message: code (response code), approved_amount,
auth_code (yes, none). Of the card: balance, pending, spent, count, available,
card (its status), frozen (its reason). Of the account: wallet. Of the
transaction: status, type, amount, balance_after, hold, authorized, reversed,
cleared, expired, refunded, reason, reasons, merchant_amount,
merchant_currency, original.
"""

import datetime
import json
import shlex
from decimal import Decimal

import privacy
from conftest import Account
from payments import (Processor, Sandbox, Setup, events, reference, shop,
                      with_number)

CARD_COLUMNS = {
    "balance": "balance", "pending": "pending", "spent": "total_spent",
    "count": "transaction_count", "available": "available_to_spend",
    "card": "status", "frozen": "frozen_reason"}
TRANSACTION_COLUMNS = {
    "status": "status", "type": "type", "amount": "amount",
    "balance_after": "balance_after", "hold": "pending",
    "authorized": "authorized", "reversed": "reversed", "cleared": "cleared",
    "expired": "expired", "refunded": "refunded", "reason": "decline_reason",
    "reasons": "decline_reasons", "merchant_amount": "merchant_amount",
    "merchant_currency": "merchant_currency",
    "original": "original_transaction_id"}
WINDOWS = ("transaction", "daily", "weekly", "monthly", "yearly", "forever")


def show(value):
    if value is None:
        return "none"
    if isinstance(value, list):
        return ",".join(value) or "none"
    return str(value)


def equal(expected, value):
    if isinstance(value, (Decimal, int)) and not isinstance(value, bool):
        return Decimal(expected) == value
    return expected == show(value)


class Line:
    def __init__(self, number, text):
        self.number, self.text = number, text
        words = shlex.split(text, comments=True)
        self.way = None
        if words and words[0] in ("network:", "sandbox:"):
            self.way = words.pop(0)[:-1]
        self.given, self.words, self.expected = {}, [], {}
        self.verb = words.pop(0) if words else None
        self.name = None
        arrow = False
        for word in words:
            name, equals, value = word.partition("=")
            if word == "->":
                arrow = True
            elif equals:
                (self.expected if arrow else self.given)[name] = value
            elif arrow:
                self.words.append(word)
            elif self.name is None:
                self.name = word
            else:
                raise SyntaxError(f"line {number}: {word}")

    def take(self, name, default=None):
        return self.given.pop(name, default)


class Story:
    def __init__(self, path, way, stack, admin, owner, network, audit):
        self.path, self.way_name = path, way
        self.stack, self.admin, self.owner = stack, admin, owner
        self.network, self.audit = network, audit
        self.setup = Setup(owner)
        self.accounts, self.cards = {}, {}
        self.transactions, self.challenges = {}, {}
        self.seen = {}  # events of a card that were told of
        self.blocked = []
        self.prefix = reference()

    def run(self):
        steps = 0
        try:
            for number, text in enumerate(
                    self.path.read_text().splitlines(), 1):
                line = Line(number, text)
                if line.verb is None or line.way not in (None, self.way_name):
                    continue
                self.step(line)
                steps += 1
        finally:
            for country in self.blocked:
                self.owner.rows("DELETE FROM blocked_countries "
                                "WHERE country = %s", country)
        for name in self.cards:
            events(self.owner, self.cards[name]["id"])
        for account in self.accounts.values():
            privacy.agree(account)
        self.audit()
        return steps

    def step(self, line):
        where = f"{self.path.name}:{line.number}: {line.text.strip()}"
        try:
            run = getattr(self, "do_" + line.verb)
            self.counted = self.event_count(self.transactions.get(line.name))
            outcome, context = run(line)
            assert not line.given, f"unknown columns {sorted(line.given)}"
            if line.words:
                assert outcome == line.words, \
                    f"{' '.join(outcome)}: {context.get('answer')!r}"
            found = {name: self.column(name, context)
                     for name in line.expected}
        except AssertionError as error:
            raise AssertionError(f"{where}\n    {error}") from None
        wrong = {name: show(value) for name, value in found.items()
                 if not equal(line.expected[name], value)}
        assert not wrong, f"{where}\n    found {wrong}"

    def column(self, name, context):
        answer = context.get("answer")
        if name == "code":
            return answer.code
        if name == "approved_amount":
            if self.way_name == "network":
                return answer.amount
            first = self.detail(context["transaction"])["timeline"][0]
            return first["amount"] if first["approved"] else Decimal(0)
        if name == "auth_code":
            return "yes" if answer.authorization_code else "none"
        if name in TRANSACTION_COLUMNS:
            value = self.detail(context["transaction"])[
                TRANSACTION_COLUMNS[name]]
            if name == "original":
                return next((key for key, row in self.transactions.items()
                             if row["id"] == value), value)
            return value
        account = context.get("account")
        if "card" in context:
            account = context["card"]["account"]
        if name == "wallet":
            return account.test.wallet()["balance"]
        if name in CARD_COLUMNS:
            reply = account.test.get(f"/cards/{context['card']['id']}")
            assert reply.status == 200, reply
            return reply[CARD_COLUMNS[name]]
        if name in context:
            return context[name]
        raise SyntaxError(f"no column {name} here")

    def detail(self, transaction):
        reply = transaction["card"]["account"].test.get(
            f"/transactions/{transaction['id']}")
        assert reply.status == 200, reply
        return reply

    def way(self, card):
        if self.way_name == "sandbox":
            return Sandbox(card["account"].test)
        return Processor(self.network)

    # --- accounts and cards --------------------------------------------------

    def do_account(self, line):
        account = Account(self.stack, self.admin)
        amount = Decimal(line.take("wallet", "0"))
        if amount:
            account.adjust("test", int(amount * 100))
        self.accounts[line.name] = account
        return ["ok"], {"account": account}

    def do_card(self, line):
        account = self.accounts[line.take("of")]
        fields = {"bin_id": line.take("bin", "491653"),
                  "amount": float(line.take("fund", "1.00"))}
        for name in ("spending_limit", "auto_freeze_at"):
            if name in line.given:
                fields[name] = float(line.take(name))
        if "allowed_categories" in line.given:
            fields["allowed_categories"] = \
                line.take("allowed_categories").split(",")
        reply = account.test.post("/cards", fields)
        assert reply.status == 201, reply
        card = {**with_number(account.test, reply.body), "account": account}
        self.cards[line.name] = card
        self.seen[line.name] = 0
        columns = {}
        if "type" in line.given:
            columns["type"] = line.take("type")
        if "window" in line.given:
            columns["limit_window"] = line.take("window")
            assert columns["limit_window"] in WINDOWS
        if "limit" in line.given:  # 0 is none, which only Privacy can say
            columns["spending_limit_cents"] = \
                int(Decimal(line.take("limit")) * 100)
        if "count_limit" in line.given:
            columns["count_limit"] = int(line.take("count_limit"))
        funding, status = line.take("funding"), line.take("status")
        if funding or status:
            reply = account.test.post(f"/cards/{card['id']}/withdraw",
                                      {"amount": fields["amount"]})
            assert reply.status == 200, reply
        if funding:
            columns["funding"] = funding
        if columns:
            self.setup.change(card["id"], **columns)
        if status:
            assert status == "pending_top_up"
            self.setup.pending(card["id"])
        return ["ok"], {"card": card}

    def card_call(self, line, method, path, body=None):
        card = self.cards[line.name]
        reply = card["account"].test.call(
            method, f"/cards/{card['id']}{path}", body)
        if reply.status != 200:
            return ["refused", reply.error], {"card": card, "answer": reply}
        return None, {"card": card, "answer": reply}

    def card_status(self, line, method, path, body=None):
        outcome, context = self.card_call(line, method, path, body)
        if outcome is None:
            outcome = [self.column("card", context)]
        return outcome, context

    def do_freeze(self, line):
        return self.card_status(line, "POST", "/freeze")

    def do_unfreeze(self, line):
        return self.card_status(line, "POST", "/unfreeze")

    def do_fund(self, line):
        return self.card_status(line, "POST", "/fund",
                                {"amount": float(line.take("amount"))})

    def do_withdraw(self, line):
        return self.card_status(line, "POST", "/withdraw",
                                {"amount": float(line.take("amount"))})

    def do_patch(self, line):
        body = {name: float(line.take(name)) for name in list(line.given)}
        return self.card_status(line, "PATCH", "", body)

    def do_terminate(self, line):
        outcome, context = self.card_status(line, "DELETE", "")
        if context["answer"].status == 200:
            context["refund"] = context["answer"]["refunded_amount"]
        return outcome, context

    def do_show(self, line):
        if line.name in self.cards:
            return ["ok"], {"card": self.cards[line.name]}
        if line.name in self.transactions:
            transaction = self.transactions[line.name]
            context = {"transaction": transaction,
                       "card": transaction["card"]}
            return [self.column("status", context)], context
        return ["ok"], {"account": self.accounts[line.name]}

    # --- the operator --------------------------------------------------------

    def do_suspend(self, line):
        self.accounts[line.name].suspend()
        return ["ok"], {}

    def do_reactivate(self, line):
        self.accounts[line.name].reactivate()
        return ["ok"], {"account": self.accounts[line.name]}

    def do_block(self, line):
        country = line.take("country")
        self.owner.rows("INSERT INTO blocked_countries (country, reason, "
                        "created_at) VALUES (%s, 'a test', UTC_TIMESTAMP())",
                        country)
        self.blocked.append(country)
        return ["ok"], {}

    def do_operator_freeze(self, line):
        card = self.cards[line.name]
        self.admin.call("admin_card_freeze", card["id"], "a test")
        return ["ok"], {"card": card}

    # --- payments ------------------------------------------------------------

    def merchant(self, line):
        given = {name: line.take(name) for name in ("mcc", "country", "city")
                 if name in line.given}
        return shop(line.take("merchant", "shop-1"), **given)

    def event_count(self, transaction):
        if transaction is None:
            return 0
        return self.owner.value("SELECT event_count FROM transactions "
                                "WHERE public_id = %s", transaction["id"])

    def remember(self, line, card, answer):
        """The transaction of the line's name; whether it was there before."""
        before = self.transactions.get(line.name)
        if answer.transaction is None:
            return before
        known = before is not None and before["id"] == answer.transaction
        if not known:
            for row in self.transactions.values():
                if row["id"] == answer.transaction:
                    known, before = True, row
        if not known:
            before = {"id": answer.transaction, "card": card,
                      "ref": getattr(answer, "ref", None)}
        self.transactions[line.name] = before
        return before

    def told(self, line, card, answer, verdict):
        """The outcome's words, and (same) where no event was added."""
        context = {"card": card, "answer": answer}
        if answer.error:
            transaction = self.transactions.get(line.name)
            assert self.event_count(transaction) == self.counted, \
                "a refusal left an event"
            return ["refused", answer.error], context
        assert answer.status in (200, 201), answer
        transaction = self.remember(line, card, answer)
        context["transaction"] = transaction
        if transaction is None:
            return verdict, context
        if self.event_count(transaction) == self.counted:
            verdict = verdict + ["(same)"]
        if verdict[0] == "status":
            verdict = [self.column("status", context), *verdict[1:]]
        return verdict, context

    def verdict(self, answer, asked):
        if answer.error:
            return []
        if not answer.approved:
            assert answer.code not in ("00", "10"), answer
            if answer.reason is not None:
                assert answer.reason == answer.reasons[0], answer
            return ["declined", *answer.reasons]
        assert answer.code in ("00", "10"), answer
        assert answer.reasons == [] and answer.reason is None, answer
        return ["partial" if answer.code == "10" else "approved"]

    def do_auth(self, line):
        card = line.take("card")
        card = {"id": "card_" + "0" * 20, "pan": "4916530000000000",
                "cvv": "000", "exp_month": 1, "exp_year": 2030,
                "account": next(iter(self.accounts.values()))} \
            if card == "unknown" else self.cards[card]
        options = {}
        for name, field in (("kind", "kind"),
                            ("currency", "merchant_currency")):
            if name in line.given:
                options[field] = line.take(name)
        if "merchant_amount" in line.given:
            options["merchant_amount"] = float(line.take("merchant_amount"))
        if line.take("partial") == "yes":
            options["partial_capable"] = True
        cvv = line.take("cvv")
        if cvv == "right":
            options["cvv"] = card["cvv"]
        elif cvv == "wrong":
            options["cvv"] = f"{(int(card['cvv']) + 1) % 1000:03}"
        exp = line.take("exp")
        if exp is not None:
            options["exp_month"] = card["exp_month"]
            options["exp_year"] = card["exp_year"]
            if exp == "wrong":
                options["exp_year"] += 1
            elif exp == "short":
                options["exp_year"] %= 100
        ref = line.take("ref")
        if ref is not None:
            ref = self.reference(ref)
        amount = Decimal(line.take("amount", "0"))
        answer = self.way(card).authorize(
            card, amount, self.merchant(line), ref=ref, **options)
        return self.told(line, card, answer, self.verdict(answer, amount))

    def reference(self, name):
        """References are the whole world's; a story's are its own."""
        return f"{self.prefix}-{name}"

    def message(self, line, kind, **more):
        ref = line.take("ref")
        if ref is not None:
            ref = self.reference(ref)
        of = line.take("of")  # a reference nothing is known of
        amount = line.take("amount")
        if line.name in self.transactions:
            transaction = self.transactions[line.name]
        else:
            transaction = {"id": "txn_" + "0" * 20,
                           "ref": self.reference(of or "nowhere"),
                           "card": next(iter(self.cards.values()))}
        card = transaction["card"]
        answer = self.way(card).message(
            kind, transaction, None if amount is None else Decimal(amount),
            ref=ref, **more)
        return card, answer

    def do_increment(self, line):
        card, answer = self.message(line, "increment")
        verdict = self.verdict(answer, None)
        if verdict == ["declined"]:
            # The sandbox shows the transaction, which is not declined.
            transaction = self.transactions[line.name]
            row = self.owner.row(
                "SELECT e.decline_reasons FROM transaction_events e "
                "JOIN transactions t ON t.id = e.transaction_id "
                "WHERE t.public_id = %s ORDER BY e.number DESC LIMIT 1",
                transaction["id"])
            verdict += json.loads(row["decline_reasons"])
        return self.told(line, card, answer, verdict)

    def do_advice(self, line):
        card, answer = self.message(line, "advice")
        return self.told(line, card, answer, ["status"])

    def do_reverse(self, line):
        card, answer = self.message(line, "reversal")
        return self.told(line, card, answer, ["status"])

    def do_clear(self, line):
        more = {}
        if "final" in line.given:
            more["final"] = line.take("final") == "yes"
        if "merchant_amount" in line.given:
            more["merchant_amount"] = float(line.take("merchant_amount"))
        if "currency" in line.given:
            more["merchant_currency"] = line.take("currency")
        card, answer = self.message(line, "clearing", **more)
        return self.told(line, card, answer, ["status"])

    def do_force_post(self, line):
        card = self.cards[line.take("card")]
        ref = line.take("ref")
        answer = self.way(card).force_post(
            card, Decimal(line.take("amount")), self.merchant(line),
            ref=None if ref is None else self.reference(ref))
        return self.told(line, card, answer, ["status"])

    def do_refund(self, line):
        original = line.take("of")
        original = None if original is None else self.transactions[original]
        card = line.take("card")
        card = original["card"] if card is None else self.cards[card]
        ref = line.take("ref")
        answer = self.way(card).refund(
            Decimal(line.take("amount")), card=card, original=original,
            merchant=self.merchant(line),
            ref=None if ref is None else self.reference(ref))
        return self.told(line, card, answer, ["status"])

    def do_take_back(self, line):
        """The reversal of a refund."""
        ref, amount = line.take("ref"), line.take("amount")
        refund = self.transactions.get(line.name) or {
            "id": "txn_" + "0" * 20, "ref": self.reference("nowhere"),
            "card": next(iter(self.cards.values()))}
        answer = self.way(refund["card"]).take_back(
            refund, None if amount is None else Decimal(amount),
            ref=None if ref is None else self.reference(ref))
        return self.told(line, refund["card"], answer, ["status"])

    # --- 3-D Secure ----------------------------------------------------------

    def challenge_of(self, challenge):
        reply = challenge["card"]["account"].test.get(
            f"/3ds/{challenge['id']}")
        assert reply.status == 200, reply
        return reply

    def do_challenge(self, line):
        card = self.cards[line.take("card")]
        reply = self.way(card).challenge(
            card, Decimal(line.take("amount")), line.take("merchant", "SHOP"))
        if reply.status >= 400:
            return ["refused", reply.error], {"card": card, "answer": reply}
        challenge = {"id": reply["id"], "card": card, "otp": None}
        self.challenges[line.name] = challenge
        shown = self.challenge_of(challenge)
        challenge["otp"] = shown["otp"]
        return [shown["status"]], {"card": card}

    def do_verify(self, line):
        challenge = self.challenges[line.name]
        otp = line.take("otp")
        code = challenge["otp"]
        if otp == "wrong":
            code = f"{(int(code) + 1) % 1000000:06}"
        reply = self.way(challenge["card"]).verify(challenge["id"], code)
        if reply.status >= 400:
            return ["refused", reply.error], {"answer": reply}
        return [reply["status"]], {"answer": reply}

    def do_look(self, line):
        challenge = self.challenges[line.name]
        shown = self.challenge_of(challenge)
        return [shown["status"]], {
            "otp": "shown" if shown.body.get("otp") else "none"}

    # --- time, events, the audit ---------------------------------------------

    def do_clock(self, line):
        account = self.accounts[line.name]
        api = account.test
        seconds = 0
        for unit, size in (("seconds", 1), ("minutes", 60), ("hours", 3600),
                           ("days", 86400)):
            seconds += int(line.take(unit, "0")) * size
        if "to" in line.given:
            now = api.post("/simulate/clock", {"advance_seconds": 0})["now"]
            now = datetime.datetime.strptime(now, "%Y-%m-%dT%H:%M:%SZ")
            seconds = int((self.moment(line.take("to"), now) - now)
                          .total_seconds())
        reply = api.post("/simulate/clock", {"advance_seconds": seconds})
        assert reply.status == 201, reply
        return ["ok"], {"account": account}

    @staticmethod
    def moment(text, now):
        """The next MM-DD HH:MM[:SS]; 02-last is February's last day."""
        date, _, time = text.partition(" ")
        month, day = date.split("-")
        hour, minute, second = (time + ":00").split(":")[:3]
        for year in range(now.year, now.year + 2):
            if day == "last":
                first = datetime.datetime(year, int(month) % 12 + 1, 1)
                number = (first - datetime.timedelta(days=1)).day
            else:
                number = int(day)
            found = datetime.datetime(year, int(month), number, int(hour),
                                      int(minute), int(second))
            if found > now:
                return found
        raise ValueError(text)

    def do_events(self, line):
        """Those of the card since the line before this."""
        card = self.cards[line.name]
        rows = events(self.owner, card["id"], self.seen[line.name])
        self.seen[line.name] += len(rows)
        known = {row["id"] for row in self.transactions.values()}
        for row in rows:
            if row["type"].startswith("transaction."):
                assert row["snapshot"]["public_id"] in known, row
        return [row["type"] for row in rows] or ["none"], {"card": card}

    def do_timeline(self, line):
        transaction = self.transactions[line.name]
        rows = self.detail(transaction)["timeline"]
        return [row["type"] for row in rows], {
            "transaction": transaction, "card": transaction["card"],
            "amounts": ",".join(str(row["amount"]) for row in rows),
            "codes": ",".join(show(row["response_code"]) for row in rows),
            "balances": ",".join(str(row["balance_after"]) for row in rows)}

    def do_audit(self, line):
        self.audit()
        return ["clean"], {}
