"""What is refused before anybody is asked who calls: framing, field names and values, smuggling in its known shapes.

Every refusal is a problem document, closes the connection, repeats nothing
that was sent, and never reaches the upstream.
"""
import json

import pytest

MARK = "x9-mark-of-this-test"
BODY = b'{"amount":1050,"currency":"EUR","payee":{"account":"shop-1"}}'
CL = f"Content-Length: {len(BODY)}"
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

FRAMING = {"request_framing", "request_refused"}


def check_refusal(gate, data, status, reasons, closes=True):
    with gate.http1() as client:
        answer = client.send(data).read()
        assert answer.status == status, answer
        assert answer.reason in reasons, answer
        assert answer.get("Content-Type") == "application/problem+json"
        assert answer.json["status"] == status
        assert MARK.encode() not in answer.raw + answer.body
        assert gate.key.encode() not in answer.raw + answer.body
        if closes:
            assert client.ended(), "the connection stays open"
    assert not gate.upstream.seen
    return answer


def request(gate, *lines, body=BODY, **head):
    return gate.head(fields=[*lines, f"X-Mark: {MARK}"], **head) + b"\r\n" + body


BAD_FRAMING = {
    "length and chunked": (CL, "Transfer-Encoding: chunked"),
    "chunked and length": ("Transfer-Encoding: chunked", CL),
    "two lengths, equal": (CL, CL),
    "two lengths, other": (CL, "Content-Length: 5"),
    "a list of lengths": (f"Content-Length: {len(BODY)}, {len(BODY)}",),
    "a signed length": (f"Content-Length: +{len(BODY)}",),
    "a negative length": ("Content-Length: -1",),
    "a hexadecimal length": ("Content-Length: 0x10",),
    "an empty length": ("Content-Length:",),
    "an overflowing length": ("Content-Length: 99999999999999999999999",),
    "a length with letters": ("Content-Length: 10abc",),
    "two codings": ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "a length by alias": ("Content_Length: 5", CL),
    "a coding by alias": ("Transfer_Encoding: chunked", CL),
    "space before the colon": (CL, "Transfer-Encoding : chunked"),
    "tab before the colon": (CL, "Transfer-Encoding\t: chunked"),
    "a folded line": (CL, "X-Folded: a", " b"),
    "a folded line by tab": (CL, "X-Folded: a", "\tb"),
    "a folded coding": (CL, "Transfer-Encoding:", " chunked"),
    "two hosts, equal": (CL, "Host: localhost"),
    "two hosts, other": (CL, "Host: elsewhere"),
    "a hidden coding after LF": (CL, "X-A: b\nTransfer-Encoding: chunked"),
}


@pytest.mark.parametrize("name", BAD_FRAMING)
def test_framing(gate, name):
    check_refusal(gate, request(gate, *BAD_FRAMING[name]), 400, FRAMING)


def test_chunked_in_http_1_0(gate):
    data = request(gate, "Transfer-Encoding: chunked", body=CHUNKED, version="1.0")
    check_refusal(gate, data, 400, FRAMING)


def test_no_host(gate):
    data = request(gate, CL).replace(b"Host: localhost\r\n", b"")
    check_refusal(gate, data, 400, FRAMING)


def test_http_0_9(gate):
    with gate.http1() as client:
        client.send(b"GET /v1/payments\r\n")
        assert client.ended() or client.rest
    assert not gate.upstream.seen


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "chunked, gzip", "identity", "chunked, identity", "xchunked",
                                    "chunked;q=1", "\"chunked\"", "chunked,"])
def test_other_codings(gate, coding):
    data = request(gate, f"Transfer-Encoding: {coding}", body=CHUNKED)
    check_refusal(gate, data, 501, {"transfer_coding"})


def test_an_empty_coding(gate):
    with gate.http1() as client:
        answer = client.send(request(gate, "Transfer-Encoding:", body=CHUNKED)).read()
        assert answer.status in (400, 501), answer
        assert client.ended()
    assert not gate.upstream.seen


BAD_FIELDS = {
    "a space in a name": "X Y: a",
    "an empty name": ": a",
    "a name without a colon": "Xyz",
    "a bracket in a name": "X[]: a",
    "a quote in a name": 'X"Y: a',
    "a slash in a name": "X/Y: a",
    "a byte above ASCII in a name": "X\xe9: a",
    "a control byte in a name": "X\x01: a",
    "NUL in a value": "X-A: a\x00b",
    "BEL in a value": "X-A: a\x07b",
    "DEL in a value": "X-A: a\x7fb",
    "CR in a value": "X-A: a\rb",
    "escape in a value": "X-A: a\x1bb",
    "vertical tab at the end": "X-A: a\x0b",
}


@pytest.mark.parametrize("name", BAD_FIELDS)
def test_names_and_values(gate, name):
    check_refusal(gate, request(gate, CL, BAD_FIELDS[name]), 400, {"field_malformed", "request_refused"})


@pytest.mark.parametrize("line", ["X-A: caf\xe9", "X-A: a\tb", "X-A:a", "X-A:", "x_y: a", "X!#$%&'*+-.^`|~: a",
                                  "X-A: \ta\t "])
def test_what_rfc_9110_allows_passes(gate, line):
    answer = gate.say(request(gate, CL, line))
    assert answer.status == 201, answer
    assert len(gate.upstream.seen) == 1


