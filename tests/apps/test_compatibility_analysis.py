"""The analysis as a user runs it, on small sets of pictures; the networks are tiny."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from apps import compatibility_analysis
from keras_compat.evaluation.baselines import BASELINES
from keras_compat.experiments.compatibility_analysis import cost, execute
from keras_compat.reporting import load_metrics, select
from keras_compat.studies import STUDIES
from keras_compat.training import NonFiniteLoss
from tests.apps.small_runs import few_steps
from tests.experiments.two_sets import ANIMALS, MORE, THINGS, write_set

# On JAX the parts that train and measure are tested by themselves.
pytestmark = [pytest.mark.once, pytest.mark.usefixtures("eager")]

METHODS = "--methods=independent,iiw+rp+dcc"


@pytest.fixture(scope="module")
def flags(sets):
    return few_steps("compatibility_analysis", sets.animals, sets.things)


@pytest.fixture(scope="module", autouse=True)
def quick_baselines():
    """One baseline of each kind, that sees few images and learns for few steps."""
    few = {
        "swap_recalibrated": BASELINES["swap_recalibrated"],
        "permutation": replace(BASELINES["permutation"], images=16),
        "stitching": replace(BASELINES["stitching"], steps=2),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BASELINES, "_members", few)
        yield


@pytest.fixture(scope="module")
def finished(flags, made_once):
    given = [*flags, METHODS, "--studies=methods,baselines,incremental"]
    return made_once(
        "analysis/run",
        lambda place: compatibility_analysis.run([*given, f"--output_dir={place}"]),
        "metrics.json",
    )


@pytest.fixture
def place(finished, tmp_path):
    """A copy of the finished run, to be changed."""
    return shutil.copytree(finished, tmp_path / "run")


def test_a_run_leaves_metrics_report_figures_and_cells(finished):
    files = {str(p.relative_to(finished)) for p in finished.rglob("*") if p.is_file()}
    expected = {"metrics.json", "config.json", "report.md", "figures/figure2.png"}
    for name in ("independent_seed0", "iiw+rp+dcc_seed0", "upper_bound_seed0"):
        expected |= {f"cells/{name}/matrix.json", f"cells/{name}/networks/made_by.json"}
        expected |= {
            f"cells/{name}/networks/{network}_{part}.keras"
            for network in ("animals", "things")
            for part in ("extractor", "head")
        }
    assert expected <= files, sorted(expected - files)
    assert [p.name for p in finished.parent.iterdir()] == ["run"]


def test_a_cell_says_what_made_it(finished):
    path = finished / "cells" / "iiw+rp+dcc_seed0" / "networks" / "made_by.json"
    made_by = json.loads(path.read_text())
    assert made_by["cell"]["method"] == "iiw+rp+dcc"
    assert made_by["data"]["animals"]["train"]["sha256"]
    assert made_by["versions"]["keras"] and made_by["hardware"]["cores"] >= 1


def test_correlations_are_ordered_and_average_to_the_figure(finished):
    records = load_metrics(finished / "metrics.json")["results"]
    usual = select(records, study="methods", method="independent", metric="channel_correlation")
    for permuted in (False, True):
        channels = [r["value"] for r in usual if r.get("permuted", False) is permuted]
        assert len(channels) == 8 and channels == sorted(channels, reverse=True)
        (mean,) = (
            r["value"]
            for r in select(records, method="independent", metric="cross_correlation")
            if r.get("permuted", False) is permuted
        )
        assert mean == pytest.approx(np.mean(channels))


def test_the_same_cell_serves_several_studies(finished):
    records = load_metrics(finished / "metrics.json")["results"]
    keys = {"metric": "recombination_accuracy", "method": "iiw+rp+dcc", "dataset": "average"}
    values = {
        study: [
            r["value"]
            for r in select(records, study=study, **keys)
            if not {"baseline", "first"} & r.keys()
        ]
        for study in ("methods", "baselines", "incremental")
    }
    assert len(values["methods"]) == 1
    assert values["methods"] == values["baselines"] == values["incremental"]
    firsts = {r["first"] for r in select(records, study="incremental", **keys) if "first" in r}
    assert firsts == {"animals", "things"}


def test_networks_are_not_trained_again_to_be_measured_otherwise(
    flags, finished, monkeypatch, place
):
    monkeypatch.setattr(execute, "train_cell", None)
    arguments = [*flags, METHODS, f"--output_dir={place}", "--overwrite", "--no-restrict"]
    compatibility_analysis.run([*arguments, "--studies=methods"])
    keys = {"metric": "recombination_accuracy", "method": "iiw+rp+dcc", "dataset": "average"}
    free, restricted = (
        select(load_metrics(folder / "metrics.json")["results"], study="methods", **keys)
        for folder in (place, finished)
    )
    assert free[0]["value"] < restricted[0]["value"]
    assert "Predictions are **not** restricted" in (place / "report.md").read_text()


def _diverging(config, cell, group, last_good, *_):
    raise NonFiniteLoss(f"the loss of task 'cats' is not finite; they are in {last_good}")


def test_what_diverged_is_named_in_the_report(flags, place, monkeypatch):
    monkeypatch.setattr(execute, "train_cell", _diverging)
    arguments = [*flags, f"--output_dir={place}", "--overwrite", "--methods=independent,iiw"]
    with pytest.raises(NonFiniteLoss, match=r"without a result: iiw_seed0 \(the loss of task"):
        compatibility_analysis.run(arguments)
    report = (place / "report.md").read_text()
    where = "cells/iiw_seed0/last_good.keras"
    assert f"- IIW, seed 0: the loss of task 'cats' is not finite; they are in {where}" in report
    assert "| independent |" in report and "| IIW |" not in report


def test_costs_are_measured_once_with_the_same_versions(flags, place, monkeypatch):
    measured = []

    def in_process(measure, config, methods, count, *how):
        measured.append(methods)
        if measure is cost._weigh:
            return count, 1.0
        # In one turn of each the machine did something else.
        times = {method: [count / 10, 9.0] for method in methods}
        return {**times, cost.PLAIN: [9.0, count / 20]}

    monkeypatch.setattr(cost, "_in_process", in_process)
    arguments = [*flags, METHODS, f"--output_dir={place}", "--overwrite"]
    for _ in range(2):
        compatibility_analysis.run([*arguments, "--studies=methods,cost"])
    # Those that differ in their initial weights are one.
    methods = ["independent", "rp", "dcc", "rp+dcc", "fm"]
    expected = [methods, *methods] * len(cost.COUNTS)
    assert measured == expected
    metrics = load_metrics(place / "metrics.json")
    found = select(metrics["results"], study="cost", metric="step_time_s", method="rp")
    assert [(r["networks"], r["value"]) for r in found] == [(2, 0.2), (4, 0.4), (8, 0.8)]
    found = select(metrics["results"], study="cost", metric="step_time_ratio", method="rp")
    assert {r["value"] for r in found} == {2.0}
    assert "cost" in [part for maker in metrics["made_by"] for part in maker["parts"]]
    # On another machine they are measured again.
    file = place / "cells" / "cost.json"
    file.write_text(file.read_text().replace('"cpu": "', '"cpu": "another '))
    compatibility_analysis.run([*arguments, "--studies=methods,cost"])
    assert measured == 2 * expected


@pytest.mark.slow
def test_every_study_runs(tmp_path):
    """All studies, on three colour sets, so that every auxiliary task makes sense."""
    shape = (8, 8, 3)
    specs = [
        write_set(tmp_path / f"{name}.npz", names, images=(50, 60), shape=shape, seed=seed)
        for seed, (name, names) in enumerate(
            {"animals": ANIMALS, "things": (*THINGS, "automobile"), "more": MORE}.items()
        )
    ]
    place = tmp_path / "run"
    studies = ",".join(name for name in STUDIES if name != "cost")
    asked = [METHODS, f"--studies={studies}", f"--datasets={','.join(specs)}"]
    pretrained = [f"--pretraining_dataset={specs[2]}", "--pretraining_rounds=2"]
    flags = few_steps("compatibility_analysis", *specs[:2], *asked, *pretrained)
    compatibility_analysis.run([*flags, f"--output_dir={place}"])
    records = load_metrics(place / "metrics.json")["results"]
    assert {r["study"] for r in records if "study" in r} == set(studies.split(","))
    assert os.listdir(place / "figures")
