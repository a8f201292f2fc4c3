"""Small extractors, heads and data that the tests of evaluation share."""

import keras
import numpy as np
from keras import ops

from keras_compat.data import Examples
from keras_compat.layers import BatchStatisticsNormalization

SHAPE = (8, 8, 1)


def build_extractor(channels=8, seed=None):
    images = keras.Input(SHAPE)
    x = keras.layers.Rescaling(1 / 127.5, -1)(images)
    init = keras.initializers.GlorotUniform(seed)
    x = keras.layers.Conv2D(
        channels, 3, strides=2, padding="same", use_bias=False, kernel_initializer=init
    )(x)
    return keras.Model(images, BatchStatisticsNormalization()(x), name="extractor")


def build_head(channels=8, classes=3):
    features = keras.Input((None, None, channels))
    x = keras.layers.Conv2D(8, 3, padding="same", use_bias=False)(keras.layers.ReLU()(features))
    x = keras.layers.ReLU()(BatchStatisticsNormalization()(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(features, keras.layers.Dense(classes, name="logits")(x), name="head")


def build_pair(classes=3):
    return build_extractor(), build_head(classes=classes)


def random_examples(count, seed=0, classes=3):
    images = np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), "uint8")
    return Examples(images, np.arange(count) % classes)


def called(extractor, head, images):
    features = extractor(np.asarray(images, "float32"), training=False)
    return ops.convert_to_numpy(head(features, training=False))
