"""One payment, and every way in which it may be tried again or refused."""
import uuid


def charges(house, reference):
    return [p for p in house.payments() if p["reference"] == reference]


def test_a_payment_is_charged_once_and_its_retry_is_answered_from_the_record(house):
    key, mark = uuid.uuid4().hex, uuid.uuid4().hex
    first = house.pay(idempotency=key, body={"reference": mark})
    again = house.pay(idempotency=key, body={"reference": mark})
    assert first.status == 201, first
    assert again.status == 201, again
    assert again.body == first.body
    assert again.fields["Idempotent-Replayed"] == "true"
    assert again.fields["Tollgate-Original-Request-Id"] == first.fields["Tollgate-Request-Id"]
    assert "Idempotent-Replayed" not in first.fields
    assert len(charges(house, mark)) == 1


def test_quoted_and_raw_keys_are_the_same_key(house):
    key, mark = uuid.uuid4().hex, uuid.uuid4().hex
    assert house.pay(idempotency=key, body={"reference": mark}).status == 201
    assert house.pay(idempotency=f'"{key}"', body={"reference": mark}).fields["Idempotent-Replayed"] == "true"
    assert len(charges(house, mark)) == 1


def test_the_same_key_with_another_amount_is_422(house):
    key, mark = uuid.uuid4().hex, uuid.uuid4().hex
    assert house.pay(1050, idempotency=key, body={"reference": mark}).status == 201
    other = house.pay(1051, idempotency=key, body={"reference": mark})
    assert (other.status, other.reason) == (422, "key_reused")
    assert len(charges(house, mark)) == 1


def test_a_concurrent_twin_is_409_and_one_of_them_pays(house):
    key, mark = uuid.uuid4().hex, uuid.uuid4().hex
    house.fault("slow", delay_ms=400)
    answers = house.together([lambda: house.pay(idempotency=key, body={"reference": mark}) for _ in range(20)])
    statuses = sorted(a.status for a in answers)
    assert statuses == [201] + [409] * 19, statuses
    twin = next(a for a in answers if a.status == 409)
    assert twin.reason == "key_in_flight"
    assert int(twin.fields["Retry-After"]) >= 1
    assert len(charges(house, mark)) == 1


def test_no_key_is_400(house):
    answer = house.call("POST", "/v1/payments", {"amount": 5, "currency": "EUR"}, key=house.keys())
    assert (answer.status, answer.reason) == (400, "key_missing")
    assert answer.fields["Content-Type"] == "application/problem+json"


def test_a_wrong_api_key_is_401_and_says_nothing_else(house):
    good = house.keys()
    wrong = good[:-8] + ("a" * 8 if good[-8:] != "a" * 8 else "b" * 8)
    malformed, missing = house.pay(key=wrong), house.call("POST", "/v1/payments", {"amount": 5}, idempotency="k")
    assert malformed.status == missing.status == 401
    assert "WWW-Authenticate" in malformed.fields
    assert wrong not in malformed.body.decode()


def test_an_amount_over_the_limit_is_403(house):
    answer = house.pay(900_000_000)
    assert (answer.status, answer.reason) == (403, "amount_over_limit")


def test_malformed_amounts_are_400_with_a_pointer(house):
    before = len(house.payments())
    for raw in ("1e2", "-0", "1.005", "-5", "99999999999999999999", "\"1050\"", "true", "null", "[]", "01", "1.0"):
        body = f'{{"amount": {raw}, "currency": "EUR", "payee": {{"account": "shop-1"}}}}'.encode()
        answer = house.call("POST", "/v1/payments", body, key=house.keys(), idempotency=uuid.uuid4().hex)
        assert answer.status == 400, (raw, answer)
        if raw != "01":
            assert answer.json["pointer"] == "/amount", (raw, answer)
    assert len(house.payments()) == before


def test_duplicate_members_are_refused(house):
    body = b'{"amount": 1, "currency": "EUR", "amount": 100000, "payee": {"account": "shop-1"}}'
    answer = house.call("POST", "/v1/payments", body, key=house.keys(), idempotency=uuid.uuid4().hex)
    assert (answer.status, answer.reason) == (400, "json_duplicate_member")


def test_a_card_number_in_clear_is_refused_and_kept_nowhere(house):
    answer = house.pay(body={"note": "card 4242 4242 4242 4242"})
    assert (answer.status, answer.reason) == (400, "card_number_in_clear")


def test_exponents_of_currencies_are_kept(house):
    assert house.pay(500, currency="JPY").status == 201
    assert house.pay(5000, currency="BHD").status == 201
    assert house.pay(5, currency="XXX").reason == "currency_unknown"


def test_capture_refund_and_void_are_calls_of_their_own(house):
    mark = uuid.uuid4().hex
    made = house.pay(1000, body={"capture": False, "reference": mark}).json
    path = f"/v1/payments/{made['id']}"
    post = lambda verb, body: house.call("POST", f"{path}/{verb}", body, key=house.keys(), idempotency=uuid.uuid4().hex)
    assert post("capture", {"amount": 400}).status in (200, 201)
    assert post("refund", {"amount": 150}).status in (200, 201)
    seen = house.call("GET", path, key=house.keys()).json
    assert (seen["captured"], seen["refunded"]) == (400, 150)
    assert house.ledger()["sum_is_zero"] is True


def test_a_missing_member_is_named(house):
    body = {"amount": 5, "payee": {"account": "x"}}
    answer = house.call("POST", "/v1/payments", body, key=house.keys(), idempotency=uuid.uuid4().hex)
    assert answer.status == 400
    assert answer.json["pointer"] == "/currency"


def test_an_unknown_operation_is_404_and_a_wrong_method_405(house):
    assert house.call("POST", "/v1/elsewhere", {}, key=house.keys()).status == 404
    assert house.call("DELETE", "/v1/payments", key=house.keys()).status == 405
