"""Every study of the registry says which cells it needs; equal cells are trained once."""

import subprocess
import sys
from dataclasses import replace

import pytest

from keras_compat.errors import InputError
from keras_compat.experiments.compatibility_analysis.items import merge
from keras_compat.methods import parse_method
from keras_compat.studies import STUDIES, cells_of, find_measure
from keras_compat.studies.analysis import Analysis
from keras_compat.studies.cells import Cell, Known

KNOWN = Known(
    ("cifar10", "stl10"),
    common=9,
    splits=("stem", "stage1_block1"),
    own_split="stage1_block1",
    colour=True,
    architectures=("resnet8",),
    methods=("independent", "rp", "iiw+dcc"),
    seeds=(0, 1),
)


@pytest.fixture
def every_study():
    return cells_of(STUDIES, KNOWN)


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_asks_for_what_can_be_trained_and_measured(study):
    (asked,) = cells_of([study], KNOWN).values()
    assert len({a.cell for a in asked}) == len(asked)
    for cell, measures, _ in asked:
        assert parse_method(cell.method).name == cell.method
        assert all(callable(find_measure(name)) for name in measures)
    # Each seed has an upper bound to compare with.
    bounds = {cell.seed for cell, *_ in asked if cell.method == "upper_bound"}
    assert bounds == ({0, 1} if asked else set())


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_of_different_architectures_is_without_iiw(study):
    different = replace(KNOWN, architectures=("resnet8", "resnet20"), methods=("rp", "dcc"))
    (asked,) = cells_of([study], different).values()
    assert not any("iiw" in a.cell.method for a in asked)
    assert len({a.cell for a in asked}) == len(asked)


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_that_was_not_run_has_no_section(study):
    elsewhere = "splits" if study == "cost" else "cost"
    records = [{"metric": "step_time_s", "study": elsewhere, "value": 1}]
    assert STUDIES[study].sections(Analysis(records)) == []


def test_names_and_meanings_load_neither_keras_nor_matplotlib_nor_a_study():
    code = (
        "import sys, keras_compat.methods; from keras_compat.studies import STUDIES;"
        "[STUDIES[name].meaning for name in STUDIES];"
        "print({'keras', 'matplotlib', 'numpy', 'keras_compat.studies.splits'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_an_unknown_measure_is_refused():
    with pytest.raises(InputError, match="unknown measure 'matrices'; did you mean 'matrix'"):
        find_measure("matrices")


def test_a_cell_has_a_folder_of_its_own(every_study):
    plans = merge(every_study)
    assert len({plan.cell.name for plan in plans}) == len({plan.cell for plan in plans})
    assert all("/" not in plan.cell.name and " " not in plan.cell.name for plan in plans)


def test_what_two_studies_need_is_trained_once_and_measured_for_both(every_study):
    plans = {plan.cell: plan for plan in merge(every_study)}
    cell = Cell("iiw+dcc", seed=0)
    measures = {"matrix", "correlation", "statistics", "batch_sizes", "signals", "calibration"}
    assert set(plans[cell].measures) == measures
    asked = {study: a.measures for study, w in every_study.items() for a in w if a.cell == cell}
    assert set(asked) == {
        *("methods", "pretrained", "normalization", "common_classes", "signals", "calibration")
    }
    assert asked["common_classes"] == ("matrix",)


def test_networks_at_the_runs_own_split_are_those_of_the_other_studies(every_study):
    asked = [a for a in every_study["splits"] if a.cell.method == "rp" and a.cell.seed == 0]
    assert [a.cell for a in asked] == [Cell("rp", 0, split="stem"), Cell("rp", 0)]
    assert [dict(a.keys) for a in asked] == [{}, {"split": "stage1_block1"}]


def test_a_cell_is_asked_for_once_by_a_study():
    known = replace(KNOWN, methods=("rp", "upper_bound"))
    for wanted in cells_of(("methods", "same_data"), known).values():
        assert len({asked.cell for asked in wanted}) == len(wanted)


def test_pretraining_comes_before_what_starts_from_it(every_study):
    cells = [plan.cell for plan in merge(every_study)]
    assert [cell.method for cell in cells].count("pretraining") == 2
    assert {cell.method for cell in cells[:2]} == {"pretraining"}


def test_common_classes_goes_from_two_up_with_a_control_of_each(every_study):
    cells = [cell for cell, *_ in every_study["common_classes"] if cell.seed == 0]
    found = [(cell.common_classes, cell.control) for cell in cells if cell.common_classes]
    assert found == [(count, control) for count in range(2, 9) for control in (False, True)]


def test_grey_images_are_not_coloured():
    for colour in (True, False):
        (wanted,) = cells_of(["auxiliaries"], replace(KNOWN, colour=colour)).values()
        assert any("colorization" in cell.method for cell, *_ in wanted) is colour


def test_without_split_points_in_common_there_is_nothing_to_study():
    with pytest.raises(InputError, match="no split point in common"):
        cells_of(["splits"], replace(KNOWN, splits=()))


def test_independent_training_is_the_bound_without_a_rotation_head_too():
    for methods, extra in ((("independent", "rp"), []), (("rp",), ["without", "without"])):
        (wanted,) = cells_of(["methods"], replace(KNOWN, methods=methods)).values()
        found = [cell.method.split("_")[-2] for cell, *_ in wanted if "without" in cell.method]
        assert found == extra


def test_keys_tell_records_of_different_cells_apart():
    one = Cell("iiw+dcc", 0, common_classes=3, control=True)
    assert one.keys() == {"method": "iiw+dcc", "seed": 0, "common_classes": 3, "control": True}
    first = Cell("iiw+rp+dcc", 0, first="stl10").keys()
    assert (first["scheme"], first["first"]) == ("incremental", "stl10")
    assert Cell("rp", 1).keys() == {"method": "rp", "seed": 1}
