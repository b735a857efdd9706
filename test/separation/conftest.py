"""Separation: an instance made and started by root, looked at as every other user of the machine.

Counted as skipped where the tests do not run as root: without it there is one user only.
"""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib.story import Instance  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent
NO_ROOT_NEEDED = "test_units"


def pytest_collection_modifyitems(items):
    for item in items:
        if os.geteuid() != 0 and item.path.parent == FOLDER and item.path.stem != NO_ROOT_NEEDED:
            item.add_marker(pytest.mark.skip(reason="needs root: processes are separated by users"))


@pytest.fixture(scope="module")
def house():
    instance = Instance()
    try:
        instance.up()
        yield instance
    finally:
        instance.close()
