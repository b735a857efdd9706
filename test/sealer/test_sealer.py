"""The key process as its peers meet it: operations, refusals, and what survives its death."""
import hashlib
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib import scan  # noqa: E402
from sealer import (BAD, CLAIM, CREDENTIAL, DESTROY, DONE, FINGERPRINT, MAC, MAKE, NO_KEY, OPEN, PROGRAM, PSEUDONYM,
                    PUBLIC, RECORD, SEAL, SEGMENT, SIGN, VERIFY, Sealer, frame, header, work)


@pytest.fixture
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-sealer-"))
    (path / "keys").mkdir(mode=0o700)
    yield path
    master = path / "keys" / "master.key"
    secrets = [master.read_bytes()] if master.exists() and master.stat().st_size == 32 else []
    assert not (places := scan.found(path, secrets, spare=("master.key",))), places
    shutil.rmtree(path)


@pytest.fixture
def sealer(folder):
    one = Sealer(folder)
    assert one.make_keys().returncode == 0
    one.start()
    yield one
    one.stop(signal.SIGKILL)


def test_macs_are_those_of_the_master_key(sealer):
    master = (sealer.keys / "master.key").read_bytes()
    key = HKDF(hashes.SHA256(), 32, None, b"tollgate 1 mac claim").derive(master)
    expected = hmac.HMAC(key, hashes.SHA256())
    expected.update(b"text")
    link = sealer.link()
    status, mac = link.one(MAC, CLAIM, b"text")
    assert (status, mac) == (DONE, expected.finalize())
    assert link.one(MAC, FINGERPRINT, b"text")[1] != mac
    assert link.one(VERIFY, CLAIM, mac + b"text") == (DONE, b"")
    assert link.one(VERIFY, CLAIM, mac + b"test") == (BAD, b"")
    assert link.one(VERIFY, PSEUDONYM, mac + b"text") == (BAD, b"")
    assert link.one(VERIFY, CLAIM, mac[:31]) == (BAD, b"")


def test_seal_and_open(sealer):
    link = sealer.link()
    status, sealed = link.one(SEAL, CREDENTIAL, b"Bearer x", aad=b"route")
    assert status == DONE and len(sealed) == 8 + 28 and b"Bearer" not in sealed
    assert link.one(OPEN, CREDENTIAL, sealed, aad=b"route") == (DONE, b"Bearer x")
    assert link.one(OPEN, CREDENTIAL, sealed, aad=b"other") == (BAD, b"")
    assert link.one(OPEN, CREDENTIAL, sealed[:-1] + bytes([sealed[-1] ^ 1]), aad=b"route") == (BAD, b"")
    assert link.one(OPEN, CREDENTIAL, sealed[:27], aad=b"route") == (BAD, b"")
    assert link.one(SEAL, CREDENTIAL, b"Bearer x", aad=b"route")[1] != sealed


def test_signatures_verify_elsewhere(sealer):
    link = sealer.link()
    (a, public), (b, signature) = link.ask(work(PUBLIC, RECORD), work(SIGN, RECORD, b"head"))
    assert a == b == DONE
    Ed25519PublicKey.from_public_bytes(public).verify(signature, b"head")
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(public).verify(signature, b"tail")


@pytest.mark.parametrize("operation,key,data,aad", [
    (MAC, CREDENTIAL, b"x", None), (MAC, 0, b"x", None), (MAC, SEGMENT, b"x", None), (SIGN, CLAIM, b"x", None),
    (SEAL, CLAIM, b"x", b""), (SEAL, 0, b"x", b""), (OPEN, RECORD, b"x" * 40, b""), (PUBLIC, CREDENTIAL, b"", None),
    (MAKE, RECORD, b"", None), (DESTROY, CLAIM, b"", None), (SEAL, SEGMENT + 5, b"x", b""),
    (SEAL, 0xffffffff, b"x", b"")])
def test_a_key_serves_one_use(sealer, operation, key, data, aad):
    assert sealer.link().one(operation, key, data, aad=aad) == (NO_KEY, b"")


def test_segment_keys_live_and_die(sealer):
    link = sealer.link()
    assert link.one(MAKE, SEGMENT + 1) == (DONE, b"")
    sealed = link.one(SEAL, SEGMENT + 1, b"answer", aad=b"1")[1]
    assert link.one(MAKE, SEGMENT + 1) == (DONE, b"")
    assert link.one(OPEN, SEGMENT + 1, sealed, aad=b"1") == (DONE, b"answer")
    assert link.one(DESTROY, SEGMENT + 1) == (DONE, b"")
    assert link.one(OPEN, SEGMENT + 1, sealed, aad=b"1") == (NO_KEY, b"")
    assert link.one(DESTROY, SEGMENT + 1) == (DONE, b"")
    assert link.one(MAKE, SEGMENT + 1) == (DONE, b"")
    assert link.one(OPEN, SEGMENT + 1, sealed, aad=b"1") == (BAD, b"")


