"""What an operator gets wrong on a line is answered with what to do."""
import json
import subprocess

import pytest

from lib import postgres
from lib.story import BUILD, Instance


def tollgate(house, *words):
    done = house.run(*words, check=False)
    return done.returncode, done.stderr.decode()


@pytest.fixture(scope="module")
def house():
    """Not the sandbox, as the README has it, and up."""
    instance = Instance(sandbox=False)
    try:
        yield instance.up()
    finally:
        instance.close()


def test_a_store_that_is_in_use(house):
    connection = house.folder / "wrong"
    connection.write_text("host=/nosuch dbname=tollgate\n")
    code, said = tollgate(house, "store", "copy", "--to", f"postgres:{connection}")
    assert code == 1 and f"tollgate down {house.dir}" in said, said


def test_a_probe_without_a_key(house):
    code, said = tollgate(house, "reconcile", "--probe")
    assert code == 2 and "--key-file FILE is needed" in said and "reconcile --help" in said, said


@pytest.mark.parametrize("words", [["store"], ["help", "store"]])
def test_half_a_command(house, words):
    code, said = tollgate(house, *words)
    assert code == 2 and "store migrate, store copy, store verify" in said, said


def test_a_credential_with_its_scheme(house):
    path = house.folder / "credential"
    path.write_text("Bearer s3cret-of-the-upstream\n")
    code, said = tollgate(house, "route", "set", "generic", "--credential-file", path)
    assert code == 0 and "--scheme none" in said and "s3cret" not in said, said
    assert tollgate(house, "route", "set", "generic", "--scheme", "none", "--credential-file", path) == (0, "")


def test_a_profile_beside_us(house):
    """As for `init`: NAME.json needs no slash."""
    done = subprocess.run([BUILD / "tollgate", "pay", "--url", f"https://localhost:{house.port}", "--ca",
                           house.dir / "client/ca.pem", "--amount", "1", "--json", "--profile", "generic-json.json"],
                          cwd=house.dir / "profiles", stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1 and json.loads(done.stdout)["status"] == 401, done


def test_the_tour_of_one_that_is_down(make):
    instance = make()
    code, said = tollgate(instance, "tour")
    assert code == 3 and f"tollgate up {instance.dir}" in said and said.count("\n") == 1, said


def test_a_copy_to_a_wrong_server_leaves_no_connection(make):
    if postgres.wanted():
        pytest.skip("begins on the embedded store")
    instance = make()
    wrong = instance.folder / "wrong"
    wrong.write_text("host=/nosuch dbname=tollgate\n")
    assert tollgate(instance, "store", "copy", "--to", f"postgres:{wrong}")[0] == 1
    assert not (instance.dir / "store/connection").exists()


def test_a_probe_of_one_on_every_address(make):
    """The certificate does not name 0.0.0.0: localhost is asked."""
    instance = make(up=True)
    instance.down()
    for name in ("tollgate.json", "nginx.conf"):
        path = instance.dir / name
        path.write_text(path.read_text().replace(f"127.0.0.1:{instance.port}", f"0.0.0.0:{instance.port}"))
    instance.up()
    instance.fault("reset_after_commit")
    assert instance.pay(1234).status == 502
    assert "1 executed" in instance.run("reconcile", "--probe")
