"""The one run that every file passes before it is called written."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_compat.deployment.run_exported import RUNNERS
from keras_compat.errors import InputError

_IMAGES = 2
_OPEN_SIZE = 128
"""Pixels a side, for a model that takes any size: as many as every known architecture needs."""

_TOLERANCES = {"float32": 1e-3, "float16": 0.05, "dynamic": 0.25, "int8": 0.25}
"""Largest mean difference from Keras, as a part of the largest output; of float32 no number may
differ by more. Networks that have learnt nothing come to a fifth of it."""

_NOTHING = 1e-5
"""What is left of numbers that ought to be 0."""


def sample_inputs(model: keras.Model, job: dict[str, Any]) -> np.ndarray:
    """Returns inputs to run a file on: representative ones if the job has them.

    Args:
        model: Model that the file is made of.
        job: See `conversion`; of a SavedModel a size may be None.

    Returns:
        float32 `[N, *shape]`. Whole numbers are 0 or 1 where they are no pixels: they may be the
        rows of a table that nobody knows the length of.
    """
    if job.get("representative"):
        return np.load(job["representative"], allow_pickle=False)[:_IMAGES]
    (taken,) = keras.tree.flatten(model.inputs)
    shape = [size or _OPEN_SIZE for size in job["input_shape"]]
    # A model that is made for one size of batches alone is found out by another.
    batch = _IMAGES + (taken.shape[0] == _IMAGES)
    generator = np.random.default_rng(0)
    if len(shape) < 3 and not keras.backend.is_float_dtype(taken.dtype):
        return generator.integers(0, 2, (batch, *shape)).astype("float32")
    low, high = (0, 1) if job["input_name"] == "features" else (0, 255)
    return generator.uniform(low, high, (batch, *shape)).astype("float32")


def check_file(inputs: np.ndarray, expected: np.ndarray, job: dict[str, Any]) -> None:
    """Raises `InputError` if a file cannot be run or gives other numbers than Keras.

    Args:
        inputs: See `sample_inputs`.
        expected: Outputs of Keras for them.
        job: See `conversion`.

    Raises:
        InputError: if so; the message names the file, its format and what it gave.
    """
    what = f"{job['name']} ({job['format']})"
    found = RUNNERS[job["format"]]([job["path"]], inputs, len(inputs))
    if found.shape != expected.shape:
        raise InputError(
            f"{what} emits {list(found.shape)} for {list(inputs.shape)}; expected "
            f"{list(expected.shape)}, as Keras: nothing was written"
        )
    precision = job.get("quantization", "float32")
    difference = np.abs(found.astype("float64") - expected)
    # Where Keras itself gives no number, such as the logarithm of 0, the file has to give the same.
    difference[(found == expected) | (np.isnan(found) & np.isnan(expected))] = 0
    far = difference.max() if precision == "float32" else difference.mean()
    finite = np.abs(expected[np.isfinite(expected)])
    largest = float(finite.max()) if finite.size else 0.0
    if not far <= _TOLERANCES[precision] * largest + _NOTHING:
        raise InputError(
            f"{what} gives other numbers than Keras: they differ by {far:.3g} of {largest:.3g} in "
            f"{precision}; expected {_TOLERANCES[precision]:g} of that at most: nothing was written"
        )
