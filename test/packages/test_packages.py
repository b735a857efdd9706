"""The Debian packages: built, then installed, upgraded, used and purged in a bare root (tools/deb-test), and an
instance run by their units under a systemd of its own (tools/units-test).

Counted as skipped where a bare root cannot be made: without root, debootstrap or debhelper, or without an archive.
"""
import os
import pathlib
import shutil
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOUND_S = 900  # all together; an idle machine needs 150
NEEDED = ["debootstrap", "dh", "dpkg-buildpackage", "unshare"]
MISSING = [name for name in NEEDED if shutil.which(name) is None]

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
              pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")]


@pytest.fixture(scope="module")
def debs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deb")
    done = subprocess.run([ROOT / "tools/deb", folder], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=BOUND_S, check=False)
    assert done.returncode == 0, done.stdout.decode()[-3000:]
    return folder


def field(path, name):
    return subprocess.run(["dpkg-deb", "-f", path, name], stdout=subprocess.PIPE, check=True).stdout.decode().strip()


def test_what_they_need(debs):
    found = {field(path, "Package"): path for path in debs.glob("*.deb") if "dbgsym" not in path.name}
    assert sorted(found) == ["libnginx-mod-http-tollgate", "tollgate", "tollgate-keeper"]
    assert "nginx-abi-" in field(found["libnginx-mod-http-tollgate"], "Depends")
    keeper = field(found["tollgate-keeper"], "Depends")
    assert "adduser" in keeper and "libseccomp2" in keeper and "nginx" not in keeper
    assert "libsqlite3" in keeper and "libsqlite3" not in field(found["libnginx-mod-http-tollgate"], "Depends")


@pytest.mark.parametrize("program,steps", [("deb-test", 20), ("units-test", 18)])
def test_in_a_bare_root(debs, program, steps):
    begin = time.monotonic()
    done = subprocess.run([ROOT / "tools" / program, debs], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=BOUND_S, check=False)
    text = done.stdout.decode()
    if done.returncode == 77:
        pytest.skip(text.strip().splitlines()[-1])
    assert done.returncode == 0 and "FAIL" not in text, text
    assert text.count("\nok ") >= steps, text
    print(f"{time.monotonic() - begin:.0f} s")
