"""A field's second spelling: CGI-like upstreams fold '_' and '-', so what is acted on may come only one way."""
import pytest
from lib.instance import CREDENTIAL, PROFILE, Instance
from lib.upstream import field


@pytest.fixture(scope="module")
def _aliased():
    # The caller's key stands in a field with a '-', and so does the route's credential.
    profile = PROFILE.read_text().replace('"credential_field": "authorization"', '"credential_field": "x-api-key"')
    instance = Instance(start=False)
    path = instance.folder / "profile.json"
    path.write_text(profile)
    instance.write_conf({"tollgate_profile": path, "tollgate_upstream_credential": "X-Route-Key"})
    try:
        instance.start()
        yield instance
    finally:
        instance.close()


@pytest.mark.parametrize("line", ["Content_Type: text/plain", "Idempotency_Key: x", "idempotency_Key: x",
                                  "Content_Encoding: gzip", "CONTENT_TYPE: application/json"])
def test_an_alias_beside_the_right_one_is_refused(gate, line):
    answered = gate.pay(fields=[line])
    assert answered.status in (400, 415), answered
    assert not gate.upstream.seen


@pytest.mark.parametrize("options", [{"idempotency": None, "fields": ["Idempotency_Key: x"]},
                                     {"content_type": None, "fields": ["Content_Type: application/json"]}])
def test_an_alias_alone_is_refused(gate, options):
    answered = gate.pay(**options)
    assert answered.status in (400, 415), answered
    assert not gate.upstream.seen


def test_an_alias_of_a_bound_field_is_refused():
    instance = Instance(settings={"tollgate_profile": PROFILE.with_name("stripe.json")})
    try:
        answered = instance.pay(b"amount=1050&currency=eur", path="/v1/payment_intents", fields=["Stripe_Account: other"],
                                content_type="application/x-www-form-urlencoded")
        assert answered.status == 400 and answered.json["error"]["code"] == "field_malformed", answered
        assert not instance.upstream.seen
    finally:
        instance.close()


def test_no_spelling_of_a_credential_field_goes_on(_aliased):
    gate = _aliased
    gate.upstream.clear()
    answered = gate.pay(key=None, fields=[f"X-Api-Key: {gate.key}", "X_Api_Key: other", "X_Route_Key: mine",
                                          "X-Route-Key: mine", "Accept_Encoding: gzip"])
    if answered.status == 201:
        seen = gate.upstream.last
        assert field(seen, "X-Route-Key") == [CREDENTIAL]
        for name in ("X-Api-Key", "X_Api_Key", "X_Route_Key", "Accept_Encoding"):
            assert not field(seen, name), name
        assert gate.key.encode() not in seen.raw
    else:
        assert answered.status in (400, 401) and not gate.upstream.seen, answered


def test_ids_and_traces_have_one_spelling(gate):
    lines = ["X_Request_Id: <script>", "Tollgate_Request_Id: forged"]
    assert gate.pay(fields=lines).status == 201
    for name in ("X_Request_Id", "Tollgate_Request_Id"):
        assert not field(gate.upstream.last, name), name


OVERRIDES = ["X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X_Http_Method_Override: DELETE",
             "X-Method-Override: DELETE", "X-Original-URL: /admin", "X-Rewrite-URL: /admin"]


def test_overrides_are_dropped_for_a_trusted_peer_too(tmp_path):
    instance = Instance(http="set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For;")
    try:
        assert instance.pay(fields=[*OVERRIDES, "X-Forwarded-Proto: https"]).status == 201
        seen = instance.upstream.last
        for line in OVERRIDES:
            assert not field(seen, line.split(":")[0]), line
        assert field(seen, "X-Forwarded-Proto") == ["https"], "a trusted peer's word is lost"
    finally:
        instance.close()
