#!/usr/bin/env python3
"""`make bench`: everyone side by side in one run on this machine, then the keeper alone, then growth.

Promises: the same upstream, body, certificates, connections and generator for all; rounds go through all
contenders in turn, so that what the machine does meanwhile meets all of them; every Tollgate payment has a
fresh key, and stored claims, settled events and 2xx answers are held against each other after each run;
bench/RESULTS.md and bench/*.svg are written from what was measured, and from nothing else.
Ends non-zero when a count or the comparison with h2load does not fit. Does not: judge the goals.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import contenders
import keeper
import measure
import report
import where
from measure import BUILD, Marked, disk, machine, median, memory_mb, spent_us

CONNECTIONS = 32
OPEN_RATE = 10000  # pairs a second of the keeper's open loop
AGREE = 0.05


class Plan:
    """How long and how often: a whole run takes about 30 minutes, a quick one under 4."""

    def __init__(self, quick):
        self.rounds = 1 if quick else 5
        self.seconds = 2 if quick else 4
        self.warm = 0.5 if quick else 1
        self.rates = [1000, 4000, 8000] if quick else [500, 1000, 2000, 4000, 6000, 8000, 10000, 13000, 16000, 20000]
        self.sweep_seconds = 1.5 if quick else 3
        self.levels = [1, 16, 64, 256, 1000]
        self.keeper_rounds = 1 if quick else 5
        self.keeper_seconds = 1 if quick else 2
        self.claims = [1000, 100000] if quick else [1000, 100000, 10000000]
        # A server takes longer than the whole run to be filled with the largest: the page names what it got to.
        self.fill_seconds = {"sqlite": 600, "postgres": 20 if quick else 240}
        self.partners = [10, 10000] if quick else [10, 1000, 10000, 100000]


class Run:
    def __init__(self, plan, stores, pins, parts):
        self.plan, self.stores, self.pins, self.parts = plan, stores, pins, parts
        self.faults, self.begun, self.disks = [], time.monotonic(), []
        self.root = "/var/lib/tollgate" if os.geteuid() == 0 else tempfile.gettempdir()
        os.makedirs(self.root, exist_ok=True)

    def say(self, text):
        print(f"[{time.monotonic() - self.begun:6.1f} s] {text}", flush=True)

    # --- one run of load ---

    def load(self, one, *words, seconds=None, warm=None):
        stage = self.stage
        command = ["taskset", "-c", ",".join(map(str, self.pins["other"])), BUILD / "load", "--port", one.port, "--ca",
                   one.ca, "--body-file", stage.dir / "body.json", "--certificate", one.certificate,
                   "--certificate-key", one.certificate_key, "--seconds", seconds or self.plan.seconds, "--warm",
                   self.plan.warm if warm is None else warm, "--marks", "--field", "User-Agent: tollgate-bench",
                   "--field", "Accept: application/json", "--label", one.name]
        if "--connections" not in words:
            words = (*words, "--connections", CONNECTIONS)
        if one.token:
            command += ["--key-file", one.token]
        before = one.counted() if one.counts_claims else None
        done = Marked([*command, *words], {**one.processes, "upstream": stage.upstream})
        told = done.told
        told["cpu_us"] = spent_us(done.before, done.after, told["in_window"])
        good = sum(count for status, count in told["status"].items() if status.startswith("2"))
        told["good"] = good
        if good != told["asked"]:
            self.faults.append(f"{one.name}: {told['asked']} asked, answers {told['status']}, broken {told['broken']}")
        if before is not None:
            self.compare(one, before, good)
        return told

    def compare(self, one, before, good):
        """Stored claims = settled events = 2xx."""
        after = one.counted()
        for _ in range(100):
            if after["in_flight"] == 0:
                break
            time.sleep(0.02)
            after = one.counted()
        delta = {name: int(after[name] - before[name]) for name in after}
        expected = {"claims": good, "allowed": good, "final": good, "events": 2 * good, "unknown": 0, "in_flight": 0}
        self.compared[one.name] = self.compared.get(one.name, 0) + good
        if delta != expected:
            self.faults.append(f"{one.name}: keeper counted {delta}, 2xx say {expected}")

    # --- parts ---

    def best(self, everyone):
        """As fast as answers come; medians over rounds that go through all."""
        found = {one.name: [] for one in everyone}
        for number in range(self.plan.rounds):
            for one in everyone:
                found[one.name].append(self.load(one, "--closed"))
            self.say(f"round {number + 1}: " + ", ".join(f"{n} {r[-1]['rate']:.0f}/s" for n, r in found.items()))
        return found

    def half(self, everyone, best):
        """One fixed rate for all: half of what Tollgate did."""
        own = [name for name in best if name.startswith("tollgate")]
        rate = int(min(median([r["rate"] for r in best[name]]) for name in own) / 2 // 100 * 100)
        found = {one.name: [] for one in everyone}
        for _ in range(self.plan.rounds):
            self.disks.append(disk(self.root, 500))
            for one in everyone:
                if median([r["rate"] for r in best[one.name]]) > 1.1 * rate:
                    found[one.name].append(self.load(one, "--rate", rate))
            self.disks.append(disk(self.root, 500))
        self.say(f"half load, {rate}/s: " + ", ".join(f"{n} p50 {r[-1]['p50_us']} us" for n, r in found.items() if r))
        return rate, found

    def sweep(self, everyone, best):
        found = {}
        for one in everyone:
            most = median([r["rate"] for r in best[one.name]])
            rates = [rate for rate in self.plan.rates if rate < most * 0.9]
            rates += [max(int(most * part) // 10 * 10, 10) for part in (0.9, 1.15)]
            found[one.name] = [dict(self.load(one, "--rate", rate, seconds=self.plan.sweep_seconds), offered=rate)
                               for rate in rates]
        self.say("loads swept")
        return found

    def many(self, everyone):
        """Eight times the connections: the worker has always something to do, so its cost is its work."""
        found = {one.name: [] for one in everyone}
        for _ in range(self.plan.rounds):
            for one in everyone:
                found[one.name].append(self.load(one, "--closed", "--connections", 8 * CONNECTIONS))
        return found

    def h2(self, everyone):
        """Eight connections of four streams."""
        found = {one.name: [] for one in everyone}
        for _ in range(self.plan.rounds):
            for one in everyone:
                found[one.name].append(self.load(one, "--closed", "--http2", "--connections", 8, "--streams", 4))
        return found

    def agreement(self, bare):
        """Our generator and h2load, in turn, against the bare proxy before itself, with all servers on the worker's
        processor: so the servers limit both, and not how much processor time a generator takes."""
        twice = contenders.Twice(self.stage, bare)
        pairs = []
        measure.pin(self.stage.upstream, self.pins["worker"])
        for _ in range(max(self.plan.rounds, 3)):
            ours = self.load(twice, "--closed")["rate"]
            command = ["taskset", "-c", ",".join(map(str, self.pins["other"])), "h2load", "--h1", "-c",
                       str(CONNECTIONS), "-t", "1", "-D", f"{self.plan.seconds}s", f"--warm-up-time={self.plan.warm * 1000:.0f}ms",
                       "-d", str(self.stage.dir / "body.json"), "-H", "content-type: application/json", "-H",
                       "idempotency-key: 00000000000000000000000000000000", f"https://localhost:{twice.port}/v1/payments"]
            text = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
                                  stdin=subprocess.DEVNULL).stdout
            found = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", text)
            pairs.append((ours, float(found[1]) if found else 0.0))
        measure.pin(self.stage.upstream, self.pins["other"])
        ours, theirs = median([p[0] for p in pairs]), median([p[1] for p in pairs])
        off = ours / theirs - 1 if theirs else 1
        self.say(f"bench/load {ours:.0f}/s, h2load {theirs:.0f}/s: {off:+.1%}")
        if abs(off) > AGREE:
            self.faults.append(f"bench/load says {ours:.0f}/s, h2load {theirs:.0f}/s: {off:+.1%}")
        return {"ours": ours, "h2load": theirs, "off": off, "pairs": pairs}

    # --- all ---

    def crossing(self, result):
        self.stage = contenders.Stage(self.pins)
        self.compared = {}
        try:
            everyone = [contenders.Bare(self.stage), contenders.HAProxy(self.stage), contenders.AuthRequest(self.stage),
                        contenders.ModSecurity(self.stage)]
            everyone += [contenders.Tollgate(self.stage, store) for store in self.stores]
            own = [one for one in everyone if one.counts_claims]
            for one in everyone:
                self.load(one, "--closed", seconds=1, warm=0)
            result["titles"] = {one.name: one.title for one in everyone}
            result["agreement"] = self.agreement(everyone[0])
            result["best"] = self.best(everyone)
            result["half_rate"], result["half"] = self.half(everyone, result["best"])
            workers = {one.name: one.processes["worker"] for one in (everyone[0], *own)}
            result["memory"] = {CONNECTIONS: {name: measure.memory(pid) for name, pid in workers.items()}}
            result["many"] = self.many([everyone[0], *own])
            result["h2"] = self.h2([everyone[0], *own])
            result["sweep"] = self.sweep(everyone, result["best"])
            result["memory_mb"] = {one.name: {name: memory_mb(pid) for name, pid in one.processes.items()} for one in own}
            result["memory"][8 * CONNECTIONS] = {name: measure.memory(pid) for name, pid in workers.items()}
            result["where"] = {one.name: where.look(self, one, result["best"]) for one in own}
            for one in own:
                one.instance.down()
                rows = one.rows()
                self.say(f"{one.name}: {self.compared[one.name]} 2xx, {rows} settled rows in its store")
                if rows != self.compared[one.name]:
                    self.faults.append(f"{one.name}: {rows} settled rows in its store, {self.compared[one.name]} 2xx")
            result["compared"] = self.compared
        finally:
            self.stage.close()

    def everything(self):
        root = self.root
        plan = self.plan
        result = {"machine": machine(root), "pins": {k: sorted(v) for k, v in self.pins.items()},
                  "connections": CONNECTIONS, "rounds": plan.rounds, "seconds": plan.seconds,
                  "keeper_rounds": plan.keeper_rounds, "keeper_seconds": plan.keeper_seconds,
                  "sweep_seconds": plan.sweep_seconds, "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
                  "disk": [disk(root)]}
        self.say("fdatasync of 4 KB: p50 {p50_us:.0f} us, p99 {p99_us:.0f} us".format(**result["disk"][0]))
        if "crossing" in self.parts:
            self.crossing(result)
            result["disk"].append(disk(root))
        if "keeper" in self.parts:
            result["keeper"] = {store: keeper.alone(root, store, self.pins, plan, OPEN_RATE, self.faults, self.say)
                                for store in self.stores}
            if "postgres" in self.stores:
                result["two"] = keeper.two(root, self.pins, plan, self.faults, self.say)
            result["disk"].append(disk(root))
        if "growth" in self.parts:
            result["growth"] = {store: keeper.growth(root, store, self.pins, plan, self.faults, self.say)
                                for store in self.stores}
        result["disk"].append(disk(root))
        result["disk_at_half"] = self.disks
        result["faults"], result["took_s"] = self.faults, time.monotonic() - self.begun
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few minutes, for trying; numbers mean little")
    parser.add_argument("--stores", default=",".join(contenders.TITLES), help="which stores Tollgate runs on")
    parser.add_argument("--parts", default="crossing,keeper,growth")
    parser.add_argument("--claims", type=int, help="the largest number of stored claims, instead of 10000000")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--pin", choices=["split", "none"], default="split",
                        help="split: the worker under test has processor 0, all else processor 1")
    parser.add_argument("--out", default=pathlib.Path(__file__).parent, type=pathlib.Path, help="where results go")
    wish = parser.parse_args()
    plan = Plan(wish.quick)
    if wish.claims:
        plan.claims = [size for size in plan.claims if size < wish.claims] + [wish.claims]
    plan.rounds = wish.rounds or plan.rounds
    processors = sorted(os.sched_getaffinity(0))
    pins = {"worker": set(processors), "other": set(processors)}
    if wish.pin == "split" and len(processors) > 1:
        pins = {"worker": {processors[0]}, "other": set(processors[1:])}
    if not shutil.which("h2load") or not os.path.exists("/usr/sbin/haproxy"):
        sys.exit("packages are missing: tools/install-packages packages/run.txt packages/bench.txt")
    result = Run(plan, wish.stores.split(","), pins, wish.parts.split(",")).everything()
    result["quick"] = wish.quick
    wish.out.mkdir(parents=True, exist_ok=True)
    (measure.BUILD / "bench.json").write_text(json.dumps(result, indent=1))
    report.write(result, wish.out)
    print(f"{wish.out}/RESULTS.md written, {result['took_s'] / 60:.1f} minutes")
    for fault in result["faults"]:
        print("FAULT", fault)
    sys.exit(1 if result["faults"] else 0)


if __name__ == "__main__":
    main()
