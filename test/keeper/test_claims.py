"""Admit, settle, replay: one key, one charge, whatever is asked again."""
import secrets
import time

from daemons import CREDENTIAL
from lib.frames import (ADMIT, ALLOW, MONEY, NOT_EXECUTED, NOT_SENT, OBSERVE, REFUSE, REPLAY, RESEND, SETTLE, UNKNOWN,
                        admit_body, settle_body, wait_until)

TIMEOUT_NAME = "outcome_unknown_timeout"
OK, REUSED, IN_FLIGHT, OUTCOME_UNKNOWN, INTERNAL = 0, 162, 163, 164, 206


def new_id():
    return secrets.token_bytes(16)


def new_key():
    return secrets.token_hex(8)


def test_admit_settle_replay(keeper):
    with keeper.link() as gate:
        key, first = new_key(), new_id()
        allowed = gate.admit(*keeper.who, key=key, request_id=first)
        assert (allowed.verdict, allowed.reason) == (ALLOW, OK)
        assert allowed.credential == CREDENTIAL.encode() and allowed.ticket > 0
        assert gate.settle(first, allowed.ticket, answer=b"what the caller saw").reason == OK
        again = gate.admit(*keeper.who, key=key)
        assert (again.verdict, again.answer, again.original_id) == (REPLAY, b"what the caller saw", first)
        assert again.credential == b""


def test_large_answers(keeper):
    with keeper.link() as gate:
        kept = {}
        for size in (0, 1, 65536, 1024 * 1024 + 8192):
            key, request, answer = new_key(), new_id(), secrets.token_bytes(size)
            allowed = gate.admit(*keeper.who, key=key, request_id=request)
            assert gate.settle(request, allowed.ticket, answer=answer).reason == OK
            kept[key] = answer
        turns = {gate.ask(ADMIT, _admit(keeper, key)): answer for key, answer in kept.items() for _ in range(4)}
        for turn, answer in turns.items():
            got = gate.answer(turn)
            if answer:
                assert (got.verdict, got.answer) == (REPLAY, answer)
            else:
                assert (got.verdict, got.reason) == (REFUSE, 165)


def _admit(keeper, key, **more):
    return admit_body(*keeper.who, key=key, **more)


def test_another_request_with_the_same_key(keeper):
    with keeper.link() as gate:
        key, first = new_key(), new_id()
        allowed = gate.admit(*keeper.who, key=key, request_id=first)
        other = gate.admit(*keeper.who, key=key, fingerprint="another")
        assert (other.verdict, other.reason) == (REFUSE, REUSED)
        assert gate.settle(first, allowed.ticket).reason == OK
        other = gate.admit(*keeper.who, key=key, fingerprint="another")
        assert (other.verdict, other.reason) == (REFUSE, REUSED)


def test_in_flight(keeper):
    with keeper.link() as gate, keeper.link() as second:
        key = new_key()
        assert gate.admit(*keeper.who, key=key).verdict == ALLOW
        for link in (gate, second):
            twin = link.admit(*keeper.who, key=key)
            assert (twin.verdict, twin.reason, twin.retry_after) == (REFUSE, IN_FLIGHT, 1)


def test_twins_in_one_batch(keeper):
    with keeper.link() as gate:
        key = new_key()
        turns = [gate.ask(ADMIT, _admit(keeper, key)) for _ in range(64)]
        answers = [gate.answer(turn) for turn in turns]
        assert sorted(answer.verdict for answer in answers) == [ALLOW] + [REFUSE] * 63
        assert all(answer.reason == IN_FLIGHT for answer in answers if answer.verdict == REFUSE)


def test_the_same_request_asked_again(keeper):
    with keeper.link() as gate:
        key, request = new_key(), new_id()
        first = gate.admit(*keeper.who, key=key, request_id=request)
        again = gate.admit(*keeper.who, key=key, request_id=request)
        assert (first.verdict, again.verdict) == (ALLOW, ALLOW) and first.ticket == again.ticket
        assert again.credential == CREDENTIAL.encode()
    with keeper.link() as gate:
        third = gate.admit(*keeper.who, key=key, request_id=request)
        assert third.verdict == ALLOW and third.ticket == first.ticket
        assert gate.settle(request, third.ticket).reason == OK


