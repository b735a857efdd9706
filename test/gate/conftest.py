"""Gate tests: a stock nginx with the module before a scripted upstream.

Most share one instance a file, with the real keeper and sealer; the upstream
forgets between tests. `scripted` has a keeper that misbehaves on demand.
"""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib.instance import Instance  # noqa: E402


@pytest.fixture(scope="module")
def _gate():
    instance = Instance()
    try:
        yield instance
    finally:
        instance.close()


@pytest.fixture
def gate(_gate):
    _gate.upstream.clear()
    yield _gate
    _gate.upstream.clear()


@pytest.fixture(scope="module")
def _scripted():
    # Short waits: many of these tests wait until the gate gives up.
    instance = Instance(keeper="scripted", settings={"tollgate_admit_wait": "400ms", "tollgate_settle_wait": "1s"})
    try:
        yield instance
    finally:
        instance.close()


@pytest.fixture
def scripted(_scripted):
    _scripted.upstream.clear()
    _scripted.keeper.clear()
    yield _scripted
    _scripted.upstream.clear()
    _scripted.keeper.clear()


@pytest.fixture(scope="module")
def bench():
    """No process: a folder in which configurations are tested."""
    instance = Instance(keeper=None, start=False)
    try:
        yield instance
    finally:
        instance.close(check=False)
