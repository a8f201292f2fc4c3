"""Baselines that map the features of an extractor linearly to those of the target's extractor."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.linalg import pinvh, polar

from keras_compat.evaluation.baselines.base import (
    IMAGES,
    STATISTICS_BATCH,
    Baseline,
    Connected,
    Pair,
)
from keras_compat.evaluation.baselines.connection import connected_extractor
from keras_compat.evaluation.correlation import optimal_permutation
from keras_compat.evaluation.moments import Moments, feature_moments

# Components with a smaller variance relative to the largest are mostly float32 rounding.
_RANK_TOLERANCE = 1e-6


@dataclass(frozen=True)
class LinearMap(Baseline):
    """1x1 convolution from the features of an extractor to those of the target's extractor.

    It is fitted on unlabelled images that both extractors see; each position is a sample. Features
    are normalized with batch statistics, as in evaluation.

    Args:
        images: Maximum number of images of the extractor's data.
    """

    images: int = IMAGES

    @property
    def needs(self) -> str:
        return f"up to {self.images:,} images through both"

    def connect(self, pair: Pair) -> Connected:
        moments = feature_moments(
            pair.extractor, pair.target_extractor, [pair.draw(self.images)], STATISTICS_BATCH
        )
        kernel = self.fit(moments)
        bias = self.offset(moments, kernel)
        return Connected(connected_extractor(pair.extractor, kernel, bias), pair.target_head)

    @abstractmethod
    def fit(self, moments: Moments) -> np.ndarray:
        """Returns the kernel, float `[channels, target channels]`."""

    def offset(self, moments: Moments, kernel: np.ndarray) -> np.ndarray:
        """Returns the bias; by default the mapped features have the means of the target."""
        return moments.mean[moments.b] - moments.mean[moments.a] @ kernel


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
        permutation = optimal_permutation(moments.correlation[moments.a, moments.b])
        return np.eye(len(permutation))[permutation]

    def offset(self, moments: Moments, kernel: np.ndarray) -> np.ndarray:
        return np.zeros(kernel.shape[1])


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
        orthogonal, _ = polar(moments.covariance[moments.a, moments.b])
        deviation = moments.deviation
        scale = np.linalg.norm(deviation[moments.b]) / np.linalg.norm(deviation[moments.a])
        return scale * orthogonal


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
        correlation, deviation = moments.correlation, moments.deviation
        inverse = pinvh(correlation[moments.a, moments.a], rtol=_RANK_TOLERANCE)
        kernel = inverse @ correlation[moments.a, moments.b]
        own = np.where(deviation[moments.a] > 0, deviation[moments.a], np.inf)
        return kernel / own[:, None] * deviation[moments.b]
