"""The layer against NumPy, against Keras' own, and in every precision."""

from __future__ import annotations

import contextlib
import textwrap

import keras
import numpy as np
import pytest

from keras_compat.errors import InputError
from keras_compat.layers import BatchStatisticsNormalization, fused_tensorflow
from tests.helpers import python

BACKEND = keras.backend.backend()


def numpy_normalize(x, axis, epsilon=1e-5, gamma=1.0, beta=0.0):
    axes = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    shape = [1] * x.ndim
    shape[axis] = -1
    outputs = (x - mean) / np.sqrt(variance + epsilon)
    outputs = outputs * np.reshape(gamma, shape) + np.reshape(beta, shape)
    return outputs, mean.ravel(), variance.ravel()


def random(*shape, seed=0, scale=3.0, offset=2.0):
    return (np.random.default_rng(seed).normal(size=shape) * scale + offset).astype("float32")


def to_numpy(x):
    return keras.ops.convert_to_numpy(keras.ops.cast(x, "float32"))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((6, 4), -1), ((3, 5, 4), -1), ((2, 5, 3, 4), -1), ((2, 5, 3, 4), 3), ((2, 4, 5, 3), 1)],
)
def test_equals_numpy(shape, axis, training):
    x = random(*shape)
    gamma, beta = random(4, seed=1), random(4, seed=2)
    layer = BatchStatisticsNormalization(axis=axis)
    layer.build(shape)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    outputs = to_numpy(layer(x, training=training))
    expected, mean, variance = numpy_normalize(x, axis, gamma=gamma, beta=beta)
    np.testing.assert_allclose(outputs, expected, atol=2e-5, rtol=2e-5)
    share = 0.1 if training else 0.0
    np.testing.assert_allclose(layer.moving_mean, share * mean, atol=1e-5)
    np.testing.assert_allclose(
        layer.moving_variance, 1 - share + share * variance, atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_center_and_scale_are_optional(center, scale):
    x = random(4, 3, 3, 2)
    layer = BatchStatisticsNormalization(center=center, scale=scale)
    outputs = to_numpy(layer(x))
    np.testing.assert_allclose(outputs, numpy_normalize(x, -1)[0], atol=1e-5)
    assert len(layer.trainable_weights) == center + scale


@pytest.mark.parametrize("training", [True, False])
def test_frozen_layer_keeps_its_mode_and_its_statistics(training):
    x = random(4, 3, 3, 2)
    ours, stock = BatchStatisticsNormalization(), keras.layers.BatchNormalization(epsilon=1e-5)
    for layer in (ours, stock):
        layer.trainable = False
    outputs = to_numpy(ours(x, training=training))
    np.testing.assert_allclose(outputs, numpy_normalize(x, -1)[0], atol=1e-5)
    # Why this layer exists: the stock one falls back to moving statistics, here 0 and 1.
    np.testing.assert_allclose(to_numpy(stock(x, training=training)), x, rtol=1e-4)
    assert to_numpy(ours.moving_mean).tolist() == [0.0, 0.0]
    assert ours.trainable_weights == []


def test_equals_stock_layer_in_training_and_at_inference_with_moving_statistics():
    ours = BatchStatisticsNormalization(momentum=0.7, epsilon=1e-3, statistics="moving")
    stock = keras.layers.BatchNormalization(momentum=0.7, epsilon=1e-3)
    for seed in range(3):
        x = random(4, 3, 3, 2, seed=seed)
        a, b = (to_numpy(layer(x, training=True)) for layer in (ours, stock))
        np.testing.assert_allclose(a, b, atol=1e-5)
    for a, b in zip(ours.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    a, b = (to_numpy(layer(x, training=False)) for layer in (ours, stock))
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_frozen_layer_with_moving_statistics_trains_with_the_batch():
    x = random(4, 3, 3, 2)
    layer = BatchStatisticsNormalization(statistics="moving", trainable=False)
    outputs = to_numpy(layer(x, training=True))
    np.testing.assert_allclose(outputs, numpy_normalize(x, -1)[0], atol=1e-5)
    assert to_numpy(layer.moving_mean).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("statistics", ["batch", "moving"])
@pytest.mark.parametrize(
    ("policy", "output", "tolerance"),
    [("mixed_float16", "float16", 4e-3), ("mixed_bfloat16", "bfloat16", 3e-2)],
)
def test_mixed_precision_has_statistics_in_float32(policy, output, tolerance, statistics):
    x = random(8, 4, 4, 3, offset=5.0)
    layer = BatchStatisticsNormalization(dtype=policy, statistics=statistics, momentum=0.0)
    outputs = layer(x, training=True)
    if statistics == "moving":
        outputs = layer(x, training=False)
    assert keras.backend.standardize_dtype(outputs.dtype) == output
    assert {variable.dtype for variable in layer.weights} == {"float32"}
    rounded = to_numpy(keras.ops.cast(x, output))
    expected, mean, variance = numpy_normalize(rounded, -1)
    np.testing.assert_allclose(to_numpy(outputs), expected, atol=4 * tolerance)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-4)


def test_float16_images_do_not_overflow():
    x = (random(4, 8, 8, 2) * 8000).astype("float16").clip(-60000, 60000)
    outputs = to_numpy(BatchStatisticsNormalization(dtype="mixed_float16")(x))
    expected = numpy_normalize(x.astype("float32"), -1)[0]
    np.testing.assert_allclose(outputs, expected, atol=5e-3)


def test_float64():
    with jax_in_64_bits():
        x = np.random.default_rng(0).normal(size=(4, 3, 3, 2)) * 1e-3 + 1e3
        layer = BatchStatisticsNormalization(dtype="float64", epsilon=1e-12)
        outputs = keras.ops.convert_to_numpy(layer(x, training=True))
        expected = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-12)
        assert outputs.dtype == "float64"
        assert layer.moving_mean.dtype == "float64"
        np.testing.assert_allclose(outputs, expected, rtol=1e-6)


