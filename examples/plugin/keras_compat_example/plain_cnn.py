"""A plain convolutional network without shortcuts."""

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


@ARCHITECTURES.register("plain_cnn")
def plain_cnn(filters: int = 16) -> Architecture:
    """Describes three blocks of a convolution each; each block halves height and width.

    Args:
        filters: Channels of the first block; each further block doubles them.

    Returns:
        The architecture, which is split after the second block by default.

    Raises:
        InputError: If `filters` is not positive.
    """
    require_positive(filters=filters)
    blocks = [
        Block(
            f"block{number}",
            functools.partial(_block, name=f"block{number}", filters=filters * 2 ** (number - 1)),
        )
        for number in (1, 2, 3)
    ]
    return Architecture(blocks=tuple(blocks), top=lambda x, make: x, default_split="block2")


def _block(x: Any, make: LayerMaker, name: str, filters: int) -> Any:
    x = make.convolution_normalization(x, filters, 3, name, strides=2)
    return layers.ReLU(name=name)(x)
