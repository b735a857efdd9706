"""bench/RESULTS.md and the charts, from what run.py measured.

Promises: every number in the page is measured in the run that it names, a median unless the column says
otherwise; a goal that was missed stands there with by how much, and with the cause that causes.md gives for it.
Does not: find causes.
"""
import fnmatch
import pathlib
import re

import svg
from measure import median

CAUSES = pathlib.Path(__file__).parent / "causes.md"


def _table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def _k(value):
    return f"{value / 1000:.1f} k" if value >= 10000 else f"{value:,.0f}".replace(",", " ")


def _size(value):
    return f"{value / 1e6:.1f} M" if value >= 1000000 else _k(value)


def _rates(runs):
    return [run["rate"] for run in runs]


def _mid(runs, name):
    return median([run[name] for run in runs])


def _cpu(runs, names=None):
    """Median of the sum over the named processes; all but generator, upstream and database server when no name is given."""
    return median([sum(us for name, us in run["cpu_us"].items()
                       if (name in names if names else name not in ("upstream", "server"))) for run in runs])


def _disk(result, which="disk"):
    taken = result[which] or result["disk"]
    return median([d["p50_us"] for d in taken]), median([d["p99_us"] for d in taken])


def _verdict(good, by):
    return "met" if good else f"missed: {by}"


def _goals_crossing(result, rows):
    best, half = result["best"], result["half"]
    bare = median(_rates(best["bare"]))
    p50, p99 = _disk(result, "disk_at_half")
    for name in [n for n in best if n.startswith("tollgate")]:
        ratio = median(_rates(best[name])) / bare
        rows.append((f"{name}: payments/s, of bare nginx", ">= 60 %", f"{ratio:.0%}",
                     _verdict(ratio >= 0.6, f"{0.6 - ratio:.0%} short")))
        gate = _cpu(best[name], ["worker"]) - _cpu(best["bare"], ["worker"])
        rows.append((f"{name}: gate, CPU a payment: worker less bare worker, each at its full load", "<= 25 us",
                     f"{gate:.1f} us", _verdict(gate <= 25, f"{gate - 25:.1f} us over")))
        many = result["many"]
        gate = _cpu(many[name], ["worker"]) - _cpu(many["bare"], ["worker"])
        rows.append((f"{name}: the same with {8 * result['connections']} connections, the worker never idle", "<= 25 us",
                     f"{gate:.1f} us", _verdict(gate <= 25, f"{gate - 25:.1f} us over")))
        if half[name] and half["bare"]:
            for which, goal in (("p50_us", 4 * p50 + 300), ("p99_us", 4 * p99 + 2500)):
                added = _mid(half[name], which) - _mid(half["bare"], which)
                rows.append((f"{name}: added latency at {_k(result['half_rate'])}/s, {which[:3]}", f"<= {goal:.0f} us",
                             f"{added:.0f} us", _verdict(added <= goal, f"{added - goal:.0f} us over")))


def _goals_keeper(result, rows):
    for store, found in result.get("keeper", {}).items():
        closed = found["closed"]
        if store == "sqlite":
            rate, cpu = median(_rates(closed[256])), _cpu(closed[256], ["keeper committer", "keeper checkpointer"])
            rows.append((f"keeper on {store}: pairs/s at 256 in flight", ">= 40 k", _k(rate),
                         _verdict(rate >= 40000, f"{1 - rate / 40000:.0%} short")))
            rows.append((f"keeper on {store}: CPU a pair, committer and checkpointer", "<= 20 us", f"{cpu:.1f} us",
                         _verdict(cpu <= 20, f"{cpu - 20:.1f} us over")))
            p99 = _mid(found["open"], "p99_us") / 1000
            rows.append((f"keeper on {store}: p99 of a question at 10 k pairs/s", "< 3 ms", f"{p99:.2f} ms",
                         _verdict(p99 < 3, f"{p99 - 3:.2f} ms over")))
        else:
            rate = median(_rates(closed[64]))
            rows.append((f"keeper on {store}: pairs/s at 64 in flight", ">= 15 k", _k(rate),
                         _verdict(rate >= 15000, f"{1 - rate / 15000:.0%} short")))
    if "two" in result:
        rows.append(("two keepers on one PostgreSQL: pairs/s together, 64 in flight at each", "reported",
                     _k(median(_rates(result["two"]["runs"]))), ""))


