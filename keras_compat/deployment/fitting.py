"""What a model must be for a file that takes single images, whatever its format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras

from keras_compat.errors import InputError
from keras_compat.layers import normalization_layers


def check_moving_statistics(model: keras.Model, path: str | Path, kind: str) -> None:
    """Raises `InputError` if a model needs batches of images.

    Args:
        model: a network, an extractor or a head.
        path: the file to write, for the message.
        kind: of file, for the message, such as `"a LiteRT file"`.

    Raises:
        InputError: if a layer uses batch statistics.

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


def fitting_shape(
    model: keras.Model, input_shape: Sequence[int] | None, path: str | Path
) -> tuple[int, ...]:
    """Returns the shape of one input, with every size known.

    Args:
        model: a network, an extractor or a head.
        input_shape: shape without the batch; the model's own if none.
        path: the file to write, for the message.

    Returns:
        The shape without the batch.

    Raises:
        InputError: if a size stays open or does not fit the model's.

    Example:

    >>> from keras_compat import networks
    >>> head = networks.build_head("resnet8", input_channels=8, classes=3, seed=0)
    >>> fitting_shape(head, (4, 4, 8), "head.tflite")
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
    """Raises `InputError` if there are class names, but not one for each output.

    Args:
        model: a network or a head.
        class_names: of its outputs, or none.
        path: the file to write, for the message.

    Raises:
        InputError: if their number is not that of the outputs.

    Example:

    >>> from keras_compat import networks
    >>> head = networks.build_head("resnet8", classes=3, seed=0)
    >>> check_class_names(head, ("cat", "dog", "horse"), "head.tflite")
    """
    outputs = model.output_shape[-1]
    if class_names and len(class_names) != outputs:
        raise InputError(
            f"{len(class_names)} class names for {path}; expected the {outputs} of the network's "
            "outputs"
        )
