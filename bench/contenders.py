"""Who runs side by side: each before the same upstream, with the same certificates, one worker.

Promises: everything listens on loopback ports that were free, in one folder, and is stopped by
process id. Does not: tune anyone but by what stands here: nobody but Tollgate writes an access log.
"""
import atexit
import base64
import datetime
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

from measure import BUILD, ROOT, pin

os.environ.setdefault("TOLLGATE_BUILD", str(BUILD))
sys.path.insert(0, str(ROOT / "test"))
from lib import postgres, story  # noqa: E402

ANSWER_BYTES = 230
BODY = {"amount": 1050, "currency": "EUR", "payee": {"account": "shop-1"}, "payer": {"id": "payer-77"},
        "instrument": {"token": "tok_load"}, "reference": "load"}
TITLES = {"sqlite": "Tollgate on SQLite", "postgres": "Tollgate on PostgreSQL"}


# Debian's PostgreSQL as it comes, but with memory for what the growth part stores, and fewer checkpoints.
SERVER = ["shared_buffers=2GB", "max_wal_size=4GB"]


def server():
    """The database server, started when it is first asked for; it goes to whichever processor has room."""
    if not postgres.SHARED:
        postgres.SHARED.append(postgres.Server(SERVER))
        atexit.register(postgres.SHARED[0].close)
    return postgres.shared()


def settled_rows(folder, connection):
    """Settled payments in a store that nobody uses, by its own rows."""
    if connection:
        found = server().sql("SELECT count(*) FROM tollgate_settlement WHERE outcome = 1",
                             connection.rpartition("dbname=")[2], timeout=600)
        return int(found[0][0])
    total = 0
    for path in pathlib.Path(folder).glob("**/*.sqlite"):
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            total += database.execute("SELECT count(*) FROM entry WHERE kind = 5").fetchone()[0]
        except sqlite3.OperationalError as absent:
            if "no such table" not in str(absent):
                raise
        finally:
            database.close()
    return total


def body_230():
    """The payment: 230 bytes of JSON."""
    text = json.dumps(dict(BODY, description=""), separators=(",", ":"))
    return json.dumps(dict(BODY, description="x" * (230 - len(text))), separators=(",", ":"))


def answer_230():
    text = '{"id":"pay_1","status":"captured","amount":1050,"currency":"EUR","note":""}'
    return text.replace('""}', '"' + "y" * (ANSWER_BYTES - len(text)) + '"}')


