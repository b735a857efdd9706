"""The keeper alone: keeper_bench against a real keeper and sealer, two keepers on one database, and what its cost
does as it grows.

Promises: a store of its own for each series; filled stores are filled by store_bench through the store's own
commit path; after each run what the keeper counted, and at the end the settled rows in the store, are held against
the pairs that the generator was told (`faults`). Does not: pin the generator apart from the keeper's other threads:
two processors are all there are.
"""
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time

from contenders import server, settled_rows
from measure import BUILD, Marked, memory, pin

BENCH = BUILD / "src/keeper/keeper_bench"
FILL = BUILD / "src/store/store_bench"
FILLING_S = 3600  # a fill that takes longer hangs
# Of a filled store on disk, with room for what the rounds add; a server's log comes out of what is kept.
BYTES_A_CLAIM = {"sqlite": 600, "postgres": 1200}
BYTES_KEPT = 8 << 30  # stay free for what else is on the disk


class Keeper:
    """A sealer and a keeper, or several on one database, over one folder. Faults found are added to `faults`."""

    def __init__(self, root, store, pins, faults, keepers=1):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-keeper-", dir=root))
        self.store, self.pins, self.faults, self.running = store, pins, faults, []
        self.lock = threading.Lock()
        self.stored = 0  # pairs that must stand in the store
        self.names = ["keeper", *(f"keeper {number}" for number in range(2, keepers + 1))]
        for name in ("keys", "store"):
            (self.folder / name).mkdir(mode=0o700)
        self.words, self.fill_at = ["--store", self.folder / "store"], self.folder / "store"
        self.connection = None
        if store == "postgres":
            self.connection = server().database()
            file = server().connection_file(self.folder / "connection", self.connection)
            self.words, self.fill_at = ["--store-postgres-file", file], f"postgres:{self.connection}"
        subprocess.run([BUILD / "tollgate-sealer", "--keys", self.folder / "keys", "--make-keys"], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def database(self):
        return self.connection.rpartition("dbname=")[2]

    def fill(self, size, seconds=FILLING_S):
        """So many claims, or as many as fit into the seconds; how many there are."""
        done = subprocess.run([FILL, self.fill_at, str(size), "fill", str(seconds)], check=True, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.stored = int(re.search(r"filled to (\d+) claims", done.stdout)[1])
        self.settle_server()
        return self.stored

    def settle_server(self):
        """As a server is that has run for a while: autovacuum would do the first in the middle of the rounds."""
        for statement in ("VACUUM (ANALYZE)", "CHECKPOINT") if self.connection else ():
            server().sql(statement, self.database(), timeout=FILLING_S)

    def bytes(self):
        """Of the store on disk."""
        if self.connection:
            return int(server().sql(f"SELECT pg_database_size('{self.database()}')")[0][0])
        return sum(path.stat().st_blocks * 512 for path in (self.folder / "store").glob("**/*") if path.is_file())

    def sockets(self, name):
        word = name.replace(" ", "-")
        return self.folder / f"gate-{word}.sock", self.folder / f"admin-{word}.sock"

    def start(self):
        begin = time.monotonic()
        self.pids = {}
        self.serve("sealer", "tollgate-sealer", ["--keys", self.folder / "keys", "--socket", self.folder / "sealer.sock",
                                                 "--keeper-uid", os.geteuid(), "--keepers", len(self.names)])
        for name in self.names:
            gate, admin = self.sockets(name)
            self.serve(name, "tollgate-keeper", [*self.words, "--gate-socket", gate, "--admin-socket", admin,
                                                 "--sealer-socket", self.folder / "sealer.sock"])
        self.start_s = time.monotonic() - begin
        for name in self.names:
            self.wait(name, "sealer_ready", 10)
        self.pin()
        if self.connection:
            self.pids["server"] = server().process.pid
        return self

    def serve(self, name, program, words):
        log = self.folder / f"{name}.log"
        log.write_text("")
        process = subprocess.Popen([str(w) for w in (BUILD / program, *words, "--log", log)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.running.append(process)
        self.pids[name] = process.pid
        self.wait(name, "ready", 300, process)

    def wait(self, name, event, seconds, process=None):
        end = time.monotonic() + seconds
        while f'"event":"{event}"' not in (self.folder / f"{name}.log").read_text():
            if process and process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{name}, no {event}: " + (self.folder / f"{name}.log").read_text()[-2000:])
            time.sleep(0.02)

    def pin(self):
        """The committers have a processor; all else shares the other."""
        for name, pid in self.pids.items():
            pin(pid, self.pins["other"])
        for name in self.names:
            for task in pathlib.Path(f"/proc/{self.pids[name]}/task").iterdir():
                if (task / "comm").read_text().strip() == "committer":
                    os.sched_setaffinity(int(task.name), self.pins["worker"])

    def run(self, in_flight, seconds, rate=0, partners=0, name="keeper", processes=None):
        command = [BENCH, *self.sockets(name), in_flight, seconds, rate, partners]
        if self.pins["other"] != self.pins["worker"]:
            command = ["taskset", "-c", ",".join(map(str, self.pins["other"])), *command]
        done = Marked(command, processes or self.pids)
        told = done.told
        told["cpu_us"] = {name: (done.after[name] - done.before[name]) / 1000 / max(told["pairs"], 1)
                          for name in done.after}
        with self.lock:
            self.stored += told["pairs"]
        self.compare(name, told)
        return told

    def compare(self, name, told):
        """Pairs told = claims = verdicts = outcomes, and two events each, by the keeper's own counts."""
        pairs, counted = told["pairs"], told["counted"]
        expected = {"claims": pairs, "allowed": pairs, "final": pairs, "events": 2 * pairs, "unknown": 0, "in_flight": 0}
        if len(self.names) > 1:  # of a database that others write to as well, a keeper counts only its own questions
            counted = {key: counted[key] for key in ("allowed", "final")}
        if counted != {key: expected[key] for key in counted}:
            self.faults.append(f"{name} alone on {self.store}: {pairs} pairs told, the keeper counted {counted}")

    def together(self, in_flight, seconds):
        """All keepers at the same time, each with a generator; what they did as one."""
        told, failed = {}, []

        def one(name):
            try:
                told[name] = self.run(in_flight, seconds, name=name, processes={
                    role: pid for role, pid in self.pids.items() if role == name or name == "keeper" and role == "server"})
            except RuntimeError as error:
                failed.append(error)

        threads = [threading.Thread(target=one, args=(name,)) for name in self.names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        pairs = sum(run["pairs"] for run in told.values())
        # The server's time was read by the first generator, for the pairs of all.
        served = told["keeper"]["cpu_us"]["server"] * told["keeper"]["pairs"] / max(pairs, 1)
        return {"pairs": pairs, "rate": sum(run["rate"] for run in told.values()), "server_us": served,
                "each": [told[name]["rate"] for name in self.names],
                "p50_us": max(run["p50_us"] for run in told.values()),
                "p99_us": max(run["p99_us"] for run in told.values())}

    def stop(self):
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        self.running = []

    def check_rows(self):
        """When nothing runs any more: settled rows in the store = pairs told, and those that it was filled with."""
        self.stop()
        rows = settled_rows(self.folder / "store", self.connection)
        if rows != self.stored:
            self.faults.append(f"keeper alone on {self.store}: {rows} settled rows in the store, {self.stored} pairs told")
        return rows

    def close(self):
        try:
            self.stop()
        finally:
            for process in self.running:
                process.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
            if self.connection:
                server().sql(f"DROP DATABASE IF EXISTS {self.database()} WITH (FORCE)", timeout=FILLING_S)

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
        name = self.database()
        numbers = f"FROM generate_series(2, {count}) i"
        for text in (
                f"INSERT INTO tollgate_partner SELECT i, ('partner-' || i)::bytea {numbers}",
                f"""INSERT INTO tollgate_credential SELECT i, i, c.environment, sha256(i::text::bytea), c.prefix,
                    c.operations, c.created_us, c.expires_us, c.revoked_us {numbers}, tollgate_credential c
                    WHERE c.id = 1""",
                f"""INSERT INTO tollgate_payment_limit SELECT i, l.environment, l.currency, l.payment_minor_max,
                    l.day_minor_max {numbers}, tollgate_payment_limit l WHERE l.partner = 1"""):
            server().sql(text, name)
        self.settle_server()


def alone(root, store, pins, plan, rate, faults, say):
    """Closed loop by questions in flight, then the open loop; medians are the reporter's."""
    keeper = Keeper(root, store, pins, faults).start()
    try:
        keeper.run(64, 1)
        result = {"closed": {level: [] for level in plan.levels}, "open": []}
        for _ in range(plan.keeper_rounds):
            for level in plan.levels:
                result["closed"][level].append(keeper.run(level, plan.keeper_seconds))
            result["open"].append(keeper.run(1, max(plan.keeper_seconds, 4), rate))
        for level in plan.levels:
            say(f"  keeper on {store}, {level} in flight: {result['closed'][level][-1]['rate']:.0f} pairs/s")
        result["rows"] = keeper.check_rows()
        return result
    finally:
        keeper.close()


def two(root, pins, plan, faults, say):
    """Two keepers, one sealer, one database, 64 questions in flight at each."""
    keeper = Keeper(root, "postgres", pins, faults, keepers=2).start()
    try:
        for name in keeper.names:
            keeper.run(64, 1, name=name)
        runs = [keeper.together(64, plan.keeper_seconds) for _ in range(plan.keeper_rounds)]
        say(f"  two keepers on one PostgreSQL: {runs[-1]['rate']:.0f} pairs/s together")
        return {"runs": runs, "rows": keeper.check_rows()}
    finally:
        keeper.close()


def fits(root, store, size):
    """Whether so many claims have room on the disk; the server's are in /tmp."""
    free = shutil.disk_usage("/tmp" if store == "postgres" else root).free
    return size * BYTES_A_CLAIM[store] + BYTES_KEPT < free


def grown(keeper, size, plan, partners=0):
    """Rounds with 64 in flight, and what the keeper holds in memory after them."""
    keeper.run(64, 1, 0, partners)
    runs = [keeper.run(64, plan.keeper_seconds, 0, partners) for _ in range(plan.keeper_rounds)]
    return {"size": size, "runs": runs, "start_s": keeper.start_s, "memory": memory(keeper.pids["keeper"]),
            "live": keeper.stored, "bytes": keeper.bytes()}


def growth(root, store, pins, plan, faults, say):
    """Cost of a pair with so many claims stored, then with so many partners."""
    found = {"claims": [], "partners": []}
    for size in plan.claims:
        if not fits(root, store, size):
            say(f"  no room on the disk for {size} claims")
            continue
        keeper = Keeper(root, store, pins, faults)
        try:
            begin = time.monotonic()
            filled = keeper.fill(size, plan.fill_seconds[store])
            filled_s = time.monotonic() - begin
            keeper.start()
            found["claims"].append(dict(grown(keeper, filled, plan), filled_s=filled_s, wanted=size))
            say(f"  {filled} claims on {store}, filled in {filled_s:.0f} s: "
                f"{found['claims'][-1]['runs'][-1]['rate']:.0f} pairs/s, start {keeper.start_s:.2f} s")
            keeper.check_rows()
        finally:
            keeper.close()
    for count in plan.partners:
        keeper = Keeper(root, store, pins, faults).start()
        try:
            keeper.run(1, 1)
            keeper.stop()
            keeper.add_partners(count)
            keeper.start()
            found["partners"].append(grown(keeper, count, plan, count))
            say(f"  {count} partners on {store}: {found['partners'][-1]['runs'][-1]['rate']:.0f} pairs/s, "
                f"start {keeper.start_s:.2f} s")
            keeper.check_rows()
        finally:
            keeper.close()
    return found
