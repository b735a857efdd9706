"""Where the gate stands among nginx's own phases: limits come first, satisfy cannot overrule, redirects lead nowhere."""
import ssl
import threading
import time
import uuid

import pytest
from lib import house
from lib.instance import Instance, payment
from lib.raw import Http1
from lib.upstream import answer, field


@pytest.fixture(scope="module")
def _yard():
    """Several gated locations, each with one stock directive that could come into the gate's way."""
    gated = "@GATED@"
    instance = Instance(keeper="scripted", settings={"tollgate_admit_wait": "2s", "tollgate_settle_wait": "1s"},
                        http="limit_req_zone $uri zone=few:1m rate=1r/s; limit_req_status 429;",
                        server="satisfy any; allow all;",
                        locations=f"location = /v1/notes {{ {gated} limit_req zone=few; }}"
                                  f" location ~ ^/v1/payments/[^/]+/capture$ {{ {gated} satisfy all; deny all; }}"
                                  f" location ~ ^/v1/payments/[^/]+/refund$ {{ {gated} error_page 403 502 504 @again; }}"
                                  f" location @again {{ {gated} }}")
    try:
        yield instance
    finally:
        instance.close()


@pytest.fixture
def yard(_yard):
    _yard.upstream.clear()
    _yard.keeper.clear()
    return _yard


def test_limit_req_comes_before_the_keeper_is_asked(yard):
    from lib.scripted_keeper import AUTH
    answers = [yard.pay(path="/v1/notes", key=house.api_key()).status for _ in range(4)]
    assert answers.count(201) == 1 and answers.count(429) == 3
    assert yard.keeper.count(AUTH) == 1


def test_satisfy_any_does_not_overrule_a_refusal(yard):
    assert yard.pay(key=None).status == 401
    assert yard.pay(b"{").status == 400
    assert not yard.upstream.seen


def test_deny_after_admission_is_settled_as_not_sent(yard):
    from lib.scripted_keeper import SETTLE
    answered = yard.pay(b'{"amount":5,"currency":"EUR"}', path="/v1/payments/p1/capture")
    assert answered.status == 403, answered
    (body,) = yard.keeper.wait(SETTLE)
    assert body[1] == 4 and not yard.upstream.seen


def test_an_error_page_that_is_gated_does_not_pay_again(yard):
    from lib.upstream import reset
    yard.upstream.then(reset())
    answered = yard.pay(b'{"amount":5,"currency":"EUR"}', path="/v1/payments/p1/refund")
    assert (answered.status, answered.reason) == (502, "outcome_unknown"), answered
    assert len(yard.upstream.seen) == 1


def test_problem_locations_are_not_reachable_from_outside(yard):
    for name in ("request_refused", "body_too_large"):
        answered = yard.pay(path=f"/.tollgate/{name}")
        assert answered.status in (401, 404), answered
        with yard.http1() as client:
            answered = client.send(f"GET /.tollgate/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()).read()
            assert answered.status in (401, 404), answered


def test_tls_1_2_and_client_hop_by_hop_fields(yard):
    context = house.tls_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Http1(yard.port, context) as client:
        data = yard.bytes_of(fields=["Connection: close, Authorization, X-Own", "X-Own: 1", "TE: trailers",
                                     "Proxy-Authorization: Basic YTpi", "Keep-Alive: 5", "Proxy-Connection: close",
                                     "Proxy: http://evil", "Trailer: X-Last", "X-Other: 2"])
        assert client.send(data).read().status == 201
    assert field(yard.upstream.last, "Authorization") == ["Bearer upstream-secret"]
    for name in ("X-Own", "TE", "Proxy-Authorization", "Keep-Alive", "Proxy-Connection", "Proxy", "Trailer"):
        assert not field(yard.upstream.last, name), name
    assert field(yard.upstream.last, "X-Other") == ["2"]


def test_connection_cannot_take_away_what_was_judged(yard):
    assert yard.pay(fields=["Connection: close, Content-Type,idempotency-key , Host, Tollgate-Request-Id",
                            "Connection: Content-Length"]).status == 201
    for name in ("Content-Type", "Idempotency-Key", "Host", "Tollgate-Request-Id", "Content-Length"):
        assert len(field(yard.upstream.last, name)) == 1, name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_1_1_is_not_spoken(yard):
    context = house.tls_context()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(OSError):
        Http1(yard.port, context)


def test_upstream_connections_are_not_shared_with_a_broken_one(yard):
    """Thirty calls, every third answer over the limit: each caller sees the answer to its own call."""
    from lib.upstream import huge
    for n in range(30):
        yard.upstream.then(huge(70_000) if n % 3 == 0 else answer(201, b'{"n":%d}' % n))
        answered = yard.pay()
        if n % 3:
            assert answered.body == b'{"n":%d}' % n
        else:
            assert answered.status == 502


def test_reloads_under_load_lose_nothing_and_leave_nothing(yard):
    stop, bad, good = threading.Event(), [], []

    def caller():
        while not stop.is_set():
            answered = yard.pay(payment(reference=uuid.uuid4().hex))
            (good if answered.status == 201 else bad).append(answered)
    threads = [threading.Thread(target=caller) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        time.sleep(0.15)
        yard.reload()
    stop.set()
    for thread in threads:
        thread.join(10)
    assert not bad and len(good) > 20, bad[:3]
    end = time.monotonic() + 5
    while len(house.children(yard.processes["nginx"].pid)) > 1:
        assert time.monotonic() < end, "an old worker stays"
        time.sleep(0.05)
    yard.pay()
    before = house.descriptors(yard.processes["nginx"].pid)
    yard.reload()
    time.sleep(0.3)
    assert house.descriptors(yard.processes["nginx"].pid) <= before + 2


def test_more_calls_than_slots_are_refused_before_the_upstream(yard):
    from lib.scripted_keeper import ADMIT, SETTLE, silent
    yard.keeper.rules[ADMIT] = silent
    fields = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/v1/payments/p1"),
              ("authorization", f"Bearer {yard.key}")]
    yard.pay(path="/v1/payments/p1", method="GET", body=b"x")  # the key is in the worker's cache
    clients = [yard.http2(timeout=20) for _ in range(34)]
    try:
        streams = [(client, [client.request(fields) for _ in range(128)]) for client in clients]
        reasons = {}
        for client, numbers in streams:
            for number in numbers:
                answered = client.read(number)
                reason = answered.reason
                reasons[(answered.status, reason)] = reasons.get((answered.status, reason), 0) + 1
    finally:
        for client in clients:
            client.socket.close()
    assert all(status == 503 for status, _ in reasons) and (503, "slots_exhausted") in reasons, reasons
    assert not yard.upstream.seen
    yard.keeper.clear()
    end = time.monotonic() + 5
    while "tollgate_gate_slots_used 0\n" not in yard.page("/tollgate/status")[2]:
        assert time.monotonic() < end, "slots are lost"
        time.sleep(0.1)
    assert yard.pay().status == 201
    assert SETTLE not in yard.keeper.rules
