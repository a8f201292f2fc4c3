"""Folding of normalization by moving statistics into the weights before it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
import numpy as np

from keras_compat.layers import BatchStatisticsNormalization
from keras_compat.networks.graph import Call, replay, trace
from keras_compat.networks.structure import input_structure, output_structure

_LINEAR = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)


def fold_normalization(model: keras.Model) -> keras.Model:
    """Returns a model with normalization folded into the weights, which computes the same.

    A convolution or dense layer whose only follower is a normalization by moving statistics becomes
    one layer with a bias. Other normalization layers, and those by batch statistics, stay.

    Args:
        model: Functional model; stays unchanged.

    Returns:
        A functional model of the same inputs and outputs. It shares unchanged layers with `model`.

    Raises:
        InputError: If the model is not functional.

    Source: Jacob et al. 2018, https://arxiv.org/abs/1712.05877, Sec. 3.2.

    Example:

    >>> from keras_compat import layers, networks
    >>> head = networks.build_head("resnet8", classes=3, seed=0)
    >>> layers.set_statistics(head, "moving")
    >>> [layer.name for layer in fold_normalization(head).layers if "norm" in layer.name]
    []
    """
    graph = trace(model)
    uses = Counter(id(x) for x in [*graph.outputs, *(x for c in graph.calls for x in c.inputs)])
    calls_of = Counter(id(call.operation) for call in graph.calls)
    made_by = {id(call.outputs[0]): call for call in graph.calls}

    def linear_before(call: Call) -> Call | None:
        """Returns the call whose weights can absorb a normalization, or None."""
        if not _normalizes_channels(call.operation):
            return None
        before = made_by.get(id(call.inputs[0]))
        alone = before is not None and uses[id(call.inputs[0])] == 1
        if not alone or type(before.operation) not in _LINEAR:
            return None
        shared = calls_of[id(before.operation)] > 1 or calls_of[id(call.operation)] > 1
        return None if shared or not _is_linear(before.operation) else before

    normalization_after = {
        id(before): call for call in graph.calls if (before := linear_before(call)) is not None
    }
    tensors = {id(x): x for x in graph.inputs}
    for call in graph.calls:
        follower = normalization_after.get(id(call))
        if follower is not None:
            folded = _fold(call.operation, follower.operation)
            tensors[id(follower.outputs[0])] = folded(tensors[id(call.inputs[0])])
        elif id(call.outputs[0]) not in tensors:
            replay([call], tensors)
    outputs = [tensors[id(x)] for x in graph.outputs]
    return keras.Model(
        keras.tree.pack_sequence_as(input_structure(model), graph.inputs),
        keras.tree.pack_sequence_as(output_structure(model), outputs),
        name=model.name,
    )


def _normalizes_channels(layer: Any) -> bool:
    """Returns whether a layer scales and shifts each channel, the last axis, by constants."""
    if type(layer) is BatchStatisticsNormalization:
        moving = layer.statistics == "moving"
    else:
        moving = type(layer) is keras.layers.BatchNormalization
    return moving and layer.axis in (-1, layer.input_spec.ndim - 1)


def _is_linear(layer: Any) -> bool:
    channels_last = getattr(layer, "data_format", "channels_last") == "channels_last"
    is_quantized = getattr(layer, "quantization_mode", None) is not None
    return layer.activation is keras.activations.linear and channels_last and not is_quantized


def _fold(layer: Any, normalization: Any) -> keras.layers.Layer:
    """Returns one linear layer that replaces a layer and the normalization after it."""
    mean, variance, gamma, beta = (
        None if v is None else keras.ops.convert_to_numpy(v).astype("float64")
        for v in (
            normalization.moving_mean,
            normalization.moving_variance,
            normalization.gamma,
            normalization.beta,
        )
    )
    scale = (1.0 if gamma is None else gamma) / np.sqrt(variance + normalization.epsilon)
    # `layer.kernel`, not `get_weights`: with LoRA the kernel is a sum of weights.
    kernel, bias = (
        0.0 if w is None else keras.ops.convert_to_numpy(w).astype("float64")
        for w in (layer.kernel, layer.bias)
    )
    offset = (bias - mean) * scale + (0.0 if beta is None else beta)
    config = {**layer.get_config(), "use_bias": True}
    config.pop("lora_rank", None)
    folded = type(layer).from_config(config)
    folded.build(layer.input.shape)
    # A depthwise kernel ends in (channels, multiplier); their product is the number of outputs.
    is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    factor = scale.reshape(kernel.shape[-2:]) if is_depthwise else scale
    folded.set_weights([kernel * factor, offset])
    return folded
