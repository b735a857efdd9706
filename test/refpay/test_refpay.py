"""refpay as its callers meet it: the real program, both dialects, every fault, kill -9.

TOLLGATE_BUILD names the build folder (default: build). Speaks HTTP through plain
sockets where the bytes matter.
"""
import base64
import contextlib
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib import scan  # noqa: E402
from lib.ports import free_ports  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = str(pathlib.Path(os.environ.get("TOLLGATE_BUILD", ROOT / "build")).resolve() / "refpay")
DEADLINE_S = 20


def until(check):
    """Waits for check() to be true; the outcome never depends on how fast."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")


class Refpay:
    def __init__(self, folder, *more):
        self.folder, self.more = folder, more
        self.port = free_ports(1)[0]
        self.control = folder / "c.sock"
        self.credential = "up_" + os.urandom(12).hex()
        self.process = None
        self.told = ()  # files that hold a secret because the test itself put it there
        path = folder / "credential"
        path.write_text(self.credential + "\n")
        path.chmod(0o600)

    def start(self):
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", f"127.0.0.1:{self.port}", "--control", str(self.control), "--credential-file",
             str(self.folder / "credential"), "--ledger", str(self.folder / "ledger"), "--log", str(self.folder / "log"),
             "--pid", str(self.folder / "pid"), *self.more], stdout=subprocess.PIPE, text=True)
        assert json.loads(self.process.stdout.readline())["event"] == "ready"
        return self

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE_S)
        self.process.stdout.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(DEADLINE_S)
        self.process.stdout.close()
        places = scan.found(self.folder, [self.credential], spare=("credential", "ledger.webhook-secret", *self.told))
        assert not places, places
        return code

    def tell(self, command, *words):
        return subprocess.run([PROGRAM, command, "--control", str(self.control), *words], capture_output=True, text=True)

    def ledger(self):
        result = self.tell("ledger", "--json")
        assert result.returncode == 0, result.stderr
        book = json.loads(result.stdout)
        assert book["sum_is_zero"] and book["counts"]["agrees"]
        for posting in book["postings"]:
            assert sum(entry["amount"] for entry in posting["entries"]) == 0
        return book

    def fault(self, *words):
        result = self.tell("fault", *words)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def call(self, method, path, body=None, headers=None, timeout=DEADLINE_S, kind="application/json"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        fields = {"Authorization": f"Bearer {self.credential}", **(headers or {})}
        if body is not None:
            fields["Content-Type"] = kind
        try:
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            data = answer.read()
            return answer.status, json.loads(data) if data else None, answer.headers
        finally:
            connection.close()

    def post(self, path, body=None, **more):
        return self.call("POST", path, json.dumps({} if body is None else body), **more)

    def form(self, path, pairs=None, **more):
        return self.call("POST", path, urllib.parse.urlencode(pairs or {}), kind="application/x-www-form-urlencoded",
                         **more)

    def raw(self, request=None):
        """Sends one payment by hand; everything until the peer ends, as bytes."""
        body = json.dumps(wish()).encode()
        request = request or (f"POST /v1/payments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.credential}\r\n"
                              f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S) as sock:
            sock.sendall(request)
            data = b""
            while chunk := sock.recv(65536):
                data += chunk
            return data


def wish(**more):
    return {"amount": 1050, "currency": "EUR", "payee": {"account": "shop"}, "payer": {"id": "ann"},
            "instrument": {"token": "tok_1"}, **more}


def charges(book):
    return book["counts"]["captures"]


@pytest.fixture
def refpay(tmp_path):
    program = Refpay(tmp_path).start()
    yield program
    if program.process.poll() is None:
        assert program.stop() == 0


# ---- the generic dialect

def test_a_payment_and_its_changes(refpay):
    status, paid, _ = refpay.post("/v1/payments", wish(), headers={"Tollgate-Request-Id": "r-1"})
    assert (status, paid["status"], paid["captured"], paid["request_id"]) == (201, "captured", 1050, "r-1")
    status, held, _ = refpay.post("/v1/payments", wish(capture=False, amount=1000, reference="order 7"))
    assert (status, held["status"], held["captured"]) == (201, "authorized", 0)
    at = f"/v1/payments/{held['id']}"
    assert refpay.post(at + "/capture", {"amount": 400})[1]["captured"] == 400
    assert refpay.post(at + "/capture", {"amount": 601})[0] == 422
    assert refpay.post(at + "/capture")[1]["status"] == "captured"
    assert refpay.post(at + "/capture")[0] == 409
    assert refpay.post(at + "/refund", {"amount": 1})[1]["refunded"] == 1
    assert refpay.post(at + "/refund", {"amount": 1000})[0] == 422
    assert refpay.post(at + "/refund")[1]["refunded"] == 1000
    assert refpay.post(at + "/refund")[0] == 409
    assert refpay.post(at + "/void")[0] == 409
    other = refpay.post("/v1/payments", wish(capture=False))[1]
    assert refpay.post(f"/v1/payments/{other['id']}/void")[1]["status"] == "voided"
    assert refpay.call("GET", at)[1]["reference"] == "order 7"
    found = refpay.call("GET", "/v1/payments?request_id=r-1")[1]["data"]
    assert [row["id"] for row in found] == [paid["id"]]
    assert refpay.call("GET", "/v1/payments?request_id=")[1]["data"] == []
    assert len(refpay.call("GET", "/v1/payments?limit=2")[1]["data"]) == 2
    assert refpay.post("/v1/notes", {"text": "hello"})[0] == 201
    book = refpay.ledger()
    assert book["counts"]["notes"] == 1 and book["counts"]["payments"] == 3
    balances = {row["account"]: row["balance"] for row in book["balances"]}
    assert balances["holds"] == 0 and balances["payer:ann"] == -1050 and sum(balances.values()) == 0


def test_nothing_is_idempotent(refpay):
    for _ in range(3):
        assert refpay.post("/v1/payments", wish(), headers={"Idempotency-Key": "same", "Tollgate-Request-Id": "x"})[0] == 201
    assert charges(refpay.ledger()) == 3


@pytest.mark.parametrize("body, status", [
    (b"{", 400), (b"[]", 400), (b'{"amount":1,"amount":2}', 400), (b'{"amount":1e2,"currency":"EUR"}', 400),
    (json.dumps(wish(amount="10")).encode(), 400), (json.dumps(wish(amount=10.0)).encode(), 400),
    (json.dumps(wish(amount=0)).encode(), 422), (json.dumps(wish(amount=-5)).encode(), 422),
    (json.dumps(wish(amount=10**12)).encode(), 422), (json.dumps(wish(currency="eur")).encode(), 422),
    (json.dumps(wish(payee={})).encode(), 422), (json.dumps(wish(capture="yes")).encode(), 422),
    (json.dumps(wish(instrument={"token": "4111 1111 1111 1111"})).encode(), 422),
    (json.dumps(wish(amount=1051)).encode(), 402)])
def test_refused_payments_move_nothing(refpay, body, status):
    assert refpay.call("POST", "/v1/payments", body)[0] == status
    assert refpay.ledger()["postings"] == []


def test_paths_methods_types(refpay):
    assert refpay.call("GET", "/v1/nothing")[0] == 404
    assert refpay.call("GET", "/v1/payments/pay_x")[0] == 404
    assert refpay.call("DELETE", "/v1/payments")[0] == 405
    assert refpay.call("POST", "/v1/payments", "{}", kind="text/plain")[0] == 415
    assert refpay.call("GET", "/v1/payments", "{}")[0] == 400
    assert refpay.call("GET", "/v1/payments?limit=0")[0] == 400
    assert refpay.post("/v1/payments", wish(), headers={"Tollgate-Request-Id": "x" * 65})[0] == 400


# ---- credentials

def test_only_one_credential_and_a_witness(refpay):
    good = f"Bearer {refpay.credential}"
    key = "tgk_test_" + "a" * 59
    refpay.told = ("ledger", "ledger-wal")
    for value in ("Bearer " + key, refpay.credential, good + "x", "Basic " + base64.b64encode(b"a:").decode(),
                  good.lower()):
        assert refpay.call("GET", "/v1/payments", headers={"Authorization": value})[0] == 401
    assert refpay.call("GET", "/v1/payments", headers={"X-Api-Key": key})[0] == 200
    assert refpay.post("/v1/notes", {"text": key})[0] == 201
    twice = f"GET /v1/payments HTTP/1.1\r\nHost: x\r\nAuthorization: {good}\r\nAuthorization: {good}\r\nConnection: close\r\n\r\n"
    assert b" 401 " in refpay.raw(twice.encode())
    said = refpay.ledger()["credentials"]
    assert said["refused"] == 6
    seen = {(row["field"], row["sha256"]): row["count"] for row in said["seen"]}
    assert seen[("authorization", hashlib.sha256(("Bearer " + key).encode()).hexdigest())] == 1
    assert seen[("x-api-key", hashlib.sha256(key.encode()).hexdigest())] == 1
    assert seen[("key in body", hashlib.sha256(key.encode()).hexdigest())] == 1
    assert not any(hashlib.sha256(good.encode()).hexdigest() == digest for _, digest in seen)
    refpay.stop()
    for path in refpay.folder.iterdir():
        # The note's own text is the one place where this test put a key.
        if path.name in ("log", "pid"):
            assert key.encode() not in path.read_bytes() and refpay.credential.encode() not in path.read_bytes()


def test_clean_requests_leave_no_witness(refpay):
    assert refpay.post("/v1/payments", wish())[0] == 201
    said = refpay.ledger()["credentials"]
    assert said["foreign"] == 0 and said["seen"] == [] and said["accepted"] == 1


# ---- the Stripe dialect

def test_stripe_intents(refpay):
    wishes = {"amount": 2000, "currency": "eur", "confirm": "true", "payment_method": "pm_card_visa",
              "capture_method": "manual", "metadata[order]": "7", "expand[]": "latest_charge"}
    status, intent, fields = refpay.form("/v1/payment_intents", wishes, headers={
        "Idempotency-Key": "k-1", "Stripe-Version": "2025-01-01", "Tollgate-Request-Id": "r-9"})
    assert (status, intent["object"], intent["status"], intent["amount_capturable"]) == (
        200, "payment_intent", "requires_capture", 2000)
    assert intent["metadata"] == {"order": "7"} and intent["currency"] == "eur"
    assert fields["Request-Id"].startswith("req_") and fields["Idempotency-Key"] == "k-1"
    assert fields["Stripe-Version"] == "2025-01-01"
    at = f"/v1/payment_intents/{intent['id']}"
    assert refpay.form(at + "/capture", {"amount_to_capture": 2001})[1]["error"]["type"] == "invalid_request_error"
    taken = refpay.form(at + "/capture", {"amount_to_capture": 1500})[1]
    assert (taken["status"], taken["amount_received"], taken["amount_capturable"]) == ("succeeded", 1500, 0)
    assert refpay.form(at + "/capture")[1]["error"]["code"] == "payment_intent_unexpected_state"
    status, refund, _ = refpay.form("/v1/refunds", {"payment_intent": intent["id"], "amount": 500})
    assert (status, refund["object"], refund["status"], refund["amount"]) == (200, "refund", "succeeded", 500)
    assert refpay.call("GET", f"/v1/refunds/{refund['id']}")[1] == refund
    assert refpay.form("/v1/refunds", {"payment_intent": intent["id"], "amount": 1001})[0] == 400
    assert refpay.form("/v1/refunds", {"payment_intent": intent["id"]})[1]["amount"] == 1000
    assert refpay.form("/v1/refunds", {"payment_intent": intent["id"]})[1]["error"]["code"] == "charge_already_refunded"
    found = refpay.call("GET", "/v1/payment_intents?tollgate_request_id=r-9")[1]
    assert found["object"] == "list" and [row["id"] for row in found["data"]] == [intent["id"]] and not found["has_more"]
    balances = {row["account"]: row["balance"] for row in refpay.ledger()["balances"]}
    assert balances == {"fees": 15, "holds": 0, "payee:platform": -15, "payer:guest": 0}


def test_stripe_confirm_cancel_decline(refpay):
    intent = refpay.form("/v1/payment_intents", {"amount": 100, "currency": "usd"})[1]
    at = f"/v1/payment_intents/{intent['id']}"
    assert intent["status"] == "requires_payment_method"
    assert refpay.form(at + "/confirm")[0] == 400
    status, declined, _ = refpay.form(at + "/confirm", {"payment_method": "pm_card_chargeDeclined"})
    assert (status, declined["error"]["type"], declined["error"]["code"]) == (402, "card_error", "card_declined")
    assert declined["error"]["payment_intent"]["status"] == "requires_payment_method"
    assert refpay.form(at + "/confirm", {"payment_method": "pm_card_visa"})[1]["status"] == "succeeded"
    assert refpay.form(at + "/cancel")[0] == 400
    other = refpay.form("/v1/payment_intents", {"amount": 100, "currency": "usd", "payment_method": "pm_card_visa"})[1]
    assert other["status"] == "requires_confirmation"
    assert refpay.form(f"/v1/payment_intents/{other['id']}/cancel")[1]["status"] == "canceled"


def test_stripe_errors(refpay):
    assert refpay.form("/v1/payment_intents", {"currency": "usd"})[1]["error"]["param"] == "amount"
    assert refpay.form("/v1/payment_intents", {"amount": "1e2", "currency": "usd"})[1]["error"]["code"] == \
        "parameter_invalid_integer"
    assert refpay.call("GET", "/v1/payment_intents/pi_x")[1]["error"]["code"] == "resource_missing"
    wrong = refpay.call("GET", "/v1/payment_intents", headers={"Authorization": "Bearer sk_test_other"})
    assert wrong[0] == 401 and wrong[1]["error"]["type"] == "invalid_request_error"
    first = refpay.form("/v1/payment_intents", {"amount": 1, "currency": "usd"})[1]
    second = refpay.form("/v1/payment_intents", {"amount": 2, "currency": "usd"})[1]
    page = refpay.call("GET", "/v1/payment_intents?limit=1")[1]
    assert page["has_more"] and page["data"][0]["id"] == second["id"]
    page = refpay.call("GET", f"/v1/payment_intents?limit=1&starting_after={second['id']}")[1]
    assert page["data"][0]["id"] == first["id"] and not page["has_more"]


# ---- HTTP

def test_pipelined_requests_are_answered_in_order(refpay):
    one = f"GET /v1/payments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {refpay.credential}\r\n"
    note = one.replace("GET /v1/payments", "POST /v1/notes") + "Content-Length: 0\r\n"
    data = refpay.raw((note + "\r\n" + one + "\r\n" + note + "Connection: close\r\n\r\n").encode())
    assert re.findall(rb"HTTP/1\.1 (\d+) ", data) == [b"201", b"200", b"201"]
    assert data.count(b'"number":') == 2 and data.index(b'"number":1') < data.index(b'"data"') < data.index(b'"number":2')


@pytest.mark.parametrize("head, status", [
    ("POST /v1/notes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
    ("POST /v1/notes HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", b"400"),
    ("GET / HTTP/1.1\r\n\r\n", b"400"), ("GET / HTTP/3.0\r\nHost: x\r\n\r\n", b"505"),
    ("POST /v1/notes HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n", b"413"),
    ("GET / HTTP/1.1\r\nHost: x\r\nX: " + "a" * 17000 + "\r\n\r\n", b"431")])
def test_framing_is_strict(refpay, head, status):
    data = refpay.raw(head.encode())
    assert data.split(b" ")[1] == status and data.count(b"HTTP/1.1") == 1


def test_a_thousand_connections_and_no_more(refpay):
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", refpay.port))) for _ in range(1000)]
        until(lambda: refpay.tell("ledger", "--summary").returncode == 0)
        extra = stack.enter_context(socket.create_connection(("127.0.0.1", refpay.port), timeout=DEADLINE_S))
        assert extra.recv(1) == b""
        held[0].close()
        held[1].sendall(f"GET /v1/payments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {refpay.credential}\r\n\r\n".encode())
        assert held[1].recv(12) == b"HTTP/1.1 200"


# ---- faults

def test_faults_only_by_the_control_socket(refpay):
    assert refpay.tell("fault", "no_such_kind").returncode == 1
    assert refpay.tell("fault").returncode == 2
    refpay.fault("stall", "--operation", "payment.refund")
    assert json.loads(refpay.fault("list"))["armed"][0]["kind"] == "stall"
    assert refpay.post("/v1/payments", wish())[0] == 201
    assert json.loads(refpay.fault("clear"))["armed"] == []
    assert stat.S_IMODE(os.stat(refpay.control).st_mode) == 0o600


@pytest.mark.parametrize("kind, delay", [("slow", 300), ("slow_before", 300)])
def test_slow(refpay, kind, delay):
    refpay.fault(kind, "--delay-ms", str(delay), "--operation", "payment.create")
    begin = time.monotonic()
    assert refpay.post("/v1/payments", wish())[0] == 201
    assert time.monotonic() - begin >= delay / 1000
    assert charges(refpay.ledger()) == 1


def test_slow_commits_first_and_slow_before_does_not(refpay):
    for kind, early in (("slow", 1), ("slow_before", 0)):
        before = charges(refpay.ledger())
        refpay.fault(kind, "--delay-ms", "1500")
        caller = threading.Thread(target=refpay.post, args=("/v1/payments", wish()))
        caller.start()
        until(lambda: json.loads(refpay.fault("list"))["armed"] == [])
        assert charges(refpay.ledger()) - before == early
        caller.join(DEADLINE_S)
        assert charges(refpay.ledger()) - before == 1


def test_slow_before_charges_a_caller_that_has_left(refpay):
    refpay.fault("slow_before", "--delay-ms", "1500")
    with pytest.raises(OSError):
        refpay.post("/v1/payments", wish(), timeout=0.1)
    assert charges(refpay.ledger()) == 0
    until(lambda: charges(refpay.ledger()) == 1)


@pytest.mark.parametrize("kind, charged", [("reset_before", 0), ("reset_after_commit", 1)])
def test_resets(refpay, kind, charged):
    refpay.fault(kind)
    with pytest.raises(ConnectionResetError):
        refpay.raw()
    assert charges(refpay.ledger()) == charged
    assert refpay.post("/v1/payments", wish())[0] == 201


@pytest.mark.parametrize("kind, status, charged", [
    ("status_500", 500, 0), ("status_503", 503, 0), ("status_429", 429, 0), ("status_500_after_commit", 500, 1)])
def test_statuses(refpay, kind, status, charged):
    refpay.fault(kind, "--count", "2")
    for _ in range(2):
        answer = refpay.post("/v1/payments", wish())
        assert answer[0] == status and ("Retry-After" in answer[2]) == (status in (503, 429))
    assert charges(refpay.ledger()) == 2 * charged
    assert refpay.post("/v1/payments", wish())[0] == 201


def test_broken_answers(refpay):
    refpay.fault("garbage_status")
    assert not refpay.raw().startswith(b"HTTP/")
    refpay.fault("cut_body")
    head, _, body = refpay.raw().partition(b"\r\n\r\n")
    announced = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert 0 < len(body) < announced
    refpay.fault("close_delimited")
    head, _, body = refpay.raw().partition(b"\r\n\r\n")
    assert b"content-length" not in head.lower() and json.loads(body)["captured"] == 1050
    refpay.fault("huge")
    assert len(refpay.post("/v1/payments", wish())[1]["padding"]) > 65536
    assert charges(refpay.ledger()) == 4


def test_early_hints(refpay):
    refpay.fault("early_hints")
    with socket.create_connection(("127.0.0.1", refpay.port), timeout=DEADLINE_S) as sock:
        sock.sendall(f"POST /v1/notes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {refpay.credential}\r\n"
                     "Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while chunk := sock.recv(4096):
            data += chunk
    assert data.startswith(b"HTTP/1.1 103 ") and b"\r\n\r\nHTTP/1.1 201 " in data


def test_stall(refpay):
    refpay.fault("stall")
    with pytest.raises(TimeoutError):
        refpay.post("/v1/payments", wish(), timeout=0.3)
    assert charges(refpay.ledger()) == 1


def test_refuse_connect(refpay):
    refpay.fault("refuse_connect", "--delay-ms", "1500")
    with pytest.raises(ConnectionRefusedError):
        refpay.post("/v1/payments", wish())
    assert charges(refpay.ledger()) == 0

    def answers():
        with contextlib.suppress(OSError):
            return refpay.post("/v1/payments", wish())[0] == 201
    until(answers)
    assert charges(refpay.ledger()) == 1


# ---- kill -9 and neighbours

def test_what_was_answered_survives_kill(tmp_path):
    refpay = Refpay(tmp_path).start()
    told = []

    def pay():
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                status, paid, _ = refpay.post("/v1/payments", wish())
                assert status == 201
                told.append(paid["id"])

    for _ in range(3):
        before = len(told)
        callers = [threading.Thread(target=pay) for _ in range(4)]
        for caller in callers:
            caller.start()
        until(lambda: len(told) > before + 20)
        refpay.kill()
        for caller in callers:
            caller.join(DEADLINE_S)
        refpay.start()
    found = {row["id"] for row in json.loads(refpay.tell("payments", "--json").stdout)["payments"]}
    assert set(told) <= found
    # A charge whose answer was cut off may stand in the book: at most one for each caller that was cut.
    assert len(found) <= len(told) + 3 * 4
    assert charges(refpay.ledger()) == len(found)
    assert refpay.stop() == 0


def test_a_long_book_comes_in_pages(refpay):
    connection = http.client.HTTPConnection("127.0.0.1", refpay.port, timeout=DEADLINE_S)
    for _ in range(1100):
        connection.request("POST", "/v1/payments", json.dumps(wish()), {
            "Authorization": f"Bearer {refpay.credential}", "Content-Type": "application/json"})
        assert connection.getresponse().read()
    connection.close()
    book = refpay.ledger()
    assert len(book["postings"]) == 2200 and len({row["id"] for row in book["postings"]}) == 2200
    assert len(json.loads(refpay.tell("payments", "--json").stdout)["payments"]) == 1100


def test_a_second_one_is_kept_out(refpay):
    second = subprocess.run([PROGRAM, "serve", "--listen", f"127.0.0.1:{free_ports(1)[0]}", "--control", str(refpay.control),
                             "--credential-file", str(refpay.folder / "credential"), "--pid", str(refpay.folder / "pid")],
                            capture_output=True, text=True, timeout=DEADLINE_S)
    assert second.returncode == 1 and "already_running" in second.stderr
    assert refpay.post("/v1/notes")[0] == 201


def test_log_is_opened_again(refpay):
    (refpay.folder / "log").rename(refpay.folder / "log.1")
    refpay.process.send_signal(signal.SIGHUP)
    until(lambda: (refpay.folder / "log").exists())


def test_command_line():
    assert subprocess.run([PROGRAM, "--help"], capture_output=True, check=True).stdout.startswith(b"refpay")
    for words in ([], ["serve"], ["ledger"], ["nonsense", "--control", "x"], ["fault", "--control", "x", "a", "b"],
                  ["fault", "--control", "x", "stall", "--count", "-1"], ["--nonsense"]):
        assert subprocess.run([PROGRAM, *words], capture_output=True).returncode == 2
    assert subprocess.run([PROGRAM, "ledger", "--control", "/nonexistent"], capture_output=True).returncode == 1


# ---- webhooks

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((dict(self.headers.items()), body))
        self.send_response(503 if len(self.server.seen) <= self.server.refuse else 204)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_webhooks_are_signed_and_tried_again(tmp_path):
    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    server.seen, server.refuse = [], 2
    threading.Thread(target=server.serve_forever, daemon=True).start()
    refpay = Refpay(tmp_path, "--webhook", f"http://127.0.0.1:{server.server_port}/hook").start()
    paid = refpay.post("/v1/payments", wish())[1]
    assert refpay.post(f"/v1/payments/{paid['id']}/refund", {"amount": 50})[0] == 200
    until(lambda: refpay.ledger()["webhooks"]["delivered"] == 3)
    secret_file = tmp_path / "ledger.webhook-secret"
    assert stat.S_IMODE(secret_file.stat().st_mode) == 0o600
    secret = base64.b64decode(secret_file.read_text().strip().removeprefix("whsec_"))
    for headers, body in server.seen:
        text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(secret, text, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == "v1," + expected
    kinds = [json.loads(body)["type"] for _, body in server.seen]
    assert kinds == ["payment.created"] * 3 + ["payment.captured", "payment.refunded"]
    assert len({headers["webhook-id"] for headers, _ in server.seen}) == 3
    assert refpay.stop() == 0
    server.shutdown()
    server.server_close()
    refpay.start()
    assert refpay.post("/v1/payments", wish())[0] == 201  # the receiver is gone: payments go on
    until(lambda: refpay.ledger()["webhooks"]["failed"] == 2)
    assert secret == base64.b64decode(secret_file.read_text().strip().removeprefix("whsec_"))
    assert refpay.stop() == 0


@pytest.mark.parametrize("url", ["http://10.0.0.1:80/x", "https://127.0.0.1:80/x", "http://localhost:80/x",
                                 "http://127.0.0.1/x", "http://127.0.0.1:80", "http://127.0.0.1:80@10.0.0.1:80/x"])
def test_webhooks_only_to_loopback(tmp_path, url):
    (tmp_path / "credential").write_text("x")
    result = subprocess.run([PROGRAM, "serve", "--listen", f"127.0.0.1:{free_ports(1)[0]}", "--control",
                             str(tmp_path / "c.sock"), "--credential-file", str(tmp_path / "credential"), "--webhook", url],
                            capture_output=True, text=True, timeout=DEADLINE_S)
    assert result.returncode == 1 and "webhook_not_opened" in result.stderr
