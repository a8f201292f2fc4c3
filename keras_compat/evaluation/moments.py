"""Moments of the features of two extractors on the same images."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np

from keras_compat.data import Examples, StreamedExamples
from keras_compat.errors import InputError
from keras_compat.evaluation.prediction import predicting

# Maximum number of samples in float64 at once.
_ROWS = 2**14
# A channel with a smaller deviation relative to its mean is constant up to float32 rounding.
_CONSTANT = 1e-6


class Moments:
    """Means, deviations and correlations of two sets of channels, for any number of samples.

    The channels of both sets are in one array; the slices `a` and `b` select a set. Batches are
    merged in float64 as by Chan, Golub and LeVeque (1983), which is precise for large means.

    Example:

    >>> moments = Moments(1, 1)
    >>> moments.add(np.array([[1.0], [2.0]]), np.array([[4.0], [2.0]]))
    >>> moments.add(np.array([[3.0]]), np.array([[0.0]]))
    >>> moments.mean.tolist(), moments.correlation[moments.a, moments.b].round(6).tolist()
    ([2.0, 2.0], [[-1.0]])
    """

    def __init__(self, channels_a: int, channels_b: int):
        self.count = 0
        self.a, self.b = slice(0, channels_a), slice(channels_a, channels_a + channels_b)
        self.mean = np.zeros(channels_a + channels_b)
        self._comoment = np.zeros((channels_a + channels_b,) * 2)

    def add(self, samples_a: np.ndarray, samples_b: np.ndarray) -> None:
        """Adds samples, float `[N, channels_a]` and `[N, channels_b]`."""
        for first in range(0, len(samples_a), _ROWS):
            rows = slice(first, first + _ROWS)
            self._merge(np.hstack([samples_a[rows], samples_b[rows]]).astype("float64"))

    def _merge(self, samples: np.ndarray) -> None:
        mean = samples.mean(axis=0)
        difference = mean - self.mean
        total = self.count + len(samples)
        centred = samples - mean
        self._comoment += centred.T @ centred
        self._comoment += np.outer(difference, difference) * (self.count * len(samples) / total)
        self.mean += difference * (len(samples) / total)
        self.count = total

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviations, float64 `[channels]`; zero for a constant channel."""
        deviation = np.sqrt(np.diagonal(self._comoment) / max(self.count, 1))
        return np.where(deviation > _CONSTANT * np.abs(self.mean), deviation, 0.0)

    @property
    def covariance(self) -> np.ndarray:
        """Covariances, float64 `[channels, channels]`."""
        return self._comoment / self.count

    @property
    def correlation(self) -> np.ndarray:
        """Pearson correlations, float64 `[channels, channels]`; zero for a constant channel."""
        divisor = np.where(self.deviation > 0, self.deviation, np.inf)
        return self.covariance / np.outer(divisor, divisor)


def feature_moments(
    extractor_a: keras.Model,
    extractor_b: keras.Model,
    examples: Iterable[Examples | StreamedExamples],
    batch_size: int = 512,
) -> Moments:
    """Returns the moments of the channels of two extractors; each position is a sample.

    Args:
        extractor_b: Model from the same images; its features have the same height and width.
        examples: Sets of images; labels are not used.
        batch_size: Maximum number of images in a batch, normalized with its own statistics.

    Raises:
        InputError: If the features differ in height or width, or there are no images.
    """
    moments = None
    with predicting("batch", extractor_a, extractor_b) as (features_a, features_b):
        for each in examples:
            for images, _ in each.evaluation_batches(batch_size):
                a, b = features_a(images), features_b(images)
                if a.shape[:-1] != b.shape[:-1]:
                    raise InputError(
                        f"extractor {extractor_a.name!r} emits {a.shape[1:]} and "
                        f"{extractor_b.name!r} {b.shape[1:]}; expected the same height and width"
                    )
                if moments is None:
                    moments = Moments(a.shape[-1], b.shape[-1])
                moments.add(a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1]))
    if moments is None:
        raise InputError("there are no images; expected at least one")
    return moments
