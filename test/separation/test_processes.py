"""What each user of the machine can reach of an instance: files, sockets, memory."""
import ctypes
import errno
import json
import os
import socket
import struct
import time

import pytest

from asuser import as_user, errno_of, user

KEEPER, SEALER, GATE, SANDBOX, OTHER = "tollgate-keeper", "tollgate-sealer", "www-data", "nobody", "daemon"
DENIED = (errno.EACCES, errno.EPERM)
PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE = 16, 17, 0x4206


def process_status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return {line.split(":", 1)[0]: line.split(":", 1)[1].split() for line in lines}


def pids(house):
    return {"sealer": house.pid("sealer"), "keeper": house.pid("keeper"), "gate": house.workers()[0]}


# --- users and rights ---

def test_each_process_has_a_user_of_its_own(house):
    uids = {name: process_status(pid)["Uid"] for name, pid in pids(house).items()}
    assert uids["sealer"] == [str(user(SEALER).pw_uid)] * 4
    assert uids["keeper"] == [str(user(KEEPER).pw_uid)] * 4
    assert uids["gate"] == [str(user(GATE).pw_uid)] * 4
    assert len({tuple(one) for one in uids.values()}) == 3


def test_no_process_has_a_capability_or_can_gain_one(house):
    for name, pid in pids(house).items():
        status = process_status(pid)
        assert status["NoNewPrivs"] == ["1"], name
        assert int(status["CapEff"][0], 16) == 0 and int(status["CapPrm"][0], 16) == 0, name
        assert status["Seccomp"] == ["2"], name
    for name in ("sealer", "keeper"):
        status = process_status(house.pid(name))
        assert status["Groups"] == [str(user(f"tollgate-{name}").pw_gid)], name


def test_all_threads_of_the_keeper_are_filtered(house):
    pid = house.pid("keeper")
    threads = os.listdir(f"/proc/{pid}/task")
    assert len(threads) > 1
    for thread in threads:
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as text:
            assert "Seccomp:\t2\n" in text.read()


def test_core_files_are_shut_out(house):
    for name, pid in pids(house).items():
        with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
            assert next(line for line in limits if line.startswith("Max core file size")).split()[4:6] == ["0", "0"], name
        # Not dumpable: the kernel gives such a process's files in /proc to root.
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0, name


# --- files ---

def test_modes_of_keys_and_store(house):
    for folder, name in (("keys", SEALER), ("store", KEEPER)):
        found = list((house.dir / folder).rglob("*"))
        assert found
        for path in [house.dir / folder, *found]:
            status = path.stat()
            assert (status.st_uid, status.st_mode & 0o077) == (user(name).pw_uid, 0), path


@pytest.mark.parametrize("who", [GATE, SEALER, SANDBOX, OTHER])
def test_nobody_else_opens_the_store(house, who):
    paths = [house.dir / "store", *(house.dir / "store").rglob("*")]
    found = as_user(who, lambda: [errno_of(lambda p=p: os.open(p, os.O_RDONLY)) for p in paths])
    assert all(one in DENIED for one in found), list(zip(paths, found))
    assert as_user(who, lambda: errno_of(lambda: os.open(house.dir / "store/x", os.O_CREAT | os.O_WRONLY))) in DENIED


@pytest.mark.parametrize("who", [GATE, KEEPER, SANDBOX, OTHER])
def test_nobody_else_opens_the_keys(house, who):
    paths = [house.dir / "keys", house.dir / "keys/master.key", house.dir / "keys/answers.ring"]
    found = as_user(who, lambda: [errno_of(lambda p=p: os.open(p, os.O_RDONLY)) for p in paths])
    assert all(one in DENIED for one in found), list(zip(paths, found))


@pytest.mark.parametrize("who", [GATE, KEEPER, SEALER, OTHER])
def test_private_keys_and_api_keys_are_roots(house, who):
    paths = [house.dir / name for name in ("tls/server.key", "tls/ca.key", "client/tour.key")]
    found = as_user(who, lambda: [errno_of(lambda p=p: os.open(p, os.O_RDONLY)) for p in paths])
    assert all(one in DENIED for one in found), list(zip(paths, found))


