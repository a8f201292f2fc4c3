from __future__ import annotations

import time

import pytest

from keras_compat.reporting import Run, load_metrics


def test_a_run_becomes_a_metrics_file(tmp_path):
    run = Run("classifier_transfer", {"preset": "demo"}, dataset="digits")
    run.data["digits"] = {"sha256": "0"}
    with run.phase("train"):
        run.add("accuracy", 0.5, seed=1)
    run.write(tmp_path / "metrics.json")
    metrics = load_metrics(tmp_path / "metrics.json")
    assert metrics["experiment"] == "classifier_transfer"
    assert metrics["config"] == {"preset": "demo"}
    assert metrics["data"] == {"digits": {"sha256": "0"}}
    assert metrics["results"] == [
        {"metric": "accuracy", "dataset": "digits", "seed": 1, "value": 0.5}
    ]
    assert list(metrics["durations_s"]) == ["train"]


def test_a_records_own_keys_win_over_the_runs():
    run = Run("demo", {}, dataset="digits")
    assert run.add("accuracy", 0.5, dataset="mnist5k")["dataset"] == "mnist5k"


def test_phases_of_one_name_add_up_and_failures_are_timed():
    run = Run("demo", {})
    with run.phase("train"):
        time.sleep(0.01)
    once = run.durations_s["train"]
    with pytest.raises(KeyError), run.phase("train"):
        time.sleep(0.01)
        raise KeyError
    assert once >= 0.01
    assert run.durations_s["train"] >= once + 0.01
