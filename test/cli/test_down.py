"""`tollgate down` and the rotation of logs signal this instance's own processes, whatever a file of pids says."""
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def stranger():
    """Starts a process that sleeps under a title; it is ended with the test."""
    started = []

    def one(title):
        started.append(subprocess.Popen(["bash", "-c", 'exec -a "$0" sleep 60', title]))
        comm = pathlib.Path(f"/proc/{started[-1].pid}/comm")
        end = time.monotonic() + 5
        while comm.read_text().strip() == "bash":
            assert time.monotonic() < end
            time.sleep(0.01)
        return started[-1]
    yield one
    for child in started:
        child.kill()
        child.wait()


def down(instance):
    return instance.run("down", str(instance.dir), place=False)


@pytest.mark.parametrize("title", ["nginx: master process nginx -c {}-two/nginx.conf", "nginx: master process nginx",
                                   "tail -f {}/log/access.json"])
def test_a_pid_that_another_process_has_got(make, stranger, title):
    """nginx was killed, and the machine gave its number away."""
    instance = make()
    other = stranger(title.format(instance.dir))
    (instance.dir / "run/nginx.pid").write_text(f"{other.pid}\n")
    assert "Nothing was running" in down(instance)
    assert other.poll() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs users of their own")
def test_a_pid_that_a_daemon_was_made_to_write(make, stranger):
    """Who has taken over a keeper cannot have root end another process."""
    instance = make()
    path, other = instance.dir / "run/keeper.pid", stranger("sleep")
    assert path.stat().st_uid != 0
    path.write_text(f"{other.pid}\n")
    with open(path, "r+", encoding="ascii") as handle:
        fcntl.lockf(handle, fcntl.LOCK_EX)
        assert "Nothing was running" in down(instance)
        assert other.poll() is None


@pytest.mark.parametrize("name", ["debian/tollgate.logrotate", "doc/logrotate.example"])
@pytest.mark.parametrize("comm", ["sleep", "tollgate"])
def test_logs_are_rotated_by_the_supervisor_alone(tmp_path, stranger, name, comm):
    """run/ outlives the machine's restart: the number in up.pid may be anybody's by then."""
    script = (ROOT / name).read_text().split("postrotate\n")[1].split("endscript")[0]
    shutil.copy(shutil.which("sleep"), tmp_path / comm)
    child = subprocess.Popen([tmp_path / comm, "60"])
    try:
        (tmp_path / "one/run").mkdir(parents=True)
        (tmp_path / "one/run/up.pid").write_text(f"{child.pid}\n")
        (tmp_path / "two/run").mkdir(parents=True)
        (tmp_path / "two/run/up.pid").write_text("")
        script = script.replace("/var/lib/tollgate/", f"{tmp_path}/").replace("/run/systemd/system", f"{tmp_path}/absent")
        subprocess.run(["sh", "-eu", "-c", script], check=True)
        if comm == "tollgate":
            assert child.wait(5) == -signal.SIGHUP
        else:
            time.sleep(0.2)
            assert child.poll() is None
    finally:
        child.kill()
        child.wait()
