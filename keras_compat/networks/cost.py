"""The cost of one image in floating-point operations, counted from the shapes of layers."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from keras_compat.errors import InputError
from keras_compat.layers import BatchStatisticsNormalization, UnitLength
from keras_compat.networks.graph import trace

# Operations for each normalized value.
_SCALE_AND_SHIFT = 2
_MEAN_AND_VARIANCE = 4  # add; subtract, square, add
_LENGTH_AND_SCALE = 3  # square, add; multiply


def count_flops(model: keras.Model, input_shape: Sequence[int] | None = None) -> int:
    """Counts the floating-point operations of a forward pass of one image.

    A multiply-add counts as two. Convolutions and dense layers count with biases and, as in papers,
    with padding. Normalization counts with its statistics if it measures them. Layers without
    weights count as 0.

    Training on an image costs about three times as much, and twice as much in a frozen part that
    only passes the gradient on.

    Args:
        model: A functional or sequential model, nested models included.
        input_shape: Shape of one image, or of its features for a head, such as `(32, 32, 3)`; not
            needed for a model with known sizes.

    Raises:
        InputError: The model is not functional, `input_shape` is missing or does not fit, or
            `layer_flops` does not know a layer with weights.

    Example:

    >>> from keras_compat import networks
    >>> count_flops(networks.build("resnet56", (32, 32, 3), classes=10, seed=0)) / 1e9
    0.25...
    """
    graph = trace(model if input_shape is None else _with_input_shape(model, input_shape))
    return sum(_call_flops(call.operation, call.outputs[0].shape) for call in graph.calls)


def _with_input_shape(model: keras.Model, shape: Sequence[int]) -> keras.Model:
    inputs = keras.Input(tuple(shape))
    try:
        return keras.Model(inputs, model(inputs))
    except ValueError as error:
        raise InputError(
            f"input_shape is {tuple(shape)}, but {model.name!r} takes {model.input_shape[1:]}"
        ) from error


def _call_flops(operation: Any, output_shape: tuple[int | None, ...]) -> int:
    if None in output_shape[1:]:
        raise InputError(
            f"{operation.name!r} emits {output_shape[1:]}; give an input_shape without open sizes"
        )
    return layer_flops(operation, output_shape[1:])


@functools.singledispatch
def layer_flops(layer: Any, output_shape: tuple[int, ...]) -> int:
    """Counts the operations of one call of a layer.

    To count another kind of layer, register a function for its class with `layer_flops.register`.

    Args:
        layer: A built layer, or an operation of `keras.ops`.
        output_shape: Shape of the output for one image, without the batch.

    Returns:
        The number of operations; 0 for a layer without weights.

    Raises:
        InputError: The layer has weights and no function is registered for its class.

    Example:

    >>> layer = layers.Dense(10)
    >>> layer.build((None, 64))
    >>> layer_flops(layer, (10,))
    1290
    """
    if getattr(layer, "weights", None):
        raise InputError(
            f"the operations of layer {layer.name!r} ({type(layer).__name__}) cannot be counted; "
            "register its class with keras_compat.networks.layer_flops"
        )
    return 0


@layer_flops.register(layers.Conv2D)
@layer_flops.register(layers.DepthwiseConv2D)
@layer_flops.register(layers.Dense)
def _kernel_flops(layer: Any, output_shape: tuple[int, ...]) -> int:
    """Counts each weight once for each position."""
    values = math.prod(output_shape)
    depthwise = isinstance(layer, layers.DepthwiseConv2D)
    channels = math.prod(layer.kernel.shape[-2 if depthwise else -1 :])
    positions = values // channels
    return 2 * math.prod(layer.kernel.shape) * positions + (values if layer.use_bias else 0)


@layer_flops.register
def _(layer: BatchStatisticsNormalization, output_shape: tuple[int, ...]) -> int:
    measured = _MEAN_AND_VARIANCE if layer.statistics == "batch" else 0
    return (measured + _SCALE_AND_SHIFT) * math.prod(output_shape)


@layer_flops.register(layers.BatchNormalization)
def _moving_flops(layer: Any, output_shape: tuple[int, ...]) -> int:
    return _SCALE_AND_SHIFT * math.prod(output_shape)


@layer_flops.register(layers.LayerNormalization)
@layer_flops.register(layers.GroupNormalization)
def _measured_flops(layer: Any, output_shape: tuple[int, ...]) -> int:
    return (_MEAN_AND_VARIANCE + _SCALE_AND_SHIFT) * math.prod(output_shape)


@layer_flops.register(layers.UnitNormalization)
@layer_flops.register(UnitLength)
def _unit_length_flops(layer: Any, output_shape: tuple[int, ...]) -> int:
    return _LENGTH_AND_SCALE * math.prod(output_shape)
