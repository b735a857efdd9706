"""The frames between gate, operator and keeper, written and read by hand (src/wire/message.h).

Promises: says exactly what it is told, also what no gate would say; answers
are matched by slot and turn, unasked frames (FLUSH) are kept apart.
Does not: retry, or hide that a link ended (EOFError).
"""
import hashlib
import json
import os
import secrets
import socket
import struct
import time

HEADER = struct.Struct(">IBBHII")
HELLO, AUTH, ADMIT, SETTLE, NOTE, STATS, FLUSH, ADMIN = 1, 3, 5, 7, 9, 10, 12, 32
OBSERVE, MONEY, HAS_KEY, HAS_AMOUNT, HAS_PAYEE, HAS_PAYER, HAS_INSTRUMENT, RESEND = (1 << bit for bit in range(8))
ALLOW, REPLAY, CHALLENGE, REFUSE = range(1, 5)
FINAL, NOT_EXECUTED, UNKNOWN, NOT_SENT = range(1, 5)
NONE = 0xffff


def digest(text):
    return hashlib.sha256(text if isinstance(text, bytes) else str(text).encode()).digest()


def frame(kind, body=b"", slot=0, turn=0, version=1, zero=0, length=None):
    return HEADER.pack(len(body) if length is None else length, version, kind, slot, turn, zero) + body


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">H", len(data)) + data


def hello_body(protocol=1):
    return struct.pack(">II", protocol, os.getpid()) + secrets.token_bytes(16)


def auth_body(key, address="127.0.0.1", certificate=None, prefix=None):
    packed = bytes(10) + b"\xff\xff" + socket.inet_aton(address)
    shown = (prefix or key[:17]).encode().ljust(17, b"x")[:17]
    return digest(key) + shown + packed + bytes([certificate is not None]) + (certificate or bytes(32))


def admit_body(partner, credential, key=None, request_id=None, amount=100, currency="EUR", fingerprint="same",
               flags=MONEY, environment=1, wait_ms=5000, ttl_s=86400, route="main", operation="payment.create",
               method="POST", path="/v1/payments", payee="shop", profile="generic-json"):
    flags |= (HAS_KEY if key is not None else 0) | (HAS_AMOUNT if amount is not None else 0)
    flags |= HAS_PAYEE if payee is not None else 0
    body = struct.pack(">BBIIII", flags, environment, partner, credential, wait_ms, ttl_s)
    body += request_id or secrets.token_bytes(16)
    body += digest(key) if key is not None else bytes(32)
    body += digest(fingerprint)
    body += (digest(payee) if payee is not None else bytes(32)) + bytes(64) + digest("address")
    body += struct.pack(">q", amount) + currency.encode() + b"\x02" if amount is not None else bytes(12)
    return body + text(route) + text(profile) + text(operation) + text(method) + text(path)


def settle_body(request_id, ticket=0, outcome=FINAL, answer=b"stored answer", reason=0, upstream_status=200,
                caller_status=200, flags=MONEY):
    answer = answer if outcome == FINAL else b""
    return (struct.pack(">BBHHHIQ", flags, outcome, reason, upstream_status, caller_status, 1234, ticket) + request_id
            + struct.pack(">I", len(answer)) + answer)


def note_body(reason, status, partner=0, credential=0, route="main", operation=""):
    return (struct.pack(">BHHII", 0, reason, status, partner, credential) + secrets.token_bytes(16) + text(route)
            + text(operation))


class AuthAnswer:
    def __init__(self, body):
        self.reason, self.retry_after, self.partner, self.credential, self.environment = struct.unpack(">HHIIB", body)


class AdmitAnswer:
    def __init__(self, body):
        self.verdict, self.reason, self.retry_after, self.ticket = struct.unpack(">BHHQ", body[:13])
        self.original_id = body[13:29]
        at = 31 + struct.unpack(">H", body[29:31])[0]
        self.credential = body[31:at]
        self.answer = body[at + 4:]
        assert len(self.answer) == struct.unpack(">I", body[at:at + 4])[0]

    def __repr__(self):
        return f"<verdict {self.verdict} reason {self.reason} ticket {self.ticket}>"


class SettleAnswer:
    def __init__(self, body):
        self.reason, = struct.unpack(">H", body)


ANSWERS = {AUTH: AuthAnswer, ADMIT: AdmitAnswer, SETTLE: SettleAnswer, STATS: bytes.decode}


class Link:
    """One connection; every question has its own turn."""

    def __init__(self, path, greet=True, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.data, self.turn, self.kept, self.unasked = b"", 0, {}, []
        if greet:
            self.send(frame(HELLO, hello_body(), NONE))
            assert self.read()[0] == HELLO + 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        """The next frame: kind, slot, turn, body."""
        while True:
            if len(self.data) >= HEADER.size:
                length, version, kind, slot, turn, zero = HEADER.unpack(self.data[:HEADER.size])
                assert (version, zero) == (1, 0)
                end = HEADER.size + length
                if len(self.data) >= end:
                    body, self.data = self.data[HEADER.size:end], self.data[end:]
                    return kind, slot, turn, body
            got = self.socket.recv(1 << 20)
            if not got:
                raise EOFError
            self.data += got

    def ask(self, kind, body, slot=None):
        """Sends a question; its turn."""
        self.turn += 1
        self.send(frame(kind, body, self.turn % 4096 if slot is None else slot, self.turn))
        return self.turn

    def answer(self, wanted):
        while wanted not in self.kept:
            kind, _, turn, body = self.read()
            if kind == FLUSH:
                self.unasked.append(kind)
            else:
                self.kept[turn] = ANSWERS[kind - 1](body)
        return self.kept.pop(wanted)

    def say(self, kind, body):
        return self.answer(self.ask(kind, body))

    def auth(self, key, **more):
        return self.say(AUTH, auth_body(key, **more))

    def admit(self, *arguments, **more):
        return self.say(ADMIT, admit_body(*arguments, **more))

    def settle(self, *arguments, **more):
        return self.say(SETTLE, settle_body(*arguments, **more))

    def stats(self):
        return self.say(STATS, b"")

    def ended(self, seconds=5):
        """True when the keeper has let go of us."""
        self.socket.settimeout(seconds)
        try:
            while True:
                self.read()
        except (EOFError, ConnectionResetError):
            return True
        except TimeoutError:
            return False


class Operator:
    """The admin link."""

    def __init__(self, path, timeout=15):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.turn = 0

    def close(self):
        self.socket.close()

    def _take(self, count):
        data = b""
        while len(data) < count:
            got = self.socket.recv(count - len(data))
            if not got:
                raise EOFError
            data += got
        return data

    def raw(self, body):
        self.turn += 1
        self.socket.sendall(frame(ADMIN, body, 0, self.turn))
        length, _, kind, _, turn, _ = HEADER.unpack(self._take(HEADER.size))
        assert (kind, turn) == (ADMIN + 1, self.turn)
        return json.loads(self._take(length))

    def ask(self, command, **arguments):
        return self.raw(json.dumps({"command": command, "arguments": arguments}).encode())

    def do(self, command, **arguments):
        answer = self.ask(command, **arguments)
        assert answer["ok"], f"{command}: {answer}"
        return answer["result"]

    def fails(self, command, **arguments):
        answer = self.ask(command, **arguments)
        assert not answer["ok"], f"{command}: {answer}"
        return answer["error"]


def wait_until(what, seconds=10):
    """What it said when it said something true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if said := what():
            return said
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")
