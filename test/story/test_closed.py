"""Fail closed: without the keeper, the sealer or the store nothing is forwarded, and service comes back by itself."""
import os
import signal
import time
import uuid
from contextlib import contextmanager

import pytest

CLOSED = {"keeper_unavailable", "keeper_timeout", "sealer_unavailable", "keeper_busy"}


@contextmanager
def frozen(house, name):
    """The process stands still, alive: the worst kind of away."""
    pid = house.pid(name)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def pays_again(house, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if house.pay().status == 201:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("name", ["keeper", "sealer"])
def test_a_frozen_process_is_503_and_nothing_is_forwarded(house, name):
    key, mark = uuid.uuid4().hex, uuid.uuid4().hex
    with frozen(house, name):
        answer = house.pay(idempotency=key, body={"reference": mark}, timeout=8)
        assert answer.status == 503 and answer.reason in CLOSED, answer
        assert int(answer.fields["Retry-After"]) >= 1
        assert answer.seconds < 3, "a frozen process must not hold callers"
    assert [p for p in house.payments() if p["reference"] == mark] == []
    assert pays_again(house)
    # What was refused may be tried again with its key, and is charged once.
    end = time.monotonic() + 5
    while (answer := house.pay(idempotency=key, body={"reference": mark})).status == 409 and time.monotonic() < end:
        assert answer.reason == "key_in_flight", answer
        time.sleep(0.1)
    assert answer.status == 201, answer
    assert len([p for p in house.payments() if p["reference"] == mark]) == 1


@pytest.mark.parametrize("name", ["keeper", "sealer"])
def test_a_killed_process_comes_back(house, name):
    house.kill(name)
    answer = house.pay()
    assert answer.status in (201, 503), answer
    assert answer.status == 201 or answer.reason in CLOSED
    assert pays_again(house)
    house.wait_ready()


def test_health_says_when_payments_cannot_pass(house):
    assert house.status_get("/tollgate/health")[0] == 200
    with frozen(house, "keeper"):
        status, text = house.status_get("/tollgate/health")
        assert status == 503 and '"live":true' in text and '"ready":false' in text
    assert pays_again(house)


def test_a_route_without_a_credential_forwards_nothing(house):
    text = (house.dir / "nginx.conf").read_text()
    (house.dir / "nginx.conf").write_text(text.replace("tollgate_route generic;", "tollgate_route nobody-set-it;"))
    try:
        house.run("reload", house.dir)
        mark = uuid.uuid4().hex
        end = time.monotonic() + 5
        while (answer := house.pay(body={"reference": mark})).status == 201 and time.monotonic() < end:
            mark = uuid.uuid4().hex  # an old worker took it
            time.sleep(0.1)
        assert (answer.status, answer.reason) == (503, "route_credential_absent")
        assert [p for p in house.payments() if p["reference"] == mark] == []
    finally:
        (house.dir / "nginx.conf").write_text(text)
        house.run("reload", house.dir)
    assert pays_again(house)


def test_the_pages_of_nginxs_own_refusals_look_like_any_call_without_a_key(house):
    for name in ("keeper_busy", "request_refused", "rate_limited"):
        answer = house.call("GET", f"/.tollgate/{name}")
        assert (answer.status, answer.reason) == (401, "credential_missing"), answer
        assert answer.fields["Content-Type"] == "application/problem+json"
