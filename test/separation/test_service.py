"""The units' own commands, run as systemd would run them: users, handed sockets, no network, capabilities, filters.

systemd itself need not run here: its socket hand-over, users, bounding sets and
system call filters are made by hand from what the unit files say.
"""
import ctypes
import errno
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time

import pytest

from asuser import user
from lib.story import BUILD, Instance
from test_units import UNITS, parse

ANALYZE = shutil.which("systemd-analyze")
CLONE_NEWNET = 0x40000000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
SCMP_ACT_ALLOW, SCMP_ACT_ERRNO = 0x7FFF0000, 0x00050000
CAPABILITIES = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7,
                "CAP_NET_BIND_SERVICE": 10}

pytestmark = pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze here: what its sets of calls hold is unknown")


def expand(name):
    """The system calls of a set as systemd knows it."""
    if not name.startswith("@"):
        return {name}
    out = subprocess.run([ANALYZE, "syscall-filter", name], stdout=subprocess.PIPE, check=True).stdout.decode()
    words = [line.strip() for line in out.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*(expand(word) for word in words))


def allowed(service):
    calls = set()
    for line in service["SystemCallFilter"]:
        names = set().union(*(expand(word) for word in line.lstrip("~").split()))
        calls = calls - names if line.startswith("~") else calls | names
    return sorted(calls)


def load_filter(calls):
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
                                               ctypes.c_void_p]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    wanted = ctypes.c_void_p(library.seccomp_init(SCMP_ACT_ERRNO | errno.EPERM))
    for name in calls:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number != -1:  # not known to this library
            library.seccomp_rule_add_array(wanted, SCMP_ACT_ALLOW, number, 0, None)
    if library.seccomp_load(wanted) != 0:
        raise OSError("seccomp_load")


