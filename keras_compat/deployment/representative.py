"""Representative inputs: typical inputs from which a LiteRT file takes its ranges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_compat.errors import InputError

PIXELS = (0.0, 255.0)
_RANGES = ((0.0, 1.0), (-1.0, 1.0))
"""Most common ranges of pixels after preprocessing outside of a network."""
_FEWEST = 10


def check_representative(inputs: Any, shape: Sequence[int], path: str | Path) -> None:
    """Raises `InputError` unless inputs show the range of values that a file will get.

    Args:
        inputs: Array `[N, *shape]` of numbers from the user, or None.

    Raises:
        InputError: If the shape or the type does not fit, there are fewer than 10 inputs, a value
            is not finite, or all values are equal.

    Example:

    >>> check_representative(np.full((10, 2), 3.0), (2,), "head.tflite")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: representative for head.tflite holds nothing but 3; ...
    """
    what = f"representative for {path}"
    found = None if inputs is None else np.shape(inputs)
    if found is None or found[1:] != tuple(shape) or not found[0]:
        raise InputError(
            f"{what} is of shape {found}; expected some hundred inputs of {tuple(shape)}, from "
            "which the 8-bit ranges are measured"
        )
    values = np.asarray(inputs)
    if values.dtype.kind not in "buif":
        raise InputError(f"{what} is of type {values.dtype}; expected numbers")
    if len(values) < _FEWEST:
        raise InputError(
            f"{what} holds {len(values)} inputs; expected {_FEWEST} or more, better some hundreds, "
            "from which the 8-bit ranges are measured"
        )
    low, high = values.min(), values.max()
    if not np.isfinite([low, high]).all():
        raise InputError(f"{what} has NaN or infinite values; expected finite ones")
    if low == high:
        raise InputError(f"{what} holds nothing but {low:g}; expected typical inputs of the model")


def image_range(
    images: Any, uint8_input: bool, path: str | Path
) -> tuple[tuple[float, float], bool]:
    """Returns the range of the images that a file takes.

    Args:
        images: Array `[N, ...]` that `check_representative` accepted, or None for pixels.

    Returns:
        The lower and the upper end, and whether they are a black and a white pixel.

    Raises:
        InputError: If the file is to take uint8 and the model's range of pixels is unknown.

    Example:

    >>> image_range(np.array([0.0, 0.2, 0.9]), False, "a.tflite")
    ((0.0, 1.0), True)
    >>> image_range(np.array([40, 200], "uint8"), False, "a.tflite")
    ((0.0, 255.0), True)
    >>> image_range(np.array([-2.1, 2.6]), False, "a.tflite")
    ((-2.1, 2.6), False)
    """
    if images is None:
        return PIXELS, True
    values = np.asarray(images)
    low, high = float(values.min()), float(values.max())
    for start, end in _RANGES:
        if (
            start <= low
            and high <= end
            and high - low > (end - start) / 2
            and not (uint8_input and values.dtype.kind in "ui")
        ):
            return (start, end), True
    dark = high <= PIXELS[1] / 2
    if low >= 0 and 1 < high <= 255 and (uint8_input or values.dtype == np.uint8 or not dark):
        return PIXELS, True
    if uint8_input:
        raise InputError(
            f"uint8_input=True for {path} and representative from {low:g} to {high:g}; expected "
            "images in [0, 255], [0, 1] or [-1, 1], whose pixel values are known"
        )
    return (low, high), False
