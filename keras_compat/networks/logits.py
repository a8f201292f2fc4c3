"""Finds heads that emit probabilities instead of logits, and makes logits of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import keras
import numpy as np

from keras_compat.errors import InputError
from keras_compat.networks.graph import replay, trace
from keras_compat.networks.structure import is_functional

# Layers and operations of `keras.ops` that make probabilities.
_MAKERS = ("HardSigmoid", "Sigmoid", "Softmax", "SparseSigmoid", "Sparsemax")
# Operations that leave each probability unchanged, and operations that mix or scale them.
_KEEPERS = (
    *("Activation", "ActivityRegularization", "Cast", "Dropout", "ExpandDims", "Flatten"),
    *("GetItem", "Identity", "Permute", "Reshape", "Squeeze", "Transpose"),
)
_MIXERS = (
    *("Add", "Average", "AveragePooling1D", "AveragePooling2D", "Clip", "Concatenate", "Divide"),
    *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "Maximum", "Mean", "Minimum"),
    *("Multiply", "Rescaling", "TrueDivide"),
)
_SCORES = np.array([[-5.0, 0.3, 2.0, 9.0]], "float32")


def check_logits(head: keras.Model) -> None:
    """Raises `InputError` if a head emits probabilities, since losses would take them for logits.

    Example:

    >>> features = keras.Input((8,))
    >>> softmax = keras.layers.Dense(3, activation="softmax", name="predictions")
    >>> check_logits(keras.Model(features, softmax(features), name="head"))
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: head 'head' emits probabilities, by softmax in 'predictions'; \
expected logits: give keras_compat.networks.logits_of(head)
    """
    maker = _maker(head)
    if maker is not None:
        raise InputError(
            f"head {head.name!r} emits probabilities, by {_function(maker)} in {maker.name!r}; "
            "expected logits: give keras_compat.networks.logits_of(head)"
        )


def logits_of(head: keras.Model, name: str | None = None) -> keras.Model:
    """Returns a head that emits the logits of a head of probabilities.

    Args:
        head: Functional model that ends in a softmax or a sigmoid, and maybe in layers that only
            change shape or type. It is not changed.
        name: Name of the new head; `None` keeps the name.

    Returns:
        A functional model that shares all weights with `head`, so that training it trains `head`
        too. A head that emits logits is returned itself.

    Raises:
        InputError: The model is not functional, or mixes probabilities before it emits them.

    Example:

    >>> features = keras.Input((8,))
    >>> softmax = keras.layers.Dense(3, activation="softmax")
    >>> head = keras.Model(features, softmax(features), name="head")
    >>> logits = logits_of(head)
    >>> logits.weights[0] is head.weights[0], logits.layers[-1].activation.__name__
    (True, 'linear')
    """
    if _maker(head) is None:
        return head
    graph = trace(head)
    by_output = {id(x): call for call in graph.calls for x in call.outputs}
    call = by_output[id(graph.outputs[0])]
    while not _makes(call.operation):
        if not _keeps(call.operation):
            raise InputError(
                f"head {head.name!r} mixes probabilities in {call.operation.name!r}; expected a "
                "softmax at the end: build the head without it"
            )
        call = by_output[id(call.inputs[0])]
    scores = call.inputs[0]
    if getattr(call.operation, "weights", None):
        scores = _without_activation(call.operation)(*call.args, **call.kwargs)
    tensors = {id(call.outputs[0]): scores}
    replay(graph.calls_after(call.outputs), tensors)
    inputs = graph.inputs[0] if len(graph.inputs) == 1 else graph.inputs
    return keras.Model(inputs, tensors[id(graph.outputs[0])], name=name or head.name)


def emits_probabilities(model: keras.Model) -> bool:
    """Returns whether a network ends in softmax or sigmoid, also in a nested model.

    Args:
        model: Functional or built sequential model; for any other the result is False.

    Returns:
        Whether the only output is that of a softmax over the last axis, or of a sigmoid.

    Example:

    >>> inputs = keras.Input((4,))
    >>> outputs = keras.layers.Dense(3, activation="softmax")(inputs)
    >>> emits_probabilities(keras.Model(inputs, outputs))
    True
    """
    if not is_functional(model) or len(model.outputs) != 1:
        return False
    maker = next(_makers(model.outputs[0], [], ()), None)
    axis = getattr(maker, "axis", -1)
    return maker is not None and axis in (-1, len(model.output_shape) - 1)


def _maker(head: keras.Model) -> Any:
    """Returns the layer or operation that makes a model's outputs probabilities, else `None`."""
    if is_functional(head):
        return next(_makers(head.outputs[0], []), None)
    # Without a graph, the layer made last is most likely called last.
    layers = list(head.layers)
    return layers[-1] if layers and _makes(layers[-1]) else None