class Service:
    """One unit's process."""

    def __init__(self, house, unit, sockets=()):
        self.service = parse(unit)["Service"]
        words = [word.replace("/var/lib/tollgate/%i", str(house.dir)) for word in shlex.split(self.service["ExecStart"][0])]
        if words[0] != "/usr/sbin/nginx":
            words[0] = str(house.folder / "programs" / os.path.basename(words[0]))
        self.handed = [self.bind(house, name) for name in sockets]
        calls = allowed(self.service)
        libc = ctypes.CDLL(None, use_errno=True)
        who = user(self.service["User"][0]) if "User" in self.service else None
        kept = {CAPABILITIES[name] for name in self.service["CapabilityBoundingSet"][0].split()}

        def become():
            if self.service.get("PrivateNetwork") == ["yes"]:
                libc.unshare(CLONE_NEWNET)
            for at, one in enumerate(self.handed):
                os.dup2(one.fileno(), 100 + at)
            for at in range(len(self.handed)):
                os.dup2(100 + at, 3 + at)
                os.close(100 + at)
            for number in range(41):
                if number not in kept:
                    libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
            if who is not None:
                os.setgroups([])
                os.setresgid(*[who.pw_gid] * 3)
                os.setresuid(*[who.pw_uid] * 3)
            libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            load_filter(calls)

        self.log = house.folder / f"{unit}.log"
        out = open(self.log, "ab")
        # LISTEN_PID is the pid of the program, which the shell hands on with exec.
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f'LISTEN_PID=$$ LISTEN_FDS={len(self.handed)} exec "$@"', "sh", *words], preexec_fn=become,
            close_fds=False, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        for one in self.handed:
            one.close()

    @staticmethod
    def bind(house, unit):
        wish = parse(unit)["Socket"]
        path = wish["ListenStream"][0].replace("/var/lib/tollgate/%i", str(house.dir))
        if os.path.exists(path):
            os.unlink(path)
        one = socket.socket(socket.AF_UNIX)
        one.bind(path)
        os.chmod(path, int(wish["SocketMode"][0], 8))
        os.chown(path, user(wish["SocketUser"][0]).pw_uid, 0)
        one.listen(128)
        return one

    def stop(self):
        number = getattr(signal, self.service.get("KillSignal", ["SIGTERM"])[0])
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(20)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def served():
    house, services = Instance(), {}
    try:
        # A service is of its user before its program starts: the build may lie where only root can look.
        (house.folder / "programs").mkdir(mode=0o755)
        for name in ("tollgate-sealer", "tollgate-keeper"):
            shutil.copy(BUILD / name, house.folder / "programs" / name)
        services["sealer"] = Service(house, "tollgate-sealer@.service", ["tollgate-sealer@.socket"])
        services["keeper"] = Service(house, "tollgate-keeper@.service",
                                     ["tollgate-keeper-gate@.socket", "tollgate-keeper-admin@.socket"])
        services["gate"] = Service(house, "tollgate-gate@.service")
        sandbox = house.dir / "sandbox"
        services["refpay"] = subprocess.Popen(
            [BUILD / "refpay", "serve", "--listen", f"127.0.0.1:{house.upstream_port}", "--control",
             house.dir / "run/refpay.sock", "--credential-file", sandbox / "upstream.credential", "--ledger",
             sandbox / "ledger.sqlite", "--user", "nobody", "--pid", house.dir / "run/refpay.pid"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        house.process = services["keeper"].process
        (house.folder / "up.out").write_text("")
        try:
            house.wait_ready(15)
            wait(lambda: listens(house.upstream_port))
        except AssertionError as error:
            logs = "".join(services[n].log.read_text()[-1500:] for n in ("sealer", "keeper", "gate"))
            raise AssertionError(f"{error}\n{logs}") from None
        yield house, services
    finally:
        house.process = None
        statuses = {}
        for name in ("gate", "keeper", "sealer"):
            if name in services:
                statuses[name] = services[name].stop()
        if "refpay" in services:
            services["refpay"].terminate()
            services["refpay"].wait()
        house.close()
    assert set(statuses.values()) == {0}, statuses


def test_it_serves(served):
    house, _ = served
    answer = house.pay()
    assert answer.status == 201, answer


def test_status_and_doctor_agree(served):
    house, services = served
    told = json.loads(house.run("status", "--json"))
    rows = {row["service"]: row for row in told["services"]}
    assert all(row["answers"] for row in rows.values())
    assert rows["keeper"]["pid"] == services["keeper"].process.pid
    assert {rows[name]["user"] for name in ("sealer", "keeper", "nginx")} == {"tollgate-sealer", "tollgate-keeper",
                                                                            "www-data"}
    assert told["keeper"]["sealer"]["keys_memory"] in ("memfd_secret", "locked")
    assert told["keeper"]["sealer"]["landlock"] == told["keeper"]["protection"]["keeper_landlock"]
    done = house.run("doctor", check=False)
    assert b"0 faults" in done.stdout, done.stdout.decode()


def test_the_daemons_never_had_rights_or_a_network(served):
    _, services = served
    for name in ("sealer", "keeper"):
        pid = services[name].process.pid
        with open(f"/proc/{pid}/status", encoding="ascii") as lines:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)
        assert int(status["CapBnd"], 16) == 0 and int(status["CapPrm"], 16) == 0
        assert int(status["Seccomp_filters"]) == 2  # the unit's and its own
        assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")


def test_the_gates_worker_is_filtered_twice(served):
    house, _ = served
    with open(f"/proc/{house.workers()[0]}/status", encoding="ascii") as lines:
        assert "Seccomp_filters:\t2\n" in lines.readlines()  # the unit's and its own
    row = next(row for row in json.loads(house.run("status", "--json"))["services"] if row["service"] == "nginx")
    assert row["dumpable"] == 0
    assert row["landlock"] == json.loads(house.run("status", "--json"))["keeper"]["protection"]["keeper_landlock"]


def wait(until):
    end = time.monotonic() + 10
    while not until():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_nginx_reloads_and_reopens_with_what_it_has(served):
    house, services = served
    master = services["gate"].process.pid
    before = set(house.workers())
    log = house.dir / "log/access.json"
    log.rename(log.with_suffix(".old"))
    os.kill(master, signal.SIGUSR1)
    wait(lambda: log.exists() and house.pay().status == 201 and log.stat().st_size)
    os.kill(master, signal.SIGHUP)
    wait(lambda: set(house.workers()) - before and house.pay().status == 201)


def test_the_keeper_comes_back_on_its_sockets(served):
    house, services = served
    services["keeper"].process.kill()
    services["keeper"].process.wait()
    services["keeper"] = Service(house, "tollgate-keeper@.service",
                                 ["tollgate-keeper-gate@.socket", "tollgate-keeper-admin@.socket"])
    house.process = services["keeper"].process
    house.wait_ready(15)
    assert house.pay().status == 201


def test_all_units_are_used():
    assert len(UNITS) == 6