def _goals_growth(result, rows):
    for store, found in result.get("growth", {}).items():
        for kind, least, goal in (("claims", 1.3, "<= 1.3 x"), ("partners", 1.1, "+-10 %")):
            series = found[kind]
            if len(series) > 1:
                costs = [_pair_cost(store, one["runs"]) for one in series]
                ratio = costs[-1] / costs[0]
                rows.append((f"{store}: CPU a pair ({_pair_words(store)}), {_size(series[-1]['size'])} {kind} against "
                             f"{_size(series[0]['size'])}", goal, f"{ratio:.2f} x",
                             _verdict(ratio <= least, f"{ratio:.2f} x")))


def _goals_memory(result, rows):
    for connections, workers in result.get("memory", {}).items():
        for name, found in workers.items():
            if name.startswith("tollgate"):
                own = found["rss"] - found["shared"]
                rows.append((f"{name}: gate worker's memory after {connections} connections, zones apart", "< 20 MB",
                             f"{own:.1f} MB", _verdict(own < 20, f"{own - 20:.1f} MB over")))
    for store, found in result.get("growth", {}).items():
        for one in [one for one in found["partners"] if one["size"] == 10000]:
            # The goal's 32 bytes are for each claim that lives, and these runs have made some.
            goal = 128 + 32 * one["live"] / 1048576
            rss = one["memory"]["rss"]
            rows.append((f"keeper on {store}: memory with {_size(one['size'])} partners and {_size(one['live'])} live claims",
                         f"< {goal:.0f} MB (128 MB + 32 B a claim)", f"{rss:.1f} MB",
                         _verdict(rss < goal, f"{rss - goal:.1f} MB over")))
        if len(found["claims"]) > 1:
            few, many = found["claims"][0], found["claims"][-1]
            each = (many["memory"]["rss"] - few["memory"]["rss"]) * 1048576 / (many["live"] - few["live"])
            rows.append((f"keeper on {store}: memory a live claim, {_size(many['live'])} against {_size(few['live'])}",
                         "<= 32 B", f"{each:.1f} B", _verdict(each <= 32, f"{each - 32:.1f} B over")))


def _pair_cost(store, runs):
    """What a pair costs where the cost can grow: on a server that is the server."""
    names = ["keeper committer", "keeper checkpointer"]
    return _cpu(runs, names + ["server"] if store == "postgres" else names)


def _pair_words(store):
    return "committer, checkpointer and server" if store == "postgres" else "committer and checkpointer"


def _causes():
    """causes.md: [(pattern of a goal's name, text)]. A heading of two hashes is a pattern; * stands for anything."""
    parts = re.split(r"^## (.+)\n", CAUSES.read_text(), flags=re.M)[1:] if CAUSES.exists() else []
    return [(pattern.strip(), " ".join(text.split())) for pattern, text in zip(parts[::2], parts[1::2])]


def _page_causes(goals, out):
    """Of goals missed in this run alone."""
    missed = [row for row in goals if row[3].startswith("missed")]
    if not missed:
        return
    causes, by_text = _causes(), {}
    for row in missed:
        text = next((text for pattern, text in causes if fnmatch.fnmatchcase(row[0], pattern) and text),
                    "cause not written.")
        by_text.setdefault(text, []).append(f"**{row[0]}** ({row[3]})")
    out.append("### Why these are missed\n\nBy bench/causes.md, which is written by hand; the figures are those of this "
               "page.\n\n" + "\n".join(f"- {'; '.join(names)}: {text}" for text, names in by_text.items()) + "\n")


def _page_counts(result, out):
    for name, count in result.get("compared", {}).items():
        fits = not any(fault.startswith(f"{name}:") for fault in result["faults"])
        out.append(f"{name}: {count} fresh keys, 2xx = claims stored = events settled = rows in the store: "
                   f"{'yes' if fits else '**NO**'}.\n")
    if "keeper" in result or "growth" in result:
        fits = not any("alone on" in fault for fault in result["faults"])
        out.append("Keepers alone: after each run pairs told = claims = verdicts = settled = half the events, and at each "
                   f"end = rows in the store: {'yes' if fits else '**NO**'}.\n")
    for fault in result["faults"]:
        out.append(f"**Fault**: {fault}\n")


