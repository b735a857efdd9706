"""Who calls and what they may do: keys, throttles, revocation, certificates, operations, limits, quotas."""
import secrets
import time

from lib import house
from lib.frames import (ADMIT, ALLOW, AUTH, FLUSH, MONEY, NONE, NOTE, REFUSE, admit_body, auth_body, digest, frame,
                        note_body, wait_until)

OK, UNKNOWN_KEY, CERTIFICATE, THROTTLED = 0, 102, 103, 104
FORBIDDEN, OVER_LIMIT, QUOTA, CURRENCY, ROUTE_ABSENT = 121, 122, 123, 124, 207


def address():
    return "10." + ".".join(str(secrets.randbelow(250) + 1) for _ in range(3))


def test_a_good_key(keeper):
    with keeper.link() as gate:
        answer = gate.auth(keeper.shop_key)
        assert (answer.reason, answer.partner, answer.credential, answer.environment) == (OK, *keeper.who, 1)


def test_wrong_keys_are_throttled_and_good_ones_never(keeper):
    with keeper.link() as gate:
        here, elsewhere = address(), address()
        for _ in range(10):
            assert gate.auth(house.api_key(), address=here).reason == UNKNOWN_KEY
        refused = gate.auth(house.api_key(), address=here)
        assert refused.reason == THROTTLED and 1 <= refused.retry_after <= 60
        assert gate.auth(house.api_key(), address=elsewhere).reason == UNKNOWN_KEY
        assert gate.auth(keeper.shop_key, address=here).reason == OK
        assert gate.auth(keeper.shop_key, address=elsewhere).reason == OK


def test_a_prefix_is_throttled_from_everywhere_but_not_its_key(keeper):
    with keeper.link() as gate:
        prefix = keeper.shop_key[:17]
        reasons = [gate.auth(house.api_key(), address=address(), prefix=prefix).reason for _ in range(20)]
        assert reasons == [UNKNOWN_KEY] * 10 + [THROTTLED] * 10
        assert gate.auth(keeper.shop_key, address=address()).reason == OK


def test_a_flood_of_failures_leaves_a_bounded_record(keeper):
    begin = keeper.do("log.tail", limit=1)["next"]
    with keeper.link() as gate:
        turns = [gate.ask(AUTH, _auth(address())) for _ in range(500)]
        reasons = [gate.answer(turn).reason for turn in turns]
        assert reasons.count(UNKNOWN_KEY) == 500
        assert gate.auth(keeper.shop_key).reason == OK
    wait_until(lambda: any("refusals.suppressed" in str(event) for event in keeper.events(begin)))
    rows = [event for event in keeper.events(begin) if "credential_unknown" in str(event) or "102" in str(event)]
    assert len(rows) <= 200


def _auth(where):
    return auth_body(house.api_key(), address=where)


def test_revocation_is_told_before_it_is_answered(keeper):
    key, number = keeper.key("shop")
    with keeper.link() as gate:
        assert gate.auth(key).reason == OK
        rows = keeper.do("key.revoke", id=number)["rows"]
        assert rows[0]["revoked"] is True
        # The FLUSH was sent before the operator was answered: it stands before anything that is asked now.
        turn = gate.ask(AUTH, _auth_of(key))
        assert gate.read()[0] == FLUSH
        assert gate.answer(turn).reason == UNKNOWN_KEY
        refused = gate.admit(keeper.shop, number, key="k")
        assert (refused.verdict, refused.reason) == (REFUSE, UNKNOWN_KEY)
    assert keeper.operator.fails("key.revoke", id=4000000) == "absent"


def _auth_of(key):
    return auth_body(key)


def test_an_expired_key(keeper):
    key, number = keeper.key("shop", expires_s=int(time.time()) + 1)
    with keeper.link() as gate:
        wait_until(lambda: gate.auth(key, address=address()).reason == UNKNOWN_KEY, 5)
        assert gate.admit(keeper.shop, number).reason == UNKNOWN_KEY


