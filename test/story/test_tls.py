"""The line: TLS 1.3 unless chosen otherwise, nothing said about the server, certificates bound to a partner."""
import http.client
import socket
import ssl
import subprocess
import time

import pytest
from cryptography import x509


def context(house, version=None, certificate=None):
    made = ssl.create_default_context(cafile=str(house.dir / "client" / "ca.pem"))
    if version is not None:
        made.minimum_version = made.maximum_version = version
    if certificate is not None:
        made.load_cert_chain(*certificate)
    return made


def shake(house, made):
    with socket.create_connection(("127.0.0.1", house.port), 5) as plain, \
            made.wrap_socket(plain, server_hostname="localhost") as line:
        return line.version(), line.cipher()[0]


def test_tls_1_3_only(house):
    assert shake(house, context(house, ssl.TLSVersion.TLSv1_3))[0] == "TLSv1.3"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shake(house, context(house, ssl.TLSVersion.TLSv1_2))


def test_tls_1_2_by_choice_has_forward_secrecy(house):
    text = (house.dir / "nginx.conf").read_text()
    chosen = text.replace("#   ssl_protocols TLSv1.2 TLSv1.3;", "    ssl_protocols TLSv1.2 TLSv1.3;")
    chosen = chosen.replace("    ssl_protocols TLSv1.3;\n", "", 1).replace("#   ssl_ciphers", "    ssl_ciphers")
    assert chosen.count("ssl_protocols") == 1, "what the file offers has changed"
    try:
        (house.dir / "nginx.conf").write_text(chosen)
        house.run("reload", house.dir)
        end = time.monotonic() + 5
        while True:
            try:
                version, cipher = shake(house, context(house, ssl.TLSVersion.TLSv1_2))
                break
            except (ssl.SSLError, ConnectionError):
                assert time.monotonic() < end
                time.sleep(0.1)
        assert version == "TLSv1.2" and cipher.startswith("ECDHE-") and ("GCM" in cipher or "CHACHA20" in cipher)
        weak = context(house, ssl.TLSVersion.TLSv1_2)
        weak.set_ciphers("AES128-SHA:AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            shake(house, weak)
    finally:
        (house.dir / "nginx.conf").write_text(text)
        house.run("reload", house.dir)


def test_answers_do_not_say_which_server(house):
    for answer in (house.pay(), house.call("GET", "/v1/payments"), house.call("GET", "/nowhere", key=house.keys())):
        assert answer.fields["Server"] in (None, "nginx")
        assert b"nginx/" not in answer.body


def issue(house, name, authority=True):
    """A client certificate by the instance's own authority, or one that nobody knows."""
    key, request, made = (house.folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
    run = lambda *words: subprocess.run(["openssl", *map(str, words)], check=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
        "-subj", f"/CN={name}")
    if authority:
        run("x509", "-req", "-in", request, "-CA", house.dir / "tls/ca.pem", "-CAkey", house.dir / "tls/ca.key",
            "-CAcreateserial", "-CAserial", house.folder / "serial", "-days", "2", "-out", made)
    else:
        run("x509", "-req", "-in", request, "-signkey", key, "-days", "2", "-out", made)
    return made, key


def pay_with(house, key, certificate):
    line = http.client.HTTPSConnection("localhost", house.port, timeout=10, context=context(house, None, certificate))
    try:
        return house.pay(key=key, connection=line)
    finally:
        line.close()


def test_a_bound_partner_needs_its_certificate(house):
    house.run("partner", "add", "bound-shop")
    house.run("partner", "limit", "set", "bound-shop", "--environment", "test", "--currency", "EUR", "--payment-max", 5000)
    key = house.key_create("bound-shop", ["*"])
    own, other, stranger = issue(house, "own"), issue(house, "other"), issue(house, "stranger", False)
    assert pay_with(house, key, None).status == 201
    house.run("partner", "certificate", "add", "--partner", "bound-shop", "--file", own[0])
    time.sleep(1.1)  # what the gate remembers of a key
    refused = pay_with(house, key, None)
    assert (refused.status, refused.reason) == (401, "certificate_mismatch")
    assert pay_with(house, key, other).reason == "certificate_mismatch"
    assert pay_with(house, key, own).status == 201
    assert pay_with(house, key, stranger).status in (400, 401)
    assert pay_with(house, house.keys(), other).status == 201, "the tour's partner has none bound"


def test_the_server_certificate_names_a_revocation_list_that_is_served(house):
    certificate = x509.load_pem_x509_certificate((house.dir / "tls/server.pem").read_bytes())
    point = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0].full_name[0].value
    assert point == f"http://127.0.0.1:{house.status_port}/tollgate/crl"
    client = http.client.HTTPConnection("127.0.0.1", house.status_port, timeout=5)
    client.request("GET", "/tollgate/crl")
    answer = client.getresponse()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/pkix-crl")
    authority = x509.load_pem_x509_certificate((house.dir / "client/ca.pem").read_bytes())
    assert x509.load_der_x509_crl(answer.read()).is_signature_valid(authority.public_key())
    client.close()
