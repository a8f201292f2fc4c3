"""Baseline: permutation of channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_compat.evaluation.baselines.linear_map import LinearMap
from keras_compat.evaluation.correlation import optimal_permutation
from keras_compat.evaluation.moments import Moments


@dataclass(frozen=True)
class Permutation(LinearMap):
    """Permutation of channels with the best correlation with the target's extractor.

    Channels are not scaled or shifted.

    Source: Li et al. 2016, "Convergent learning" (arXiv:1511.07543); Gygli et al. 2021, Fig. 3.

    Example:

    >>> Permutation(images=500).needs
    'up to 500 images through both'
    """

    def fit(self, moments: Moments) -> np.ndarray:
        permutation = optimal_permutation(moments.correlation_ab)
        return np.eye(len(permutation))[permutation]

    def offset(self, moments: Moments, kernel: np.ndarray) -> np.ndarray:
        return np.zeros(kernel.shape[1])
