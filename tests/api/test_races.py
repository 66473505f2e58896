# SPDX-License-Identifier: Apache-2.0
"""Payments at the same instant: what there was is never exceeded, and one
message is one message however many arrive."""

import concurrent.futures
import contextlib
import itertools
from decimal import Decimal

import pytest
from conftest import at_once
from payments import (Processor, Sandbox, Setup, cents, events, journal_count,
                      network, reference, shop, with_number)

CLIENTS = 32


@pytest.fixture(autouse=True)
def audited(audit):
    yield
    audit()


@pytest.fixture(params=["sandbox", "network"])
def way(request, api, network):
    return Sandbox(api) if request.param == "sandbox" else Processor(network)


@pytest.fixture
def new_card(api):
    def make(amount, **fields):
        return with_number(api, api.card(amount, **fields))
    return make


def state(api, card):
    reply = api.get(f"/cards/{card['id']}")
    assert reply.status == 200, reply
    return reply


def clean(answers):
    """Every answer is an answer: nothing failed, nothing was refused."""
    for answer in answers:
        assert answer.status in (200, 201) and not answer.error, answer
    return answers


def test_the_last_ten_dollars(api, way, new_card):
    card = new_card(10)
    answers = clean(at_once(CLIENTS, lambda _: way.authorize(card, 10)))
    assert sum(answer.approved for answer in answers) == 1
    for answer in answers:
        if not answer.approved:
            assert answer.reasons == ["insufficient_funds"]
    after = state(api, card)
    assert (after["balance"], after["pending"]) == (0, 10)
    assert after["transaction_count"] == 1
    assert len({answer.transaction for answer in answers}) == CLIENTS


@contextlib.contextmanager
def count_held(owner, card, kind):
    """Nobody can count another transaction of that kind meanwhile: a decision
    is made, and its posting waits."""
    row = owner.row("SELECT id FROM cards WHERE public_id = %s", card["id"])
    connection = owner.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("START TRANSACTION")
            assert cursor.execute(
                "SELECT transactions FROM transaction_counts "
                "WHERE card_id = %s AND type = %s FOR UPDATE",
                (row["id"], kind)) == 1
            yield
    finally:
        connection.close()


@pytest.mark.parametrize("approved", [True, False])
def test_decided_again(api, owner, way, new_card, approved):
    """Approved, not to be posted, and by then frozen; or the other way round.
    What is answered and kept is the second decision, and nothing but it."""
    card = new_card(100)
    path = f"/cards/{card['id']}"
    assert way.authorize(card, 5).approved
    assert not way.authorize(card, 500).approved
    first, then = ("decline", "unfreeze") if approved else \
        ("authorization", "freeze")
    if approved:
        assert api.post(path + "/freeze").status == 200
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        with count_held(owner, card, first):
            asked = pool.submit(way.authorize, card, 7)
            assert not concurrent.futures.wait([asked], 0.5).done
            # It waits for the card, and is next when the posting gives up.
            assert api.post(f"{path}/{then}").status == 200
            answer = asked.result()
    clean([answer])
    shown = api.get(f"/transactions/{answer.transaction}")
    code, reason = answer.authorization_code, answer.reply["decline_reason"]
    assert answer.reply.elapsed > 1.5  # it was decided twice
    assert (answer.approved, answer.code) == \
        ((True, "00") if approved else (False, "62"))
    assert (code is not None, reason, answer.reasons) == \
        ((True, None, []) if approved else
         (False, "card_frozen", ["card_frozen"]))
    assert (shown["authorization_code"], shown["decline_reason"],
            shown["response_code"]) == (code, reason, answer.code)
    assert state(api, card)["pending"] == 5 + 7 * approved


def test_many_for_some(api, way, new_card):
    """The sum of the holds is never more than there was."""
    card = new_card(100)
    amounts = [Decimal(number % 7 + 1) for number in range(CLIENTS * 3)]
    answers = clean(sum(at_once(CLIENTS, lambda number: [
        way.authorize(card, amounts[3 * number + turn])
        for turn in range(3)]), []))
    held = sum(amount for amount, answer in zip(amounts, answers)
               if answer.approved)
    after = state(api, card)
    assert held <= 100
    assert (after["balance"], after["pending"]) == (100 - held, held)
    # Who was refused asked for more than there is now at the most.
    for amount, answer in zip(amounts, answers):
        if not answer.approved:
            assert amount > after["balance"]
    if way.name == "network":
        balances = [answer.balance for answer in answers if answer.approved]
        assert len(set(balances)) == len(balances)


