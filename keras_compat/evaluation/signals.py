"""What tells without labels whether a head works on an extractor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np
from scipy.special import softmax

from keras_compat.auxiliary.rotation import ROTATIONS, rotate, square
from keras_compat.errors import InputError
from keras_compat.evaluation.metrics import mutual_information
from keras_compat.evaluation.prediction import predicting
from keras_compat.networks import check_interface, check_logits

if TYPE_CHECKING:
    from keras_compat.data import Examples, StreamedExamples

# No division by zero where a channel is always the same.
_SMALLEST_VARIANCE = 1e-6
# Less than that, and the head tells nothing on its own extractor that could be recovered.
_SMALLEST_POSSIBLE = 1e-3
# Of channels: the spread of information over them is a few hundredths.
_PERMUTATIONS = 5


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and variance of each channel of some features, over images and positions: `[channels]`.

    Raises:
        InputError: if they are not of one shape, or a variance is negative.

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
    """Returns some images of a set, the same ones each time; labels are left out.

    Args:
        examples: the set.
        count: of images, at most.

    Returns:
        uint8 `[count, height, width, channels]`.

    Example:

    >>> from keras_compat.data import Examples
    >>> some_images(Examples(np.zeros((5, 8, 8, 1), "uint8"), np.zeros(5, "int32")), 3).shape
    (3, 8, 8, 1)
    """
    rows = np.random.default_rng(0).permutation(len(examples))[:count]
    batches = examples.subset(np.sort(rows)).evaluation_batches(count)
    return np.concatenate([images for images, _ in batches])


def channel_statistics(extractor: keras.Model, images: np.ndarray) -> ChannelStatistics:
    """Measures the features that an extractor emits, by batch statistics.

    Args:
        extractor: takes images, float32 `[batch, height, width, channels]` in [0, 255].
        images: uint8 `[N, height, width, channels]`, as one batch.

    Example:

    >>> from keras_compat import networks
    >>> extractor = networks.build_extractor("mobilenet_v2_small", (8, 8, 1), seed=0)
    >>> channel_statistics(extractor, np.zeros((4, 8, 8, 1), "uint8")).mean.shape
    (64,)
    """
    with predicting("batch", extractor) as (features,):
        found = np.asarray(features(images), "float64")
    axes = tuple(range(found.ndim - 1))
    return ChannelStatistics(found.mean(axes), found.var(axes))


def information(extractor: keras.Model, head: keras.Model, images: np.ndarray) -> float:
    """Returns how much the answers of a head on an extractor tell of images, without labels.

    Args:
        extractor: takes images, float32 `[batch, height, width, channels]` in [0, 255].
        head: takes what `extractor` emits and returns logits.
        images: uint8 `[N, height, width, channels]`, as one batch.

    Returns:
        The mutual information of images and predictions, as a part of the largest possible.

    Raises:
        InputError: if the head does not take what the extractor emits, or emits probabilities.

    Example:

    >>> from keras_compat import networks
    >>> extractor = networks.build_extractor("mobilenet_v2_small", (8, 8, 1), seed=0)
    >>> head = networks.build_head("mobilenet_v2_small", classes=3, seed=0)
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
    """Measures without labels whether a head works on an extractor; more is better in all.

    Everything by batch statistics, all images as one batch.

    Args:
        extractor: takes images, float32 `[batch, height, width, channels]` in [0, 255].
        head: takes what `extractor` emits and returns logits.
        images: of the extractor's kind, uint8 `[N, height, width, channels]`; some hundreds.
        rotation_head: of the head's family, with which the extractor may never have met.
        trained_on: the features that the head was trained on.
        own_information: that of the head on the extractor that it was trained on.
        mirror: whether an image and its mirror image have one meaning.

    Returns:
        `information`: the mutual information of images and predictions, as a part of the largest
        possible; `recovered`: where that lies between what is left of it when the channels are in
        another order, with which no head works (0), and `own_information`, or the largest possible
        (1); `confidence`: the mean of the highest probability; `agreement`: how often the
        prediction stays the same when the image is moved by a pixel, or mirrored too; and, where
        it is given what that needs, `features`: 1 / (1 + d), where d is the mean over channels of
        the Kullback-Leibler divergence of the features from those that the head was trained on,
        both as normal distributions; `rotation`: the accuracy of the rotation head.

    Raises:
        InputError: if a head does not take what the extractor emits or emits probabilities, or
            there is one image only.

    Example:

    >>> from keras_compat import networks
    >>> extractor = networks.build_extractor("mobilenet_v2_small", (8, 8, 1), seed=0)
    >>> head = networks.build_head("mobilenet_v2_small", classes=3, seed=0)
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
        axes = tuple(range(emitted.ndim - 1))
        now = ChannelStatistics(emitted.mean(axes, "float64"), emitted.var(axes, "float64"))
        found["features"] = 1 / (1 + divergence(now, trained_on))
    return found


def _information(logits: np.ndarray) -> float:
    """Mutual information of images and predictions, as a part of the largest possible."""
    scores = np.asarray(logits, "float64")
    return mutual_information(scores) / math.log(max(2, scores.shape[-1]))


def _permuted(features: np.ndarray) -> Iterator[np.ndarray]:
    """Features with their channels in another order, several times."""
    generator = np.random.default_rng(0)
    for _ in range(_PERMUTATIONS):
        yield features[..., generator.permutation(features.shape[-1])]


def divergence(one: ChannelStatistics, other: ChannelStatistics) -> float:
    """Returns the Kullback-Leibler divergence of normal distributions, mean over the channels.

    Args:
        one: from which it is taken.
        other: of as many channels.

    Example:

    >>> same = ChannelStatistics(np.zeros(2), np.ones(2))
    >>> float(divergence(same, same))
    0.0
    """
    variances = [np.maximum(x.variance, _SMALLEST_VARIANCE) for x in (one, other)]
    ratio = variances[0] / variances[1]
    shift = (one.mean - other.mean) ** 2 / variances[1]
    return float(np.mean(ratio + shift - 1 - np.log(ratio)) / 2)
