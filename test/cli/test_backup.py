"""backup and restore: while payments pass, sealed, whole, and never over anything."""
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import pytest

from lib.story import BUILD

PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def passphrase(tmp_path):
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    path.chmod(0o600)
    return path


def backup(house, out, passphrase, *more, check=True):
    return house.run("backup", str(house.dir), "--out", out, "--passphrase-file", passphrase, *more, check=check,
                     place=False, timeout=120)


def restore(house, folder, *more, check=True):
    return house.run("restore", folder, *more, check=check, place=False, timeout=120)


def move(house, folder):
    """The story's instance is another folder from now on."""
    old, house.dir = house.dir, folder
    return old


def test_payments_before_it_are_replayed_after_it(make, passphrase):
    house = make(up=True)
    keys = [secrets.token_hex(8) for _ in range(10)]
    before = {key: house.pay(idempotency=key) for key in keys}
    out = house.folder / "full.sealed"
    text = backup(house, out, passphrase, "--with-keys")
    assert "while serving" in text and "WITH KEYS" in text
    assert out.stat().st_mode & 0o777 == 0o600
    assert not list((house.dir / "store").rglob("*.copy*"))
    later = secrets.token_hex(8)
    assert house.pay(idempotency=later).status == 201
    events = house.events()
    house.down()
    old = move(house, house.folder / "again")
    assert "Whole" in restore(house, "x", "--check", "--from", out, "--passphrase-file", passphrase)
    assert "Restored" in restore(house, house.dir, "--from", out, "--passphrase-file", passphrase)
    assert not (house.folder / "again.part").exists()
    shutil.rmtree(old)
    house.up()
    for key, answer in before.items():
        again = house.pay(idempotency=key)
        assert (again.status, again.body) == (answer.status, answer.body)
    assert house.pay().status == 201
    again = house.events()
    assert any("backup" in json.dumps(event) for event in events)
    known = {event["sequence"]: event for event in events}
    assert len(again) > 20 and all(known[e["sequence"]] == e for e in again[:20])
    code = house.run("doctor", check=False)
    assert b"0 faults" in code.stdout, code.stdout.decode()


def test_one_point_while_payments_pass(make, passphrase):
    """Every payment that ended before the backup began is in it; each file is sound; payments go on."""
    house = make(up=True)
    ended, stop, failed = [], threading.Event(), []

    def caller():
        while not stop.is_set():
            key = secrets.token_hex(8)
            status = house.pay(idempotency=key).status
            (ended if status == 201 else failed).append(key)
    threads = [threading.Thread(target=caller) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        while len(ended) < 50:
            pass
        sure = list(ended)
        out = house.folder / "x.sealed"
        backup(house, out, passphrase, "--with-keys")
        during = len(ended)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert during > len(sure) and not failed
    restore(house, house.folder / "again", "--from", out, "--passphrase-file", passphrase)
    for path in (house.folder / "again/store").rglob("*.sqlite"):
        with sqlite3.connect(path) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    house.down()
    old = move(house, house.folder / "again")
    shutil.rmtree(old)
    house.up()
    payments = len(house.payments())
    assert all(house.pay(idempotency=key).status == 201 for key in sure)
    assert len(house.payments()) == payments  # replayed, not paid again


def test_keys_only_when_asked(make, passphrase):
    house = make()
    bare, full = house.folder / "bare.sealed", house.folder / "full.sealed"
    assert "without keys" in backup(house, bare, passphrase)
    backup(house, full, passphrase, "--with-keys")
    master = (house.dir / "keys/master.key").read_bytes()
    again = house.folder / "again"
    assert "no keys yet" in restore(house, again, "--from", bare, "--passphrase-file", passphrase)
    for name in ("keys/master.key", "tls/server.key", "client/tour.key", "sandbox/upstream.credential"):
        assert (house.dir / name).exists() and not (again / name).exists()
    refused = restore(house, again, "--only-keys", "--from", bare, "--passphrase-file", passphrase, check=False)
    assert refused.returncode == 1 and b"holds no keys" in refused.stderr
    restore(house, again, "--only-keys", "--from", full, "--passphrase-file", passphrase)
    assert (again / "keys/master.key").read_bytes() == master
    assert (again / "keys/master.key").stat().st_mode & 0o777 == 0o600
    assert (again / "keys/master.key").stat().st_uid == (house.dir / "keys/master.key").stat().st_uid
    refused = restore(house, again, "--only-keys", "--from", full, "--passphrase-file", passphrase, check=False)
    assert refused.returncode == 1 and b"never overwritten" in refused.stderr
    move(house, again)
    house.up()
    assert house.pay().status == 201


def test_nothing_is_overwritten(make, passphrase):
    house = make()
    out = house.folder / "x.sealed"
    backup(house, out, passphrase)
    size = out.stat().st_size
    refused = backup(house, out, passphrase, check=False)
    assert refused.returncode == 1 and out.stat().st_size == size
    refused = restore(house, house.dir, "--from", out, "--passphrase-file", passphrase, check=False)
    assert refused.returncode == 1 and b"never overwritten" in refused.stderr


def test_what_is_sealed_cannot_be_read_or_changed(make, passphrase):
    house = make()
    out = house.folder / "x.sealed"
    backup(house, out, passphrase, "--with-keys")
    data = out.read_bytes()
    for needle in (b"tollgate.json", b"nginx", b"PRIVATE KEY", b"SQLite format", (house.dir / "keys/master.key").read_bytes()):
        assert needle not in data
    other = house.folder / "other"
    other.write_text("another passphrase altogether")
    wrong = restore(house, "y", "--check", "--from", out, "--passphrase-file", other, check=False)
    assert wrong.returncode == 1 and b"does not open" in wrong.stderr
    for at in (len(data) // 2, len(data) - 3):
        out.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
        for words in (["--check"], []):
            folder = house.folder / f"n{at}"
            bad = restore(house, folder, *words, "--from", out, "--passphrase-file", passphrase, check=False)
            assert bad.returncode == 1 and not folder.exists()
            shutil.rmtree(f"{folder}.part", ignore_errors=True)
    out.write_bytes(data[: len(data) // 2])
    assert restore(house, "y", "--check", "--from", out, "--passphrase-file", passphrase, check=False).returncode == 1


def test_usage(make, passphrase, tmp_path):
    house = make()
    short = tmp_path / "short"
    short.write_text("short")
    assert backup(house, house.folder / "x", short, check=False).returncode == 2
    assert house.run("backup", "--out", "x", check=False).returncode == 2
    assert house.run("restore", "--from", "x", "--passphrase-file", passphrase, check=False).returncode == 2
    assert not (house.folder / "x").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_only_root_backs_up_what_is_separated(make, passphrase):
    import subprocess
    from lib.story import BUILD
    house = make()
    done = subprocess.run(["setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups", BUILD / "tollgate", "backup",
                           house.dir, "--out", "/tmp/tollgate-never.sealed", "--passphrase-file", passphrase],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode in (1, 2) and not os.path.exists("/tmp/tollgate-never.sealed")


def test_told_to_stop_it_leaves_no_part(make, passphrase):
    house = make(up=True)
    out = house.folder / "backup"
    os.kill(house.pid("keeper"), signal.SIGSTOP)
    try:
        process = subprocess.Popen([BUILD / "tollgate", "backup", house.dir, "--out", out, "--passphrase-file",
                                    passphrase], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        while not out.exists():
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
    finally:
        os.kill(house.pid("keeper"), signal.SIGCONT)
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == -signal.SIGINT and "told to stop" in said, said
    assert not out.exists()
    backup(house, out, passphrase)
    assert out.stat().st_size > 0
