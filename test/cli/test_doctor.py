"""The commonest mistakes, each made in a fresh instance: doctor names it, says what to do, and ends with 1."""
import datetime
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lib import postgres
from lib.frames import wait_until
from lib.story import BUILD

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="needs root")
NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)


def doctor(house):
    done = house.run("doctor", "--json", check=False)
    return done.returncode, json.loads(done.stdout)


def names(house, level, *words):
    """doctor finds something of this level that says all the words, with a remedy; the exit code agrees."""
    code, rows = doctor(house)
    found = [row for row in rows if row["level"] == level and all(word in row["what"] for word in words)]
    assert found, json.dumps(rows, indent=1)
    assert all(row["remedy"] for row in found)
    faults = [row for row in rows if row["level"] == "fault"]
    assert code == (1 if faults else 0)
    return rows


def fault(house, *words):
    names(house, "fault", *words)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def conf(house, old, new):
    edit(house.dir / "nginx.conf", old, new)


# --- a healthy one ---

def test_a_fresh_instance_has_no_fault(make):
    house = make(up=True)
    code, rows = doctor(house)
    assert code == 0 and not [row for row in rows if row["level"] == "fault"], rows
    text = house.run("doctor")
    assert "0 faults" in text and "secret memory" in text
    for name in ("sealer", "keeper", "gate's worker"):
        assert f"the {name} has a seccomp filter" in text and f"the {name} is held by Landlock" in text


def test_one_that_is_down_is_only_a_warning(make):
    rows = names(make(), "warning", "nothing of the instance runs")
    assert not [row for row in rows if row["level"] == "fault"]


# --- files and folders ---

@pytest.mark.parametrize("path", ["keys", "store", "tls/server.key", "tls/ca.key", "client/tour.key",
                                  "keys/master.key", "store/tollgate.sqlite"])
def test_01_others_may_read_a_secret(make, path):
    house = make()
    os.chmod(house.dir / path, 0o755)
    fault(house, path, "has mode 755")


@pytest.mark.parametrize("path", ["nginx.conf", "tollgate.json", "run"])
def test_02_others_may_change_what_is_started(make, path):
    house = make()
    os.chmod(house.dir / path, 0o777)
    fault(house, path, "has mode 777")


@needs_root
@pytest.mark.parametrize("path", ["store", "keys/master.key", "log/keeper.log"])
def test_03_root_has_copied_files_over(make, path):
    house = make()
    os.chown(house.dir / path, 0, 0)
    fault(house, path, "does not belong to")


@pytest.mark.parametrize("path", ["keys/master.key", "tls/server.key", "store/tollgate.sqlite"])
def test_04_a_part_is_missing(make, path):
    house = make()
    (house.dir / path).unlink()
    fault(house, path, "is missing")


def test_04_keys_of_another_instance(make):
    house = make()
    (house.dir / "keys").rename(house.dir / "keys.first")
    (house.dir / "keys").mkdir(mode=0o700)
    user = ["--user", "tollgate-sealer"] if ROOT else []
    if ROOT:
        shutil.chown(house.dir / "keys", "tollgate-sealer")
    subprocess.run([BUILD / "tollgate-sealer", "--keys", house.dir / "keys", "--make-keys", *user], check=True)
    house.up()
    wait_until(lambda: "foreign" in house.run("status", check=False).stdout.decode())
    assert house.pay().reason == "sealer_unavailable"
    fault(house, "the sealer's keys are not those of this store")


@needs_root
def test_05_the_folder_cannot_be_entered(make):
    house = make()
    os.chmod(house.folder, 0o700)
    fault(house, "cannot be entered")


@needs_root
def test_06_a_user_is_missing(make):
    house = make()
    edit(house.dir / "tollgate.json", '"tollgate-keeper"', '"tollgate-nobody"')
    fault(house, "no system user tollgate-nobody")


def test_07_the_store_stands_in_memory(make):
    if not os.path.isdir("/dev/shm") or subprocess.run(["stat", "-fc", "%T", "/dev/shm"], stdout=subprocess.PIPE,
                                                       check=False).stdout.strip() != b"tmpfs":
        pytest.skip("no /dev/shm in memory here")
    house = make(sandbox=False)
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="tollgate-") as folder:
        os.chmod(folder, 0o755)
        shutil.rmtree(f"{folder}/instance", ignore_errors=True)
        subprocess.run(["cp", "-a", str(house.dir), f"{folder}/instance"], check=True)
        real, house.dir = house.dir, type(house.dir)(f"{folder}/instance")
        try:
            fault(house, "stands in memory")
        finally:
            house.dir = real


