"""What one seed does: how many callers, which faults, at which step or moment.

Promises: the same seed draws the same schedule on every machine. Does not:
promise the same interleaving; the bench compares what came of it.
"""
import errno
import random

HOUR_US = 3600 * 1000000

# Calls of a kind that one payment makes, a little below what was measured: an nth beyond them would seldom be met.
CALLS = {
    ("keeper", "write"): 4.0, ("keeper", "sync"): 0.8, ("keeper", "send"): 1.7, ("keeper", "receive"): 1.7,
    ("keeper", "session_send"): 1.5, ("keeper", "session_receive"): 1.5,
    ("sealer", "send"): 0.8, ("sealer", "receive"): 0.8,
    ("nginx", "send"): 6.0, ("nginx", "receive"): 8.5,
    ("refpay", "write"): 4.0, ("refpay", "send"): 0.9, ("refpay", "receive"): 0.9,
}
UPSTREAM = ["slow", "slow_before", "reset_before", "reset_after_commit", "garbage_status", "cut_body",
            "close_delimited", "huge", "early_hints", "stall", "status_500", "status_503", "status_429",
            "status_500_after_commit", "refuse_connect"]
PROGRAMS = ["keeper", "worker", "sealer", "refpay"]


class Draw(random.Random):
    """Chance that knows how many payments its seed makes."""
    payments = 1

    def nth(self, program, on):
        return self.randrange(1, max(2, int(CALLS[(program, on)] * self.payments)))


def rule(name, program, on, act, at, **more):
    return {"name": name, "kind": "rule", "program": program, "on": on, "act": act, "nth": at, **more}


def kill_at_step(draw):
    program = draw.choice(["keeper", "keeper", "nginx", "nginx", "sealer", "refpay"])
    on = draw.choice([on for who, on in CALLS if who == program and not on.startswith("session")])
    act = draw.choice(["kill", "kill_after"])
    shown = "worker" if program == "nginx" else program
    return [rule(f"kill {shown} at a step", program, on, act, draw.nth(program, on))]


def kill_at_moment(draw):
    program = draw.choice(PROGRAMS)
    return [{"name": f"kill {program} at a moment", "kind": "kill", "program": program, "at_s": draw.uniform(0.02, 0.5)}]


def failed_write(draw):
    return [rule("failed write", "keeper", "write", "error", draw.nth("keeper", "write"),
                 error=draw.choice([errno.EIO, errno.ENOSPC]))]


def short_write(draw):
    program, on = draw.choice([("keeper", "write"), ("keeper", "send"), ("sealer", "send"), ("nginx", "send"),
                               ("refpay", "write")])
    return [rule("short writes", program, on, "short", draw.nth(program, on), count=draw.randrange(1, 30))]


def short_read(draw):
    program = draw.choice(["keeper", "sealer", "nginx", "refpay"])
    return [rule("short reads", program, "receive", "short", draw.nth(program, "receive"),
                 count=draw.randrange(1, 30))]


def failed_sync(draw):
    act = draw.choice(["error", "error_lose", "error_lose"])
    return [rule("failed fsync" + (", what it covered lost" if act == "error_lose" else ""), "keeper", "sync", act,
                 draw.nth("keeper", "sync"), parameter=draw.choice([2**64 - 1, draw.getrandbits(64)]))]


def power_cut(draw):
    on = draw.choice(["write", "sync"])
    return [rule("power cut: unsynced writes lost", "keeper", on, "kill_lose", draw.nth("keeper", on),
                 parameter=draw.choice([2**64 - 1, draw.getrandbits(64)]))]


def disk_full(draw):
    return [rule("disk full", "keeper", "write", "error", draw.nth("keeper", "write"), count=2**40,
                 error=errno.ENOSPC, until_s=draw.uniform(0.2, 0.8))]


def stalled_disk(draw):
    program, on = draw.choice([("keeper", "sync"), ("keeper", "sync"), ("refpay", "write")])
    return [rule("stalled disk", program, on, "stall", draw.nth(program, on), count=draw.randrange(1, 4),
                 parameter=draw.randrange(50, 1200))]


def slow_sealer(draw):
    return [rule("slow sealer", "sealer", "send", "stall", draw.nth("sealer", "send"), count=draw.randrange(1, 4),
                 parameter=draw.randrange(50, 700))]


def clock_step(draw):
    step = draw.choice([-1, 1])
    rows = [{"name": f"clock {'+' if step > 0 else '-'}1 h", "kind": "clock", "at_s": draw.uniform(0.0, 0.4),
             "step_us": step * HOUR_US, "programs": draw.choice([["keeper", "nginx", "refpay", "sealer"], ["keeper"]])}]
    if draw.random() < 0.3:
        rows.append({"name": "clock back again", "kind": "clock", "at_s": draw.uniform(0.4, 0.6), "step_us": 0,
                     "programs": rows[0]["programs"]})
    return rows


