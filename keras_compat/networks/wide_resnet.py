"""Wide ResNet (Zagoruyko and Komodakis 2016, https://arxiv.org/abs/1605.07146)."""

from __future__ import annotations

from typing import Any

from keras import layers

from keras_compat.errors import InputError
from keras_compat.networks.architectures import (
    ARCHITECTURES,
    Architecture,
    register_preset,
    require_positive,
    three_stages,
)
from keras_compat.networks.layer_maker import LayerMaker


@ARCHITECTURES.register("wide_resnet")
def wide_resnet(depth: int = 0, width: int = 2, blocks_per_stage: int = 0) -> Architecture:
    """Describes a Wide ResNet: three stages of n pre-activation blocks of two convolutions.

    Channels are 16, then 16, 32, 64 times `width`. The last normalization and ReLU come after
    the last block, so they belong to every head.

    Args:
        depth: Depth 6n + 4 (10, 16, 22, 28, ...); give this or `blocks_per_stage`.
        width: Widening factor k.
        blocks_per_stage: Number n of blocks in a stage.

    Returns:
        The architecture. WRN-28-10 for 10 classes has 36.5 M parameters.

    Raises:
        InputError: Not exactly one of `depth` and `blocks_per_stage` is given, or a value is
            not possible.

    Example:

    >>> wide_resnet(depth=10).split_points == wide_resnet(blocks_per_stage=1).split_points
    True
    """
    require_positive(width=width)
    if bool(depth) == bool(blocks_per_stage):
        raise InputError("a Wide ResNet takes either depth or blocks_per_stage; give one of them")
    if depth and (depth < 10 or depth % 6 != 4):
        raise InputError(f"depth is {depth}; expected 6n + 4 for a Wide ResNet: 10, 16, 22, 28")
    blocks_per_stage = blocks_per_stage or (depth - 4) // 6
    require_positive(blocks_per_stage=blocks_per_stage)
    return three_stages(_stem, _block, _top, blocks_per_stage, 16 * width)


register_preset("wide_resnet10", wide_resnet, depth=10, width=2)
register_preset("wide_resnet28", wide_resnet, depth=28, width=10)
# The paper's name, with two-layer blocks as in other Wide ResNets and nine blocks in a stage as in
# ResNet-56.
register_preset("wide_resnet56", wide_resnet, blocks_per_stage=9, width=2)


def _stem(x: Any, make: LayerMaker) -> Any:
    return make.convolution(x, 16, 3, "stem")


def _block(x: Any, make: LayerMaker, name: str, filters: int, strides: int) -> Any:
    shortcut = x
    x = make.normalization(x, f"{name}_1_norm")
    x = layers.ReLU(name=f"{name}_1_relu")(x)
    if shortcut.shape[-1] != filters or strides > 1:
        shortcut = make.convolution(x, filters, 1, f"{name}_shortcut", strides)
    x = make.convolution(x, filters, 3, f"{name}_1_conv", strides)
    x = make.normalization(x, f"{name}_2_norm")
    x = layers.ReLU(name=f"{name}_2_relu")(x)
    x = make.convolution(x, filters, 3, f"{name}_2_conv")
    return layers.Add(name=name)([x, shortcut])


def _top(x: Any, make: LayerMaker) -> Any:
    x = make.normalization(x, "top_norm")
    return layers.ReLU(name="top_relu")(x)