@pytest.mark.parametrize("number,code", [(signal.SIGKILL, -9), (signal.SIGTERM, 0)])
def test_keys_survive_the_process(sealer, number, code):
    link = sealer.link()
    far = SEGMENT + 16384 + 2  # stands beside SEGMENT + 2
    results = link.ask(work(MAKE, SEGMENT + 2), work(MAKE, far), work(MAKE, SEGMENT + 3), work(DESTROY, SEGMENT + 3),
                       work(SEAL, SEGMENT + 2, b"two", aad=b""), work(SEAL, far, b"far", aad=b""),
                       work(MAC, CLAIM, b"c"))
    assert {status for status, _ in results} == {DONE}
    assert sealer.stop(number) == code
    sealer.start()
    link = sealer.link()
    assert link.one(OPEN, SEGMENT + 2, results[4][1], aad=b"") == (DONE, b"two")
    assert link.one(OPEN, far, results[5][1], aad=b"") == (DONE, b"far")
    assert link.one(SEAL, SEGMENT + 3, b"x", aad=b"") == (NO_KEY, b"")
    assert link.one(MAC, CLAIM, b"c") == results[6]
    loaded = [line for line in sealer.events() if line["event"] == "keys_loaded"][-1]
    assert (loaded["segment_keys"], loaded["torn_slots"]) == (2, 0)


def test_a_torn_slot_counts_as_free(sealer):
    link = sealer.link()
    link.ask(work(MAKE, SEGMENT + 4), work(MAKE, SEGMENT + 5))
    sealer.stop()
    with open(sealer.keys / "answers.ring", "r+b") as ring:
        ring.seek(4 * 128 + 40)
        ring.write(b"\0" * 88)
    sealer.start()
    link = sealer.link()
    assert link.one(SEAL, SEGMENT + 4, b"x", aad=b"")[0] == NO_KEY
    assert link.one(SEAL, SEGMENT + 5, b"x", aad=b"")[0] == DONE
    assert link.one(MAKE, SEGMENT + 4) == (DONE, b"")


def test_a_destroyed_key_leaves_no_bytes(sealer):
    link = sealer.link()
    ring = sealer.keys / "answers.ring"
    blank = hashlib.sha256(ring.read_bytes()).digest()
    link.one(MAKE, SEGMENT + 6)
    assert hashlib.sha256(ring.read_bytes()).digest() != blank
    link.one(DESTROY, SEGMENT + 6)
    assert hashlib.sha256(ring.read_bytes()).digest() == blank


def test_many_works_in_one_frame(sealer):
    link = sealer.link()
    works = [work(MAC, CLAIM, str(i).encode()) for i in range(2048)]
    results = link.ask(*works)
    assert len({mac for _, mac in results}) == 2048
    link.socket.sendall(frame(*works, work(MAC, CLAIM)))
    assert link.is_closed()


def test_an_answer_that_would_not_fit_fails_alone(sealer):
    link = sealer.link()
    size = 1024
    count = 2048
    works = [work(SEAL, CREDENTIAL, b"x" * size, aad=b"")] * count
    pad = 4 * 1024 * 1024 - 2 - sum(len(one) for one in works)
    assert pad > 0
    extra = pad // count
    works = [work(SEAL, CREDENTIAL, b"x" * (size + extra), aad=b"")] * count
    results = link.ask(*works)
    failed = [status for status, _ in results if status != DONE]
    assert failed and len(failed) < count // 10
    assert link.one(MAC, CLAIM, b"x")[0] == DONE


def test_frames_in_pieces_and_in_a_row(sealer):
    link = sealer.link()
    data = frame(work(MAC, CLAIM, b"a")) + frame(work(MAC, CLAIM, b"b"))
    for at in range(len(data)):
        link.socket.sendall(data[at:at + 1])
    assert link.answer()[0][1] != link.answer()[0][1]


@pytest.mark.parametrize("data", [
    header(2, version=2) + b"\0\0", header(2, kind=65) + b"\0\0", header(2, kind=5) + b"\0\0",
    header(2, zero=1) + b"\0\0", header(4 * 1024 * 1024 + 1), header(1) + b"\0", header(3) + b"\0\0\0",
    header(2) + b"\0\1", header(0), b"GET / HTTP/1.1\r\n\r\n", header(11) + b"\0\1" + struct.pack(">BII", 10, 1, 0),
    header(11) + b"\0\1" + struct.pack(">BII", SEAL, 4, 0)])
def test_broken_frames_close_the_link(sealer, data):
    link = sealer.link()
    link.socket.sendall(data)
    assert link.is_closed()
    link.close()
    sealer.wait_for("keeper_gone")
    assert sealer.link().one(MAC, CLAIM, b"x")[0] == DONE


def test_one_keeper_at_a_time(sealer):
    first = sealer.link()
    assert first.one(MAC, CLAIM, b"x")[0] == DONE
    assert sealer.link().is_closed()
    assert first.one(MAC, CLAIM, b"x")[0] == DONE
    first.close()
    sealer.wait_for("keeper_gone")
    assert sealer.link().one(MAC, CLAIM, b"x")[0] == DONE


