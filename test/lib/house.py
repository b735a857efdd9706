"""What every instance needs: keys and certificates, free ports, processes that end by their id."""
import datetime
import functools
import hashlib
import os
import pathlib
import secrets
import signal
import ssl
import subprocess
import tempfile
import time
import zlib

from lib.ports import free_ports  # noqa: F401

BUILD = pathlib.Path(os.environ.get("TOLLGATE_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")).resolve()
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def base32(data):
    """RFC 4648 6, lower case, no padding."""
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return "".join(ALPHABET[int(bits[i:i + 5], 2)] for i in range(0, len(bits), 5))


def api_key(environment="test"):
    body = f"tgk_{environment}_" + base32(secrets.token_bytes(32))
    return body + base32(zlib.crc32(body.encode()).to_bytes(4, "big"))


def key_hash(key):
    return hashlib.sha256(key.encode()).hexdigest()


def _certificate(name, key, issuer, issuer_key, authority):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID
    import ipaddress

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.utcnow()
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=2))
               .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True))
    if not authority:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256())


@functools.lru_cache(maxsize=1)
def certificates():
    """A folder with ca.pem, ca.key, server.pem and server.key, made once a run."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tempfile.TemporaryDirectory(prefix="tollgate-tls-")
    path = pathlib.Path(folder.name)
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("gate tests", authority_key, None, None, True)
    server = _certificate("localhost", server_key, authority.subject, authority_key, False)
    pem = serialization.Encoding.PEM
    (path / "ca.pem").write_bytes(authority.public_bytes(pem))
    (path / "server.pem").write_bytes(server.public_bytes(pem))
    (path / "server.key").write_bytes(_key_bytes(server_key))
    (path / "ca.key").write_bytes(_key_bytes(authority_key))
    return folder


def tls_context(certificate=None):
    """Trusts our authority; shows the client certificate of this name (see client_certificate)."""
    context = ssl.create_default_context(cafile=os.path.join(certificates().name, "ca.pem"))
    if certificate:
        context.load_cert_chain(os.path.join(certificates().name, f"{certificate}.pem"))
    return context


def client_certificate(name, trusted=True):
    """Makes NAME.pem (certificate and key) under our authority, or under nobody's; its SHA-256 in hex."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    path = pathlib.Path(certificates().name)
    key = ec.generate_private_key(ec.SECP256R1())
    authority = x509.load_pem_x509_certificate((path / "ca.pem").read_bytes())
    authority_key = serialization.load_pem_private_key((path / "ca.key").read_bytes(), None)
    made = _certificate(name, key, authority.subject if trusted else None, authority_key if trusted else None, False)
    (path / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM) + _key_bytes(key))
    return made.fingerprint(hashes.SHA256()).hex()


def _key_bytes(key):
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


class Process:
    """A child with its log; ends by TERM, then by KILL, always by its own id."""

    def __init__(self, name, arguments, log, environment=None):
        self.name, self.log = name, pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen(list(map(str, arguments)), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          env=dict(os.environ, **(environment or {})))

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child.poll() is None

    def deliver(self, number):
        self.child.send_signal(number)

    def stop(self, number=signal.SIGTERM, seconds=10):
        if self.running():
            self.child.send_signal(signal.SIGCONT)
            self.child.send_signal(number)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(5)
                raise AssertionError(f"{self.name} did not end: {self.tail()}") from None
        return self.child.returncode

    def kill(self):
        self.child.kill()
        self.child.wait(5)

    def tail(self):
        return self.log.read_text(errors="replace")[-3000:]

    def wait_for(self, ready, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.running():
                raise AssertionError(f"{self.name} ended with {self.child.returncode}: {self.tail()}")
            if ready():
                return self
            time.sleep(0.01)
        raise AssertionError(f"{self.name} is not ready: {self.tail()}")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as listed:
        return [int(word) for word in listed.read().split()]
