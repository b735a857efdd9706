"""Compares what callers were told, the record, the open claims, the quotas and the processor's books.

Promises: every difference is one line of text; none means that all five agree.
What may still come (a late settlement, a slow charge) is waited for a bounded
time, and only a difference that stays is one. An admission whose answer was lost
is let go of only when its worker has a link again: quotas are asked after that.
"""
import json
import time

SETTLE_WAIT_S = 12
NOT_SENT = {"keeper_unavailable", "keeper_timeout", "keeper_busy", "sealer_unavailable", "store_unavailable",
            "slots_exhausted", "upstream_unreachable", "rate_limited", "key_in_flight", "key_outcome_unknown",
            "key_answer_absent", "quota_exceeded"}
# A fault may cost an answer; nothing else than these may be said of it.
ALLOWED = NOT_SENT | {"outcome_unknown", "outcome_unknown_cut", "outcome_unknown_timeout", "outcome_unknown_keeper",
                      "outcome_unknown_answer", "outcome_unknown_status"}
# Exit statuses of processes under `up`: 137 a kill; 3 the keeper's "the store failed"; 1 the sealer's "the ring failed",
# which it keeps for itself until its link ends.
DEATHS = {"keeper": {137, 3}, "sealer": {137, 1}, "refpay": {137}, "nginx": {137}}
# The keeper's "not started", which a disk or a server that fails may cost.
NOT_STARTED = 1
STATUS_NOT_SPENT = 400
PROBE_MINOR = 100
PROBES_MAX = 4


class Record:
    """The events so far, each request's way through them, and what the quotas must be."""

    def __init__(self):
        self.requests, self.next, self.lines = {}, 0, []
        self.faults = []

    def read(self, house):
        while True:
            part = house.do("log.tail", **{"from": self.next, "limit": 1000})
            for event in part["events"]:
                if event["sequence"] < self.next:
                    self.faults.append(f"event {event['sequence']} comes behind {self.next}")
                self.lines.append((event["sequence"], event.get("request_id"), event["kind"], event.get("outcome")))
                self.take(event)
            if not part["events"]:
                return
            self.next = part["next"]

    def take(self, event):
        if event["kind"] == "admit" and event.get("claim") == "taken":
            if event["request_id"] in self.requests:
                self.faults.append(f"admitted twice: {event}")
            self.requests[event["request_id"]] = {
                "state": "open", "amount": event.get("amount_minor", 0), "partner": event["partner"],
                "day": event["at"][:10], "status": None}
        elif event["kind"] in ("settle", "lost", "resolve"):
            row = self.requests.get(event["request_id"])
            if row is None:
                self.faults.append(f"{event['kind']} without an admission: {event}")
            elif row["state"] not in ("open", "unknown"):
                self.faults.append(f"ended twice ({row['state']}): {event}")
            else:
                outcome = event["outcome"]
                row["state"] = {"final": "final", "unknown": "unknown"}.get(outcome, "released")
                row["status"] = event.get("upstream_status")

    def quotas(self, partners):
        sums = {}
        for row in self.requests.values():
            if row["partner"] not in partners:
                continue
            pair = sums.setdefault((row["partner"], row["day"]), [0, 0])
            if row["state"] in ("open", "unknown"):
                pair[0] += row["amount"]
            elif row["state"] == "final" and row["status"] < STATUS_NOT_SPENT:
                pair[1] += row["amount"]
        return {key: tuple(pair) for key, pair in sums.items() if pair != [0, 0]}


def read_books(house):
    """What the processor charged, by reference; new payments only are asked for."""
    known = house.books
    before, fresh = 0, []
    while True:
        page = house.ask_refpay(command="payments", before=before)
        rows = [row for row in page["payments"] if row["id"] not in known]
        fresh += rows
        before = page["next"]
        if not before or len(rows) < len(page["payments"]):
            break
    known.update((row["id"], row) for row in fresh)
    return known


def probe_once(house, gate, record, name, partner, key):
    """What two payments were told that together know whether exactly 100 are left; and what events say is used."""
    record.read(house)
    used = sum(record.quotas({partner}).get((partner, gate.day()), (0, 0)))
    house.limit(name, used + PROBE_MINOR)
    calls = [dict(house.new_call(amount), key=key, gates=[gate]) for amount in (PROBE_MINOR + 1, PROBE_MINOR)]
    for call in calls:
        house.pay_carefully(call, 0.05)
    return used, [[(one["status"], one["reason"]) for one in call["told"]] for call in calls]


def probe_quota(house, gate, record, name, partner, key):
    """What the store has counted for today, asked from outside: a limit that leaves 100 must refuse 101 and take 100."""
    for _ in range(PROBES_MAX):
        used, (over, within) = probe_once(house, gate, record, name, partner, key)
        if over[-1] != (403, "quota_exceeded") or within[-1] == over[-1]:
            break
        if within[-1][0] in (201, 402):
            return []
        time.sleep(1)  # not concluded: a fault's last wave
    return [f"quota of {name} differs: by events {used} are used; with {PROBE_MINOR} left, {PROBE_MINOR + 1} got {over} "
            f"and {PROBE_MINOR} got {within}"]


