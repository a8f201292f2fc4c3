"""Whole apps on several devices and in several processes."""

import json
import os
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

import keras_compat.networks  # noqa: F401 registers what the models hold
from apps import classifier_transfer
from keras_compat.errors import InputError
from keras_compat.reporting import load_metrics
from tests.apps.interrupted import differing
from tests.apps.shell import ROOT
from tests.apps.small_runs import few_steps
from tests.experiments.two_sets import ANIMALS, THINGS, write_set
from tests.training.test_distribution import ON_JAX, free_port, one_of_two, several_devices

LOCAL = "data_parallel" if ON_JAX else "mirrored"
NAME = "compatibility_analysis"
CELL = "cells/independent_seed0/networks"


def start(name, flags, env):
    """Starts an app with two devices."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.apps.on_devices", name, *flags],
        cwd=ROOT,
        env={**os.environ, **several_devices(2), "JAX_ENABLE_X64": "0", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_two(name, flags, **env):
    """Starts an app in two workers of one device each."""
    port, flags = free_port(), [*flags, "--distribution=multi_worker"]
    env = {**env, **several_devices(1), "JAX_ENABLE_X64": "0"}
    return [start(name, flags, {**env, **one_of_two(worker, port)}) for worker in (0, 1)]


def wait_for(found, process):
    """Waits until a process has left what is looked for."""
    deadline = time.monotonic() + 900
    while not found():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[1][-3000:]
        time.sleep(0.1)


def end(processes):
    """Waits for workers that should do all they are told; returns what each said."""
    ends = [process.communicate(timeout=900) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    return ends


@pytest.mark.slow
def test_an_app_trains_the_same_networks_on_two_devices(tmp_path):
    alone = ("--extractors=a=resnet8:filters=4@stage2", "--upper_bounds=none")
    more = ("--maintain=extractor", "--joint_rounds=3", "--augment")
    animals = write_set(tmp_path / "animals.npz", ANIMALS)
    flags = few_steps("classifier_transfer", animals, "", *alone, *more)
    for name in ("none", LOCAL):
        given = [*flags, f"--distribution={name}", f"--output_dir={tmp_path / name}"]
        process = start("classifier_transfer", given, {})
        _, said = process.communicate(timeout=900)
        assert process.returncode == 0, said[-3000:]
    hardware = load_metrics(tmp_path / LOCAL / "metrics.json")["hardware"]
    assert (hardware["devices"], hardware["workers"]) == (2, 1)
    alone = sorted((tmp_path / "none").rglob("*.keras"))
    assert len(alone) > 1
    for path in alone:
        other = tmp_path / LOCAL / path.relative_to(tmp_path / "none")
        found = [keras.saving.load_model(p, compile=False).get_weights() for p in (path, other)]
        for x, y in zip(*found, strict=True):
            np.testing.assert_allclose(x, y, atol=2e-3, err_msg=path.name)


def analysis(folder):
    """Returns flags for a small analysis of two sets, which are written to a folder."""
    sets = (write_set(folder / "a.npz", ANIMALS), write_set(folder / "b.npz", THINGS, seed=1))
    return few_steps(NAME, *sets, "--methods=independent")


@pytest.mark.slow
def test_all_end_when_a_worker_is_killed_and_go_on_with_what_is_finished(tmp_path):
    place = tmp_path / "run"
    flags = [*analysis(tmp_path), "--rounds=3", f"--output_dir={place}"]
    chief, other = start_two(NAME, flags)
    first = tmp_path / "run" / CELL / "made_by.json"
    wait_for(first.exists, chief)
    other.kill()
    _, said = chief.communicate(timeout=900)
    assert chief.returncode == 1, said
    assert "lost another one" in said and "the same command" in said
    finished = json.loads(first.read_text())
    ends = end(start_two(NAME, flags))
    assert json.loads((place / CELL / "made_by.json").read_text()) == finished
    assert len(list((place / "cells").glob("*/networks"))) > 1
    assert "Everything is in" in ends[0][0] and ends[1][0] == ""
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["run"]


@pytest.mark.slow
def test_killed_within_a_training_they_go_on_there_to_the_same_weights(tmp_path):
    flags = [*analysis(tmp_path), "--rounds=300", "--checkpoint_seconds=0.2"]
    end(start_two(NAME, [*flags, f"--output_dir={tmp_path / 'whole'}"]))
    flags = [*flags, f"--output_dir={tmp_path / 'killed'}"]
    chief, other = start_two(NAME, flags)
    wait_for(lambda: list((tmp_path / "killed").rglob("*.safetensors")), chief)
    other.kill()
    _, said = chief.communicate(timeout=900)
    assert chief.returncode == 1 and "lost another one" in said
    went_on = tmp_path / "went_on"
    end(start_two(NAME, flags, WENT_ON=str(went_on)))
    rounds = [int(line) for line in went_on.read_text().splitlines()]
    # Each worker once, in the same round.
    assert len(rounds) == 2 and len(set(rounds)) == 1 and 0 < rounds[0] < 300
    assert differing(tmp_path / "whole", tmp_path / "killed") == []


def test_what_does_not_fit_is_refused_before_anything_is_read(tmp_path):
    wrong = "mirrored" if ON_JAX else "data_parallel"
    start = f"unknown distribution of the {'JAX' if ON_JAX else 'TensorFlow'} backend {wrong!r}"
    with pytest.raises(InputError, match=f"^{start}"):
        classifier_transfer.run([f"--distribution={wrong}", f"--output_dir={tmp_path / 'run'}"])
    assert not list(tmp_path.iterdir())
