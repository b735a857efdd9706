"""Tests of the operator's program on instances of their own."""
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib.story import Instance  # noqa: E402


def end(instance):
    """Stops and removes one that a test has broken; it is not asked how it looks."""
    try:
        instance.down()
        instance.run("down", str(instance.dir), check=False, place=False)
    finally:
        shutil.rmtree(instance.folder, ignore_errors=True)


@pytest.fixture
def make():
    """Makes instances; all are ended with the test."""
    made = []

    def one(*options, up=False, **more):
        instance = Instance(*options, **more)
        made.append(instance)
        return instance.up() if up else instance
    yield one
    for instance in made:
        end(instance)
