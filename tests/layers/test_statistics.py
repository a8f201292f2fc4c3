"""Switching and re-estimating the statistics of whole models."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_compat.layers import (
    BatchStatisticsNormalization,
    normalization_layers,
    recalibrating,
    set_statistics,
    set_synchronized,
)


@pytest.fixture
def model():
    """A nested model: normalization, then an inner one of normalization and a dense layer."""
    inner = keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            BatchStatisticsNormalization(name="b"),
            keras.layers.Dense(2, name="dense"),
        ],
        name="inner",
    )
    images = keras.Input((4, 4, 2))
    x = BatchStatisticsNormalization(name="a")(images)
    return keras.Model(images, inner(x))


X = np.random.default_rng(0).normal(3.0, 2.0, size=(6, 4, 4, 2)).astype("float32")


def test_normalization_layers_finds_nested_ones_once(model):
    assert [layer.name for layer in normalization_layers(model)] == ["a", "b"]
    assert normalization_layers(keras.layers.Dense(1)) == []


def test_set_statistics_reaches_nested_layers_and_compiled_functions(model):
    by_batch = model.predict(X, batch_size=6, verbose=0)
    set_statistics(model, "moving")
    assert {layer.statistics for layer in normalization_layers(model)} == {"moving"}
    by_moving = model.predict(X, batch_size=6, verbose=0)
    assert np.abs(by_batch - by_moving).max() > 0.1
    np.testing.assert_allclose(by_moving, model(X), atol=1e-5)
    set_statistics(model, "batch")
    np.testing.assert_allclose(model.predict(X, batch_size=6, verbose=0), by_batch, atol=1e-6)


@pytest.mark.parametrize("statistics", ["batch", "moving"])
def test_recalibrating_replaces_moving_statistics(model, statistics):
    set_statistics(model, statistics)
    model.trainable = False
    with recalibrating([model]):
        outputs = keras.ops.convert_to_numpy(model(X, training=False))
    first, second = normalization_layers(model)
    np.testing.assert_allclose(first.moving_mean, X.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(first.moving_variance, X.var((0, 1, 2)), rtol=1e-5)
    # What reaches the second layer is normalized by the first.
    np.testing.assert_allclose(second.moving_mean, [0, 0], atol=1e-6)
    np.testing.assert_allclose(second.moving_variance, [1, 1], atol=1e-4)
    assert first.statistics == statistics
    # On these images, moving statistics now do what batch statistics do.
    set_statistics(model, "moving")
    np.testing.assert_allclose(model(X, training=False), outputs, atol=1e-4)


def test_recalibrating_ends_with_an_error_too(model):
    with pytest.raises(RuntimeError), recalibrating(model):
        raise RuntimeError
    model(X, training=False)
    assert float(np.abs(normalization_layers(model)[0].moving_mean).max()) == 0.0


def test_synchronization_is_switched_on_in_nested_models_and_saved(tmp_path):
    inner = keras.Sequential([keras.Input((4, 4, 2)), BatchStatisticsNormalization()])
    model = keras.Sequential([keras.Input((4, 4, 2)), inner, BatchStatisticsNormalization()])
    set_synchronized(model)
    assert [layer.synchronized for layer in normalization_layers(model)] == [True, True]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [layer.synchronized for layer in normalization_layers(loaded)] == [True, True]
