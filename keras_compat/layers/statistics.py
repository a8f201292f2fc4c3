"""Settings of all normalization layers of a model: the statistics that they use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

from keras_compat.layers.batch_statistics_normalization import BatchStatisticsNormalization


def normalization_layers(model: keras.layers.Layer) -> list[BatchStatisticsNormalization]:
    """Lists the `BatchStatisticsNormalization` layers of a model, nested models included.

    Args:
        model: A model or a layer, which is listed too if it normalizes.

    Returns:
        The layers in the order of the model, each once.

    Example:

    >>> model = keras.Sequential([BatchStatisticsNormalization(name="norm")])
    >>> [layer.name for layer in normalization_layers(model)]
    ['norm']
    """
    layers = [model, *model._flatten_layers(include_self=False)]
    found = {id(x): x for x in layers if isinstance(x, BatchStatisticsNormalization)}
    return list(found.values())


def set_statistics(model: keras.layers.Layer, statistics: str) -> None:
    """Sets the statistics of all normalization layers of a model, nested models included.

    `predict` and `evaluate` of this model compile again. Other models that share the layers, and a
    training step that calls the model with `training=False`, must be compiled again by the caller.

    Args:
        statistics: `"batch"` to normalize with each batch at inference, `"moving"` to normalize
            with the moving statistics.

    Raises:
        InputError: `statistics` is neither `"batch"` nor `"moving"`.

    Example:

    >>> model = keras.Sequential([BatchStatisticsNormalization()])
    >>> set_statistics(model, "moving")
    >>> normalization_layers(model)[0].statistics
    'moving'
    """
    for layer in normalization_layers(model):
        layer.statistics = statistics
    _drop_compiled(model)


def set_synchronized(model: keras.layers.Layer, synchronized: bool = True) -> None:
    """Sets whether all normalization layers of a model see the whole batch of all devices.

    Call it before training, and only with a strategy of `tf.distribute` of your own, whose replicas
    are the devices. `keras_compat.training.Distribution` calls it itself.

    Args:
        synchronized: Whether devices normalize with the whole batch; `False` means with their own
            part of the batch.

    Example:

    >>> model = keras.Sequential([BatchStatisticsNormalization()])
    >>> set_synchronized(model, False)
    >>> normalization_layers(model)[0].synchronized
    False
    """
    for layer in normalization_layers(model):
        layer.synchronized = synchronized
    _drop_compiled(model)


def _drop_compiled(model: keras.layers.Layer) -> None:
    for part in [model, *model._flatten_layers(include_self=False)]:
        if isinstance(part, keras.Model):
            part.predict_function = None
            part.test_function = None


@contextmanager
def split_by_device(
    models: Iterable[keras.layers.Layer], devices: int, batch: int
) -> Iterator[None]:
    """Makes a step that sees a whole batch normalize each device's part by itself.

    The training step must be traced within this context, see
    `BatchStatisticsNormalization.synchronized`.

    Args:
        models: Models that the step trains, nested models included.
        batch: Size of the batch, a multiple of `devices`.
    """
    with changed(models, _split=(devices, batch), synchronized=False):
        yield


@contextmanager
def recalibrating(models: keras.layers.Layer | Iterable[keras.layers.Layer]) -> Iterator[None]:
    """Makes a call within it replace moving statistics by those of its batch.

    Call a model eagerly, as `model(images, training=False)`. Every normalization layer then
    normalizes with the batch, whatever its mode, and its moving mean and variance become the
    statistics of that batch. Afterwards the layers have their earlier mode. Compiled functions
    (`predict`) do not see the context.

    Args:
        models: One model or several, nested models included.

    Example:

    >>> import numpy as np
    >>> model = keras.Sequential([BatchStatisticsNormalization()])
    >>> with recalibrating(model):
    ...     y = model(np.array([[1.0], [3.0]], "float32"), training=False)
    >>> keras.ops.convert_to_numpy(model.layers[0].moving_mean).tolist()
    [2.0]
    """
    models = [models] if isinstance(models, keras.layers.Layer) else models
    with changed(models, _recalibrating=True):
        yield


@contextmanager
def changed(models: Iterable[keras.layers.Layer], **attributes: Any) -> Iterator[None]:
    """Gives attributes of normalization layers other values within this context.

    Example:

    >>> model = keras.Sequential([BatchStatisticsNormalization()])
    >>> with changed([model], statistics="moving"):
    ...     model.layers[0].statistics
    'moving'
    >>> model.layers[0].statistics
    'batch'
    """
    layers = [layer for model in models for layer in normalization_layers(model)]
    before = [(layer, name, getattr(layer, name)) for layer in layers for name in attributes]
    try:
        for layer, name, _ in before:
            setattr(layer, name, attributes[name])
        yield
    finally:
        for layer, name, earlier in before:
            setattr(layer, name, earlier)
