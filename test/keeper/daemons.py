"""A real sealer and a real keeper over a folder of their own, started and ended as often as a test likes."""
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile

from lib import house, postgres, scan
from lib.frames import Link, Operator, wait_until

ROUTE = "main"
CREDENTIAL = "Bearer the-upstream-secret"


class Daemons:
    def __init__(self, more=(), sealer=True, setup=True, on_postgres=None, sealer_more=(), server=None,
                 connection=None):
        """connection: of `server`; without them the shared server, when the suite is for one."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-keeper-"))
        for name in ("keys", "store"):
            (self.folder / name).mkdir(mode=0o700)
        self.store = ["--store", self.folder / "store"]
        self.on_postgres, self.sealer_more = postgres.wanted() if on_postgres is None else on_postgres, sealer_more
        self.server = server
        if self.on_postgres:
            self.server = server or postgres.shared()
            self.store = ["--store-postgres-file",
                          self.server.connection_file(self.folder / "store" / "connection", connection)]
        self.more, self.keeper, self.sealer, self.operator_link = list(more), None, None, None
        self.keys, self.secrets = {}, [CREDENTIAL]
        self.gate, self.admin = self.folder / "gate.sock", self.folder / "admin.sock"
        try:
            self.make_keys()
            if sealer:
                self.start_sealer()
            self.start_keeper()
            if sealer:
                self.wait_sealer()
            if setup:
                self.setup()
        except BaseException:
            self.close(check=False)
            raise

    # --- processes ---

    def make_keys(self):
        subprocess.run([house.BUILD / "tollgate-sealer", "--keys", self.folder / "keys", "--make-keys"], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=10)

    def start_sealer(self):
        self.sealer = house.Process("sealer", [
            house.BUILD / "tollgate-sealer", "--keys", self.folder / "keys", "--socket", self.folder / "sealer.sock",
            "--keeper-uid", os.geteuid(), "--pid", self.folder / "sealer.pid", *self.sealer_more], self.folder / "sealer.log")
        self.sealer.wait_for(lambda: '"event":"ready"' in self.sealer.tail())

    def start_keeper(self, *more):
        seen = self.ready_lines()
        self.keeper = house.Process("keeper", [
            house.BUILD / "tollgate-keeper", *self.store, "--gate-socket", self.gate,
            "--admin-socket", self.admin, "--sealer-socket", self.folder / "sealer.sock", "--pid",
            self.folder / "keeper.pid", *self.more, *more], self.folder / "keeper.log")
        self.keeper.wait_for(lambda: self.ready_lines() > seen)

    def ready_lines(self):
        path = self.folder / "keeper.log"
        return path.read_text().count('"event":"ready"') if path.exists() else 0

    def kill_keeper(self):
        self.drop_operator()
        self.keeper.kill()

    def stop_keeper(self):
        self.drop_operator()
        return self.keeper.stop()

    def fail_store(self):
        """From now on nothing can be committed."""
        if not self.on_postgres:
            resource.prlimit(self.keeper.pid, resource.RLIMIT_FSIZE, (4096, 4096))
            return
        database = pathlib.Path(self.store[1]).read_text().split("dbname=")[1].strip()
        self.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                              f"WHERE datname = '{database}' AND pid <> pg_backend_pid()")

    def wait_sealer(self):
        wait_until(lambda: self.do("status")["sealer"]["up"])

    # --- links ---

    def link(self, **more):
        return Link(self.gate, **more)

    @property
    def operator(self):
        if self.operator_link is None:
            self.operator_link = Operator(self.admin)
        return self.operator_link

    def drop_operator(self):
        if self.operator_link is not None:
            self.operator_link.close()
            self.operator_link = None

    def do(self, command, **arguments):
        return self.operator.do(command, **arguments)

    def metric(self, name):
        for line in self.do("metrics")["text"].splitlines():
            if line.startswith(f"tollgate_keeper_{name} "):
                return int(line.rsplit(" ", 1)[1])
        return 0

    def events(self, start=0):
        rows, at = [], start
        while True:
            part = self.do("log.tail", **{"from": at, "limit": 1000})
            if not part["events"]:
                return rows
            rows += part["events"]
            at = part["next"]

    # --- what is set up ---

    def partner(self, name, payment_max=100000, day_max=0, currency="EUR", limits=True):
        number = self.do("partner.add", name=name)["id"]
        if limits:
            self.do("limit.set", partner=name, environment="test", currency=currency, payment_max=payment_max,
                    day_max=day_max)
        return number

    def key(self, partner="shop", operations=("*",), expires_s=0):
        key = house.api_key()
        self.secrets.append(key)
        number = self.do("key.create", partner=partner, environment="test", operations=list(operations),
                         hash=house.key_hash(key), prefix=key[:17], expires_s=expires_s)["id"]
        return key, number

    def setup(self):
        self.shop = self.partner("shop")
        self.shop_key, self.shop_credential = self.key("shop")
        self.do("route.set", route=ROUTE, credential=CREDENTIAL)
        self.who = (self.shop, self.shop_credential)

    # --- the end ---

    def close(self, check=True):
        self.drop_operator()
        statuses = []
        for process in (self.keeper, self.sealer):
            if process is not None:
                statuses.append(process.stop())
        try:
            if check:
                assert all(status in (0, -signal.SIGKILL) for status in statuses), statuses
                self.check_secrets()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def check_secrets(self):
        for path in self.folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert b"AddressSanitizer" not in data and b"runtime error:" not in data, data[-3000:]
        assert not (places := scan.found(self.folder, self.secrets, spare=("keys",))), places
