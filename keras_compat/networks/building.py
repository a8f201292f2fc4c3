"""Builds functional Keras models from the names of architectures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from keras_compat.errors import InputError
from keras_compat.networks.architectures import Apply, find_architecture
from keras_compat.networks.features import FEATURES
from keras_compat.networks.layer_maker import LayerMaker

INTERFACE_CHANNELS = 64
"""Channels of the shared feature interface in the paper (Sec. 5.2)."""


def build(
    architecture: str,
    input_shape: Sequence[int | None],
    classes: int,
    seed: int | None = None,
    name: str | None = None,
    normalization: str = "batch",
) -> keras.Model:
    """Builds an unsplit network that maps images to logits.

    Args:
        architecture: Name of an architecture, see `parse_architecture`, without a split.
        input_shape: Height, width and channels of the images; height and width may be None.
        seed: Seed of the initial weights; each layer's seed follows from it and the layer's name.
        normalization: `"batch"` (by batch statistics), `"layer"` (over all values of an image)
            or `"instance"` (over the positions of each channel); see `NORMALIZATIONS`.

    Returns:
        A functional model: images float32 `[batch, height, width, channels]` in [0, 255] to
        logits `[batch, classes]`.

    Raises:
        InputError: An argument is not valid.

    Example:

    >>> build("resnet8:filters=4", (32, 32, 3), classes=10, seed=0).output_shape
    (None, 10)
    """
    plan, split = find_architecture(architecture)
    if split is not None:
        raise InputError(f"{architecture!r} names a split; drop @{split} for an unsplit network")
    _check_count("classes", classes)
    make = LayerMaker(seed, normalization)
    images, x = _images(input_shape)
    for block in plan.blocks:
        x = block.apply(x, make)
    return keras.Model(
        images, _classify(x, plan.top, classes, make), name=name or _name(architecture)
    )


def build_extractor(
    architecture: str,
    input_shape: Sequence[int | None],
    split: str | None = None,
    interface_channels: int | None = INTERFACE_CHANNELS,
    seed: int | None = None,
    name: str | None = None,
    normalization: str = "batch",
    features: str = "plain",
) -> keras.Model:
    """Builds the part of a network up to a split point.

    Arguments that are not listed are those of `build`.

    Args:
        architecture: Name of an architecture, see `parse_architecture`.
        input_shape: Height, width and channels of the images; height and width may be None.
        split: Split point; None takes that of `architecture`, else the default.
        interface_channels: Outputs of a last 1x1 convolution, which fits the extractor to a
            shared interface (paper Sec. 5.2); None leaves it out.
        features: `"plain"`, or `"unit_length"` to scale the features of each position to unit
            length over the channels, as the last step; see `FEATURES`.

    Returns:
        A functional model: images float32 `[batch, height, width, channels]` in [0, 255] to
        features `[batch, height', width', channels']`.

    Raises:
        InputError: An argument is not valid.

    Example:

    >>> build_extractor("resnet8", (32, 32, 3), "stage2", seed=0).output_shape
    (None, 16, 16, 64)
    """
    plan, split = find_architecture(architecture, split)
    make, finish = LayerMaker(seed, normalization), FEATURES[features]
    images, x = _images(input_shape)
    for block in plan.blocks[: plan.blocks_before(split)]:
        x = block.apply(x, make)
    if interface_channels is not None:
        _check_count("interface_channels", interface_channels)
        x = layers.Conv2D(
            interface_channels,
            1,
            kernel_initializer=make.initializers.he_normal("interface"),
            name="interface",
        )(x)
    return keras.Model(images, finish(x), name=name or f"{_name(architecture)}_extractor")


def build_head(
    architecture: str,
    split: str | None = None,
    input_channels: int = INTERFACE_CHANNELS,
    classes: int = 10,
    seed: int | None = None,
    name: str | None = None,
    normalization: str = "batch",
    dense: bool = False,
) -> keras.Model:
    """Builds the part of a network from a split point on.

    Arguments that are not listed are those of `build`.

    The first block adapts to `input_channels`. If their number is not the network's own, the
    block's residual connection is left out, or gets a projection if the architecture has them.

    Args:
        architecture: Name of an architecture, see `parse_architecture`.
        split: Split point; None takes that of `architecture`, else the default.
        dense: Whether to leave out the global pooling and emit logits at each position; the
            weights are the same.

    Returns:
        A functional model: features `[batch, height, width, input_channels]` of any height and
        width to logits `[batch, classes]`, or `[batch, height', width', classes]` if `dense`; its
        last layer is a `Dense` named `"logits"`.

    Raises:
        InputError: An argument is not valid.

    Example:

    >>> build_head("mobilenet_v2_small", classes=5, seed=0).output_shape
    (None, 5)
    >>> build_head("mobilenet_v2_small", classes=5, seed=0, dense=True).output_shape
    (None, None, None, 5)
    """
    plan, split = find_architecture(architecture, split)
    _check_count("input_channels", input_channels)
    _check_count("classes", classes)
    make = LayerMaker(seed, normalization)
    features = x = keras.Input((None, None, input_channels), name="features")
    for block in plan.blocks[plan.blocks_before(split) :]:
        x = block.apply(x, make)
    logits = _classify(x, plan.top, classes, make, dense)
    return keras.Model(features, logits, name=name or f"{_name(architecture)}_head")


def _images(input_shape: Sequence[int | None]) -> tuple[Any, Any]:
    if len(input_shape) != 3 or input_shape[-1] is None:
        raise InputError(f"input_shape is {input_shape}; expected (height, width, channels)")
    for size in input_shape:
        if size is not None:
            _check_count("a size in input_shape", size)
    images = keras.Input(tuple(input_shape), name="images")
    return images, layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(images)


def _classify(x: Any, top: Apply, classes: int, make: LayerMaker, dense: bool = False) -> Any:
    x = top(x, make)
    if not dense:
        x = layers.GlobalAveragePooling2D(name="pooling")(x)
    # Logits have the precision of weights, since a loss in 16 bits is not reliable.
    return layers.Dense(
        classes,
        kernel_initializer=make.initializers.he_normal("logits"),
        dtype=keras.config.dtype_policy().variable_dtype,
        name="logits",
    )(x)


def _check_count(what: str, value: int) -> None:
    if value < 1:
        raise InputError(f"{what} is {value}; expected a whole number from 1")


def _name(architecture: str) -> str:
    """Returns a model name that is a valid file name."""
    return re.sub(r"[^\w.]+", "_", architecture)
