"""Studies say which cells they need; equal cells are trained once."""

from dataclasses import fields, replace

import pytest

from keras_compat.errors import InputError
from keras_compat.experiments.compatibility_analysis.items import merge
from keras_compat.experiments.compatibility_analysis.presets import PRESETS
from keras_compat.experiments.compatibility_analysis.studies import STUDIES, Known, cells_of
from keras_compat.experiments.compatibility_analysis.variants import VARIANTS, apply_variant
from keras_compat.studies.cells import Cell
from tests.experiments.two_sets import make_config

KNOWN = Known(
    ("cifar10", "stl10"),
    common=9,
    splits=("stem", "stage1_block1"),
    own_split="stage1_block1",
    colour=True,
)


@pytest.fixture
def every_study(tmp_path):
    config = make_config(tmp_path, studies=tuple(STUDIES), seeds=2, pretraining_dataset="digits")
    return cells_of(config, KNOWN)


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


def test_a_cell_is_asked_for_once_by_a_study(tmp_path):
    config = make_config(tmp_path, methods=("rp", "upper_bound"), studies=("methods", "same_data"))
    for wanted in cells_of(config, KNOWN).values():
        assert len({asked.cell for asked in wanted}) == len(wanted)


def test_pretraining_comes_before_what_starts_from_it(every_study):
    cells = [plan.cell for plan in merge(every_study)]
    assert [cell.method for cell in cells].count("pretraining") == 2
    assert {cell.method for cell in cells[:2]} == {"pretraining"}


def test_every_study_has_an_upper_bound_of_each_seed_to_compare_with(every_study):
    for study, wanted in every_study.items():
        bounds = {cell.seed for cell, *_ in wanted if cell.method == "upper_bound"}
        assert bounds == ({0, 1} if wanted else set()), study


def test_common_classes_goes_from_two_up_with_a_control_of_each(every_study):
    cells = [cell for cell, *_ in every_study["common_classes"] if cell.seed == 0]
    found = [(cell.common_classes, cell.control) for cell in cells if cell.common_classes]
    assert found == [(count, control) for count in range(2, 9) for control in (False, True)]


def test_grey_images_are_not_coloured(tmp_path):
    config = make_config(tmp_path, studies=("auxiliaries",))
    for colour in (True, False):
        (wanted,) = cells_of(config, replace(KNOWN, colour=colour)).values()
        assert any("colorization" in cell.method for cell, *_ in wanted) is colour


def test_networks_of_different_architectures_are_studied_without_iiw(tmp_path):
    architectures = ("resnet8@stage2", "resnet20@stage2")
    studies = tuple(study for study in STUDIES if study not in ("methods", "pretrained"))
    config = make_config(
        tmp_path, architectures=architectures, studies=studies, methods=("rp", "dcc")
    )
    for study, wanted in cells_of(config, KNOWN).items():
        names = [cell.method for cell, *_ in wanted]
        assert not any("iiw" in name for name in names), study
        assert len({cell for cell, *_ in wanted}) == len(wanted), study


def test_without_split_points_in_common_there_is_nothing_to_study(tmp_path):
    config = make_config(tmp_path, studies=("splits",))
    with pytest.raises(InputError, match="no split point in common"):
        cells_of(config, replace(KNOWN, splits=()))


def test_independent_training_is_the_bound_without_a_rotation_head_too(tmp_path):
    for methods, extra in ((("independent", "rp"), []), (("rp",), ["without"])):
        config = make_config(tmp_path, methods=methods)
        (wanted,) = cells_of(config, KNOWN).values()
        found = [cell.method.split("_")[-2] for cell, *_ in wanted if "without" in cell.method]
        assert found == extra


def test_keys_tell_records_of_different_cells_apart():
    one = Cell("iiw+dcc", 0, common_classes=3, control=True)
    assert one.keys() == {"method": "iiw+dcc", "seed": 0, "common_classes": 3, "control": True}
    first = Cell("iiw+rp+dcc", 0, first="stl10").keys()
    assert (first["scheme"], first["first"]) == ("incremental", "stl10")
    assert Cell("rp", 1).keys() == {"method": "rp", "seed": 1}


@pytest.mark.parametrize("name", list(VARIANTS))
def test_a_variant_changes_one_setting(name, tmp_path):
    config = PRESETS["paper"]
    changed = apply_variant(config, name)
    differing = [
        f.name for f in fields(config) if getattr(config, f.name) != getattr(changed, f.name)
    ]
    assert len(differing) == 1


def test_another_pretraining_concerns_the_cells_that_start_from_it(tmp_path):
    config = make_config(tmp_path)
    other = replace(config, pretraining=replace(config.pretraining, rounds=9))
    assert other.lasting() == config.lasting()
    assert other.trains(pretrained=False) == config.trains(pretrained=False)
    assert other.trains(pretrained=True) != config.trains(pretrained=True)


def test_a_longer_training_drops_its_rate_at_the_same_parts_of_the_way():
    how = apply_variant(PRESETS["paper"], "three times the rounds").training
    assert (how.rounds, how.drops) == (60_000, (15_000, 30_000, 45_000))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": ("digits",)}, "expected at least two"),
        ({"architectures": ("resnet8",) * 3}, "3 architectures for 2 data sets"),
        ({"methods": ("iiw+rpp",)}, "unknown method"),
        ({"studies": ("splitz",)}, "unknown study 'splitz'; did you mean 'splits'"),
        ({"studies": ("splits", "splits")}, "each once"),
        ({"studies": ("pretrained",)}, "--pretraining_dataset"),
        ({"rotation_weight": float("nan")}, "rotation_weight is nan"),
        ({"interface_channels": -1}, "interface_channels is -1"),
        ({"evaluation_batch_size": 0}, "evaluation_batch_size is 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        make_config(tmp_path, **changes)
