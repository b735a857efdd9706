"""A client of tollgate-sealer that writes its frames by hand, and the process itself."""
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time

BUILD = pathlib.Path(os.environ.get("TOLLGATE_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")).resolve()
PROGRAM = BUILD / "tollgate-sealer"
MAC, VERIFY, SIGN, SEAL, OPEN, MAKE, DESTROY, PUBLIC = range(1, 9)
DONE, NO_KEY, BAD, FAILED = range(4)
CLAIM, FINGERPRINT, PSEUDONYM, CREDENTIAL, RECORD, SEGMENT = 1, 2, 3, 4, 5, 0x10000


def header(length, kind=64, version=1, slot=7, turn=9, zero=0):
    return struct.pack(">IBBHII", length, version, kind, slot, turn, zero)


def work(operation, key, data=b"", aad=None):
    if aad is not None:
        data = struct.pack(">H", len(aad)) + aad + data
    return struct.pack(">BII", operation, key, len(data)) + data


def frame(*works):
    body = struct.pack(">H", len(works)) + b"".join(works)
    return header(len(body)) + body


class Link:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(path))

    def take(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def answer(self):
        length, version, kind, slot, turn, zero = struct.unpack(">IBBHII", self.take(16))
        assert (version, kind, slot, turn, zero) == (1, 65, 7, 9, 0)
        body = self.take(length)
        count, at, results = struct.unpack(">H", body[:2])[0], 2, []
        for _ in range(count):
            status, size = struct.unpack(">BI", body[at:at + 5])
            results.append((status, body[at + 5:at + 5 + size]))
            at += 5 + size
        assert at == len(body)
        return results

    def ask(self, *works):
        self.socket.sendall(frame(*works))
        return self.answer()

    def one(self, *arguments, **named):
        (result,) = self.ask(work(*arguments, **named))
        return result

    def is_closed(self):
        """True when the sealer has let go of us."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()


class Sealer:
    """One process over a folder; start and end it as often as a test likes."""

    def __init__(self, folder, keeper_uid=None, more=()):
        self.folder = pathlib.Path(folder)
        self.keys = self.folder / "keys"
        self.path = self.folder / "sealer.sock"
        self.log = self.folder / "sealer.log"
        self.keeper_uid = os.getuid() if keeper_uid is None else keeper_uid
        self.more = list(more)
        self.process = None

    def make_keys(self):
        return subprocess.run([PROGRAM, "--keys", self.keys, "--make-keys", *self.more], capture_output=True, text=True,
                              timeout=30)

    def start(self):
        self.process = subprocess.Popen(
            [PROGRAM, "--keys", self.keys, "--socket", self.path, "--keeper-uid", str(self.keeper_uid), "--log",
             self.log, "--pid", self.folder / "sealer.pid", *self.more], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith('{"event":"ready",'), line
        return self

    def link(self):
        return Link(self.path)

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(number)
        code = self.process.wait(timeout=10)
        self.process.stdout.close()
        self.process = None
        return code

    def events(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def wait_for(self, event):
        end = time.monotonic() + 10
        while not any(line["event"] == event for line in self.events()):
            assert time.monotonic() < end, event
            time.sleep(0.01)
