"""A store belongs to the sealer that it was begun with: under other keys claims would have other names, and be taken again."""
import os
import shutil

from daemons import Daemons
from lib.frames import ALLOW, REPLAY, wait_until

SEALER_UNAVAILABLE = 203


def exchange_keys(daemons, keys):
    """The sealer goes on with the keys of another folder; the first one's stand in keys.first."""
    daemons.sealer.stop()
    os.rename(daemons.folder / "keys", daemons.folder / "keys.first")
    keys(daemons.folder / "keys")
    daemons.start_sealer()


def make_keys(daemons):
    def make(folder):
        folder.mkdir(mode=0o700)
        daemons.make_keys()
    return make


def is_foreign(daemons):
    sealer = daemons.do("status")["sealer"]
    return not sealer["up"] and sealer.get("foreign") is True


def test_another_sealer_is_not_asked(alone):
    with alone.link() as gate:
        request = bytes(range(16))
        allowed = gate.admit(*alone.who, key="once", request_id=request)
        assert allowed.verdict == ALLOW
        assert gate.settle(request, allowed.ticket, answer=b"charged").reason == 0
    exchange_keys(alone, make_keys(alone))
    wait_until(lambda: is_foreign(alone))
    with alone.link() as gate:
        assert gate.admit(*alone.who, key="once").reason == SEALER_UNAVAILABLE
    assert alone.operator.fails("route.set", route="main", credential="Bearer x") == "sealer_unavailable"
    alone.stop_keeper()  # a start reads it from the store
    alone.start_keeper()
    wait_until(lambda: is_foreign(alone))
    with alone.link() as gate:
        assert gate.admit(*alone.who, key="once").reason == SEALER_UNAVAILABLE
    assert "sealer_foreign" in (alone.folder / "keeper.log").read_text()
    alone.sealer.stop()
    shutil.rmtree(alone.folder / "keys")
    os.rename(alone.folder / "keys.first", alone.folder / "keys")
    alone.start_sealer()
    alone.wait_sealer()
    with alone.link() as gate:
        again = gate.admit(*alone.who, key="once")
        assert again.verdict == REPLAY and again.answer == b"charged"


def test_the_same_keys_in_another_folder_are_the_same_sealer():
    daemons = Daemons()
    try:
        exchange_keys(daemons, lambda folder: shutil.copytree(daemons.folder / "keys.first", folder))
        daemons.wait_sealer()
        with daemons.link() as gate:
            assert gate.admit(*daemons.who, key="first").verdict == ALLOW
    finally:
        shutil.rmtree(daemons.folder / "keys.first", ignore_errors=True)
        daemons.close()
