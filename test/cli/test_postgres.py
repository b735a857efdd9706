"""An instance on a PostgreSQL server of its own: its backup in two halves, and what doctor says of the server."""
import json
import pwd
import os
import secrets
import shutil
import subprocess

import pytest
from lib import postgres
from lib.frames import wait_until

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason="PostgreSQL's programs are not installed")
PASSWORD = "planted-password"


@pytest.fixture(scope="module")
def server():
    one = postgres.Server()
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def passphrase(tmp_path):
    path = tmp_path / "passphrase"
    path.write_text("correct horse battery staple\n")
    path.chmod(0o600)
    return path


def program(server, name, *arguments, **more):
    """One of PostgreSQL's, on the tests' server."""
    done = subprocess.run([server.bin / name, "-h", server.socket, "-p", str(server.port), "-U", "tollgate", *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False,
                          **more)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def backup(house, name, passphrase):
    return house.run("backup", house.dir, "--out", house.folder / name, "--with-keys", "--passphrase-file", passphrase,
                     place=False, timeout=120)


def test_both_halves_make_the_instance_again(make, server, passphrase):
    """As the runbook says it: the dump first, then the backup; both while payments pass."""
    old, new = server.create(), server.create()
    where = f"host={server.socket} port={server.port} user=tollgate dbname="
    house = make(up=True, connection=where + old)
    before = {key: house.pay(idempotency=key) for key in [secrets.token_hex(8) for _ in range(5)]}
    line = (house.dir / "store/connection").read_text().strip()
    subprocess.run([server.bin / "pg_dump", "-Fc", "-f", house.folder / "record.dump", line], check=True, timeout=60)
    text = backup(house, "rest.sealed", passphrase)
    assert "while serving" in text and "NOT in it: the record" in text, text
    house.down()
    again = house.folder / "again"
    assert "an instance that is down" in backup(house, "down.sealed", passphrase)

    program(server, "pg_restore", "--exit-on-error", "-d", new, str(house.folder / "record.dump"))
    house.run("restore", again, "--from", house.folder / "rest.sealed", "--passphrase-file", passphrase, place=False)
    line = again / "store/connection"
    assert line.read_text().strip() == where + old
    assert (line.stat().st_mode & 0o777, pwd.getpwuid(line.stat().st_uid).pw_name) == \
        (0o600, "tollgate-keeper" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)
    line.write_text(where + new + "\n")
    shutil.rmtree(house.dir)
    program(server, "dropdb", old)
    house.dir = again
    house.up()
    paid = len(house.payments())
    for key, answer in before.items():
        again = house.pay(idempotency=key)
        assert (again.status, again.body) == (answer.status, answer.body) == (201, answer.body)
    assert len(house.payments()) == paid
    assert house.pay().status == 201


def doctor(house):
    done = house.run("doctor", "--json", check=False)
    assert PASSWORD.encode() not in done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


def test_doctor_names_the_database_that_is_away(make, server):
    house = make(up=True, connection=f"{server.database()} password={PASSWORD}")
    code, rows = doctor(house)
    where = f"socket in {server.socket}, port {server.port}, database t{os.getpid()}_"
    assert code == 0 and any("the database takes connections: " + where in row["what"] for row in rows), rows
    line = house.dir / "store/connection"  # in the keeper's folder: what a link there leads to is not read by root
    line.rename(house.folder / "elsewhere")
    line.symlink_to(house.folder / "elsewhere")
    assert not any("takes connections" in row["what"] for row in doctor(house)[1])
    (house.folder / "elsewhere").replace(line)
    server.stop()
    try:
        code, rows = doctor(house)
        found = [row for row in rows if row["level"] == "fault" and "the database takes no connection" in row["what"]]
        assert code == 1 and len(found) == 1 and where in found[0]["what"] and "PostgreSQL" in found[0]["remedy"], rows
    finally:
        server.start()
    wait_until(lambda: house.pay().status == 201, 30)
    assert doctor(house)[0] == 0
