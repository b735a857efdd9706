"""What the packages are made of, read from the tree: the lists of `make deb`, and that no page is left at home."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def listed(name):
    return {line.split("#")[0].strip() for line in (ROOT / "packages" / name).read_text().splitlines()} - {""}


def test_make_deb_installs_what_dpkg_asks_for():
    control = (ROOT / "debian/control").read_text()
    wanted = re.search(r"^Build-Depends: (.*(?:\n .*)*)", control, re.M)[1]
    names = {re.sub(r"\(.*?\)", "", word).strip() for word in wanted.split(",")}
    # dpkg-checkbuilddeps asks for build-essential unasked; debhelper-compat is debhelper's other name.
    names = {name.replace("debhelper-compat", "debhelper") for name in names} | {"build-essential"}
    assert len(names) > 8 and names <= listed("run.txt") | listed("deb.txt"), names


def test_every_manual_page_is_in_a_package():
    shipped = [line for path in (ROOT / "debian").glob("*.manpages") for line in path.read_text().split()]
    assert sorted(shipped) == sorted(f"doc/man/{path.name}" for path in (ROOT / "doc/man").iterdir())
