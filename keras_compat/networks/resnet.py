"""ResNet for 32 x 32 images (He et al. 2016, https://arxiv.org/abs/1512.03385, Sec. 4.2)."""

from __future__ import annotations

import functools
from typing import Any

from keras import layers

from keras_compat.errors import InputError
from keras_compat.layers import ChannelPadding
from keras_compat.networks.architectures import (
    ARCHITECTURES,
    Architecture,
    register_preset,
    require_positive,
    three_stages,
)
from keras_compat.networks.layer_maker import LayerMaker


@ARCHITECTURES.register("resnet")
def resnet(depth: int = 56, filters: int = 16) -> Architecture:
    """Describes a ResNet of depth 6n + 2: three stages of n blocks of two convolutions.

    Shortcuts have no weights (option A), which gives the paper's parameter counts.

    Args:
        depth: Number of layers with weights, 8, 14, 20, ...
        filters: Channels of the first stage; each further stage doubles them.

    Returns:
        The architecture. ResNet-56 for 10 classes has 0.85 M parameters.

    Raises:
        InputError: `depth` is not 6n + 2, or `filters` is not positive.

    Example:

    >>> resnet(depth=8).default_split
    'stage2'
    """
    require_positive(filters=filters)
    if depth < 8 or depth % 6 != 2:
        raise InputError(f"depth is {depth}; expected 6n + 2 for a ResNet: 8, 14, 20, ..., 56")
    stem = functools.partial(_stem, filters=filters)
    return three_stages(stem, _block, lambda x, make: x, (depth - 2) // 6, filters)


for _depth in (8, 20, 56):
    register_preset(f"resnet{_depth}", resnet, depth=_depth)


def _stem(x: Any, make: LayerMaker, filters: int) -> Any:
    x = make.convolution_normalization(x, filters, 3, "stem")
    return layers.ReLU(name="stem")(x)


def _block(x: Any, make: LayerMaker, name: str, filters: int, strides: int) -> Any:
    shortcut = _shortcut(x, name, filters, strides)
    x = make.convolution_normalization(x, filters, 3, f"{name}_1", strides)
    x = layers.ReLU(name=f"{name}_1_relu")(x)
    x = make.convolution_normalization(x, filters, 3, f"{name}_2")
    if shortcut is not None:
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=name)(x)


def _shortcut(x: Any, name: str, filters: int, strides: int) -> Any | None:
    """Returns the shortcut; None for a head with more input channels than its first block."""
    channels = x.shape[-1]
    if channels > filters:
        return None
    if strides > 1:
        # Pooling over one pixel is subsampling.
        x = layers.MaxPooling2D(1, strides=strides, padding="same", name=f"{name}_subsample")(x)
    if channels < filters:
        x = ChannelPadding(filters, name=f"{name}_pad")(x)
    return x
