"""Gathering of pixels by index, on every backend."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def gather_pixels(images: Any, places: Any) -> Any:
    """Returns the pixels of each image at given indices.

    Args:
        images: Images of any dtype, `[B, H, W, C]`.
        places: Indices in [0, H W), counted row by row in each image, int32 `[B, H', W']`.

    Returns:
        Images of the same dtype, `[B, H', W', C]`.

    Example:

    >>> import numpy as np
    >>> images = np.array([[[[1], [2]]], [[[3], [4]]]])
    >>> np.array(gather_pixels(images, np.array([[[1, 0]], [[0, 0]]]))).reshape(2, 2).tolist()
    [[2, 1], [3, 3]]
    """
    batch, height, width, channels = ops.shape(images)
    if keras.backend.backend() == "tensorflow":
        # Faster than `take_along_axis` there: see `benchmarks/rotation.py`.
        first = ops.reshape(ops.arange(batch, dtype="int32") * (height * width), (-1, 1, 1))
        return ops.take(ops.reshape(images, (-1, channels)), places + first, axis=0)
    # Indices within each image: a device reads its own part of the batch only.
    pixels = ops.reshape(images, (batch, height * width, channels))
    chosen = ops.reshape(places, (batch, -1, 1))
    gathered = ops.take_along_axis(pixels, chosen, axis=1)
    return ops.reshape(gathered, (*ops.shape(places), channels))
