"""An upstream that dies after charging: nothing is sent again, and the truth is found by asking."""
import uuid


def test_reset_after_commit_is_unknown_until_reconciled(house):
    key, mark = uuid.uuid4().hex, uuid.uuid4().hex
    house.fault("reset_after_commit")
    first = house.pay(idempotency=key, body={"reference": mark})
    assert (first.status, first.reason) == (502, "outcome_unknown")
    again = house.pay(idempotency=key, body={"reference": mark})
    assert (again.status, again.reason) == (409, "key_outcome_unknown")
    assert len([p for p in house.payments() if p["reference"] == mark]) == 1
    request = first.fields["Tollgate-Request-Id"]
    assert request in house.run("reconcile", "--list")
    house.run("reconcile", "--probe", "--url", f"https://localhost:{house.port}", "--key-file",
              house.dir / "client/tour.key", "--ca", house.dir / "client/ca.pem")
    assert request not in house.run("reconcile", "--list")
    told = house.pay(idempotency=key, body={"reference": mark})
    assert told.fields["Idempotent-Replayed"] == "true"
    assert len([p for p in house.payments() if p["reference"] == mark]) == 1
    assert any(e["kind"] == "resolve" and e["request_id"] == request for e in house.events())


def test_reset_before_anything_is_unknown_and_probed_as_not_executed(house):
    key, mark = uuid.uuid4().hex, uuid.uuid4().hex
    house.fault("reset_before")
    assert house.pay(idempotency=key, body={"reference": mark}).reason == "outcome_unknown"
    house.run("reconcile", "--probe", "--url", f"https://localhost:{house.port}", "--key-file",
              house.dir / "client/tour.key", "--ca", house.dir / "client/ca.pem")
    assert house.pay(idempotency=key, body={"reference": mark}).status == 201
    assert len([p for p in house.payments() if p["reference"] == mark]) == 1


def test_each_broken_answer_is_outcome_unknown(house):
    for kind in ("garbage_status", "cut_body", "close_delimited", "huge", "early_hints"):
        key, mark = uuid.uuid4().hex, uuid.uuid4().hex
        house.fault(kind)
        first = house.pay(idempotency=key, body={"reference": mark})
        assert (first.status, first.reason) == (502, "outcome_unknown"), (kind, first)
        assert house.pay(idempotency=key, body={"reference": mark}).status == 409, kind
        assert len([p for p in house.payments() if p["reference"] == mark]) <= 1, kind


def test_a_5xx_is_passed_on_and_never_sent_again(house):
    key = uuid.uuid4().hex
    house.fault("status_500")
    assert house.pay(idempotency=key).status == 500
    assert house.pay(idempotency=key).reason == "key_outcome_unknown"


def test_a_429_releases_the_key(house):
    key = uuid.uuid4().hex
    house.fault("status_429")
    assert house.pay(idempotency=key).status == 429
    assert house.pay(idempotency=key).status == 201


def test_a_declined_payment_is_final(house):
    key, mark = uuid.uuid4().hex, uuid.uuid4().hex
    first = house.pay(1051, idempotency=key, body={"reference": mark})
    assert first.status == 402
    again = house.pay(1051, idempotency=key, body={"reference": mark})
    assert (again.status, again.fields["Idempotent-Replayed"]) == (402, "true")