def test_a_limit(api, way, new_card):
    card = new_card(500, spending_limit=100)
    answers = clean(at_once(CLIENTS, lambda _: way.authorize(card, 10)))
    assert sum(answer.approved for answer in answers) == 10
    for answer in answers:
        if not answer.approved:
            assert answer.reasons == ["monthly_limit"]
    assert state(api, card)["available_to_spend"] == 0


def test_partial_approvals(api, network, new_card):
    """The last one that can gets what is left."""
    way, card = Processor(network), new_card(100)
    answers = clean(at_once(CLIENTS, lambda _: way.authorize(
        card, 30, partial_capable=True)))
    amounts = sorted(answer.amount for answer in answers if answer.approved)
    assert amounts == [10, 30, 30, 30]
    assert state(api, card)["balance"] == 0


@pytest.mark.parametrize("amount, approved", [(10, True), (1000, False)])
def test_one_reference(api, owner, way, new_card, amount, approved):
    card, ref = new_card(100), reference()
    journals = journal_count(owner, card["id"])
    answers = clean(at_once(CLIENTS, lambda _: way.authorize(
        card, amount, ref=ref)))
    assert answers[0].approved == approved
    assert answers[0].code == ("00" if approved else "51")
    assert all(answer.same(answers[0]) for answer in answers), answers
    after = state(api, card)
    assert after["pending"] == (amount if approved else 0)
    assert after["transaction_count"] == approved
    assert api.get("/transactions", card_id=card["id"])["pagination"][
        "total"] == 1
    assert journal_count(owner, card["id"]) == journals + approved
    assert [row["type"] for row in events(owner, card["id"], 1)] == \
        ["transaction.authorized" if approved else "transaction.declined"]


def test_one_reference_of_an_unknown_card(network):
    ref = reference()
    body = {"network_ref": ref, "pan": "4916530000000000", "amount": 5,
            "merchant": shop()}
    replies = at_once(CLIENTS, lambda _: network.post("/authorizations",
                                                      body))
    assert {reply.raw for reply in replies} == {replies[0].raw}
    assert replies[0]["response_code"] == "14"
    assert replies[0]["transaction_id"] is None


def test_one_reference_for_two_cards(api, network, new_card):
    """Whoever comes first is who it is for."""
    way, ref = Processor(network), reference()
    cards = [new_card(100), new_card(100)]
    answers = clean(at_once(16, lambda number: way.authorize(
        cards[number % 2], 10, ref=ref)))
    assert len({answer.transaction for answer in answers}) == 1
    assert sorted(state(api, card)["pending"] for card in cards) == [0, 10]


@pytest.mark.parametrize("kind", ["force_post", "refund"])
def test_one_reference_of_a_posting(api, owner, way, new_card, kind):
    card, ref = new_card(100), reference()
    say = getattr(way, kind)
    answers = clean(at_once(CLIENTS, lambda _: say(card=card, amount=7,
                                                   ref=ref)))
    assert len({answer.transaction for answer in answers}) == 1
    assert state(api, card)["balance"] == (93 if kind == "force_post"
                                           else 107)
    assert len(events(owner, card["id"], 1)) == 1


def authorized(way, card, amount):
    answer = way.authorize(card, amount)
    assert answer.approved, answer
    return {"id": answer.transaction, "ref": getattr(answer, "ref", None)}


def test_reversal_and_clearing_of_one_hold(api, way, new_card):
    """One of them is first, and the other is told so."""
    for _ in range(8):
        card = new_card(50)
        hold = authorized(way, card, 40)
        answers = at_once(2, lambda number: way.message(
            ("reversal", "clearing")[number], hold, 40))
        after = state(api, card)
        shown = api.get(f"/transactions/{hold['id']}")
        assert after["pending"] == 0
        cleared = answers[1]
        assert not cleared.error  # a clearing is never declined
        if answers[0].error:
            assert answers[0].error == "transaction_settled"
            assert (shown["cleared"], shown["reversed"]) == (40, 0)
        else:  # reversed first, and cleared after that all the same
            assert (shown["cleared"], shown["reversed"]) == (40, 40)
        assert after["balance"] == 10
        assert shown["status"] == "settled"


