"""The structure, such as a dict, of the inputs and outputs of functional models."""

from __future__ import annotations

from typing import Any

import keras

from keras_compat.errors import InputError


def is_functional(layer: Any) -> bool:
    """Returns whether a layer is a functional or built sequential model that its graph describes.

    A subclass with its own `call` may compute something else than its graph.

    Example:

    >>> is_functional(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]))
    True
    >>> is_functional(keras.Sequential([keras.layers.Dense(3)]))
    False
    """
    return has_graph(layer) and type(layer).call.__module__.partition(".")[0] == "keras"


def has_graph(layer: Any) -> bool:
    """Returns whether a layer is a model that has symbolic inputs and outputs.

    A sequential model has none before it is built, or if it was called with several tensors.

    Example:

    >>> has_graph(keras.Sequential([keras.layers.Dense(3)]))
    False
    """
    if isinstance(layer, keras.Sequential):
        return hasattr(layer, "inputs")
    return isinstance(layer, keras.Function) and isinstance(layer, keras.Model)


def check_functional(model: keras.Model, why: str) -> None:
    """Raises an `InputError` if a model is not functional.

    Args:
        why: Reason in the message why the graph is needed.

    Example:

    >>> check_functional(keras.Sequential(name="head"), "recombine connects its tensors")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: model 'head' is a Sequential without an input shape; begin it \
with keras.Input(shape), since recombine connects its tensors
    """
    if is_functional(model):
        return
    if isinstance(model, keras.Sequential) and not has_graph(model):
        raise InputError(
            f"model {model.name!r} is a Sequential without an input shape; begin it with "
            f"keras.Input(shape), since {why}"
        )
    raise InputError(
        f"model {model.name!r} is a {type(model).__name__}; expected a functional Keras model "
        f"without a call of its own, since {why}"
    )


def input_structure(model: keras.Model) -> Any:
    """Returns the symbolic inputs of a functional model in their structure, such as a dict.

    Example:

    >>> input_structure(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])).shape
    (None, 2)
    """
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input


def output_structure(model: keras.Model) -> Any:
    """Returns the symbolic outputs of a functional model in their structure.

    Example:

    >>> output_structure(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])).shape
    (None, 3)
    """
    if not isinstance(model, keras.Sequential):
        return model.output
    made = model.compute_output_spec(model.inputs[0])
    return keras.tree.pack_sequence_as(made, model.outputs)


def one_shape(model: keras.Model, what: str) -> tuple[int | None, ...]:
    """Returns the shape of a model's only input or output, without the batch.

    Args:
        what: `"input"` or `"output"`.

    Raises:
        InputError: There are several, or the model is not built.

    Example:

    >>> one_shape(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]), "output")
    (3,)
    """
    tensors = getattr(model, f"{what}s", None)
    if tensors is None:
        raise InputError(
            f"model {model.name!r} ({type(model).__name__}) has no {what} shape; expected a "
            "functional model, or a Sequential that begins with keras.Input(shape)"
        )
    if len(tensors) != 1:
        raise InputError(f"model {model.name!r} has {len(tensors)} {what}s; expected one")
    return tuple(tensors[0].shape[1:])
