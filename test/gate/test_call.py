"""Who calls, what they may send, and what the upstream sees of it."""
import gzip
import os
import re
import time

import pytest
from lib import house
from lib.instance import CREDENTIAL, Instance, payment
from lib.upstream import answer as reply
from lib.upstream import field

ADDRESS = iter(f"127.0.1.{n}" for n in range(1, 250))


def call_from(gate, source, data):
    with gate.http1(source=(source, 0)) as client:
        return client.send(data).read()


def problem(answer, status, reason):
    assert (answer.status, answer.reason) == (status, reason), answer
    assert answer.get("Content-Type") == "application/problem+json"
    assert answer.json["status"] == status
    request_id = answer.get("Tollgate-Request-Id")
    assert re.fullmatch("[0-9a-f]{32}", request_id)
    assert request_id in answer.body.decode()
    return answer


def test_no_two_calls_have_one_request_id(gate):
    ids = []
    for _ in range(2):
        with gate.http1() as client:
            for _ in range(150):
                ids.append(client.send(gate.bytes_of(b"{")).read().get("Tollgate-Request-Id"))
    assert len(set(ids)) == 300


# --- who calls ---

def wrong_keys(gate):
    good = gate.key
    return {
        "none": None, "empty": "", "unknown": house.api_key(), "cut": good[:-1], "longer": good + "a",
        "other prefix": "sk_test_" + good[8:], "checksum": good[:-1] + ("a" if good[-1] != "a" else "b"),
        "upper case": good.upper(), "live with a test key's bytes": good.replace("_test_", "_live_"),
    }


@pytest.mark.parametrize("name", ["none", "empty", "unknown", "cut", "longer", "other prefix", "checksum", "upper case",
                                  "live with a test key's bytes"])
def test_a_wrong_key_is_401(gate, name):
    key = wrong_keys(gate)[name]
    fields = [] if key is None else [f"Authorization: Bearer {key}"]
    answer = call_from(gate, next(ADDRESS), gate.bytes_of(key=None, fields=fields))
    assert answer.status == 401, answer
    assert answer.reason in ("credential_missing", "credential_malformed", "credential_unknown")
    assert answer.get("WWW-Authenticate")
    if key:
        assert key.encode() not in answer.raw + answer.body
    assert not gate.upstream.seen


@pytest.mark.parametrize("line", ["Authorization: Basic YTpi", "Authorization: Bearer", "X-Api-Key: {key}",
                                  "Authorization: bearer{key}", "Authorization: Bearer {key} more"])
def test_a_key_in_another_shape_is_401(gate, line):
    answer = call_from(gate, next(ADDRESS), gate.bytes_of(key=None, fields=[line.format(key=gate.key)]))
    assert answer.status == 401, answer
    assert not gate.upstream.seen


def test_two_keys_are_refused(gate):
    answer = call_from(gate, next(ADDRESS), gate.bytes_of(fields=[f"Authorization: Bearer {gate.key}"]))
    assert answer.status in (400, 401), answer
    assert not gate.upstream.seen


def test_401_comes_before_the_body_is_read(gate):
    head = gate.head(key=house.api_key(), fields=["Content-Length: 60000", "Expect: 100-continue"]) + b"\r\n"
    with gate.http1(source=(next(ADDRESS), 0)) as client:
        answer = client.send(head).read(interim=True)
        assert answer.status == 401, "100 Continue before authentication"
        assert answer.seconds < 1
    with gate.http1(source=(next(ADDRESS), 0)) as client:
        answer = client.send(head.replace(b"Expect: 100-continue\r\n", b"") + b"{" * 100).read()
        assert answer.status == 401 and answer.seconds < 1
    head = gate.head(key=house.api_key(), fields=["Transfer-Encoding: chunked"]) + b"\r\n5\r\nabcde\r\n"
    with gate.http1(source=(next(ADDRESS), 0)) as client:
        answer = client.send(head).read()
        assert answer.status == 401 and answer.seconds < 1


def test_100_continue_after_authentication(gate):
    body = payment()
    with gate.http1() as client:
        client.send(gate.head(fields=[f"Content-Length: {len(body)}", "Expect: 100-continue"]) + b"\r\n")
        assert client.read(interim=True).status == 100
        assert client.send(body).read().status == 201


def test_failures_are_throttled_by_address(gate):
    source = next(ADDRESS)
    answers = [call_from(gate, source, gate.bytes_of(key=house.api_key())) for _ in range(14)]
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {401, 429} and statuses[-1] == 429, statuses
    limited = problem(answers[-1], 429, "authentication_throttled")
    assert 1 <= int(limited.get("Retry-After")) <= 60
    assert call_from(gate, next(ADDRESS), gate.bytes_of()).status == 201, "another address suffers"


