"""One gate before a scripted upstream, with the real keeper and sealer, or with the scripted keeper.

Promises: its own folder, loopback ports that were free, everything stopped by
process id; when it ends, no error log holds an alert or a sanitizer's report,
and no log holds a key that a test used. Does not: share anything between
instances but the certificates.
"""
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import uuid

from . import house, scan
from .raw import Answer, Http1, Http2
from .scripted_keeper import ScriptedKeeper
from .upstream import Upstream

ROUTE = "test-route"
CREDENTIAL = "Bearer upstream-secret"
PROFILE = pathlib.Path(__file__).resolve().parents[2] / "profiles" / "generic-json.json"
BAD_LINES = re.compile(r"\[(alert|emerg|crit)\]|AddressSanitizer|runtime error:|LeakSanitizer|open socket")

# The gated settings that the shipped configuration has too: tests take one away and see `nginx -t` fail.
GOOD = {
    "tollgate": "on",
    "tollgate_route": ROUTE,
    "tollgate_profile": "@PROFILE@",
    "tollgate_admit_wait": "1s",
    "tollgate_settle_wait": "2s",
    "tollgate_upstream_credential": "Authorization",
    "client_max_body_size": "64k",
    "client_body_buffer_size": "64k",
    "send_timeout": "10s",
    "proxy_pass": "http://127.0.0.1:@UPSTREAM@",
    "proxy_http_version": "1.1",
    "proxy_next_upstream": "off",
    "proxy_ignore_client_abort": "on",
    "proxy_request_buffering": "on",
    "proxy_max_temp_file_size": "0",
    "proxy_connect_timeout": "1s",
    "proxy_send_timeout": "2s",
    "proxy_read_timeout": "1500ms",
    "proxy_ignore_headers": "X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset",
}

PROBLEMS = {"request_refused": "400 414 495 496 497 505 =400", "method_not_allowed": "405", "request_framing": "408 411 =400",
            "body_too_large": "413", "expectation": "417", "headers_too_large": "494 =431", "transfer_coding": "501"}

CONF = """
@USER@
daemon off;
worker_processes 1;
pid @DIR@/nginx.pid;
error_log @DIR@/error.log notice;
load_module @MODULE@;
@MAIN@
events { worker_connections 1024; }
http {
    default_type application/octet-stream;
    server_tokens off;
    client_body_temp_path @DIR@/tmp; proxy_temp_path @DIR@/tmp; fastcgi_temp_path @DIR@/tmp;
    uwsgi_temp_path @DIR@/tmp; scgi_temp_path @DIR@/tmp;
    log_format line escape=json '{"request_id":"$tollgate_request_id","mode":"$tollgate_mode",'
        '"verdict":"$tollgate_verdict","reason":"$tollgate_reason","outcome":"$tollgate_outcome","status":$status,'
        '"partner":"$tollgate_partner","route":"$tollgate_route","operation":"$tollgate_operation",'
        '"template":"$tollgate_template","auth_ms":"$tollgate_auth_ms","admit_ms":"$tollgate_admit_ms",'
        '"settle_ms":"$tollgate_settle_ms","upstream_ms":"$tollgate_upstream_ms"}';
    access_log @DIR@/access.json line;
    client_header_timeout 5s; client_body_timeout 5s; keepalive_timeout 10s;
    client_header_buffer_size 1k; large_client_header_buffers 2 4k;
    ignore_invalid_headers @IGNORE_INVALID@;
    underscores_in_headers @UNDERSCORES@;
    merge_slashes off; absolute_redirect off; etag off; gzip off;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate @TLS@/server.pem; ssl_certificate_key @TLS@/server.key;
    @KEEPER@
    @HTTP@
    server {
        listen 127.0.0.1:@PORT@ ssl http2;
        server_name localhost;
        @SERVER@
        @PROBLEMS@
        location / {
            @GATED@
            @LOCATION@
        }
        @LOCATIONS@
    }
    server {
        listen 127.0.0.1:@STATUS@;
        access_log off;
        location = /tollgate/status { tollgate_status; }
        location = /tollgate/health { tollgate_health; }
    }
    @SERVERS@
}
"""


