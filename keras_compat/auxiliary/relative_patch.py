"""Compatibility through the relative location of two patches."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_compat.auxiliary.base import Auxiliary, draw_classes
from keras_compat.layers.pixels import gather_pixels

# Patches along each side of an image; the middle one has a neighbour at each of the other places.
GRID = 3
NEIGHBOURS = GRID * GRID - 1


def patch_pairs(height: int, width: int) -> np.ndarray:
    """Returns where the pixels of an image with two patches side by side come from.

    The left half is the middle patch, the right half one of its neighbours, each stretched to the
    height of the image and half of its width.

    Args:
        height: Height of the images in pixels, 3 or more.
        width: Width of the images in pixels, 3 or more.

    Returns:
        Indices for `gather_pixels`, int32 `[8, height, width]`, by neighbour, row by row.

    Example:

    >>> patch_pairs(3, 3)[0].tolist()
    [[4, 0, 0], [4, 0, 0], [4, 0, 0]]
    """
    high, wide, half = height // GRID, width // GRID, width // 2
    row = np.arange(height)[:, None] * high // height
    columns = [np.arange(size) * wide // size for size in (half, width - half)]

    def patch(number: int, column: np.ndarray) -> np.ndarray:
        top, left = divmod(number, GRID)
        return (top * high + row) * width + left * wide + column

    middle = NEIGHBOURS // 2
    others = [number for number in range(NEIGHBOURS + 1) if number != middle]
    pairs = [np.hstack([patch(middle, columns[0]), patch(n, columns[1])]) for n in others]
    return np.array(pairs, "int32")


@keras.saving.register_keras_serializable("keras_compat")
class RelativePatchLocation(Auxiliary):
    """Predicts at which of eight places around the middle patch of an image another patch was.

    Both patches form one image, so the extractor needs one pass over as many images as there are.

    Args:
        seed: Seed of the random choice of neighbours.

    Source: Doersch, Gupta and Efros 2015 (https://arxiv.org/abs/1505.05192), who give a network
    each patch by itself.

    Example:

    >>> import numpy as np
    >>> task = RelativePatchLocation(seed=0)
    >>> shown, targets = task.transform(np.zeros((6, 32, 32, 3), "float32"), None)
    >>> tuple(shown.shape), tuple(targets.shape), task.outputs
    ((6, 32, 32, 3), (6,), 8)
    """

    outputs = NEIGHBOURS

    def __init__(self, seed: int | None = None, name: str = "relative_patch", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def transform(self, images: Any, labels: Any, training: bool = True) -> tuple[Any, Any]:
        batch = ops.shape(images)[0]
        targets = draw_classes(batch, NEIGHBOURS, self.seed_generator, training)
        places = ops.take(patch_pairs(*images.shape[1:3]), targets, axis=0)
        return gather_pixels(images, places), targets

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
