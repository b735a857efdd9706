"""Forty seeds of the fault bench, six against two gates, what must hold at chosen steps, and that the bench sees what it is for."""
import json
import threading
import time

import pytest

import verdict
from fault import STORE, Bench, show
from lib import postgres
from schedule import schedule
from street import Street

SEEDS = range(1, 41)
PAIR_SEEDS = range(1, 7)
# What is armed at the keeper's own writes and syncs.
disk = pytest.mark.skipif(STORE != "sqlite", reason="the server's disk is not the keeper's")
server = pytest.mark.skipif(STORE != "postgres", reason="a folder has no server")


@pytest.fixture(scope="module")
def bench():
    one = Bench()
    try:
        yield one
    finally:
        found = one.close()
    assert not found, found


@pytest.mark.parametrize("seed", SEEDS)
def test_seed(bench, seed):
    plan = schedule(seed, STORE)
    result = bench.run(plan)
    show(result, plan)
    assert not result["found"], f"seed {seed}: {result['found'][:5]}\nagain: make fault SEED={seed}"


@pytest.fixture(scope="module")
def pair_bench():
    one = Bench(pair=True)
    try:
        yield one
    finally:
        found = one.close()
    assert not found, found


@pytest.mark.skipif(STORE != "postgres", reason="a folder has one keeper")
@pytest.mark.parametrize("seed", PAIR_SEEDS)
def test_seed_of_two_gates(pair_bench, seed):
    plan = schedule(seed, STORE, pair=True)
    result = pair_bench.run(plan)
    show(result, plan, pair=True)
    assert not result["found"], f"seed {seed}: {result['found'][:5]}\nagain: make fault SEED={seed} PAIR=1"


@pytest.mark.skipif(STORE != "postgres", reason="a folder has one keeper")
def test_both_gates_were_asked(pair_bench):
    """The seeds before this one are of no worth where one gate had all the calls."""
    if pair_bench.house is None:
        pytest.skip("a seed before failed")
    time.sleep(1.5)  # nginx writes its lines once a second
    for gate in pair_bench.house.gates:
        statuses = [json.loads(line)["status"] for line in (gate.dir / "log/access.json").read_text().splitlines()]
        assert statuses.count(201) >= 10 and 409 in statuses, statuses


@pytest.fixture(scope="module")
def street():
    house = Street()
    try:
        house.up()
        house.limit("narrow", 10**9)
        yield house
    finally:
        house.close()


def judge(street, calls):
    street.quiet()
    record = verdict.Record()
    return verdict.judge(street, record, calls), record


def wait_for(holds, seconds=20):
    end = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except (OSError, ValueError, IndexError):
            pass  # a process between two lives
        assert time.monotonic() < end
        time.sleep(0.02)


def lived(street):
    """Until `up` would start the keeper again at once when it dies."""
    time.sleep(0.7)
    return street.pid("keeper")


@disk
@pytest.mark.parametrize("act", ["kill", "kill_lose", "error_lose"])
def test_settle_is_asked_again_on_the_new_link(street, act):
    """The keeper dies at the fsync of the settlement while the gate holds the answer: the caller gets it nevertheless."""
    for _ in range(4):  # a checkpoint's own fsync may come between: then the death falls on the admission
        before = lived(street)
        call = street.new_call(4200)
        street.control.arm("keeper", "sync", act, nth=2, parameter=2**64 - 1)
        street.pay_carefully(call, 0.05)
        assert street.pid("keeper") != before
        told = [(one["status"], one["replayed"]) for one in call["told"]]
        if told[0][0] != 503:
            break
        assert told[-1] == (201, False), told
    assert told == [(201, False)], told
    found, record = judge(street, [call])
    assert not found, found
    assert record.requests[call["told"][0]["request"]]["state"] == "final"


@disk
def test_a_failed_fsync_ends_the_keeper_and_only_what_is_durable_counts(street):
    """The admission's fsync fails and what it covered is lost: nobody was told, nothing was sent, the retry is new."""
    before = lived(street)
    call = street.new_call(4300)
    street.control.arm("keeper", "sync", "error_lose", nth=1, parameter=2**64 - 1)
    street.pay_carefully(call, 0.2)
    assert street.pid("keeper") != before
    assert call["told"][-1]["status"] == 201 and not call["told"][-1]["replayed"], call["told"]
    found, record = judge(street, [call])
    assert not found, found
    died = [line for line in (street.dir / "log/keeper.log").read_text().splitlines() if '"store_failed"' in line]
    assert died, "the keeper did not say why it stopped"


@disk
def test_what_a_gate_says_late_is_waited_for():
    """Admitted, never answered, and the keeper away for longer than its callers wait: what the day's limit holds is
    let go of when the worker that asked has a link again, which may be behind the moment when everything answers."""
    house = Street()
    try:
        house.up()
        for _ in range(6):  # from death to death `up` waits longer
            house.strike("keeper")
            house.wait_answers()
        house.pay_carefully(house.new_call(4340), 0.05)  # a fresh file's header has its own sync
        house.control.arm("keeper", "sync", "kill_after", nth=1)
        call = house.new_call(4350)
        house.pay_carefully(call, 0.05)
        assert {one["status"] for one in call["told"]} == {503}, call
        found, record = judge(house, [call])
        assert not found, found
        assert {row["amount"]: row["state"] for row in record.requests.values()}[4350] == "released", record.requests
    finally:
        house.close()