def _page_head(result, out):
    p50, p99 = _disk(result)
    m = result["machine"]
    out.append("# What it costs\n\nGenerated by `make bench`; every number was measured in this one run"
               + (" (**quick**: for trying, its numbers mean little)" if result.get("quick") else "") + ".\n")
    out.append(_table(["machine", ""], [
        ("processor", m["processor"]), ("memory", m["memory"]), ("system", m["system"]), ("file system", m["disk"]),
        ("fdatasync, 4 KB overwritten", f"p50 {p50:.0f} us, p99 {p99:.0f} us (median of {len(result['disk'])} times 2000)"
         + ("; between the rounds at half load p50 {:.0f} us, p99 {:.0f} us".format(*_disk(result, "disk_at_half"))
            if result["disk_at_half"] else "")),
        ("load average before", m["load"]), ("programs", f"{m['nginx']}; {m['haproxy']}; {m['openssl']}; {m['compiler']}"),
        ("run", f"{result['at']}, {result['took_s'] / 60:.1f} minutes"),
        ("processors", f"worker under test (and, alone, the committer): {result['pins']['worker']}; generator, upstream, "
                       f"keeper, sealer, helpers: {result['pins']['other']}")]))
    out.append("Method: 230-byte JSON payment, 230-byte answer from a second stock nginx's memory, TLS 1.3 with client "
               f"certificates, {result['connections']} connections, one worker each, {result['rounds']} rounds of "
               f"{result['seconds']} s that go through all contenders in turn; medians, in brackets the lowest and the "
               "highest. Only Tollgate writes an access log. CPU a payment comes from /proc schedstat and leaves the "
               "generator and the upstream out. Tollgate runs the configuration that `tollgate init` writes, with one "
               "worker and the rate limit out of the way.\n")
    if "agreement" in result:
        a = result["agreement"]
        out.append(f"The generator against h2load, bare proxy before itself, all servers on one processor: {_k(a['ours'])}/s and {_k(a['h2load'])}/s, {a['off']:+.1%} "
                   "(within 5 %).\n" if abs(a["off"]) <= 0.05 else
                   f"**The generator does not agree with h2load**: {_k(a['ours'])}/s and {_k(a['h2load'])}/s, {a['off']:+.1%}.\n")
    _page_counts(result, out)


def _page_crossing(result, out):
    best, half = result["best"], result["half"]
    bare = median(_rates(best["bare"]))
    bare_half = half["bare"]
    rows = []
    for name, runs in best.items():
        rates, open_ = _rates(runs), half[name]
        rows.append((result["titles"][name], f"{_k(median(rates))} ({_k(min(rates))} - {_k(max(rates))})",
                     f"{median(rates) / bare:.2f}", f"{_cpu(runs):.0f} us", f"{_cpu(runs, ['worker']):.0f} us",
                     *([f"{_mid(open_, 'p50_us'):.0f} us", f"{_mid(open_, 'p99_us') / 1000:.2f} ms",
                        f"{_mid(open_, 'p50_us') - _mid(bare_half, 'p50_us'):+.0f} us"] if open_ else
                       ["cannot", "cannot", "cannot"])))
    out.append("## Side by side\n")
    rate = _k(result["half_rate"])
    out.append(_table(["", "payments/s", "of bare", "CPU a payment", "worker", f"p50 at {rate}/s", f"p99 at {rate}/s",
                       "p50 added"], rows))
    out.append(f"{rate}/s is half of what Tollgate did, the same for all; a latency counts from the moment when the "
               "request was due.\n")
    names = sorted({name for key, runs in best.items() if key.startswith("tollgate") for run in runs
                    for name in run["cpu_us"]})
    rows = [(result["titles"][key], *(f"{median([r['cpu_us'].get(n, 0) for r in runs]):.1f}" for n in names),
             f"{_cpu(runs):.1f}") for key, runs in best.items() if key.startswith("tollgate") or key == "bare"]
    rows += [(result["titles"][key] + ", half load",
              *(f"{median([r['cpu_us'].get(n, 0) for r in runs]):.1f}" for n in names), f"{_cpu(runs):.1f}")
             for key, runs in half.items() if runs and (key.startswith("tollgate") or key == "bare")]
    out.append("### CPU a payment by process, us\n\n" + _table(["", *names, "all but upstream and server"], rows))
    many = {name: median(_rates(runs)) for name, runs in result["many"].items()}
    out.append(f"### {8 * result['connections']} connections\n\n" + _table(
        ["", "payments/s", "of bare", "worker us a payment", "all but upstream and server", "p50 ms", "p99 ms"],
        [(result["titles"][n], _k(r), f"{r / many['bare']:.2f}", f"{_cpu(result['many'][n], ['worker']):.1f}",
          f"{_cpu(result['many'][n]):.1f}", f"{_mid(result['many'][n], 'p50_us') / 1000:.2f}",
          f"{_mid(result['many'][n], 'p99_us') / 1000:.2f}") for n, r in many.items()]))
    h2 = {name: median(_rates(runs)) for name, runs in result["h2"].items()}
    out.append("### HTTP/2, 8 connections of 4 streams\n\n" + _table(
        ["", "payments/s", "of bare h2"],
        [(result["titles"][n], _k(r), f"{r / h2['bare']:.2f}") for n, r in h2.items()]))
    memory = [(f"{result['titles'][one]}, {name}", f"{mb:.1f} MB") for one, found in result["memory_mb"].items()
              for name, mb in found.items()]
    out.append("### Memory after the rounds (proportional set size)\n\n" + _table(["process", "PSS"], memory))
    workers = [(f"{result['titles'][one]}, {connections} connections",
                *(f"{m[name]:.1f}" for name in ("rss", "anon", "file", "shared")))
               for connections, found in result["memory"].items() for one, m in found.items()]
    out.append("Of the workers, MB in memory (VmRSS and its parts; shared are the zones):\n\n" + _table(
        ["worker", "all", "anonymous", "files (libraries, shared with all who use them)", "zones"], workers))
    out.append("### Throughput and latency against load\n\nEach load once, for "
               f"{result['sweep_seconds']} s.\n\n![throughput](throughput.svg)\n\n![latency](latency.svg)\n")