def client_certificate(instance):
    """A caller's, of the instance's own authority: paths of certificate and key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    authority = x509.load_pem_x509_certificate((instance.dir / "tls/ca.pem").read_bytes())
    authority_key = serialization.load_pem_private_key((instance.dir / "tls/ca.key").read_bytes(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.utcnow()
    made = (x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")]))
            .issuer_name(authority.subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(authority_key, hashes.SHA256()))
    paths = instance.folder / "bench.pem", instance.folder / "bench.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return paths


class Stage:
    """The folder, the ports, the upstream, and a Tollgate instance whose certificates all of them use."""

    def __init__(self, pins):
        self.pins = pins
        self.instance = story.Instance("--workers", "1", "--rate", "1000000", sandbox=False)
        self.dir = self.instance.folder
        self.tls = self.instance.dir / "tls"
        self.ca = self.instance.dir / "client" / "ca.pem"
        self.processes = []
        self.user = "user www-data;" if os.geteuid() == 0 else ""
        self.certificate, self.certificate_key = client_certificate(self.instance)
        (self.dir / "body.json").write_text(body_230())
        self.upstream = self.nginx("upstream", f"""
            server {{
                listen 127.0.0.1:{self.instance.upstream_port} backlog=1024;
                location / {{ default_type application/json; return 201 '{answer_230()}'; }}
            }}""", pins["other"])

    def start(self, name, command):
        log = open(self.dir / f"{name}.out", "ab")
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def nginx(self, name, http, processors, main=""):
        """A stock nginx; the id of its worker."""
        folder = self.dir / name
        folder.mkdir()
        (folder / "nginx.conf").write_text(f"""
            {self.user}
            daemon off; worker_processes 1; worker_rlimit_core 0; pid {folder}/nginx.pid; {main}
            error_log {folder}/error.log warn;
            events {{ worker_connections 4096; }}
            http {{
                access_log off; server_tokens off; keepalive_requests 10000000; keepalive_timeout 75s;
                client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp;
                uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
                {http}
            }}""")
        process = self.start(name, ["/usr/sbin/nginx", "-c", folder / "nginx.conf", "-p", folder, "-e",
                                    folder / "error.log"])
        return self.worker(process, name, processors)

    def worker(self, process, name, processors):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended: " + (self.dir / f"{name}.out").read_text()[-2000:])
            found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], stdout=subprocess.PIPE, text=True,
                                   check=False).stdout.split()
            if found:
                time.sleep(0.2)
                pin(int(found[0]), processors)
                return int(found[0])
            time.sleep(0.05)
        raise RuntimeError(f"{name} has no worker")

    def server(self, port, location, more=""):
        """A TLS server of a stock nginx before the upstream, with the settings that Tollgate's has."""
        return f"""
            upstream payments {{ server 127.0.0.1:{self.instance.upstream_port}; keepalive 64;
                                 keepalive_requests 100000; }}
            ssl_protocols TLSv1.3; ssl_session_tickets off; ssl_session_cache shared:tls:10m;
            server {{
                listen 127.0.0.1:{port} ssl http2 backlog=1024;
                ssl_certificate {self.tls}/server.pem; ssl_certificate_key {self.tls}/server.key;
                ssl_client_certificate {self.tls}/ca.pem; ssl_verify_client optional; ssl_crl {self.tls}/crl.pem;
                client_max_body_size 256k; client_body_buffer_size 256k;
                location / {{ {location}
                    proxy_pass http://payments; proxy_http_version 1.1; proxy_set_header Connection "";
                    proxy_buffer_size 16k; proxy_buffers 8 16k; }}
                {more}
            }}"""

    def close(self):
        self.instance.down()
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        if not os.environ.get("TOLLGATE_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)


class Contender:
    """name: a word; title: what the table says; processes: {role: pid} whose time is counted."""

    token = None
    counts_claims = False

    def __init__(self, stage):
        self.stage, self.processes = stage, {}
        self.ca, self.certificate, self.certificate_key = stage.ca, stage.certificate, stage.certificate_key
        self.port = story.free_ports(1)[0]
        self.start()

    def start(self):
        raise NotImplementedError


class Bare(Contender):
    name, title = "bare", "nginx, bare proxy"

    def start(self):
        self.processes["worker"] = self.stage.nginx(self.name, self.stage.server(self.port, ""),
                                                    self.stage.pins["worker"])


class Twice(Contender):
    """The bare proxy before the bare proxy: only to compare generators, which must not be what limits them."""

    name, title = "twice", "nginx, bare proxy before itself"

    def __init__(self, stage, bare):
        self.bare = bare
        super().__init__(stage)

    def start(self):
        http = self.stage.server(self.port, "").replace(f"127.0.0.1:{self.stage.instance.upstream_port}",
                                                        f"127.0.0.1:{self.bare.port}")
        self.processes["worker"] = self.stage.nginx(self.name, http.replace("http://payments;", "https://payments; proxy_ssl_protocols TLSv1.3;"),
                                                    self.stage.pins["worker"])


class AuthRequest(Contender):
    name, title = "auth_request", "nginx, auth_request to a second nginx"

    def start(self):
        port = story.free_ports(1)[0]
        self.processes["second nginx"] = self.stage.nginx("auth", f"""
            server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }}""", self.stage.pins["other"])
        http = f"upstream auth {{ server 127.0.0.1:{port}; keepalive 64; keepalive_requests 100000; }}"
        http += self.stage.server(self.port, "auth_request /auth;", """
                location = /auth { internal; proxy_pass http://auth; proxy_http_version 1.1;
                    proxy_set_header Connection ""; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
            """)
        self.processes["worker"] = self.stage.nginx(self.name, http, self.stage.pins["worker"])


class ModSecurity(Contender):
    name, title = "modsecurity", "nginx, ModSecurity and Core Rule Set"

    def start(self):
        rules = self.stage.dir / "modsecurity.conf"
        # Debian's own files; detection only is turned to On, and its logs stay in our folder.
        rules.write_text(f"Include /etc/nginx/modsecurity.conf\nSecRuleEngine On\n"
                         f"SecAuditLog {self.stage.dir}/modsecurity.log\n"
                         # owasp-crs.load says IncludeOptional, which this library does not know.
                         "Include /etc/modsecurity/crs/crs-setup.conf\n"
                         "Include /usr/share/modsecurity-crs/rules/*.conf\n")
        self.processes["worker"] = self.stage.nginx(
            self.name, f"modsecurity on; modsecurity_rules_file {rules};" + self.stage.server(self.port, ""),
            self.stage.pins["worker"], "load_module /usr/lib/nginx/modules/ngx_http_modsecurity_module.so;")


class HAProxy(Contender):
    name, title = "haproxy", "HAProxy, ES256 jwt_verify and nothing else"

    def start(self):
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, utils

        key = ec.generate_private_key(ec.SECP256R1())
        public = self.stage.dir / "jwt.pem"
        public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM,
                                                         serialization.PublicFormat.SubjectPublicKeyInfo))

        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        signed = part(b'{"alg":"ES256","typ":"JWT"}') + b"." + part(json.dumps(
            {"iss": "bench", "sub": "shop-1", "aud": "payments", "exp": int(time.time()) + 86400}).encode())
        r, s = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
        self.token = self.stage.dir / "jwt.key"
        self.token.write_bytes(signed + b"." + part(r.to_bytes(32, "big") + s.to_bytes(32, "big")))
        bundle = self.stage.dir / "server-bundle.pem"
        bundle.write_bytes((self.stage.tls / "server.pem").read_bytes() + (self.stage.tls / "server.key").read_bytes())
        conf = self.stage.dir / "haproxy.cfg"
        conf.write_text(f"""
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 5s
    http-reuse always
frontend payments
    bind 127.0.0.1:{self.port} ssl crt {bundle} ca-file {self.stage.tls}/ca.pem verify optional ssl-min-ver TLSv1.3 alpn h2,http/1.1
    http-request set-var(txn.bearer) http_auth_bearer
    http-request deny unless {{ var(txn.bearer),jwt_verify("ES256","{public}") -m int 1 }}
    default_backend upstream
backend upstream
    server upstream 127.0.0.1:{self.stage.instance.upstream_port} pool-max-conn 64
""")
        process = self.stage.start(self.name, ["/usr/sbin/haproxy", "-db", "-f", conf])
        time.sleep(0.5)
        if process.poll() is not None:
            raise RuntimeError("haproxy ended: " + (self.stage.dir / "haproxy.out").read_text()[-2000:])
        pin(process.pid, self.stage.pins["worker"])
        self.processes["worker"] = process.pid


