"""A loss that makes features have unit length (Appendix B.1)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_compat.auxiliary.base import FeatureTask

# Shorter lengths have no gradient, since the gradient of a square root is infinite at 0.
_SHORTEST = 1e-6


@keras.saving.register_keras_serializable("keras_compat")
class UnitLengthLoss(FeatureTask):
    """Pulls the feature vector at each position to length 1.

    The task has no head, and uses the target task's features at no extra cost. Its loss is
    (length - 1)^2, the mean over positions. Unlike (length^2 - 1)^2 it is not huge for features
    that are long at first. The score is the mean length, which training brings near 1.

    Source: paper Appendix B.1, "a loss to encourage these features to become unit length".

    Example:

    >>> import numpy as np
    >>> features = np.array([[[[3.0, 4.0], [0.6, 0.8]]]])
    >>> task = UnitLengthLoss()
    >>> float(task.loss(None, features)[0]), float(task.score(None, features)[0][0])
    (8.0, 3.0)
    """

    score_name = "length"

    def __init__(self, name: str = "unit_length", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Returns each image's loss, `[B]`, the mean over positions."""
        return _over_positions(ops.square(_lengths(outputs) - 1))

    def score(self, targets: Any, outputs: Any) -> tuple[Any, Any]:
        """Returns the mean length of each image's feature vectors, and 1; `[B]` each."""
        mean = _over_positions(_lengths(outputs))
        return mean, ops.ones_like(mean)


def _lengths(features: Any) -> Any:
    squares = ops.sum(ops.square(features), axis=-1)
    return ops.sqrt(ops.maximum(squares, _SHORTEST**2))


def _over_positions(values: Any) -> Any:
    return ops.mean(values, axis=tuple(range(1, len(values.shape))))