def jax_in_64_bits():
    if BACKEND != "jax":
        return contextlib.nullcontext()
    import jax

    return jax.enable_x64(True)


def test_large_mean_does_not_cancel():
    x = random(16, 8, 8, 2, scale=0.5, offset=2000.0)
    outputs = to_numpy(BatchStatisticsNormalization()(x))
    expected = numpy_normalize(x.astype("float64"), -1)[0]
    np.testing.assert_allclose(outputs, expected, atol=5e-3)


def test_a_single_position_gives_beta_and_no_nan():
    layer = BatchStatisticsNormalization()
    outputs = to_numpy(layer(random(1, 1, 1, 2), training=True))
    np.testing.assert_array_equal(outputs, np.zeros((1, 1, 1, 2)))
    np.testing.assert_allclose(layer.moving_variance, [0.9, 0.9])


def test_compiled_equals_eager():
    model = keras.Sequential([keras.Input((4, 4, 2)), BatchStatisticsNormalization()])
    x = random(4, 4, 4, 2)
    np.testing.assert_allclose(
        model.predict(x, batch_size=4, verbose=0), to_numpy(model(x)), atol=1e-5
    )


def test_fit_learns_gamma_and_beta_and_keeps_moving_statistics():
    x = random(8, 4, 4, 2)
    model = keras.Sequential([keras.Input((4, 4, 2)), BatchStatisticsNormalization()])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    for _ in range(60):
        model.train_on_batch(x, x)
    layer = model.layers[0]
    _, mean, variance = numpy_normalize(x, -1)
    np.testing.assert_allclose(layer.beta, mean, rtol=0.05)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=0.01)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=0.01)