def test_link_loss_is_unknown_and_a_late_settle_ends_it(keeper):
    key, request = new_key(), new_id()
    gate = keeper.link()
    allowed = gate.admit(*keeper.who, key=key, request_id=request)
    gate.close()
    with keeper.link() as gate:
        wait_until(lambda: gate.admit(*keeper.who, key=key).reason == OUTCOME_UNKNOWN)
        assert gate.settle(request, allowed.ticket, answer=b"late").reason == OK
        replayed = gate.admit(*keeper.who, key=key)
        assert (replayed.verdict, replayed.answer) == (REPLAY, b"late")


def test_a_settle_is_idempotent_and_does_not_change_its_mind(keeper):
    with keeper.link() as gate:
        request = new_id()
        allowed = gate.admit(*keeper.who, key=new_key(), request_id=request)
        assert gate.settle(request, allowed.ticket).reason == OK
        assert gate.settle(request, allowed.ticket).reason == OK
        assert gate.settle(request, allowed.ticket, outcome=NOT_EXECUTED).reason == INTERNAL
        assert gate.settle(new_id(), 0).reason == INTERNAL


def test_released_claims_are_taken_again(keeper):
    with keeper.link() as gate:
        for outcome in (NOT_EXECUTED, NOT_SENT):
            key, request = new_key(), new_id()
            allowed = gate.admit(*keeper.who, key=key, request_id=request)
            ticket = allowed.ticket if outcome == NOT_EXECUTED else 0
            assert gate.settle(request, ticket, outcome=outcome, reason=180).reason == OK
            assert gate.admit(*keeper.who, key=key, fingerprint="another").verdict == ALLOW


def test_unknown_outcome(keeper):
    with keeper.link() as gate:
        key, request = new_key(), new_id()
        allowed = gate.admit(*keeper.who, key=key, request_id=request)
        assert gate.settle(request, allowed.ticket, outcome=UNKNOWN, reason=181).reason == OK
        again = gate.admit(*keeper.who, key=key)
        assert (again.verdict, again.reason) == (REFUSE, OUTCOME_UNKNOWN)
        assert gate.admit(*keeper.who, key=key, flags=MONEY | RESEND).verdict == ALLOW


def test_without_a_key_nothing_is_replayed(keeper):
    with keeper.link() as gate:
        for _ in range(2):
            request = new_id()
            allowed = gate.admit(*keeper.who, request_id=request)
            assert allowed.verdict == ALLOW
            assert gate.settle(request, allowed.ticket).reason == OK


def test_observed_calls_have_their_own_claims(keeper):
    with keeper.link() as gate:
        key = new_key()
        assert gate.admit(*keeper.who, key=key).verdict == ALLOW
        assert gate.admit(*keeper.who, key=key, flags=MONEY | OBSERVE).verdict == ALLOW
        assert gate.admit(*keeper.who, key=new_key(), flags=OBSERVE, route="elsewhere").verdict == ALLOW


def test_resolving_an_unknown(keeper):
    key, request = new_key(), new_id()
    with keeper.link() as gate:
        gate.admit(*keeper.who, key=key, request_id=request, amount=4200)
        assert gate.settle(request, 0, outcome=UNKNOWN, reason=182).reason == OK
        rows = keeper.do("reconcile.list")["rows"]
        row, = [row for row in rows if row["request_id"] == request.hex()]
        assert (row["partner"], row["amount_minor"], row["currency"]) == ("shop", 4200, "EUR")
        assert (row["operation"], row["method"], row["reason"]) == ("payment.create", "POST", TIMEOUT_NAME)
        keeper.do("reconcile.resolve", request_id=request.hex(), executed=True, status=201, note="seen at the bank",
                  answer=b"probed".hex())
        replayed = gate.admit(*keeper.who, key=key)
        assert (replayed.verdict, replayed.answer) == (REPLAY, b"probed")
        assert keeper.operator.fails("reconcile.resolve", request_id=request.hex(), executed=False) == "absent"


def test_a_thousand_in_flight(keeper):
    with keeper.link() as gate:
        requests = [new_id() for _ in range(1000)]
        turns = [gate.ask(ADMIT, _admit(keeper, new_key(), request_id=request)) for request in requests]
        tickets = [gate.answer(turn).ticket for turn in turns]
        assert len(set(tickets)) == 1000
        turns = [gate.ask(SETTLE, settle_body(request, ticket)) for request, ticket in zip(requests, tickets)]
        assert all(gate.answer(turn).reason == OK for turn in turns)
        began = time.monotonic()
        assert gate.admit(*keeper.who).verdict == ALLOW
        assert time.monotonic() - began < 2
