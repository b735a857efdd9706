"""Operators: what they are told, what they may get wrong, and the record that they leave."""
import json
import os
import secrets
import signal
import subprocess

import pytest

from daemons import Daemons
from lib import house
from lib.frames import ADMIN, ALLOW, HEADER, UNKNOWN, Operator, frame, wait_until


def test_status_and_metrics(keeper):
    status = keeper.do("status")
    assert status["sealer"]["up"] and status["store"]["segment"] >= 1
    assert isinstance(status["protection"]["processes_separated"], bool)
    text = keeper.do("metrics")["text"]
    assert "tollgate_keeper_sealer_up 1" in text and 'verdicts_total{verdict="allow"}' in text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'{"command":"status","command":"status"}', b"\xff",
                                  b'{"command":7}', b'{"command":"nothing"}', b'{"command":"status","arguments":[]}'],
                         ids=["empty", "cut", "array", "number", "duplicate", "binary", "type", "unknown", "arguments"])
def test_nonsense_is_refused_and_the_link_lives(keeper, body):
    assert keeper.operator.raw(body)["ok"] is False
    assert keeper.operator.ask("status")["ok"]


@pytest.mark.parametrize("command,arguments", [
    ("partner.add", {}), ("partner.add", {"name": ""}), ("partner.add", {"name": "a b"}),
    ("partner.add", {"name": "x" * 65}), ("partner.add", {"name": 7}),
    ("limit.set", {"partner": "shop", "environment": "prod", "currency": "EUR", "payment_max": 1}),
    ("limit.set", {"partner": "shop", "environment": "test", "currency": "XXX", "payment_max": 1}),
    ("limit.set", {"partner": "shop", "environment": "test", "currency": "EUR", "payment_max": -1}),
    ("limit.set", {"partner": "shop", "environment": "test", "currency": "EUR", "payment_max": 1.5}),
    ("key.create", {"partner": "shop", "environment": "test", "operations": [], "hash": "00" * 32, "prefix": "x" * 17}),
    ("key.create", {"partner": "shop", "environment": "test", "operations": ["*", "a"], "hash": "00" * 32,
                    "prefix": "x" * 17}),
    ("key.create", {"partner": "shop", "environment": "test", "operations": ["*"], "hash": "zz" * 32,
                    "prefix": "x" * 17}),
    ("route.set", {"route": "main", "credential": ""}), ("route.set", {"route": "main", "credential": "a\r\nb"}),
    ("route.set", {"route": "main", "credential": "x" * 2000}),
    ("reconcile.resolve", {"request_id": "00", "executed": True}), ("log.tail", {"from": -1}),
    ("act", {"what": ""}), ("certificate.add", {"partner": "shop", "sha256": "00"})])
def test_wrong_arguments(keeper, command, arguments):
    assert keeper.operator.fails(command, **arguments) == "argument"


def test_what_does_not_exist_or_exists(keeper):
    assert keeper.operator.fails("partner.add", name="shop") == "exists"
    assert keeper.operator.fails("key.list", partner="nobody") == "absent"
    key = house.api_key()
    wish = dict(partner="shop", environment="test", operations=["*"], hash=house.key_hash(key), prefix=key[:17])
    keeper.do("key.create", **wish)
    assert keeper.operator.fails("key.create", **wish) == "exists"


def test_lists_show_no_secret(keeper):
    rows = keeper.do("key.list", partner="shop")["rows"]
    assert rows[0]["prefix"] == keeper.shop_key[:17] and rows[0]["operations"] == ["*"]
    text = json.dumps([keeper.do(command) for command in
                       ("key.list", "route.list", "partner.list", "limit.show", "certificate.list", "status")])
    assert house.key_hash(keeper.shop_key) not in text and keeper.shop_key not in text
    assert "upstream-secret" not in text and '"route": "main"' in text


def test_every_act_is_an_event(keeper):
    begin = keeper.do("log.tail", limit=1)["next"]
    name = "partner-" + secrets.token_hex(4)
    keeper.partner(name, payment_max=7)
    keeper.do("limit.set", partner=name, environment="test", currency="EUR", payment_max=8, day_max=9)
    keeper.do("act", what="init", after={"by": "a test"})
    events = keeper.events(begin)
    text = json.dumps(events)
    assert len(events) == 4 and f"uid={os.geteuid()} login=" in text
    assert "partner.add" in text and "payment_max" in text
    assert [event for event in events if "init" in json.dumps(event)]


