"""kill -9 of each process while payments pass: what callers were told, the record and the processor's books agree.

Promises: twenty seeded runs; a run can be made again with KILL_SEED=n. Each
run kills one process once, at a moment drawn from the seed, under twelve
concurrent callers that retry with the same key as careful clients do.
"""
import http.client
import os
import ssl
import threading
import time
import uuid

import pytest
from lib.story import Instance, seeded

SEEDS = [int(os.environ["KILL_SEED"])] if os.environ.get("KILL_SEED") else list(range(20))
VICTIMS = ["keeper", "worker", "sealer", "refpay"]
CALLERS = 12
CALLS_EACH = 8


@pytest.fixture(scope="module")
def street():
    instance = Instance()
    try:
        instance.up()
        yield instance
    finally:
        instance.close()


def caller(house, amount, told, lock):
    """Pays; retries on anything that is not an answer, at most five times, with the same key."""
    for _ in range(CALLS_EACH):
        key, mark, seen = uuid.uuid4().hex, uuid.uuid4().hex, []
        for _ in range(5):
            try:
                answer = house.pay(amount, idempotency=key, body={"reference": mark}, timeout=12)
                seen.append((answer.status, answer.reason, answer.fields.get("Tollgate-Request-Id")))
            except (OSError, http.client.HTTPException, ssl.SSLError) as error:
                seen.append((0, type(error).__name__, None))
                time.sleep(0.1)
                continue
            if answer.status in (201, 402, 422) or answer.reason == "key_outcome_unknown":
                break
            time.sleep(0.1)
        with lock:
            told[mark] = seen


def strike(house, victim, random):
    time.sleep(random.uniform(0.05, 0.6))
    if victim == "worker":
        pids = house.workers()
        os.kill(random.choice(pids), 9)
    else:
        house.kill(victim)


@pytest.mark.parametrize("seed", SEEDS)
def test_kill(street, seed):
    random = seeded(seed)
    victim = VICTIMS[seed % len(VICTIMS)]
    told, lock = {}, threading.Lock()

    threads = [threading.Thread(target=caller, args=(street, random.randrange(10, 500) * 100, told, lock))
               for _ in range(CALLERS)]
    if random.random() < 0.5:
        street.fault("slow", count=20, delay_ms=random.randrange(20, 300))
    for thread in threads:
        thread.start()
    strike(street, victim, random)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), f"seed {seed}: a caller hangs"
    street.wait_ready()
    verify(street, told, f"seed {seed}, {victim}")


def verify(house, told, label):
    books = {}
    for payment in house.payments():
        books.setdefault(payment["reference"], []).append(payment)
    settled = {e["request_id"]: e for e in house.events() if e["kind"] == "settle"}
    for mark, seen in told.items():
        charged = books.get(mark, [])
        assert len(charged) <= 1, f"{label}: charged twice: {seen}"
        for status, reason, request in seen:
            if status == 201:
                assert len(charged) == 1, f"{label}: told paid, not in the books: {seen}"
            if status and reason not in (None,):
                assert reason in ("outcome_unknown", "key_outcome_unknown", "key_in_flight", "keeper_unavailable",
                                  "keeper_timeout", "sealer_unavailable", "upstream_unreachable", "keeper_busy",
                                  "store_unavailable", "outcome_unknown_status"), f"{label}: {seen}"
        for status, reason, request in seen:
            if status == 201 and request in settled:
                assert settled[request]["outcome"] == "final", f"{label}: {settled[request]}"
    assert house.ledger()["sum_is_zero"] is True