class Tollgate(Contender):
    """The shipped nginx.conf, but for one worker and a rate limit that is out of the way; its access log is on."""

    counts_claims = True

    def __init__(self, stage, store):
        self.store = store
        self.name, self.title = f"tollgate-{store}", TITLES[store]
        super().__init__(stage)

    def start(self):
        self.instance = self.stage.instance if self.store == "sqlite" else self.second()
        instance = self.instance
        instance.up()
        self.port, self.token = instance.port, self.stage.dir / f"{self.name}.key"
        credential = self.stage.dir / "upstream.credential"
        credential.write_text("bench-upstream-credential\n")
        credential.chmod(0o600)
        instance.run("route", "set", "generic", "--credential-file", credential)
        instance.run("partner", "add", "bench")
        instance.run("partner", "limit", "set", "bench", "--currency", "EUR", "--payment-max", "1000000", "--day-max",
                     "900000000000000")
        instance.run("partner", "certificate", "add", "--partner", "bench", "--file", self.certificate)
        instance.run("key", "create", "--partner", "bench", "--operations", "*", "--out", self.token)
        self.processes = {"worker": instance.workers()[0], "keeper": instance.pid("keeper"),
                          "sealer": instance.pid("sealer")}
        if self.store == "postgres":
            self.processes["server"] = server().process.pid
        for name, pid in self.processes.items():
            if name != "server":
                pin(pid, self.stage.pins["worker" if name == "worker" else "other"])

    def second(self):
        """An instance of its own, with its own authority, before the same upstream."""
        self.connection = server().database()
        instance = story.Instance("--workers", "1", "--rate", "1000000", sandbox=False, connection=self.connection)
        conf, port = instance.dir / "nginx.conf", self.stage.instance.upstream_port
        conf.write_text(conf.read_text().replace(f"127.0.0.1:{instance.upstream_port}", f"127.0.0.1:{port}"))
        self.ca = instance.dir / "client/ca.pem"
        self.certificate, self.certificate_key = client_certificate(instance)
        return instance

    def counted(self):
        """Numbers of the keeper's own, as its metrics say them."""
        found = {}
        for line in self.instance.status_get("/tollgate/status")[1].splitlines():
            if line.startswith("tollgate_keeper_"):
                name, value = line.rsplit(" ", 1)
                found[name[len("tollgate_keeper_"):]] = float(value)
        return {"claims": found["claims_live"], "allowed": found['verdicts_total{verdict="allow"}'],
                "final": found['outcomes_total{outcome="final"}'], "events": found["events"],
                "unknown": found["claims_unknown"], "in_flight": found["claims_in_flight"]}

    def rows(self):
        """Settled payments in the store itself, counted when nothing runs any more."""
        return settled_rows(self.instance.dir / "store", self.connection if self.store == "postgres" else None)
