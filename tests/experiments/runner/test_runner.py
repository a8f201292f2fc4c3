"""The one engine, with an experiment that trains nothing."""

import json
import shutil
from dataclasses import dataclass, replace

import pytest

from keras_compat.errors import InputError
from keras_compat.experiments.runner import runner
from keras_compat.experiments.runner.runner import Experiment, Prepared, run
from keras_compat.experiments.runner.work_item import (
    RECORDS,
    Done,
    Execution,
    WorkItem,
    done_before,
)
from keras_compat.reporting.records import make_record
from keras_compat.training import NonFiniteLoss

pytestmark = pytest.mark.once
FIRST, SECOND = "first", "second"


@dataclass(frozen=True)
class Settings:
    rounds: int = 2
    restrict: bool = True
    seeds: int = 2

    def lasting(self):
        return {"image_size": 8, "restrict": self.restrict}


@dataclass(frozen=True)
class Item(WorkItem):
    kind: str
    seed: int

    @property
    def name(self):
        return f"{self.kind}_seed{self.seed}"

    @property
    def starts_from(self):
        return (f"{FIRST}_seed{self.seed}",) if self.kind == SECOND else ()

    @property
    def measures(self):
        return (RECORDS, "measured") if self.kind == SECOND else (RECORDS,)


def record_of(item, metric="accuracy"):
    return make_record(metric, 0.5, item=item.name, seed=item.seed)


class Toy:
    """An experiment that notes what it does, and does what a test asks for in place of an item."""

    def __init__(self):
        self.did, self.instead = [], {}
        kinds = {FIRST: self.work, SECOND: self.work}
        execution = Execution(kinds, self.settings, self.fingerprints, self.measure)
        self.images = "some"
        self.experiment = Experiment(
            name="toy",
            doing="Working",
            reading=lambda settings: "nothing",
            prepare=self.prepare,
            execution=execution,
            is_wanted=lambda settings, item: item.kind == SECOND,
            write_report=lambda metrics, folder: (folder / "report.md").write_text("written"),
            terminal_text=lambda metrics: f"{len(metrics['results'])} records",
            measuring=("restrict",),
            records=self.records,
        )

    def prepare(self, settings, terminal):
        items = [Item(kind, s) for s in range(settings.seeds) for kind in (FIRST, SECOND)]
        return Prepared(items, {"digits": {"sha256": self.images}})

    def settings(self, settings, item):
        return {"rounds": settings.rounds}

    def fingerprints(self, settings, item):
        return {"digits": {"sha256": self.images}}

    def work(self, settings, item, place, callbacks):
        for name in item.starts_from:
            done_before(place, name)
        self.did.append(item.name)
        if item.name in self.instead:
            raise self.instead[item.name]
        return Done({}, [record_of(item)])

    def measure(self, settings, item, folder, names):
        for name in names:
            self.did.append(f"{name} of {item.name}")
            yield name, [record_of(item, "own_accuracy")]

    def records(self, work):
        measured = [
            record
            for item in work.items
            for folder in [self.experiment.execution.folder(work.place / item.name)]
            if folder.has("measured")
            for record in folder.load_records("measured")
        ]
        return runner.records_of_items(work) + measured

    def __call__(self, place, settings=None, **options):
        self.did.clear()
        return run(self.experiment, settings or Settings(seeds=1), place, **options)


@pytest.fixture
def toy():
    return Toy()


@pytest.fixture
def place(tmp_path):
    return tmp_path / "run"


def unfinished(place):
    """The folder in which an unfinished run lies."""
    places = (place.with_name("run.partial"), place / "run.partial", place)
    return next(found for found in places if (found / "steps").is_dir())


def test_items_are_done_in_order_and_what_they_leave_is_gathered(toy, place, capsys):
    metrics = toy(place, Settings())
    assert toy.did == [
        "first_seed0",
        "second_seed0",
        "measured of second_seed0",
        "first_seed1",
        "second_seed1",
        "measured of second_seed1",
    ]
    assert len(metrics["results"]) == 6
    assert list(metrics["durations_s"]) == [
        f"{kind}_seed{s}" for s in (0, 1) for kind in (FIRST, SECOND)
    ]
    assert metrics["made_by"][0]["parts"] == list(metrics["durations_s"])
    assert metrics["data"] == {"digits": {"sha256": "some"}}
    assert (place / "report.md").read_text() == "written"
    assert "6 records" in capsys.readouterr().out


def test_an_interruption_says_what_is_kept_and_the_same_command_goes_on(toy, place, capsys):
    toy.instead["second_seed0"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt, match="^1 of 2 work items are finished and kept; the"):
        toy(place)
    toy.instead.clear()
    toy(place)
    assert toy.did == ["second_seed0", "measured of second_seed0"]
    assert "1 of 2 work items are finished already" in capsys.readouterr().out


