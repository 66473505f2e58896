# SPDX-License-Identifier: Apache-2.0
"""Two ways to one engine: the sandbox, and the network interface with its
client certificate. Tests say what they want in the same words to either."""

import json
import secrets
from decimal import Decimal

import pytest
from conftest import Link


def shop(name="shop-1", mcc="5734", country="US", **more):
    return {"name": name.upper(), "mcc": mcc, "country": country, "id": name,
            **more}


class Network:
    """What a processor has: the address, a certificate and its key."""

    def __init__(self, env, stack):
        self.stack = stack
        self.link = Link(env.network_url, env.ca,
                         (env.network_cert, env.network_cert_key))

    def call(self, method, path, json_body=None, body=None, headers=None,
             check=True, timeout=30):
        sent = dict(headers or {})
        if json_body is not None:
            body = json.dumps(json_body)
        if isinstance(body, str):
            body = body.encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        reply = self.link.request(method, "/network/v1" + path, sent, body,
                                  timeout)
        if check:
            body = reply.body
            if isinstance(body, dict) and "error" in body:
                # What only a processor is told beside.
                assert body.pop("response_code", "30") in \
                    ("25", "30", "91"), reply
            self.stack.check(method, "/network/v1" + path, reply)
        return reply

    def post(self, path, json_body=None, **options):
        return self.call("POST", path, json_body, **options)


def reference():
    """A network reference never used before."""
    return "ref-" + secrets.token_hex(10)


class Answer:
    """How a message came out, whichever way it went."""

    def __init__(self, reply, body=None):
        self.reply = reply
        self.status = reply.status
        body = reply.body if body is None else body
        self.error = body.get("error")
        self.approved = body.get("approved")
        self.code = body.get("response_code")
        self.reasons = body.get("decline_reasons") or []
        self.reason = body.get("decline_reason")
        self.amount = body.get("approved_amount")
        self.balance = body.get("balance")
        self.authorization_code = body.get("authorization_code")
        # A refusal on the network is an answer with its code.
        if self.code == "25":
            self.error = "original_not_found"
        self.transaction = None if self.error else \
            body.get("transaction_id") or body.get("id")

    def same(self, other):
        names = ("status", "error", "approved", "code", "reasons",
                 "transaction", "amount", "balance", "authorization_code")
        return all(getattr(self, name) == getattr(other, name)
                   for name in names)

    def __repr__(self):
        return f"<{self.reply!r}>"


class Sandbox:
    """POST /v1/simulate/…; a later message's reference is its idempotency
    key."""

    name = "sandbox"

    def __init__(self, api):
        self.api = api

    def say(self, kind, body, ref=None):
        return Answer(self.api.post(f"/simulate/{kind}", body,
                                    idempotency=ref))

    def authorize(self, card, amount, merchant=None, ref=None, cvv=None,
                  **more):
        body = {"card_id": card["id"], "amount": float(amount),
                "merchant": merchant or shop(), **more}
        if cvv is not None:
            body["cvv"] = cvv
        if ref is not None:
            body["network_ref"] = ref
        return self.say("authorization", body)

    def message(self, kind, transaction, amount=None, ref=None, **more):
        body = {"transaction_id": transaction["id"], **more}
        if amount is not None:
            body["amount"] = float(amount)
        return self.say(kind, body, ref)

    def force_post(self, card, amount, merchant=None, ref=None):
        body = {"card_id": card["id"], "amount": float(amount),
                "merchant": merchant or shop()}
        if ref is not None:
            body["network_ref"] = ref
        return self.say("force_post", body)

    def refund(self, amount, card=None, original=None, merchant=None,
               ref=None):
        body = {"amount": float(amount)}
        if original is not None:
            body["transaction_id"] = original["id"]
        else:
            body["card_id"] = card["id"]
            body["merchant"] = merchant or shop()
        if ref is not None:
            body["network_ref"] = ref
        return self.say("refund", body)

    def take_back(self, refund, amount=None, ref=None):
        return self.message("refund_reversal", refund, amount, ref)

    def challenge(self, card, amount, merchant):
        return self.api.post("/simulate/3ds", {
            "card_id": card["id"], "amount": float(amount),
            "merchant": merchant})

    def verify(self, challenge_id, otp):
        return self.api.post("/simulate/3ds", {
            "challenge_id": challenge_id, "otp": otp})


