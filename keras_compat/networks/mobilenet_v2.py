"""MobileNetV2 in its 32 x 32 form (Sandler et al. 2018, https://arxiv.org/abs/1801.04381)."""

from __future__ import annotations

import functools
from typing import Any

from keras import layers

from keras_compat.networks.architectures import (
    ARCHITECTURES,
    Architecture,
    Block,
    require_positive,
)
from keras_compat.networks.layer_maker import LayerMaker

# Expansion, channels, blocks, strides of the first block (Table 2 of the paper). In the 32 x 32
# form the stem and the stage of 24 channels are not strided, so an image of 32 x 32 has 8 x 8
# positions at block 11 and 4 x 4 at the end.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_SMALL_STAGES = (
    (1, 16, 1, 1),
    (4, 24, 1, 2),
    (4, 32, 2, 2),
    (4, 64, 2, 1),
)


@ARCHITECTURES.register("mobilenet_v2")
def mobilenet_v2(width: float = 1.0) -> Architecture:
    """Describes MobileNetV2: 17 inverted residual blocks, for 32 x 32 images.

    Args:
        width: Factor of the channels, which stay multiples of 8; the last layer's 1280 channels
            only grow, as in the paper.

    Returns:
        The architecture. At width 1 it has 2.24 M parameters for 10 classes, 3.50 M for 1000.

    Raises:
        InputError: `width` is not positive.

    Example:

    >>> mobilenet_v2(width=0.5).default_split
    'block11'
    """
    return _mobilenet(_STAGES, width, last=1280, split="block11")


@ARCHITECTURES.register("mobilenet_v2_small")
def mobilenet_v2_small(width: float = 1.0) -> Architecture:
    """Describes a MobileNetV2 of 6 blocks that trains on two cores.

    Returns:
        The architecture, split after block 4 of 6.

    Raises:
        InputError: `width` is not positive.

    Example:

    >>> mobilenet_v2_small().default_split
    'block4'
    """
    return _mobilenet(_SMALL_STAGES, width, last=256, split="block4")


def _mobilenet(
    stages: tuple[tuple[int, int, int, int], ...], width: float, last: int, split: str
) -> Architecture:
    require_positive(width=width)
    blocks = [Block("stem", functools.partial(_stem, filters=_multiple_of_8(32 * width)))]
    for expansion, filters, repeats, strides in stages:
        for repeat in range(repeats):
            name = f"block{len(blocks)}"
            apply = functools.partial(
                _block,
                name=name,
                expansion=expansion,
                filters=_multiple_of_8(filters * width),
                strides=strides if repeat == 0 else 1,
            )
            blocks.append(Block(name, apply))
    top = functools.partial(_top, filters=_multiple_of_8(last * max(1.0, width)))
    return Architecture(blocks=tuple(blocks), top=top, default_split=split)


def _multiple_of_8(channels: float) -> int:
    """Rounds to a multiple of 8 as the authors' code does, down by a tenth at most."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _stem(x: Any, make: LayerMaker, filters: int) -> Any:
    x = make.convolution_normalization(x, filters, 3, "stem")
    return layers.ReLU(max_value=6.0, name="stem")(x)


def _block(x: Any, make: LayerMaker, name: str, expansion: int, filters: int, strides: int) -> Any:
    inputs = x
    if expansion > 1:
        channels = expansion * x.shape[-1]
        x = make.convolution_normalization(x, channels, 1, f"{name}_expand")
        x = layers.ReLU(max_value=6.0, name=f"{name}_expand_relu")(x)
    x = make.depthwise_convolution(x, 3, f"{name}_depthwise", strides)
    x = make.normalization(x, f"{name}_depthwise_norm")
    x = layers.ReLU(max_value=6.0, name=f"{name}_depthwise_relu")(x)
    x = make.convolution_normalization(x, filters, 1, f"{name}_project")
    if strides == 1 and inputs.shape[-1] == filters:
        return layers.Add(name=name)([inputs, x])
    return layers.Identity(name=name)(x)


def _top(x: Any, make: LayerMaker, filters: int) -> Any:
    x = make.convolution_normalization(x, filters, 1, "top")
    return layers.ReLU(max_value=6.0, name="top_relu")(x)