def test_a_measure_that_was_not_taken_needs_no_new_training(toy, place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toy, "measure", None)
        execution = replace(toy.experiment.execution, measure=lambda *_: iter([][1]))
        patch.setattr(toy, "experiment", replace(toy.experiment, execution=execution))
        with pytest.raises(IndexError):
            toy(place)
    toy(place)
    assert toy.did == ["measured of second_seed0"]


def test_what_fails_is_told_at_the_end_and_tried_again_with_overwrite(toy, place):
    toy.instead["first_seed1"] = NonFiniteLoss("the loss is not finite")
    with pytest.raises(NonFiniteLoss, match="^without a result: first_seed1 .*; second_seed1 "):
        toy(place, Settings())
    results = json.loads((place / "metrics.json").read_text())["results"]
    failed = {r["step"]: r["message"] for r in results if r["metric"] == "failure"}
    assert failed["first_seed1"] == "the loss is not finite"
    assert failed["second_seed1"].startswith("what it starts from failed")
    assert {r["seed"] for r in results if r["metric"] == "accuracy"} == {0}
    toy.instead.clear()
    metrics = toy(place, Settings(), overwrite=True)
    assert toy.did == ["first_seed1", "second_seed1", "measured of second_seed1"]
    assert not [r for r in metrics["results"] if r["metric"] == "failure"]


def test_where_all_fail_there_is_no_report_and_the_same_command_tries_again(toy, place):
    toy.instead["first_seed0"] = NonFiniteLoss("the loss is not finite")
    for _ in range(2):
        with pytest.raises(NonFiniteLoss, match="without a result: .*; see "):
            toy(place)
        assert toy.did == ["first_seed0"]
        assert not (unfinished(place) / "report.md").exists()


def test_an_unfinished_run_of_other_settings_or_images_is_refused_and_kept(toy, place):
    toy.instead["second_seed0"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        toy(place)
    with pytest.raises(InputError, match="first_seed0 .* \\(rounds is 2 there, 3 here\\)"):
        toy(place, Settings(rounds=3, seeds=1))
    toy.images = "others"
    with pytest.raises(InputError, match="first_seed0 was trained on other images of digits"):
        toy(place)
    assert (unfinished(place) / "steps" / "first_seed0" / "records.json").exists()


def test_overwriting_keeps_items_that_fit_and_says_which_do_not(toy, place, capsys):
    toy(place)
    toy(place, Settings(seeds=2), overwrite=True)
    assert toy.did == ["first_seed1", "second_seed1", "measured of second_seed1"]
    toy(place, Settings(rounds=3, seeds=2), overwrite=True)
    assert len(toy.did) == 6
    assert "4 finished items are done again: " in capsys.readouterr().out


def test_overwriting_measures_again_what_is_measured_otherwise(toy, place):
    toy(place)
    toy(place, Settings(restrict=False, seeds=1), overwrite=True)
    assert toy.did == ["measured of second_seed0"]


def test_a_copy_of_a_finished_run_that_was_interrupted_is_made_again(toy, place, monkeypatch):
    toy(place)

    def stopped(source, copy, *_):
        (copy / "first_seed0").mkdir(parents=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runner, "copy_plain", stopped)
        with pytest.raises(KeyboardInterrupt):
            toy(place, overwrite=True)
    assert (place / "metrics.json").is_file()
    toy(place, overwrite=True)
    assert toy.did == []


def test_bad_input_leaves_a_finished_run_alone(toy, place, tmp_path):
    toy(place)
    before = (place / "metrics.json").read_bytes()
    with pytest.raises(InputError, match="holds a finished run"):
        toy(place)

    def refuse(settings, terminal):
        raise InputError("there is no such data set")

    toy.experiment = replace(toy.experiment, prepare=refuse)
    with pytest.raises(InputError, match="no such data set"):
        toy(place, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (place / "metrics.json").read_bytes() == before


def test_items_of_another_release_and_machine_say_so(toy, place):
    toy(place)
    file = place / "steps" / "first_seed0" / "networks" / "made_by.json"
    about = json.loads(file.read_text())
    file.write_text(json.dumps({**about, "versions": {"keras": "3.0.0"}}))
    metrics = toy(place, overwrite=True)
    assert [maker["parts"] for maker in metrics["made_by"]] == [["first_seed0"], ["second_seed0"]]


def test_two_items_of_one_name_and_no_jobs_are_refused(toy, place):
    with pytest.raises(InputError, match="jobs is 0"):
        toy(place, jobs=0)
    item = Item(FIRST, 0)
    toy.experiment = replace(toy.experiment, prepare=lambda *_: Prepared([item, item], {}))
    with pytest.raises(InputError, match="two work items would be named 'first_seed0'"):
        toy(place)


def test_damaged_items_are_done_again(toy, place):
    toy(place)
    (place / "metrics.json").unlink()
    shutil.move(place, place.with_name("run.partial"))
    (place.with_name("run.partial") / "steps/second_seed0/records.json").write_text("[")
    with pytest.warns(UserWarning, match="records.json is not what was written"):
        toy(place)
    assert toy.did == ["second_seed0", "measured of second_seed0"]
