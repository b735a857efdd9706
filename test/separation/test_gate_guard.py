"""The guard around a worker of the gate: what its filter refuses, and that nginx goes on as ever behind it.

The filter of the running worker is read out and put around a child of the test, which then tries what a taken-over
worker would.
"""
import ctypes
import errno
import json
import os
import signal
import socket
import struct
import time

import pytest

PTRACE_CONT, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_SECCOMP_GET_FILTER = 7, 17, 0x4206, 0x4207, 0x420C
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_DUMPABLE, SECCOMP_MODE_FILTER = 38, 22, 4, 2
LIBC = ctypes.CDLL(None, use_errno=True)
LIBSECCOMP = ctypes.CDLL("libseccomp.so.2")


def filter_of(pid):
    """The instructions of a process's newest filter."""
    LIBC.ptrace.restype = ctypes.c_long
    LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if LIBC.ptrace(PTRACE_SEIZE, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "PTRACE_SEIZE")
    try:
        LIBC.ptrace(PTRACE_INTERRUPT, pid, None, None)
        os.waitpid(pid, 0)
        room = ctypes.create_string_buffer(8 * 4096)
        count = LIBC.ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, ctypes.addressof(room))
        if count <= 0:
            pytest.skip(f"this kernel shows no filters ({errno.errorcode.get(ctypes.get_errno())})")
        return room.raw[:8 * count]
    finally:
        LIBC.ptrace(PTRACE_DETACH, pid, None, None)


def behind(instructions, act):
    """What act() gives in a child behind the filter: a number."""
    near, far = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            code = ctypes.create_string_buffer(instructions)
            program = struct.pack("HxxxxxxQ", len(instructions) // 8, ctypes.addressof(code))
            LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            if LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) == 0:
                os.write(far, struct.pack("i", act()))
        finally:
            os._exit(0)
    os.close(far)
    said = os.read(near, 4)
    os.close(near)
    os.waitpid(pid, 0)
    assert len(said) == 4, "the child ended before it could tell"
    return struct.unpack("i", said)[0]


def call(name, *arguments):
    number = LIBSECCOMP.seccomp_syscall_resolve_name(name.encode())
    assert number >= 0, name

    def act():
        ctypes.set_errno(0)
        done = LIBC.syscall(number, *[ctypes.c_ulong(one) for one in arguments])
        if name in ("fork", "vfork", "clone") and done == 0:
            os._exit(0)
        return 0 if done >= 0 else ctypes.get_errno()
    return act


@pytest.fixture(scope="module")
def instructions(house):
    return filter_of(house.workers()[0])


# Each is allowed, or fails otherwise than with EPERM, for the root that runs these tests without the filter.
REFUSED = {
    "execve": (0, 0, 0), "execveat": (0, 0, 0, 0, 0), "fork": (), "vfork": (), "clone": (signal.SIGCHLD, 0, 0, 0, 0),
    "unshare": (0,), "setns": (-1, 0), "ptrace": (PTRACE_CONT, 0, 0, 0), "process_vm_readv": (1, 0, 0, 0, 0, 0),
    "process_vm_writev": (1, 0, 0, 0, 0, 0), "pidfd_getfd": (-1, 0, 0), "kcmp": (1, 1, 99, 0, 0),
    "setuid": (0,), "setgid": (0,), "setresuid": (0, 0, 0), "setgroups": (0, 0), "capset": (0, 0),
    "mount": (0, 0, 0, 0, 0), "umount2": (0, 0), "pivot_root": (0, 0), "chroot": (0,), "mknod": (0, 0, 0),
    "bpf": (99, 0, 0), "perf_event_open": (0, 0, 0, 0, 0), "io_uring_setup": (0, 0), "userfaultfd": (99,),
    "init_module": (0, 0, 0), "finit_module": (-1, 0, 0), "delete_module": (0, 0), "kexec_load": (0, 0, 99, 0),
    "keyctl": (99, 0, 0, 0, 0), "symlink": (0, 0), "link": (0, 0), "chown": (0, 0, 0), "memfd_create": (0, 99),
    "kill": (0, 0), "seccomp": (99, 0, 0), "swapon": (0, 0), "reboot": (0, 0, 0, 0), "settimeofday": (0, 0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(instructions, name):
    assert behind(instructions, call(name, *REFUSED[name])) == errno.EPERM


def error_of(act):
    def safe():
        try:
            act()
        except OSError as error:
            return error.errno
        return 0
    return safe


@pytest.mark.parametrize("family,kind", [(socket.AF_INET, socket.SOCK_RAW), (socket.AF_INET6, socket.SOCK_RAW),
                                         (socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_DGRAM),
                                         (socket.AF_NETLINK, socket.SOCK_RAW), (40, socket.SOCK_STREAM)])
def test_sockets_refused(instructions, family, kind):
    assert behind(instructions, error_of(lambda: socket.socket(family, kind))) == errno.EPERM


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_STREAM | socket.SOCK_NONBLOCK])
def test_sockets_allowed(instructions, family, kind):
    assert behind(instructions, error_of(lambda: socket.socket(family, kind))) == 0


def test_what_it_has_cannot_be_taken_back(instructions):
    assert behind(instructions, call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)) == errno.EPERM


def test_memory_is_written_or_run_not_both(instructions):
    page, private, read, write, execute = 4096, 0x22, 1, 2, 4

    def mapped(rights):
        return call("mmap", 0, page, rights, private, 2**64 - 1, 0)
    assert behind(instructions, mapped(read | write)) == 0
    assert behind(instructions, mapped(read | write | execute)) == errno.EPERM


def test_a_thread_can_be_made_and_names_are_found(instructions):
    import threading

    def act():
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        socket.getaddrinfo("localhost", 80)
    assert behind(instructions, error_of(act)) == 0


# --- nginx goes on ---

def wait(until):
    end = time.monotonic() + 10
    while not until():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_logs_are_rotated_behind_it(house):
    log, old = house.dir / "log/access.json", house.dir / "log/access.json.1"
    error = house.dir / "log/error.log"
    log.rename(old)
    error.rename(error.with_suffix(".log.1"))
    os.kill(house.pid("nginx"), signal.SIGUSR1)
    wait(lambda: log.exists() and error.exists())
    wait(lambda: house.pay().status == 201 and log.stat().st_size > 0)
    # The worker's own look at what it has open, by root: the new files alone.
    names = {os.readlink(f"/proc/{house.workers()[0]}/fd/{fd}") for fd in os.listdir(f"/proc/{house.workers()[0]}/fd")}
    assert str(log) in names and str(error) in names and not any(name.endswith(".1") for name in names)


def test_a_reload_guards_the_new_workers(house):
    before = set(house.workers())
    house.run("reload", str(house.dir))
    wait(lambda: set(house.workers()) and not set(house.workers()) & before)
    assert house.pay().status == 201
    row = next(row for row in json.loads(house.run("status", "--json"))["services"] if row["service"] == "nginx")
    assert (row["seccomp"], row["no_new_privs"], row["dumpable"]) == ("filter", True, 0)
