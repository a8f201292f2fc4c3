"""Moving statistics of a pair against NumPy and against batch statistics."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_compat.data import Examples
from keras_compat.errors import InputError
from keras_compat.evaluation import recalibrate, recombination_accuracy
from keras_compat.layers import BatchStatisticsNormalization, normalization_layers, set_statistics
from tests.evaluation.small import build_head, build_pair, called, random_examples


@pytest.fixture(scope="module")
def images(examples):
    return examples.images


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("batch_size", [None, 2])
def test_statistics_are_exactly_those_of_the_images(batch_size):
    x = inputs = keras.Input((4, 4, 2))
    x = BatchStatisticsNormalization(name="norm")(x)
    extractor = keras.Model(inputs, x, name="extractor")
    inputs = keras.Input((None, None, 2))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    head = keras.Model(inputs, keras.layers.Dense(3, name="logits")(x), name="head")
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 2), "uint8")
    norm = recalibrate(extractor, head, images, batch_size=batch_size)[0].get_layer("norm")
    mean, variance = images.mean(axis=(0, 1, 2)), images.var(axis=(0, 1, 2))
    np.testing.assert_allclose(ops.convert_to_numpy(norm.moving_mean), mean, rtol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(norm.moving_variance), variance, rtol=1e-4)


def test_single_images_get_the_logits_that_the_batch_had(pair, images):
    expected = called(*pair, images)
    new = recalibrate(*pair, images)
    alone = np.concatenate([called(*new, image[None]) for image in images])
    np.testing.assert_allclose(alone, expected, atol=1e-3)


def test_the_originals_are_untouched(pair, images):
    before = [m.get_weights() for m in pair]
    new = recalibrate(*pair, images)
    assert all(same(m.get_weights(), w) for m, w in zip(pair, before, strict=True))
    assert {x.statistics for m in pair for x in normalization_layers(m)} == {"batch"}
    assert {x.statistics for m in new for x in normalization_layers(m)} == {"moving"}
    assert not any(same(m.get_weights(), w) for m, w in zip(new, before, strict=True))
    for old, copy in zip(pair, new, strict=True):
        values = ([ops.convert_to_numpy(v) for v in m.trainable_variables] for m in (old, copy))
        assert same(*values)


def test_a_new_head_fits_an_extractor_in_use(pair, images):
    extractor, _ = recalibrate(*pair, images)
    _, new_head = build_pair(classes=4)
    other_images = random_examples(9, seed=1).images
    kept, head = recalibrate(extractor, new_head, other_images, keep_extractor=True)
    assert same(kept.get_weights(), extractor.get_weights())
    # On the images it was measured on, the head does what batch statistics would do.
    expected = called(extractor, new_head, other_images)
    np.testing.assert_allclose(called(extractor, head, other_images), expected, atol=1e-3)


def test_keep_extractor_needs_one_in_moving_mode(pair, images):
    with pytest.raises(InputError, match="keep_extractor"):
        recalibrate(*pair, images, keep_extractor=True)


def test_refuses_images_and_heads_that_do_not_fit(pair, images):
    extractor, head = pair
    for wrong in (images[:0], images[..., 0], images[:, :4], np.repeat(images, 3, axis=-1)):
        with pytest.raises(InputError, match=r"\(8, 8, 1\)"):
            recalibrate(extractor, head, wrong)
    other = build_head(channels=9)
    with pytest.raises(InputError, match="emits"):
        recalibrate(extractor, other, images)


def test_copies_of_a_pair_in_moving_mode_are_measured_anew(pair, images):
    new = recalibrate(*pair, images)
    again = recalibrate(*new, images[:3])
    set_statistics(pair[0], "batch")
    np.testing.assert_allclose(called(*again, images[:3]), called(*pair, images[:3]), atol=1e-3)


def test_batches_give_nearly_the_statistics_of_all_images_whatever_their_order(pair):
    images = np.sort(random_examples(90).images, axis=0)  # the dark ones first
    whole = [ops.convert_to_numpy(x.moving_variance) for x in _norms(*recalibrate(*pair, images))]
    batches = recalibrate(*pair, images, batch_size=30)
    for expected, layer in zip(whole, _norms(*batches), strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(layer.moving_variance), expected, rtol=0.1)


def _norms(extractor, head):
    return [*normalization_layers(extractor), *normalization_layers(head)]


def test_recombination_accuracy_with_statistics_of_the_examples_without_labels(pair):
    """The labels are what batch statistics predict, which moving statistics of no training miss."""
    images = random_examples(60).images
    examples = Examples(images, called(*pair, images).argmax(axis=1))
    assert recombination_accuracy(*pair, examples, statistics="recalibrated") == 1.0
    assert recombination_accuracy(*pair, examples, statistics="moving") < 0.9
