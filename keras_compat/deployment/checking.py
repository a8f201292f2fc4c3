"""Comparison of an exported file with Keras, before the file appears at its path."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_compat.deployment.run_exported import RUNNERS
from keras_compat.errors import InputError

_IMAGES = 2
_OPEN_SIZE = 128
"""Height and width for a model that takes any size; large enough for every known architecture."""

_TOLERANCES = {"float32": 1e-3, "float16": 0.05, "dynamic": 0.25, "int8": 0.25}
"""Largest allowed difference from Keras, as a fraction of the largest output. For float32 it bounds
each number, else the mean. Untrained networks reach a fifth of it."""

_ABSOLUTE_TOLERANCE = 1e-5
"""Absolute tolerance for outputs that are 0 in exact arithmetic."""


def sample_inputs(model: keras.Model, job: dict[str, Any]) -> np.ndarray:
    """Returns inputs to run a file on: the representative inputs of a job, or else random ones.

    Args:
        job: Request of an export, see `conversion`. A SavedModel's size may be None.

    Returns:
        float32 `[N, *shape]`. Integers that are not pixels are 0 or 1, because they may index a
        table of unknown length.
    """
    if job.get("representative"):
        return np.load(job["representative"], allow_pickle=False)[:_IMAGES]
    (taken,) = keras.tree.flatten(model.inputs)
    shape = [size or _OPEN_SIZE for size in job["input_shape"]]
    # Another batch size than the model's own reveals a model with a fixed batch size.
    batch = _IMAGES + (taken.shape[0] == _IMAGES)
    generator = np.random.default_rng(0)
    if len(shape) < 3 and not keras.backend.is_float_dtype(taken.dtype):
        return generator.integers(0, 2, (batch, *shape)).astype("float32")
    low, high = (0, 1) if job["input_name"] == "features" else (0, 255)
    return generator.uniform(low, high, (batch, *shape)).astype("float32")


def check_file(inputs: np.ndarray, expected: np.ndarray, job: dict[str, Any]) -> None:
    """Raises `InputError` if a file cannot be run or returns other numbers than Keras."""
    what = f"{job['name']} ({job['format']})"
    found = RUNNERS[job["format"]]([job["path"]], inputs, len(inputs))
    if found.shape != expected.shape:
        raise InputError(
            f"{what} emits {list(found.shape)} for {list(inputs.shape)}; expected "
            f"{list(expected.shape)}, as Keras: nothing was written"
        )
    precision = job.get("quantization", "float32")
    difference = np.abs(found.astype("float64") - expected)
    # Keras' own NaN and infinity, such as log(0), must be the same in the file.
    difference[(found == expected) | (np.isnan(found) & np.isnan(expected))] = 0
    far = difference.max() if precision == "float32" else difference.mean()
    finite = np.abs(expected[np.isfinite(expected)])
    largest = float(finite.max()) if finite.size else 0.0
    if not far <= _TOLERANCES[precision] * largest + _ABSOLUTE_TOLERANCE:
        raise InputError(
            f"{what} gives other numbers than Keras: they differ by {far:.3g} of {largest:.3g} in "
            f"{precision}; expected {_TOLERANCES[precision]:g} of that at most: nothing was written"
        )