@pytest.mark.skipif(postgres.wanted(), reason="of the embedded store")
def test_07_the_store_was_copied_away(make):
    house = make()
    (house.dir / "store/moved").touch()
    fault(house, "store/moved", "no keeper starts from its folder")


@needs_root
def test_08_the_disk_is_full(make):
    house = make()
    where = house.folder / "small"
    where.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m,mode=755", "none", where], stderr=subprocess.DEVNULL,
                      check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run(["cp", "-a", str(house.dir), where / "instance"], check=True)
        real, house.dir = house.dir, where / "instance"
        try:
            fault(house, "MB are free")
        finally:
            house.dir = real
    finally:
        subprocess.run(["umount", "-l", where], check=True)


# --- nginx.conf and tollgate.json ---

def test_09_nginx_conf_is_no_configuration(make):
    house = make()
    conf(house, "tollgate_zone 1m;", "tollgate_zone 1m")
    fault(house, "nginx refuses its configuration")


@pytest.mark.parametrize("old,new", [("proxy_next_upstream off;", "proxy_next_upstream error;"),
                                     ("proxy_ignore_client_abort on;", "proxy_ignore_client_abort off;"),
                                     ("tollgate_settle_wait 5s;", "tollgate_settle_wait 50s;")])
def test_10_a_directive_makes_payments_unsafe(make, old, new):
    house = make()
    conf(house, old, new)
    fault(house, "nginx refuses its configuration", new.split()[0])


def test_11_the_module_is_not_there(make):
    house = make()
    conf(house, "ngx_http_tollgate_module.so", "ngx_http_tollgate_gone.so")
    fault(house, "nginx refuses its configuration", "ngx_http_tollgate_gone.so")


def test_12_the_profile_is_broken(make):
    house = make()
    (house.dir / "profiles/generic-json.json").write_text('{"profile": 1,')
    fault(house, "nginx refuses its configuration", "generic-json.json")


def test_13_the_address_was_changed_in_one_place(make):
    house = make()
    conf(house, f"listen 127.0.0.1:{house.port} ", "listen 127.0.0.1:65001 ")
    fault(house, "nginx.conf does not listen on", str(house.port))


def test_14_the_gate_asks_another_keeper(make):
    house = make()
    conf(house, f"unix:{house.dir}/run/gate.sock", f"unix:{house.dir}/run/old.sock")
    fault(house, "nginx.conf asks another keeper")


@needs_root
def test_15_the_workers_are_of_another_user(make):
    house = make()
    conf(house, "user www-data;", "user nobody nogroup;")
    fault(house, "runs its workers as \"nobody\"")


def test_the_guard_is_turned_off(make):
    house = make()
    conf(house, "tollgate_zone 1m;", "tollgate_zone 1m; tollgate_guard off;")
    house.up()
    rows = names(house, "warning", "turns the guard of the gate's workers off")
    assert not [row for row in rows if row["level"] == "fault"], rows


def test_a_worker_without_its_guard(make):
    """nginx.conf says that it is on, and nothing has been reloaded since."""
    house = make()
    conf(house, "tollgate_zone 1m;", "tollgate_zone 1m; tollgate_guard off;")
    house.up()
    conf(house, " tollgate_guard off;", "")
    fault(house, "the gate's worker runs without its filter of system calls")
    fault(house, "the gate's worker is dumpable")
    names(house, "warning", "the gate's worker is not held by Landlock")


def test_16_tollgate_json_is_broken(make):
    house = make()
    (house.dir / "tollgate.json").write_text('{"version": 1')
    done = house.run("doctor", check=False)
    assert done.returncode == 1 and b"tollgate.json: line" in done.stderr


def test_17_there_is_no_instance(make):
    house = make()
    done = house.run("doctor", house.folder, check=False)
    assert done.returncode == 1 and b"holds no instance" in done.stderr and b"tollgate init" in done.stderr
    (house.dir / "tollgate.json").unlink()
    done = house.run("doctor", check=False)
    assert done.returncode == 1 and b"a part of an instance" in done.stderr and b"from the backup" in done.stderr


def test_18_another_program_has_the_port(make):
    house = make()
    with socket.socket() as other:
        other.bind(("127.0.0.1", house.port))
        other.listen()
        fault(house, "another program listens on", str(house.port))


# --- papers ---

def authority(house):
    key = serialization.load_pem_private_key((house.dir / "tls/ca.key").read_bytes(), None)
    return x509.load_pem_x509_certificate((house.dir / "tls/ca.pem").read_bytes()), key