# --- sockets ---

# wire/frame.h: questions that the real peer of each socket gets an answer to.
QUESTIONS = {"gate.sock": (10, b""), "admin.sock": (32, b'{"command":"status"}'),
             "sealer.sock": (64, struct.pack("!HBII", 1, 9, 0, 0))}


def frame(kind, body=b""):
    return struct.pack("!IBBHII", len(body), 1, kind, 0, 1, 0) + body


def knock(path):
    """What happens to one who connects: the number of the error, or what came until the end."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        try:
            link.connect(str(path))
        except OSError as error:
            return error.errno
        try:
            link.sendall(frame(*QUESTIONS[path.name]))
            return link.recv(64).hex()
        except (BrokenPipeError, ConnectionResetError):
            return ""


@pytest.mark.parametrize("name,peer", [("gate.sock", GATE), ("admin.sock", None), ("sealer.sock", KEEPER)])
@pytest.mark.parametrize("who", [GATE, KEEPER, SEALER, SANDBOX, OTHER])
def test_only_its_peer_reaches_a_socket(house, name, peer, who):
    path = house.dir / "run" / name
    if who == peer:
        pytest.skip("the peer itself")
    assert path.stat().st_mode & 0o777 == 0o600
    assert as_user(who, lambda: knock(path)) in DENIED


@pytest.mark.parametrize("name", ["gate.sock", "sealer.sock"])
def test_root_passes_the_mode_and_gets_no_answer(house, name):
    """CAP_DAC_OVERRIDE opens the door; the peer's uid is looked at behind it (SO_PEERCRED)."""
    assert knock(house.dir / "run" / name) == ""


def test_the_question_is_answered_to_its_peer(house):
    """The silence of the tests around this one is no mistake in the question."""
    assert len(knock(house.dir / "run/admin.sock")) >= 32


def test_root_is_an_operator_and_others_are_not(house):
    assert json.loads(house.run("status", "--json"))["keeper"]["protection"]["processes_separated"] is True
    assert as_user(OTHER, lambda: knock(house.dir / "run/admin.sock")) in DENIED


def test_a_loosened_socket_is_still_the_peers(house):
    """Were the mode widened by mistake: the uid decides."""
    for name, who in (("gate.sock", OTHER), ("admin.sock", GATE), ("sealer.sock", GATE)):
        path = house.dir / "run" / name
        os.chmod(path, 0o666)
        try:
            assert as_user(who, lambda p=path: knock(p)) == ""
        finally:
            os.chmod(path, 0o600)


# --- memory ---

def attach(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for request in (PTRACE_ATTACH, PTRACE_SEIZE):
        if libc.ptrace(request, pid, None, None) == 0:
            if request == PTRACE_ATTACH:
                os.waitpid(pid, 0)
            libc.ptrace(PTRACE_DETACH, pid, None, None)
            return 0
    return ctypes.get_errno()


def vm_read(pid):
    """process_vm_readv of one byte at the program's heap."""
    libc = ctypes.CDLL(None, use_errno=True)
    room = ctypes.create_string_buffer(1)

    class Part(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]

    here, there = Part(ctypes.addressof(room), 1), Part(0x10000, 1)
    if libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) >= 0:
        return 0
    return ctypes.get_errno()


def open_memory(pid):
    return errno_of(lambda: os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY)))


WAYS = {"ptrace": attach, "mem": open_memory, "process_vm_readv": vm_read,
        "maps": lambda pid: errno_of(lambda: open(f"/proc/{pid}/maps", "rb").read(1)),
        "environ": lambda pid: errno_of(lambda: open(f"/proc/{pid}/environ", "rb").read(1)),
        "fd": lambda pid: errno_of(lambda: os.listdir(f"/proc/{pid}/fd"))}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("target,who", [("sealer", KEEPER), ("sealer", GATE), ("sealer", SANDBOX), ("sealer", OTHER),
                                        ("sealer", SEALER), ("keeper", GATE), ("keeper", KEEPER), ("keeper", SEALER),
                                        ("gate", GATE), ("gate", KEEPER), ("gate", SEALER), ("gate", SANDBOX),
                                        ("gate", OTHER)])
