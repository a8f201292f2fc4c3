"""Signals, without labels, of whether a head works on an extractor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
from scipy.special import softmax

from keras_compat.auxiliary.rotation import ROTATIONS, rotate, square
from keras_compat.data import Examples, StreamedExamples
from keras_compat.errors import InputError
from keras_compat.evaluation.metrics import mutual_information
from keras_compat.evaluation.prediction import predicting
from keras_compat.networks import check_interface, check_logits

# Avoids division by zero for a constant channel.
_SMALLEST_VARIANCE = 1e-6
# With less, the head has no information on its own extractor that could be recovered.
_SMALLEST_POSSIBLE = 1e-3
# Number of channel permutations: the information varies by a few hundredths over them.
_PERMUTATIONS = 5


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and variance of each channel over images and positions, `[channels]`.

    Raises:
        InputError: If their shapes differ, or a variance is negative.

    Example:

    >>> len(ChannelStatistics(np.zeros(8), np.ones(8)).mean)
    8
    """

    mean: np.ndarray
    variance: np.ndarray

    def __post_init__(self) -> None:
        mean, variance = np.asarray(self.mean), np.asarray(self.variance)
        if mean.ndim != 1 or mean.shape != variance.shape or (variance < 0).any():
            raise InputError(
                f"mean of shape {mean.shape} and variance of shape {variance.shape}; expected two "
                "of [channels], and no variance below zero"
            )


def some_images(examples: Examples | StreamedExamples, count: int) -> np.ndarray:
    """Returns a fixed random choice of images, uint8 `[count, height, width, channels]`.

    Args:
        count: Maximum number of images.

    Example:

    >>> from keras_compat.data import Examples
    >>> some_images(Examples(np.zeros((5, 8, 8, 1), "uint8"), np.zeros(5, "int32")), 3).shape
    (3, 8, 8, 1)
    """
    rows = np.random.default_rng(0).permutation(len(examples))[:count]
    batches = examples.subset(np.sort(rows)).evaluation_batches(count)
    return np.concatenate([images for images, _ in batches])


def channel_statistics(extractor: keras.Model, images: np.ndarray) -> ChannelStatistics:
    """Returns the channel statistics of an extractor's features, with batch statistics.

    Args:
        images: Images as one batch, uint8 `[N, height, width, channels]`.

    Example:

    >>> extractor = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.AveragePooling2D(4)])
    >>> channel_statistics(extractor, np.zeros((4, 8, 8, 1), "uint8")).mean.shape
    (1,)
    """
    with predicting("batch", extractor) as (features,):
        return _statistics(features(images))


def information(extractor: keras.Model, head: keras.Model, images: np.ndarray) -> float:
    """Returns the mutual information of images and predictions, relative to the maximum.

    Args:
        images: Images as one batch, uint8 `[N, height, width, channels]`.

    Raises:
        InputError: If the head does not fit the extractor, or returns probabilities.

    Example:

    >>> extractor = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.AveragePooling2D(4)])
    >>> head = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])  # 4 classes
    >>> images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1), "uint8")
    >>> 0 < information(extractor, head, images) < 1
    True
    """
    check_interface(extractor, head)
    check_logits(head)
    with predicting("batch", extractor, head) as (features, logits):
        return _information(logits(features(images)))


