"""Benchmarks run on either backend and say what they should; what they measure is not tested."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "start_up": (["--repeats=1"], {"help_s", "python_s", "first_round_s"}),
    "inference": (
        ["--images=20", "--batch_size=10", "--repeats=1"],
        {"images_per_s", "first_s", "ratio"},
    ),
    "cheaper_compatibility": (
        ["--methods=rp+dcc", "--variants=half", "--rounds=1", "--turns=1"],
        {"own_accuracy", "recombination_accuracy", "round_time_ratio", "round_time_s"},
    ),
    "joint_round": (
        ["--image_size=16", "--batch_size=4", "--rounds=1", "--repeats=1", "--backends=tensorflow"],
        {
            "first_round_s",
            "gflops",
            "images_per_s",
            "multiply_adds_to_fit",
            "of_ceiling",
            "overhead",
            "peak_memory_mib",
            "round_cpu_ms",
            "round_ms",
            "time_to_fit",
        },
    ),
    "round_profile": (
        ["--image_size=16", "--batch_size=4", "--rounds=2"],
        {"busy", "input_ms", "round_ms", "share"},
    ),
    "joint_overhead": (
        ["--image_size=16", "--batch_size=4", "--rounds=1", "--repeats=1"],
        {"overhead", "round_ms"},
    ),
    "end_of_fit": (
        ["--image_size=16", "--batch_size=4", "--rounds=1", "--calls=1"],
        {"mean_s", "shortest_s", "longest_s", "ratio"},
    ),
    "demo_threads": (
        ["--repeats=1", "--", "--joint_rounds=2", "--update_rounds=2", "--bound_rounds=2"],
        {"run_s", "ratio"},
    ),
    "rotation": (
        ["--image_size=8", "--batch_size=4", "--repeats=1"],
        {"call_ms", "ratio"},
    ),
    "many_seeds": (
        ["--image_size=16", "--batch_size=4", "--seeds=2", "--repeats=1"],
        {"round_ms", "first_round_s", "ratio"},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_runs_to_its_end(name, tmp_path):
    only = {
        "cheaper_compatibility": "tensorflow",
        "demo_threads": "tensorflow",
        "many_seeds": "jax",
        "round_profile": "tensorflow",
        "end_of_fit": "tensorflow",
    }.get(name)
    if only not in (None, keras.backend.backend()):
        pytest.skip(f"runs on {only}")
    flags, metrics = PROGRAMS[name]
    file = tmp_path / "found.json"
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--output", str(file), *flags],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())["results"]
    assert {record["metric"] for record in found} == metrics
    # An overhead may be less than nothing in a single turn.
    assert all(record["value"] > 0 for record in found if record["metric"] != "overhead")
