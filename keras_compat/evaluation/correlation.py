"""Correlation of the features of two extractors, channel by channel (Fig. 3)."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np
from scipy.optimize import linear_sum_assignment

from keras_compat.data import Examples, StreamedExamples
from keras_compat.errors import InputError
from keras_compat.evaluation.moments import feature_moments


def cross_correlation(
    extractor_a: keras.Model,
    extractor_b: keras.Model,
    examples: Iterable[Examples | StreamedExamples],
    batch_size: int = 512,
) -> np.ndarray:
    """Returns the Pearson correlation of each channel of one extractor with each of another.

    Every position of every image is a sample. Features are normalized with batch statistics.
    Images are read in batches, so that memory does not grow with their number.

    Args:
        extractor_b: Model from the same images; its features have the same height and width.
        examples: Sets of images, such as the test sets of both extractors' data.

    Returns:
        float64 `[channels_a, channels_b]`, from -1 to 1; 0 for a constant channel. The diagonal
        compares channels in their order; `optimal_permutation` finds the best order.

    Raises:
        InputError: If the features differ in height or width, or there are no images.

    Source: Li et al. 2016, "Convergent learning" (arXiv:1511.07543); Gygli et al. 2021, Fig. 3.

    Example:

    >>> from keras_compat.data import Examples
    >>> images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1), "uint8")
    >>> test = Examples(images, np.zeros(8, "int32"))
    >>> image = keras.Input((8, 8, 1))
    >>> extractor = keras.Model(image, keras.layers.Conv2D(4, 3)(image))
    >>> cross_correlation(extractor, extractor, [test]).diagonal().round(4).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    moments = feature_moments(extractor_a, extractor_b, examples, batch_size)
    return moments.correlation[moments.a, moments.b]


def optimal_permutation(correlation: np.ndarray) -> np.ndarray:
    """Returns the one-to-one matching of channels with the largest sum of correlations.

    Args:
        correlation: float `[channels, channels]`, see `cross_correlation`.

    Returns:
        int `[channels]`, each index once: channel i of the first extractor matches channel
        `result[i]` of the second.

    Raises:
        InputError: If the extractors have different numbers of channels.

    Source: Li et al. 2016 (bipartite matching); SciPy's `linear_sum_assignment` finds it.

    Example:

    >>> correlation = np.array([[0.1, 0.9], [0.2, 0.8]])
    >>> permutation = optimal_permutation(correlation)
    >>> permutation.tolist(), correlation[np.arange(2), permutation].tolist()
    ([1, 0], [0.9, 0.2])
    """
    if correlation.ndim != 2 or correlation.shape[0] != correlation.shape[1]:
        raise InputError(f"correlation has the shape {correlation.shape}; expected a square matrix")
    return linear_sum_assignment(correlation, maximize=True)[1]
