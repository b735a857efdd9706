"""The systemd units say what they must, are taken by systemd's own checker, and agree with the daemons' options."""
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = {path.name.split(".", 1)[1]: path for path in (ROOT / "debian").glob("*.*@.*")}
DAEMONS = ["tollgate-sealer@.service", "tollgate-keeper@.service"]
ANALYZE = shutil.which("systemd-analyze")
# systemd's own measure of what a service could still do, in tenths: 0 nothing, 100 everything.
EXPOSURE_MAX = {"tollgate-sealer@.service": 10, "tollgate-keeper@.service": 10, "tollgate-gate@.service": 35}


def parse(name):
    """{section: {key: [values]}} of a unit file."""
    sections, section = {}, None
    for line in UNITS[name].read_text().splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
            continue
        key, value = line.split("=", 1)
        section.setdefault(key, []).append(value)
    return sections


def test_all_are_there():
    assert sorted(UNITS) == ["tollgate-gate@.service", "tollgate-keeper-admin@.socket", "tollgate-keeper-gate@.socket",
                             "tollgate-keeper@.service", "tollgate-sealer@.service", "tollgate-sealer@.socket"]


@pytest.mark.parametrize("name", sorted(EXPOSURE_MAX))
def test_hardening(name):
    service = parse(name)["Service"]
    for key, value in {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
                       "PrivateDevices": "yes", "ProtectKernelTunables": "yes", "ProtectControlGroups": "yes",
                       "ProtectKernelModules": "yes", "RestrictNamespaces": "yes", "RestrictSUIDSGID": "yes",
                       "MemoryDenyWriteExecute": "yes", "LockPersonality": "yes", "LimitCORE": "0",
                       "SystemCallArchitectures": "native"}.items():
        assert service.get(key) == [value], key
    assert service["SystemCallFilter"][0].startswith("@system-service")
    assert "/var/lib/tollgate/%i/" in " ".join(service["ReadWritePaths"])


@pytest.mark.parametrize("name", DAEMONS)
def test_daemons_have_no_rights_and_no_network(name):
    service = parse(name)["Service"]
    assert service["User"] == [name.split("@")[0]]
    assert service["CapabilityBoundingSet"] == [""] and service["AmbientCapabilities"] == [""]
    assert service["PrivateNetwork"] == ["yes"] and service["RestrictAddressFamilies"] == ["AF_UNIX"]
    other = "store" if "sealer" in name else "keys"
    assert f"-/var/lib/tollgate/%i/{other}" in service["InaccessiblePaths"][0]


@pytest.mark.parametrize("name,user", [("tollgate-sealer@.socket", "tollgate-keeper"),
                                       ("tollgate-keeper-gate@.socket", "www-data"),
                                       ("tollgate-keeper-admin@.socket", "root")])
def test_each_socket_is_its_peers(name, user):
    sock = parse(name)["Socket"]
    assert (sock["SocketUser"], sock["SocketMode"]) == ([user], ["0600"])


@pytest.mark.parametrize("name", DAEMONS)
def test_daemons_know_their_options(name):
    words = parse(name)["Service"]["ExecStart"][0].split()
    source = (ROOT / "src" / name.split("@")[0].split("-")[1] / "options.c").read_text()
    for word in words:
        if word.startswith("--"):
            assert f'"{word}"' in source, word
    sockets = {re.search(r"ListenStream=(\S+)", UNITS[unit].read_text())[1]
               for unit in UNITS if unit.endswith(".socket") and unit.startswith(name.split("@")[0])}
    assert sockets <= set(words)


@pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("name", sorted(EXPOSURE_MAX))
def test_exposure(name, tmp_path):
    shutil.copy(UNITS[name], tmp_path / name)
    done = subprocess.run([ANALYZE, "security", "--offline=yes", f"--threshold={EXPOSURE_MAX[name]}", tmp_path / name],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout.decode()[-2000:]


def test_the_example_for_postgres_follows_the_unit():
    """The keeper's line is the unit's own but for the store, and what it opens is said and nothing else."""
    example = [line for line in (ROOT / "doc/postgres-unit.example").read_text().splitlines() if line and line[0] != "#"]
    assert example[:2] == ["[Service]", "ExecStart="]
    line = parse("tollgate-keeper@.service")["Service"]["ExecStart"][0]
    assert example[2] == "ExecStart=" + line.replace("--store /var/lib/tollgate/%i/store ",
                                                     "--store-postgres-file /var/lib/tollgate/%i/store/connection ")
    assert [row.split("=")[0] for row in example[3:]] == ["PrivateNetwork", "RestrictAddressFamilies", "IPAddressAllow"]


@pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze here")
def test_systemd_takes_them(tmp_path):
    for name, path in UNITS.items():
        shutil.copy(path, tmp_path / name.replace("@.", "@tour."))
    (tmp_path / "tollgate-keeper@tour.service.d").mkdir()
    shutil.copy(ROOT / "doc/postgres-unit.example", tmp_path / "tollgate-keeper@tour.service.d/postgres.conf")
    done = subprocess.run([ANALYZE, "verify", "--man=no", "--recursive-errors=no", *sorted(path for path in tmp_path.glob("*") if path.is_file())],
                          env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:/lib/systemd/system", "PATH": "/usr/bin:/bin"},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    # The programs need not be installed where this runs; anything else is a fault.
    bad = [line for line in done.stdout.decode().splitlines() if "tollgate" in line and "is not executable" not in line]
    assert not bad, bad
