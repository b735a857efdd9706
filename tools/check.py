#!/usr/bin/env python3
"""The whole check: builds, runs every suite, counts.

Promises: each step says what it does and how long it took; a failure shows
its own output; the last line is `N passed, N failed`. Ends non-zero when
anything failed. With names as arguments only those steps run (see --list).
Does not: install anything (the Makefile does that first).
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "test"))
import lint  # noqa: E402
from lib import postgres  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FUZZ_SECONDS = 2  # for each of some thirty targets: a minute in all; `make fuzz` is for more
PROGRESS_SECONDS = 15
SANITIZE = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
# Run a second time on the sanitized build: the daemons whole, with what real links and kills do to them.
SANITIZED_SUITES = ["sealer", "keeper", "refpay", "gate"]
SUITES = ["sealer", "keeper", "refpay", "separation", "cli", "monitoring", "gate", "packages", "stripe", "story", "sim", "fault"]
# A second time on a PostgreSQL server of their own, where its programs are installed.
POSTGRES_SUITES = ["keeper", "story", "fault"]
POSTGRES_UNIT = ["commit_test", "sealer_test", "settle_test", "events_test", "setup_test", "store_test", "postgres_decide_test"]
POSTGRES_UNIT_ONLY = ["move_test", "postgres_test"] + [f"postgres_{name}_test" for name in (
    "apply", "connect", "events", "link", "load", "rotate", "sealer", "setup", "side")]


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.names = []

    def add(self, name, passed, failed, skipped=0, seconds=0.0, output=""):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        more = f", {skipped} skipped" if skipped else ""
        print(f"{name:<34} {passed} passed, {failed} failed{more}  ({seconds:.0f} s)", flush=True)
        if failed:
            self.names.append(name)
            if output:
                print("    " + output.strip()[-6000:].replace("\n", "\n    "), flush=True)


def command(arguments, environment=None, timeout=1500):
    merged = dict(os.environ, **(environment or {}))
    try:
        done = subprocess.run(arguments, cwd=ROOT, env=merged, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=timeout, check=False)
        return done.returncode, done.stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode("utf-8", "replace") + f"\nover {timeout} s"


def build(folder, compiler, options):
    if not os.path.exists(f"{ROOT}/{folder}/build.ninja"):
        status, output = command(["meson", "setup", folder, *options], {"CC": compiler})
        if status:
            return status, output
    return command(["ninja", "-C", folder, "--quiet"])


def step_build(tally, folder, compiler, options):
    begin = time.time()
    status, output = build(folder, compiler, options)
    tally.add(f"build: {folder}", int(status == 0), int(status != 0), 0, time.time() - begin, output)
    return status == 0


def step_lint(tally):
    for name, faults in lint.run():
        tally.add(f"lint: {name}", int(not faults), int(bool(faults)), 0, 0, "\n".join(faults))
    pages = [os.path.join("doc/man", f) for f in sorted(os.listdir(f"{ROOT}/doc/man")) if f[-1].isdigit()]
    if pages:
        status, output = command(["mandoc", "-T", "lint", "-W", "warning", *pages])
        tally.add("lint: man pages", int(status == 0), int(status != 0), 0, 0, output)


def step_unit(tally, folder, server=None):
    begin, passed, failed, skipped, shown = time.time(), 0, 0, 0, ""
    environment = dict(SANITIZE, CMOCKA_MESSAGE_OUTPUT="TAP")
    programs = sorted(f for f in os.listdir(f"{ROOT}/{folder}") if f.endswith("_test") and
                      f not in POSTGRES_UNIT_ONLY and os.access(f"{ROOT}/{folder}/{f}", os.X_OK))
    if server:
        programs = POSTGRES_UNIT + POSTGRES_UNIT_ONLY
        environment.update(postgres.environment(server))
    for program in programs:
        status, output = command([f"{folder}/{program}"], environment, 300)
        ok = len(re.findall(r"^ok \d+(?!.*# SKIP)", output, re.M))
        bad = len(re.findall(r"^not ok(?!.*# SKIP)", output, re.M))
        # cmocka writes "not ok N # SKIP"; a whole program that has nothing to do says "1..0 # SKIP".
        left_out = len(re.findall(r"^(?:(?:not )?ok .*|1\.\.0 )# SKIP", output, re.M))
        skipped += left_out
        if status and not bad:
            bad = 1
        if not ok and not bad and not left_out:
            bad, output = 1, output + "\nran no test"
        passed, failed = passed + ok, failed + bad
        if bad:
            shown += f"--- {program} (status {status})\n{output[-2500:]}\n"
    tally.add(f"unit: {folder}{', PostgreSQL' if server else ''} ({len(programs)} programs)", passed, failed, skipped, time.time() - begin, shown)


def watched(arguments, environment, log, timeout, name):
    """Runs with its output in a file; says how far it is every few seconds."""
    begin = said = time.time()
    with open(log, "wb") as out:
        process = subprocess.Popen(arguments, cwd=ROOT, env=dict(os.environ, **environment), stdout=out,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    while True:
        try:
            return process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            now = time.time()
            if now - begin > timeout:
                process.kill()
                process.wait()
                return 124
            if now - said >= PROGRESS_SECONDS:
                said = now
                lines = [line for line in lint.read(log).split("\n") if line.startswith("#")] or ["starting"]
                print(f"    {name}: {now - begin:.0f} s, {' '.join(lines[-1].split())}", flush=True)


def step_fuzz(tally, folder, seconds, only=None):
    """The outputs stay in fuzz-logs/ of the build, for tools/fuzz_evidence.py."""
    names = sorted(f[: -len("_fuzz")] for f in os.listdir(f"{ROOT}/{folder}") if f.endswith("_fuzz"))
    if only and only not in names:
        tally.add(f"fuzz: {only}", 0, 1, 0, 0, f"no such target; there are {' '.join(names)}")
    for name in [name for name in names if only in (None, name)]:
        begin = time.time()
        fresh, logs = f"{ROOT}/{folder}/found-{name}", f"{ROOT}/{folder}/fuzz-logs"
        os.makedirs(fresh, exist_ok=True)
        os.makedirs(logs, exist_ok=True)
        log = f"{logs}/{name}-{'check' if seconds == FUZZ_SECONDS else int(begin)}.log"
        status = watched([f"{folder}/{name}_fuzz", f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
                          "-max_len=65536", f"-artifact_prefix={folder}/{name}-", "-print_final_stats=1",
                          fresh, f"test/fuzz/corpus/{name}"], SANITIZE, log, seconds + 120, name)
        output = lint.read(log)
        runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", output)
        tally.add(f"fuzz: {name} ({runs[1] if runs else 0} runs)", int(status == 0), int(status != 0), 0,
                  time.time() - begin, output[-3000:])


def step_pytest(tally, suite, environment, more=""):
    if not os.path.isdir(f"{ROOT}/test/{suite}"):
        return
    begin = time.time()
    report = f"{ROOT}/build-gcc/{suite}.xml"
    status, output = command(["/usr/bin/python3", "-m", "pytest", "-q", "-x" if os.environ.get("CHECK_STOP") else "-q",
                              "-p", "no:cacheprovider", f"--junitxml={report}", f"test/{suite}"], environment)
    passed = failed = skipped = 0
    try:
        for case in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
            total, bad = int(case.get("tests")), int(case.get("failures")) + int(case.get("errors"))
            skipped += int(case.get("skipped"))
            failed += bad
            passed += total - bad - int(case.get("skipped"))
        os.unlink(report)
    except (OSError, xml.etree.ElementTree.ParseError):
        failed = 1
    if status not in (0, 1) and not failed:
        failed = 1
    tally.add(f"{suite} tests{more}", passed, failed, skipped, time.time() - begin, output)


def step_postgres(tally, wanted, folder):
    if postgres.programs() is None:
        print("PostgreSQL's programs are not installed: tests on it are skipped")
        return
    if "unit" in wanted:
        server = postgres.Server(tcp=True)
        try:
            step_unit(tally, folder, server)
        finally:
            server.close()
    for suite in POSTGRES_SUITES:
        if suite in wanted:
            step_pytest(tally, suite, {"TOLLGATE_BUILD": f"{ROOT}/{folder}", "TOLLGATE_STORE": "postgres"}, ", PostgreSQL")


def preload():
    """What a stock nginx needs to load a sanitized module: the sanitizer's runtime ahead of everything."""
    status, output = command(["clang", "-print-file-name=libclang_rt.asan-x86_64.so"])
    return {"TOLLGATE_PRELOAD": output.strip()} if status == 0 and os.path.exists(output.strip()) else {}


