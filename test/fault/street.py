"""An instance whose processes carry the preload, and what its callers were told.

Promises: one tree of processes serves many seeds; each seed begins with no
rule armed and with everything answering. Callers retry with the same key as
careful clients do; whoever leaves midway retries nothing.
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
LEAVING_THREADS = 32
WAIT_S = 40
# A worker that holds an outcome nobody waits for any more tries its link every 50 ms and tells it there.
LINKED_S, STILL_S = 1.0, 0.2
# A stalled upstream must not make a seed long: the generated file says 20 s.
READ_TIMEOUT = "proxy_read_timeout 2s;"


class Street(story.Instance):
    WIDE_MINOR = 10**12  # a limit of the day that is counted and never reached

    def __init__(self):
        super().__init__()
        self.control = Control(self.folder / "fault.page")
        conf = self.dir / "nginx.conf"
        text, count = re.subn(r"proxy_read_timeout \d+s;", READ_TIMEOUT, conf.read_text())
        assert count == 1, "nginx.conf has no proxy_read_timeout"
        conf.write_text(text)
        self.steps_us = {program: 0 for program in PROGRAMS}
        self.books, self.keep = {}, False

    def up(self):
        environment = dict(os.environ, LD_PRELOAD=str(story.BUILD / "test/fault/tollgate_fault.so"),
                           TOLLGATE_FAULT_CONTROL=self.control.path)
        log = open(self.folder / "up.out", "ab")
        self.process = subprocess.Popen([str(story.BUILD / "tollgate"), "up", str(self.dir)], stdin=subprocess.DEVNULL,
                                        stdout=log, stderr=log, env=environment)
        self.wait_ready()
        self.wide_id, self.wide = self.partner("wide", self.WIDE_MINOR)
        self.narrow_id, self.narrow = self.partner("narrow", 1)
        return self

    def partner(self, name, day_max):
        number = self.do("partner.add", name=name)["id"]
        self.limit(name, day_max)
        return number, self.key_create(name, ["*"])

    def limit(self, name, day_max):
        self.do("limit.set", partner=name, environment="test", currency="EUR", payment_max=1000000, day_max=day_max)

    def step(self, program, step_us):
        self.control.clock(program, step_us)
        self.steps_us[program] = step_us

    def day(self):
        """The keeper's, as events show it."""
        now_s = time.time() + self.steps_us["keeper"] / 1000000
        return time.strftime("%Y-%m-%d", time.gmtime(now_s))

    # --- sockets that an oracle reads ---

    def do(self, command, **arguments):
        link = Operator(self.dir / "run/admin.sock")
        try:
            return link.do(command, **arguments)
        finally:
            link.close()

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
                status = self.do("status")
                workers = len(self.workers())
                health = self.status_get("/tollgate/health")[0]
                if status["sealer"]["up"] and status["store"]["claims_in_flight"] == 0 and health == 200 and workers \
                        and self.refpay_serves():
                    return
                why = (status["sealer"]["up"], status["store"]["claims_in_flight"], health, workers)
            except (OSError, EOFError, AssertionError, ValueError, http.client.HTTPException) as error:
                why = repr(error)
            time.sleep(0.03)
        raise AssertionError(f"not everything answers again: {why}")

    def wait_still(self, record):
        """Until the keeper has been there long enough for every worker to have linked again, and the record rests."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            seen = record.next
            time.sleep(max(STILL_S, LINKED_S - self.age_s("keeper")))
            record.read(self)
            if seen == record.next and self.age_s("keeper") >= LINKED_S:
                return
        raise AssertionError("the record does not come to rest")

    def age_s(self, program):
        """How long the process has run."""
        with open(f"/proc/{self.pid(program)}/stat", encoding="ascii") as stat:
            started = int(stat.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started

    def refpay_serves(self):
        self.ask_refpay(command="faults")
        with socket.create_connection(("127.0.0.1", self.upstream_port), 2):
            return True

    # --- callers ---

    def payment(self, mark, amount):
        return {"amount": amount, "currency": "EUR", "payee": {"account": "shop-1"}, "payer": {"id": "payer-77"},
                "instrument": {"token": "tok_story"}, "reference": mark}

    def pay_carefully(self, call, pause_s):
        """One payment, asked again with its key until an answer says what became of it."""
        for _ in range(TRIES):
            try:
                answer = self.call("POST", "/v1/payments", self.payment(call["mark"], call["amount"]), key=call["key"],
                                   idempotency=call["idempotency"], timeout=15)
            except (OSError, http.client.HTTPException) as error:
                call["told"].append({"status": 0, "reason": type(error).__name__, "request": None, "replayed": False})
                time.sleep(pause_s)
                continue
            call["told"].append(self.heard(answer))
            if answer.status in (201, 402, 422, 403) or call["told"][-1]["reason"] == "key_outcome_unknown":
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
            with socket.create_connection(("127.0.0.1", self.port), 10) as plain:
                if reset:
                    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                with self.context.wrap_socket(plain, server_hostname="localhost") as secure:
                    secure.sendall(raw[:int(len(raw) * cut)])
                    time.sleep(wait_s)
        except (OSError, ssl.SSLError):
            pass

    # --- one seed ---

    def run_faults(self, plan, begun, callers_done, fired):
        """Does what the schedule says at its moments; returns when all is done and disarmed."""
        rules, timeline = [], []
        for fault in plan["faults"]:
            if fault["kind"] == "rule":
                number = self.control.arm(fault["program"], fault["on"], fault["act"], fault["nth"],
                                          fault.get("count", 1), fault.get("error", 5), fault.get("parameter", 0))
                rules.append((fault, number))
                if "until_s" in fault:
                    timeline.append((fault["until_s"], "disarm", (fault["program"], number)))
            elif fault["kind"] == "upstream":
                self.ask_refpay(command="fault", kind=fault["fault"], count=fault["count"], delay_ms=fault["delay_ms"])
                fired.add(fault["name"])
            elif fault["kind"] in ("kill", "clock", "server"):
                timeline.append((fault["at_s"], fault["kind"], fault))
                fired.add(fault["name"])
            else:
                fired.add(fault["name"])
        begun.set()
        start = time.monotonic()
        for at_s, what, fault in sorted(timeline, key=lambda row: row[0]):
            time.sleep(max(0.0, start + at_s - time.monotonic()))
            if what == "disarm":
                self.control.disarm(*fault)
            elif what == "clock":
                for program in fault["programs"]:
                    self.step(program, fault["step_us"])
            elif what == "server":
                self.hurt_server(fault)
            else:
                self.strike(fault["program"])
        callers_done.wait(WAIT_S)
        fired.update(fault["name"] for fault, number in rules if self.control.fired(fault["program"], number))
        self.control.clear()

    @staticmethod
    def hurt_server(fault):
        server = postgres.shared()
        if fault["how"] == "session cut":
            for _ in range(fault["times"]):
                server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 't%' AND "
                           "pid <> pg_backend_pid()")
                time.sleep(0.05)
            return
        server.stop(signal.SIGQUIT if fault["how"] == "killed" else signal.SIGINT)
        server.start()

    def strike(self, program):
        try:
            if program == "worker":
                os.kill(random.choice(self.workers()), signal.SIGKILL)
            else:
                os.kill(self.pid(program), signal.SIGKILL)
        except (OSError, ValueError, IndexError):
            pass  # another fault was faster

    def play(self, plan):
        """The calls of one seed with what each was told, and the names of the faults that happened."""
        draw, calls, jobs, fired = random.Random(plan["amounts"]), [], [], set()
        begun, callers_done = threading.Event(), threading.Event()
        for number in range(plan["callers"]):
            mine = [self.new_call(draw.randrange(100, 9000), number % 3 == 2) for _ in range(plan["payments"])]
            pause_s = draw.uniform(0.02, 0.15)
            calls += mine
            jobs.append(lambda mine=mine, pause_s=pause_s: [self.pay_carefully(call, pause_s) for call in mine])
        leaving = []
        for fault in plan["faults"]:
            for _ in range(fault["count"] if fault["kind"] == "leave" else 0):
                call = self.new_call(draw.randrange(100, 9000))
                calls.append(call)
                leaving.append((call, (draw.choice([draw.random(), 1.0, 1.0]), draw.choice([0, 0, draw.uniform(0, 0.2)]),
                                       draw.random() < 0.5)))
        faults = threading.Thread(target=self.run_faults, args=(plan, begun, callers_done, fired))
        faults.start()
        begun.wait(WAIT_S)
        try:
            with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool, \
                    concurrent.futures.ThreadPoolExecutor(LEAVING_THREADS) as doors:
                running = [pool.submit(job) for job in jobs] + [doors.submit(self.leave, *row) for row in leaving]
                for one in running:
                    one.result()
        finally:
            callers_done.set()
            faults.join(WAIT_S)
        assert not faults.is_alive(), "the faults' thread hangs"
        return calls, fired

    def quiet(self):
        """After a seed: nothing armed, everything answers."""
        self.control.clear()
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
        self.control.clear()
        for program in PROGRAMS:
            self.step(program, 0)
        kept = os.environ.get("TOLLGATE_KEEP")
        try:
            if self.keep:
                os.environ["TOLLGATE_KEEP"] = "1"
            super().close()
        finally:
            self.control.close()
            if self.keep and kept is None:
                del os.environ["TOLLGATE_KEEP"]
