"""The stripe dialect and client certificates: refusals in the shape that the official client reads, keys bound to TLS."""
import uuid

import pytest
from lib import house
from lib.instance import PROFILE, Instance
from lib.raw import Http1, Http2
from lib.upstream import answer, cut, field

FORM = "application/x-www-form-urlencoded"
PATH = "/v1/payment_intents"
BODY = b"amount=1050&currency=eur&payment_method=pm_card_visa&metadata[order]=7"


@pytest.fixture(scope="module")
def _stripe():
    instance = Instance(settings={"tollgate_profile": PROFILE.with_name("stripe.json")},
                        server="ssl_client_certificate @TLS@/ca.pem; ssl_verify_client optional;")
    try:
        yield instance
    finally:
        instance.close()


@pytest.fixture
def stripe(_stripe):
    _stripe.upstream.clear()
    return _stripe


def refusal(answered, status, kind, retry):
    assert answered.status == status, answered
    assert answered.get("Content-Type") == "application/json"
    error = answered.json["error"]
    assert error["type"] == kind and error["message"] and error["code"], answered
    assert error["request_id"] == answered.get("Request-Id") == answered.get("Tollgate-Request-Id")
    assert answered.get("Stripe-Should-Retry") == retry
    return error


def test_a_call_passes_byte_for_byte(stripe):
    answered = stripe.pay(BODY, path=PATH, content_type=FORM, fields=["Stripe-Version: 2024-06-20"])
    assert answered.status == 201 and answered.get("Request-Id"), answered
    assert stripe.upstream.last.body == BODY
    assert field(stripe.upstream.last, "Stripe-Version") == ["2024-06-20"]


@pytest.mark.parametrize("body,code,param", [
    (b"amount=1e2&currency=eur", "amount_malformed", "amount"),
    (b"amount=1&amount=2&currency=eur", "form_duplicate_member", None),
    (b"currency=eur", "member_missing", "amount"),
    (b"amount=1&currency=xxx", "currency_unknown", "currency"),
    (b"amount=%GG&currency=eur", "form_syntax", None),
    (b"amount=1&currency=eur&card[number]=4242424242424242", "card_number_in_clear", None),
])
def test_bodies(stripe, body, code, param):
    error = refusal(stripe.pay(body, path=PATH, content_type=FORM), 400, "invalid_request_error", "false")
    assert error["code"] == code
    assert param is None or error["param"] == param
    assert not stripe.upstream.seen


def test_keys(stripe):
    answered = stripe.pay(BODY, path=PATH, content_type=FORM, key=house.api_key())
    assert refusal(answered, 401, "invalid_request_error", "false")["code"] == "credential_unknown"
    key = uuid.uuid4().hex
    assert stripe.pay(BODY, path=PATH, content_type=FORM, idempotency=key).status == 201
    other = stripe.pay(BODY + b"&x=1", path=PATH, content_type=FORM, idempotency=key)
    assert refusal(other, other.status, "idempotency_error", "false")["code"] == "key_reused"
    bound = stripe.pay(BODY, path=PATH, content_type=FORM, idempotency=key, fields=["Stripe-Account: acct_1"])
    assert bound.json["error"]["code"] == "key_reused", "a bound field is not part of the fingerprint"


def test_outcomes(stripe):
    key = uuid.uuid4().hex
    stripe.upstream.then(cut())
    first = stripe.pay(BODY, path=PATH, content_type=FORM, idempotency=key)
    assert refusal(first, 502, "api_error", "false")["code"] == "outcome_unknown"
    again = stripe.pay(BODY, path=PATH, content_type=FORM, idempotency=key)
    assert again.json["error"]["code"] == "key_outcome_unknown"
    stripe.upstream.then(answer(500, b'{"error":{"type":"api_error"}}'))
    key = uuid.uuid4().hex
    answers = [stripe.pay(BODY, path=PATH, content_type=FORM, idempotency=key) for _ in range(2)]
    assert [one.status for one in answers] == [500, 500]
    assert answers[1].get("Idempotent-Replayed") == "true"


def test_a_partner_with_a_certificate_must_show_it(stripe):
    good, other = house.client_certificate("client"), house.client_certificate("other")
    stripe.admin("partner.add", name="bank")
    stripe.admin("limit.set", partner="bank", environment="test", currency="EUR", payment_max=1_000_000, day_max=0)
    key = stripe.key_create(partner="bank")
    stripe.admin("certificate.add", partner="bank", sha256=good, not_after_s=4_000_000_000)
    assert good != other
    for name, status in ((None, 401), ("other", 401), ("client", 201), (None, 401)):
        with Http1(stripe.port, house.tls_context(name)) as client:
            answered = client.send(stripe.bytes_of(BODY, path=PATH, content_type=FORM, key=key)).read()
        assert answered.status == status, (name, answered)
        if status == 401:
            assert answered.json["error"]["code"] == "certificate_mismatch"
    # Each call of a connection is held against what that connection has shown, not against the call before it.
    with Http1(stripe.port, house.tls_context("client")) as shows, Http1(stripe.port, house.tls_context()) as silent, \
            Http1(stripe.port, house.tls_context("other")) as wrong, \
            Http2(stripe.port, house.tls_context("client")) as http2:
        for _ in range(3):
            for client, status in ((shows, 201), (wrong, 401), (silent, 401), (shows, 201)):
                call = stripe.bytes_of(BODY, path=PATH, content_type=FORM, key=key)
                assert client.send(call).read().status == status
            fields = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", PATH),
                      ("authorization", f"Bearer {key}"), ("idempotency-key", uuid.uuid4().hex), ("content-type", FORM)]
            assert http2.read(http2.request(fields, BODY)).status == 201
    # A partner without one is not asked for it, and may show one.
    with Http1(stripe.port, house.tls_context("client")) as client:
        assert client.send(stripe.bytes_of(BODY, path=PATH, content_type=FORM)).read().status == 201


def test_a_certificate_of_nobody_is_refused_before_anything_is_read(stripe):
    house.client_certificate("stranger", trusted=False)
    with Http1(stripe.port, house.tls_context("stranger")) as client:
        answered = client.send(stripe.bytes_of(BODY, path=PATH, content_type=FORM)).read()
        assert answered.status == 400, answered
        assert answered.json["type"] == "urn:tollgate:reason:request_refused"
    assert not stripe.upstream.seen
