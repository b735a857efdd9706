"""A scripted upstream on raw sockets: sees exact bytes, answers as told.

Promises: every request is kept with the very bytes that came; the next
behaviour is taken from `script`, else `usual` is used; all threads end with
close(). Does not: judge requests, or speak anything but HTTP/1.x.
"""
import collections
import json
import re
import socket
import struct
import threading
import time

Seen = collections.namedtuple("Seen", "raw method target version fields body at")


def field(seen, name):
    """All values of a field, in order."""
    return [value for key, value in seen.fields if key.lower() == name.lower()]


# --- behaviours: called with (connection, seen); True keeps the connection ---

def answer(status=201, body=b'{"id":"pay_1","status":"authorized"}', fields=(), chunked=False, delay=0.0):
    def act(connection, _):
        if delay:
            time.sleep(delay)
        head = [f"HTTP/1.1 {status} Scripted", "Content-Type: application/json"]
        head += [f"{name}: {value}" for name, value in fields]
        if status in (204, 304):
            payload = b""
        elif chunked:
            head.append("Transfer-Encoding: chunked")
            half = len(body) // 2 or 1
            parts = [part for part in (body[:half], body[half:]) if part]
            payload = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        else:
            head.append(f"Content-Length: {len(body)}")
            payload = body
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + payload)
        return True
    return act


def raw(data, keep=False):
    def act(connection, _):
        connection.sendall(data)
        return keep
    return act


def hang_up():
    return lambda connection, _: False


def reset():
    def act(connection, _):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    return act


def stall(seconds):
    def act(connection, _):
        connection.settimeout(seconds)
        try:
            connection.recv(1)
        except OSError:
            pass
        return False
    return act


def cut(declared=100, sent=20):
    return raw(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % declared
               + b"x" * sent)


def cut_chunked():
    return raw(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n")


def close_delimited(body=b'{"id":"pay_1"}'):
    return raw(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n" + body)


def interim(status=103):
    return raw(b"HTTP/1.1 %d Interim\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}" % status)


def huge(size, chunked=False):
    body = b"h" * size
    if chunked:
        return raw(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % size + body
                   + b"\r\n0\r\n\r\n", keep=True)
    return raw(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % size + body, keep=True)


class Upstream:
    def __init__(self):
        self.usual = answer()
        self.script = collections.deque()
        self.seen = []
        self.connections = 0
        self.arrived = threading.Condition()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(128)
        self.port = self.listener.getsockname()[1]
        self.open = set()
        self.closing = False
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def close(self):
        self.closing = True
        # A blocked accept() is woken only by shutdown.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.drop()

    def drop(self):
        """Cuts every open connection."""
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def clear(self):
        self.script.clear()
        self.seen.clear()
        self.usual = answer()

    def then(self, *behaviours):
        self.script.extend(behaviours)

    def wait(self, count=1, seconds=5):
        """Waits until `count` requests were seen since the last clear()."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.seen) >= count, seconds), f"upstream saw {len(self.seen)}"
        return self.seen

    @property
    def last(self):
        return self.seen[-1]

    def _accept(self):
        while not self.closing:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        data = b""
        try:
            connection.settimeout(60)
            while not self.closing:
                seen, data = _read_request(connection, data)
                if seen is None:
                    return
                behaviour = self.script.popleft() if self.script else self.usual
                with self.arrived:
                    self.seen.append(seen)
                    self.arrived.notify_all()
                if not behaviour(connection, seen):
                    return
        except OSError:
            pass
        finally:
            self.open.discard(connection)
            connection.close()


def _more(connection, data):
    got = connection.recv(65536)
    return (data + got) if got else None


def _read_request(connection, data):
    while b"\r\n\r\n" not in data:
        data = _more(connection, data)
        if data is None:
            return None, b""
    head, rest = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    method, target, version = lines[0].split(" ", 2)
    fields = [tuple(part.strip() if n else part for n, part in enumerate(line.split(":", 1))) for line in lines[1:]]
    length = next((int(v) for k, v in fields if k.lower() == "content-length"), 0)
    if any(k.lower() == "transfer-encoding" for k, v in fields):
        while not re.search(rb"(^|\r\n)0\r\n\r\n", rest):
            rest = _more(connection, rest)
            if rest is None:
                return None, b""
        body, rest = rest, b""
    else:
        while len(rest) < length:
            rest = _more(connection, rest)
            if rest is None:
                return None, b""
        body, rest = rest[:length], rest[length:]
    return Seen(head + b"\r\n\r\n" + body, method, target, version, fields, body, time.monotonic()), rest


def json_body(seen):
    return json.loads(seen.body)