def test_fused_gradients_equal_generic_ones(monkeypatch):
    if BACKEND != "tensorflow":
        pytest.skip("the fused kernel is TensorFlow's")
    import tensorflow as tf

    x, weights = tf.constant(random(4, 5, 5, 3)), random(4, 5, 5, 3, seed=1)
    layer = BatchStatisticsNormalization()
    layer.build(x.shape)
    layer.gamma.assign(random(3, seed=2))

    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) ** 3 * weights)
        variables = [x, layer.gamma.value, layer.beta.value]
        return [loss, *tape.gradient(loss, variables)], layer.moving_variance.numpy()

    assert fused_tensorflow.applies(x, -1)
    fused, fused_variance = gradients()
    layer.moving_mean.assign([0.0] * 3)
    layer.moving_variance.assign([1.0] * 3)
    monkeypatch.setattr(fused_tensorflow, "applies", lambda *_: False)
    generic, generic_variance = gradients()
    for a, b in zip(fused, generic, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * np.abs(b).max())
    np.testing.assert_allclose(fused_variance, generic_variance, rtol=1e-5)


def test_config_and_file_round_trip(tmp_path):
    layer = BatchStatisticsNormalization(
        axis=1,
        momentum=0.5,
        epsilon=1e-2,
        scale=False,
        statistics="moving",
        synchronized=True,
        beta_regularizer="l2",
        name="norm",
    )
    again = BatchStatisticsNormalization.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    model = keras.Sequential([keras.Input((4, 3, 3)), layer])
    x = random(4, 4, 3, 3)
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].statistics == "moving"
    np.testing.assert_array_equal(to_numpy(loaded(x)), to_numpy(model(x)))


@pytest.mark.parametrize("statistics", ["batch", "moving"])
def test_export(tmp_path, statistics):
    if BACKEND != "tensorflow":
        pytest.skip("exports of the JAX backend need jax2tf")
    import tensorflow as tf

    layer = BatchStatisticsNormalization(statistics=statistics)
    model = keras.Sequential([keras.Input((4, 4, 2)), layer])
    x = random(6, 4, 4, 2)
    model(x, training=True)
    model.export(tmp_path / "model", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    np.testing.assert_allclose(loaded.serve(x), to_numpy(model(x)), atol=1e-6)


def test_synchronized_replicas_share_their_statistics():
    if BACKEND != "tensorflow":
        pytest.skip("JAX shares the statistics of a batch split over devices by itself")
    code = """
        import numpy as np, tensorflow as tf
        cpu = tf.config.list_physical_devices("CPU")[0]
        half = tf.config.LogicalDeviceConfiguration()
        tf.config.set_logical_device_configuration(cpu, [half, half])
        from keras_compat.layers import BatchStatisticsNormalization
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        x = np.random.default_rng(0).normal(size=(8, 3, 3, 2)).astype("float32")
        x[4:] += 5
        whole = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)
        parts = strategy.experimental_distribute_values_from_function(
            lambda c: tf.constant(np.split(x, 2)[c.replica_id_in_sync_group]))
        for synchronized in (True, False):
            with strategy.scope():
                layer = BatchStatisticsNormalization(synchronized=synchronized)
                layer.build(x.shape)
            outputs = tf.function(lambda p: strategy.run(lambda y: layer(y), args=(p,)))(parts)
            outputs = np.concatenate(strategy.experimental_local_results(outputs))
            assert (abs(outputs - whole).max() < 1e-4) == synchronized
    """
    # In its own process, since devices are set before TensorFlow starts.
    done = python("-c", textwrap.dedent(code))
    assert done.returncode == 0, done.stderr[-2000:]


def test_bad_arguments():
    with pytest.raises(InputError, match="'bach'; expected 'batch' or 'moving'"):
        BatchStatisticsNormalization(statistics="bach")
    layer = BatchStatisticsNormalization()
    with pytest.raises(InputError, match="None; expected"):
        layer.statistics = None
    with pytest.raises(ValueError, match="axis=4"):
        BatchStatisticsNormalization(axis=4).build((2, 3, 3, 2))
    with pytest.raises(ValueError, match="known size"):
        BatchStatisticsNormalization().build((2, 3, 3, None))