def _makers(
    tensor: Any, outer: list[tuple[Any, Any]], mixers: Collection[str] = _MIXERS
) -> Iterator[Any]:
    """Yields the operation that makes a tensor's values probabilities, if there is one.

    Args:
        outer: Nested models around the tensor, each with the node of its call.
        mixers: Names of operations that may come after.
    """
    operation, node_index, tensor_index = tensor._keras_history
    inputs = operation._inbound_nodes[node_index].input_tensors
    if is_functional(operation):
        call = operation, operation._inbound_nodes[node_index]
        yield from _makers(operation.outputs[tensor_index], [*outer, call], mixers)
    elif isinstance(operation, keras.layers.InputLayer):
        if outer:
            model, node = outer[-1]
            place = [id(x) for x in model.inputs].index(id(tensor))
            yield from _makers(node.input_tensors[place], outer[:-1], mixers)
    elif _makes(operation):
        yield operation
    elif _keeps(operation) or type(operation).__name__ in mixers:
        found = [next(_makers(x, outer, mixers), None) for x in inputs]
        if found and None not in found:
            yield found[0]


def _keeps(operation: Any) -> bool:
    function = getattr(operation, "activation", keras.activations.linear)
    return type(operation).__name__ in _KEEPERS and function is keras.activations.linear


def _makes(operation: Any) -> bool:
    """Returns whether an operation emits probabilities for any input."""
    if type(operation).__name__ in _MAKERS:
        return True
    function = getattr(operation, "activation", None)
    if isinstance(operation, keras.layers.Lambda):
        function = operation.function
    elif _is_plain_function(operation):
        function = operation
    if function is None or function in (keras.activations.linear, keras.activations.relu):
        return False
    try:
        found = np.asarray(function(keras.ops.convert_to_tensor(_SCORES)), "float32")
    # A function of other arguments or shapes is no such activation.
    except Exception:
        return False
    return found.shape == _SCORES.shape and found.min() >= 0 and found.max() <= 1


def _is_plain_function(operation: Any) -> bool:
    """Returns whether an operation is a user's layer without weights."""
    own = type(operation).__module__.partition(".")[0] not in ("keras", "keras_compat")
    return own and isinstance(operation, keras.layers.Layer) and not operation.variables


def _function(maker: Any) -> str:
    function = getattr(maker, "activation", None)
    return getattr(function, "__name__", type(maker).__name__.lower())


def _without_activation(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Returns a layer with the same variables and without activation."""
    linear = type(layer).from_config({**layer.get_config(), "activation": None})
    for name, value in vars(layer).items():
        if isinstance(value, keras.Variable):
            setattr(linear, name, value)
    linear.built = True
    linear.trainable = layer.trainable
    if [id(v) for v in linear.weights] != [id(v) for v in layer.weights]:
        raise InputError(
            f"layer {layer.name!r} ({type(layer).__name__}) does not share its weights; expected "
            "the activation in a layer of its own, or none"
        )
    return linear
