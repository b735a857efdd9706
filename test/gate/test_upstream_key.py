"""The idempotency key that the upstream sees: one for each caller and environment, the caller's own on the way back."""
import re
import uuid

import pytest
from lib.instance import payment
from lib.upstream import answer as reply
from lib.upstream import field


@pytest.fixture(scope="module")
def rival(_gate):
    _gate.admin("partner.add", name="rival")
    for environment in ("test", "live"):
        _gate.admin("limit.set", partner="rival", environment=environment, currency="EUR", payment_max=1_000_000, day_max=0)
    return {environment: _gate.key_create(partner="rival", environment=environment) for environment in ("test", "live")}


def seen_key(gate):
    (value,) = field(gate.upstream.last, "Idempotency-Key")
    return value


def echo(connection, seen):
    return reply(201, b'{"echo":1}', [("Idempotency-Key", field(seen, "Idempotency-Key")[0])])(connection, seen)


def test_the_key_is_short_and_says_nothing(gate):
    assert gate.pay(idempotency="order-1001").status == 201
    assert re.fullmatch("[0-9a-f]{40}", seen_key(gate))
    assert b"order-1001" not in gate.upstream.last.raw


def test_partners_and_environments_do_not_share_keys_upstream(gate, rival):
    keys = set()
    for key in (gate.key, rival["test"], rival["live"]):
        assert gate.pay(idempotency="order-1002", key=key).status == 201
        keys.add(seen_key(gate))
    assert len(keys) == 3 and len(gate.upstream.seen) == 3


def test_a_retry_has_the_same_key_raw_or_quoted(gate):
    name = uuid.uuid4().hex
    gate.upstream.then(reply(429, b"{}"), reply(429, b"{}"))
    for form in (name, f'"{name}"', name):
        gate.pay(idempotency=form)
    keys = [field(seen, "Idempotency-Key") for seen in gate.upstream.seen]
    assert len(keys) == 3 and keys[0] == keys[1] == keys[2] and len(keys[0]) == 1


def test_the_caller_sees_its_own_key_again(gate):
    key, body = uuid.uuid4().hex, payment()
    gate.upstream.then(echo)
    first = gate.pay(body, idempotency=key)
    again = gate.pay(body, idempotency=key)
    assert first.status == again.status == 201 and again.get("Idempotent-Replayed") == "true"
    assert first.all("Idempotency-Key") == again.all("Idempotency-Key") == [key]
    # Quoted: not said again, neither the caller's nor ours.
    assert gate.pay(body, idempotency=f'"{key}"').all("Idempotency-Key") == []
    gate.upstream.then(echo)
    assert gate.pay(body, idempotency=f'"{uuid.uuid4().hex}"').all("Idempotency-Key") == []


def test_no_echo_where_the_upstream_has_none(gate):
    key, body = uuid.uuid4().hex, payment()
    for _ in range(2):
        assert gate.pay(body, idempotency=key).all("Idempotency-Key") == []


def test_a_passed_on_failure_says_the_callers_key(gate):
    key = uuid.uuid4().hex
    gate.upstream.then(reply(500, b"{}", [("Idempotency-Key", "theirs"), ("Idempotency-Key", "twice")]))
    assert gate.pay(idempotency=key).all("Idempotency-Key") == [key]


def test_a_key_that_was_not_judged_does_not_go_on(gate):
    for line in ("Idempotency-Key: order-1003", "Idempotency_Key: order-1003"):
        answered = gate.say(gate.head("GET", "/v1/payments/p1", content_type=False, idempotency=False, fields=[line])
                            + b"\r\n")
        assert answered.status == 201
        assert b"order-1003" not in gate.upstream.last.raw


def test_on_h2(gate):
    body = payment()
    with gate.http2() as client:
        stream = client.request([(":method", "POST"), (":scheme", "https"), (":authority", "localhost"),
                                 (":path", "/v1/payments"), ("authorization", f"Bearer {gate.key}"),
                                 ("content-type", "application/json"), ("idempotency-key", "order-1004")], body)
        assert client.read(stream).status == 201
    first = seen_key(gate)
    assert gate.pay(payment(1051), idempotency="order-1005").status == 201
    assert re.fullmatch("[0-9a-f]{40}", first) and first != seen_key(gate)
