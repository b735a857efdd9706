"""A whole instance for stories: init, up, calls, the ledger and the record read back.

Promises: everything listens on loopback ports that were free, lives in a
temporary folder and is stopped by process id; when it ends, stores, logs,
metrics and cores are searched for the secrets that the story used.
"""
import concurrent.futures
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import uuid

from lib import postgres, scan
from lib.ports import free_ports

BUILD = pathlib.Path(os.environ.get("TOLLGATE_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))



class Answer:
    """A response as a caller sees it."""

    def __init__(self, status, fields, body, seconds):
        self.status, self.fields, self.body, self.seconds = status, fields, body, seconds

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def reason(self):
        """The stable word of a refusal, in either shape; None for an answer of the upstream."""
        try:
            parsed = self.json
        except ValueError:
            return None
        if "error" in parsed:
            return parsed["error"].get("code")
        kind = parsed.get("type", "")
        return kind.rsplit(":", 1)[-1] if kind.startswith("urn:tollgate:reason:") else None

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Instance:
    def __init__(self, *init_options, sandbox=True, joins=None, connection=None):
        """joins: another Instance, whose database, sealer and processor this one shares. connection: of a server."""
        root = "/var/lib/tollgate" if os.geteuid() == 0 else tempfile.gettempdir()
        os.makedirs(root, exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="story-", dir=root))
        os.chmod(self.folder, 0o755)
        self.dir = self.folder / "instance"
        self.port, self.status_port, self.upstream_port = free_ports(3)
        self.secrets = [] if joins is None else joins.secrets
        self.joins, self.process = joins, None
        self.planted = f"planted-{uuid.uuid4().hex}"  # in the operator's environment; no service may inherit it
        with_whom = ["--upstream", f"127.0.0.1:{self.upstream_port}", *(["--sandbox"] if sandbox else [])]
        if joins is not None:
            self.upstream_port, with_whom = joins.upstream_port, ["--join", joins.dir]
        elif connection is not None or postgres.wanted():
            self.connection_file = postgres.shared().connection_file(self.folder / "connection", connection)
            with_whom += ["--store", f"postgres:{self.connection_file}"]
        self.run("init", str(self.dir), "--listen", f"127.0.0.1:{self.port}", "--status-listen",
                 f"127.0.0.1:{self.status_port}", *with_whom, *init_options, place=False)
        for name in (self.dir / "client").glob("*.key"):
            self.secrets.append(name.read_text().strip())
        self.context = ssl.create_default_context(cafile=str(self.dir / "client" / "ca.pem"))

    # --- the operator ---

    def run(self, *arguments, check=True, place=True, timeout=60):
        """One `tollgate` command; its standard output."""
        environment = dict(os.environ)
        if place:
            environment["TOLLGATE_INSTANCE"] = str(self.dir)
        done = subprocess.run([str(BUILD / "tollgate"), *map(str, arguments)], env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False)
        if check and done.returncode:
            raise AssertionError(f"tollgate {' '.join(map(str, arguments))}: {done.returncode}\n"
                                 f"{done.stdout.decode()}\n{done.stderr.decode()}")
        return done.stdout.decode() if check else done

    def up(self):
        log = open(self.folder / "up.out", "ab")
        self.process = subprocess.Popen([str(BUILD / "tollgate"), "up", str(self.dir)], stdin=subprocess.DEVNULL,
                                        stdout=log, stderr=log, env=dict(os.environ, OPERATORS_OWN=self.planted))
        self.wait_ready()
        return self

    def wait_ready(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError("up ended: " + (self.folder / "up.out").read_text()[-3000:])
            try:
                if self.status_get("/tollgate/health")[0] == 200 and self.refpay_answers():
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError("not ready: " + (self.folder / "up.out").read_text()[-3000:])

    def down(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        self.process = None

    def pid(self, name):
        return int((self.dir / "run" / f"{name}.pid").read_text().split()[0])

    def kill(self, name):
        os.kill(self.pid(name), signal.SIGKILL)

    def workers(self):
        """Process ids of the gate's workers."""
        master = self.pid("nginx")
        with open(f"/proc/{master}/task/{master}/children", encoding="ascii") as listed:
            return [int(word) for word in listed.read().split()]

    def key_create(self, partner, operations, environment="test"):
        path = self.dir / "client" / f"{uuid.uuid4().hex}.key"
        self.run("key", "create", "--partner", partner, "--environment", environment, "--operations",
                 ",".join(operations), "--out", path)
        assert path.stat().st_mode & 0o777 == 0o600
        key = path.read_text().strip()
        self.secrets.append(key)
        return key

    def keys(self, name="tour"):
        if self.joins is not None:
            return self.joins.keys(name)
        return (self.dir / "client" / f"{name}.key").read_text().strip()

    # --- the world ---

    def call(self, method, path, body=None, key=None, idempotency=None, fields=None, timeout=15, connection=None):
        """One call over TLS on a connection of its own (or the one given)."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        if idempotency is not None:
            headers["Idempotency-Key"] = idempotency
        headers.update(fields or {})
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        begin = time.monotonic()
        client = connection or self.connection(timeout)
        try:
            client.request(method, path, raw, headers)
            response = client.getresponse()
            content = response.read()
            return Answer(response.status, response.headers, content, time.monotonic() - begin)
        finally:
            if connection is None:
                client.close()

    def connection(self, timeout=15):
        return http.client.HTTPSConnection("localhost", self.port, timeout=timeout, context=self.context)

    def pay(self, amount=1050, idempotency=None, key=None, currency="EUR", payee="shop-1", **more):
        """A payment in the plain dialect with the tour's key and a fresh idempotency key."""
        body = {"amount": amount, "currency": currency, "payee": {"account": payee}, "payer": {"id": "payer-77"},
                "instrument": {"token": "tok_story"}}
        body.update(more.pop("body", {}))
        return self.call("POST", "/v1/payments", body, key=key or self.keys(),
                         idempotency=uuid.uuid4().hex if idempotency is None else idempotency, **more)

    def together(self, calls):
        """Runs the callables at the same time; their results in order."""
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            return [f.result() for f in [pool.submit(c) for c in calls]]

    def status_get(self, path):
        client = http.client.HTTPConnection("127.0.0.1", self.status_port, timeout=5)
        try:
            client.request("GET", path)
            response = client.getresponse()
            return response.status, response.read().decode()
        finally:
            client.close()

    # --- the oracle ---

    def refpay_answers(self):
        """True when there is no sandbox processor, or its control socket answers."""
        if not (self.dir / "run/refpay.pid").exists():
            return True
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            return probe.connect_ex(str(self.dir / "run/refpay.sock")) == 0

    def refpay(self, *arguments):
        if self.joins is not None:
            return self.joins.refpay(*arguments)
        done = subprocess.run([str(BUILD / "refpay"), *map(str, arguments), "--control", str(self.dir / "run/refpay.sock")],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30,
                              check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def fault(self, kind, count=1, **options):
        more = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        self.refpay("fault", kind, "--count", count, *more)

    def payments(self):
        """What the processor did, by its own books."""
        return json.loads(self.refpay("payments", "--json"))["payments"]

    def ledger(self):
        return json.loads(self.refpay("ledger", "--json"))

    def events(self):
        return [json.loads(line) for line in self.run("log", "tail", "--from", 0, "--json").splitlines() if line.strip()]

    # --- the end ---

    def search_secrets(self):
        """Where any secret of the story stands in a store, log, metric or core; empty when nowhere."""
        found = scan.found(self.folder, self.secrets, spare=("client", "sandbox", "keys"))
        if self.process and self.process.poll() is None:
            metrics = self.status_get("/tollgate/status")[1]
            found += [f"metrics hold secret {i}" for i, secret in enumerate(self.secrets) if secret in metrics]
        return found

    def close(self):
        found = []
        try:
            found = self.search_secrets()
        finally:
            try:
                self.down()
            finally:
                errors = self.dir / "log" / "error.log"
                alarm = [line for line in errors.read_text(errors="replace").splitlines()
                         if "[alert]" in line or "[emerg]" in line or "Sanitizer" in line] if errors.exists() else []
                if not os.environ.get("TOLLGATE_KEEP"):
                    shutil.rmtree(self.folder, ignore_errors=True)
        assert not found, found
        assert not [a for a in alarm if "exited on signal 9" not in a], alarm[:5]


def seeded(seed):
    return random.Random(seed)
