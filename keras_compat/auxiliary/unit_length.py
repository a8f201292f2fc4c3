"""Features of unit length, asked for by a loss (Appendix B.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import keras
from keras import ops

from keras_compat.auxiliary.base import Auxiliary

if TYPE_CHECKING:
    from keras_compat.data import ImageDataset

# Below it a length has no gradient: that of a square root is infinite at zero.
_SHORTEST = 1e-6


@keras.saving.register_keras_serializable("keras_compat")
class UnitLengthLoss(Auxiliary):
    """Pulls the feature vector at each position to length 1.

    It has no head, and uses the target task's features at no extra cost. Its loss is
    (length - 1)^2, the mean over positions: unlike (length^2 - 1)^2 it does not explode where
    features are long at first. It reports the mean length, which should come near 1.

    Source: paper Appendix B.1, "a loss to encourage these features to become unit length".

    Example:

    >>> import numpy as np
    >>> features = np.array([[[[3.0, 4.0], [0.6, 0.8]]]])
    >>> task = UnitLengthLoss()
    >>> float(task.loss(None, features)[0]), float(task.score(None, features)[0][0])
    (8.0, 3.0)
    """

    outputs = 0
    uses_head = False
    transforms_images = False
    score_name = "length"

    def __init__(self, name: str = "unit_length", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    @classmethod
    def for_dataset(cls, dataset: ImageDataset, seed: int | None = None) -> Self:
        return cls()

    def transform(self, images: Any, labels: Any, training: bool = True) -> tuple[Any, Any]:
        return images, labels

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Returns each image's loss `[B]`, the mean over positions."""
        return _over_positions(ops.square(_lengths(outputs) - 1))

    def score(self, targets: Any, outputs: Any) -> tuple[Any, Any]:
        """Returns each image's mean length of feature vectors, and 1: `[B]` each."""
        mean = _over_positions(_lengths(outputs))
        return mean, ops.ones_like(mean)


def _lengths(features: Any) -> Any:
    squares = ops.sum(ops.square(features), axis=-1)
    return ops.sqrt(ops.maximum(squares, _SHORTEST**2))


def _over_positions(values: Any) -> Any:
    return ops.mean(values, axis=tuple(range(1, len(values.shape))))
