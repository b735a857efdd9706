"""The operators' pages, the counters behind them, and whom realip lets speak for others."""
import re
import subprocess
import time

import pytest
from lib.instance import Instance
from lib.upstream import field


def test_status_is_prometheus_text_and_the_keepers_follows(gate):
    assert gate.pay().status == 201
    gate.pay(b"{")
    status, head, body = gate.page("/tollgate/status")
    assert status == 200 and "text/plain; version=0.0.4" in head and "no-store" in head
    for line in body.splitlines():
        assert re.fullmatch(r'#.*|[a-z_]+(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? -?[0-9.e+]+', line), line
    assert gate.metric("tollgate_gate_allowed_total") >= 1
    assert gate.reason_count("json_syntax") >= 1
    assert 'tollgate_gate_admit_seconds_bucket{le="+Inf"}' in body
    assert "tollgate_gate_keeper_answers 1" in body
    assert re.search(r"^tollgate_keeper_", body, re.M)
    assert "shop" not in body and gate.key[:17] not in body


def test_outcomes_that_are_not_known_are_counted(gate):
    from lib.upstream import answer, cut
    before = gate.metric("tollgate_gate_outcome_unknown_total")
    reasons = gate.reason_count("outcome_unknown_cut"), gate.reason_count("outcome_unknown_status")
    gate.upstream.then(cut(), answer(500, b"{}"))
    assert [gate.pay().status for _ in range(2)] == [502, 500]
    assert gate.metric("tollgate_gate_outcome_unknown_total") == before + 2
    assert (gate.reason_count("outcome_unknown_cut"), gate.reason_count("outcome_unknown_status")) == (
        reasons[0] + 1, reasons[1] + 1)


def test_histograms_add_up(gate):
    gate.pay()
    body = gate.page("/tollgate/status")[2]
    for name in ("admit", "settle", "upstream"):
        counts = [int(n) for n in re.findall(rf'tollgate_gate_{name}_seconds_bucket\{{le="[^"]+"\}} (\d+)', body)]
        assert counts == sorted(counts) and counts[-1] > 0, name
        assert f"tollgate_gate_{name}_seconds_count {counts[-1]}" in body


def test_health(gate):
    status, head, body = gate.page("/tollgate/health")
    assert status == 200 and "application/json" in head and '"ready":true' in body


def test_only_get_and_head(gate):
    assert gate.page("/tollgate/status", "POST")[0] == 405
    status, _, body = gate.page("/tollgate/status", "HEAD")
    assert status == 200 and not body


def test_counters_survive_a_reload(gate):
    gate.pay()
    before = gate.metric("tollgate_gate_allowed_total")
    gate.reload()
    time.sleep(0.2)
    assert gate.metric("tollgate_gate_allowed_total") == before
    assert gate.pay().status == 201
    assert gate.metric("tollgate_gate_allowed_total") == before + 1


def test_a_keeper_that_hangs_does_not_hang_the_pages(scripted):
    from lib.scripted_keeper import STATS, silent
    scripted.keeper.rules[STATS] = silent
    begin = time.monotonic()
    status, _, body = scripted.page("/tollgate/status")
    assert status == 200 and "tollgate_gate_keeper_answers 0" in body
    assert time.monotonic() - begin < 1
    status, _, body = scripted.page("/tollgate/health")
    assert status == 503 and '"live":true' in body and '"ready":false' in body


def own_address():
    out = subprocess.run(["hostname", "-I"], stdout=subprocess.PIPE, check=False).stdout.decode().split()
    return next((word for word in out if "." in word and not word.startswith("127.")), None)


@pytest.fixture(scope="module")
def street():
    """realip trusts 127.0.0.9; the status pages are also on an address that is not loopback."""
    address = own_address()
    listed = f"server {{ listen {address}:@STATUS@; location = /s {{ tollgate_status; }}" \
             f" location = /l {{ tollgate_status 10.0.0.0/8 {address}; }} }}" if address else ""
    instance = Instance(keeper="scripted", server="set_real_ip_from 127.0.0.9; real_ip_header X-Forwarded-For;",
                        servers=listed)
    instance.address = address
    try:
        yield instance
    finally:
        instance.close()


def test_strangers_do_not_see_the_pages(street):
    if not street.address:
        pytest.skip("this machine has no address but loopback")
    import http.client
    for path, status in (("/s", 403), ("/l", 200)):
        link = http.client.HTTPConnection(street.address, street.status_port, timeout=5)
        link.request("GET", path)
        assert link.getresponse().status == status, path
        link.close()


def test_a_peer_that_realip_trusts_speaks_for_others(street):
    fields = ["X-Forwarded-For: 10.1.2.3", "X-Forwarded-Proto: https", "Client-Cert: :AAAA:"]
    for source, kept in (("127.0.0.9", True), ("127.0.0.8", False)):
        with street.http1(source=(source, 0)) as client:
            assert client.send(street.bytes_of(fields=fields)).read().status == 201
        seen = street.upstream.last
        for name in ("X-Forwarded-For", "X-Forwarded-Proto", "Client-Cert"):
            assert bool(field(seen, name)) is kept, (source, name)
