"""Moving statistics of a pair against NumPy and against batch statistics."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from keras_compat import networks
from keras_compat.deployment import recalibrate
from keras_compat.errors import InputError
from keras_compat.layers import BatchStatisticsNormalization, normalization_layers, set_statistics

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


@pytest.fixture(scope="module")
def pair():
    keras.utils.set_random_seed(0)
    return build_pair()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (7, *SHAPE), "uint8")


def run(extractor, head, images):
    features = extractor(np.asarray(images, "float32"), training=False)
    return ops.convert_to_numpy(head(features, training=False))


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_statistics_are_exactly_those_of_the_images():
    x = inputs = keras.Input((4, 4, 2))
    x = BatchStatisticsNormalization(name="norm")(x)
    extractor = keras.Model(inputs, x, name="extractor")
    inputs = keras.Input((None, None, 2))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    head = keras.Model(inputs, keras.layers.Dense(3, name="logits")(x), name="head")
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 2), "uint8")
    norm = recalibrate(extractor, head, images)[0].get_layer("norm")
    mean, variance = images.mean(axis=(0, 1, 2)), images.var(axis=(0, 1, 2))
    np.testing.assert_allclose(ops.convert_to_numpy(norm.moving_mean), mean, rtol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(norm.moving_variance), variance, rtol=1e-4)


def test_single_images_get_the_logits_that_the_batch_had(pair, images):
    expected = run(*pair, images)
    new = recalibrate(*pair, images)
    alone = np.concatenate([run(*new, image[None]) for image in images])
    np.testing.assert_allclose(alone, expected, atol=1e-3)


def test_the_originals_are_untouched(pair, images):
    before = [m.get_weights() for m in pair]
    new = recalibrate(*pair, images)
    assert all(same(m.get_weights(), w) for m, w in zip(pair, before, strict=True))
    assert {x.statistics for m in pair for x in normalization_layers(m)} == {"batch"}
    assert {x.statistics for m in new for x in normalization_layers(m)} == {"moving"}
    assert not any(same(m.get_weights(), w) for m, w in zip(new, before, strict=True))
    for old, copy in zip(pair, new, strict=True):
        assert same(
            [ops.convert_to_numpy(v) for v in old.trainable_variables],
            [ops.convert_to_numpy(v) for v in copy.trainable_variables],
        )


def test_frozen_parts_are_measured_too(pair, images):
    extractor, head = recalibrate(*pair, images)
    for model in pair:
        model.trainable = False
    try:
        frozen = recalibrate(*pair, images)
    finally:
        for model in pair:
            model.trainable = True
    for a, b in zip((extractor, head), frozen, strict=True):
        for x, y in zip(normalization_layers(a), normalization_layers(b), strict=True):
            np.testing.assert_allclose(
                ops.convert_to_numpy(x.moving_mean), ops.convert_to_numpy(y.moving_mean), atol=1e-5
            )


def test_a_new_head_fits_an_extractor_in_use(pair, images):
    extractor, _ = recalibrate(*pair, images)
    _, new_head = build_pair(classes=4)
    other_images = np.random.default_rng(1).integers(0, 256, (9, *SHAPE), "uint8")
    kept, head = recalibrate(extractor, new_head, other_images, keep_extractor=True)
    assert same(kept.get_weights(), extractor.get_weights())
    # On the images it was measured on, the head does what batch statistics would do.
    features = extractor(other_images.astype("float32"), training=False)
    expected = ops.convert_to_numpy(new_head(features, training=False))
    np.testing.assert_allclose(run(extractor, head, other_images), expected, atol=1e-3)


def test_keep_extractor_needs_one_in_moving_mode(pair, images):
    with pytest.raises(InputError, match="keep_extractor"):
        recalibrate(*pair, images, keep_extractor=True)


def test_refuses_images_and_heads_that_do_not_fit(pair, images):
    extractor, head = pair
    for wrong in (images[:0], images[..., 0], images[:, :4], np.repeat(images, 3, axis=-1)):
        with pytest.raises(InputError, match=r"\(8, 8, 1\)"):
            recalibrate(extractor, head, wrong)
    other = networks.build_head("mobilenet_v2_small", input_channels=9, classes=3, seed=1)
    with pytest.raises(InputError, match="emits"):
        recalibrate(extractor, other, images)


def test_copies_of_a_pair_in_moving_mode_are_measured_anew(pair, images):
    new = recalibrate(*pair, images)
    again = recalibrate(*new, images[:3])
    set_statistics(pair[0], "batch")
    np.testing.assert_allclose(run(*again, images[:3]), run(*pair, images[:3]), atol=1e-3)