def test_another_user_is_closed_on(folder):
    sealer = Sealer(folder, keeper_uid=os.getuid() + 1)
    assert sealer.make_keys().returncode == 0
    sealer.start()
    try:
        assert sealer.link().is_closed()
        sealer.wait_for("peer_refused")
    finally:
        sealer.stop()


def test_a_second_sealer_is_kept_out(sealer):
    arguments = [PROGRAM, "--keys", sealer.keys, "--socket", sealer.path, "--keeper-uid", str(os.getuid())]
    for more, event in ([], "ring_in_use"), (["--pid", sealer.folder / "sealer.pid"], "already_running"):
        done = subprocess.run([*arguments, *more], capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and event in done.stderr
    assert (sealer.folder / "sealer.pid").read_text() == f"{sealer.process.pid}\n"
    assert sealer.link().one(MAC, CLAIM, b"x")[0] == DONE


def test_make_keys_overwrites_nothing(sealer):
    before = [(sealer.keys / name).read_bytes() for name in ("master.key", "answers.ring")]
    assert sealer.make_keys().returncode == 0
    assert before == [(sealer.keys / name).read_bytes() for name in ("master.key", "answers.ring")]
    assert {path.stat().st_mode & 0o777 for path in sealer.keys.iterdir()} == {0o600}


def test_a_lost_master_key_is_not_replaced(sealer):
    sealer.link().one(MAKE, SEGMENT)
    sealer.stop()
    (sealer.keys / "master.key").rename(sealer.folder / "away")
    done = sealer.make_keys()
    assert done.returncode == 1 and "master_key_lost" in done.stderr
    (sealer.keys / "master.key").write_bytes(os.urandom(32))
    (sealer.keys / "master.key").chmod(0o600)
    done = subprocess.run([PROGRAM, "--keys", sealer.keys, "--socket", sealer.path, "--keeper-uid", "0"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "ring_foreign" in done.stderr


def test_an_open_master_key_is_refused(sealer):
    sealer.stop()
    (sealer.keys / "master.key").chmod(0o640)
    done = subprocess.run([PROGRAM, "--keys", sealer.keys, "--socket", sealer.path, "--keeper-uid", "0"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "master_key_refused" in done.stderr


def test_the_process_is_closed_in(sealer):
    status = pathlib.Path(f"/proc/{sealer.process.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    if not any(line["event"] == "sandbox_left_out" for line in sealer.events()):
        assert "Seccomp:\t2" in status
    limits = pathlib.Path(f"/proc/{sealer.process.pid}/limits").read_text()
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0"]]


def test_the_log_is_opened_again_and_names_no_secret(sealer):
    link = sealer.link()
    link.one(SEAL, CREDENTIAL, b"needle-in-hay", aad=b"")
    sealer.log.rename(sealer.folder / "old.log")
    sealer.process.send_signal(signal.SIGHUP)
    while not sealer.log.exists():
        pass
    sealer.wait_for("log_reopened")
    assert link.one(MAC, CLAIM, b"x")[0] == DONE
    assert sealer.stop() == 0
    text = (sealer.folder / "old.log").read_text() + sealer.log.read_text()
    assert "needle" not in text and "THE MASTER KEY IS IN A FILE" in text
    assert (sealer.keys / "master.key").read_bytes().hex() not in text


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_as_root_it_becomes_its_user(folder):
    folder.chmod(0o755)
    os.chown(folder / "keys", 65534, 65534)
    sealer = Sealer(folder, more=["--user", "nobody"])
    assert sealer.make_keys().returncode == 0
    assert {path.stat().st_uid for path in sealer.keys.iterdir()} == {65534}
    sealer.start()
    try:
        status = pathlib.Path(f"/proc/{sealer.process.pid}/status").read_text()
        assert "Uid:\t65534\t65534\t65534\t65534" in status and "Groups:\t65534" in status
        assert (sealer.path.stat().st_mode & 0o777, sealer.path.stat().st_uid) == (0o600, 0)
        assert sealer.link().one(MAKE, SEGMENT) == (DONE, b"")
        assert sealer.log.stat().st_uid == 65534
        sealer.process.send_signal(signal.SIGHUP)
        sealer.wait_for("log_reopened")
        assert not any(line["event"] == "log_not_reopened" for line in sealer.events())
    finally:
        assert sealer.stop() == 0


@pytest.mark.parametrize("words", [[], ["--keys"], ["--keys", "x"], ["--keys", "x", "--socket", "y"], ["--what"],
                                   ["--keys", "x", "--keys", "y"],
                                   ["--keys", "x", "--socket", "y", "--keeper-uid", "-1"],
                                   ["--keys", "x", "--socket", "y", "--keeper-uid", "4294967295"]])
def test_a_wrong_command_line_says_how(words):
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "usage: tollgate-sealer" in done.stderr
