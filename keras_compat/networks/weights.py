"""Counts and copies the weights of networks."""

from __future__ import annotations

import math

import keras

from keras_compat.errors import InputError
from keras_compat.layers import BatchStatisticsNormalization
from keras_compat.networks.copying import Copies, copy_state


def count_parameters(model: keras.Model) -> int:
    """Counts the parameters that training can change, as papers do, frozen ones included.

    Returns:
        The number of weights without moving statistics.

    Example:

    >>> from keras_compat import networks
    >>> count_parameters(networks.build("resnet8", (32, 32, 3), classes=10, seed=0))
    75290
    """
    normalizations = (BatchStatisticsNormalization, keras.layers.BatchNormalization)
    moving = sum(
        math.prod(layer.moving_mean.shape) + math.prod(layer.moving_variance.shape)
        for layer in model._flatten_layers()
        if isinstance(layer, normalizations)
    )
    return model.count_params() - moving


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copies weights between two networks of the same layers, moving statistics included.

    Raises:
        InputError: The shapes of the weights differ; nothing is changed.

    Example:

    >>> from keras_compat import networks
    >>> a, b = (networks.build_head("resnet8", classes=3, seed=seed) for seed in (0, 1))
    >>> copy_weights(a, b)
    >>> bool((a.get_weights()[0] == b.get_weights()[0]).all())
    True
    """
    ours = [tuple(weight.shape) for weight in source.weights]
    theirs = [tuple(weight.shape) for weight in target.weights]
    if ours != theirs:
        differing = [pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]]
        first = f"{differing[0][0]} and {differing[0][1]}" if differing else "more in one"
        raise InputError(
            f"weights of {source.name!r} ({len(ours)}) do not fit {target.name!r} ({len(theirs)}): "
            f"{first}; build both alike"
        )
    target.set_weights(source.get_weights())
    # Some layers compute with values that they derive from weights.
    copy_state(target, target)


def copy_model(model: keras.Model, name: str | None = None) -> keras.Model:
    """Copies a model with its state and frozen layers; model and copy share nothing.

    Args:
        model: Model of any kind that has a config; settings of `compile` are not copied.
        name: Name of the copy; None keeps the name.

    Raises:
        InputError: A layer cannot be made again, or its copy cannot be given its state.

    Example:

    >>> from keras_compat import networks
    >>> copy_model(networks.build_head("resnet8", seed=0), name="new").name
    'new'
    """
    copies = Copies()
    copy = copies.of(model)
    copies.finish()
    copy.name = name or model.name
    return copy
