"""`tollgate init` that goes wrong: it says why and what to do, and leaves no process behind."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from lib.story import BUILD, free_ports


@pytest.fixture
def folder():
    """Where the system users can reach it."""
    root = "/var/lib/tollgate" if os.geteuid() == 0 else tempfile.gettempdir()
    os.makedirs(root, exist_ok=True)
    made = pathlib.Path(tempfile.mkdtemp(prefix="story-", dir=root))
    os.chmod(made, 0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def line(*words):
    return [str(BUILD / "tollgate"), *map(str, words)]


def tollgate(*words):
    done = subprocess.run(line(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, check=False)
    return done.returncode, done.stderr.decode()


def connection(folder, port):
    path = folder / "connection"
    path.write_text(f"host=127.0.0.1 port={port} dbname=tollgate\n")
    return f"postgres:{path}"


def running(folder):
    """Command lines of processes that name the folder."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in text:
            found.append(text)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_told_to_stop_it_stops_what_it_started(folder, number):
    """The database takes the connection and says nothing: the keeper waits, and the sealer is up."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    address = folder / "instance"
    process = subprocess.Popen(line("init", address, "--store", connection(folder, listener.getsockname()[1])),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        with listener, listener.accept()[0]:
            assert len(running(address / "keys")) == 1  # the sealer
            process.send_signal(number)
            said = process.communicate(timeout=60)[1].decode()
    finally:
        process.kill()
    assert process.returncode == -number
    assert "told to stop" in said and "Remove it" in said, said
    assert running(address) == []


def test_an_ignored_signal_stays_ignored(folder):
    """As under nohup."""
    process = subprocess.Popen(line("init", folder / "instance"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    while process.poll() is None:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.001)
    assert process.returncode == 0 and (folder / "instance/tollgate.json").exists()


def test_a_database_that_is_not_there(folder):
    code, said = tollgate("init", folder / "instance", "--store", connection(folder, free_ports(1)[0]))
    assert code == 1 and "store: the PostgreSQL server cannot be reached" in said and "refused" in said, said
    assert running(folder / "instance") == []


def test_a_connection_file_that_is_not_there(folder):
    code, said = tollgate("init", folder / "instance", "--store", f"postgres:{folder}/nosuch")
    assert code == 1 and "cannot read" in said and "Remove it" not in said, said
    assert not (folder / "instance").exists()


@pytest.mark.parametrize("command", ["init", "up", "doctor"])
def test_a_part_of_an_instance(folder, command):
    """`up` must not send to `init`, which would send away again."""
    assert tollgate("init", folder / "instance")[0] == 0
    (folder / "instance/tollgate.json").unlink()
    code, said = tollgate(command, folder / "instance")
    assert code == 1 and "a part of an instance" in said and "from the backup" in said, said


def test_a_whole_one_is_not_overwritten(folder):
    assert tollgate("init", folder / "instance")[0] == 0
    code, said = tollgate("init", folder / "instance")
    assert code == 1 and "already holds an instance" in said, said


def test_a_daemon_that_cannot_start_is_quoted(folder):
    assert tollgate("init", folder / "instance", "--listen", f"127.0.0.1:{free_ports(1)[0]}")[0] == 0
    (folder / "instance/keys/master.key").unlink()
    code, said = tollgate("up", folder / "instance")
    assert code == 1 and "sealer ended while it was starting" in said and "master_key_not_opened: ENOENT" in said, said
