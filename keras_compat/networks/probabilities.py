"""Networks whose last layer already turns logits into probabilities."""

from __future__ import annotations

from typing import Any

import keras

_SHAPES = ("Dropout", "Flatten", "Identity", "Reshape", "Squeeze")
_PROBABILITIES = ("softmax", "sigmoid")


def emits_probabilities(model: keras.Model) -> bool:
    """Says whether a network ends in softmax or sigmoid, in a nested model or not.

    Args:
        model: Functional or built sequential model; of any other the answer is False.

    Returns:
        Whether its only output is one of softmax over the last axis, or of sigmoid.

    Example:

    >>> inputs = keras.Input((4,))
    >>> outputs = keras.layers.Dense(3, activation="softmax")(inputs)
    >>> emits_probabilities(keras.Model(inputs, outputs))
    True
    """
    outputs = keras.tree.flatten(getattr(model, "outputs", None) or [])
    return len(outputs) == 1 and _is_probability(outputs[0])


def _is_probability(tensor: Any) -> bool:
    """Says whether a symbolic tensor is made by softmax or sigmoid; follows what only moves it."""
    while True:
        operation, node, index = tensor._keras_history
        if isinstance(operation, keras.Model):
            inner = getattr(operation, "outputs", None)
            if not inner:
                return False
            tensor = keras.tree.flatten(inner)[index]
            continue
        function = getattr(operation, "activation", None)
        name = getattr(function, "__name__", type(operation).__name__).lower()
        if name in _PROBABILITIES:
            axis = getattr(operation, "axis", -1)
            return name == "sigmoid" or axis in (-1, len(tensor.shape) - 1)
        inputs = operation._inbound_nodes[node].input_tensors if operation._inbound_nodes else []
        moved = name in map(str.lower, _SHAPES) or name == "linear" and not operation.weights
        if len(inputs) != 1 or not moved:
            return False
        tensor = inputs[0]