def test_many_operators_at_once(keeper):
    links = [Operator(keeper.admin) for _ in range(20)]
    for link in links:
        assert link.ask("status")["ok"]
    for link in links:
        link.close()
    wait_until(lambda: keeper.metric("admin_links") <= 2)


def test_pipelined_commands_keep_their_order(keeper):
    link = Operator(keeper.admin)
    names = [secrets.token_hex(4) for _ in range(50)]
    link.socket.sendall(b"".join(frame(ADMIN, json.dumps({"command": "partner.add", "arguments": {"name": name}})
                                       .encode(), 0, turn) for turn, name in enumerate(names)))
    for turn in range(50):
        length, _, _, _, got, _ = HEADER.unpack(link._take(HEADER.size))
        assert got == turn and json.loads(link._take(length))["ok"]
    link.close()


def test_a_long_log_comes_in_parts(keeper):
    events = keeper.events()
    one_by_one, at = [], 0
    while True:
        part = keeper.do("log.tail", **{"from": at, "limit": 7})
        if not part["events"]:
            break
        one_by_one += part["events"]
        at = part["next"]
    assert one_by_one == events and len(events) > 50
    assert keeper.do("log.tail", **{"from": 2**63 - 1, "limit": 1})["next"] == at


def test_unknowns_are_listed(keeper):
    with keeper.link() as gate:
        request = secrets.token_bytes(16)
        assert gate.admit(*keeper.who, key="listed", request_id=request).verdict == ALLOW
        assert gate.settle(request, 0, outcome=UNKNOWN, reason=181).reason == 0
    rows = keeper.do("reconcile.list")["rows"]
    assert request.hex() in [row["request_id"] for row in rows]
    keeper.do("reconcile.resolve", request_id=request.hex(), executed=False, note="never arrived")
    with keeper.link() as gate:
        assert gate.admit(*keeper.who, key="listed").verdict == ALLOW


def test_what_is_set_up_survives(tmp_path):
    daemons = Daemons(more=["--segment-rows", "50", "--segment-seconds", "1"])
    try:
        with daemons.link() as gate:
            for number in range(300):
                request = secrets.token_bytes(16)
                allowed = gate.admit(*daemons.who, key=str(number), request_id=request)
                assert gate.settle(request, allowed.ticket, answer=str(number).encode()).reason == 0
            wait_until(lambda: daemons.do("status")["store"]["segment"] > 2)
            assert gate.admit(*daemons.who, key="7").answer == b"7"
        assert daemons.stop_keeper() == 0
        daemons.start_keeper()
        daemons.wait_sealer()
        with daemons.link() as gate:
            assert gate.auth(daemons.shop_key).reason == 0
            for number in (0, 150, 299):
                assert gate.admit(*daemons.who, key=str(number)).answer == str(number).encode()
        assert daemons.do("limit.show", partner="shop")["rows"][0]["payment_max"] == 100000
    finally:
        daemons.close()


def test_hangup_opens_the_log_again(alone):
    alone.keeper.deliver(signal.SIGHUP)
    assert alone.do("status")


def test_a_second_keeper_is_kept_out(alone):
    done = subprocess.run([house.BUILD / "tollgate-keeper", *alone.store, "--gate-socket", alone.gate,
                           "--admin-socket", alone.admin, "--sealer-socket", alone.folder / "sealer.sock", "--pid",
                           alone.folder / "keeper.pid"], stderr=subprocess.DEVNULL, timeout=10, check=False)
    assert done.returncode == 1
    assert alone.do("status")


def test_expired_answers_are_purged_by_destroying_their_key():
    """TTL over, the segment closed: the sealer's slot is overwritten, and what was sealed can never be opened again."""
    daemons = Daemons(more=["--segment-seconds", "1", "--purge-grace-seconds", "1"])
    ring = daemons.folder / "keys" / "answers.ring"

    def slots():
        content = ring.read_bytes()
        cut = (content[at : at + 128] for at in range(0, len(content), 128))
        return {at: slot for at, slot in enumerate(cut) if any(slot)}

    try:
        with daemons.link() as gate:
            request = secrets.token_bytes(16)
            allowed = gate.admit(*daemons.who, key="short", request_id=request, ttl_s=1)
            assert gate.settle(request, allowed.ticket, answer=b"short-lived").reason == 0
            before = slots()
            assert before
            wait_until(lambda: any(at not in slots() for at in before), 20)
            assert gate.admit(*daemons.who, key="short").verdict == ALLOW  # expired: a new claim
    finally:
        daemons.close()
