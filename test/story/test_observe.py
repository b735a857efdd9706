"""observe: nothing is refused, held or replayed, with the keeper up or down; what would have been is recorded or counted."""
import os
import re
import signal
import time
import uuid

import pytest
from lib.story import Instance


@pytest.fixture(scope="module")
def watched():
    instance = Instance()
    conf = instance.dir / "nginx.conf"
    text = conf.read_text()
    conf.write_text(re.sub(r"\btollgate\s+on;", "tollgate observe;", text))
    try:
        instance.up()
        yield instance
    finally:
        instance.close()


def upstream_key(house):
    return next((house.dir / "sandbox").glob("*credential*")).read_text().strip()


def test_calls_pass_as_they_are_and_are_recorded(watched):
    key = upstream_key(watched)
    watched.secrets.append(key)
    mark = uuid.uuid4().hex
    for _ in range(2):  # the same key twice: not replayed
        answer = watched.pay(idempotency="same", key=key, body={"reference": mark})
        assert answer.status == 201, answer
        assert "Idempotent-Replayed" not in answer.fields
    assert len([p for p in watched.payments() if p["reference"] == mark]) == 2
    assert watched.call("POST", "/v1/payments", {"amount": 5, "currency": "EUR", "payee": {"account": "a"},
                                                  "reference": mark}, key=key).status == 201


def test_nothing_is_refused_with_the_keeper_down(watched):
    key = upstream_key(watched)
    os.kill(watched.pid("keeper"), signal.SIGSTOP)
    try:
        begin = time.monotonic()
        assert watched.pay(key=key).status == 201
        assert time.monotonic() - begin < 2
    finally:
        os.kill(watched.pid("keeper"), signal.SIGCONT)
    watched.kill("keeper")
    assert watched.pay(key=key).status == 201
    watched.wait_ready()