def _page_keeper(result, out):
    for store, found in result["keeper"].items():
        rows = []
        for level, runs in found["closed"].items():
            rows.append((level, _k(median(_rates(runs))), f"{_mid(runs, 'p50_us') / 1000:.2f} / {_mid(runs, 'p99_us') / 1000:.2f}",
                         f"{_mid(runs, 'works_a_batch'):.0f}",
                         *(f"{_cpu(runs, [n]):.1f}" for n in ("keeper committer", "keeper checkpointer", "keeper loop",
                                                                "sealer"))))
        runs = found["open"]
        rows.append((f"{_k(runs[0]['rate_asked'])} pairs/s, random arrivals", _k(median(_rates(runs))),
                     f"{_mid(runs, 'p50_us') / 1000:.2f} / {_mid(runs, 'p99_us') / 1000:.2f}",
                     f"{_mid(runs, 'works_a_batch'):.0f}",
                     *(f"{_cpu(runs, [n]):.1f}" for n in ("keeper committer", "keeper checkpointer", "keeper loop",
                                                            "sealer"))))
        out.append(f"## The keeper alone, {store}\n\nOne gate link; a pair is ADMIT and SETTLE with a 600-byte answer; "
                   f"{result['keeper_rounds']} runs of {result['keeper_seconds']} s each, the open loop's of 4 s at least.\n\n" + _table(
                       ["in flight", "pairs/s", "question p50 / p99 ms", "works a batch", "committer us a pair",
                        "checkpointer", "loop and links", "sealer"], rows))


def _page_two(result, out):
    runs = result["two"]["runs"]
    out.append("### Two keepers on one PostgreSQL\n\nOne sealer, one database, a generator at each keeper, 64 in flight "
               f"at each; {len(runs)} runs of {result['keeper_seconds']} s. No goal: the database decides.\n\n" + _table(
                   ["", "pairs/s together", "of each", "question p50 / p99 ms, the slower", "server us a pair"],
                   [("two keepers", _k(median(_rates(runs))),
                     " and ".join(_k(median([run["each"][i] for run in runs])) for i in (0, 1)),
                     f"{_mid(runs, 'p50_us') / 1000:.2f} / {_mid(runs, 'p99_us') / 1000:.2f}",
                     f"{_mid(runs, 'server_us'):.1f}")]))


def _pair_cell(store, runs):
    return f"{_pair_cost(store, runs):.1f}" + (f" (server {_cpu(runs, ['server']):.1f})" if store == "postgres" else "")