class Processor:
    """/network/v1/…; cards are named by their numbers."""

    name = "network"

    def __init__(self, network):
        self.network = network

    def authorize(self, card, amount, merchant=None, ref=None, cvv=None,
                  exp_month=None, exp_year=None, **more):
        ref = ref or reference()
        if exp_month is None and exp_year is None:
            exp_month, exp_year = card["exp_month"], card["exp_year"]
        body = {"network_ref": ref, "pan": card["pan"],
                "amount": float(amount), "merchant": merchant or shop(),
                **more}
        if exp_month is not None:
            body["exp_month"] = exp_month
        if exp_year is not None:
            body["exp_year"] = exp_year
        if cvv is not None:
            body["cvv2"] = cvv
        answer = Answer(self.network.post("/authorizations", body))
        answer.ref = ref
        return answer

    def message(self, kind, transaction, amount=None, ref=None, **more):
        body = dict(more)
        if amount is not None:
            body["amount"] = float(amount)
        if ref is not None:
            body["message_ref"] = ref
        return Answer(self.network.post(
            f"/authorizations/{transaction['ref']}/{kind}", body))

    def force_post(self, card, amount, merchant=None, ref=None):
        ref = ref or reference()
        answer = Answer(self.network.post("/force_posts", {
            "network_ref": ref, "pan": card["pan"], "amount": float(amount),
            "merchant": merchant or shop()}))
        answer.ref = ref
        return answer

    def refund(self, amount, card=None, original=None, merchant=None,
               ref=None):
        ref = ref or reference()
        body = {"network_ref": ref, "pan": card["pan"],
                "amount": float(amount), "merchant": merchant or shop()}
        if original is not None:
            body["original_network_ref"] = original["ref"]
        answer = Answer(self.network.post("/refunds", body))
        answer.ref = ref
        return answer

    def take_back(self, refund, amount=None, ref=None):
        body = {} if amount is None else {"amount": float(amount)}
        if ref is not None:
            body["message_ref"] = ref
        return Answer(self.network.post(
            f"/refunds/{refund['ref']}/reversal", body))

    def challenge(self, card, amount, merchant):
        return self.network.post("/3ds/challenges", {
            "pan": card["pan"], "amount": float(amount),
            "merchant": merchant})

    def verify(self, challenge_id, otp):
        return self.network.post(f"/3ds/challenges/{challenge_id}/verify",
                                 {"otp": otp})


def with_number(api, card):
    """The card with what the network knows it by."""
    details = api.details(card["id"])
    assert details.status == 200, details
    return {"id": card["id"], **{name: details[name] for name in
                                 ("pan", "cvv", "exp_month", "exp_year")}}


class Setup:
    """What no native request can set yet: the operator's and the other
    dialect's fields, by the database's owner."""

    def __init__(self, owner):
        self.owner = owner

    def change(self, card_id, **columns):
        names = ", ".join(f"{name} = %s" for name in columns)
        self.owner.rows(f"UPDATE cards SET {names} WHERE public_id = %s",
                        *columns.values(), card_id)

    def pending(self, card_id):
        """As the seed dialect makes cards: waiting for the first money."""
        row = self.owner.row("SELECT wallet_id, bin_id, status FROM cards "
                             "WHERE public_id = %s", card_id)
        self.change(card_id, status="pending_top_up")
        self.owner.call("card_count_move", row["wallet_id"], row["bin_id"],
                        row["status"], "pending_top_up")


def events(owner, card_id, after=0):
    """The card's events, their numbers checked to be without gaps."""
    rows = owner.rows(
        "SELECT e.sequence, e.type, e.snapshot, e.journal_id FROM events e "
        "JOIN cards c ON c.id = e.card_id WHERE c.public_id = %s "
        "ORDER BY e.sequence", card_id)
    assert [row["sequence"] for row in rows] == \
        list(range(1, len(rows) + 1)), card_id
    for row in rows:
        row["snapshot"] = json.loads(row["snapshot"])
    return rows[after:]


def journal_count(owner, card_id):
    """Movements of money on the card and its hold."""
    return owner.value(
        "SELECT COUNT(DISTINCT e.journal_id) FROM ledger_entries e "
        "JOIN ledger_accounts a ON a.id = e.ledger_account_id "
        "JOIN cards c ON c.id = a.card_id WHERE c.public_id = %s", card_id)


def cents(dollars):
    assert isinstance(dollars, (Decimal, int)), dollars
    return int(dollars * 100)


@pytest.fixture(scope="session")
def network(env, stack):
    return Network(env, stack)
