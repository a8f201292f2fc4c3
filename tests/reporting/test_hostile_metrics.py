"""A `metrics.json` of a stranger becomes a report in its folder, or one line that says why not."""

from __future__ import annotations

import copy
import json
import random
import re
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from keras_compat.errors import InputError
from keras_compat.escaping import escape
from keras_compat.reporting import load_metrics, shown, write_metrics
from keras_compat.reporting.__main__ import main
from keras_compat.reporting.figures.style import drawable
from keras_compat.reporting.report import ReportWriter
from keras_compat.reporting.reports import REPORTS

pytestmark = pytest.mark.once

RESULTS = Path(__file__).parents[2] / "results"
FILES = {
    "classifier_transfer": "demo-digits.json",
    "compatibility_analysis": "demo-digits-mnist5k.json",
    "domain_adaptation": "demo-mnist5k-digits.json",
    "transfer_learning": "demo-mnist5k-digits.json",
}
NAMES = [
    "\x1b[31m",
    "\u202egnp.exe",
    "<script>alert(1)</script>",
    "two\nlines",
    "$\\frac{$",
    "../../victim",
    "/victim",
    "..\\victim",
    "caf\udce9",
    "猫",
    "",
    "_a_",
    "x" * 900,
    "x" * 10_000,
    "[a](http://b)|`*\\",
]
NUMBERS = [-1, 0, 1, 10**400, -(10**400), 1e308, 5e-324, float("nan"), float("inf"), True]
OTHERS = [None, [], {}, [1], {"a": 1}, [[[]]]]
KNOWN = ["average", "upper_bound", "rp", "failure", "accuracy", "chance", "moving", 3.5, 10**12]


def metrics_of(experiment, each):
    """A committed file with a few records of each kind."""
    metrics = json.loads((RESULTS / experiment / FILES[experiment]).read_text())
    kinds = {}
    for record in metrics["results"]:
        kind = tuple(record.get(key) for key in ("study", "metric", "method", "network", "signal"))
        kinds.setdefault(kind, []).append(record)
    metrics["results"] = [record for kind in kinds.values() for record in kind[:each]]
    return metrics


BASES = {experiment: metrics_of(experiment, each=2) for experiment in FILES}


def renamed(metrics, key, name):
    """The same with one name in the place of all that the records have for a key."""
    metrics = copy.deepcopy(metrics)
    for record in metrics["results"]:
        if key in record:
            record[key] = name
    return metrics


def mutated(metrics, rng):
    """Some values, keys or records made hostile, lost or doubled."""
    metrics = copy.deepcopy(metrics)
    hostile = rng.choice([NAMES, NUMBERS, OTHERS, KNOWN])
    records = metrics["results"]
    key = rng.choice(sorted({key for record in records for key in record}))
    chosen = records if rng.random() < 0.5 else [rng.choice(records)]
    kind = rng.randrange(8)
    if kind < 3:
        value = rng.choice(hostile)
        for record in chosen:
            if key in record:
                record[key] = value
    elif kind == 3:
        for record in chosen:
            record.pop(key, None)
    elif kind == 4:
        metric = rng.choice(records)["metric"]
        only = rng.random() < 0.5
        metrics["results"] = [r for r in records if (r["metric"] == metric) == only]
    elif kind == 5:
        metrics["results"] = rng.sample(records, rng.randrange(5))
    elif kind == 6:
        records.append({**rng.choice(records), key: rng.choice(hostile)})
    else:
        section = rng.choice(list(metrics))
        inside = metrics[section]
        while isinstance(inside, dict) and inside and rng.random() < 0.7:
            within, last = inside, rng.choice(list(inside))
            inside = within[last]
        if inside is metrics[section]:
            within, last = metrics, section
        if rng.random() < 0.3:
            del within[last]
        else:
            within[last] = rng.choice(hostile)
    return metrics


def check(folder, metrics, capsys):
    """Makes a report and looks for what must not be; returns whether it was written."""
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps(metrics))
    out = folder / "a/b/out"
    places = [f"--output_dir={out}", f"--merged={folder / 'merged.json'}"]
    code = main([str(folder / "metrics.json"), *places])
    said = capsys.readouterr().err
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    files -= {"metrics.json", "merged.json"}
    if code == 2:
        assert said.count("\n") == 1
        assert said[:-1].isprintable()
        assert not files
        assert not (folder / "merged.json").exists()
        return False
    assert code == 0
    assert said == ""
    assert all(name.startswith("a/b/out/") for name in files)
    text = (out / "report.md").read_text()
    assert all(line.isprintable() for line in text.split("\n"))
    assert "<" not in text
    load_metrics(folder / "merged.json")
    return True


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr(ReportWriter, "draw", lambda *_: [])


@pytest.mark.parametrize("experiment", FILES)
def test_any_file_becomes_a_report_or_one_line(experiment, no_pictures, tmp_path, capsys):
    rng = random.Random(0)
    written = [
        check(tmp_path / str(number), mutated(BASES[experiment], rng), capsys)
        for number in range(40)
    ]
    assert 3 < sum(written) < 37


