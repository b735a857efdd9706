"""Stories share one instance a file; each ends with the search for secrets."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib.story import Instance  # noqa: E402


@pytest.fixture(scope="module")
def house():
    instance = Instance()
    try:
        instance.up()
        yield instance
    finally:
        instance.close()