def test_one_reversal(api, owner, way, new_card):
    card = new_card(50)
    hold = authorized(way, card, 40)
    answers = clean(at_once(CLIENTS, lambda _: way.message("reversal", hold,
                                                           40)))
    assert len({answer.transaction for answer in answers}) == 1
    assert state(api, card)["balance"] == 50
    assert [row["type"] for row in events(owner, card["id"], 1)] == \
        ["transaction.authorized", "transaction.reversed"]


def test_one_clearing(api, owner, way, new_card):
    card = new_card(50)
    hold = authorized(way, card, 40)
    clean(at_once(CLIENTS, lambda _: way.message("clearing", hold, 40)))
    after = state(api, card)
    assert (after["balance"], after["total_spent"]) == (10, 40)
    assert [row["type"] for row in events(owner, card["id"], 1)] == \
        ["transaction.authorized", "transaction.settled"]


def test_reversals_by_parts(api, network, new_card):
    """Never more comes back than was held."""
    way, card = Processor(network), new_card(50)
    hold = authorized(way, card, 20)
    answers = at_once(CLIENTS, lambda number: way.message(
        "reversal", hold, 3, ref=f"part-{number}"))
    refused = [answer for answer in answers if answer.error]
    assert len(refused) == CLIENTS - 6
    assert {answer.error for answer in refused} == {"over_reversal"}
    after = state(api, card)
    assert (after["balance"], after["pending"]) == (48, 2)


def test_increments(api, network, new_card):
    way, card = Processor(network), new_card(100)
    hold = authorized(way, card, 20)
    answers = clean(at_once(CLIENTS, lambda number: way.message(
        "increment", hold, 7, ref=f"more-{number}")))
    assert sum(answer.approved for answer in answers) == 11
    shown = api.get(f"/transactions/{hold['id']}")
    assert shown["pending"] == 97
    assert state(api, card)["balance"] == 3
    assert [row["type"] for row in shown["timeline"]].count("increment") == \
        CLIENTS


def test_one_increment(api, network, new_card):
    way, card = Processor(network), new_card(100)
    hold = authorized(way, card, 20)
    answers = clean(at_once(CLIENTS, lambda _: way.message(
        "increment", hold, 7, ref="once")))
    assert all(answer.approved for answer in answers)
    assert state(api, card)["pending"] == 27


def test_refunds_of_one_purchase(api, way, new_card):
    card = new_card(100)
    hold = authorized(way, card, 50)
    assert not way.message("clearing", hold).error
    answers = at_once(CLIENTS, lambda _: way.refund(
        7, card=card, original=hold))
    refused = [answer for answer in answers if answer.error]
    assert {answer.error for answer in refused} == {"refund_exceeds_purchase"}
    assert len(answers) - len(refused) == 7
    assert state(api, card)["balance"] == 99
    assert api.get(f"/transactions/{hold['id']}")["refunded"] == 49


def test_freeze_against_authorizations(api, owner, way, new_card):
    """No approval comes after the freeze in the card's own order."""
    for _ in range(5):
        card = new_card(100)
        path = f"/cards/{card['id']}"

        def work(number):
            if number == 8:
                return api.post(path + "/freeze")
            return way.authorize(card, 1)

        answers = at_once(17, work)
        frozen = answers.pop(8)
        assert frozen.status == 200
        approved = 0
        for answer in clean(answers):
            approved += answer.approved
            if not answer.approved:
                assert answer.reasons == ["card_frozen"]
        assert state(api, card)["pending"] == approved
        told = [row["type"] for row in events(owner, card["id"])]
        after = told[told.index("card.frozen"):]
        assert "transaction.authorized" not in after


def test_terminate_against_authorizations(api, way, new_card):
    for _ in range(5):
        card = new_card(100)
        before = api.wallet()["balance"]

        def work(number):
            if number == 8:
                return api.delete(f"/cards/{card['id']}")
            return way.authorize(card, 1)

        answers = at_once(17, work)
        ended = answers.pop(8)
        assert ended.status == 200
        held = sum(answer.approved for answer in clean(answers))
        assert ended["refunded_amount"] == 100 - held
        after = state(api, card)
        assert (after["balance"], after["pending"]) == (0, held)
        assert api.wallet()["balance"] == before + 100 - held