def check_quotas(house, record):
    found = probe_quota(house, house.gates[-1], record, "wide", house.wide_id, house.wide)
    found += probe_quota(house, house.gates[0], record, "narrow", house.narrow_id, house.narrow)
    house.limit("wide", house.WIDE_MINOR)
    return found


def check_told(call, charges, record):
    """One caller's answers against the books and the record."""
    found, told = [], call["told"]
    if len(charges) > 1:
        found.append("charged twice")
    if len({one["payment"] for one in told if one["status"] == 201}) > 1:
        found.append("two answers of one key differ")
    for one in told:
        request = record.requests.get(one["request"])
        if one["status"] == 201:
            if not charges or charges[0]["id"] != one["payment"]:
                found.append("told paid, not in the books")
            if not one["replayed"] and (request is None or request["state"] != "final"):
                found.append("told paid, not final in the record")
        if one["status"] and one["reason"] is not None and one["reason"] not in ALLOWED:
            found.append(f"told {one['reason']}")
        if one["reason"] in NOT_SENT and any(row["request_id"] == one["request"] for row in charges):
            found.append(f"told {one['reason']}, and that very request was charged")
    return [f"{text}: {told} {[(c['id'], c['status'], c['request_id']) for c in charges]}" for text in found]


def check_books(books, record, unknown):
    found, charged = [], {}
    for row in books.values():
        request = row["request_id"]
        charged[request] = row
        state = record.requests.get(request, {"state": "never admitted"})["state"]
        if state != "final" and not (state in ("open", "unknown") and request in unknown):
            found.append(f"charged, and in the record {state}, unknown list {request in unknown}: {row}")
    for request, row in record.requests.items():
        if row["state"] == "final" and row["status"] == 201 and request not in charged:
            found.append(f"final in the record, not in the books: {request} {row}")
        if row["state"] == "released" and request in charged:
            found.append(f"let go in the record, charged in the books: {request} {row}")
    return found


def check_claims(record, unknown):
    """The unknown list is what the events leave open, no more and no less."""
    open_ones = {request for request, row in record.requests.items() if row["state"] in ("open", "unknown")}
    return [f"unknown claims and events differ: {sorted(open_ones ^ unknown)[:5]} "
            f"({len(open_ones - unknown)} only in events, {len(unknown - open_ones)} only in claims)"] \
        if open_ones != unknown else []


def compare(house, record, calls):
    record.read(house)
    books = read_books(house)
    unknown = {row["request_id"] for row in house.do("reconcile.list", limit=1000)["rows"]}
    before = record.next
    record.read(house)
    found = list(record.faults)
    for gate in house.gates[1:]:
        if {row["request_id"] for row in gate.do("reconcile.list", limit=1000)["rows"]} != unknown:
            found.append("the gates list different unknown payments")
    if before != record.next:
        found.append("the record still grows")
    by_mark = {}
    for row in books.values():
        by_mark.setdefault(row["reference"], []).append(row)
    for call in calls:
        found += check_told(call, by_mark.get(call["mark"], []), record)
    found += check_books(books, record, unknown) + check_claims(record, unknown)
    if not house.ask_refpay(command="ledger", summary=True)["sum_is_zero"]:
        found.append("the processor's ledger does not sum to zero")
    return found


def judge(house, record, calls):
    """The differences that stay. A keeper that only now sees that its server went refuses or ends, and is waited for."""
    end = time.monotonic() + SETTLE_WAIT_S
    while True:
        try:
            house.wait_still(record)
            found = compare(house, record, calls)
            if not found:
                return check_quotas(house, record)
        except (OSError, EOFError, AssertionError) as error:
            found = [f"the keeper went while it was asked: {error!r}"]
            house.wait_answers()
        if time.monotonic() > end:
            return found
        time.sleep(0.25)


def deaths(house, plan, seen):
    """How processes ended since the last look, where no fault explains it. seen: lines of each gate's log."""
    disk = any(fault["kind"] == "server" or (fault["kind"] == "rule" and fault["program"] == "keeper" and
                                             fault["act"].startswith(("error", "cut"))) for fault in plan["faults"])
    found = []
    for number, gate in enumerate(house.gates):
        lines = (gate.dir / "log/up.log").read_text().splitlines()
        for line in lines[seen[number]:]:
            if line.startswith("nginx: "):
                continue  # a master that was killed leaves its port for a moment to its workers
            row = json.loads(line)
            allowed = DEATHS[row.get("service", "keeper")] | ({NOT_STARTED} if disk and row.get("service") == "keeper" else set())
            if row["event"] == "died" and row["status"] not in allowed:
                found.append(f"{row['service']} of gate {number} ended with {row['status']}")
        seen[number] = len(lines)
    return found


def check_kept(house, record):
    """At the end of a tree: every event that was ever shown is still there, as it was, at every gate."""
    record.read(house)
    found = []
    for number, gate in enumerate(house.gates):
        again = Record()
        again.read(gate)
        if again.lines != record.lines:
            found.append(f"gate {number}: the record changed: {len(record.lines)} events were shown, "
                         f"{len(again.lines)} are there")
    return found
