"""What one worker keeps: no secret in its memory, no more questions than it has slots."""
import os
import re
import subprocess
import time

from lib import scripted_keeper
from lib.instance import CREDENTIAL, Instance, payment
from lib.upstream import field

SLOTS = 4096


def memory_holds(pid, needle):
    """How often the bytes stand in a process's readable memory."""
    found = 0
    with open(f"/proc/{pid}/mem", "rb", 0) as memory, open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        for line in maps:
            part = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if part is None or "[v" in line:
                continue
            start, end = int(part[1], 16), int(part[2], 16)
            if end - start > 1 << 30:
                continue  # a sanitizer's shadow: terabytes of it, and no copy of anything
            memory.seek(start)
            found += memory.read(end - start).count(needle)
    return found


def test_no_credential_stays_in_a_workers_memory():
    # Guarded, a worker shows its memory to root alone.
    gate = Instance(http="" if os.geteuid() == 0 else "tollgate_guard off;")
    try:
        for _ in range(10):
            assert gate.pay().status == 201
        assert field(gate.upstream.last, "Authorization") == [CREDENTIAL]
        pid = gate.worker()
        assert memory_holds(pid, b"tollgate-request-id") > 0, "the scan does not see the worker's memory"
        assert memory_holds(pid, CREDENTIAL.encode()) == 0, "the route's credential stayed"
        # The caller's key is wiped in nginx's buffers; OpenSSL's keep the last record until they are used again.
    finally:
        gate.close()


def test_a_worker_without_a_free_slot_refuses_before_the_upstream(tmp_path):
    """5000 calls at once: a slot stays with its call from ADMIT to SETTLE, so one without is refused at once."""
    asked = []
    gate = Instance(keeper="scripted", settings={"tollgate_admit_wait": "8s"})
    try:
        gate.keeper.rules[scripted_keeper.ADMIT] = lambda link, slot, turn, _: asked.append((link, slot, turn))
        (tmp_path / "body").write_bytes(payment())
        with subprocess.Popen(
                ["h2load", "-n", "5000", "-c", "50", "-m", "100", "-d", str(tmp_path / "body"),
                 "-H", f"authorization: Bearer {gate.key}", "-H", "idempotency-key: one",
                 "-H", "content-type: application/json", f"https://127.0.0.1:{gate.port}/v1/payments"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as load:
            end = time.monotonic() + 7
            while len(asked) < SLOTS and time.monotonic() < end:
                time.sleep(0.02)
            assert len(asked) == SLOTS
            while asked:
                link, slot, turn = asked.pop()
                link.send(scripted_keeper.admit(slot, turn, verdict=scripted_keeper.REFUSE, reason=202))
            said = load.communicate(timeout=20)[0].decode()
        assert "5000 done" in said and "0 errored" in said, said
        assert gate.reason_count("slots_exhausted") == 5000 - SLOTS
        assert not gate.upstream.seen, "forwarded"
        assert gate.metric("tollgate_gate_slots_used") == 0
        gate.keeper.clear()
        assert gate.pay().status == 201
    finally:
        gate.close()
