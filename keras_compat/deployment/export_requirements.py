"""Requirements that a model must meet to be exported.

In all functions, `model` is a network, an extractor or a head, and `path` is the path of the file
to write, for messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from keras_compat.data.classes import is_class_name
from keras_compat.errors import InputError
from keras_compat.layers import normalization_layers
from keras_compat.networks.logits import emits_probabilities

FEATURES, LOGITS, PROBABILITIES = "features", "logits", "probabilities"
"""Names of outputs, and kinds of values that an output can have."""


def check_one_input_and_output(model: keras.Model, path: str | Path) -> None:
    """Raises `InputError` unless a model has one input of numbers and one output.

    Example:

    >>> one, other = keras.Input((3,)), keras.Input((3,))
    >>> check_one_input_and_output(keras.Model([one, other], one + other), "server")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: the model for server has 2 inputs; expected one: ...
    """
    try:
        ends = {"input": model.inputs, "output": model.outputs}
    except AttributeError:
        ends = {"input": None, "output": None}
    for end, tensors in ends.items():
        if tensors is None:
            raise InputError(
                f"the model for {path} is a {type(model).__name__} of unknown shapes; expected a "
                "functional model, or a sequential one with an Input"
            )
        tensors = keras.tree.flatten(tensors)
        if len(tensors) != 1:
            raise InputError(
                f"the model for {path} has {len(tensors)} {end}s; expected one: make a model of "
                f"one {end} of them, keras.Model(inputs, outputs)"
            )
    if ends["input"][0].dtype == "string":
        raise InputError(f"the model for {path} takes text; expected one that takes numbers")
    if len(ends["output"][0].shape) < 2:
        raise InputError(
            f"the model for {path} emits {ends['output'][0].shape}; expected an axis beside that "
            "of the batch"
        )


def output_request(
    model: keras.Model, output_name: str | None, probabilities: bool, path: str | Path
) -> dict:
    """Returns the name and the kind of a file's output, and whether softmax is to be added.

    Args:
        output_name: Name of the output; None stands for `"logits"` or `"probabilities"`.

    Returns:
        `output_name`; `values`, which is `"features"`, `"logits"` or `"probabilities"`; and
        `softmax`, which is True if softmax is to be added.

    Raises:
        InputError: If the name contradicts the output, or the output cannot become probabilities.

    Example:

    >>> from keras_compat import networks
    >>> head = networks.build_head("resnet8", classes=3, seed=0)
    >>> output_request(head, None, True, "head.tflite")
    {'output_name': 'probabilities', 'values': 'probabilities', 'softmax': True}
    """
    ends = emits_probabilities(model)
    if output_name == FEATURES:
        values = FEATURES
    else:
        values = PROBABILITIES if probabilities or ends else LOGITS
    if probabilities and values == FEATURES:
        raise InputError(
            f"probabilities=True for {path} with output 'features'; expected it for a network or a "
            "head"
        )
    classes = model.output_shape[-1]
    if probabilities and not ends and (classes is None or classes < 2):
        raise InputError(
            f"probabilities=True for {path}, which has {classes} output; expected one for each "
            "class"
        )
    if output_name in (LOGITS, PROBABILITIES) and output_name != values:
        raise InputError(
            f"output_name={output_name!r} for {path}, which emits {values}; expected {values!r}, "
            "None, or a name of your own"
        )
    return {
        "output_name": output_name or values,
        "values": values,
        "softmax": probabilities and not ends,
    }


def check_moving_statistics(model: keras.Model, path: str | Path, kind: str) -> None:
    """Raises `InputError` if a layer of a model normalizes by batch statistics.

    Args:
        kind: Words for the file, such as `"a LiteRT file"`, for the message.

    Example:

    >>> from keras_compat import networks
    >>> model = networks.build_head("resnet8", classes=3, seed=0)
    >>> check_moving_statistics(model, "head.tflite", "a LiteRT file")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: the model for head.tflite uses batch statistics, but a LiteRT...
    """
    if any(layer.statistics == "batch" for layer in normalization_layers(model)):
        raise InputError(
            f"the model for {path} uses batch statistics, but {kind} takes one image at a time; "
            "expected moving statistics: call recalibrate first"
        )


def full_input_shape(
    model: keras.Model, input_shape: Sequence[int] | None, path: str | Path
) -> tuple[int, ...]:
    """Returns the shape of one input, with every size known.

    Args:
        input_shape: Shape without the batch; the model's own if None.

    Raises:
        InputError: If a size is unknown or does not fit the model's.

    Example:

    >>> from keras_compat import networks
    >>> head = networks.build_head("resnet8", input_channels=8, classes=3, seed=0)
    >>> full_input_shape(head, (4, 4, 8), "head.tflite")
    (4, 4, 8)
    """
    own = tuple(model.input_shape[1:])
    shape = tuple(input_shape or own)
    fits = len(shape) == len(own) and all(
        size == fixed or fixed is None for size, fixed in zip(shape, own, strict=False)
    )
    if None in shape or not fits:
        raise InputError(
            f"input_shape {shape} for {path}; expected whole numbers that fit the model's input"
            f" {own}"
        )
    return shape


def check_class_names(model: keras.Model, class_names: Sequence[str], path: str | Path) -> None:
    """Raises `InputError` unless there are no class names, or one valid name for each output.

    A line break within a name would shift the lines of `labels.txt`.

    Example:

    >>> from keras_compat import networks
    >>> head = networks.build_head("resnet8", classes=3, seed=0)
    >>> check_class_names(head, ("cat", "dog", "horse"), "head.tflite")
    """
    outputs = model.output_shape[-1]
    if len(class_names) not in (0, outputs):
        raise InputError(
            f"{len(class_names)} class names for {path}; expected the {outputs} of the network's "
            "outputs"
        )
    for name in class_names:
        if not is_class_name(name):
            raise InputError(
                f"class name {name!r} for {path}; expected each to be one line of text without "
                "control characters, as in labels.txt"
            )


def single_image_request(job: Any, kind: str) -> dict:
    """Returns the part of a request that the formats for single images share.

    Raises:
        InputError: If the model, the shape, the names or the output do not fit.
    """
    check_one_input_and_output(job.model, job.path)
    check_moving_statistics(job.model, job.path, kind)
    check_class_names(job.model, job.class_names, job.path)
    return {
        "input_shape": full_input_shape(job.model, job.input_shape, job.path),
        "input_name": job.input_name,
        "class_names": list(job.class_names),
        **output_request(job.model, job.output_name, job.probabilities, job.path),
    }
