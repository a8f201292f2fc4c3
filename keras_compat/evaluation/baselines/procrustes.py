"""Baseline: orthogonal map of the features to those of the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import polar

from keras_compat.evaluation.baselines.linear_map import LinearMap
from keras_compat.evaluation.moments import Moments


@dataclass(frozen=True)
class Procrustes(LinearMap):
    """Orthogonal map of standardized features with the least squared error.

    Features are centred and divided by one scale, the root of the summed variances, as is usual
    for this map. A scale for each channel would destroy an orthogonal relation.

    Source: Schönemann 1966, "A generalized solution of the orthogonal Procrustes problem";
    Ding et al. 2021, "Grounding Representation Similarity with Statistical Testing"
    (arXiv:2108.01661).

    Example:

    >>> Procrustes(images=500).needs
    'up to 500 images through both'
    """

    def fit(self, moments: Moments) -> np.ndarray:
        orthogonal, _ = polar(moments.covariance_ab)
        scale = np.linalg.norm(moments.deviation_b) / np.linalg.norm(moments.deviation_a)
        return scale * orthogonal
