"""Keeper tests: the real keeper and sealer, gates and operators spoken by hand."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from daemons import Daemons  # noqa: E402


@pytest.fixture(scope="module")
def keeper():
    """Shared by a file's tests, which must leave it serving."""
    daemons = Daemons()
    try:
        yield daemons
    finally:
        daemons.close()


@pytest.fixture
def alone():
    """One for a test that breaks it."""
    daemons = Daemons()
    try:
        yield daemons
    finally:
        daemons.close()
