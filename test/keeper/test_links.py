"""Links: bad frames, wrong roles, deadlines, back-pressure, a sealer that goes and comes."""
import os
import secrets
import signal
import subprocess
import sys
import threading
import time

import pytest

from daemons import Daemons
from lib.frames import (ADMIN, ADMIT, ALLOW, AUTH, HELLO, NONE, OBSERVE, REFUSE, REPLAY, SETTLE, STATS, Link,
                        admit_body, auth_body, frame, hello_body, settle_body, wait_until)

OK, TIMEOUT, BUSY, SEALER = 0, 201, 202, 203
ADMIT_BODY = admit_body(1, 1, key="k")

BAD = {
    "version": frame(STATS, b"", version=2),
    "reserved": frame(STATS, b"", zero=1),
    "type": frame(99, b""),
    "answer": frame(ADMIT + 1, b""),
    "operator's": frame(ADMIN, b'{"command":"status"}'),
    "sealer's": frame(64, b"\0\0"),
    "length": frame(ADMIT, b"", length=5 << 20),
    "short admit": frame(ADMIT, ADMIT_BODY[:-1]),
    "long admit": frame(ADMIT, ADMIT_BODY + b"x"),
    "empty admit": frame(ADMIT, b""),
    "short auth": frame(AUTH, b"x"),
    "outcome": frame(SETTLE, settle_body(bytes(16), outcome=9)),
    "second hello": frame(HELLO, hello_body(), NONE),
    "stats with a body": frame(STATS, b"x"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_frames_close_the_link(keeper, name):
    with keeper.link() as gate, keeper.link() as other:
        gate.send(BAD[name])
        assert gate.ended()
        assert "tollgate_keeper_frames_bad_total" in other.stats()


@pytest.mark.parametrize("data", [frame(STATS, b""), frame(HELLO, hello_body(2), NONE), b"GET / HTTP/1.1\r\n\r\n"],
                         ids=["another first", "another protocol", "no frame"])
def test_hello_comes_first(keeper, data):
    with keeper.link(greet=False) as gate:
        gate.send(data)
        assert gate.ended()


def test_a_gate_is_no_operator_and_the_reverse(keeper):
    with Link(keeper.admin, greet=False) as gate:
        gate.send(frame(HELLO, hello_body(), NONE))
        assert gate.ended()


def test_frames_in_pieces(keeper):
    with keeper.link() as gate:
        data = frame(AUTH, auth_body(keeper.shop_key), 3, 77) * 2
        for at in range(0, len(data), 7):
            gate.send(data[at:at + 7])
            time.sleep(0.001)
        assert [gate.read()[2] for _ in range(2)] == [77, 77]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_another_user_is_closed_on(keeper):
    os.chmod(keeper.folder, 0o755)
    os.chmod(keeper.gate, 0o666)
    try:
        program = ("import os,socket,sys\nos.setuid(65534)\ns=socket.socket(socket.AF_UNIX)\ns.settimeout(5)\n"
                   "s.connect(sys.argv[1])\nsys.exit(0 if s.recv(1)==b'' else 1)")
        done = subprocess.run([sys.executable, "-c", program, str(keeper.gate)], timeout=20, check=False)
        assert done.returncode == 0
    finally:
        os.chmod(keeper.gate, 0o600)


def test_a_deadline_is_a_refusal_without_a_claim(alone):
    alone.sealer.deliver(signal.SIGSTOP)
    with alone.link() as gate:
        first = gate.ask(ADMIT, admit_body(*alone.who, key="a", wait_ms=60000))
        time.sleep(0.1)
        late = gate.ask(ADMIT, admit_body(*alone.who, key="b", wait_ms=100))
        began = time.monotonic()
        answer = gate.answer(late)
        assert (answer.verdict, answer.reason) == (REFUSE, TIMEOUT)
        assert time.monotonic() - began < 2
        alone.sealer.deliver(signal.SIGCONT)
        assert gate.answer(first).verdict == ALLOW
        assert gate.admit(*alone.who, key="b").verdict == ALLOW


def test_the_queue_is_bounded_and_settles_have_room(alone):
    with alone.link() as gate:
        request = secrets.token_bytes(16)
        allowed = gate.admit(*alone.who, key="settled", request_id=request)
        alone.sealer.deliver(signal.SIGSTOP)
        turns = [gate.ask(ADMIT, admit_body(*alone.who, key=str(number), wait_ms=30000)) for number in range(6000)]
        refused = [gate.answer(turn) for turn in turns[-1000:]]
        assert all((answer.reason, answer.retry_after) == (BUSY, 1) for answer in refused)
        settle = gate.ask(SETTLE, settle_body(request, allowed.ticket))
        alone.sealer.deliver(signal.SIGCONT)
        assert gate.answer(settle).reason == OK
        verdicts = [gate.answer(turn).verdict for turn in turns[:-1000]]
        assert 4096 <= verdicts.count(ALLOW) <= 5000


def test_without_a_sealer_admits_are_refused_and_settles_wait(alone):
    with alone.link() as gate:
        request = secrets.token_bytes(16)
        allowed = gate.admit(*alone.who, key="k", request_id=request)
        alone.sealer.kill()
        wait_until(lambda: not alone.do("status")["sealer"]["up"])
        refused = gate.admit(*alone.who, key="other")
        assert (refused.verdict, refused.reason) == (REFUSE, SEALER)
        assert gate.auth(alone.shop_key).reason == OK
        settle = gate.ask(SETTLE, settle_body(request, allowed.ticket, answer=b"kept"))
        unsent = secrets.token_bytes(16)
        time.sleep(0.2)
        assert gate.settle(unsent, 0, outcome=4).reason != OK
        alone.start_sealer()
        assert gate.answer(settle).reason == OK
        wait_until(lambda: alone.do("status")["sealer"]["up"])
        replayed = gate.admit(*alone.who, key="k")
        assert (replayed.verdict, replayed.answer) == (REPLAY, b"kept")


def test_a_sealer_killed_under_load(alone):
    """No claim is left behind by a refusal, and every allowed one can be settled."""
    with alone.link() as gate:
        for _ in range(5):
            requests = {str(n) + secrets.token_hex(4): secrets.token_bytes(16) for n in range(300)}
            turns = {gate.ask(ADMIT, admit_body(*alone.who, key=key, request_id=request)): (key, request)
                     for key, request in requests.items()}
            alone.sealer.kill()
            answers = {turn: gate.answer(turn) for turn in turns}
            alone.start_sealer()
            wait_until(lambda: alone.do("status")["sealer"]["up"])
            for turn, answer in answers.items():
                key, request = turns[turn]
                assert answer.verdict == ALLOW or answer.reason == SEALER
                if answer.verdict == ALLOW:
                    assert gate.settle(request, answer.ticket).reason == OK
                else:
                    assert gate.admit(*alone.who, key=key).verdict == ALLOW


def test_the_keeper_starts_without_a_sealer(tmp_path):
    daemons = Daemons(sealer=False, setup=False)
    try:
        daemons.shop = daemons.partner("shop")
        daemons.shop_key, number = daemons.key("shop")
        with daemons.link() as gate:
            assert gate.auth(daemons.shop_key).reason == OK
            assert gate.admit(daemons.shop, number, key="k", flags=OBSERVE).reason == SEALER
            daemons.start_sealer()
            daemons.do("route.set", route="main", credential="Bearer x")
            assert gate.admit(daemons.shop, number, key="k").verdict == ALLOW
    finally:
        daemons.close()


def test_term_finishes_what_is_pending(alone):
    with alone.link() as gate:
        turns = [gate.ask(ADMIT, admit_body(*alone.who, key=str(number))) for number in range(500)]
        gate.answer(turns[0])
        assert alone.stop_keeper() == 0
        answers = 1
        try:
            while gate.read():
                answers += 1
        except EOFError:
            pass
    alone.start_keeper()
    counts = alone.do("status")["store"]
    assert counts["claims_live"] <= answers


def test_a_reader_that_does_not_read_is_left(keeper):
    """Its answers are bounded; the others are served."""
    with keeper.link(timeout=20) as gate, keeper.link() as other:
        try:
            for _ in range(40):
                gate.send(frame(STATS, b"") * 1000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert other.auth(keeper.shop_key).reason == OK
        assert gate.ended(20)


def test_large_settles_wait_in_their_link(alone):
    """More than the keeper holds for one link: it stops reading, drops nothing, and serves the others."""
    answer = secrets.token_bytes(1 << 20)
    with alone.link(timeout=60) as gate, alone.link() as other:
        requests = [secrets.token_bytes(16) for _ in range(40)]
        tickets = [gate.admit(*alone.who, request_id=request).ticket for request in requests]
        alone.sealer.deliver(signal.SIGSTOP)
        turns = []

        def send():
            turns.extend(gate.ask(SETTLE, settle_body(request, ticket, answer=answer))
                         for request, ticket in zip(requests, tickets))

        sender = threading.Thread(target=send)
        sender.start()
        time.sleep(0.5)
        assert sender.is_alive() and other.auth(alone.shop_key).reason == OK
        alone.sealer.deliver(signal.SIGCONT)
        sender.join(30)
        assert [gate.answer(turn).reason for turn in turns] == [OK] * 40


def test_who_left_before_their_turn_claims_nothing(alone):
    gate = alone.link()
    alone.sealer.deliver(signal.SIGSTOP)
    for number in range(100):
        gate.ask(ADMIT, admit_body(*alone.who, key=f"first {number}", wait_ms=30000))
        time.sleep(0.001)
    gate.close()
    time.sleep(0.1)
    alone.sealer.deliver(signal.SIGCONT)
    wait_until(lambda: alone.do("status")["counts"]["pending"] == 0)
    # Those that were on their way to the sealer were claimed; all others were not.
    assert alone.do("status")["store"]["claims_unknown"] < 10