def test_upgrade(gate):
    data = request(gate, CL, "Connection: Upgrade", "Upgrade: websocket")
    check_refusal(gate, data, 400, {"upgrade"}, closes=False)
    data = request(gate, CL, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAA")
    check_refusal(gate, data, 400, {"upgrade"}, closes=False)


def test_another_expectation(gate):
    check_refusal(gate, request(gate, CL, "Expect: 200-maybe"), 417, {"expectation"}, closes=False)


def test_one_field_that_is_too_large(gate):
    check_refusal(gate, request(gate, CL, "X-Large: " + "a" * 6000), 431, {"headers_too_large"})


def test_many_fields_that_are_too_large_together(gate):
    check_refusal(gate, request(gate, CL, *[f"X-{n}: {'a' * 900}" for n in range(12)]), 431, {"headers_too_large"})


def test_a_request_line_that_is_too_large(gate):
    data = request(gate, CL, path="/v1/payments?" + "a" * 6000)
    answer = check_refusal(gate, data, 400, {"request_refused"})
    assert b"aaaa" not in answer.body


@pytest.mark.parametrize("line", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
                                  b"G{T / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
                                  b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
                                  b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_request_lines(gate, line):
    with gate.http1() as client:
        answer = client.send(line).read()
        assert answer.status in (400, 404, 401, 405), answer
        assert answer.get("Content-Type") == "application/problem+json"
        assert json.loads(answer.body)["type"].startswith("urn:tollgate:reason:")
    assert not gate.upstream.seen


# Chunked bodies: what is broken is refused, what is odd goes on as a plain body with a length, once.
BAD_CHUNKS = {
    "no size": b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nabcde\r\n0\r\n\r\n",
    "a size that overflows": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "0x": b"0x5\r\nabcde\r\n0\r\n\r\n",
    "a size beyond the data": b"5\r\nabcdefgh\r\n0\r\n\r\n",
    "letters": b"zz\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_broken_chunks(gate, name):
    check_refusal(gate, request(gate, "Transfer-Encoding: chunked", body=BAD_CHUNKS[name]), 400, FRAMING)


@pytest.mark.parametrize("name,body", [
    ("an extension", b"%x;ext=1\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    ("trailers", b"%x\r\n%s\r\n0\r\nX-Trailer: a\r\n\r\n" % (len(BODY), BODY)),
    ("leading zeroes", b"0000%x\r\n%s\r\n000\r\n\r\n" % (len(BODY), BODY)),
    ("many chunks", b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"),
])
def test_odd_chunks_go_on_as_one_plain_body(gate, name, body):
    answer = gate.say(request(gate, "Transfer-Encoding: chunked", body=body))
    assert answer.status == 201, answer
    (seen,) = gate.upstream.seen
    assert seen.body == BODY
    names = [key.lower() for key, _ in seen.fields]
    assert names.count("content-length") == 1 and "transfer-encoding" not in names and "x-trailer" not in names


def test_what_follows_a_request_is_the_next_request_and_not_smuggled(gate):
    """A second call behind the first body is answered for itself: here it has no key."""
    hidden = b"GET /v1/payments/secret HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with gate.http1() as client:
        client.send(request(gate, CL) + hidden)
        assert client.read().status == 201
        assert client.read().status == 401
    assert len(gate.upstream.seen) == 1


def test_a_body_without_a_length_is_the_next_request(gate):
    with gate.http1() as client:
        client.send(gate.head(method="GET", path="/v1/payments/p1", content_type=False, idempotency=False) + b"\r\n"
                    + b"POST /v1/payments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        assert client.read().status == 201
        assert client.read().status == 401
    assert len(gate.upstream.seen) == 1


# --- h2 ---

def h2_fields(gate, *more, path="/v1/payments"):
    import uuid
    return [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", path),
            ("authorization", f"Bearer {gate.key}"), ("idempotency-key", uuid.uuid4().hex),
            ("content-type", "application/json"), *more]


@pytest.mark.parametrize("field", [("transfer-encoding", "chunked"), ("connection", "keep-alive"), ("keep-alive", "5"),
                                   ("proxy-connection", "close"), ("upgrade", "websocket")])
def test_h2_connection_fields(gate, field):
    with gate.http2() as client:
        answer = client.read(client.request(h2_fields(gate, field), BODY))
        assert answer.status in (400, 501), answer
        assert b"urn:tollgate:reason:" in answer.body
    assert not gate.upstream.seen


@pytest.mark.parametrize("field", [("X-Upper", "a"), ("x a", "b"), ("x-a", "a\nb"), ("x-a", "a\rb"), ("x-a", "a\x00b"),
                                   ("x-a", "a\x01b"), ("x-a\n", "b"), (":method", "GET"), (":unknown", "a"),
                                   ("host", "elsewhere")])
def test_h2_fields(gate, field):
    with gate.http2() as client:
        answer = client.read(client.request(h2_fields(gate, field), BODY))
        assert answer.status in (0, 400), answer
    assert not gate.upstream.seen


@pytest.mark.parametrize("length", [len(BODY) - 1, len(BODY) + 1, 0])
def test_h2_length_that_is_not_the_bodys(gate, length):
    with gate.http2() as client:
        answer = client.read(client.request(h2_fields(gate, ("content-length", str(length))), BODY))
        assert answer.status in (0, 400), answer
    assert not gate.upstream.seen


def test_h2_call_passes(gate):
    with gate.http2() as client:
        answer = client.read(client.request(h2_fields(gate), BODY))
        assert answer.status == 201
        assert answer.body == b'{"id":"pay_1","status":"authorized"}'
    assert gate.upstream.last.body == BODY
