"""Compatibility through equal features (FM), without labels and without a head."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_compat import replica_ops
from keras_compat.auxiliary.base import FeatureTask

# Avoids a division by zero for constant features.
_SMALLEST_VARIANCE = 1e-6


@keras.saving.register_keras_serializable("keras_compat")
class FeatureMatching(FeatureTask):
    """Makes two extractors emit the same features for the same images (FM).

    The task has no head, and its extractor is `keras_compat.networks.side_by_side` of both. The
    loss is the squared difference of features divided by the sum of their variances: 0 for equal
    features, 1 for features of equal size that are not related. Variances are those of the batch,
    summed over channels, so smaller features do not make the loss smaller. The score is 1 minus the
    loss, which is the correlation if means and variances agree.

    The task needs both networks in one program, and images that both see. It needs no labels,
    common classes or head.

    Source: This project. It is the cross-correlation that the paper measures (Fig. 3) as a loss,
    and a symmetric form of the hints of Romero et al. 2015 (arXiv:1412.6550).

    Example:

    >>> import numpy as np
    >>> features = np.random.default_rng(0).normal(size=(2, 4, 4, 8)).astype("float32")
    >>> equal = np.concatenate([features, features], axis=-1)
    >>> turned = np.concatenate([features, -features], axis=-1)
    >>> task = FeatureMatching()
    >>> [round(float(np.mean(task.loss(None, pair)))) for pair in (equal, turned)]
    [0, 2]
    """

    score_name = "correlation"

    def __init__(self, name: str = "matching", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Returns each image's loss, `[B]`, given the features of both extractors, `[..., 2C]`."""
        one, other = ops.split(outputs, 2, axis=-1)
        axes = tuple(range(1, len(one.shape)))
        spread = ops.mean(_variances(one) + _variances(other))
        differences = ops.mean(ops.square(one - other), axis=axes)
        return differences / ops.maximum(spread, _SMALLEST_VARIANCE)

    def score(self, targets: Any, outputs: Any) -> tuple[Any, Any]:
        """Returns 1 minus each image's loss, and 1; `[B]` each."""
        loss = self.loss(targets, outputs)
        return 1 - loss, ops.ones_like(loss)


def _variances(features: Any) -> Any:
    """Returns the variance of each channel over the batch and all positions."""
    _, variances = replica_ops.moments(features, range(len(features.shape) - 1))
    return variances
