"""Vectors of unit length, where Keras' own layer has no usable gradient too."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_compat.layers import UnitLength
from tests.helpers import dtype_policy


def gradient(layer, x, weights):
    """Returns the gradient of `sum(layer(x) * weights)` by x."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(lambda v: keras.ops.sum(layer(v) * weights))(x))
    import tensorflow as tf

    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) * weights)
    return tape.gradient(loss, x).numpy()


def test_equals_numpy_at_each_position():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 8)).astype("float32")
    y = keras.ops.convert_to_numpy(UnitLength()(x))
    np.testing.assert_allclose(y, x / np.linalg.norm(x, axis=-1, keepdims=True), rtol=1e-5)


def test_zeros_stay_zeros_with_a_gradient_that_can_be_trained_with():
    x = np.array([[0.0, 0.0], [3.0, 4.0]], "float32")
    weights = np.array([1.0, 2.0], "float32")
    found = gradient(UnitLength(), x, weights)
    np.testing.assert_allclose(found[0], weights * 1e3, rtol=1e-4)
    # Across the vector only: along it the length does not change.
    np.testing.assert_allclose(found[1], [-0.064, 0.048], rtol=1e-4)
    # Why this layer exists.
    stock = gradient(keras.layers.UnitNormalization(), x, weights)[0]
    assert not (np.abs(stock) < 1e9).any()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_does_not_overflow_under_mixed_precision(policy):
    with dtype_policy(policy):
        layer = UnitLength()
    x = keras.ops.cast(np.full((1, 4), 512.0), policy.removeprefix("mixed_"))
    y = layer(x)
    assert keras.backend.standardize_dtype(y.dtype) == "float32"
    np.testing.assert_allclose(y, np.full((1, 4), 0.5), rtol=1e-6)


def test_config_and_shape():
    layer = UnitLength(epsilon=1e-3, name="unit")
    assert UnitLength.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer(keras.Input((None, None, 4))).shape == (None, None, None, 4)
