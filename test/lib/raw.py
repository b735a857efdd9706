"""Clients that say exactly what a test wants said: h1 over raw TLS sockets, h2 by python3-h2.

Promises: bytes go out as given; every answer is read by its own framing, and
what follows the last one is kept in `rest`, so that a desynchronised
connection shows. Does not: follow, retry or correct.
"""
import json
import socket
import ssl
import time


class Answer:
    def __init__(self, status, fields, body, raw, seconds):
        self.status, self.fields, self.body, self.raw, self.seconds = status, fields, body, raw, seconds

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name, default=None):
        return next(iter(self.all(name)), default)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def reason(self):
        """The last part of a problem's type, or None."""
        try:
            kind = self.json.get("type", "")
        except (ValueError, AttributeError):
            return None
        return kind.rsplit(":", 1)[-1] if kind.startswith("urn:tollgate:reason:") else None

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:400]!r}>"


class Closed(Exception):
    """The other side ended the connection before a whole answer."""


def tls(port, context, alpn=("http/1.1",), timeout=10, source=None):
    plain = socket.create_connection(("127.0.0.1", port), timeout, source_address=source)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    context.set_alpn_protocols(list(alpn))
    return context.wrap_socket(plain, server_hostname="localhost")


class Http1:
    """One connection."""

    def __init__(self, port, context, timeout=10, source=None):
        self.socket = tls(port, context, timeout=timeout, source=source)
        self.rest = b""
        self.began = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.began = time.monotonic()
        self.socket.sendall(data)
        return self

    def _more(self):
        try:
            got = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(f"{error}: {self.rest!r}") from error
        if not got:
            raise Closed(repr(self.rest))
        self.rest += got

    def read(self, head=False, interim=False):
        """One answer; 1xx ones are skipped unless asked for."""
        while b"\r\n\r\n" not in self.rest:
            self._more()
        top, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = top.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        found = Answer(status, fields, b"", top, time.monotonic() - self.began)
        if status < 200:
            return found if interim else self.read(head)
        found.body = self._body(found, head)
        found.seconds = time.monotonic() - self.began
        return found

    def _body(self, found, head):
        if head or found.status in (204, 304):
            return b""
        if "chunked" in [value.lower() for value in found.all("Transfer-Encoding")]:
            return self._chunks()
        length = found.get("Content-Length")
        if length is None:
            try:
                while True:
                    self._more()
            except Closed:
                body, self.rest = self.rest, b""
                return body
        while len(self.rest) < int(length):
            self._more()
        body, self.rest = self.rest[:int(length)], self.rest[int(length):]
        return body

    def _chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.rest:
                self._more()
            line, self.rest = self.rest.split(b"\r\n", 1)
            size = int(line, 16)
            while len(self.rest) < size + 2:
                self._more()
            body, self.rest = body + self.rest[:size], self.rest[size + 2:]
            if not size:
                return body

    def silent(self, seconds):
        """True when nothing comes for so long."""
        if self.rest:
            return False
        self.socket.settimeout(seconds)
        try:
            self._more()
        except TimeoutError:
            return True
        except Closed:
            return False
        finally:
            self.socket.settimeout(10)
        return False

    def ended(self, seconds=3):
        """True when the other side ends the connection and says no more."""
        self.socket.settimeout(seconds)
        try:
            self._more()
        except Closed:
            return not self.rest
        except TimeoutError:
            return False
        return False


class Http2:
    """One h2 connection; requests are lists of (name, value), so that tests can send what a library would not."""

    def __init__(self, port, context, timeout=10):
        import h2.config
        import h2.connection

        self.socket = tls(port, context, ("h2",), timeout)
        assert self.socket.selected_alpn_protocol() == "h2"
        config = h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False,
                                           normalize_outbound_headers=False, validate_inbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.answers, self.ended, self.gone = {}, set(), False
        self._flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def request(self, fields, body=None):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, fields, end_stream=body is None)
        if body is not None:
            while len(body) > 16384:
                self.h2.send_data(stream, body[:16384])
                body = body[16384:]
            self.h2.send_data(stream, body, end_stream=True)
        self.answers[stream] = Answer(0, [], b"", b"", 0)
        self._flush()
        return stream

    def _receive(self):
        import h2.events

        data = self.socket.recv(65536)
        if not data:
            self.gone = True
            return
        for event in self.h2.receive_data(data):
            stream = getattr(event, "stream_id", None)
            if isinstance(event, h2.events.ResponseReceived):
                fields = [(str(k), str(v)) for k, v in event.headers]
                self.answers[stream].status = int(dict(fields)[":status"])
                self.answers[stream].fields = fields
            elif isinstance(event, h2.events.DataReceived):
                self.answers[stream].body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                self.ended.add(stream)
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.gone = True
        self._flush()

    def read(self, stream):
        while stream not in self.ended and not self.gone:
            self._receive()
        return self.answers[stream]
