"""Compatibility through rotation prediction (RP, Sec. 3.1)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_compat.auxiliary.base import Auxiliary, draw_classes
from keras_compat.choices import ALL, RANDOM, ROTATION_ASSIGNMENTS, check_choice
from keras_compat.layers.pixels import gather_pixels

ROTATIONS = 4


def square(images: Any) -> Any:
    """Returns the central square of each image: `[B, H, W, C]` to `[B, S, S, C]`."""
    height, width = images.shape[1], images.shape[2]
    size = min(height, width)
    top, left = (height - size) // 2, (width - size) // 2
    return images[:, top : top + size, left : left + size, :]


def rotate(images: Any, quarters: Any) -> Any:
    """Turns each square image counter-clockwise by its number of quarter turns.

    Args:
        images: `[B, S, S, C]`.
        quarters: int32 `[B]`, 0 to 3.

    Returns:
        `[B, S, S, C]` of the same dtype; no value is interpolated.

    Example:

    >>> import numpy as np
    >>> image = np.array([[1, 2], [3, 4]], "float32").reshape(1, 2, 2, 1)
    >>> np.array(rotate(image, np.array([1]))).reshape(2, 2).astype(int).tolist()
    [[2, 4], [1, 3]]
    """
    # Flips would be slow: TensorFlow's graphs are slow on slices of negative steps.
    size = images.shape[1]
    places = np.arange(size * size, dtype="int32").reshape(size, size)
    turned = np.stack([np.rot90(places, quarter) for quarter in range(ROTATIONS)])
    return gather_pixels(images, ops.take(turned, quarters, axis=0))


@keras.saving.register_keras_serializable("keras_compat")
class RotationPrediction(Auxiliary):
    """Predicts the angle, 0, 90, 180 or 270 degrees, of a turned image (paper Sec. 3.1, Eq. 1).

    Images that are not square lose their margins first, so that all four angles give one shape.

    Args:
        assignment: `"random"` draws one angle for each image and step, and is cyclic in
            evaluation. `"cyclic"` gives image i of a batch the angle i mod 4, without random
            numbers. `"all"` shows all four angles of each image and averages, as Eq. 1 is
            written, at four times the cost.

    Raises:
        InputError: The assignment is unknown.

    Example:

    >>> import numpy as np
    >>> task = RotationPrediction(assignment="all")
    >>> images, targets = task.transform(np.zeros((2, 6, 4, 1), "float32"), np.array([0, 1]))
    >>> tuple(images.shape), [int(t) for t in targets]
    ((8, 4, 4, 1), [0, 0, 1, 1, 2, 2, 3, 3])
    """

    outputs = ROTATIONS

    def __init__(
        self,
        assignment: str = RANDOM,
        seed: int | None = None,
        name: str = "rotation",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        check_choice("rotation_assignment", assignment, ROTATION_ASSIGNMENTS)
        self.assignment = assignment
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.shows_each_once = assignment != ALL

    def transform(self, images: Any, labels: Any, training: bool = True) -> tuple[Any, Any]:
        images = square(images)
        batch = ops.shape(images)[0]
        if self.assignment == ALL:
            targets = ops.repeat(ops.arange(ROTATIONS, dtype="int32"), batch)
            images = ops.concatenate([images] * ROTATIONS, axis=0)
        else:
            draw = training and self.assignment == RANDOM
            targets = draw_classes(batch, ROTATIONS, self.seed_generator, draw)
        return rotate(images, targets), targets

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "assignment": self.assignment, "seed": self.seed}
