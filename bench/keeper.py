"""The keeper alone: keeper_bench against a real keeper and sealer, and what its cost does as it grows.

Promises: a store of its own for each series; filled stores are filled by store_bench through the store's own
commit path. Does not: pin the generator apart from the keeper's other threads: two processors are all there are.
"""
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

from contenders import server
from measure import BUILD, Marked, pin

BENCH = BUILD / "src/keeper/keeper_bench"
FILL = BUILD / "src/store/store_bench"


class Keeper:
    """A sealer and a keeper over one folder."""

    def __init__(self, root, store, pins):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-keeper-", dir=root))
        self.store, self.pins, self.running = store, pins, []
        for name in ("keys", "store"):
            (self.folder / name).mkdir(mode=0o700)
        self.words, self.fill = ["--store", self.folder / "store"], self.folder / "store"
        self.connection = None
        if store == "postgres":
            self.connection = server().database()
            file = server().connection_file(self.folder / "connection", self.connection)
            self.words, self.fill = ["--store-postgres-file", file], f"postgres:{self.connection}"
        subprocess.run([BUILD / "tollgate-sealer", "--keys", self.folder / "keys", "--make-keys"], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        begin = time.monotonic()
        uid = os.geteuid()
        self.pids = {}
        for name, words in (
                ("sealer", ["--keys", self.folder / "keys", "--socket", self.folder / "sealer.sock", "--keeper-uid", uid]),
                ("keeper", [*self.words, "--gate-socket", self.folder / "gate.sock", "--admin-socket",
                            self.folder / "admin.sock", "--sealer-socket", self.folder / "sealer.sock"])):
            log = self.folder / f"{name}.log"
            log.write_text("")
            process = subprocess.Popen([str(w) for w in (BUILD / f"tollgate-{name}", *words, "--log", log)],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.running.append(process)
            self.pids[name] = process.pid
            end = time.monotonic() + 300
            while '"event":"ready"' not in log.read_text():
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{name}: " + log.read_text()[-2000:])
                time.sleep(0.02)
        self.start_s = time.monotonic() - begin
        end = time.monotonic() + 10
        while '"event":"sealer_ready"' not in (self.folder / "keeper.log").read_text():
            if time.monotonic() > end:
                raise RuntimeError("no sealer: " + (self.folder / "keeper.log").read_text()[-2000:])
            time.sleep(0.02)
        self.pin()
        if self.connection:
            self.pids["server"] = server().process.pid
        return self

    def pin(self):
        """The committer has a processor; all else shares the other."""
        for name, pid in self.pids.items():
            pin(pid, self.pins["other"])
        for task in pathlib.Path(f"/proc/{self.pids['keeper']}/task").iterdir():
            if (task / "comm").read_text().strip() == "committer":
                os.sched_setaffinity(int(task.name), self.pins["worker"])

    def run(self, in_flight, seconds, rate=0, partners=0):
        command = [BENCH, self.folder / "gate.sock", self.folder / "admin.sock", in_flight, seconds, rate, partners]
        if self.pins["other"] != self.pins["worker"]:
            command = ["taskset", "-c", ",".join(map(str, self.pins["other"])), *command]
        done = Marked(command, self.pids)
        told = done.told
        told["cpu_us"] = {name: (done.after[name] - done.before[name]) / 1000 / max(told["pairs"], 1)
                          for name in done.after}
        return told

    def stop(self):
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        self.running = []

    def close(self):
        try:
            self.stop()
        finally:
            for process in self.running:
                process.kill()
            shutil.rmtree(self.folder, ignore_errors=True)

    def add_partners(self, count):
        """Copies of the partner, its key and its limit, as many as make `count`; the keeper does not run."""
        if self.connection:
            return self.add_partners_postgres(count)
        database = sqlite3.connect(self.folder / "store" / "tollgate.sqlite")
        with database:
            ids = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            database.execute(f"INSERT INTO partner SELECT * FROM ({ids} SELECT i, 'partner-' || i FROM n)", (count,))
            database.execute(f"""INSERT INTO credential SELECT * FROM ({ids} SELECT i, i, c.environment, randomblob(32),
                c.prefix, c.operations, c.created_us, c.expires_us, c.revoked_us FROM n, credential c
                WHERE c.id = 1)""", (count,))
            database.execute(f"""INSERT INTO payment_limit SELECT * FROM ({ids} SELECT i, l.environment, l.currency,
                l.payment_minor_max, l.day_minor_max FROM n, payment_limit l WHERE l.partner = 1)""", (count,))
        database.close()

    def add_partners_postgres(self, count):
        name = self.connection.rpartition("dbname=")[2]
        numbers = f"FROM generate_series(2, {count}) i"
        for text in (
                f"INSERT INTO tollgate_partner SELECT i, ('partner-' || i)::bytea {numbers}",
                f"""INSERT INTO tollgate_credential SELECT i, i, c.environment, sha256(i::text::bytea), c.prefix,
                    c.operations, c.created_us, c.expires_us, c.revoked_us {numbers}, tollgate_credential c
                    WHERE c.id = 1""",
                f"""INSERT INTO tollgate_payment_limit SELECT i, l.environment, l.currency, l.payment_minor_max,
                    l.day_minor_max {numbers}, tollgate_payment_limit l WHERE l.partner = 1"""):
            server().sql(text, name)


def alone(root, store, pins, levels, rounds, seconds, rate, say):
    """Closed loop by questions in flight, then the open loop; medians are the reporter's."""
    keeper = Keeper(root, store, pins).start()
    try:
        keeper.run(64, 1)
        result = {"closed": {level: [] for level in levels}, "open": []}
        for _ in range(rounds):
            for level in levels:
                result["closed"][level].append(keeper.run(level, seconds))
            result["open"].append(keeper.run(1, max(seconds, 4), rate))
        for level in levels:
            say(f"  keeper on {store}, {level} in flight: {result['closed'][level][-1]['rate']:.0f} pairs/s")
        return result
    finally:
        keeper.close()


def growth(root, store, pins, sizes, partners, rounds, seconds, say):
    """Cost of a pair with `sizes` claims stored, then with `partners` partners; series alternate between runs."""
    found = {"claims": [], "partners": []}
    for size in sizes:
        keeper = Keeper(root, store, pins)
        try:
            begin = time.monotonic()
            subprocess.run([FILL, keeper.fill, str(size), "fill"], check=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            filled_s = time.monotonic() - begin
            keeper.start()
            keeper.run(64, 1)
            runs = [keeper.run(64, seconds) for _ in range(rounds)]
            found["claims"].append({"size": size, "runs": runs, "start_s": keeper.start_s, "filled_s": filled_s})
            say(f"  {size} claims: {runs[-1]['rate']:.0f} pairs/s, start {keeper.start_s:.2f} s")
        finally:
            keeper.close()
    for count in partners:
        keeper = Keeper(root, store, pins).start()
        try:
            keeper.run(1, 1)
            keeper.stop()
            keeper.add_partners(count)
            keeper.start()
            keeper.run(64, 1, 0, count)
            runs = [keeper.run(64, seconds, 0, count) for _ in range(rounds)]
            found["partners"].append({"size": count, "runs": runs, "start_s": keeper.start_s})
            say(f"  {count} partners: {runs[-1]['rate']:.0f} pairs/s, start {keeper.start_s:.2f} s")
        finally:
            keeper.close()
    return found
