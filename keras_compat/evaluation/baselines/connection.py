"""The 1x1 convolution that most baselines put between an extractor and a head."""

from __future__ import annotations

import keras
import numpy as np

from keras_compat.layers import set_statistics
from keras_compat.networks import copy_model, feature_interface


def followed_by(extractor: keras.Model, *layers: keras.layers.Layer) -> keras.Model:
    """Returns an extractor with more layers at its end; the extractor itself is part of it."""
    images = keras.Input(extractor.input_shape[1:], name="images")
    x = extractor(images)
    for layer in layers:
        x = layer(x)
    return keras.Model(images, x, name=f"{extractor.name}_connected")


def connected_extractor(
    extractor: keras.Model, kernel: np.ndarray, bias: np.ndarray
) -> keras.Model:
    """Returns an extractor whose features are mapped by a 1x1 convolution.

    Args:
        extractor: with features of `channels` channels.
        kernel: float `[channels, channels of the result]`.
        bias: float `[channels of the result]`.
    """
    layer = keras.layers.Conv2D(kernel.shape[1], 1, name="connection")
    model = followed_by(extractor, layer)
    layer.set_weights([kernel[None, None], bias])
    return model


def new_connection(extractor: keras.Model, channels: int, seed: int) -> keras.layers.Conv2D:
    """Returns a 1x1 convolution to train behind an extractor.

    It begins as the plain swap, where the channels are as many; else as an orthogonal map.
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
    """Returns a copy that does not learn and normalizes with batch statistics."""
    copy = copy_model(model, name)
    copy.trainable = False
    set_statistics(copy, "batch")
    return copy