def test_funding_and_withdrawing_against_authorizations(api, way, new_card):
    card = new_card(50)
    path = f"/cards/{card['id']}"

    def work(number):
        if number % 4 == 0:
            return ("fund", api.post(path + "/fund", {"amount": 3}))
        if number % 4 == 1:
            return ("withdraw", api.post(path + "/withdraw", {"amount": 2}))
        return ("hold", way.authorize(card, 5))

    done = at_once(CLIENTS, work)
    balance, held = 50, 0
    for kind, reply in done:
        if kind == "fund":
            assert reply.status == 200, reply
            balance += 3
        elif kind == "withdraw":
            assert reply.status == 200 or \
                reply.error == "insufficient_card_balance", reply
            balance -= 2 * (reply.status == 200)
        else:
            assert not reply.error, reply
            held += 5 * reply.approved
    after = state(api, card)
    assert (after["balance"], after["pending"]) == (balance - held, held)


def test_a_single_use_card(api, owner, way, new_card):
    card = new_card(100)
    Setup(owner).change(card["id"], type="single_use")
    answers = clean(at_once(CLIENTS, lambda _: way.authorize(card, 1)))
    assert sum(answer.approved for answer in answers) == 1
    assert {tuple(answer.reasons) for answer in answers} == \
        {(), ("single_use_spent",)}


def test_a_merchant_locked_card(api, owner, way, new_card):
    """All that are approved are of one merchant."""
    card = new_card(100)
    Setup(owner).change(card["id"], type="merchant_locked")
    answers = clean(at_once(CLIENTS, lambda number: way.authorize(
        card, 1, shop(f"shop-{number % 4}"))))
    approved = {number % 4 for number, answer in enumerate(answers)
                if answer.approved}
    assert len(approved) == 1
    assert sum(answer.approved for answer in answers) == CLIENTS // 4


def test_auto_freeze_is_told_once(api, owner, way, new_card):
    card = new_card(100, auto_freeze_at=50)
    answers = clean(at_once(CLIENTS, lambda _: way.authorize(card, 10)))
    assert sum(answer.approved for answer in answers) == 6
    told = [row["type"] for row in events(owner, card["id"])]
    assert told.count("card.frozen") == 1


def test_a_reversal_with_its_authorization(api, network, new_card):
    """Whichever comes first, nothing is held in the end."""
    way = Processor(network)
    for _ in range(10):
        card, ref = new_card(20), reference()
        at_once(2, lambda number: way.authorize(card, 10, ref=ref)
                if number else way.message("reversal", {"ref": ref}))
        after = state(api, card)
        assert (after["balance"], after["pending"]) == (20, 0)


def test_many_cards_of_one_wallet(api, owner, way, new_card):
    """Cards that draw on one wallet race for it."""
    cards = [new_card(1) for _ in range(4)]
    for card in cards:
        assert api.post(f"/cards/{card['id']}/withdraw",
                        {"amount": 1}).status == 200
        Setup(owner).change(card["id"], funding="wallet")
    left = api.wallet()["balance"]
    amount = (left / 10).quantize(Decimal("0.01"))
    answers = clean(at_once(CLIENTS, lambda number: way.authorize(
        cards[number % 4], amount)))
    approved = sum(answer.approved for answer in answers)
    assert approved == int(left / amount)
    assert api.wallet()["balance"] == left - approved * amount


def test_wallets_and_cards_in_all_orders(api, way, new_card):
    """Whatever locks what first: all come through."""
    cards = [new_card(200) for _ in range(4)]
    holds = [authorized(way, card, 10) for card in cards]
    counter = itertools.count()

    def work(number):
        card = cards[number % 4]
        path = f"/cards/{card['id']}"
        turn = next(counter) % 8
        if turn == 0:
            return api.post(path + "/fund", {"amount": 1})
        if turn == 1:
            return api.post(path + "/withdraw", {"amount": 1})
        if turn == 2:
            return way.message("clearing", holds[number % 4], 2, final=False)
        if turn == 3:
            return way.message("increment", holds[number % 4], 1)
        if turn == 4 and number == 20:
            return api.delete(path)
        if turn == 5:
            return way.force_post(card, 1)
        return way.authorize(card, 1)

    def works(number):
        return [work(number) for _ in range(6)]

    for reply in sum(at_once(CLIENTS, works), []):
        error = reply.error
        assert reply.status < 500, reply
        assert error in (None, "card_terminated", "transaction_not_pending",
                         "insufficient_card_balance"), reply
    assert cents(api.wallet()["balance"]) >= 0