def sealer_disk(draw):
    """The clock's step makes the keeper want a new segment, whose key the sealer cannot keep."""
    return clock_step(draw)[:1] + [rule("sealer's disk fails", "sealer", draw.choice(["write", "sync"]),
                                        draw.choice(["error", "kill"]), 1)]


def upstream(draw):
    kind = draw.choice(UPSTREAM)
    row = {"name": f"upstream {kind}", "kind": "upstream", "fault": kind, "count": draw.randrange(1, 8), "delay_ms": 0}
    if kind in ("slow", "slow_before", "refuse_connect"):
        row["delay_ms"] = draw.randrange(20, 400)
    if kind == "stall":
        row["count"] = draw.randrange(1, 3)
    return [row]


def leavers(_draw):
    return [{"name": "200 clients leave midway", "kind": "leave", "count": 200, "at_s": 0.0}]


FAULTS = [(kill_at_step, 8), (kill_at_moment, 3), (failed_write, 2), (short_write, 2), (short_read, 2), (failed_sync, 3),
          (power_cut, 3), (disk_full, 1), (stalled_disk, 2), (slow_sealer, 1), (clock_step, 3), (sealer_disk, 1),
          (upstream, 5), (leavers, 1)]


def server(draw):
    """What a database server does to its keeper: it dies as by a crash, it is restarted, it ends a session mid-batch."""
    kind = draw.choice(["killed", "restarted", "session cut", "session cut"])
    return [{"name": f"PostgreSQL {kind}", "kind": "server", "how": kind, "at_s": draw.uniform(0.02, 0.4),
             "times": draw.randrange(1, 5) if kind == "session cut" else 1}]


def session(draw):
    """The committer's session breaks at a step: within a batch, before a question goes out or its answer is read."""
    on = draw.choice(["session_send", "session_receive", "session_receive"])
    return [rule("PostgreSQL session cut at a step", "keeper", on, "cut", draw.nth("keeper", on))]


def heads(draw):
    """Those who start others die: nginx's master, or the supervisor, whose operator then does what `up` tells him."""
    name, program = draw.choice([("nginx's master", "nginx"), ("nginx's master", "nginx"), ("supervisor", "up")])
    return [{"name": f"kill {name} at a moment", "kind": "kill" if program == "nginx" else "bury", "program": program,
             "at_s": draw.uniform(0.02, 0.4)}]


def pair_up(plan, draw):
    """The seed's faults fall on one gate or the other; some are for two alone; some callers ask both at once."""
    for fault in plan["faults"]:
        if fault["kind"] == "rule" and fault["program"] in ("keeper", "nginx"):
            fault["sides"], fault["nth"] = [draw.randrange(2)], (fault["nth"] + 1) // 2
        elif fault["kind"] == "kill" and fault["program"] in ("keeper", "worker", "nginx"):
            fault["sides"] = [draw.randrange(2)]
        elif fault["kind"] == "clock":
            fault["sides"] = draw.choice([[0], [1], [0, 1]])
        elif fault["kind"] == "server" and fault["how"] == "session cut":
            fault["one"] = draw.random() < 0.5
    at_s, for_s, side = draw.uniform(0.02, 0.4), draw.uniform(0.3, 2.5), draw.randrange(2)
    plan["faults"] += draw.choice([
        [], [], [],
        [{"name": "both keepers killed at a moment", "kind": "kill", "program": "keeper", "sides": [0, 1], "at_s": at_s}],
        [{"name": "a keeper killed and kept away", "kind": "away", "sides": [side], "at_s": at_s, "for_s": for_s}],
        [{"name": "a keeper stopped, then let go on", "kind": "stopped", "sides": [side], "at_s": at_s, "for_s": for_s}]])
    plan["twins"] = draw.randrange(0, plan["callers"])
    return plan


def schedule(seed, store="sqlite", pair=False):
    draw = Draw(f"fault bench {seed}")
    callers, payments = draw.randrange(3, 11), draw.randrange(2, 5)
    draw.payments = callers * payments
    makers, weights = zip(*FAULTS)
    faults, chosen = [], set()
    for _ in range(draw.choice([1, 1, 2, 2, 3])):
        maker = draw.choices(makers, weights)[0]
        if maker not in chosen or maker in (kill_at_step, upstream):
            faults += maker(draw)
        chosen.add(maker)
    if store == "postgres":
        # Of their own draw, so that the rest of a seed is the same on both stores.
        more = Draw(f"fault bench {seed} postgres")
        faults += server(more) if more.random() < 0.5 else []
        more = Draw(f"fault bench {seed} session")
        more.payments = draw.payments
        faults += session(more) if more.random() < 0.25 else []
    more = Draw(f"fault bench {seed} heads")
    faults += heads(more) if more.random() < 0.15 else []
    plan = {
        "seed": seed,
        "callers": callers,
        "payments": payments,
        "amounts": draw.randrange(1, 2**31),
        "narrow_minor": draw.randrange(2000, 60000),
        "faults": faults,
    }
    return pair_up(plan, Draw(f"fault bench {seed} pair")) if pair else plan