class Instance:
    def __init__(self, keeper="real", settings=None, start=True, **blocks):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-gate-"))
        for name in ("tmp", "keys", "store"):
            (self.folder / name).mkdir(mode=0o700)
        self.port, self.status_port = house.free_ports(2)
        self.secrets, self.processes = [CREDENTIAL], {}
        self.context = house.tls_context()
        self.upstream = Upstream()
        self.keeper = None
        self.key = None
        self.write_conf(settings, **blocks)
        try:
            if start:
                self.start(keeper)
        except BaseException:
            self.close(check=False)
            raise

    # --- configuration ---

    def conf_text(self, settings=None, keeper_line=None, ignore_invalid="off", underscores="on", problems=PROBLEMS,
                  main="", http="", server="", location="", locations="", servers=""):
        lines = dict(GOOD, **(settings or {}))
        gated = "\n            ".join(f"{name} {value};" for name, value in lines.items() if value is not None)
        pages = []
        for name, statuses in problems.items():
            pages.append(f"error_page {statuses} /.tollgate/{name};")
            pages.append(f"location = /.tollgate/{name} {{ internal; tollgate_problem {name}; }}")
        user = f"user {pwd.getpwuid(os.geteuid()).pw_name};" if os.geteuid() == 0 else ""
        keeper = f"tollgate_keeper unix:{self.folder}/gate.sock;" if keeper_line is None else keeper_line
        # Blocks first: they may hold the marks that come after them.
        text = CONF
        for mark, value in (("MAIN", main), ("HTTP", http), ("SERVER", server), ("PROBLEMS", "\n        ".join(pages)),
                            ("LOCATION", location), ("LOCATIONS", locations), ("SERVERS", servers), ("GATED", gated),
                            ("KEEPER", keeper), ("IGNORE_INVALID", ignore_invalid), ("UNDERSCORES", underscores),
                            ("USER", user), ("MODULE", house.BUILD / "ngx_http_tollgate_module.so"),
                            ("TLS", house.certificates().name), ("PORT", self.port), ("STATUS", self.status_port),
                            ("PROFILE", PROFILE), ("UPSTREAM", self.upstream.port), ("DIR", self.folder)):
            text = text.replace(f"@{mark}@", str(value))
        return text

    def write_conf(self, settings=None, **blocks):
        (self.folder / "nginx.conf").write_text(self.conf_text(settings, **blocks))

    def nginx_arguments(self):
        return ["/usr/sbin/nginx", "-p", self.folder, "-e", self.folder / "error.log", "-c", self.folder / "nginx.conf"]

    def nginx_environment(self):
        """TOLLGATE_PRELOAD: the sanitizer's runtime, for modules that were built with one."""
        preload = os.environ.get("TOLLGATE_PRELOAD")
        return {"LD_PRELOAD": preload, "ASAN_OPTIONS": "detect_leaks=0:report_globals=0"} if preload else {}

    def conf_test(self):
        """nginx -t: its status and what it says."""
        done = subprocess.run(list(map(str, self.nginx_arguments())) + ["-t"], stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20,
                              env=dict(os.environ, **self.nginx_environment()))
        return done.returncode, done.stdout.decode(errors="replace")

    # --- processes ---

    def start(self, keeper="real"):
        if keeper == "real":
            self.start_sealer()
            self.start_keeper()
            self.setup()
        elif keeper == "scripted":
            self.keeper = ScriptedKeeper(self.folder / "gate.sock")
            self.key = self.secret(house.api_key())
        else:
            self.key = self.secret(house.api_key())
        self.start_nginx()
        return self

    def secret(self, value):
        self.secrets.append(value)
        return value

    def start_sealer(self):
        if not any((self.folder / "keys").iterdir()):
            subprocess.run([str(house.BUILD / "tollgate-sealer"), "--keys", str(self.folder / "keys"), "--make-keys"],
                           check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=10)
        self.processes["sealer"] = house.Process("sealer", [
            house.BUILD / "tollgate-sealer", "--keys", self.folder / "keys", "--socket", self.folder / "sealer.sock",
            "--keeper-uid", os.geteuid(), "--pid", self.folder / "sealer.pid"], self.folder / "sealer.log")
        self.processes["sealer"].wait_for(lambda: (self.folder / "sealer.sock").exists())

    def start_keeper(self):
        process = self.processes["keeper"] = house.Process("keeper", [
            house.BUILD / "tollgate-keeper", "--store", self.folder / "store", "--gate-socket", self.folder / "gate.sock",
            "--admin-socket", self.folder / "admin.sock", "--sealer-socket", self.folder / "sealer.sock",
            "--gate-uid", os.geteuid(), "--admin-uid", os.geteuid(), "--pid", self.folder / "keeper.pid"],
            self.folder / "keeper.log")
        process.wait_for(lambda: (self.folder / "admin.sock").exists() and self._answers())

    def _answers(self):
        try:
            return self.admin("status") is not None
        except (OSError, AssertionError, struct.error):
            return False

    def start_nginx(self):
        process = self.processes["nginx"] = house.Process("nginx", self.nginx_arguments(), self.folder / "nginx.out",
                                                         self.nginx_environment())
        process.wait_for(self._listens)

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.status_port)) == 0

    def worker(self):
        return house.children(self.processes["nginx"].pid)[0]

    def reload(self):
        old = set(house.children(self.processes["nginx"].pid))
        self.processes["nginx"].deliver(signal.SIGHUP)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            if set(house.children(self.processes["nginx"].pid)) - old:
                return
            time.sleep(0.01)
        raise AssertionError("no new worker: " + self.error_log()[-2000:])

    # --- the keeper's operator ---

    def admin(self, command, **arguments):
        body = json.dumps({"command": command, "arguments": arguments}).encode()
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(5)
            link.connect(str(self.folder / "admin.sock"))
            link.sendall(struct.pack(">IBBHII", len(body), 1, 32, 0, 1, 0) + body)
            rows = []
            while True:
                head = self._take(link, 16)
                reply = json.loads(self._take(link, struct.unpack(">I", head[:4])[0]))
                assert reply["ok"], f"{command}: {reply}"
                if not reply.get("more"):
                    break
                rows.append(reply["result"])
        result = reply["result"]
        if isinstance(result, dict) and "rows" in result:
            return [row for part in [*rows, result] for row in part["rows"]]
        return rows + [result] if rows else result

    @staticmethod
    def _take(link, count):
        data = b""
        while len(data) < count:
            got = link.recv(count - len(data))
            assert got, "the admin link ended"
            data += got
        return data

    def setup(self):
        self.admin("partner.add", name="shop")
        self.admin("limit.set", partner="shop", environment="test", currency="EUR", payment_max=1_000_000, day_max=0)
        self.admin("route.set", route=ROUTE, credential=CREDENTIAL)
        self.key = self.key_create()

    def key_create(self, operations=("*",), partner="shop", environment="test"):
        key = self.secret(house.api_key(environment))
        self.admin("key.create", partner=partner, environment=environment, operations=list(operations),
                   hash=house.key_hash(key), prefix=key[:17], expires_s=0)
        return key

    # --- callers ---

    def http1(self, **options):
        return Http1(self.port, self.context, **options)

    def http2(self, **options):
        return Http2(self.port, self.context, **options)

    def head(self, method="POST", path="/v1/payments", fields=(), key=True, idempotency=True, content_type=True,
             host="localhost", version="1.1"):
        """The bytes of a request's head, without the end of its fields."""
        lines = [f"{method} {path} HTTP/{version}", f"Host: {host}"]
        if key:
            lines.append(f"Authorization: Bearer {self.key if key is True else key}")
        if idempotency:
            lines.append(f"Idempotency-Key: {uuid.uuid4().hex if idempotency is True else idempotency}")
        if content_type:
            lines.append(f"Content-Type: {'application/json' if content_type is True else content_type}")
        lines += [line if isinstance(line, str) else f"{line[0]}: {line[1]}" for line in fields]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n"

    def bytes_of(self, body=None, **head):
        body = payment() if body is None else body
        return self.head(**head) + b"Content-Length: %d\r\n\r\n" % len(body) + body

    def pay(self, body=None, timeout=10, **head) -> Answer:
        """One call on a connection of its own."""
        with self.http1(timeout=timeout) as client:
            return client.send(self.bytes_of(body, **head)).read()

    def say(self, data, timeout=10):
        """Raw bytes on a connection of their own; the first answer."""
        with self.http1(timeout=timeout) as client:
            return client.send(data).read()

    def page(self, path, method="GET"):
        with socket.create_connection(("127.0.0.1", self.status_port), 5) as link:
            link.sendall(f"{method} {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            data = b""
            while got := link.recv(65536):
                data += got
        head, body = data.split(b"\r\n\r\n", 1)
        return int(head.split(b" ")[1]), head.decode(), body.decode()

    def metric(self, name):
        body = self.page("/tollgate/status")[2]
        found = re.search(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", body, re.M)
        return float(found[1]) if found else 0.0

    def reason_count(self, reason, observed=False):
        name = "tollgate_gate_observed_reasons_total" if observed else "tollgate_gate_reasons_total"
        found = re.search(rf'^{name}\{{code="\d+",reason="{reason}"\}} (\d+)$', self.page("/tollgate/status")[2], re.M)
        return int(found[1]) if found else 0

    # --- what was left behind ---

    def error_log(self):
        path = self.folder / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def access_lines(self):
        return [json.loads(line) for line in (self.folder / "access.json").read_text().splitlines()]

    def last_line(self, request_id, seconds=2):
        """The access line of one request; it is written after the answer."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in self.access_lines():
                if line["request_id"] == request_id:
                    return line
            time.sleep(0.01)
        raise AssertionError(f"no access line for {request_id}")

    def check_logs(self):
        bad = [line for line in self.error_log().splitlines() if BAD_LINES.search(line)]
        assert not bad, "\n".join(bad[:20])
        for path in [*self.folder.glob("*.log"), *self.folder.glob("*.out")]:
            assert not re.search("AddressSanitizer|runtime error:", path.read_text(errors="replace")), path
        assert not (places := scan.found(self.folder, self.secrets, spare=("keys",))), places

    def close(self, check=True):
        failures = []
        for name in ("nginx", "keeper", "sealer"):
            process = self.processes.pop(name, None)
            try:
                status = process.stop() if process else 0
                if check and status not in (0, -signal.SIGKILL):
                    failures.append(f"{name} ended with {status}: {process.tail()}")
            except AssertionError as error:
                failures.append(str(error))
        if self.keeper:
            self.keeper.close()
        self.upstream.close()
        try:
            if check:
                assert not failures, "\n".join(failures)
                self.check_logs()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def payment(amount=1050, currency="EUR", **more):
    return json.dumps({"amount": amount, "currency": currency, "payee": {"account": "shop-1"}, **more},
                      separators=(",", ":")).encode()
