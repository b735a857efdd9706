"""kill -9 at seeded moments: what was acknowledged is there, what was not is not told twice."""
import random
import secrets
import threading
import time

from lib.frames import ADMIT, ALLOW, REFUSE, REPLAY, SETTLE, admit_body, settle_body

OK, OUTCOME_UNKNOWN = 0, 164
ROUNDS = 20
IN_FLIGHT = 48


class Call:
    """One payment and what the keeper said of it."""

    def __init__(self, number):
        self.key = f"{number}-{secrets.token_hex(4)}"
        self.request, self.answer = secrets.token_bytes(16), secrets.token_bytes(random.randrange(1, 600))
        self.ticket, self.settle_sent, self.settled = None, False, False


def work(gate, who, calls):
    """Admits and settles until the link ends."""
    asked = {}
    try:
        while True:
            while len(asked) < IN_FLIGHT:
                call = Call(len(calls))
                calls.append(call)
                asked[gate.ask(ADMIT, admit_body(*who, key=call.key, request_id=call.request))] = call
            for turn in list(asked):
                answer, call = gate.answer(turn), asked.pop(turn)
                if call.ticket is None:
                    assert answer.verdict == ALLOW, answer
                    call.ticket, call.settle_sent = answer.ticket, True
                    asked[gate.ask(SETTLE, settle_body(call.request, call.ticket, answer=call.answer))] = call
                else:
                    assert answer.reason == OK
                    call.settled = True
    except (EOFError, OSError):
        pass


def check(gate, who, calls):
    """Asks for every key again and compares with what was acknowledged before."""
    turns = [gate.ask(ADMIT, admit_body(*who, key=call.key)) for call in calls]
    for call, turn in zip(calls, turns):
        again = gate.answer(turn)
        if call.settled:
            assert (again.verdict, again.answer, again.original_id) == (REPLAY, call.answer, call.request)
        elif call.ticket is not None:
            # Its SETTLE was on its way: stored or not, but never forgotten.
            unknown = (again.verdict, again.reason) == (REFUSE, OUTCOME_UNKNOWN)
            assert unknown or (again.verdict, again.answer) == (REPLAY, call.answer)
            assert gate.settle(call.request, call.ticket, answer=call.answer).reason == OK
            assert gate.admit(*who, key=call.key).answer == call.answer
        else:
            # Never told: claimed for nobody, or not claimed at all.
            assert again.verdict == ALLOW or again.reason == OUTCOME_UNKNOWN
    tickets = [call.ticket for call in calls if call.ticket is not None]
    assert len(set(tickets)) == len(tickets)


def test_kill_at_seeded_moments(alone):
    random.seed(20261122)
    everything, settled = [], 0
    for _ in range(ROUNDS):
        gate, calls = alone.link(), []
        worker = threading.Thread(target=work, args=(gate, alone.who, calls))
        worker.start()
        time.sleep(random.uniform(0.005, 0.15))
        alone.kill_keeper()
        worker.join(20)
        gate.close()
        alone.start_keeper()
        alone.wait_sealer()
        with alone.link() as gate:
            check(gate, alone.who, calls)
        everything += calls
        settled += sum(call.settled for call in calls)
    assert settled > 100
    with alone.link() as gate:
        check(gate, alone.who, [call for call in everything if call.settled][-2000:])


def test_a_store_that_fails_ends_the_keeper_without_an_answer(alone):
    """No byte more may be written, or the server ends the session: the commit fails, and nobody is told anything."""
    alone.drop_operator()
    with alone.link() as gate:
        assert gate.admit(*alone.who, key="before").verdict == ALLOW
        alone.fail_store()
        answered = []
        try:
            for number in range(200):
                answered.append(gate.admit(*alone.who, key=f"after {number}").verdict)
        except (EOFError, OSError):
            pass
    assert alone.keeper.child.wait(10) == 3
    alone.start_keeper()
    alone.wait_sealer()
    with alone.link() as gate:
        for number in range(len(answered)):
            assert gate.admit(*alone.who, key=f"after {number}").reason == OUTCOME_UNKNOWN
        assert gate.admit(*alone.who, key="before").reason == OUTCOME_UNKNOWN
