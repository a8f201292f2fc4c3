from __future__ import annotations

import subprocess
import sys

import pytest

from keras_compat.reporting import load_metrics, make_record, write_metrics
from keras_compat.reporting.__main__ import main


@pytest.fixture
def metrics(tmp_path):
    keys = {"extractor": "resnet8", "dataset": "digits", "seed": 0}
    write_metrics(
        tmp_path / "metrics.json",
        experiment="classifier_transfer",
        config={},
        data={},
        durations_s={},
        results=[make_record("recombination_accuracy", 0.93, **keys)],
    )
    return tmp_path / "metrics.json"


def test_a_report_is_made_again(metrics, tmp_path, capsys):
    assert main([str(metrics), f"--output_dir={tmp_path / 'out'}"]) == 0
    assert "93.0" in (tmp_path / "out/report.md").read_text()
    assert "figure4.png" in capsys.readouterr().out


def test_unknown_experiment_is_one_line(metrics, tmp_path, capsys):
    metrics.write_text(metrics.read_text().replace("classifier_transfer", "classifier_transfr"))
    assert main([str(metrics), f"--output_dir={tmp_path / 'out'}"]) == 2
    error = capsys.readouterr().err
    assert "did you mean 'classifier_transfer'" in error
    assert error.count("\n") == 1


def test_an_output_folder_that_cannot_be_is_one_line(metrics, capsys):
    assert main([str(metrics), f"--output_dir={metrics}"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("place", [".", "metrics.json/a.json"])
def test_where_no_merged_file_can_be_there_is_no_report(metrics, tmp_path, capsys, place):
    merged = f"--merged={tmp_path / place}"
    assert main([str(metrics), f"--output_dir={tmp_path / 'out'}", merged]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]


def test_a_report_that_cannot_be_leaves_no_merged_file(metrics, tmp_path):
    merged = f"--merged={tmp_path / 'all.json'}"
    assert main([str(metrics), f"--output_dir={metrics}", merged]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]


def test_it_runs_as_a_module(metrics, tmp_path):
    command = [sys.executable, "-m", "keras_compat.reporting", str(metrics)]
    done = subprocess.run(
        [*command, f"--output_dir={tmp_path / 'out'}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (tmp_path / "out/figures/figure4.png").exists()


def test_several_files_make_one_report_and_one_file(tmp_path):
    for seed, value in enumerate([0.5, 0.7]):
        keys = {"study": "methods", "method": "rp", "seed": seed}
        pairs = [("a", "b"), ("b", "a")]
        write_metrics(
            tmp_path / f"{seed}.json",
            experiment="compatibility_analysis",
            config={"seed": seed, "seeds": 1},
            data={},
            durations_s={f"rp_seed{seed}": 1.0},
            results=[
                make_record("recombination_accuracy", value, extractor=e, head=h, dataset=e, **keys)
                for e, h in pairs
            ],
            versions={"keras": "3.15.1"},
            hardware={"cpu": f"processor {seed}"},
        )
    files = [str(tmp_path / f"{seed}.json") for seed in range(2)]
    places = [f"--output_dir={tmp_path / 'out'}", f"--merged={tmp_path / 'all.json'}"]
    assert main([*files, *places]) == 0
    report = (tmp_path / "out/report.md").read_text()
    assert "60.0±14.1" in report
    assert "| cpu | processor 0 | processor 1 |" in report
    assert "- 2: rp_seed1" in report
    assert [r["seed"] for r in load_metrics(tmp_path / "all.json")["results"]] == [0, 0, 1, 1]
