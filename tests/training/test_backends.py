"""The two backends compute the same; JAX runs in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.training.rounds import main

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="one run of the suite compares both backends"
)


def run(tmp_path, floatx, rounds, tasks):
    pytest.importorskip("jax")
    files = {backend: tmp_path / f"{backend}.npz" for backend in ("tensorflow", "jax")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.rounds", floatx, str(rounds), tasks, files["jax"]],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"},
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        main(floatx, rounds, tasks, files["tensorflow"])
    finally:
        keras.config.set_floatx("float32")
        errors = process.communicate()[1]
    assert process.returncode == 0, errors
    return [np.load(file) for file in files.values()]


@pytest.mark.slow
def test_the_first_gradient_is_the_same(tmp_path):
    one, other = run(tmp_path, "float32", 1, "a")
    difference = np.linalg.norm(one["moved"] - other["moved"]) / np.linalg.norm(one["moved"])
    assert np.linalg.norm(one["moved"]) > 0 and difference < 1e-4


def test_the_losses_of_five_rounds_are_the_same_in_float64(tmp_path):
    one, other = run(tmp_path, "float64", 5, "ab")
    assert one["losses"].shape[0] == 5
    np.testing.assert_allclose(one["losses"], other["losses"], rtol=1e-5)
