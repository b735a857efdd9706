"""observe: nothing is refused, held or replayed, also without a keeper; what would have been is recorded or counted."""
import os
import signal
import time

import pytest
from lib import house
from lib.instance import Instance, payment
from lib.upstream import answer, close_delimited, field, huge


@pytest.fixture(scope="module")
def _watched():
    instance = Instance(settings={"tollgate": "observe"})
    try:
        yield instance
    finally:
        instance.close()


@pytest.fixture
def watched(_watched):
    _watched.upstream.clear()
    return _watched


def test_what_would_be_refused_passes_and_is_counted(watched):
    cases = {"credential_missing": {"key": None}, "json_syntax": {"body": b"{"}, "media_type": {"content_type": "text/plain"},
             "key_missing": {"idempotency": None}, "operation_unknown": {"path": "/v1/elsewhere"},
             "upgrade": {"fields": ["Upgrade: websocket"]}}
    for count, (reason, call) in enumerate(cases.items(), 1):
        before = watched.reason_count(reason, observed=True)
        assert watched.pay(**call).status == 201, reason
        assert len(watched.upstream.seen) == count
        assert watched.reason_count(reason, observed=True) == before + 1, reason


def test_the_callers_own_credential_goes_on(watched):
    assert watched.pay(fields=["X-Other: 1"]).status == 201
    assert field(watched.upstream.last, "Authorization") == [f"Bearer {watched.key}"]


def test_nothing_is_replayed(watched):
    for _ in range(2):
        answered = watched.pay(idempotency="same-key")
        assert answered.status == 201 and answered.get("Idempotent-Replayed") is None
    assert len(watched.upstream.seen) == 2


def test_nothing_is_held(watched):
    def act(connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        time.sleep(0.5)
        connection.sendall(b"cd")
        return True
    watched.upstream.then(huge(300_000), close_delimited(b"{}"), act)
    assert len(watched.pay().body) == 300_000
    assert watched.pay().status == 201
    assert watched.pay().body == b"abcd"


def test_a_body_larger_than_may_be_inspected_passes(watched):
    body = payment(note="n" * 60_000)
    assert watched.pay(body).status == 201
    assert watched.upstream.last.body == body


def test_what_is_admitted_is_recorded(watched):
    answered = watched.pay()
    end = time.monotonic() + 3
    while True:
        events = watched.admin("log.tail", **{"from": 0, "limit": 500})
        events = events["events"] if isinstance(events, dict) else [e for part in events for e in part["events"]]
        if any(answered.get("Tollgate-Request-Id") in str(event) for event in events):
            break
        assert time.monotonic() < end, events[-3:]
        time.sleep(0.05)


def test_trust_fields_pass_as_they_are(watched):
    assert watched.pay(fields=["X-Forwarded-For: 10.0.0.1"]).status == 201


def test_the_keeper_stopped_or_gone(watched):
    keeper = watched.processes["keeper"]
    keeper.deliver(signal.SIGSTOP)
    try:
        answered = watched.pay()
        assert answered.status == 201 and answered.seconds < 2, answered
    finally:
        keeper.deliver(signal.SIGCONT)
    os.kill(keeper.pid, signal.SIGKILL)
    keeper.child.wait(5)
    before = watched.metric("tollgate_gate_observed_unrecorded_total")
    watched.upstream.usual = answer(201, b'{"ok":1}')
    for _ in range(3):
        answered = watched.pay(key=house.api_key())
        assert (answered.status, answered.body) == (201, b'{"ok":1}'), answered
        assert answered.seconds < 1.5
    assert watched.metric("tollgate_gate_observed_unrecorded_total") >= before + 3
    watched.start_keeper()
    assert watched.pay().status == 201
