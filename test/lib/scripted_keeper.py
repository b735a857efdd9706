"""A keeper that does what a real one must not: late, wrong or no answers on the gate's link.

Only for what the gate has to survive; everything else is tested with the real
keeper. Promises: answers AUTH, ADMIT, SETTLE and STATS well unless `rules`
has something else for that frame type; keeps every frame that came.
"""
import os
import socket
import struct
import threading
import time

HEADER = struct.Struct(">IBBHII")  # len, version, type, slot, turn, zero
HELLO, AUTH, ADMIT, SETTLE, NOTE, STATS, FLUSH = 1, 3, 5, 7, 9, 10, 12
# Ten times what a gate waits between two tries.
RETRY_S = 0.05
ALLOW, REPLAY, REFUSE = 1, 2, 4


def frame(kind, body=b"", slot=0xffff, turn=0, version=1, zero=0):
    return HEADER.pack(len(body), version, kind, slot, turn, zero) + body


def auth_ok(slot, turn):
    return frame(AUTH + 1, struct.pack(">HHIIB", 0, 0, 7, 8, 1), slot, turn)


def auth_no(slot, turn, reason=102, retry_after=0):
    return frame(AUTH + 1, struct.pack(">HHIIB", reason, retry_after, 0, 0, 0), slot, turn)


def admit(slot, turn, verdict=ALLOW, reason=0, retry_after=0, credential=b"Bearer upstream-secret", answer=b""):
    credential = credential if verdict == ALLOW else b""
    body = struct.pack(">BHHQ", verdict, reason, retry_after, 77) + bytes(16)
    body += struct.pack(">H", len(credential)) + credential + struct.pack(">I", len(answer)) + answer
    return frame(ADMIT + 1, body, slot, turn)


def settle(slot, turn, reason=0):
    return frame(SETTLE + 1, struct.pack(">H", reason), slot, turn)


class Link:
    """One gate worker's connection."""

    def __init__(self, connection):
        self.connection = connection

    def send(self, data):
        try:
            self.connection.sendall(data)
        except OSError:
            pass

    def close(self):
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class ScriptedKeeper:
    def __init__(self, path):
        self.path, self.rules, self.frames, self.links = str(path), {}, [], []
        self.arrived = threading.Condition()
        self.closing = False
        self.listen()

    def listen(self):
        """There, or there again: a gate whose try has just failed asks anew only after some milliseconds."""
        self.listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener.bind(self.path)
        self.listener.listen(16)
        self.closing = False
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        time.sleep(RETRY_S)

    def stop(self):
        """Down: nobody listens, links are cut."""
        self.closing = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.cut()

    close = stop

    def cut(self):
        for link in list(self.links):
            link.close()

    def count(self, kind):
        return sum(1 for one in self.frames if one[0] == kind)

    def wait(self, kind, count=1, seconds=5):
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.count(kind) >= count, seconds), f"saw {self.count(kind)} of {kind}"
        return [one[1] for one in self.frames if one[0] == kind]

    def clear(self):
        self.rules.clear()
        self.frames.clear()

    def _accept(self, listener):
        while not self.closing:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            link = Link(connection)
            self.links.append(link)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link):
        data = b""
        try:
            while True:
                got = link.connection.recv(65536)
                if not got:
                    return
                data += got
                while len(data) >= HEADER.size:
                    length, _, kind, slot, turn, _ = HEADER.unpack(data[:HEADER.size])
                    if len(data) < HEADER.size + length:
                        break
                    body, data = data[HEADER.size:HEADER.size + length], data[HEADER.size + length:]
                    with self.arrived:
                        self.frames.append((kind, body))
                        self.arrived.notify_all()
                    self._answer(link, kind, slot, turn, body)
        except OSError:
            pass
        finally:
            self.links.remove(link)
            link.connection.close()

    def _answer(self, link, kind, slot, turn, body):
        rule = self.rules.get(kind)
        if rule is not None:
            # Rules may wait: each has its own thread, so that answers can overtake one another.
            threading.Thread(target=rule, args=(link, slot, turn, body), daemon=True).start()
        elif kind == HELLO:
            link.send(frame(HELLO + 1, struct.pack(">II", 1, os.getpid()) + bytes(16)))
        elif kind == AUTH:
            link.send(auth_ok(slot, turn))
        elif kind == ADMIT:
            link.send(admit(slot, turn))
        elif kind == SETTLE:
            link.send(settle(slot, turn))
        elif kind == STATS:
            link.send(frame(STATS + 1, b"tollgate_keeper_scripted 1\n", slot, turn))


def after(seconds, make):
    """A rule: the answer that make(slot, turn) gives, late."""
    def rule(link, slot, turn, _):
        time.sleep(seconds)
        link.send(make(slot, turn))
    return rule


def silent(*_):
    """A rule: no answer."""
