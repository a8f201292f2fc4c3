"""Compatibility through equal features, without labels and without a head."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_compat import replica_ops
from keras_compat.auxiliary.base import FeatureTask

# Against the division by zero of features that are constant.
_SMALLEST_VARIANCE = 1e-6


@keras.saving.register_keras_serializable("keras_compat")
class FeatureMatching(FeatureTask):
    """Two extractors are to emit the same features for the same images (FM).

    It has no head, and its task's extractor is `keras_compat.networks.side_by_side` of both. The
    loss is the squared difference as a part of the variance of both: 0 where they agree, 1 where
    equally large features have nothing to do with each other. Variances are those of the batch,
    summed over channels, so that smaller features do not make the loss smaller. It reports 1
    minus the loss: where means and variances agree, that is the correlation.

    Unlike the tasks of a shared head it needs both networks in one program, and images that both
    see; it needs no labels, no common classes and no head.

    Source: ours. It is the cross-correlation that the paper measures (Fig. 3) as a loss, and a
    symmetric form of the hints of Romero et al. 2015 (arXiv:1412.6550).

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
        """Returns each image's part of the loss `[B]`; `outputs` are both features, `[..., 2C]`."""
        one, other = ops.split(outputs, 2, axis=-1)
        axes = tuple(range(1, len(one.shape)))
        spread = ops.mean(_variances(one) + _variances(other))
        differences = ops.mean(ops.square(one - other), axis=axes)
        return differences / ops.maximum(spread, _SMALLEST_VARIANCE)

    def score(self, targets: Any, outputs: Any) -> tuple[Any, Any]:
        """Returns 1 minus each image's part of the loss, and 1: `[B]` each."""
        loss = self.loss(targets, outputs)
        return 1 - loss, ops.ones_like(loss)


def _variances(features: Any) -> Any:
    """Returns the variance of each channel over the batch and all positions."""
    _, variances = replica_ops.moments(features, range(len(features.shape) - 1))
    return variances
