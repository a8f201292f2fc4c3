"""Random views of images: cropped, mirrored and recoloured."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_compat import replica_ops

# Half of SimCLR's colour distortion, its choice for CIFAR-10 (Chen et al. 2020, App. B.9).
_JITTER = 0.4
_HUE = 0.1 * 2 * math.pi
_GREY_PROBABILITY = 0.2
# The most ratio of width to height of a crop, and of height to width.
_ASPECT = 4 / 3

# Random numbers for each view.
_NUMBERS = 10
# The numbers for evaluation, since the same seed draws others with XLA and on other backends. Their
# count is prime, so that two views of an image in a large batch get different ones.
_FIXED = np.random.default_rng(0).random((_NUMBERS, 4093), dtype="float32")


def random_views(
    images: Any,
    generator: keras.random.SeedGenerator,
    training: bool,
    smallest_area: float,
    flip: bool,
) -> Any:
    """Returns a view of each image: a crop at the image's size, recoloured, maybe mirrored.

    Each image has random numbers of its own. Products of small matrices make the views, so no
    pixel is gathered by its index.

    Args:
        images: `[B, H, W, C]` in [0, 255].
        training: Whether numbers are drawn. `False` gives image i of a batch always the same view.
        smallest_area: Least share of an image that a crop covers.
        flip: Whether half of the views are mirrored left to right.

    Returns:
        `[B, H, W, C]` of the same dtype, in [0, 255].

    Source: Chen et al. 2020 (https://arxiv.org/abs/2002.05709), App. A, without blur, as for
    CIFAR-10 there. The authors recolour four fifths of the images; here all are recoloured.
    """
    batch, height, width, _ = ops.shape(images)
    # Half precision is too coarse for places.
    precise = keras.backend.result_type(images.dtype, "float32")
    if training:
        numbers = replica_ops.drawn(
            lambda shape: keras.random.uniform(shape, dtype=precise, seed=generator),
            (_NUMBERS, batch),
            axis=1,
        )
    else:
        fixed = ops.convert_to_tensor(_FIXED, dtype=precise)
        numbers = ops.take(fixed, ops.arange(batch, dtype="int32") % _FIXED.shape[1], axis=1)
    area, aspect, top, left, mirrored, *colours = (numbers[i] for i in range(_NUMBERS))
    area = smallest_area + (1 - smallest_area) * area
    aspect = ops.exp((2 * aspect - 1) * math.log(_ASPECT))
    rows = _places(ops.sqrt(area / aspect), top, height)
    columns = _places(ops.sqrt(area * aspect), left, width)
    if flip:
        columns = ops.where(mirrored[:, None] < 0.5, columns[:, ::-1], columns)
    views = _recoloured(_sampled(ops.cast(images, precise), rows, columns), *colours)
    return ops.cast(ops.clip(views, 0, 255), images.dtype)


def _places(share: Any, place: Any, size: Any) -> Any:
    """Returns the place along an axis of the image of each pixel of its crop.

    Args:
        share: Share of the axis that the crop covers, `[B]`; more than 1 counts as 1.
        place: Place of the crop, `[B]`, from 0 (first pixels) to 1 (last pixels).
        size: Pixels of the axis.

    Returns:
        `[B, size]`, in [0, size - 1].
    """
    share, place = ops.minimum(share, 1.0)[:, None], place[:, None]
    count = ops.cast(size, share.dtype)
    # The centre of a pixel is at half a pixel.
    inside = (ops.arange(size, dtype=share.dtype)[None] + 0.5) * share
    return ops.clip(inside + (1 - share) * place * count - 0.5, 0, count - 1)


def _sampled(images: Any, rows: Any, columns: Any) -> Any:
    """Returns bilinear samples of the images at rows `[B, H]` and columns `[B, W]`."""
    height, width = ops.shape(images)[1:3]
    views = ops.einsum("byh,bhwc->bywc", _bilinear(rows, height), images)
    return ops.einsum("bxw,bywc->byxc", _bilinear(columns, width), views)


def _bilinear(places: Any, size: Any) -> Any:
    """Returns the weight of each pixel along an axis at each place, `[B, places, size]`."""
    pixels = ops.arange(size, dtype=places.dtype)
    return ops.maximum(1 - ops.abs(places[:, :, None] - pixels), 0)


def _recoloured(
    images: Any, brightness: Any, contrast: Any, saturation: Any, hue: Any, grey: Any
) -> Any:
    """Changes the colours of each image by its own amounts, `[B]` each in [0, 1).

    All changes are linear in a pixel's channels, so one matrix for each image makes them. Hue turns
    colours about the axis of greys, and saturation scales them across it. On grey images only
    brightness and contrast have an effect.
    """
    brightness, contrast, saturation = (
        (1 + _JITTER * (2 * amount - 1))[:, None, None]
        for amount in (brightness, contrast, saturation)
    )
    angle = _HUE * (2 * hue - 1)[:, None, None]
    saturation = ops.where(grey[:, None, None] < _GREY_PROBABILITY, 0.0, saturation)
    channels = images.shape[-1]
    identity = np.eye(channels)
    along = np.full((channels, channels), 1 / channels)
    # The matrix of a quarter turn about the axis of greys.
    quarter = (np.roll(identity, 1, axis=1) - np.roll(identity, -1, axis=1)) / math.sqrt(3)
    along, across, quarter = (ops.cast(m, images.dtype) for m in (along, identity - along, quarter))
    matrix = along + saturation * (ops.cos(angle) * across + ops.sin(angle) * quarter)
    mean = ops.mean(images, axis=(1, 2, 3))[:, None, None, None]
    offset = ((1 - contrast) * brightness)[..., None] * mean
    return ops.einsum("bhwc,bcd->bhwd", images, contrast * brightness * matrix) + offset
