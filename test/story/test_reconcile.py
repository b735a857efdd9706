"""An unknown outcome ended by hand: who, what and why stand in the record, and it happens once."""
import json
import uuid


def unknown(house, kind, amount=1050):
    key, mark = uuid.uuid4().hex, uuid.uuid4().hex
    house.fault(kind)
    answer = house.pay(amount, idempotency=key, body={"reference": mark})
    assert answer.reason == "outcome_unknown", answer
    return key, mark, answer.fields["Tollgate-Request-Id"]


def test_not_executed_frees_the_key(house):
    key, mark, request = unknown(house, "reset_before")
    assert request in json.dumps(json.loads(house.run("reconcile", "--list", "--json")))
    house.run("reconcile", "--resolve", request, "--not-executed", "--note", "the bank never saw it")
    paid = house.pay(idempotency=key, body={"reference": mark})
    assert paid.status == 201 and "Idempotent-Replayed" not in paid.fields
    assert len([p for p in house.payments() if p["reference"] == mark]) == 1


def test_executed_by_hand_answers_retries_without_paying(house):
    key, mark, request = unknown(house, "reset_after_commit")
    house.run("reconcile", "--resolve", request, "--executed", "--note", "seen on the statement")
    again = house.pay(idempotency=key, body={"reference": mark})
    assert (again.status, again.reason) == (409, "key_answer_absent")
    assert len([p for p in house.payments() if p["reference"] == mark]) == 1


def test_each_resolution_is_one_event_with_who_and_why(house):
    _, _, request = unknown(house, "reset_after_commit")
    house.run("reconcile", "--resolve", request, "--executed", "--note", "seen on the statement")
    assert house.run("reconcile", "--resolve", request, "--not-executed", "--note", "no", check=False).returncode != 0
    told = [e for e in house.events() if e["kind"] == "resolve" and e["request_id"] == request]
    assert len(told) == 1
    assert told[0]["actor"].startswith("uid=") and "login=" in told[0]["actor"]
    assert told[0]["note"] == "seen on the statement"


def test_a_note_and_a_side_are_needed(house):
    for words in (["--executed"], ["--note", "x"], ["--executed", "--not-executed", "--note", "x"]):
        assert house.run("reconcile", "--resolve", "0" * 32, *words, check=False).returncode == 2, words


def test_unknown_counts_against_the_day_until_it_is_resolved(house):
    house.run("partner", "add", "day-shop")
    house.run("partner", "limit", "set", "day-shop", "--environment", "test", "--currency", "EUR", "--payment-max", 1000,
              "--day-max", 1000)
    key = house.key_create("day-shop", ["*"])
    house.fault("reset_before")
    first = house.pay(1000, key=key)
    assert first.reason == "outcome_unknown"
    assert house.pay(1000, key=key).reason == "quota_exceeded"
    house.run("reconcile", "--resolve", first.fields["Tollgate-Request-Id"], "--not-executed", "--note", "never arrived")
    assert house.pay(1000, key=key).status == 201
