"""Retry-After stands on every 429 and 503 of the gate's own, also where the keeper named no time."""
import pytest
from lib import house
from lib.instance import PROBLEMS, Instance
from lib.scripted_keeper import ADMIT, AUTH, REFUSE, SETTLE, admit, auth_no, settle, silent


@pytest.fixture(scope="module")
def _limited():
    instance = Instance(keeper="scripted", settings={"tollgate_admit_wait": "400ms", "tollgate_settle_wait": "500ms"},
                        http="limit_req_zone $uri zone=few:1m rate=1r/m; limit_req_status 429;",
                        problems=dict(PROBLEMS, rate_limited="429"),
                        locations="location = /v1/notes { @GATED@ limit_req zone=few; }")
    try:
        yield instance
    finally:
        instance.close()


@pytest.fixture
def limited(_limited):
    _limited.upstream.clear()
    _limited.keeper.clear()
    return _limited


def waits(answered, status, reason, seconds):
    assert (answered.status, answered.reason) == (status, reason), answered
    assert answered.all("Retry-After") == [str(seconds)], answered


def test_nginx_limits(limited):
    limited.pay(path="/v1/notes")
    waits(limited.pay(path="/v1/notes"), 429, "rate_limited", 1)


@pytest.mark.parametrize("said,seconds", [(0, 1), (30, 30)])
def test_throttled(limited, said, seconds):
    limited.keeper.rules[AUTH] = lambda link, slot, turn, _: link.send(auth_no(slot, turn, 104, said))
    waits(limited.pay(key=house.api_key()), 429, "authentication_throttled", seconds)


@pytest.mark.parametrize("reason,name", [(202, "keeper_busy"), (203, "sealer_unavailable"), (204, "store_unavailable"),
                                         (207, "route_credential_absent")])
def test_refused_by_the_keeper(limited, reason, name):
    limited.keeper.rules[ADMIT] = lambda link, slot, turn, _: link.send(admit(slot, turn, REFUSE, reason))
    waits(limited.pay(), 503, name, 1)


def test_silent_and_gone(limited):
    limited.keeper.rules[ADMIT] = silent
    waits(limited.pay(), 503, "keeper_timeout", 1)
    limited.keeper.stop()
    try:
        waits(limited.pay(), 503, "keeper_unavailable", 1)
    finally:
        limited.keeper.listen()


def test_not_recorded(limited):
    limited.keeper.rules[SETTLE] = lambda link, slot, turn, _: link.send(settle(slot, turn, 204))
    waits(limited.pay(), 503, "outcome_unknown", 1)