def test_failures_are_throttled_by_key_prefix(gate):
    real = gate.key_create()
    statuses = []
    for _ in range(14):
        body = real[:17] + house.api_key()[17:61]
        import zlib
        key = body + house.base32(zlib.crc32(body.encode()).to_bytes(4, "big"))
        statuses.append(call_from(gate, next(ADDRESS), gate.bytes_of(key=key)).status)
    assert statuses[0] == 401 and statuses[-1] == 429, statuses


def test_a_revoked_key_stops_at_once(gate):
    key = gate.key_create()
    assert gate.pay(key=key).status == 201
    row = max(gate.admin("key.list", partner="shop"), key=lambda one: one["id"])
    gate.admin("key.revoke", id=row["id"])
    problem(call_from(gate, next(ADDRESS), gate.bytes_of(key=key)), 401, "credential_unknown")


def test_a_key_is_confined_to_its_operations(gate):
    key = gate.key_create(operations=["payment.read"])
    problem(gate.pay(key=key), 403, "operation_forbidden")
    assert not gate.upstream.seen


# --- what they send ---

@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                  "application/json; charset=utf-16", "application/jsonp", None])
def test_media_types(gate, kind):
    fields = [] if kind is None else [f"Content-Type: {kind}"]
    problem(gate.pay(content_type=None, fields=fields), 415, "media_type")
    assert not gate.upstream.seen


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""])
def test_media_types_that_pass(gate, kind):
    assert gate.pay(content_type=kind).status == 201


def test_a_content_coding_is_refused(gate):
    problem(gate.pay(gzip.compress(payment()), fields=["Content-Encoding: gzip"]), 400, "encoding")
    assert not gate.upstream.seen


def test_413_by_length(gate):
    for size in (65537, 200_000, 10 ** 12):
        with gate.http1() as client:
            answer = client.send(gate.head(fields=[f"Content-Length: {size}"]) + b"\r\n{").read()
            assert (answer.status, answer.reason) == (413, "body_too_large"), answer
            assert answer.get("Content-Type") == "application/problem+json"
    assert not gate.upstream.seen


def test_413_by_chunks(gate):
    body = b"8000\r\n" + b"a" * 0x8000 + b"\r\n"
    with gate.http1() as client:
        answer = client.send(gate.head(fields=["Transfer-Encoding: chunked"]) + b"\r\n" + body * 3).read()
        assert (answer.status, answer.reason) == (413, "body_too_large"), answer
    assert not gate.upstream.seen


def test_the_largest_body_passes(gate):
    body = payment(note="")
    body = payment(note="n" * (65536 - len(body)))
    assert len(body) == 65536
    assert gate.pay(body).status == 201
    assert gate.upstream.last.body == body
    assert gate.say(gate.head(fields=["Transfer-Encoding: chunked"]) + b"\r\n10000\r\n" + body + b"\r\n0\r\n\r\n").status == 201
    assert gate.upstream.last.body == body
    assert not any((gate.folder / "tmp").rglob("*")), "a body touched the disk"


BAD_BODIES = [
    (b"", "json_syntax", None), (b"{", "json_syntax", None), (b"[]", None, None), (b"{} x", "json_syntax", None),
    (b'{"amount":1e2,"currency":"EUR"}', "amount_malformed", "/amount"),
    (b'{"amount":-0,"currency":"EUR"}', "amount_malformed", "/amount"),
    (b'{"amount":1.005,"currency":"EUR"}', "amount_malformed", "/amount"),
    (b'{"amount":99999999999999999999,"currency":"EUR"}', "amount_malformed", "/amount"),
    (b'{"amount":"1050","currency":"EUR"}', None, "/amount"),
    (b'{"amount":5,"amount":6,"currency":"EUR"}', "json_duplicate_member", None),
    (b'{"amount":5,"\\u0061mount":6,"currency":"EUR"}', "json_duplicate_member", None),
    (b'{"amount":5}', "member_missing", "/currency"), (b'{"currency":"EUR"}', "member_missing", "/amount"),
    (b'{"amount":5,"currency":"XXX"}', "currency_unknown", "/currency"),
    (b'{"amount":5,"currency":"EUR","x":"\xff"}', "encoding", None),
    (b'{"amount":5,"currency":"EUR","x":' + b"[" * 200 + b"]" * 200 + b"}", "json_limit", None),
    (b'{"amount":5,"currency":"EUR","x":"4242 4242 4242 4242"}', "card_number_in_clear", None),
]


