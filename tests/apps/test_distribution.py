"""Whole apps on several devices and in several processes."""

import json
import os
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from keras_compat.reporting import load_metrics
from tests.apps.shell import ROOT, app, says_one_line_and_exits_with_two
from tests.jobs.two_sets import ANIMALS, THINGS, write_set
from tests.training.test_distribution import ON_JAX, free_port, one_of_two, several_devices

LOCAL = "data_parallel" if ON_JAX else "mirrored"
CELL = "cells/iiw+rp+dcc_seed0/networks"


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    sets = (write_set(folder / "a.npz", ANIMALS), write_set(folder / "b.npz", THINGS, seed=1))
    return [
        f"--datasets={','.join(sets)}",
        "--methods=iiw+rp+dcc",
        "--image_size=8",
        "--architectures=resnet8:filters=4@stage2",
        "--batch_size=16",
        "--rounds=3",
        "--evaluation_batch_size=20",
    ]


def start(flags, env):
    """Starts the analysis with two devices."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.apps.on_devices", "compatibility_analysis", *flags],
        cwd=ROOT,
        env={**os.environ, **several_devices(2), "JAX_ENABLE_X64": "0", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_two(flags):
    port = free_port()
    both = [*flags, "--distribution=multi_worker"]
    return [start(both, {**one_of_two(worker, port), "DEVICES": "1"}) for worker in (0, 1)]


def weights(folder):
    """What a run has trained, by the names of its files."""
    return {
        path.name: keras.saving.load_model(path, compile=False).get_weights()
        for path in sorted((folder / CELL).glob("*.keras"))
    }


@pytest.mark.slow
def test_an_app_trains_the_same_networks_on_one_device_two_and_in_two_workers(flags, tmp_path):
    places = {name: tmp_path / name for name in ("none", LOCAL, "multi_worker")}
    for name in ("none", LOCAL):
        one = start([*flags, f"--distribution={name}", f"--output_dir={places[name]}"], {})
        assert one.wait(timeout=500) == 0, one.stderr.read()[-3000:]
    chief, other = start_two([*flags, f"--output_dir={places['multi_worker']}"])
    said = [process.communicate(timeout=500) for process in (chief, other)]
    assert (chief.returncode, other.returncode) == (0, 0), said
    assert "Everything is in" in said[0][0] and said[1][0] == ""
    alone = weights(places["none"])
    assert len(alone) > 2
    for name in (LOCAL, "multi_worker"):
        spread = weights(places[name])
        assert spread.keys() == alone.keys()
        for part, values in alone.items():
            for x, y in zip(values, spread[part], strict=True):
                np.testing.assert_allclose(x, y, atol=2e-3, err_msg=f"{name} {part}")
        assert load_metrics(places[name] / "metrics.json")["results"]
        assert [p.name for p in tmp_path.iterdir() if p.name.startswith(name)] == [name]


@pytest.mark.slow
def test_all_end_when_a_worker_is_killed_and_go_on_with_what_is_finished(flags, tmp_path):
    place = tmp_path / "run"
    flags = [*flags, f"--output_dir={place}", "--seeds=2"]
    chief, other = start_two(flags)
    first = tmp_path / "run.partial" / CELL / "made_by.json"
    deadline = time.monotonic() + 400
    while not first.exists():
        assert time.monotonic() < deadline and chief.poll() is None
        time.sleep(0.1)
    other.kill()
    _, said = chief.communicate(timeout=300)
    assert chief.returncode == 1, said
    assert "lost another one" in said and "the same command" in said
    finished = json.loads(first.read_text())
    both = start_two(flags)
    ends = [process.communicate(timeout=500) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert json.loads((place / CELL / "made_by.json").read_text()) == finished
    assert (place / CELL.replace("seed0", "seed1") / "made_by.json").is_file()


@pytest.mark.once
def test_jobs_and_devices_are_refused_together():
    done = app("compatibility_analysis", "--jobs=2", "--distribution=mirrored")
    assert says_one_line_and_exits_with_two(done, "--jobs is 2 and --distribution is 'mirrored'")


def test_what_does_not_fit_is_refused_before_anything_is_read(tmp_path):
    wrong = "mirrored" if ON_JAX else "data_parallel"
    flags = (f"--distribution={wrong}", f"--output_dir={tmp_path / 'run'}")
    done = app("classifier_transfer", *flags)
    start = f"unknown distribution of the {'JAX' if ON_JAX else 'TensorFlow'} backend {wrong!r}"
    assert says_one_line_and_exits_with_two(done, start)
    assert not list(tmp_path.iterdir())
