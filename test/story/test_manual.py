"""What is written about the program is what the program has: commands, options, directives, variables, reasons."""
import json
import pathlib
import re
import subprocess

import pytest
from lib.story import BUILD

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ROOT / "doc" / "man"


def said(*words):
    return subprocess.run([str(BUILD / "tollgate"), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=10, check=True).stdout.decode()


def page(name):
    """The text of a page as a reader sees it, blanks folded."""
    done = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=400", str(PAGES / name)], stdout=subprocess.PIPE,
                          check=True)
    text = re.sub(r".\x08", "", done.stdout.decode())
    return re.sub(r"\s+", " ", text)


def commands():
    return [line[2:28].strip() for line in said("help").splitlines() if re.match(r"  [a-z]", line)]


@pytest.mark.parametrize("name", commands())
def test_each_command_and_each_of_its_options_is_in_the_manual(name):
    text = page("tollgate.8")
    assert name in text
    options = re.findall(r"^  (--[a-z0-9.-]+)", said(*name.split(), "--help"), re.M)
    assert options
    missing = [option for option in options if option not in text]
    assert not missing, missing


@pytest.mark.parametrize("source,name", [("src/gate/conf.c", "tollgate-directives.5")])
def test_each_directive_is_in_the_manual(source, name):
    directives = set(re.findall(r'ngx_string\("(tollgate[a-z_]*)"\)', (ROOT / source).read_text()))
    text = page(name)
    assert len(directives) > 10
    assert not [one for one in directives if one not in text]


def test_each_variable_is_in_the_manual():
    variables = set(re.findall(r'ngx_string\("(tollgate_[a-z_]+)"\)', (ROOT / "src/gate/log.c").read_text()))
    text = page("tollgate-directives.5")
    assert len(variables) > 8
    assert not [one for one in variables if f"${one}" not in text]


@pytest.mark.parametrize("program,name", [("tollgate-keeper", "tollgate-keeper.8"), ("tollgate-sealer", "tollgate-sealer.8"),
                                          ("refpay", "refpay.1")])
def test_each_option_of_the_daemons_is_in_the_manual(program, name):
    text = page(name)
    assert program in text
    binary = (BUILD / program).read_bytes()
    done = subprocess.run([str(BUILD / program), "--help"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=10, check=False)
    options = set(re.findall(r"--[a-z][a-z-]+", done.stdout.decode())) - {"--help"}
    assert len(options) > 3 and binary
    assert not [one for one in options if one not in text]


def test_every_reason_is_explained_and_names_only_commands_that_exist():
    rows = json.loads(said("explain", "--all", "--json"))
    header = (ROOT / "src/core/policy/reason.h").read_text()
    codes = {int(code) for code in re.findall(r"TG_REASON_[A-Z0-9_]+ = (\d+)", header)}
    assert codes == {row["code"] for row in rows}
    known = commands()
    for row in rows:
        assert row["explanation"] and row["title"], row
        assert said("explain", str(row["code"])) == said("explain", row["name"])
        for words in re.findall(r"'tollgate ([^']*)'", row["explanation"]):
            name = max((one for one in known if (words + " ").startswith(one + " ")), key=len, default=None)
            assert name, f"{row['name']} sends the reader to 'tollgate {words}'"
            rest = words[len(name):].split()
            assert not rest or rest[0].startswith("-"), f"{row['name']} sends the reader to 'tollgate {words}'"
    assert "181" in said("explain", "outcome_unknown")


def test_what_the_profiles_may_say_is_in_the_manual():
    text = page("tollgate-profile.5")

    def names(value):
        for key, inner in value.items():
            yield key
            for one in inner if isinstance(inner, list) else [inner]:
                if isinstance(one, dict):
                    yield from names(one)
    for profile in (ROOT / "profiles").glob("*.json"):
        missing = [name for name in names(json.loads(profile.read_text())) if name not in text]
        assert not missing, (profile.name, missing)


@pytest.mark.parametrize("source,pattern", [
    ("src/store/event.c", r'put_(?!string)\w+\(out, "(\w+)"'), ("src/store/event.c", r'\{"(\w+)", "(?:refuse|allow|replay)"'),
    ("src/cli/templates/nginx.conf", r'"(\w+)":"?\$'), ("src/core/http/problem.c", r'member_put\(out, "(\w+)"'),
    ("src/cli/instance.c", r'json_object_get\(root, "(\w+)"'), ("src/cli/instance.c", r'text_take\(\w+, "(\w+)"'),
    ("src/store/event.c", r'\[TG_ROW_\w+\] = "(\w+)"')])
def test_each_member_of_what_is_written_is_in_the_manual(source, pattern):
    names = set(re.findall(pattern, (ROOT / source).read_text()))
    text = page("tollgate-files.5")
    assert names
    missing = [name for name in names if not re.search(rf"\b{name}\b", text)]
    assert not missing, missing
