"""1x1 convolution between an extractor and a head, which most baselines use."""

from __future__ import annotations

import keras
import numpy as np

from keras_compat.layers import set_statistics
from keras_compat.networks import copy_model, feature_interface


def followed_by(extractor: keras.Model, *layers: keras.layers.Layer) -> keras.Model:
    """Returns a model of an extractor followed by more layers; it shares the extractor."""
    images = keras.Input(extractor.input_shape[1:], name="images")
    x = extractor(images)
    for layer in layers:
        x = layer(x)
    return keras.Model(images, x, name=f"{extractor.name}_connected")


def connected_extractor(
    extractor: keras.Model, kernel: np.ndarray, bias: np.ndarray
) -> keras.Model:
    """Returns a model of an extractor followed by a 1x1 convolution.

    Args:
        kernel: float `[channels, new channels]`.
        bias: float `[new channels]`.
    """
    layer = keras.layers.Conv2D(kernel.shape[1], 1, name="connection")
    model = followed_by(extractor, layer)
    layer.set_weights([kernel[None, None], bias])
    return model


def new_connection(extractor: keras.Model, channels: int, seed: int) -> keras.layers.Conv2D:
    """Returns a 1x1 convolution to train after an extractor.

    Its initial value is the identity for the same number of channels, else an orthogonal map.
    """
    layer = keras.layers.Conv2D(
        channels,
        1,
        kernel_initializer=keras.initializers.Orthogonal(seed=seed),
        name="connection",
    )
    own = feature_interface(extractor)[-1]
    layer.build((None, None, None, own))
    if own == channels:
        layer.set_weights([np.eye(own)[None, None], np.zeros(own)])
    return layer


def frozen(model: keras.Model, name: str | None = None) -> keras.Model:
    """Returns a frozen copy that normalizes with batch statistics."""
    copy = copy_model(model, name)
    copy.trainable = False
    set_statistics(copy, "batch")
    return copy
