"""Where a payment's processor time goes: perf samples of each process while it is under load.

Promises: shares come from perf's samples by timer (cpu-clock), and are turned into microseconds by the
processor time that the same process took in the measured rounds. Where perf is absent or may not look (an
ordinary user at a process that gave up privileges), the answer says so. Does not: see inside Debian's nginx,
which carries no symbols for its own.
"""
import pathlib
import re
import shutil
import subprocess
import threading
import time

from measure import median

SECONDS = 4
ROWS = 14


def record(pid, path):
    path.unlink(missing_ok=True)
    with open(f"{path}.said", "wb") as said:
        return subprocess.Popen(["perf", "record", "-q", "-F", "1999", "-e", "cpu-clock", "-p", str(pid), "-o", str(path),
                                 "--", "sleep", str(SECONDS)], stdin=subprocess.DEVNULL, stdout=said, stderr=said)


def why_none(path):
    """What perf said, in one line."""
    lines = pathlib.Path(f"{path}.said").read_text(errors="replace").split("\n")
    return "perf: " + (" ".join(line.strip() for line in lines if line.strip())[:200] or "no samples")


def table(path, fields):
    done = subprocess.run(["perf", "report", "--stdio", "-q", "--percent-limit", "0.2", "-F", "overhead," + fields, "-t",
                           "|", "-i", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    rows = []
    for line in done.stdout.splitlines():
        parts = [re.sub(r"\s+", " ", part.strip()) for part in line.split("|")]
        if len(parts) > 1 and re.fullmatch(r"[\d.]+%", parts[0]):
            rows.append((float(parts[0][:-1]) / 100, *parts[1:]))
    return rows


def look(run, one, best):
    """{"processes": {process: {"us": cpu a payment, "objects": [...], "symbols": [...]}}, "absent": {process: why}}"""
    if not shutil.which("perf"):
        return {"processes": {}, "absent": dict.fromkeys(one.processes, "perf is not here")}
    recorders = {}

    def begin():
        time.sleep(run.plan.warm + 0.3)
        for name, pid in one.processes.items():
            recorders[name] = record(pid, run.stage.dir / f"perf-{one.name}-{name}")

    starter = threading.Thread(target=begin)
    starter.start()
    run.load(one, "--closed", seconds=SECONDS + 1.5)
    starter.join()
    found, absent = {}, {}
    for name, process in recorders.items():
        process.wait()
        path = run.stage.dir / f"perf-{one.name}-{name}"
        taken = [sum(us for role, us in r["cpu_us"].items() if role.split(" ")[0] == name) for r in best[one.name]]
        objects = table(path, "dso") if path.exists() else []
        if objects:
            found[name] = {"us": median(taken), "objects": objects[:8], "symbols": table(path, "comm,dso,sym")[:ROWS]}
        else:
            absent[name] = why_none(path)
    return {"processes": found, "absent": absent}
