#!/usr/bin/env python3
"""A PostgreSQL server of its own for tests: private folder, private socket, an ordinary user; TCP where it is asked for.

Promises: nothing of the machine's own clusters is touched; durable settings are the server's defaults
(fsync and synchronous_commit on); stopped by process id. As root the server runs as `postgres` or `nobody`.

As a program it runs a command beside a server: postgres.py COMMAND ARGUMENT...; the connection stands in
TOLLGATE_TEST_POSTGRES, over TCP in TOLLGATE_TEST_POSTGRES_TCP. Without PostgreSQL's programs it says so in one TAP line
and ends well.
"""
import atexit
import glob
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from lib.ports import free_ports


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
    """tcp: it listens on a loopback port too, in clear for user tollgate, with TLS and a password for user careful."""

    def __init__(self, settings=(), tcp=False):
        self.bin = programs()
        assert self.bin, "PostgreSQL's programs are not installed"
        self.before, self.user = runner()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-pg-", dir="/tmp"))
        os.chmod(self.folder, 0o755)
        self.data, self.socket = self.folder / "data", self.folder / "socket"
        self.settings = list(settings)
        self.port, self.password = (free_ports(1)[0], secrets.token_hex(16)) if tcp else (5432, None)
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
            if tcp:
                self.open_tcp()
            self.start()
            if tcp:
                self.sql(f"CREATE ROLE careful LOGIN PASSWORD '{self.password}'")
        except BaseException:
            self.close()
            raise

    def open_tcp(self):
        """Before the start: a certificate for localhost under the tests' authority, whose own stands in ca.pem."""
        from lib import house

        papers = pathlib.Path(house.certificates().name)
        shutil.copy(papers / "ca.pem", self.folder / "ca.pem")
        os.chmod(self.folder / "ca.pem", 0o644)
        for name in ("server.pem", "server.key"):
            shutil.copy(papers / name, self.data / name)
            os.chmod(self.data / name, 0o600)
            if self.before:
                shutil.chown(self.data / name, self.user)
        (self.data / "pg_hba.conf").write_text("local all all trust\nhostnossl all tollgate 127.0.0.1/32 trust\n"
                                               "hostssl all careful 127.0.0.1/32 scram-sha-256\n")
        self.settings += ["listen_addresses=127.0.0.1", "ssl=on", f"ssl_cert_file={self.data}/server.pem",
                          f"ssl_key_file={self.data}/server.key"]

    @property
    def connection(self):
        return f"host={self.socket} port={self.port} user=tollgate dbname=postgres"

    def tcp(self, more="", database=None):
        """In clear."""
        return (f"host=127.0.0.1 port={self.port} user=tollgate {more} dbname={database or self.create()}")

    def tls(self, more="", host="localhost", authority=None, database=None):
        """As an operator should: the server's certificate and name are checked, a password is shown."""
        return (f"host={host} hostaddr=127.0.0.1 port={self.port} user=careful password={self.password} "
                f"sslmode=verify-full sslrootcert={authority or self.folder / 'ca.pem'} {more} "
                f"dbname={database or self.create('careful')}")

    def start(self):
        options = ["listen_addresses=", f"port={self.port}", f"unix_socket_directories={self.socket}", "unix_socket_permissions=0777",
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
            ready = subprocess.run([self.bin / "pg_isready", "-q", "-h", self.socket, "-p", str(self.port), "-U", "tollgate", "-d", "postgres"],
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

    def sql(self, text, database="postgres", timeout=60):
        """The rows of one statement, as lists of texts."""
        out = subprocess.run([self.bin / "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-h", self.socket, "-p",
                              str(self.port), "-U", "tollgate", "-d", database, "-c", text], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, check=False, timeout=timeout)
        assert out.returncode == 0, out.stderr.decode()
        return [line.split("\t") for line in out.stdout.decode().splitlines() if line]

    def create(self, owner="tollgate"):
        """A new, empty database's name."""
        self.databases += 1
        name = f"t{os.getpid()}_{self.databases}"
        self.sql(f"CREATE DATABASE {name} OWNER {owner}")
        return name

    def database(self):
        """A new, empty database; its connection."""
        return f"host={self.socket} port={self.port} user=tollgate dbname={self.create()}"

    def connection_file(self, path, connection=None):
        """Writes a connection into a file for --store-postgres-file."""
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
            out.write((connection or self.database()) + "\n")
        return path

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


SHARED, SHARED_TCP = [], []


def wanted():
    """True when the suite runs with TOLLGATE_STORE=postgres."""
    return os.environ.get("TOLLGATE_STORE", "") == "postgres"


def shared():
    """One server for all tests of this process, each with a database of its own; ended at exit."""
    if not SHARED:
        SHARED.append(Server())
        atexit.register(SHARED[0].close)
    return SHARED[0]


def shared_tcp():
    """The same, of a server that listens on TCP."""
    if not SHARED_TCP:
        SHARED_TCP.append(Server(tcp=True))
        atexit.register(SHARED_TCP[0].close)
    return SHARED_TCP[0]


def environment(server):
    """What unit tests look for."""
    return {"TOLLGATE_TEST_POSTGRES": server.connection, "TOLLGATE_TEST_POSTGRES_TCP": server.tcp(database="postgres")}


def main():
    if programs() is None:
        print("1..0 # SKIP PostgreSQL's programs are not installed")
        return 0
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    server = Server(tcp=True)
    try:
        return subprocess.run(sys.argv[1:], env=dict(os.environ, **environment(server)), check=False).returncode
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main())
