"""A keeper on a server that speaks PostgreSQL's protocol and has not all of its functions."""
import pytest
from daemons import Daemons
from lib import postgres
from lib.frames import ALLOW, REPLAY

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason="PostgreSQL's programs are not installed")


def database_without(*functions):
    """A database of the shared server where these are not found under their names."""
    server = postgres.shared()
    name = server.create()
    for number, function in enumerate(functions):
        server.sql(f"ALTER FUNCTION pg_catalog.{function} RENAME TO away_{number}", name)
    return server, f"host={server.socket} port={server.port} user=tollgate dbname={name}"


def test_a_keeper_serves_without_what_it_does_not_need():
    server, connection = database_without("pg_total_relation_size(regclass)", "pg_try_advisory_lock(int4, int4)")
    daemons = Daemons(on_postgres=True, server=server, connection=connection)
    try:
        with daemons.link() as gate:
            request = bytes(range(16))
            allowed = gate.admit(*daemons.who, key="one", request_id=request)
            assert allowed.verdict == ALLOW
            assert gate.settle(request, allowed.ticket, answer=b"paid").reason == 0
            again = gate.admit(*daemons.who, key="one")
            assert again.verdict == REPLAY and again.answer == b"paid"
        assert daemons.do("status")["store"]["bytes"] is None
        assert "tollgate_keeper_store_bytes" not in daemons.do("metrics")["text"]
        log = (daemons.folder / "keeper.log").read_text()
        assert "size is not known" in log and "no advisory locks" in log
    finally:
        daemons.close()


def test_a_keeper_that_cannot_start_says_why(tmp_path):
    server, connection = database_without("length(bytea)")
    daemons = Daemons(on_postgres=True)
    try:
        daemons.stop_keeper()
        (daemons.folder / "store" / "connection").unlink()
        server.connection_file(daemons.folder / "store" / "connection", connection)
        with pytest.raises(AssertionError):
            daemons.start_keeper()
        log = (daemons.folder / "keeper.log").read_text()
        assert "SQLSTATE 42883" in log and "store_not_opened" in log
        daemons.keeper = None
    finally:
        daemons.close()