def compatibility_signals(
    extractor: keras.Model,
    head: keras.Model,
    images: np.ndarray,
    *,
    rotation_head: keras.Model | None = None,
    trained_on: ChannelStatistics | None = None,
    own_information: float | None = None,
    mirror: bool = True,
) -> dict[str, float]:
    """Returns signals of compatibility that need no labels; higher is better for each.

    All images are one batch, normalized with batch statistics. The signals are:

    - `information`: Mutual information of images and predictions, relative to the maximum.
    - `recovered`: `information`, rescaled. 0 is its value after a permutation of the channels, with
      which no head works; 1 is `own_information`, by default the maximum.
    - `confidence`: Mean of the highest probability.
    - `agreement`: Fraction of predictions that stay the same for an image shifted by a pixel and,
      with `mirror`, for the mirrored shifted image.
    - `features`, only with `trained_on`: 1 / (1 + d), where d is the Kullback-Leibler divergence of
      the features from `trained_on`, as normal distributions, averaged over channels.
    - `rotation`, only with `rotation_head`: Accuracy of the rotation head.

    Args:
        images: Some hundreds of the extractor's images, uint8 `[N, height, width, channels]`.
        rotation_head: Rotation head that the head was trained with; the extractor may have been
            trained without it.
        trained_on: Statistics of the features that the head was trained on.
        own_information: Information of the head on the extractor that it was trained on.
        mirror: Whether a mirrored image keeps its meaning.

    Raises:
        InputError: If a head does not fit the extractor or returns probabilities, or if there are
            fewer than two images.

    Example:

    >>> extractor = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.AveragePooling2D(4)])
    >>> head = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])  # 4 classes
    >>> images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1), "uint8")
    >>> sorted(compatibility_signals(extractor, head, images))
    ['agreement', 'confidence', 'information', 'recovered']
    """
    for part in (head, rotation_head):
        if part is not None:
            check_interface(extractor, part)
            check_logits(part)
    if len(images) < 2:
        raise InputError(f"{len(images)} images; expected some hundreds, and two at least")
    parts = [extractor, head] + ([] if rotation_head is None else [rotation_head])
    with predicting("batch", *parts) as (features, logits, *rotation):
        emitted = np.asarray(features(images))
        scores = np.asarray(logits(emitted), "float64")
        moved = np.roll(images, 1, axis=2)
        others = [moved, moved[:, :, ::-1]] if mirror else [moved]
        told = _information(scores)
        permuted = np.mean([_information(logits(x)) for x in _permuted(emitted)])
        possible = (1.0 if own_information is None else own_information) - permuted
        recovered = (told - permuted) / possible if possible > _SMALLEST_POSSIBLE else 0.0
        found = {
            "information": told,
            "recovered": float(recovered),
            "confidence": float(softmax(scores, axis=-1).max(-1).mean()),
            "agreement": float(
                np.mean([scores.argmax(-1) == logits(features(x)).argmax(-1) for x in others])
            ),
        }
        for predict in rotation:
            turns = np.arange(len(images), dtype="int32") % ROTATIONS
            turned = keras.ops.convert_to_numpy(rotate(square(images), turns))
            found["rotation"] = float(np.mean(predict(features(turned)).argmax(-1) == turns))
    if trained_on is not None:
        found["features"] = 1 / (1 + divergence(_statistics(emitted), trained_on))
    return found


def _statistics(features: np.ndarray) -> ChannelStatistics:
    features = np.asarray(features, "float64")
    axes = tuple(range(features.ndim - 1))
    return ChannelStatistics(features.mean(axes), features.var(axes))


def _information(logits: np.ndarray) -> float:
    scores = np.asarray(logits, "float64")
    return mutual_information(scores) / math.log(max(2, scores.shape[-1]))


def _permuted(features: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the features with several permutations of their channels."""
    generator = np.random.default_rng(0)
    for _ in range(_PERMUTATIONS):
        yield features[..., generator.permutation(features.shape[-1])]


def divergence(one: ChannelStatistics, other: ChannelStatistics) -> float:
    """Returns the Kullback-Leibler divergence of `one` from `other`, averaged over channels.

    Args:
        one: Statistics, taken as those of a normal distribution for each channel.

    Example:

    >>> same = ChannelStatistics(np.zeros(2), np.ones(2))
    >>> float(divergence(same, same))
    0.0
    """
    variances = [np.maximum(x.variance, _SMALLEST_VARIANCE) for x in (one, other)]
    ratio = variances[0] / variances[1]
    shift = (one.mean - other.mean) ** 2 / variances[1]
    return float(np.mean(ratio + shift - 1 - np.log(ratio)) / 2)