def main():
    parser = argparse.ArgumentParser(description="builds, tests, counts")
    parser.add_argument("--fuzz-minutes", type=float)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("steps", nargs="*")
    options = parser.parse_args()
    names = ["build", "lint", "unit", "clang", "fuzz", *SUITES]
    if options.list:
        print("\n".join(names))
        return 0
    wanted = options.steps if options.steps and not options.fuzz_minutes else names
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):  # started by nohup or with &: tests send these
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    tally, begin = Tally(), time.time()
    sanitized = ["-Dtests=true", "-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Doptimization=1"]
    if options.fuzz_minutes:
        only = options.steps[0] if options.steps else None
        if step_build(tally, "build-clang", "clang", sanitized):
            step_fuzz(tally, "build-clang", int(options.fuzz_minutes * 60), only)
        print(f"{tally.passed} passed, {tally.failed} failed")
        return int(bool(tally.failed))
    built = step_build(tally, "build-gcc", "gcc", ["-Dtests=true"])
    if "lint" in wanted:
        step_lint(tally)
    if built and "unit" in wanted:
        step_unit(tally, "build-gcc")
    if {"clang", "fuzz"} & set(wanted) and step_build(tally, "build-clang", "clang", sanitized):
        if "clang" in wanted:
            step_unit(tally, "build-clang")
        for suite in SANITIZED_SUITES if "clang" in wanted else []:
            step_pytest(tally, suite, dict(SANITIZE, TOLLGATE_BUILD=f"{ROOT}/build-clang", **preload()), ", sanitized")
        if "fuzz" in wanted:
            step_fuzz(tally, "build-clang", FUZZ_SECONDS)
    if not os.environ.get("TOLLGATE_DATA"):
        print("TOLLGATE_DATA is not set: tests on outside data are skipped")
    for suite in SUITES:
        if built and suite in wanted:
            step_pytest(tally, suite, {"TOLLGATE_BUILD": f"{ROOT}/build-gcc"})
    if built:
        step_postgres(tally, wanted, "build-gcc")
    print(f"ran for {time.time() - begin:.0f} s" + (f"; failed: {', '.join(tally.names)}" if tally.names else ""))
    print(f"{tally.passed} passed, {tally.failed} failed" + (f", {tally.skipped} skipped" if tally.skipped else ""))
    return int(bool(tally.failed))


if __name__ == "__main__":
    sys.exit(main())