def test_certificates(keeper):
    partner = keeper.partner("with-certificate")
    key, _ = keeper.key("with-certificate")
    good, other = digest("good"), digest("other")
    with keeper.link() as gate:
        assert gate.auth(key, address=address()).reason == OK
        keeper.do("certificate.add", partner="with-certificate", sha256=good.hex(),
                  not_after_s=int(time.time()) + 3600)
        assert gate.auth(key, address=address()).reason == CERTIFICATE
        assert gate.auth(key, address=address(), certificate=other).reason == CERTIFICATE
        assert gate.auth(key, address=address(), certificate=good).reason == OK
        assert gate.auth(keeper.shop_key, certificate=other).reason == OK
    rows = keeper.do("certificate.list", partner="with-certificate")["rows"]
    assert rows[0]["sha256"] == good.hex() and partner > 0


def test_operations(keeper):
    _, number = keeper.key("shop", operations=["payment.create", "payment.read"])
    with keeper.link() as gate:
        assert gate.admit(keeper.shop, number).verdict == ALLOW
        assert gate.admit(keeper.shop, number, operation="payment.refund").reason == FORBIDDEN


def test_a_replay_needs_the_operation_too(keeper):
    _, reader = keeper.key("shop", operations=["payment.read"])
    with keeper.link() as gate:
        key, request = secrets.token_hex(8), secrets.token_bytes(16)
        allowed = gate.admit(*keeper.who, key=key, request_id=request)
        assert gate.settle(request, allowed.ticket).reason == OK
        refused = gate.admit(keeper.shop, reader, key=key)
        assert (refused.verdict, refused.reason) == (REFUSE, FORBIDDEN)
        # Another key of the same partner replays: the credential is not part of the claim.
        _, rotated = keeper.key("shop")
        assert gate.admit(keeper.shop, rotated, key=key).answer == b"stored answer"


def test_limits(keeper):
    partner = keeper.partner("limited", payment_max=500)
    _, number = keeper.key("limited")
    unlimited = keeper.partner("without-limits", limits=False)
    _, other = keeper.key("without-limits")
    with keeper.link() as gate:
        assert gate.admit(partner, number, amount=500).verdict == ALLOW
        assert gate.admit(partner, number, amount=501).reason == OVER_LIMIT
        assert gate.admit(partner, number, amount=1, currency="USD").reason == CURRENCY
        assert gate.admit(partner, number, amount=None, flags=MONEY).verdict == ALLOW
        assert gate.admit(unlimited, other, amount=1).reason == CURRENCY
        assert gate.admit(partner, number, amount=1, route="unset").reason == ROUTE_ABSENT
        keeper.do("limit.set", partner="limited", environment="test", currency="EUR", payment_max=501, day_max=0)
        assert gate.admit(partner, number, amount=501).verdict == ALLOW


def test_the_days_quota(keeper):
    partner = keeper.partner("daily", payment_max=1000, day_max=1000)
    _, number = keeper.key("daily")
    with keeper.link() as gate:
        first = secrets.token_bytes(16)
        allowed = gate.admit(partner, number, amount=700, key="a", request_id=first)
        assert allowed.verdict == ALLOW
        assert gate.admit(partner, number, amount=301, key="b").reason == QUOTA
        assert gate.settle(first, allowed.ticket, outcome=2, reason=0, upstream_status=401).reason == OK
        turns = [gate.ask(ADMIT, _payment(partner, number, 100)) for _ in range(20)]
        verdicts = [gate.answer(turn).verdict for turn in turns]
        assert verdicts.count(ALLOW) == 10


def _payment(partner, number, amount):
    return admit_body(partner, number, key=secrets.token_hex(8), amount=amount)


def test_notes_are_recorded(keeper):
    begin = keeper.do("log.tail", limit=1)["next"]
    with keeper.link() as gate:
        gate.send(frame(NOTE, note_body(146, 400, *keeper.who), NONE))
        gate.send(frame(NOTE, note_body(100, 401), NONE))
        gate.stats()
        wait_until(lambda: len(keeper.events(begin)) >= 2)
    text = str(keeper.events(begin))
    assert "json_syntax" in text or "146" in text
