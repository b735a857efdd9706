"""What is measured and how: processor time, the disk, the machine, one run of load.

Promises: processor time comes from /proc/PID/task/*/schedstat (nanoseconds), read when the
generator says that its measured time begins and ends. Does not: smooth or drop anything.
"""
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("TOLLGATE_BUILD", ROOT / "build-bench")).resolve()


def median(values):
    return statistics.median(values) if values else None


def threads_ns(pid):
    """Processor time of each thread of a process, by thread name."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            found[name] = found.get(name, 0) + int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def family(pid):
    """A database server and its children."""
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE, text=True, check=False)
    return [pid, *map(int, done.stdout.split())]


def sample(processes):
    """{name: pid} to {name: ns}; keepers become one entry a named thread, all together, a server with its children one
    entry."""
    taken = {}
    for name, pid in processes.items():
        if name == "server":
            taken[name] = sum(ns for one in family(pid) if os.path.exists(f"/proc/{one}")
                              for ns in threads_ns(one).values())
            continue
        threads = threads_ns(pid)
        if name.split()[0] == "keeper":
            for thread, ns in threads.items():
                label = "keeper " + (thread if thread in ("committer", "checkpointer") else "loop")
                taken[label] = taken.get(label, 0) + ns
        else:
            taken[name] = sum(threads.values())
    return taken


def spent_us(before, after, count):
    """Microseconds of processor a payment, by name."""
    return {name: (after[name] - before.get(name, 0)) / 1000 / max(count, 1) for name in after}


def memory(pid):
    """What the kernel holds in memory for a process, in MB: `rss` is the sum of `anon`, `file` and `shared` (zones)."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {name: int(re.search(rf"^{field}:\s+(\d+)", text, re.M)[1]) / 1024
            for name, field in (("rss", "VmRSS"), ("anon", "RssAnon"), ("file", "RssFile"), ("shared", "RssShmem"))}


def memory_mb(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) / 1024


class Marked:
    """A generator that prints `begin` and `end`: takes samples there, gives its JSON line."""

    def __init__(self, command, processes, timeout=180):
        self.before, self.after, self.told = {}, {}, None
        with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              text=True) as process:
            for line in process.stdout:
                if line == "begin\n":
                    self.before = sample(processes)
                elif line == "end\n":
                    self.after = sample(processes)
                elif line.startswith("{"):
                    self.told = json.loads(line)
            process.wait(timeout)
        if process.returncode or self.told is None:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {' '.join(map(str, command))}")


def pin(pid, processors):
    """All threads that a process has now, and those that it will make."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), processors)


def disk(folder, count=2000):
    """fdatasync of an overwritten 4 KB block, in microseconds: p50 and p99."""
    block = os.urandom(4096)
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"\1" * 4096 * 256)
        file.flush()
        os.fsync(file.fileno())
        for i in range(count):
            os.pwrite(file.fileno(), block, i % 256 * 4096)
            begin = time.perf_counter_ns()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter_ns() - begin) / 1000)
    taken.sort()
    return {"p50_us": taken[len(taken) // 2], "p99_us": taken[len(taken) * 99 // 100], "count": count}


def version(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "?"


def machine(folder):
    processor = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    flags = re.search(r"flags\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    system = re.search(r'PRETTY_NAME="(.+)"', pathlib.Path("/etc/os-release").read_text())
    mount = subprocess.run(["findmnt", "-n", "-o", "FSTYPE,OPTIONS", "-T", folder], stdout=subprocess.PIPE, text=True,
                           check=False).stdout.strip()
    return {
        "processor": f"{processor[1] if processor else platform.machine()}, {os.cpu_count()} logical"
                     + (", virtual machine" if flags and "hypervisor" in flags[1].split() else ""),
        "memory": f"{int(memory[1]) // 1024 // 1024} GB",
        "system": f"{system[1]}, Linux {platform.release()}",
        "disk": re.sub(r"\s+", " ", mount),
        "nginx": version("/usr/sbin/nginx", "-v").replace("nginx version: ", ""),
        "haproxy": version("/usr/sbin/haproxy", "-v"),
        "openssl": version("openssl", "version"),
        "compiler": version("cc", "--version"),
        "load": "{:.2f} {:.2f} {:.2f}".format(*os.getloadavg()),
    }
