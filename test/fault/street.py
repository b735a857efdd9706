"""Gates whose processes carry the preload, and what their callers were told.

Promises: one tree of processes serves many seeds; each seed begins with no
rule armed and with everything answering. Callers retry with the same key as
careful clients do, at whichever gate; whoever leaves midway retries nothing.
"""
import concurrent.futures
import http.client
import json
import os
import random
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
import uuid

from lib import postgres, story
from lib.frames import Operator

from control import Control, PROGRAMS

TRIES = 6
LEAVING_AT_ONCE = 200
BURY_S, BURY_PAUSE_S = 20, 0.2
WAIT_S = 40
# A worker that holds an outcome nobody waits for any more tries its link every 50 ms and tells it there.
LINKED_S, STILL_S = 1.0, 0.2
# A stalled upstream must not make a seed long: the generated file says 20 s.
READ_TIMEOUT = "proxy_read_timeout 2s;"


class Gate(story.Instance):
    """One instance, and the page by which its processes are told what shall go wrong."""

    def __init__(self, **more):
        super().__init__(**more)
        self.control = Control(self.folder / "fault.page")
        conf = self.dir / "nginx.conf"
        text, count = re.subn(r"proxy_read_timeout \d+s;", READ_TIMEOUT, conf.read_text())
        assert count == 1, "nginx.conf has no proxy_read_timeout"
        conf.write_text(text)
        self.steps_us = {program: 0 for program in PROGRAMS}

    def up(self):
        environment = dict(os.environ, LD_PRELOAD=str(story.BUILD / "test/fault/tollgate_fault.so"),
                           TOLLGATE_FAULT_CONTROL=self.control.path)
        log = open(self.folder / "up.out", "ab")
        self.process = subprocess.Popen([str(story.BUILD / "tollgate"), "up", str(self.dir)], stdin=subprocess.DEVNULL,
                                        stdout=log, stderr=log, env=environment)
        self.wait_ready()
        return self

    def limit(self, name, day_max):
        self.do("limit.set", partner=name, environment="test", currency="EUR", payment_max=1000000, day_max=day_max)

    def step(self, program, step_us):
        self.control.clock(program, step_us)
        self.steps_us[program] = step_us

    def day(self):
        """The keeper's, as events show it."""
        now_s = time.time() + self.steps_us["keeper"] / 1000000
        return time.strftime("%Y-%m-%d", time.gmtime(now_s))

    def do(self, command, **arguments):
        link = Operator(self.dir / "run/admin.sock")
        try:
            return link.do(command, **arguments)
        finally:
            link.close()

    def answers(self):
        """True when keeper, sealer and gate answer and nothing is in flight; else what was seen, or an error."""
        status = self.do("status")
        seen = (status["sealer"]["up"], status["store"]["claims_in_flight"], self.status_get("/tollgate/health")[0],
                len(self.workers()))
        return seen[:3] == (True, 0, 200) and seen[3] > 0 or seen

    def age_s(self, program):
        """How long the process has run."""
        with open(f"/proc/{self.pid(program)}/stat", encoding="ascii") as stat:
            started = int(stat.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started

    def send_signal(self, program, number):
        try:
            if program == "worker":
                os.kill(random.choice(self.workers()), number)
            elif program == "up":
                os.kill(self.process.pid, number)
            else:
                os.kill(self.pid(program), number)
        except (OSError, ValueError, IndexError):
            pass  # another fault was faster

    def strike(self, program):
        self.send_signal(program, signal.SIGKILL)

    def bury(self):
        """The supervisor is killed, and what it left serves on; it is stopped and started again as `up` says."""
        self.strike("up")
        end = time.monotonic() + BURY_S
        while True:
            self.process.wait()
            down = [str(story.BUILD / "tollgate"), "down", str(self.dir)]
            subprocess.run(down, check=True, timeout=WAIT_S, stdin=subprocess.DEVNULL, capture_output=True)
            try:
                Gate.up(self)
                return
            except AssertionError:  # the seed's other fault fell on a start: `up` says so and ends
                if self.process.poll() is None or time.monotonic() > end:
                    raise
                time.sleep(BURY_PAUSE_S)

    def close(self):
        self.control.clear()
        for program in PROGRAMS:
            self.step(program, 0)
        try:
            super().close()
        finally:
            self.control.close()


class Street(Gate):
    """All gates of one database with the callers before them. The first one has the sealer and the processor."""
    WIDE_MINOR = 10**12  # a limit of the day that is counted and never reached

    def __init__(self, pair=False):
        super().__init__()
        self.gates = [self]
        self.books, self.keep = {}, False
        # A start takes its time, and other faults have moments of their own meanwhile.
        self.undertaker, self.aside = concurrent.futures.ThreadPoolExecutor(1), []
        if pair:
            try:
                self.gates.append(Gate(joins=self))
            except BaseException:
                super().close()
                raise

    def up(self):
        super().up()
        for gate in self.gates[1:]:
            gate.up()
        self.wide_id, self.wide = self.partner("wide", self.WIDE_MINOR)
        self.narrow_id, self.narrow = self.partner("narrow", 1)
        return self

    def partner(self, name, day_max):
        number = self.do("partner.add", name=name)["id"]
        self.limit(name, day_max)
        key = self.key_create(name, ["*"])
        self.wait_heard(lambda gate: len(gate.do("key.list", partner=name)["rows"]) == 1)
        return number, key

    def limit(self, name, day_max):
        super().limit(name, day_max)
        self.wait_heard(lambda gate: [row["day_max"] for row in gate.do("limit.show", partner=name)["rows"]] == [day_max])

    def wait_heard(self, knows):
        """Until every keeper knows what was set up at the first one."""
        end = time.monotonic() + WAIT_S
        while not all(self.heard_of(gate, knows) for gate in self.gates):
            assert time.monotonic() < end, "a keeper does not hear of what is set up"
            time.sleep(0.02)

    @staticmethod
    def heard_of(gate, knows):
        try:
            return knows(gate)
        except (OSError, EOFError, AssertionError):
            return False  # no such partner yet, or the keeper is on its way

    # --- sockets that an oracle reads ---

    def ask_refpay(self, **question):
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(str(self.dir / "run/refpay.sock"))
            link.sendall(json.dumps(question).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                got = link.recv(1 << 20)
                if not got:
                    raise EOFError("refpay")
                data += got
        answer = json.loads(data)
        assert answer["ok"], answer
        return answer["result"]

    def wait_answers(self, seconds=WAIT_S):
        """Until every process answers and nothing is in flight."""
        end, why = time.monotonic() + seconds, None
        while time.monotonic() < end:
            try:
                why = [gate.answers() for gate in self.gates]
                if all(one is True for one in why) and self.refpay_serves():
                    return
            except (OSError, EOFError, AssertionError, ValueError, http.client.HTTPException) as error:
                why = repr(error)
            time.sleep(0.03)
        raise AssertionError(f"not everything answers again: {why}")

    def wait_still(self, record):
        """Until each keeper has been there long enough for every worker to have linked again, and the record rests."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            seen = record.next
            time.sleep(max(STILL_S, LINKED_S - self.youngest_s()))
            record.read(self)
            if seen == record.next and self.youngest_s() >= LINKED_S:
                return
        raise AssertionError("the record does not come to rest")

    def youngest_s(self):
        return min(gate.age_s("keeper") for gate in self.gates)

    def refpay_serves(self):
        self.ask_refpay(command="faults")
        with socket.create_connection(("127.0.0.1", self.upstream_port), 2):
            return True

    # --- callers ---

    def payment(self, mark, amount):
        return {"amount": amount, "currency": "EUR", "payee": {"account": "shop-1"}, "payer": {"id": "payer-77"},
                "instrument": {"token": "tok_story"}, "reference": mark}

    def pay_carefully(self, call, pause_s):
        """One payment, asked again with its key, at any of the gates, until an answer says what became of it."""
        for _ in range(TRIES):
            try:
                answer = random.choice(call.get("gates", self.gates)).call("POST", "/v1/payments", self.payment(call["mark"], call["amount"]), key=call["key"],
                                   idempotency=call["idempotency"], timeout=15)
            except (OSError, http.client.HTTPException) as error:
                call["told"].append({"status": 0, "reason": type(error).__name__, "request": None, "replayed": False})
                time.sleep(pause_s)
                continue
            heard = self.heard(answer)
            call["told"].append(heard)
            if answer.status in (201, 402, 422, 403) or heard["reason"] == "key_outcome_unknown":
                return
            time.sleep(pause_s)

    @staticmethod
    def heard(answer):
        payment, reason = None, None
        try:
            payment = answer.json.get("id") if answer.status == 201 else None
            reason = answer.reason
        except (ValueError, AttributeError):
            pass  # the upstream's own words
        return {"status": answer.status, "reason": reason, "payment": payment,
                "request": answer.fields.get("Tollgate-Request-Id"), "replayed": "Idempotent-Replayed" in answer.fields}

    def new_call(self, amount, narrow=False):
        return {"mark": uuid.uuid4().hex, "idempotency": uuid.uuid4().hex, "amount": amount, "told": [],
                "key": self.narrow if narrow else self.wide}

    def leave(self, call, draw):
        """A client that goes: within its request, behind it, or while it waits."""
        body = json.dumps(self.payment(call["mark"], call["amount"])).encode()
        raw = (f"POST /v1/payments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               f"Authorization: Bearer {call['key']}\r\nIdempotency-Key: {call['idempotency']}\r\n"
               f"Content-Length: {len(body)}\r\n\r\n").encode() + body
        cut, wait_s, reset = draw
        try:
            with socket.create_connection(("127.0.0.1", random.choice(self.gates).port), 10) as plain:
                if reset:
                    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                with self.context.wrap_socket(plain, server_hostname="localhost") as secure:
                    secure.sendall(raw[:int(len(raw) * cut)])
                    time.sleep(wait_s)
        except (OSError, ssl.SSLError):
            pass

    # --- one seed ---

    def struck(self, fault):
        """The gates that a fault is for; the sealer and the processor are the first one's."""
        return [self.gates[side] for side in fault.get("sides", [0])]

    def run_faults(self, plan, begun, callers_done, fired):
        """Does what the schedule says at its moments; returns when all is done and disarmed."""
        rules, timeline = [], []
        for fault in plan["faults"]:
            if fault["kind"] == "rule":
                control = self.struck(fault)[0].control
                number = control.arm(fault["program"], fault["on"], fault["act"], fault["nth"],
                                     fault.get("count", 1), fault.get("error", 5), fault.get("parameter", 0))
                rules.append((fault, control, number))
                if "until_s" in fault:
                    timeline.append((fault["until_s"], lambda one=(control, fault["program"], number): one[0].disarm(*one[1:])))
            elif fault["kind"] == "upstream":
                self.ask_refpay(command="fault", kind=fault["fault"], count=fault["count"], delay_ms=fault["delay_ms"])
                fired.add(fault["name"])
            else:
                timeline += self.moments(fault)
                fired.add(fault["name"])
        begun.set()
        start = time.monotonic()
        try:
            for at_s, act in sorted(timeline, key=lambda row: row[0]):
                time.sleep(max(0.0, start + at_s - time.monotonic()))
                act()
            while self.aside:
                self.aside.pop().result(WAIT_S)
        finally:
            self.wake()
        callers_done.wait(WAIT_S)
        fired.update(fault["name"] for fault, control, number in rules if control.fired(fault["program"], number))
        self.clear()

    def moments(self, fault):
        """When what is done for a fault that has its moments."""
        at_s, gates = fault.get("at_s", 0), self.struck(fault)
        if fault["kind"] == "clock":
            return [(at_s, lambda: [one.step(program, fault["step_us"]) for one in gates for program in fault["programs"]])]
        if fault["kind"] == "server":
            return [(at_s, lambda: self.hurt_server(fault))]
        if fault["kind"] == "kill":
            return [(at_s, lambda: [one.strike(fault["program"]) for one in gates])]
        if fault["kind"] == "away":  # nobody starts it again for a while
            return [(at_s, lambda: (gates[0].send_signal("up", signal.SIGSTOP), gates[0].strike("keeper"))),
                    (at_s + fault["for_s"], lambda: gates[0].send_signal("up", signal.SIGCONT))]
        if fault["kind"] == "stopped":  # alive, and silent
            return [(at_s, lambda: gates[0].send_signal("keeper", signal.SIGSTOP)),
                    (at_s + fault["for_s"], lambda: gates[0].send_signal("keeper", signal.SIGCONT))]
        if fault["kind"] == "bury":
            return [(at_s, lambda: self.aside.append(self.undertaker.submit(gates[0].bury)))]
        assert fault["kind"] == "leave", fault
        return []

    def wake(self):
        for gate in self.gates:
            for program in ("up", "keeper"):
                gate.send_signal(program, signal.SIGCONT)

    def clear(self):
        for gate in self.gates:
            gate.control.clear()

    @staticmethod
    def hurt_server(fault):
        server = postgres.shared()
        if fault["how"].startswith("session cut"):
            for _ in range(fault["times"]):
                server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 't%' AND "
                           "pid <> pg_backend_pid()" + (" ORDER BY random() LIMIT 1" if fault.get("one") else ""))
                time.sleep(0.05)
            return
        server.stop(signal.SIGQUIT if fault["how"] == "killed" else signal.SIGINT)
        server.start()

    def play(self, plan):
        """The calls of one seed with what each was told, and the names of the faults that happened."""
        draw, calls, jobs, fired = random.Random(plan["amounts"]), [], [], set()
        begun, callers_done = threading.Event(), threading.Event()
        for number in range(plan["callers"]):
            mine = [self.new_call(draw.randrange(100, 9000), number % 3 == 2) for _ in range(plan["payments"])]
            pause_s = draw.uniform(0.02, 0.15)
            calls += mine
            jobs.append(lambda mine=mine, pause_s=pause_s: [self.pay_carefully(call, pause_s) for call in mine])
            if number < plan.get("twins", 0):
                jobs.append(jobs[-1])
        leaving = []
        for fault in plan["faults"]:
            for _ in range(fault["count"] if fault["kind"] == "leave" else 0):
                call = self.new_call(draw.randrange(100, 9000))
                calls.append(call)
                leaving.append((call, (draw.choice([draw.random(), 1.0, 1.0]), draw.choice([0, 0, draw.uniform(0, 0.2)]),
                                       draw.random() < 0.5)))
        hand = concurrent.futures.ThreadPoolExecutor(1)
        faults = hand.submit(self.run_faults, plan, begun, callers_done, fired)
        while not begun.wait(0.05) and not faults.done():
            pass
        try:
            with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool, \
                    concurrent.futures.ThreadPoolExecutor(LEAVING_AT_ONCE) as doors:
                running = [pool.submit(job) for job in jobs] + [doors.submit(self.leave, *row) for row in leaving]
                for one in running:
                    one.result()
        finally:
            callers_done.set()
            hand.shutdown(wait=False)
        faults.result(WAIT_S)  # what went wrong there is this seed's finding
        return calls, fired

    def quiet(self):
        """After a seed: nothing armed, everything answers."""
        self.wake()
        self.clear()
        end = time.monotonic() + WAIT_S
        while True:
            try:
                self.ask_refpay(command="clear")
                break
            except (OSError, EOFError):
                assert time.monotonic() < end, "refpay does not answer"
                time.sleep(0.05)
        self.wait_answers()

    def close(self):
        kept = os.environ.get("TOLLGATE_KEEP")
        if self.keep:
            os.environ["TOLLGATE_KEEP"] = "1"
        try:
            self.wake()
            for gate in self.gates[1:]:
                gate.close()
        finally:
            try:
                super().close()
            finally:
                if self.keep and kept is None:
                    del os.environ["TOLLGATE_KEEP"]