def test_memory_is_closed_even_to_the_same_user(house, target, who, way):
    """Its own uid too: a process that is not dumpable is opened by CAP_SYS_PTRACE alone."""
    pid = pids(house)[target]
    assert as_user(who, lambda: WAYS[way](pid)) in DENIED
    assert pids(house)[target] == pid


def test_the_test_itself_can_see(house):
    """The same ways do open a process that is not guarded: the refusals above are the guards' work."""
    pid = os.fork()
    if pid == 0:
        entry = user(OTHER)
        os.setresgid(*[entry.pw_gid] * 3)
        os.setresuid(*[entry.pw_uid] * 3)
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: a change of user took it away
        time.sleep(60)
        os._exit(0)
    try:
        end = time.monotonic() + 5
        while process_status(pid)["Uid"][0] != str(user(OTHER).pw_uid) or os.stat(f"/proc/{pid}/mem").st_uid == 0:
            assert time.monotonic() < end
            time.sleep(0.01)

        def look():
            ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
            return open_memory(pid)
        assert as_user(OTHER, look) == 0
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_root_itself_does_not_find_the_master_key_in_memory(house):
    """memfd_secret: the pages are outside the kernel's map; where the kernel has none, locked pages can be read."""
    guard = json.loads(house.run("status", "--json"))["keeper"]["sealer"]
    if guard["keys_memory"] != "memfd_secret":
        pytest.skip("this kernel gives no memfd_secret")
    pid = house.pid("sealer")
    master = (house.dir / "keys/master.key").read_bytes()
    import hashlib
    import hmac as mac
    # HKDF-SHA-256 (RFC 5869), empty salt, one block: the key of claims.
    prk = mac.new(bytes(32), master, hashlib.sha256).digest()
    claim = mac.new(prk, b"tollgate 1 mac claim\x01", hashlib.sha256).digest()
    found, unread = [], 0
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            spans, rights = line.split()[:2]
            begin, end = (int(x, 16) for x in spans.split("-"))
            if "r" not in rights or line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            try:
                memory.seek(begin)
                content = memory.read(end - begin)
            except OSError:
                unread += 1
                continue
            found += [line for needle in (master, claim) if needle in content]
    assert not found and unread >= 1


# --- what is told ---

def test_status_shows_what_is_in_force(house):
    told = json.loads(house.run("status", "--json"))
    rows = {row["service"]: row for row in told["services"]}
    for name, who in (("sealer", SEALER), ("keeper", KEEPER)):
        assert (rows[name]["user"], rows[name]["seccomp"], rows[name]["no_new_privs"], rows[name]["capabilities"]) == \
            (who, "filter", True, "0")
    nginx, level = rows["nginx"], landlock_level()
    assert (nginx["user"], nginx["seccomp"], nginx["no_new_privs"], nginx["capabilities"]) == (GATE, "filter", True, "0")
    assert (nginx["landlock"], nginx["dumpable"]) == (level, 0)
    keeper = told["keeper"]
    assert keeper["protection"]["keeper_landlock"] == keeper["sealer"]["landlock"] == level
    assert keeper["sealer"]["seccomp"] == 1 and keeper["sealer"]["dumpable"] == 0
    assert keeper["sealer"]["keys_memory"] in ("memfd_secret", "locked")
    assert keeper["protection"]["core_dumps"] is False


def landlock_level():
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, libc.syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint(1)))


def test_doctor_finds_nothing_wrong(house):
    found = json.loads(house.run("doctor", "--json"))
    assert not [row for row in found if row["level"] == "fault"]
    text = json.dumps(found)
    assert "secret memory" in text
    for name in ("sealer", "keeper", "gate's worker"):
        assert f"the {name} has a seccomp filter" in text and f"the {name} is held by Landlock" in text


def test_a_payment_passes(house):
    assert house.pay().status == 201
