"""An instance moves from its folder to a PostgreSQL server: the record, claims, answers and limits come along."""
import json
import os
import shutil
import subprocess
import uuid

import pytest

from lib import postgres
from lib.story import BUILD, Instance

pytestmark = pytest.mark.skipif(postgres.programs() is None or postgres.wanted(),
                                reason="begins on the embedded store, and needs PostgreSQL's programs")


# What verify counts; how it is made another on the server, and back.
KINDS = {
    "events": ("UPDATE tollgate_state SET next_event = next_event + 1",
               "UPDATE tollgate_state SET next_event = next_event - 1"),
    "claims": ("UPDATE tollgate_settlement SET upstream_status = upstream_status + 1",
               "UPDATE tollgate_settlement SET upstream_status = upstream_status - 1"),
    "partners": ("UPDATE tollgate_partner SET name = name || 'x'",
                 "UPDATE tollgate_partner SET name = substr(name, 1, length(name) - 1)"),
    "keys": ("UPDATE tollgate_credential SET expires_us = expires_us + 1",
             "UPDATE tollgate_credential SET expires_us = expires_us - 1"),
    "limits": ("UPDATE tollgate_payment_limit SET day_minor_max = day_minor_max + 1",
               "UPDATE tollgate_payment_limit SET day_minor_max = day_minor_max - 1"),
    "certificates": ("INSERT INTO tollgate_certificate SELECT id, sha256('x'), 1 FROM tollgate_partner",
                     "DELETE FROM tollgate_certificate WHERE sha256 = sha256('x')"),
    "routes": ("UPDATE tollgate_route SET sealed = sealed || 'x'",
               "UPDATE tollgate_route SET sealed = substr(sealed, 1, length(sealed) - 1)"),
    "sealers": ("UPDATE tollgate_sealer SET public_key = set_byte(public_key, 0, 255 - get_byte(public_key, 0))",) * 2,
    "counters": ("UPDATE tollgate_counter SET committed = committed + 1",
                 "UPDATE tollgate_counter SET committed = committed - 1"),
    "segments": ("UPDATE tollgate_segment SET answers_end_us = answers_end_us + 1",
                 "UPDATE tollgate_segment SET answers_end_us = answers_end_us - 1"),
}


def spoil(house, connection):
    """Each kind in turn is another on the server: verify says which, and ends so."""
    server = postgres.shared()
    database = connection.read_text().split("dbname=")[1].strip()
    for kind, (change, back) in KINDS.items():
        server.sql(change, database)
        out = house.run("store", "verify", "--to", f"postgres:{connection}", check=False)
        server.sql(back, database)
        different = [line.split(":")[0] for line in out.stdout.decode().splitlines() if "DIFFERENT" in line]
        assert different == [kind] and out.returncode == 1, (kind, out)


def test_a_store_moves(tmp_path):
    house = Instance().up()
    try:
        keys = [uuid.uuid4().hex for _ in range(12)]
        paid = [house.pay(1000 + i, key) for i, key in enumerate(keys)]
        assert {answer.status for answer in paid} == {201}
        events = house.events()
        house.down()
        connection = postgres.shared().connection_file(tmp_path / "connection")
        said = house.run("store", "copy", "--to", f"postgres:{connection}")
        assert "copied" in said and "copy: done" in said
        assert house.run("store", "copy", "--to", f"postgres:{connection}", check=False).returncode == 1
        said = house.run("store", "verify", "--to", f"postgres:{connection}")
        assert said.count("equal") == len(KINDS) and "DIFFERENT" not in said
        assert "events read in the folder" in said and "claims read on the server" in said
        spoil(house, connection)
        assert oct((house.dir / "store" / "connection").stat().st_mode & 0o777) == "0o600"
        # A store that has gone on elsewhere would let each key pass again: the folder is not served from any more.
        refused = subprocess.run([str(BUILD / "tollgate"), "up", str(house.dir), "--detach"], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        assert refused.returncode == 1
        assert "was copied to a server" in (house.dir / "log/keeper.log").read_text()
        configuration = json.loads((house.dir / "tollgate.json").read_text())
        configuration["store"] = "postgres"
        (house.dir / "tollgate.json").write_text(json.dumps(configuration))
        aside = house.folder / "store-before"
        aside.mkdir(mode=0o700)
        for name in ("tollgate.sqlite", "segments"):
            shutil.move(house.dir / "store" / name, aside / name)
        assert "migrate: done" in house.run("store", "migrate")
        house.up()
        for i, (key, first) in enumerate(zip(keys, paid)):
            again = house.pay(1000 + i, key)
            assert (again.status, again.body) == (first.status, first.body)
        assert len(house.payments()) == len(keys)
        assert house.pay(5000).status == 201
        assert house.events()[: len(events)] == events
        assert os.path.isdir(aside / "segments")
    finally:
        house.close()
