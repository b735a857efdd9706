"""The link to the keeper: everything that may come over it, and nothing that makes the gate open, hang or crash."""
import hashlib
import socket
import struct
import threading
import time

import pytest
from lib import house
from lib.scripted_keeper import (ADMIT, AUTH, FLUSH, HEADER, HELLO, NOTE, REFUSE, REPLAY, SETTLE, STATS, admit, after,
                                 auth_no, auth_ok, frame, settle, silent)
from lib.upstream import field


def alive(gate):
    gate.keeper.rules.clear()
    end = time.monotonic() + 3
    while True:
        answered = gate.pay()
        if answered.status == 201:
            return
        assert time.monotonic() < end, answered
        time.sleep(0.02)


WRONG = {
    "rubbish": lambda slot, turn: b"\xff" * 64,
    "another version": lambda slot, turn: frame(AUTH + 1, bytes(13), slot, turn, version=2),
    "zero is not zero": lambda slot, turn: frame(AUTH + 1, bytes(13), slot, turn, zero=1),
    "an unknown type": lambda slot, turn: frame(99, b"", slot, turn),
    "a type that a keeper may not send": lambda slot, turn: frame(AUTH, bytes(98), slot, turn),
    "another question's answer": lambda slot, turn: settle(slot, turn),
    "a slot that does not exist": lambda slot, turn: auth_ok(4000, turn),
    "over the limit": lambda slot, turn: HEADER.pack(2 ** 31, 1, AUTH + 1, slot, turn, 0),
    "too short": lambda slot, turn: frame(AUTH + 1, bytes(5), slot, turn),
    "too long": lambda slot, turn: frame(AUTH + 1, bytes(20), slot, turn),
    "an environment that is none": lambda slot, turn: frame(AUTH + 1, struct.pack(">HHIIB", 0, 0, 7, 8, 9), slot, turn),
    "half a frame": lambda slot, turn: auth_ok(slot, turn)[:20],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_to_auth_is_503_and_the_gate_lives(scripted, name):
    scripted.keeper.rules[AUTH] = lambda link, slot, turn, _: link.send(WRONG[name](slot, turn))
    answered = scripted.pay(key=house.api_key())
    assert answered.status == 503, answered
    assert answered.reason in ("keeper_unavailable", "keeper_timeout"), answered
    assert not scripted.upstream.seen
    alive(scripted)


ADMIT_ADDRESS = slice(194, 226)  # behind flags, ids, times, request id and five digests (wire/message.c)


def test_every_question_names_its_own_callers_address(scripted):
    sources = ["127.0.2.1", "127.0.2.2", "127.0.2.2", "127.0.2.1", "127.0.2.3", "127.0.2.1"]
    for source in sources:
        with scripted.http1(source=(source, 0)) as client:
            assert client.send(scripted.bytes_of()).read().status == 201
    asked = [body[ADMIT_ADDRESS] for body in scripted.keeper.wait(ADMIT, len(sources))]
    assert asked == [hashlib.sha256(bytes(10) + b"\xff\xff" + socket.inet_aton(one)).digest() for one in sources]


def test_an_old_turn_is_dropped(scripted):
    def rule(link, slot, turn, _):
        link.send(admit(slot, turn - 1) + admit(slot, turn + 1) + admit(slot, turn, REFUSE, 122))
    scripted.keeper.rules[ADMIT] = rule
    answered = scripted.pay()
    assert (answered.status, answered.reason) == (403, "amount_over_limit"), answered
    assert not scripted.upstream.seen
    alive(scripted)


@pytest.mark.parametrize("verdict", [0, 3, 5, 255])
def test_a_verdict_that_is_none_of_the_four_forwards_nothing(scripted, verdict):
    def rule(link, slot, turn, _):
        body = struct.pack(">BHHQ", verdict, 0, 0, 1) + bytes(16) + bytes(6)
        link.send(frame(ADMIT + 1, body, slot, turn))
    scripted.keeper.rules[ADMIT] = rule
    assert scripted.pay().status in (401, 403, 503)
    assert not scripted.upstream.seen
    alive(scripted)


def test_a_replay_of_rubbish_is_503(scripted):
    scripted.keeper.rules[ADMIT] = lambda link, slot, turn, _: link.send(
        admit(slot, turn, REPLAY, answer=b"\xff" * 40))
    answered = scripted.pay()
    assert answered.status == 503, answered
    assert not scripted.upstream.seen
    alive(scripted)


def test_a_credential_with_a_line_end_is_not_sent(scripted):
    scripted.keeper.rules[ADMIT] = lambda link, slot, turn, _: link.send(
        admit(slot, turn, credential=b"Bearer a\r\nX-Injected: 1"))
    answered = scripted.pay()
    assert answered.status == 503, answered
    assert not scripted.upstream.seen
    alive(scripted)


def test_a_route_without_a_credential_shows_none(scripted):
    scripted.keeper.rules[ADMIT] = lambda link, slot, turn, _: link.send(admit(slot, turn, credential=b""))
    assert scripted.pay().status == 201
    assert not field(scripted.upstream.last, "Authorization")
    assert scripted.key.encode() not in scripted.upstream.last.raw


def test_the_credential_is_not_echoed_in_a_problem(scripted):
    from lib.upstream import raw
    scripted.upstream.then(raw(b"rubbish\r\n\r\n"))
    answered = scripted.pay()
    assert b"upstream-secret" not in answered.raw + answered.body


def test_no_answer_to_auth_or_admit_is_503_in_time(scripted):
    for kind in (AUTH, ADMIT):
        scripted.keeper.rules.clear()
        scripted.keeper.rules[kind] = silent
        answered = scripted.pay(key=house.api_key())
        assert (answered.status, answered.reason) == (503, "keeper_timeout"), answered
        assert 0.3 < answered.seconds < 1.5
    assert not scripted.upstream.seen
    alive(scripted)


def test_an_admit_that_comes_too_late_is_settled_as_not_sent(scripted):
    scripted.keeper.rules[ADMIT] = after(0.6, admit)
    assert scripted.pay().status == 503
    (body,) = scripted.keeper.wait(SETTLE, 1, 5)
    assert body[1] == 4, "not settled as not sent"
    assert not scripted.upstream.seen
    alive(scripted)


def test_the_keeper_is_down(scripted):
    scripted.keeper.stop()
    try:
        answered = scripted.pay()
        assert answered.status == 503 and answered.reason in ("keeper_unavailable", "keeper_timeout"), answered
        assert answered.seconds < 2
        assert scripted.page("/tollgate/health")[0] == 503
    finally:
        scripted.keeper.listen()
    alive(scripted)


def test_auth_is_cached_and_flushed(scripted):
    key = house.api_key()
    assert scripted.pay(key=key).status == 201
    for _ in range(3):
        assert scripted.pay(key=key).status == 201
    assert scripted.keeper.count(AUTH) == 1
    scripted.keeper.rules[AUTH] = lambda link, slot, turn, _: link.send(auth_no(slot, turn))
    scripted.keeper.links[0].send(frame(FLUSH))
    time.sleep(0.1)
    assert scripted.pay(key=key).status == 401
    assert scripted.keeper.count(AUTH) == 2


def test_the_cache_ends_after_a_second(scripted):
    key = house.api_key()
    assert scripted.pay(key=key).status == 201
    time.sleep(1.1)
    assert scripted.pay(key=key).status == 201
    assert scripted.keeper.count(AUTH) == 2


def test_negative_answers_are_not_cached(scripted):
    key = house.api_key()
    scripted.keeper.rules[AUTH] = lambda link, slot, turn, _: link.send(auth_no(slot, turn))
    assert [scripted.pay(key=key).status for _ in range(2)] == [401, 401]
    assert scripted.keeper.count(AUTH) == 2


def test_the_key_itself_never_crosses_the_link(scripted):
    assert scripted.pay().status == 201
    assert scripted.pay(b"{").status == 400
    scripted.keeper.wait(NOTE)
    assert not any(scripted.key[17:].encode() in body for _, body in scripted.keeper.frames)
    assert not any(b"shop-1" in body or b"1050" in body for _, body in scripted.keeper.frames)


def test_refusals_are_noted(scripted):
    answered = scripted.pay(b"{")
    # NOTEs of the test before may still arrive.
    notes, end = [], time.monotonic() + 5
    while not notes and time.monotonic() < end:
        notes = [one for one in scripted.keeper.wait(NOTE) if one[13:29].hex() == answered.get("Tollgate-Request-Id")]
    (note,) = notes
    reason, status = struct.unpack(">HH", note[1:5])
    assert (reason, status) == (145 + 1, 400)
    assert note[13:29].hex() == answered.get("Tollgate-Request-Id")


def test_many_calls_share_one_link(scripted):
    scripted.keeper.rules[ADMIT] = after(0.2, admit)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(scripted.pay().status)) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == [201] * 30
    assert len(scripted.keeper.links) == 1
    assert scripted.keeper.count(HELLO) <= 1


