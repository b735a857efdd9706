"""Whose call it is: API keys rotate, are confined and end at the gate."""
import time
import uuid


def test_a_retry_after_rotation_is_answered_from_the_record(house):
    old = house.key_create("tour", ["payment.create", "payment.read"])
    idempotency, mark = uuid.uuid4().hex, uuid.uuid4().hex
    first = house.pay(key=old, idempotency=idempotency, body={"reference": mark})
    assert first.status == 201
    new = house.key_create("tour", ["payment.create"])
    again = house.pay(key=new, idempotency=idempotency, body={"reference": mark})
    assert again.fields["Idempotent-Replayed"] == "true"
    narrow = house.key_create("tour", ["payment.read"])
    refused = house.pay(key=narrow, idempotency=idempotency, body={"reference": mark})
    assert (refused.status, refused.reason) == (403, "operation_forbidden")
    assert len([p for p in house.payments() if p["reference"] == mark]) == 1


def test_another_partner_with_the_same_idempotency_key_is_another_claim(house):
    house.run("partner", "add", "other-shop")
    house.run("partner", "limit", "set", "other-shop", "--environment", "test", "--currency", "EUR",
              "--payment-max", 100000)
    key = house.key_create("other-shop", ["payment.create"])
    idempotency = uuid.uuid4().hex
    mine = house.pay(idempotency=idempotency)
    theirs = house.pay(idempotency=idempotency, key=key)
    assert mine.status == theirs.status == 201
    assert mine.json["id"] != theirs.json["id"]
    assert "Idempotent-Replayed" not in theirs.fields


def test_a_revoked_key_is_refused_at_once(house):
    key = house.key_create("tour", ["payment.create"])
    assert house.pay(key=key).status == 201
    row = max((r for r in __import__("json").loads(house.run("key", "list", "--json"))), key=lambda r: r["id"])
    house.run("key", "revoke", row["id"])
    begin = time.monotonic()
    refused = house.pay(key=key)
    assert (refused.status, refused.reason) == (401, "credential_unknown")
    assert time.monotonic() - begin < 1


def test_the_callers_key_never_arrives_at_the_processor(house):
    assert house.pay().status == 201
    seen = house.ledger()["credentials"]
    assert seen["accepted"] > 0
    assert seen["refused"] == 0
    assert seen["foreign"] == 0


def test_the_day_limit_holds_exactly_under_concurrency(house):
    house.run("partner", "add", "small-shop")
    house.run("partner", "limit", "set", "small-shop", "--environment", "test", "--currency", "EUR",
              "--payment-max", 1000, "--day-max", 5000)
    key = house.key_create("small-shop", ["payment.create"])
    answers = house.together([lambda: house.pay(1000, key=key) for _ in range(12)])
    assert sorted(a.status for a in answers) == [201] * 5 + [403] * 7
    assert {a.reason for a in answers if a.status == 403} == {"quota_exceeded"}
