"""Baseline: least-squares map of the features to those of the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import pinvh

from keras_compat.evaluation.baselines.linear_map import LinearMap
from keras_compat.evaluation.moments import Moments

# Components with a smaller variance relative to the largest are mostly float32 rounding.
_RANK_TOLERANCE = 1e-6


@dataclass(frozen=True)
class LeastSquares(LinearMap):
    """Linear map of standardized features with the least squared error.

    If channels are linear combinations of others or constant, there are several solutions; this is
    the one with the smallest weights.

    Source: Csiszárik et al. 2021, "Similarity and Matching of Neural Network Representations"
    (arXiv:2110.14633), direct matching by least squares.

    Example:

    >>> LeastSquares(images=500).needs
    'up to 500 images through both'
    """

    def fit(self, moments: Moments) -> np.ndarray:
        inverse = pinvh(moments.correlation_aa, rtol=_RANK_TOLERANCE)
        kernel = inverse @ moments.correlation_ab
        varying = moments.deviation_a > 0
        deviation = np.where(varying, moments.deviation_a, np.inf)
        return kernel / deviation[:, None] * moments.deviation_b