def _growth_row(store, one):
    memory = one["memory"]
    return (_size(one["size"]), _k(median(_rates(one["runs"]))), _pair_cell(store, one["runs"]),
            f"{_mid(one['runs'], 'p99_us') / 1000:.2f}", f"{one['start_s']:.2f} s", _size(one["live"]),
            f"{memory['rss']:.1f}", f"{memory['anon']:.1f}", f"{one['bytes'] / 1e6:.0f} MB")


def _page_growth(result, out):
    for store, found in result["growth"].items():
        out.append(f"## Growth, {store}\n\n64 in flight, {result['keeper_rounds']} runs of {result['keeper_seconds']} s. "
                   "Claims are settled payments of the store's own commit path, 512 a batch, made by store_bench; then a "
                   "keeper starts on them" + (", after VACUUM (ANALYZE) and CHECKPOINT" if store == "postgres" else "")
                   + ". Memory is read after the runs, when so many claims live; so is the store's size on disk.\n")
        for kind in ("claims", "partners"):
            out.append(_table([f"{kind} stored", "pairs/s", f"{_pair_words(store)} us a pair", "question p99 ms", "start",
                               "live claims", "keeper RSS MB", "of it anonymous", "store"],
                              [_growth_row(store, one) for one in found[kind]]))
        short = [one for one in found["claims"] if one["size"] < one["wanted"]]
        for one in short:
            out.append(f"{_size(one['wanted'])} claims were wanted; {one['filled_s']:.0f} s of filling made "
                       f"{_size(one['size'])}.\n")
    out.append("![cost against size](growth.svg)\n")


def _page_where(result, out):
    out.append("## Where it goes\n\nperf samples by timer at full load; us a payment = share x the process's CPU a "
               "payment. (callgrind cannot run the daemons: valgrind of Debian 12 knows neither seccomp nor Landlock, and "
               "they do not start without their filter.)\n")
    for one, found in result["where"].items():
        for name, why in found["absent"].items():
            out.append(f"{result['titles'][one]}, {name}: no table, {why}.\n")
        for name, shares in found["processes"].items():
            out.append(f"### {result['titles'][one]}: {name}, {shares['us']:.1f} us a payment\n")
            out.append(_table(["object", "share", "us"], [(f"`{row[1]}`", f"{row[0]:.1%}", f"{row[0] * shares['us']:.1f}")
                                                          for row in shares["objects"]]))
            out.append(_table(["thread", "object", "function", "share", "us"],
                              [(row[1], row[2], f"`{row[3]}`", f"{row[0]:.1%}", f"{row[0] * shares['us']:.1f}")
                               for row in shares["symbols"]]))


def _charts(result, folder):
    def write(name, text):
        (folder / f"{name}.svg").write_text(text)

    if "sweep" in result:
        titles = {name: result["titles"][name].replace(", ", " ") for name in result["sweep"]}
        series = result["sweep"].items()
        write("throughput", svg.chart("Payments answered against payments offered", "offered a second", "answered a second",
                                      [(titles[n], [(r["offered"], r["rate"]) for r in runs], False) for n, runs in series]))
        write("latency", svg.chart("Latency against load (p50 solid, p99 dashed)", "offered a second", "ms from due",
                                   [(titles[n] + suffix, [(r["offered"], r[which] / 1000) for r in runs], dashed)
                                    for n, runs in series
                                    for suffix, which, dashed in ((", p50", "p50_us", False), (", p99", "p99_us", True))],
                                   y_log=True))
    if "growth" in result:
        write("growth", svg.chart("CPU a pair (committer, checkpointer, server) against size", "stored", "us a pair",
                                  [(f"{store} {kind}", [(one["size"], _pair_cost(store, one["runs"])) for one in found[kind]],
                                    False) for store, found in result["growth"].items() for kind in ("claims", "partners")],
                                  x_log=True))


def write(result, folder):
    out, goals = [], []
    _page_head(result, out)
    if "best" in result:
        _goals_crossing(result, goals)
    _goals_keeper(result, goals)
    _goals_growth(result, goals)
    _goals_memory(result, goals)
    out.append("## Goals\n\n" + _table(["what", "goal", "measured", ""], goals))
    _page_causes(goals, out)
    for part, page in (("best", _page_crossing), ("keeper", _page_keeper), ("two", _page_two), ("growth", _page_growth), ("where", _page_where)):
        if part in result:
            page(result, out)
    _charts(result, folder)
    (folder / "RESULTS.md").write_text("\n".join(out))
