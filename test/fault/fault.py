#!/usr/bin/python3
"""The fault bench: seeded faults against a whole instance, and a verdict by comparison.

    fault.py --seeds 1000            runs seeds 1..1000, writes doc/evidence/faults.md from all that were run
    fault.py --seed 17               that one alone, with its schedule shown
    fault.py --first 201 --seeds 200 --results FILE    a piece; pieces are put together by --report

    --pair               the seeds against two gates on one PostgreSQL, each with its keeper

Promises: prints each seed that failed with its schedule and every difference;
ends non-zero when there is one. TOLLGATE_STORE names the store.
"""
import argparse
import json
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import evidence  # noqa: E402
import verdict  # noqa: E402
from schedule import schedule  # noqa: E402
from street import Street  # noqa: E402

ROOT = HERE.parent.parent
COMMIT = evidence.commit()
STORE = os.environ.get("TOLLGATE_STORE", "sqlite")
# Seeds that one tree of processes serves: beyond it what is searched at the end grows without teaching more.
SEEDS_A_TREE = 40


class Bench:
    """Trees of processes, one after the other, that seeds are run on."""

    def __init__(self, pair=False):
        self.house, self.record, self.seeds, self.log_lines, self.calls = None, None, 0, [], []
        self.pair, self.store = pair, STORE + (", two gates" if pair else "")

    def open(self):
        if self.house is None:
            self.house, self.record = Street(self.pair), verdict.Record()
            self.seeds, self.log_lines = 0, [0 for _ in self.house.gates]
            try:
                self.house.up()
            except BaseException:
                self.abandon()
                raise

    def close(self):
        """The differences that show only at the end of a tree."""
        if self.house is None:
            return []
        house, self.house = self.house, None
        try:
            found = verdict.check_kept(house, self.record)
        finally:
            house.close()
        return found

    def abandon(self):
        """After a failure the folder stays, to be looked at."""
        house, self.house = self.house, None
        if house is not None:
            print(f"    kept: {house.folder}", flush=True)
            try:
                house.keep = True
                house.close()
            except Exception as error:  # it failed already: how it ends is shown, not judged
                print(f"    (closing: {str(error)[:300]})", flush=True)

    def narrow(self, plan):
        """The narrow partner may spend this much more today than it has."""
        partner = self.house.narrow_id
        self.record.read(self.house)
        used = sum(self.record.quotas({partner}).get((partner, self.house.day()), (0, 0)))
        self.house.limit("narrow", used + plan["narrow_minor"])

    def run(self, plan):
        begin = time.monotonic()
        self.open()
        found, fired, calls = [], set(), []
        try:
            self.house.quiet()
            self.narrow(plan)
            calls, fired = self.house.play(plan)
            self.calls = calls
            self.house.quiet()
            found = verdict.judge(self.house, self.record, calls)
            found += verdict.deaths(self.house, plan, self.log_lines)
        except Exception as error:  # whatever breaks is this seed's finding
            found.append(f"{type(error).__name__}: {error}")
        self.seeds += 1
        result = {"seed": plan["seed"], "store": self.store, "commit": COMMIT, "fired": sorted(fired), "drawn": sorted({f["name"] for f in
                  plan["faults"]}), "calls": len(calls), "tries": sum(len(call["told"]) for call in calls),
                  "paid": sum(any(one["status"] == 201 for one in call["told"]) for call in calls),
                  "found": found, "seconds": round(time.monotonic() - begin, 2)}
        if found:
            self.abandon()
        elif self.seeds >= SEEDS_A_TREE:
            result["found"] = self.close()
        return result


def show(result, plan, pair=False):
    state = "FAILED" if result["found"] else "ok"
    print(f"seed {result['seed']} {state}  {result['calls']} calls, {result['paid']} paid, {result['seconds']} s  "
          f"[{', '.join(result['fired'])}]", flush=True)
    if result["found"]:
        print(f"    schedule: {json.dumps(plan)}", flush=True)
        for line in result["found"]:
            print(f"    {line[:2000]}", flush=True)
        print(f"    again: make fault SEED={result['seed']}{' PAIR=1' if pair else ''}", flush=True)


def run_seeds(seeds, results=None, told=False, pair=False):
    """Each seed's result, in order."""
    bench, rows = Bench(pair), []
    try:
        for seed in seeds:
            plan = schedule(seed, STORE, pair)
            result = bench.run(plan)
            rows.append(result)
            if told:
                for call in bench.calls:
                    print(f"    {call['amount']} {call['told']}")
            if results is not None:
                with open(results, "a", encoding="utf-8") as handle:
                    handle.write(json.dumps(result) + "\n")
            show(result, plan, pair)
    finally:
        late = bench.close()
    if late:
        rows[-1]["found"] += late
        show(rows[-1], schedule(rows[-1]["seed"], STORE, pair), pair)
    return rows


def main():
    parser = argparse.ArgumentParser(description="seeded faults against a whole instance")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--results", default=str(ROOT / "build-gcc/fault-results.jsonl"))
    parser.add_argument("--pair", action="store_true", help="two gates on one PostgreSQL")
    parser.add_argument("--report", action="store_true", help="write doc/evidence/faults.md and end")
    options = parser.parse_args()
    if options.report:
        evidence.write(options.results, ROOT / "doc/evidence/faults.md")
        return 0
    if options.pair and STORE != "postgres":
        parser.error("--pair needs TOLLGATE_STORE=postgres: a folder has one keeper")
    if options.seed is not None:
        print(json.dumps(schedule(options.seed, STORE, options.pair), indent=1))
        rows = run_seeds([options.seed], told=True, pair=options.pair)
    else:
        rows = run_seeds(range(options.first, options.first + options.seeds), options.results, pair=options.pair)
        evidence.write(options.results, ROOT / "doc/evidence/faults.md")
    bad = [row["seed"] for row in rows if row["found"]]
    print(f"{len(rows) - len(bad)} passed, {len(bad)} failed" + (f": {bad}" if bad else ""))
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
