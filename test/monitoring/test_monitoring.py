"""Alert rules, dashboard and runbook against the metrics that a running instance shows."""
import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib.story import Instance  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = yaml.safe_load((ROOT / "doc/monitoring/alerts.yml").read_text())["groups"][0]["rules"]
BOARD = json.loads((ROOT / "doc/monitoring/dashboard.json").read_text())
NAME = re.compile(r"\btollgate_[a-z_]+")
OWN_LABELS = {"instance", "job"}  # Prometheus adds these itself


@pytest.fixture(scope="module")
def page():
    """The status page after a tour: names, types and labels of everything that is there."""
    house = Instance()
    try:
        house.up()
        house.run("tour", str(house.dir), check=False, timeout=120)
        text = house.status_get("/tollgate/status")[1]
        reasons = {line.split()[1] for line in house.run("explain", "--all").splitlines() if line.split()[:1]}
        yield text, reasons
    finally:
        house.close()


def series(text):
    """{name: {label: set of values}}; histograms by the names of their series."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name = re.match(r"[a-z_]+", line)[0]
            labels = found.setdefault(name, {})
            for label, value in re.findall(r'(\w+)="([^"]*)"', line):
                labels.setdefault(label, set()).add(value)
    return found


def expressions():
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


@pytest.mark.parametrize("where,expr", list(expressions()), ids=lambda value: value if len(value) < 40 else "")
def test_only_metrics_that_exist(page, where, expr):
    text, reasons = page
    known = series(text)
    names = NAME.findall(expr)
    assert names or expr.startswith("up{"), where
    for name in names:
        assert name in known, f"{where}: {name}"
    for name, matchers in re.findall(r"(tollgate_[a-z_]+)\{([^}]*)\}", expr):
        for label, values in re.findall(r'(\w+)=~?"([^"]*)"', matchers):
            if label in OWN_LABELS:
                continue
            assert label in known[name], f"{where}: {name} has no label {label}"
            allowed = reasons if label == "reason" else known[name][label]
            assert set(values.split("|")) <= allowed, f"{where}: {values}"
    for labels in re.findall(r"by \(([^)]*)\)", expr):
        assert all(label.strip() in known[names[0]] for label in labels.split(",")), where
    # A rate is of a counter, a quantile of buckets.
    for function, name in re.findall(r"(rate|increase|resets)\((tollgate_[a-z_]+)", expr):
        kind = re.search(rf"^# TYPE {name.removesuffix('_bucket')} (\w+)$", text, re.M)
        assert kind and (kind[1] in ("counter", "histogram") or function == "resets"), f"{where}: {name}"


def test_the_page_is_well_formed(page):
    text, _ = page
    typed = set(re.findall(r"^# TYPE ([a-z_]+) (?:counter|gauge|histogram)$", text, re.M))
    for name in series(text):
        assert name in typed or re.sub(r"_(bucket|sum|count)$", "", name) in typed, name


def test_the_manual_has_each_metric_and_no_other(page):
    manual = (ROOT / "doc/man/tollgate-metrics.5").read_text()
    told = re.findall(r"^\.It Cm (tollgate_\w+) Ta ([CGH]) Ta \S", manual, re.M)
    kinds = {"counter": "C", "gauge": "G", "histogram": "H"}
    there = re.findall(r"^# TYPE (\w+) (\w+)$", page[0], re.M)
    assert len(told) == len(set(told)) > 40
    assert dict(told) == {name: kinds[kind] for name, kind in there}
    # A label that a series has is named in its row; code and reason appear when something was refused, as in the tour.
    for name, labels in series(page[0]).items():
        row = re.search(rf"^\.It Cm {re.sub(r'_(bucket|sum|count)$', '', name)} Ta . Ta (.*)$", manual, re.M)
        assert not [label for label in labels if label != "le" and not re.search(rf"\b{label}\b", row[1])], name


def test_each_alert_has_its_page():
    runbook = (ROOT / "doc/runbook.md").read_text()
    titles = re.findall(r"^### (\w+)$", runbook, re.M)
    assert titles == [rule["alert"] for rule in RULES]
    for rule in RULES:
        assert rule["annotations"]["runbook"] == f"doc/runbook.md#{rule['alert'].lower()}"
        assert rule["annotations"]["summary"] and rule["labels"]["severity"] in ("critical", "warning", "info")
        part = runbook.split(f"### {rule['alert']}\n", 1)[1].split("\n### ", 1)[0]
        assert "\nLook: " in part and "\nDo: " in part


def test_the_runbook_names_commands_that_exist(page):
    source = (ROOT / "src/cli/command.c").read_text()
    commands = set(re.findall(r'^    \{"([a-z ]+)", "', source, re.M))
    for words in re.findall(r"`tollgate ([a-z]+(?: [a-z]+)*)", (ROOT / "doc/runbook.md").read_text()):
        if words in ("on", "observe"):
            continue  # nginx's directive
        assert any(words == c or words.startswith(c + " ") or c.startswith(words + " ") for c in commands), words


def test_the_runbook_names_events_that_are_logged():
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.c") if "_test" not in path.name)
    named = re.findall(r"`([a-z]+(?:_[a-z]+)*_(?:opened|failed|refused|foreign))`", (ROOT / "doc/runbook.md").read_text())
    assert len(named) >= 6
    for name in named:
        assert f'"{name}"' in source, name


def test_the_dashboard_is_one():
    assert BOARD["title"] == "Tollgate" and BOARD["schemaVersion"] >= 36
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids) >= 12
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]]
    assert len(set(places)) == len(places)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here")
def test_prometheus_takes_the_rules():
    done = subprocess.run(["promtool", "check", "rules", ROOT / "doc/monitoring/alerts.yml"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout.decode()
