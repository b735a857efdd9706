"""required, optional, none: what each operation asks of a key. None is ever invented."""
import uuid


def note(house, text, idempotency=None):
    return house.call("POST", "/v1/notes", {"text": text}, key=house.keys(), idempotency=idempotency)


def test_without_a_key_each_call_is_forwarded_once_and_never_replayed(house):
    first, second = note(house, "a"), note(house, "a")
    assert first.status == second.status == 201
    assert first.json != second.json, "one of them was replayed"
    assert "Idempotent-Replayed" not in first.fields and "Idempotent-Replayed" not in second.fields


def test_with_a_key_an_optional_operation_is_replayed(house):
    key = uuid.uuid4().hex
    first, second = note(house, "b", key), note(house, "b", key)
    assert first.body == second.body
    assert second.fields["Idempotent-Replayed"] == "true"
    assert note(house, "c", key).reason == "key_reused"


def test_a_keyless_call_that_is_cut_is_not_sent_again(house):
    house.fault("reset_after_commit", operation="note.create")
    answer = note(house, "d")
    assert (answer.status, answer.reason) == (502, "outcome_unknown")
    assert answer.fields["Tollgate-Request-Id"] in house.run("reconcile", "--list")
    house.run("reconcile", "--resolve", answer.fields["Tollgate-Request-Id"], "--executed", "--note", "seen in its book")


def test_an_operation_without_keys_does_not_look_at_one(house):
    key = uuid.uuid4().hex
    for _ in range(2):
        answer = house.call("GET", "/v1/payments", key=house.keys(), idempotency=key)
        assert answer.status == 200 and "Idempotent-Replayed" not in answer.fields
    assert house.pay(idempotency=key).status == 201