def test_answers_in_any_order(scripted):
    waits = iter([0.2, 0.15, 0.1, 0.05, 0.0])
    scripted.keeper.rules[ADMIT] = lambda link, slot, turn, body: after(next(waits), admit)(link, slot, turn, body)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(scripted.pay().status)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == [201] * 5


def test_an_answer_in_single_bytes(scripted):
    def rule(link, slot, turn, _):
        for byte in admit(slot, turn):
            link.send(bytes([byte]))
            time.sleep(0.001)
    scripted.keeper.rules[ADMIT] = rule
    assert scripted.pay().status == 201


def test_clients_that_leave_while_admit_is_asked(scripted):
    scripted.keeper.rules[ADMIT] = after(0.3, admit)
    clients = [scripted.http1() for _ in range(10)]
    for client in clients:
        client.send(scripted.bytes_of())
    scripted.keeper.wait(ADMIT, 10)
    for client in clients:
        client.close()
    outcomes = [body[1] for body in scripted.keeper.wait(SETTLE, 10)]
    assert set(outcomes) == {4}, "a call that was not sent is settled as not sent"
    assert not scripted.upstream.seen
    alive(scripted)
    assert STATS not in scripted.keeper.rules


def test_an_outcome_that_came_too_late_is_said_once_more(scripted):
    """The keeper is gone until settle_wait has ended; back again, it hears what became of the call."""
    from lib.upstream import answer
    scripted.upstream.then(*(answer(201, b'{"paid":%d}' % n, delay=0.3) for n in range(3)))
    clients = [scripted.http1() for _ in range(3)]
    for client in clients:
        client.send(scripted.bytes_of())
    scripted.upstream.wait(3)
    scripted.keeper.stop()
    try:
        for client in clients:
            assert client.read().reason == "outcome_unknown"
            client.close()
        assert scripted.keeper.count(SETTLE) == 0
    finally:
        scripted.keeper.listen()
    bodies = scripted.keeper.wait(SETTLE, 3)
    assert sorted(body[-10:] for body in bodies) == [b'{"paid":%d}' % n for n in range(3)]
    time.sleep(0.2)
    scripted.keeper.cut()
    alive(scripted)
    assert scripted.keeper.count(SETTLE) == 4, "said more than once"


