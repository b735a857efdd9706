#!/usr/bin/env python3
"""A PostgreSQL server of its own for tests: private folder, private socket, no TCP, an ordinary user.

Promises: nothing of the machine's own clusters is touched; durable settings are the server's defaults
(fsync and synchronous_commit on); stopped by process id. As root the server runs as `postgres` or `nobody`.

As a program it runs a command beside a server: postgres.py COMMAND ARGUMENT...; the connection stands in
TOLLGATE_TEST_POSTGRES. Without PostgreSQL's programs it says so in one TAP line and ends well.
"""
import atexit
import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time


def programs():
    """The folder with initdb and postgres, the newest; None when there is none."""
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    found.sort(key=lambda path: int(path.split("/")[4]) if path.split("/")[4].isdigit() else 0)
    return pathlib.Path(found[-1]).parent if found else None


def runner():
    """What to put before a command so that it does not run as root, and the user's name."""
    if os.geteuid() != 0:
        return [], pwd.getpwuid(os.geteuid()).pw_name
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"], name
    raise RuntimeError("no user to run a server as")


class Server:
    def __init__(self, settings=()):
        self.bin = programs()
        assert self.bin, "PostgreSQL's programs are not installed"
        self.before, self.user = runner()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-pg-", dir="/tmp"))
        os.chmod(self.folder, 0o755)
        self.data, self.socket = self.folder / "data", self.folder / "socket"
        self.settings = list(settings)
        self.process = None
        self.databases = 0
        for path in (self.data, self.socket):
            path.mkdir(mode=0o700)
            if self.before:
                shutil.chown(path, self.user)
        os.chmod(self.socket, 0o755)
        try:
            subprocess.run([*self.before, self.bin / "initdb", "-D", self.data, "-U", "tollgate", "-A", "trust", "-E",
                            "UTF8", "--no-locale", "--no-instructions", "-N"], check=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120, cwd="/",
                           env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def connection(self):
        return f"host={self.socket} user=tollgate dbname=postgres"

    def start(self):
        options = ["listen_addresses=", f"unix_socket_directories={self.socket}", "unix_socket_permissions=0777",
                   "max_connections=60", "shared_buffers=64MB", "max_wal_size=2GB", "checkpoint_timeout=15min",
                   "autovacuum_naptime=10s", *self.settings]
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [*self.before, self.bin / "postgres", "-D", self.data, *[w for o in options for w in ("-c", o)]],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            start_new_session=True)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            ready = subprocess.run([self.bin / "pg_isready", "-q", "-h", self.socket, "-U", "tollgate", "-d", "postgres"],
                                   stdin=subprocess.DEVNULL, check=False, timeout=10)
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError("the server does not answer")

    def stop(self, how=signal.SIGINT):
        """SIGINT: fast, sessions are ended. SIGQUIT: as a crash."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.process = None

    def sql(self, text, database="postgres"):
        """The rows of one statement, as lists of texts."""
        out = subprocess.run([self.bin / "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-h", self.socket, "-U", "tollgate",
                              "-d", database, "-c", text], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, check=False, timeout=60)
        assert out.returncode == 0, out.stderr.decode()
        return [line.split("\t") for line in out.stdout.decode().splitlines() if line]

    def database(self):
        """A new, empty database; its connection."""
        self.databases += 1
        name = f"t{os.getpid()}_{self.databases}"
        self.sql(f"CREATE DATABASE {name}")
        return f"host={self.socket} user=tollgate dbname={name}"

    def connection_file(self, path, connection=None):
        """Writes a connection into a file for --store-postgres-file."""
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
            out.write((connection or self.database()) + "\n")
        return path

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


SHARED = []


def wanted():
    """True when the suite runs with TOLLGATE_STORE=postgres."""
    return os.environ.get("TOLLGATE_STORE", "") == "postgres"


def shared():
    """One server for all tests of this process, each with a database of its own; ended at exit."""
    if not SHARED:
        SHARED.append(Server())
        atexit.register(SHARED[0].close)
    return SHARED[0]


def main():
    if programs() is None:
        print("1..0 # SKIP PostgreSQL's programs are not installed")
        return 0
    server = Server()
    try:
        return subprocess.run(sys.argv[1:], env=dict(os.environ, TOLLGATE_TEST_POSTGRES=server.connection),
                              check=False).returncode
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main())