@server
def test_the_session_is_cut_in_the_middle_of_a_batch(street):
    """Its socket breaks at each step of a payment's batches: before a question is sent, or with its answer not read. Of
    a COMMIT nobody knows then whether it holds: the keeper stops, and a start reads what is durable."""
    calls = []
    for on, nth in [(on, nth) for nth in range(1, 5) for on in ("session_send", "session_receive")]:
        before = lived(street)
        number = street.control.arm("keeper", on, "cut", nth=nth)
        calls.append(street.new_call(4800 + nth))
        street.pay_carefully(calls[-1], 0.2)
        wait_for(lambda: street.control.fired("keeper", number) == 1)
        street.control.clear()
        wait_for(lambda: street.pid("keeper") != before)
        told = calls[-1]["told"][-1]
        assert told["status"] == 201 or told["reason"] == "key_outcome_unknown", calls[-1]
    found, _ = judge(street, calls)
    assert not found, found


@server
@pytest.mark.parametrize("table", ["tollgate_claim", "tollgate_settlement"])
def test_a_server_without_room_at_commit(table):
    """COMMIT of what takes a key, or of what settles it, fails with 53100 until there is room again."""
    house = Street()
    try:
        house.up()
        house.limit("narrow", 10**9)
        before = house.new_call(4900)
        house.pay_carefully(before, 0.05)
        database = (house.dir / "store/connection").read_text().split("dbname=")[1].strip()
        postgres.shared().sql(
            "CREATE TABLE disk (is_full bool); CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF EXISTS (SELECT 1 FROM disk) THEN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END IF; "
            f"RETURN NULL; END $$; CREATE CONSTRAINT TRIGGER no_room AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
            "EXECUTE FUNCTION no_room()", database)
        keeper = lived(house)
        postgres.shared().sql("INSERT INTO disk VALUES (true)", database)
        call = house.new_call(4950)
        caller = threading.Thread(target=house.pay_carefully, args=(call, 0.3))
        caller.start()
        wait_for(lambda: house.pid("keeper") != keeper)
        log = house.dir / "log/keeper.log"
        wait_for(lambda: "SQLSTATE 53100" in log.read_text())
        charged = [row for row in house.payments() if row["amount"] == 4950]
        assert len(charged) == (table == "tollgate_settlement"), charged
        assert not any(one["status"] == 201 for one in call["told"]), call
        postgres.shared().sql("DELETE FROM disk", database)
        caller.join(90)
        house.wait_answers()
        again = dict(call, told=[])
        house.pay_carefully(again, 0.1)
        call["told"] += again["told"]
        assert call["told"][-1]["status"] == 201 or call["told"][-1]["reason"] == "key_outcome_unknown", call
        after = house.new_call(4960)
        house.pay_carefully(after, 0.1)
        assert after["told"][-1]["status"] == 201, after
        assert len([row for row in house.payments() if row["amount"] == 4950]) == 1
        found, _ = judge(house, [before, call, after])
        assert not found, found
    finally:
        house.close()


@pytest.mark.parametrize("step_us", [3600 * 1000000, -3600 * 1000000, 0])
def test_a_clock_step_changes_no_answer(street, step_us):
    calls = [street.new_call(4400) for _ in range(2)]
    street.pay_carefully(calls[0], 0.05)
    for program in ("keeper", "sealer", "nginx", "refpay"):
        street.step(program, step_us)
    for call in calls:
        street.pay_carefully(call, 0.05)
    assert [one["status"] for call in calls for one in call["told"]] == [201, 201, 201]
    assert calls[0]["told"][1]["replayed"]
    found, _ = judge(street, calls)
    assert not found, found


@disk
def test_a_full_disk_refuses_and_recovers(street):
    lived(street)
    rule = street.control.arm("keeper", "write", "error", nth=1, count=2**40, error=28)
    call = street.new_call(4500)
    caller = threading.Thread(target=street.pay_carefully, args=(call, 0.3))
    caller.start()
    time.sleep(0.4)
    street.control.disarm("keeper", rule)
    caller.join(60)
    assert call["told"][-1]["status"] == 201, call
    found, _ = judge(street, [call])
    assert not found, found


@disk
def test_the_bench_sees_a_disk_that_lies():
    """Syncs that do nothing, then a power cut: what was told is lost, and the verdict must say so."""
    house = Street()
    try:
        house.up()
        house.control.arm("keeper", "sync", "lie", nth=1, count=2**40)
        calls = [house.new_call(1000 + number) for number in range(4)]
        for call in calls:
            house.pay_carefully(call, 0.05)
        assert all(call["told"][-1]["status"] == 201 for call in calls)
        house.control.arm("keeper", "write", "kill_lose", nth=1, parameter=2**64 - 1)
        house.pay_carefully(house.new_call(2000), 0.2)
        house.quiet()
        found = verdict.compare(house, verdict.Record(), calls)
        assert any("told paid, not final in the record" in line for line in found), found
        assert any("charged, and in the record never admitted" in line for line in found), found
    finally:
        house.close()


@pytest.mark.parametrize("on", ["write", "sync"])
def test_a_sealer_whose_disk_failed_comes_back(on):
    """No key for the next segment, then the keeper dies: the new link must get that key, from a sealer that started again."""
    house = Street()
    try:
        house.up()
        number = house.control.arm("sealer", on, "error", nth=1)
        house.step("keeper", 3600 * 1000000)
        call = house.new_call(4600)
        house.pay_carefully(call, 0.05)
        end = time.monotonic() + 10
        while not house.control.fired("sealer", number):
            assert time.monotonic() < end, "no new segment was wanted"
            time.sleep(0.05)
        house.control.clear()
        house.strike("keeper")
        again = house.new_call(4700)
        house.pay_carefully(again, 0.2)
        assert [one["told"][-1]["status"] for one in (call, again)] == [201, 201], (call, again)
        found, _ = judge(house, [call, again])
        assert not found, found
    finally:
        house.close()
