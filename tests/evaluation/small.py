"""A small pair of an extractor and a head, and data, that the tests of evaluation share."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from keras_compat.data import Examples
from keras_compat.layers import BatchStatisticsNormalization

SHAPE = (8, 8, 1)


def build_pair(classes=3):
    inputs = keras.Input(SHAPE)
    x = keras.layers.Rescaling(1 / 127.5, -1)(inputs)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    extractor = keras.Model(inputs, BatchStatisticsNormalization()(x), name="extractor")
    inputs = keras.Input((None, None, 8))
    x = keras.layers.Conv2D(8, 3, padding="same", use_bias=False)(keras.layers.ReLU()(inputs))
    x = keras.layers.ReLU()(BatchStatisticsNormalization()(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    head = keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x), name="head")
    return extractor, head


def random_examples(count, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), "uint8")
    return Examples(images, np.arange(count) % 3)


def called(extractor, head, images):
    features = extractor(np.asarray(images, "float32"), training=False)
    return ops.convert_to_numpy(head(features, training=False))
