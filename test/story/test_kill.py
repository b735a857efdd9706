"""kill -9 of each process while payments pass: what callers were told, the record and the processor's books agree.

Promises: twenty seeded runs; a run can be made again with KILL_SEED=n. Each
run kills one process once, at a moment drawn from the seed, under twelve
concurrent callers that retry with the same key as careful clients do, and that
pay on until the blow has fallen. Told, recorded and charged are compared both ways.
"""
import http.client
import json
import os
import ssl
import threading
import time
import uuid

import pytest
from lib.story import Instance, seeded

SEEDS = [int(os.environ["KILL_SEED"])] if os.environ.get("KILL_SEED") else list(range(20))
VICTIMS = ["keeper", "worker", "sealer", "refpay"]
ALLOWED_REASONS = {"outcome_unknown", "key_outcome_unknown", "key_in_flight", "keeper_unavailable", "keeper_timeout",
                   "sealer_unavailable", "upstream_unreachable", "keeper_busy", "store_unavailable",
                   "outcome_unknown_status"}
CALLERS = 12
CALLS_AFTER = 3


@pytest.fixture(scope="module")
def street():
    instance = Instance()
    try:
        instance.up()
        yield instance
    finally:
        instance.close()


def caller(house, amount, told, lock, struck):
    """Pays until the blow and a little longer; retries what is not an answer, at most five times, with the same key."""
    after = 0
    while after < CALLS_AFTER:
        after += struck.is_set()
        key, mark, seen = uuid.uuid4().hex, uuid.uuid4().hex, []
        for _ in range(5):
            try:
                answer = house.pay(amount, idempotency=key, body={"reference": mark}, timeout=12)
                seen.append((answer.status, answer.reason, answer.fields.get("Tollgate-Request-Id"),
                             "Idempotent-Replayed" in answer.fields))
            except (OSError, http.client.HTTPException, ssl.SSLError) as error:
                seen.append((0, type(error).__name__, None, False))
                time.sleep(0.1)
                continue
            if answer.status in (201, 402, 422) or answer.reason == "key_outcome_unknown":
                break
            time.sleep(0.1)
        with lock:
            told[mark] = seen


def strike(house, victim, random):
    time.sleep(random.uniform(0.05, 0.6))
    pid = random.choice(house.workers()) if victim == "worker" else house.pid(victim)
    os.kill(pid, 9)
    while os.path.exists(f"/proc/{pid}"):  # its supervisor has seen it: what answers from here on is the next one
        time.sleep(0.01)


@pytest.mark.parametrize("seed", SEEDS)
def test_kill(street, seed):
    random = seeded(seed)
    victim = VICTIMS[seed % len(VICTIMS)]
    told, lock, struck = {}, threading.Lock(), threading.Event()
    threads = [threading.Thread(target=caller, args=(street, random.randrange(10, 500) * 100, told, lock, struck),
                                daemon=True)
               for _ in range(CALLERS)]
    if random.random() < 0.5:
        street.fault("slow", count=20, delay_ms=random.randrange(20, 300))
    for thread in threads:
        thread.start()
    try:
        strike(street, victim, random)
    finally:
        struck.set()  # whatever went wrong: callers do not pay for ever
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), f"seed {seed}: a caller hangs"
    street.wait_ready()
    verify(street, told, f"seed {seed}, {victim}")


def events_of(house):
    """Settles by request id, and the ids of all that was admitted."""
    settled, admitted = {}, set()
    for event in house.events():
        if event["kind"] == "settle":
            settled.setdefault(event["request_id"], []).append(event)
        if event["kind"] == "admit" and event["verdict"] == "allow":
            admitted.add(event["request_id"])
    return settled, admitted


def check_told(label, seen, charged, settled):
    """What callers heard is what the books and the record hold."""
    for status, reason, request, replayed in seen:
        if status == 201:
            assert len(charged) == 1, f"{label}: told paid, not in the books: {seen}"
            assert charged[0]["status"] == "captured", f"{label}: {charged}"
        if status == 201 and not replayed:
            assert request in settled, f"{label}: told paid, not in the record: {seen}"
            assert settled[request][-1]["outcome"] == "final", f"{label}: {settled[request]}"
            assert charged[0]["request_id"] == request, f"{label}: another call was charged: {seen}"
        if status and reason is not None:
            assert reason in ALLOWED_REASONS, f"{label}: {seen}"


def verify(house, told, label):
    books = {}
    for payment in house.payments():
        books.setdefault(payment["reference"], []).append(payment)
    settled, admitted = events_of(house)
    unknown = {row["request_id"] for row in json.loads(house.run("reconcile", "--list", "--json"))}
    for mark, seen in told.items():
        charged = books.get(mark, [])
        assert len(charged) <= 1, f"{label}: charged twice: {seen}"
        check_told(label, seen, charged, settled)
        for payment in charged:
            # Every charge has its admission in the record, and is final there or waits for reconcile.
            request = payment["request_id"]
            final = any(e["outcome"] == "final" for e in settled.get(request, []))
            assert request in admitted, f"{label}: charged without an admission: {payment}"
            assert final != (request in unknown), f"{label}: {payment} {settled.get(request)} {request in unknown}"
    charges = {p["request_id"] for rows in books.values() for p in rows}
    for request, events in settled.items():
        if events[-1]["outcome"] == "final" and events[-1]["status"] == 201:
            assert request in charges, f"{label}: final in the record, not in the books: {events}"
        if events[-1]["outcome"] in ("not_sent", "not_executed"):
            assert request not in charges, f"{label}: charged, and its key let go: {events}"
    assert house.ledger()["sum_is_zero"] is True