def test_late_outcomes_are_bounded(scripted):
    from lib.upstream import answer
    scripted.upstream.usual = answer(201, b'{"paid":"%s"}' % (b"x" * 4000), delay=0.3)
    clients = [scripted.http1() for _ in range(40)]
    for client in clients:
        client.send(scripted.bytes_of())
    scripted.upstream.wait(40)
    scripted.keeper.stop()
    try:
        for client in clients:
            assert client.read().reason == "outcome_unknown"
            client.close()
    finally:
        scripted.keeper.listen()
    scripted.keeper.wait(SETTLE, 25)
    time.sleep(0.3)
    assert 25 <= scripted.keeper.count(SETTLE) <= 32
    scripted.upstream.clear()
    alive(scripted)


def test_a_keeper_that_was_away_too_long_replays_all_the_same(gate):
    """The real keeper: killed between admission and record, back after settle_wait."""
    from lib.instance import payment
    from lib.upstream import answer
    key, body = "late-1", payment()
    gate.upstream.then(answer(201, b'{"paid":"late"}', delay=0.3))
    with gate.http1() as client:
        client.send(gate.bytes_of(body, idempotency=key))
        gate.upstream.wait(1)
        gate.processes.pop("keeper").stop()
        try:
            assert client.read().reason == "outcome_unknown"
        finally:
            gate.start_keeper()
    end = time.monotonic() + 3
    while True:
        answered = gate.pay(body, idempotency=key)
        if answered.status == 201 or time.monotonic() > end:
            break
        time.sleep(0.05)
    assert (answered.status, answered.body) == (201, b'{"paid":"late"}'), answered
    assert answered.get("Idempotent-Replayed") == "true" and len(gate.upstream.seen) == 1
