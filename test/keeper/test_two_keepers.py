"""Two keepers on one PostgreSQL, each with gates of its own: claims, replays and limits stay exact over both."""
import concurrent.futures
import os
import secrets
import time

import pytest
from daemons import Daemons
from lib import house, postgres
from lib.frames import ALLOW, REFUSE, REPLAY, Link, Operator, wait_until

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason="PostgreSQL's programs are not installed")

KEY_IN_FLIGHT, OUTCOME_UNKNOWN, QUOTA = 163, 164, 123


class Pair(Daemons):
    """One sealer, one database, a second keeper with sockets of its own."""

    def __init__(self):
        super().__init__(on_postgres=True, sealer_more=("--keepers", "2"))
        self.second = None
        try:
            self.start_second()
        except BaseException:
            self.close(check=False)
            raise

    def start_second(self):
        log = self.folder / "second.log"
        seen = log.read_text().count('"event":"ready"') if log.exists() else 0
        self.second = house.Process("second", [
            house.BUILD / "tollgate-keeper", *self.store, "--gate-socket", self.folder / "second.gate.sock",
            "--admin-socket", self.folder / "second.admin.sock", "--sealer-socket", self.folder / "sealer.sock", "--pid",
            self.folder / "second.pid"], log)
        self.second.wait_for(lambda: log.read_text().count('"event":"ready"') > seen)
        wait_until(lambda: self.ask_second("status")["sealer"]["up"])

    def other(self):
        return Link(self.folder / "second.gate.sock")

    def ask_second(self, command, **arguments):
        operator = Operator(self.folder / "second.admin.sock")
        try:
            return operator.do(command, **arguments)
        finally:
            operator.close()

    def close(self, check=True):
        if self.second is not None:
            self.second.stop()
        super().close(check)


@pytest.fixture(scope="module")
def pair():
    both = Pair()
    try:
        yield both
    finally:
        both.close()


def both_at_once(pair, ask):
    """ask(gate, number) at both keepers at the same moment."""
    with pair.link() as one, pair.other() as two, concurrent.futures.ThreadPoolExecutor(2) as pool:
        return [future.result() for future in [pool.submit(ask, gate, i) for i, gate in enumerate((one, two))]]


def test_twins_are_one_charge(pair):
    rounds, taken = 60, 0
    with pair.link() as one, pair.other() as two, concurrent.futures.ThreadPoolExecutor(2) as pool:
        for number in range(rounds):
            twins = [pool.submit(gate.admit, *pair.who, key=f"twin {number}") for gate in (one, two)]
            answers = [twin.result() for twin in twins]
            allowed = [answer for answer in answers if answer.verdict == ALLOW]
            assert len(allowed) == 1, answers
            assert all(a.reason == KEY_IN_FLIGHT for a in answers if a.verdict != ALLOW)
            taken += 1
    assert taken == rounds


def test_the_other_replays(pair):
    with pair.link() as one, pair.other() as two:
        for number in range(20):
            request = secrets.token_bytes(16)
            first, second = (one, two) if number % 2 else (two, one)
            allowed = first.admit(*pair.who, key=f"replay {number}", request_id=request)
            assert first.settle(request, allowed.ticket, answer=b"answer %d" % number).reason == 0
            again = second.admit(*pair.who, key=f"replay {number}")
            assert again.verdict == REPLAY and again.answer == b"answer %d" % number


def test_the_days_limit_is_one(pair):
    """Payments of 10 against 1000 a day, half of them at each keeper, all at once: exactly one hundred fit."""
    partner = pair.partner("limited", payment_max=10, day_max=1000)
    wait_until(lambda: any(row["name"] == "limited" for row in pair.ask_second("partner.list")["rows"]))
    _, credential = pair.key("limited")
    wait_until(lambda: len(pair.ask_second("key.list", partner="limited")["rows"]) == 1)
    allowed = []

    def pay(gate, side):
        for number in range(80):
            answer = gate.admit(partner, credential, key=f"{side} {number}", amount=10)
            if answer.verdict == ALLOW:
                allowed.append(side)
            else:
                assert answer.reason == QUOTA, answer
    both_at_once(pair, pay)
    assert len(allowed) == 100
    assert allowed.count(0) > 0 and allowed.count(1) > 0


def test_a_revocation_reaches_the_other(pair):
    key, number = pair.key()
    with pair.link() as one, pair.other() as two:
        wait_until(lambda: two.auth(key).reason == 0)
        pair.do("key.revoke", id=number)
        begin = time.monotonic()
        assert one.auth(key).reason != 0
        wait_until(lambda: two.auth(key).reason != 0)
        assert time.monotonic() - begin < 1


def test_what_a_dead_keeper_had_in_flight_is_unknown_at_the_other(pair):
    two = pair.other()
    assert two.admit(*pair.who, key="orphan").verdict == ALLOW
    pair.second.kill()
    two.close()
    with pair.link() as one:
        wait_until(lambda: one.admit(*pair.who, key="orphan").reason == OUTCOME_UNKNOWN)
        assert one.admit(*pair.who, key="orphan").verdict == REFUSE
    pair.start_second()
    with pair.other() as two:
        assert two.admit(*pair.who, key="orphan").reason == OUTCOME_UNKNOWN
        assert two.admit(*pair.who, key="fresh again").verdict == ALLOW


def test_events_come_once_and_in_order(pair):
    numbers = [event["sequence"] for event in pair.events()]
    assert numbers == sorted(set(numbers))
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert os.path.exists(pair.folder / "second.log")
