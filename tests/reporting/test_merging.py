"""Runs of one setting, of other seeds and studies, become one."""

import pytest

from keras_compat.errors import InputError
from keras_compat.reporting import load_metrics, make_record, write_metrics
from keras_compat.reporting.merging import merge_files

CONFIG = {"preset": "demo", "rounds": 3, "methods": ["rp"], "studies": ["methods"]}
DATA = {"digits": {"sha256": "aa"}}


def run(path, seed, study="methods", value=0.5, cpu="A", config=None, data=DATA, more=()):
    """Writes the metrics of a run of one cell and returns the path."""
    part = f"rp_{study}_seed{seed}"
    write_metrics(
        path,
        experiment="compatibility_analysis",
        config={**CONFIG, "studies": [study], "seed": seed, "seeds": 1, **(config or {})},
        data=data,
        durations_s={part: 10.0 + seed, "total": 20.0},
        results=[
            make_record("recombination_accuracy", value, study=study, method="rp", seed=seed),
            *more,
        ],
        versions={"commit": "c1"},
        hardware={"cpu": cpu},
        made_by=[{"versions": {"commit": "c1"}, "hardware": {"cpu": cpu}, "parts": [part]}],
    )
    return path


def test_seeds_and_studies_of_several_machines_are_one_run(tmp_path):
    merged = merge_files(
        [
            run(tmp_path / "a", seed=1, value=0.25),
            run(tmp_path / "b", seed=0, study="splits", cpu="B", config={"methods": ["dcc"]}),
            run(tmp_path / "c", seed=0),
        ]
    )
    assert [(r["study"], r["seed"], r["value"]) for r in merged["results"]] == [
        ("methods", 1, 0.25),
        ("methods", 0, 0.5),
        ("splits", 0, 0.5),
    ]
    config = merged["config"]
    assert config["studies"] == ["methods", "splits"]
    assert config["methods"] == ["rp", "dcc"]
    assert config["seed"] == [0, 1] and "seeds" not in config
    assert merged["durations_s"]["rp_methods_seed1"] == 11.0
    assert merged["durations_s"]["total"] == 20.0
    assert [(m["hardware"]["cpu"], m["parts"]) for m in merged["made_by"]] == [
        ("A", ["rp_methods_seed1", "rp_methods_seed0"]),
        ("B", ["rp_splits_seed0"]),
    ]


def test_images_for_pretraining_may_be_named_by_one_run_only(tmp_path):
    named = {"pretraining_dataset": "imagenet"}
    files = [
        run(tmp_path / "a", seed=0, config={"pretraining_dataset": None}),
        run(tmp_path / "b", seed=1, config=named),
    ]
    assert merge_files(files)["config"]["pretraining_dataset"] == "imagenet"
    other = run(tmp_path / "c", seed=2, config={"pretraining_dataset": "places"})
    with pytest.raises(InputError, match="differ in 'pretraining_dataset'"):
        merge_files([files[1], other])


def test_a_merged_file_can_be_merged_again(tmp_path):
    first = merge_files([run(tmp_path / "a", seed=0), run(tmp_path / "b", seed=1)])
    write_metrics(tmp_path / "first", **first)
    again = merge_files([tmp_path / "first", run(tmp_path / "c", seed=2, cpu="B")])
    assert again["config"]["seed"] == [0, 1, 2]
    assert [len(maker["parts"]) for maker in again["made_by"]] == [2, 1]


def test_files_that_do_not_say_what_made_their_parts_are_of_one_machine(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        metrics = load_metrics(run(tmp_path / name, seed=seed))
        write_metrics(tmp_path / name, **{**metrics, "made_by": []})
    merged = merge_files([tmp_path / "a", tmp_path / "b"])
    assert merged["made_by"] == [
        {
            "versions": {"commit": "c1"},
            "hardware": {"cpu": "A"},
            "parts": ["rp_methods_seed0", "rp_methods_seed1"],
        }
    ]


def test_what_both_files_hold_is_there_once(tmp_path):
    peak = [make_record("peak_memory_gib", 1.0)]
    higher = [make_record("peak_memory_gib", 2.0)]
    same = run(tmp_path / "a", seed=0, more=peak)
    merged = merge_files([same, run(tmp_path / "b", seed=0, more=higher)])
    assert [(r["metric"], r["value"]) for r in merged["results"]] == [
        ("peak_memory_gib", 2.0),
        ("recombination_accuracy", 0.5),
    ]
    assert merged["durations_s"]["rp_methods_seed0"] == 10.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": 0.6}, r"both have metric recombination_accuracy.*seed 0: 0.5 and 0.6"),
        ({"config": {"rounds": 4}}, r"differ in 'rounds' \(3 and 4\)"),
        ({"config": {"restrict": True}}, r"differ in 'restrict' \(None and True\)"),
        ({"data": {"digits": {"sha256": "bb"}}}, "different images of 'digits'"),
    ],
)
def test_runs_that_are_not_of_one_setting_are_refused(tmp_path, changes, message):
    files = [run(tmp_path / "a", seed=0), run(tmp_path / "b", seed=0, **changes)]
    with pytest.raises(InputError, match=message) as error:
        merge_files(files)
    assert str(tmp_path / "a") in str(error.value) and str(tmp_path / "b") in str(error.value)


def test_another_app_or_the_same_file_twice_is_refused(tmp_path):
    path = run(tmp_path / "a", seed=0)
    with pytest.raises(InputError, match="named twice"):
        merge_files([path, path])
    other = load_metrics(path)
    write_metrics(tmp_path / "b", **{**other, "experiment": "classifier_transfer"})
    with pytest.raises(InputError, match="expected one app's"):
        merge_files([path, tmp_path / "b"])