def certificate(issuer, issuer_key, key, begin, end):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names_of = x509.SubjectAlternativeName([x509.DNSName("localhost"),
                                            x509.IPAddress(__import__("ipaddress").ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number(), begin, end)
    return made.add_extension(names_of, False).sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_19_the_certificate_has_ended(make):
    house = make()
    ca, ca_key = authority(house)
    key = serialization.load_pem_private_key((house.dir / "tls/server.key").read_bytes(), None)
    (house.dir / "tls/server.pem").write_bytes(certificate(ca.subject, ca_key, key, NOW - 3 * DAY, NOW - DAY))
    fault(house, "tls/server.pem has ended")


def test_20_the_key_is_of_another_certificate(make):
    house = make()
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (house.dir / "tls/server.key").write_bytes(other)
    fault(house, "tls/server.key is not the key of tls/server.pem")


def revocation_list(issuer, key, end):
    made = x509.CertificateRevocationListBuilder(issuer, end - 3 * DAY, end)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_21_the_revocation_list_has_ended(make):
    house = make()
    ca, ca_key = authority(house)
    (house.dir / "tls/crl.pem").write_bytes(revocation_list(ca.subject, ca_key, NOW - DAY))
    fault(house, "tls/crl.pem has ended", "every client certificate is refused")


def test_22_the_revocation_list_is_of_another_authority(make):
    house = make()
    ca, _ = authority(house)
    stranger = ec.generate_private_key(ec.SECP256R1())
    (house.dir / "tls/crl.pem").write_bytes(revocation_list(ca.subject, stranger, NOW + DAY))
    fault(house, "no revocation list of tls/ca.pem")


# --- what runs ---

@pytest.mark.parametrize("name", ["keeper", "sealer"])
def test_23_a_process_has_gone_and_nobody_starts_it(make, name):
    house = make(up=True)
    os.kill(house.process.pid, signal.SIGKILL)  # the supervisor first
    house.process.wait()
    os.kill(house.pid(name), signal.SIGKILL)
    fault(house, f"{name} does not answer")


# --- what is set up ---

def test_24_a_route_has_no_credential(make):
    house = make(sandbox=False, up=True)
    fault(house, 'the route "generic" has no upstream credential')
    secret = house.dir / "upstream.key"
    secret.write_text("upstream-credential\n")
    house.run("route", "set", "generc", "--credential-file", str(secret))
    names(house, "warning", 'the route "generc", which nginx.conf does not have')


def test_25_the_upstream_cannot_be_reached(make):
    house = make(sandbox=False)
    fault(house, f"the upstream 127.0.0.1:{house.upstream_port} cannot be reached")


def test_26_a_partner_has_no_limit(make):
    house = make(up=True)
    house.run("partner", "add", "new-shop")
    house.key_create("new-shop", ["*"])
    fault(house, 'the partner "new-shop" has an API key and no limit')


def test_27_no_key_can_be_used(make):
    house = make(up=True)
    for row in json.loads(house.run("key", "list", "--json")):
        house.run("key", "revoke", row["id"])
    fault(house, "no API key can be used")


# --- warnings: nothing has stopped yet ---

def test_an_unknown_outcome_is_told(make):
    house = make(up=True)
    house.fault("reset_after_commit")
    house.pay()
    names(house, "warning", "nobody knows")


def test_soon_ending_papers_are_told(make):
    house = make()
    ca, ca_key = authority(house)
    key = serialization.load_pem_private_key((house.dir / "tls/server.key").read_bytes(), None)
    (house.dir / "tls/server.pem").write_bytes(certificate(ca.subject, ca_key, key, NOW - DAY, NOW + 9 * DAY))
    (house.dir / "tls/crl.pem").write_bytes(revocation_list(ca.subject, ca_key, NOW + 2 * DAY))
    names(house, "warning", "tls/server.pem ends in 8 days")
    names(house, "warning", "tls/crl.pem ends in 1 days")


def test_clients_trust_another_authority(make):
    house = make()
    other = make()
    shutil.copy(other.dir / "client/ca.pem", house.dir / "client/ca.pem")
    names(house, "warning", "another authority signed it")


def test_observing_is_told(make):
    house = make()
    conf(house, "        tollgate on;", "        tollgate observe;")
    names(house, "warning", "only observes")


def test_too_few_files_are_told(make):
    house = make()
    text = (house.dir / "nginx.conf").read_text()
    line = next(line for line in text.splitlines() if line.startswith("worker_rlimit_nofile"))
    conf(house, line, "worker_rlimit_nofile 1024;")
    names(house, "warning", "a worker may open 1024 files")
