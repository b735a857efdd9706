"""Running it: drain at the end, logs that rotate, and no secret where another user of the machine could see it."""
import json
import os
import signal
import stat
import threading
import time
import uuid

import pytest
from lib.story import Instance

LOGS = ["access.json", "error.log", "keeper.log", "sealer.log", "refpay.log", "up.log"]


def processes(house):
    return [house.process.pid, *[house.pid(name) for name in ("sealer", "keeper", "refpay", "nginx")], *house.workers()]


def test_no_secret_in_arguments_or_environments(house):
    needles = [secret.encode() for secret in house.secrets]
    needles.append(next((house.dir / "sandbox").glob("*credential*")).read_bytes().strip())
    assert house.pay().status == 201
    for pid in processes(house):
        for name in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as handle:
                    seen = handle.read()
            except PermissionError:  # not dumpable: its own user may not look either, only root
                assert name == "environ" and os.geteuid() != 0
                continue
            assert not any(needle in seen for needle in needles), (pid, name)
            assert pid == house.process.pid or house.planted.encode() not in seen, (pid, name)


def test_what_is_secret_is_readable_by_its_owner_alone(house):
    for path in house.dir.rglob("*"):
        mode = path.lstat().st_mode
        assert not mode & stat.S_IWOTH or stat.S_ISLNK(mode), path
        if path.name.endswith((".key", ".ring", ".credential", ".sqlite")) or stat.S_ISSOCK(mode):
            assert mode & 0o077 == 0, path
        if path.parent.name == "log":
            assert mode & 0o007 == 0, path


def test_the_daemons_are_hardened(house):
    for name in ("keeper", "sealer"):
        with open(f"/proc/{house.pid(name)}/status", encoding="ascii") as handle:
            said = dict(line.split(":\t", 1) for line in handle if ":\t" in line)
        assert said["NoNewPrivs"].strip() == "1" and said["CapEff"].strip("0\n") == ""
        if os.geteuid() == 0:
            assert "0" not in said["Uid"].split(), "still root"
        with open(f"/proc/{house.pid(name)}/limits", encoding="ascii") as handle:
            assert "Max core file size        0 " in handle.read()
    status = json.loads(house.run("status", "--json"))
    text = json.dumps(status)
    assert '"core_dumps": false' in text
    assert '"processes_separated": ' + ("true" if os.geteuid() == 0 else "false") in text


def test_logs_rotate_on_hangup(house):
    last = house.pay()
    assert last.status == 201
    for name in LOGS:
        (house.dir / "log" / name).rename(house.dir / "log" / f"{name}.1")
    house.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 5
    while not all((house.dir / "log" / name).exists() for name in LOGS) and time.monotonic() < end:
        time.sleep(0.05)
    # The line of the last call was still being held: it goes where it belongs.
    end = time.monotonic() + 5
    while last.fields["Tollgate-Request-Id"] not in (house.dir / "log/access.json.1").read_text():
        assert time.monotonic() < end
        time.sleep(0.02)
    # nginx's workers open theirs a moment later, on a signal from the master.
    end = time.monotonic() + 5
    while not (new := (house.dir / "log" / "access.json").read_text()):
        assert time.monotonic() < end, "nginx still writes to the old file"
        assert house.pay().status == 201
        time.sleep(0.05)
    assert all(json.loads(line)["status"] == 201 for line in new.splitlines())
    answers = house.together([house.pay] * 8)
    end = time.monotonic() + 3
    while not all(a.fields["Tollgate-Request-Id"] in (house.dir / "log/access.json").read_text() for a in answers):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_each_call_is_one_json_line_without_personal_data(house):
    answer = house.pay(body={"payer": {"id": "payer-jane-doe"}, "reference": "order-for-jane"})
    end = time.monotonic() + 3
    request = answer.fields["Tollgate-Request-Id"]
    lines = []
    while not lines and time.monotonic() < end:
        lines = [line for line in (house.dir / "log/access.json").read_text().splitlines() if request in line]
        time.sleep(0.02)
    assert len(lines) == 1
    row = json.loads(lines[0])
    assert (row["verdict"], row["operation"], row["status"], row["outcome"]) == ("allow", "payment.create", 201, "final")
    everything = b"".join(path.read_bytes() for folder in ("log", "store") for path in (house.dir / folder).rglob("*")
                          if path.is_file())
    for personal in (b"jane", b"payer-77", b"tok_story", b"127.0.0.1\",\""):
        assert personal not in everything, personal


def test_status_is_for_this_machine_and_has_bounded_labels(house):
    for _ in range(3):
        house.pay(idempotency=uuid.uuid4().hex)
    status, text = house.status_get("/tollgate/status")
    assert status == 200 and "tollgate_gate_requests_total" in text
    labels = {part for line in text.splitlines() if "{" in line for part in [line.split("{")[1].split("=")[0]]}
    assert labels <= {"code", "le", "verdict", "outcome", "reason", "status", "commit", "state"}, labels
    assert house.status_get("/elsewhere")[0] == 404
    # On the address that callers reach there is no such page.
    assert house.call("GET", "/tollgate/status").status == 401


def test_the_end_drains_what_is_under_way():
    instance = Instance()
    try:
        instance.up()
        mark, told = uuid.uuid4().hex, []
        instance.fault("slow", delay_ms=1500)
        caller = threading.Thread(target=lambda: told.append(instance.pay(body={"reference": mark})))
        caller.start()
        end = time.monotonic() + 5
        while "claims_in_flight\": 1" not in json.dumps(json.loads(instance.run("status", "--json"))):
            assert time.monotonic() < end
        instance.process.send_signal(signal.SIGTERM)
        caller.join(20)
        assert [answer.status for answer in told] == [201], told
        assert instance.process.wait(30) == 0
        for name in ("sealer", "keeper", "refpay", "nginx"):
            pid = (instance.dir / "run" / f"{name}.pid")
            words = pid.read_text().split() if pid.exists() else []
            assert not words or not os.path.exists(f"/proc/{words[0]}"), f"{name} is still there"
        instance.process = None
        lines = (instance.dir / "log/access.json").read_text().splitlines()
        assert told[0].fields["Tollgate-Request-Id"] in {json.loads(line)["request_id"] for line in lines}
        # What was acknowledged is there after the next start.
        instance.up()
        events = [e for e in instance.events() if e["kind"] == "settle" and
                  e["request_id"] == told[0].fields["Tollgate-Request-Id"]]
        assert [e["outcome"] for e in events] == ["final"]
        assert len([p for p in instance.payments() if p["reference"] == mark]) == 1
    finally:
        instance.close()


@pytest.mark.parametrize("words", [["down"], ["status", "--json"]])
def test_commands_on_what_does_not_run_say_so(words):
    instance = Instance()
    try:
        done = instance.run(*words, check=False)
        assert done.returncode in (0, 1, 3), done
        assert done.stdout or done.stderr
    finally:
        instance.close()