@pytest.mark.parametrize("experiment", FILES)
def test_names_that_are_drawn_are_in_the_folder_and_in_the_report(experiment, tmp_path, capsys):
    keys = {"compatibility_analysis": "variant", "domain_adaptation": "layers"}
    key, name = keys.get(experiment, "dataset"), "$\\frac{$ <b>\x1b[0m\n" + "猫" * 300
    if experiment == "transfer_learning":
        key, name = "target", "_a_"
    metrics = renamed(metrics_of(experiment, each=1), key, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check(tmp_path / "run", metrics, capsys)
    out = tmp_path / "run/a/b/out"
    links = re.findall(r"\]\((figures/.*?)\)", (out / "report.md").read_text())
    drawn = [path.relative_to(out).as_posix() for path in out.rglob("*.png")]
    assert sorted(links) == sorted(drawn) != []


@pytest.mark.parametrize("name", ["../../victim", "/victim", "..\\victim", "a/b", "", "\x1b", 5])
@pytest.mark.parametrize("experiment", ["domain_adaptation", "transfer_learning"])
def test_names_that_could_be_paths_are_refused(experiment, name, tmp_path, capsys):
    for key in ("source", "target"):
        assert not check(tmp_path / key, renamed(BASES[experiment], key, name), capsys)


@pytest.mark.parametrize("experiment", FILES)
def test_pictures_of_a_run_on_any_names_stay_in_their_folder(experiment, tmp_path, monkeypatch):
    # Where a file lies does not depend on its content.
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **_: file.write(b"picture"))
    metrics = metrics_of(experiment, each=1)
    for record in metrics["results"]:
        for key in ("source", "target", "network", "extractor", "head"):
            if record.get(key) in ("digits", "mnist5k", "resnet"):
                record[key] = "../../" + record[key]
    # As an app does, whose records do not come from a file.
    paths = REPORTS[experiment].write(metrics, tmp_path / "a/b/out")
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(paths)
    assert all((tmp_path / "a/b/out") in path.resolve().parents for path in paths)
    assert len(paths) > 1


def test_what_a_report_does_not_know_is_said(no_pictures, tmp_path, capsys):
    unknown = {
        "classifier_transfer": "variant",
        "compatibility_analysis": "study",
        "domain_adaptation": "chosen_by",
        "transfer_learning": "method",
    }
    for experiment, key in unknown.items():
        metrics = copy.deepcopy(BASES[experiment])
        record = next(r for r in metrics["results"] if key in r)
        metrics["results"] += [{**record, key: "new"}, {"metric": "newer", "value": 1}]
        assert check(tmp_path / experiment, metrics, capsys)
        text = (tmp_path / experiment / "a/b/out/report.md").read_text()
        assert f"does not know them: {key} new, metric newer." in text
        assert "Not shown" not in REPORTS[experiment].markdown(BASES[experiment])


def test_a_report_that_cannot_be_drawn_leaves_what_was_there(tmp_path, monkeypatch):
    (tmp_path / "report.md").write_text("old")

    def fail(*_):
        raise InputError("no")

    monkeypatch.setattr(ReportWriter, "draw", fail)
    with pytest.raises(InputError):
        REPORTS["transfer_learning"].write(BASES["transfer_learning"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    assert (tmp_path / "report.md").read_text() == "old"


def test_a_folder_is_not_taken_for_a_report(tmp_path):
    (tmp_path / "report.md").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        REPORTS["classifier_transfer"].write(BASES["classifier_transfer"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]


def test_data_of_any_name_have_a_report(tmp_path):
    name = " ".join(NAMES)
    metrics = renamed(BASES["classifier_transfer"], "dataset", name)
    metrics["data"] = {name: {"class_names": NAMES}}
    metrics = write_metrics(tmp_path / "metrics.json", **metrics)
    report, *pictures = REPORTS["classifier_transfer"].write(metrics, tmp_path / "out")
    assert pictures
    assert "<" not in report.read_text()
    text = REPORTS["classifier_transfer"].terminal_text(metrics["results"])
    assert all(line.isprintable() for line in text.split("\n"))


@given(st.lists(st.text(max_size=8), min_size=2, max_size=5))
def test_gates_let_nothing_through_that_is_not_safe(names):
    records = [{"dataset": name, name: 1} for name in names]
    gates = {shown.for_terminal: "", shown.for_markdown: "<", shown.for_pictures: ""}
    for gate, unsafe in gates.items():
        for record in gate(lambda found: found)(records):
            for text in (*record, *(v for v in record.values() if isinstance(v, str))):
                assert escape(text) == text
                assert not set(text) & set(unsafe)


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=6, unique=True))
def test_pictures_have_names_of_their_own(pairs):
    records = [{"source": s, "target": t} for s, t in pairs]
    for gate in (shown.for_markdown, shown.for_pictures):
        seen = gate(lambda found: [(r["source"], r["target"]) for r in found])(records)
        names = shown.picture_names(seen)
        assert names == shown.picture_names(pairs)
        assert len({name.casefold() for name in names}) == len(names)
        assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name) for name in names)


def test_a_long_name_stays_another_when_it_is_cut():
    one, other = (drawable("x" * 100 + end) for end in "ab")
    assert one != other
    assert len(one) <= 60
