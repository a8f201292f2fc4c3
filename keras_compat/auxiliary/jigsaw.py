"""Compatibility through jigsaw puzzles (Appendix A)."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_compat.auxiliary.base import Auxiliary, draw_classes
from keras_compat.errors import InputError
from keras_compat.layers.pixels import gather_pixels

# Tiles along each side of an image.
GRID = 2
# All orders of the tiles, the unchanged one first.
ORDERS = np.array(list(permutations(range(GRID * GRID))), "int32")


def spread_orders(count: int) -> np.ndarray:
    """Returns orders of the tiles that differ in as many places as possible.

    The first is the unchanged order. Each next one has the largest Hamming distance to its nearest
    order among those chosen before (Noroozi and Favaro 2016, Algorithm 1).

    Args:
        count: Number of orders, 2 to 24.

    Returns:
        int32 `[count, 4]`: the old place of the tile at each new place; places count row by row.

    Raises:
        InputError: There are not so many orders.

    Example:

    >>> spread_orders(4).tolist()
    [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]
    """
    if not 2 <= count <= len(ORDERS):
        raise InputError(f"{count} permutations; expected 2 to {len(ORDERS)} of four tiles")
    distances = (ORDERS[:, None] != ORDERS[None]).sum(-1)
    chosen = [0]
    while len(chosen) < count:
        nearest = distances[chosen].min(0)
        chosen.append(int(nearest.argmax()))
    return ORDERS[chosen]


@keras.saving.register_keras_serializable("keras_compat")
class JigsawPuzzle(Auxiliary):
    """Predicts the order in which the four tiles of an image were put together again.

    The reordered tiles form one image (Carlucci et al. 2019), so the extractor needs one pass over
    as many images as there are. Four tiles have 24 orders. Images of odd height or width lose their
    last row or column.

    Args:
        outputs: Number of orders, 2 to 24; fewer than all are chosen far apart, see
            `spread_orders`.

    Raises:
        InputError: Four tiles do not have so many orders.

    Source: Noroozi and Favaro 2016 (https://arxiv.org/abs/1603.09246), who give a network one tile
    at a time; tiles in one image as in Carlucci et al. 2019 (https://arxiv.org/abs/1903.06864).

    Example:

    >>> import numpy as np
    >>> task = JigsawPuzzle(seed=0)
    >>> shown, targets = task.transform(np.zeros((6, 32, 32, 3), "float32"), None)
    >>> tuple(shown.shape), tuple(targets.shape), task.outputs
    ((6, 32, 32, 3), (6,), 24)
    """

    def __init__(
        self,
        outputs: int = len(ORDERS),
        seed: int | None = None,
        name: str = "jigsaw",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self._orders = spread_orders(outputs)
        self.outputs = outputs
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def transform(self, images: Any, labels: Any, training: bool = True) -> tuple[Any, Any]:
        batch = ops.shape(images)[0]
        targets = draw_classes(batch, self.outputs, self.seed_generator, training)
        return rearrange(images, ops.take(self._orders, targets, axis=0)), targets

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "outputs": self.outputs, "seed": self.seed}


def rearrange(images: Any, orders: Any) -> Any:
    """Puts the tiles of each image in another order.

    Args:
        images: `[B, H, W, C]`.
        orders: int32 `[B, 4]`: the old place of the tile at each new place.

    Returns:
        `[B, H', W', C]` of the same dtype, H' and W' even; no value is interpolated.

    Example:

    >>> import numpy as np
    >>> image = np.array([[1, 2], [3, 4]], "float32").reshape(1, 2, 2, 1)
    >>> np.array(rearrange(image, np.array([[3, 0, 1, 2]]))).reshape(2, 2).astype(int).tolist()
    [[4, 1], [2, 3]]
    """
    height, width = images.shape[1] // GRID, images.shape[2] // GRID
    places = np.arange(images.shape[1] * images.shape[2], dtype="int32")
    places = places.reshape(images.shape[1:3])[: GRID * height, : GRID * width]
    tiles = places.reshape(GRID, height, GRID, width).swapaxes(1, 2).reshape(-1, height, width)
    chosen = ops.reshape(ops.take(tiles, orders, axis=0), (-1, GRID, GRID, height, width))
    chosen = ops.transpose(chosen, (0, 1, 3, 2, 4))
    return gather_pixels(images, ops.reshape(chosen, (-1, GRID * height, GRID * width)))
