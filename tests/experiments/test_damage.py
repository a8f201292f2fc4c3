"""What an earlier run left and was damaged since is found before any training, and done again."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from importlib import import_module

import pytest

from keras_compat import networks
from keras_compat.errors import InputError
from keras_compat.experiments.compatibility_analysis.execute import CellFolder, left_by
from keras_compat.experiments.compatibility_analysis.training import Network
from keras_compat.experiments.runner.item_folder import MADE_BY, NETWORKS, ItemFolder
from keras_compat.experiments.runner.run_folder import MEASURED, WRITTEN, RunFolder
from keras_compat.experiments.runner.runner import run as run_experiment
from keras_compat.experiments.settings import Resuming
from keras_compat.reporting.finished import CONFIG
from keras_compat.studies.cells import Cell
from tests.apps.small_runs import few_steps
from tests.experiments.damage import DAMAGES, damaged_copy, files_of, full_disk
from tests.experiments.two_sets import ANIMALS, THINGS, write_set

pytestmark = pytest.mark.usefixtures("eager")
ARCHITECTURE = "resnet8:filters=4@stage2"
RECORDS = [{"metric": "accuracy", "seed": 0, "value": 0.5}]


# Of a step, without training --------------------------------------------------------------------


def parts():
    extractor = networks.build_extractor(ARCHITECTURE, (8, 8, 1), seed=0)
    channels = extractor.output_shape[-1]
    return extractor, networks.build_head(
        ARCHITECTURE, input_channels=channels, classes=2, seed=0, name="head"
    )


@pytest.fixture(scope="module")
def step(tmp_path_factory):
    folder = ItemFolder(tmp_path_factory.mktemp("steps") / "step")
    folder.save_records("records", RECORDS)
    extractor, head = parts()
    models = {"extractor": extractor, "head": head}
    folder.save_models(models, 1.0, {"rounds": 2}, {"digits": {"sha256": "0"}}, ["records"])
    return folder.path


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    extractor, head = parts()
    folder = CellFolder(tmp_path_factory.mktemp("cells") / Cell("rp", 0).name)
    networks = {name: Network(extractor, head, {"rotation": head}) for name in ("a", "b")}
    left = left_by(Cell("rp", 0), networks)
    folder.save_models(left.models, 1.0, {"rounds": 2}, {"a": {"sha256": "0"}}, **left.about)
    folder.save_records("matrix", RECORDS)
    return folder.path


def is_done(folder, measure):
    return folder.made_by() is not None and folder.has(measure)


FILES = ["records.json", *(f"{NETWORKS}/{n}" for n in (MADE_BY, "extractor.keras", "head.keras"))]


FILES_OF_CELL = ["matrix.json", f"{NETWORKS}/{MADE_BY}", f"{NETWORKS}/b_head.keras"]


@pytest.mark.once
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_step_is_as_if_it_had_not_been_done(step, tmp_path, name, damage):
    folder = ItemFolder(damaged_copy(step, tmp_path / "step", name, damage))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        folder.set_aside_damaged(["records"])
    assert not is_done(folder, "records")
    if (name, damage) != ("records.json", "gone"):
        assert any(str(folder.path) in str(w.message) for w in told)
    assert all("\n" not in str(w.message) for w in told)
    assert all(len(str(w.message)) < 1000 for w in told)
    # It can be done again, and is whole then.
    folder.save_records("records", RECORDS)
    folder.save_models({}, 1.0, {}, {}, ["records"])
    folder.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folder.set_aside_damaged(["records"])
    assert is_done(folder, "records")
    assert sorted(p.name for p in folder.path.iterdir()) == [NETWORKS, "records.json"]


@pytest.mark.once
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES_OF_CELL)
def test_a_damaged_cell_is_as_if_it_had_not_been_done(cell, tmp_path, name, damage):
    folder = CellFolder(damaged_copy(cell, tmp_path / cell.name, name, damage))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder.set_aside_damaged(["matrix"])
    assert not is_done(folder, "matrix")
    # What was measured on networks that are whole is no reason to train them again.
    assert (folder.made_by() is None) == (name != "matrix.json")


@pytest.mark.once
@pytest.mark.parametrize(
    "change",
    [
        {"cell": 5},
        {"networks": ["a"]},
        {"networks": ["a", "other"]},
        {"networks": ["a", "a", "b"]},
        {"auxiliary_heads": {"a": {"rotation": "other"}}},
    ],
    ids=str,
)
def test_a_cell_that_names_what_it_has_not_is_as_if_it_had_not_been_done(cell, tmp_path, change):
    copy = shutil.copytree(cell, tmp_path / cell.name)
    file = copy / NETWORKS / MADE_BY
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    folder = CellFolder(copy)
    with pytest.warns(UserWarning, match=MADE_BY):
        folder.set_aside_damaged(["matrix"])
    assert folder.made_by() is None and not folder.has("matrix")


@pytest.mark.once
@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("duration_s", "1"),
        ("duration_s", -1),
        ("duration_s", float("inf")),
        ("settings", []),
        ("data", {"digits": 5}),
        ("versions", None),
        ("hardware", "a machine"),
        ("files", {"networks/extractor.keras": 5}),
    ],
)
def test_what_made_a_step_has_a_form(step, tmp_path, place, value):
    file = tmp_path / "step" / NETWORKS / MADE_BY
    folder = ItemFolder(damaged_copy(step, tmp_path / "step", f"{NETWORKS}/{MADE_BY}", "empty"))
    about = json.loads((step / NETWORKS / MADE_BY).read_text())
    file.write_text(json.dumps({**about, place: value}))
    with pytest.warns(UserWarning, match=f"{place}.*set aside in .*damaged"):
        folder.set_aside_damaged(["records"])
    assert folder.made_by() is None
    assert (folder.path / "damaged" / NETWORKS / "extractor.keras").exists()


@pytest.mark.once
def test_a_step_of_an_earlier_release_is_looked_at_by_loading_its_models(step, tmp_path):
    folder = ItemFolder(damaged_copy(step, tmp_path / "step", "records.json", "gone"))
    file = folder.path / NETWORKS / MADE_BY
    about = json.loads(file.read_text())
    del about["files"]
    file.write_text(json.dumps(about))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folder.set_aside_damaged(["records"])
    assert folder.made_by() is not None
    DAMAGES["flipped"](folder.path / NETWORKS / "head.keras")
    with pytest.warns(UserWarning, match="head.keras.* is set aside"):
        folder.set_aside_damaged(["records"])


@pytest.mark.once
@pytest.mark.parametrize("damage", [d for d in DAMAGES if d not in ("gone", "empty")])
def test_a_run_whose_settings_are_damaged_says_what_to_do(tmp_path, damage):
    folder = RunFolder(tmp_path / "run", {"seed": 0})
    (folder.partial / "steps").mkdir()
    folder.release()
    DAMAGES[damage](folder.partial / CONFIG)
    with pytest.raises(
        InputError, match="damaged.*--output_dir.*--overwrite|another config"
    ) as said:
        RunFolder(tmp_path / "run", {"seed": 0}, kept=["steps"])
    assert len(str(said.value)) < 1000
    assert (folder.partial / "steps").exists()
    again = RunFolder(tmp_path / "run", {"seed": 0}, overwrite=True)
    assert not (again.partial / "steps").exists()


@pytest.mark.once
def test_a_link_in_the_place_of_the_lock_reaches_no_other_file(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    folder = RunFolder(tmp_path / "run", {"seed": 0})
    folder.release()
    lock = folder.partial / ".keras_compat.lock"
    lock.unlink()
    lock.symlink_to(tmp_path / "thesis.tex")
    with pytest.raises(InputError, match="cannot be written"):
        RunFolder(tmp_path / "run", {"seed": 0})
    assert (tmp_path / "thesis.tex").read_text() == "mine"


# Of whole runs ----------------------------------------------------------------------------------

ALONE = ["--extractors=a=resnet8:filters=4@stage2", "--upper_bounds=none"]
CHANGES = {
    "classifier_transfer": [*ALONE, "--auxiliaries=none", "--maintain=extractor"],
    "domain_adaptation": ["--no-both"],
}


def settings_of(app, folder):
    """Returns the settings of a run of an app that takes seconds."""
    animals = write_set(folder / "animals.npz", ANIMALS, images=(48, 60))
    things = write_set(folder / "things.npz", THINGS, images=(48, 60), seed=1)
    command = import_module(f"apps.{app}").run
    flags = few_steps(app, animals, things, *CHANGES.get(app, ()))
    return command.configure(command.make_parser().parse_args(flags))


# Of the others making the programs takes longer.
QUICK = ("classifier_transfer", "domain_adaptation")
APPS = (*QUICK, "compatibility_analysis", "transfer_learning")
SOME = [pytest.param(app, marks=[] if app in QUICK else pytest.mark.slow) for app in APPS]


class Broken(Exception):
    """What a report may raise for names that nobody thought of."""


def run(app, config, place, report, **options):
    """Runs an app with another function in the place of its report."""
    experiment = import_module(f"keras_compat.experiments.{app}.experiment").EXPERIMENT
    experiment = replace(experiment, write_report=report)
    resuming = Resuming(checkpoint_seconds=1e-6)
    return run_experiment(experiment, config, place, resuming=resuming, **options)


def broken(*_):
    raise Broken("Expected end of text, found '$'\n at char 0")


def figures(metrics):
    measured = [r for r in metrics["results"] if not r["metric"].endswith(("_seconds", "_gib"))]
    return sorted(measured, key=lambda record: json.dumps(record, sort_keys=True))


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """What a run of each app left whose report could not be written, and what it measured."""
    found = {}

    def make(app):
        if app not in found:
            folder = tmp_path_factory.mktemp(app)
            config = settings_of(app, folder)
            with pytest.raises(InputError) as ended:
                run(app, config, folder / "run", broken)
            metrics = json.loads((folder / "run" / MEASURED).read_text())
            found[app] = (config, folder / "run", metrics, str(ended.value))
        return found[app]

    return make


@pytest.mark.parametrize("app", SOME)
def test_a_report_that_cannot_be_written_is_one_line_and_loses_nothing(left, app, tmp_path):
    config, partial, metrics, said = left(app)
    assert said.startswith("the report cannot be written (Broken: Expected end of text")
    assert str(partial) in said and "\n" not in said
    shutil.copytree(partial, tmp_path / "run")
    with pytest.MonkeyPatch.context() as patch:
        # Nothing is trained again.
        patch.setattr("keras_compat.training.Trainer.fit", broken)
        again = run(app, config, tmp_path / "run", lambda *_: None)
    assert figures(again) == figures(metrics)
    assert not list((tmp_path / "run").rglob("checkpoints"))


@pytest.mark.parametrize("app", APPS)
def test_a_full_disk_at_the_begin_is_found_out_before_data_are_read(app, tmp_path):
    demo = import_module(f"keras_compat.experiments.{app}.presets").PRESETS["demo"]
    with full_disk(left=0), pytest.raises(InputError, match="output folder .*File too large"):
        run(app, demo, tmp_path / "run", broken)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("app", SOME)
def test_a_full_disk_at_the_end_loses_nothing(left, app, tmp_path):
    config, partial, metrics, _ = left(app)
    shutil.copytree(partial, tmp_path / "run")
    largest = (tmp_path / "run" / CONFIG).stat().st_size
    with full_disk(largest), pytest.raises(InputError, match="File too large.*are kept"):
        run(app, config, tmp_path / "run", lambda *_: None)
    again = run(app, config, tmp_path / "run", lambda *_: None)
    assert figures(again) == figures(metrics)
    # The next run into this folder knows all of it as a run's own.
    assert {path.name for path in (tmp_path / "run").iterdir()} <= WRITTEN


def damaged_files(partial):
    """The last file of each kind that the steps of a run left, by the end of its name."""
    names = [n for n in files_of(partial) if n.startswith(("steps", "cells", "checkpoints"))]
    return list({name.rpartition("/")[2][-12:]: name for name in names}.values())


def goes_on_right(app, left, place, name, damage):
    config, partial, metrics, _ = left(app)
    damaged_copy(partial, place / "run", name, damage)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        again = run(app, config, place / "run", lambda *_: None)
    assert figures(again) == figures(metrics)
    return [str(warning.message) for warning in told if name.split("/")[1] in str(warning.message)]


@pytest.mark.parametrize("app", SOME)
def test_what_is_damaged_is_told_of_and_done_again(left, app, tmp_path):
    files = damaged_files(left(app)[1])
    name = next(n for n in files if n.endswith((MADE_BY, ".safetensors")))
    assert goes_on_right(app, left, tmp_path, name, "half")


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("app", APPS)
def test_so_is_any_file_whatever_happened_to_it(left, app, damage, tmp_path):
    for number, name in enumerate(damaged_files(left(app)[1])):
        (tmp_path / str(number)).mkdir()
        goes_on_right(app, left, tmp_path / str(number), name, damage)
