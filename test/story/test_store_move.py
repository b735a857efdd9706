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
        assert said.count("equal") == 2 and "DIFFERENT" not in said
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
