"""Messages that an upstream might read otherwise than the gate did: refused, and nothing is charged."""
import uuid

import pytest


def raw(house, body, path="/v1/payments", **fields):
    return house.call("POST", path, body, key=house.keys(), idempotency=uuid.uuid4().hex, fields=fields)


@pytest.mark.parametrize("more", ['"Amount":900000', '"aMOUNT":1', '"amount\\u0000":900000', '"Currency":"USD"',
                                  '"Payee":{"account":"thief"}', '"payee":{"account":"a","ACCOUNT":"thief"}'])
def test_a_judged_member_has_no_second_spelling(house, more):
    before = len(house.payments())
    answer = raw(house, ('{"amount":1,"currency":"EUR",' + more + "}").encode())
    assert (answer.status, answer.reason) == (400, "json_duplicate_member")
    assert len(house.payments()) == before


def test_a_capture_names_its_amount_as_the_profile_does(house):
    made = house.pay(1000, body={"capture": False}).json["id"]
    answer = raw(house, b'{"AMOUNT":900}', f"/v1/payments/{made}/capture")
    assert (answer.status, answer.reason) == (400, "json_duplicate_member")
    assert house.call("GET", f"/v1/payments/{made}", key=house.keys()).json["captured"] == 0


@pytest.mark.parametrize("segment", ["%73earch", "p%2D1", "%7e", "%c0%af", "%c0%ae%c0%ae", "%ff"])
def test_a_path_has_one_spelling(house, segment):
    answer = house.call("GET", f"/v1/payments/{segment}", key=house.keys())
    assert (answer.status, answer.reason) == (404, "operation_unknown")
