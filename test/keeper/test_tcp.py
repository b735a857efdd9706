"""A database on another host, here on a loopback port: in clear, and with TLS, the server verified and a password shown.

Promises: nothing is opened towards the network once the keeper serves, so its filter of system calls and Landlock are
the same as with a folder; what a start cannot do is said without the password.
"""
import os
import pathlib
import shutil
import signal
import subprocess

import pytest
from daemons import Daemons
from lib import house, postgres
from lib.frames import ALLOW, REPLAY, wait_until

pytestmark = pytest.mark.skipif(not postgres.wanted(), reason="needs the PostgreSQL store")

STORE_FAILED, NOT_STARTED = 3, 1
WAYS = {"clear": "TCP within this machine", "tls": "TCP, TLS, server verified"}


@pytest.fixture(scope="module")
def server():
    return postgres.shared_tcp()


def make(server, connection, **more):
    daemons = Daemons(on_postgres=True, server=server, connection=connection, **more)
    daemons.secrets.append(server.password)
    return daemons


@pytest.fixture(scope="module", params=WAYS)
def remote(server, request):
    daemons = make(server, server.tls() if request.param == "tls" else server.tcp())
    daemons.way = request.param
    try:
        yield daemons
    finally:
        # The one file that may hold the password, and that others cannot read.
        (daemons.folder / "store" / "connection").unlink()
        daemons.close()


def sessions(daemons):
    """(over TLS, from an address) of each of the keeper's sessions, as the server sees them."""
    rows = daemons.server.sql("SELECT s.ssl, a.client_addr FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) "
                              f"WHERE a.datname = '{database(daemons)}' AND a.application_name = 'tollgate'")
    return [tuple(row) for row in rows]


def database(daemons):
    return pathlib.Path(daemons.store[1]).read_text().split("dbname=")[1].strip()


def pay(gate, who, key):
    request = os.urandom(16)
    allowed = gate.admit(*who, key=key, request_id=request)
    assert allowed.verdict == ALLOW, allowed
    assert gate.settle(request, allowed.ticket, answer=key.encode()).reason == 0


def test_it_serves(remote):
    with remote.link() as gate:
        for number in range(20):
            pay(gate, remote.who, f"remote {number}")
        again = gate.admit(*remote.who, key="remote 7")
        assert again.verdict == REPLAY and again.answer == b"remote 7"
    assert sessions(remote) == [("t" if remote.way == "tls" else "f", "127.0.0.1")] * 2


def test_what_is_in_force_is_the_same(remote):
    protection = remote.do("status")["protection"]
    assert protection["store_way"] == WAYS[remote.way]
    local = Daemons(on_postgres=False)
    try:
        here = local.do("status")["protection"]
        assert here["store_way"] == "a folder"
        assert protection["keeper_landlock"] == here["keeper_landlock"]
        assert protection["keeper_seccomp"] == here["keeper_seccomp"]
        assert seccomp(remote.keeper.pid) == seccomp(local.keeper.pid)
    finally:
        local.close()


def seccomp(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return [line.split(":")[1].strip() for line in lines if line.startswith("Seccomp")]


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: what a keeper has open only root may see")
def test_no_more_is_opened(remote):
    """After a while of work the only sockets of the internet are the two sessions that were opened before it served."""
    inodes = lambda: {os.readlink(f"/proc/{remote.keeper.pid}/fd/{fd}")  # noqa: E731
                      for fd in os.listdir(f"/proc/{remote.keeper.pid}/fd")}
    internet = {f"socket:[{line.split()[9]}]" for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]}
    assert len(inodes() & internet) == 2


@pytest.mark.parametrize("load", [False, True], ids=["idle", "under load"])
def test_a_session_that_is_cut_ends_the_keeper(remote, load):
    """With its own status: a call that the filter forbids would be SIGSYS. A start reads what is durable."""
    remote.drop_operator()
    with remote.link() as gate:
        pay(gate, remote.who, f"before {load}")
        if load:
            from lib.frames import ADMIT, admit_body
            for number in range(300):
                gate.ask(ADMIT, admit_body(*remote.who, key=f"load {load} {number}"))
        remote.fail_store()
        assert remote.keeper.child.wait(10) == STORE_FAILED
    remote.start_keeper()
    remote.wait_sealer()
    with remote.link() as gate:
        assert gate.admit(*remote.who, key=f"before {load}").verdict == REPLAY


def test_a_server_that_is_restarted(remote):
    remote.drop_operator()
    remote.server.stop(signal.SIGQUIT)
    assert remote.keeper.child.wait(10) == STORE_FAILED
    remote.server.start()
    remote.start_keeper()
    remote.wait_sealer()
    with remote.link() as gate:
        pay(gate, remote.who, "after the restart")


def refused(server, connection, *words):
    """The keeper does not start, says why, and not the password."""
    daemons = Daemons.__new__(Daemons)
    with pytest.raises(AssertionError) as failure:
        Daemons.__init__(daemons, on_postgres=True, server=server, connection=connection, setup=False)
    said = str(failure.value)
    assert all(word in said for word in words), said
    assert server.password not in said


def test_another_authority(server, tmp_path):
    house.client_certificate("stranger", trusted=False)
    stranger = tmp_path / "stranger.pem"
    text = (pathlib.Path(house.certificates().name) / "stranger.pem").read_text()
    stranger.write_text(text[:text.index("-----BEGIN PRIVATE")] if "-----BEGIN PRIVATE" in text else text)
    refused(server, server.tls(authority=stranger), "certificate verify failed")


def test_another_name(server):
    refused(server, server.tls(host="elsewhere.example"), "elsewhere.example")


def test_no_authority_there(server, tmp_path):
    refused(server, server.tls(authority=tmp_path / "absent.pem"), "absent.pem")


def test_a_wrong_password(server):
    refused(server, server.tls().replace(server.password, "wrong"), "password authentication failed")


def test_nobody_listens(server):
    refused(server, f"host=127.0.0.1 port={house.free_ports(1)[0]} dbname=x password={server.password}", "refused")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize("kind", ["certificate", "password"])
def test_a_user_of_its_own(server, kind):
    """What libpq reads is read as the keeper's user, before it closes itself in."""
    if subprocess.run(["id", "tollgate-keeper"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                      check=False).returncode:
        pytest.skip("there is no user tollgate-keeper")
    daemons = make(server, server.tls())
    try:
        daemons.stop_keeper()
        os.chmod(daemons.folder, 0o755)
        for name in ("store", "store/connection"):
            shutil.chown(daemons.folder / name, "tollgate-keeper")
        if kind == "certificate":
            private = daemons.folder / "private.pem"
            shutil.copy(server.folder / "ca.pem", private)
            os.chmod(private, 0o600)
            text = pathlib.Path(daemons.store[1]).read_text()
            pathlib.Path(daemons.store[1]).write_text(text.replace(str(server.folder / "ca.pem"), str(private)))
            with pytest.raises(AssertionError) as failure:
                daemons.start_keeper("--user", "tollgate-keeper", "--log", daemons.folder / "keeper.log")
            assert "private.pem" in str(failure.value)
            return
        daemons.start_keeper("--user", "tollgate-keeper")
        with daemons.link() as gate:
            wait_until(lambda: daemons.do("status")["keeper"]["uid"] != 0)
            assert gate.auth(daemons.shop_key).reason == 0
    finally:
        (daemons.folder / "store" / "connection").unlink()
        daemons.close(check=False)
