"""Small networks and data that the trainer's tests share."""

from __future__ import annotations

import keras
import numpy as np

from keras_compat.auxiliary import CommonClasses, RotationPrediction
from keras_compat.layers import BatchStatisticsNormalization
from keras_compat.training import AuxiliaryHead, Task, Trainer

CLASSES = 3


def extractor(name, filters=4, channels=1, seed=0):
    images = keras.Input((8, 8, channels))
    x = keras.layers.Rescaling(1 / 127.5, -1)(images)
    init = keras.initializers.GlorotUniform(seed=seed)
    x = keras.layers.Conv2D(filters, 3, strides=2, use_bias=False, kernel_initializer=init)(x)
    x = BatchStatisticsNormalization()(x)
    return keras.Model(images, keras.layers.ReLU()(x), name=name)


def head(name, outputs=CLASSES, filters=4, seed=1):
    features = keras.Input((None, None, filters))
    init = keras.initializers.GlorotUniform(seed=seed)
    x = keras.layers.Conv2D(6, 2, use_bias=False, kernel_initializer=init)(features)
    x = BatchStatisticsNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    init = keras.initializers.GlorotUniform(seed=seed + 1)
    return keras.Model(features, keras.layers.Dense(outputs, kernel_initializer=init)(x), name=name)


def data(count=24, seed=0, classes=CLASSES):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count).astype("int32")
    images = rng.integers(0, 80, (count, 8, 8, 1)) + 80 * labels[:, None, None, None]
    return images.astype("uint8"), labels


def joint_trainer(names=("a", "b"), assignment="cyclic", common=True):
    """Networks of their own, with a shared rotation head and a shared head of common classes."""
    rotation_head, common_head = head("rotation_head", 4, seed=5), head("common_head", 2, seed=7)
    tasks = []
    for number, name in enumerate(names):
        held = [AuxiliaryHead(RotationPrediction(assignment, seed=number), rotation_head)]
        if common:
            held.append(AuxiliaryHead(CommonClasses([0, 1], CLASSES), common_head))
        tasks.append(
            Task(
                name,
                extractor(f"{name}_extractor", seed=10 + number),
                head(f"{name}_head", seed=20 + number),
                held,
            )
        )
    return Trainer(tasks)


def weights(model):
    return [np.array(v.value) for v in model.weights]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def eager(trainer, optimizer, **options):
    """Compiles a trainer whose steps Python runs, which is quicker for a few rounds."""
    trainer.compile(optimizer, run_eagerly=True, **options)
    return trainer


def assert_close(one, other, rtol=1e-5, atol=1e-6):
    """Asserts that two models, or lists of arrays, have the same weights."""
    one, other = (x if isinstance(x, list) else weights(x) for x in (one, other))
    for x, y in zip(one, other, strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=atol)


def gradient(function, value):
    """Returns the gradient of the sum of a function's values."""
    if keras.backend.backend() == "jax":
        import jax

        return np.array(jax.grad(lambda x: function(x).sum())(value))
    import tensorflow as tf

    at = tf.constant(value)
    with tf.GradientTape() as tape:
        tape.watch(at)
        total = tf.reduce_sum(function(at))
    return np.array(tape.gradient(total, at))
