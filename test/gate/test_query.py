"""The query: nothing that was not judged reaches an operation that has a body or moves money."""
import pytest

READ = {"content_type": False, "idempotency": False}


@pytest.mark.parametrize("path", ["/v1/payments?amount=99999999", "/v1/payments?", "/v1/payments?_method=DELETE",
                                  "/v1/payments/p1/capture?amount=99999999", "/v1/payments/p1/void?x"])
def test_a_body_leaves_no_place_for_a_query(gate, path):
    answered = gate.pay(path=path)
    assert (answered.status, answered.reason) == (400, "query_unexpected"), answered
    assert not gate.upstream.seen


def test_an_empty_body_too(gate):
    answered = gate.say(gate.head(path="/v1/payments/p1/capture?amount=99999999") + b"Content-Length: 0\r\n\r\n")
    assert (answered.status, answered.reason) == (400, "query_unexpected"), answered
    assert not gate.upstream.seen


@pytest.mark.parametrize("query", ["a=\xff", "a#c", "a=%", "a=%4", "a=%zz", 'a="b"', "a=<b>", "a=\\", "a=^", "a=`", "a={b}",
                                   "a=|"])
def test_bytes_that_no_query_has(gate, query):
    answered = gate.say(gate.head("GET", "/v1/payments?" + query, **READ) + b"\r\n")
    assert (answered.status, answered.reason) == (400, "query_malformed"), answered
    assert not gate.upstream.seen


@pytest.mark.parametrize("query", ["", "limit=3&starting_after=p_1", "expand[]=data.customer&created[gte]=17", "a=%20c+d&&e",
                                   "x=%C3%A9", "t=12:30/2?&u=a@b;c=d,e!$'()*~"])
def test_a_list_keeps_its_query(gate, query):
    path = "/v1/payments?" + query
    assert gate.say(gate.head("GET", path, **READ) + b"\r\n").status == 201
    assert gate.upstream.last.target == path
