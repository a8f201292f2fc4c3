"""Sequences of layers that several architectures share."""

from __future__ import annotations

from typing import Any

from keras import layers

from keras_compat.layers import BatchStatisticsNormalization
from keras_compat.networks.initializers import SeededInitializers


def convolution(
    x: Any,
    filters: int,
    kernel_size: int,
    init: SeededInitializers,
    name: str,
    strides: int = 1,
) -> Any:
    """Applies a convolution without bias, padded to keep the size (but for strides)."""
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=init.he_normal(name),
        name=name,
    )(x)


def depthwise_convolution(
    x: Any, kernel_size: int, init: SeededInitializers, name: str, strides: int = 1
) -> Any:
    """Applies a depthwise convolution without bias, padded to keep the size (but for strides)."""
    return layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=init.he_normal(name, depthwise=True),
        name=name,
    )(x)


def normalization(x: Any, name: str) -> Any:
    """Applies batch-statistics normalization."""
    return BatchStatisticsNormalization(name=name)(x)


def convolution_normalization(
    x: Any,
    filters: int,
    kernel_size: int,
    init: SeededInitializers,
    name: str,
    strides: int = 1,
) -> Any:
    """Applies `convolution`, named `"{name}_conv"`, and normalization, named `"{name}_norm"`."""
    x = convolution(x, filters, kernel_size, init, f"{name}_conv", strides)
    return normalization(x, f"{name}_norm")
