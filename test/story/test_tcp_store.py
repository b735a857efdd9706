"""The whole instance on a database that is reached over TCP, as one on another host is: TLS, the server verified."""
import json
import os
import uuid

import pytest
from lib import postgres
from lib.frames import wait_until
from lib.story import Instance

pytestmark = pytest.mark.skipif(not postgres.wanted(), reason="needs the PostgreSQL store")


@pytest.fixture(scope="module")
def far():
    server = postgres.shared_tcp()
    instance = Instance(connection=server.tls())
    try:
        yield instance.up()
        # The connection's own files are the operator's and the keeper's; nothing else may hold the password.
        for path in (instance.dir / "log").iterdir():
            assert server.password not in path.read_text(errors="replace"), path
    finally:
        instance.close()


def findings(house):
    return json.loads(house.run("doctor", "--json", check=False).stdout)


def test_payments_and_what_is_in_force(far):
    key = uuid.uuid4().hex
    first, again = far.pay(idempotency=key), far.pay(idempotency=key)
    assert first.status == 201 and again.body == first.body and "Idempotent-Replayed" in again.fields
    protection = json.loads(far.run("status", "--json"))["keeper"]["protection"]
    assert protection["store_way"] == "TCP, TLS, server verified" and protection["keeper_seccomp"]
    assert [row for row in findings(far) if row["level"] == "ok" and "server verified" in row["what"]]
    assert [row for row in findings(far) if "keeper is held by Landlock" in row["what"]] or \
        protection["keeper_landlock"] == 0


def reborn(far, pid):
    try:
        return far.pid("keeper") != pid
    except IndexError:  # its file is made before its number is written
        return False


def test_a_keeper_that_dies_comes_back_over_the_network(far):
    key = uuid.uuid4().hex
    first = far.pay(idempotency=key)
    pid = far.pid("keeper")
    far.kill("keeper")
    wait_until(lambda: reborn(far, pid))
    wait_until(lambda: far.pay(idempotency=key).body == first.body)


def test_a_server_that_is_not_verified_is_a_warning(far):
    path = far.dir / "store/connection"
    text = path.read_text()
    far.down()
    path.write_text(text.replace("sslmode=verify-full", "sslmode=require"))
    try:
        far.up()
        found = [row for row in findings(far) if row["level"] == "warning" and "TCP" in row["what"]]
        # With an authority's file at hand libpq takes `require` for `verify-ca`, but says what was asked for.
        assert len(found) == 1 and "verify-full" in found[0]["remedy"], found
    finally:
        far.down()
        path.write_text(text)
        far.up()


def test_a_port_of_this_machine_is_a_warning(far):
    """Who listens there while the server is down is the server, and may ask for the password."""
    path = far.dir / "store/connection"
    text = path.read_text()
    far.down()
    path.write_text(postgres.shared_tcp().tcp(database=postgres.shared_tcp().create()))
    try:
        far.up()
        found = [row for row in findings(far) if row["level"] == "warning" and "TCP within this machine" in row["what"]]
        assert len(found) == 1 and "/run/postgresql" in found[0]["remedy"], found
    finally:
        far.down()
        path.write_text(text)
        far.up()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file to another user")
def test_a_certificate_that_the_keeper_may_not_read_is_said(far, tmp_path):
    path, authority = far.dir / "store/connection", far.dir / "store.ca.pem"
    text = path.read_text()
    server = postgres.shared_tcp()
    authority.write_bytes((server.folder / "ca.pem").read_bytes())
    os.chmod(authority, 0o600)
    far.down()
    path.write_text(text.replace(str(server.folder / "ca.pem"), str(authority)))
    try:
        with pytest.raises(AssertionError):
            far.up()
        assert "store.ca.pem" in (far.dir / "log/keeper.log").read_text()
        os.chmod(authority, 0o644)
        far.process = None
        far.up()
    finally:
        far.down()
        path.write_text(text)
        far.up()