@pytest.mark.parametrize("body,reason,pointer", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_bodies(gate, body, reason, pointer):
    answer = gate.pay(body)
    assert answer.status == 400, answer
    assert reason is None or answer.reason == reason, answer
    assert pointer is None or answer.json["pointer"] == pointer, answer
    assert b"4242" not in answer.body and b"1.005" not in answer.body
    assert not gate.upstream.seen


def test_operations(gate):
    read = {"content_type": False, "idempotency": False}
    problem(gate.say(gate.head("GET", "/v1/elsewhere", **read) + b"\r\n"), 404, "operation_unknown")
    problem(gate.say(gate.head("DELETE", "/v1/payments", **read) + b"\r\n"), 405, "method_not_allowed")
    problem(gate.pay(method="GET", path="/v1/payments/p1"), 400, "body_unexpected")
    for path in ("/v1//payments", "/v1/./payments", "/v1/x/../payments", "/v1/payments/%2e%2e", "/v1%2Fpayments",
                 "/v1/payments/a%00b", "/v1/payments/a%2Fcapture", "/V1/payments", "/v1/payments/"):
        assert gate.pay(path=path).status in (400, 404), path
    assert not gate.upstream.seen


def test_idempotency_keys(gate):
    problem(gate.pay(idempotency=None), 400, "key_missing")
    for key in ('"', '"a', "a b\x7f", "k" * 256, '""', "caf\xe9"):
        answer = gate.pay(idempotency=key)
        assert answer.status == 400, (key, answer)
    answer = gate.pay(fields=["Idempotency-Key: other"])
    assert (answer.status, answer.reason) == (400, "key_malformed"), answer
    assert not gate.upstream.seen


# --- what the upstream sees ---

def test_the_body_goes_on_byte_for_byte(gate):
    body = b' {\r\n\t"currency" : "EUR", "amount":1050 ,"payee":{"account":"\\u0061 \xc3\xa9"},"z":[1,2.50,1E400,null] }\n'
    assert gate.pay(body).status == 201
    assert gate.upstream.last.body == body
    size = f"{len(body):x}".encode()
    assert gate.say(gate.head(fields=["Transfer-Encoding: chunked"]) + b"\r\n" + size + b"\r\n" + body
                    + b"\r\n0\r\n\r\n").status == 201
    seen = gate.upstream.last
    assert seen.body == body
    assert field(seen, "Content-Length") == [str(len(body))] and not field(seen, "Transfer-Encoding")


def test_path_and_query_go_on_as_they_came(gate):
    path = "/v1/payments/p%C3%A9y-1~x?expand=a&b=%20c+d&&e"
    assert gate.say(gate.head("GET", path, content_type=False, idempotency=False) + b"\r\n").status == 201
    assert gate.upstream.last.target == path


def test_the_callers_key_ends_at_the_gate(gate):
    assert gate.pay(fields=[f"X-Api-Key: {house.api_key()}"]).status == 201
    seen = gate.upstream.last
    assert field(seen, "Authorization") == [CREDENTIAL]
    assert gate.key.encode() not in seen.raw


def test_the_callers_key_ends_at_the_gate_on_h2(gate):
    with gate.http2() as client:
        stream = client.request([(":method", "GET"), (":scheme", "https"), (":authority", "localhost"),
                                 (":path", "/v1/payments/p1"), ("authorization", f"Bearer {gate.key}")])
        assert client.read(stream).status == 201
    assert field(gate.upstream.last, "Authorization") == [CREDENTIAL]
    assert gate.key.encode() not in gate.upstream.last.raw


TRUST = ["Forwarded: for=10.0.0.1", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: evil",
         "X-Forwarded-Anything: a", "X-Real-IP: 10.0.0.1", "Client-Cert: :AAAA:", "Client-Cert-Chain: :AAAA:",
         "X-SSL-Client-Verify: SUCCESS", "X-SSL-Cert: a", "X-Tollgate-Partner: 1", "Tollgate-Request-Id: " + "0" * 32,
         "Tollgate-Anything: a", "x_forwarded_for: 10.0.0.1", "X_Real_Ip: 10.0.0.1", "x_ssl_verify: SUCCESS"]


def trust_names():
    return [line.split(":")[0].lower() for line in TRUST if not line.startswith("Tollgate-Request-Id")]


def test_trust_fields_are_dropped(gate):
    assert gate.pay(fields=["X-Before: 1", *TRUST, "X-After: 2", "X-Forwarded-For: 10.0.0.2"]).status == 201
    seen = gate.upstream.last
    for name in trust_names():
        assert not field(seen, name), name
    assert field(seen, "X-Before") == ["1"] and field(seen, "X-After") == ["2"]
    assert field(seen, "Host") and field(seen, "Content-Type") == ["application/json"]
    (request_id,) = field(seen, "Tollgate-Request-Id")
    assert request_id != "0" * 32


def test_trust_fields_are_dropped_on_h2(gate):
    with gate.http2() as client:
        fields = [(name.lower(), value.strip()) for name, value in (line.split(":", 1) for line in TRUST)]
        stream = client.request([(":method", "GET"), (":scheme", "https"), (":authority", "localhost"),
                                 (":path", "/v1/payments/p1"), ("authorization", f"Bearer {gate.key}"), *fields])
        assert client.read(stream).status == 201
    for name in trust_names():
        assert not field(gate.upstream.last, name), name


def test_ids_and_traces(gate):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = gate.pay(fields=["X-Request-Id: my-id.1", f"traceparent: {trace}", "tracestate: a=1"])
    seen = gate.upstream.last
    assert answer.get("X-Request-Id") == "my-id.1"
    assert field(seen, "traceparent") == [trace] and field(seen, "tracestate") == ["a=1"]
    assert field(seen, "X-Request-Id") == ["my-id.1"]
    assert field(seen, "Tollgate-Request-Id") == [answer.get("Tollgate-Request-Id")]
    answer = gate.pay(fields=["X-Request-Id: <script>", "traceparent: 00-0-0-0", "tracestate: a=1"])
    assert answer.status == 201 and answer.get("X-Request-Id") is None
    assert not field(gate.upstream.last, "X-Request-Id")
    refused = gate.pay(b"{", fields=["X-Request-Id: my-id.2"])
    assert refused.status == 400 and refused.get("X-Request-Id") == "my-id.2"
    gate.upstream.then(reply(201, b"{}", [("X-Request-Id", "theirs")]))
    assert gate.pay(fields=["X-Request-Id: my-id.3"]).all("X-Request-Id") == ["theirs"]
    gate.pay(fields=["X-Request-Id: my-id.4", "X-Request-Id: my-id.5"])
    assert not field(gate.upstream.last, "X-Request-Id")
    assert not field(gate.upstream.last, "traceparent") and not field(gate.upstream.last, "tracestate")


def test_the_answer_is_passed_on(gate):
    gate.upstream.then(reply(422, b'{"no":"funds"}', [("X-Own", "1"), ("Tollgate-Request-Id", "forged")]))
    answer = gate.pay()
    assert answer.status == 422 and answer.body == b'{"no":"funds"}'
    assert answer.get("X-Own") == "1"
    assert answer.all("Tollgate-Request-Id") != ["forged"]


def test_the_access_line_says_what_happened_and_nothing_personal(gate):
    answer = gate.say(gate.head("GET", "/v1/payments/card-4242?email=a%40b.example", content_type=False,
                                idempotency=False) + b"\r\n")
    line = gate.last_line(answer.get("Tollgate-Request-Id"))
    assert line["operation"] == "payment.read" and line["template"] == "/v1/payments/{id}"
    assert line["verdict"] == "allow" and line["reason"] == "ok" and line["mode"] == "on"
    assert line["route"] == "test-route" and int(line["partner"]) > 0 and line["outcome"] == "final"
    assert int(line["upstream_ms"]) >= 0
    assert "4242" not in str(line) and "127.0.0.1" not in str(line) and "email" not in str(line)
    refused = gate.pay(b"{")
    line = gate.last_line(refused.get("Tollgate-Request-Id"))
    assert (line["verdict"], line["reason"], line["status"]) == ("refuse", "json_syntax", 400)


@pytest.fixture
def looked_into(gate):
    """Of a guarded worker only root may see the descriptors."""
    if os.geteuid() == 0:
        yield gate
        return
    own = Instance(http="tollgate_guard off;")
    try:
        yield own
    finally:
        own.close()


def test_many_calls_leave_no_descriptor(looked_into):
    gate = looked_into
    gate.pay()
    before = house.descriptors(gate.worker())
    for _ in range(30):
        gate.pay()
        gate.pay(b"{")
    end = time.monotonic() + 3
    while house.descriptors(gate.worker()) > before and time.monotonic() < end:
        time.sleep(0.05)
    assert house.descriptors(gate.worker()) <= before
