"""Baselines that learn make up for shuffled and mixed channels."""

import keras
import numpy as np
import pytest
from scipy.stats import ortho_group

from keras_compat.errors import InputError
from keras_compat.evaluation import recombination_accuracy
from keras_compat.evaluation.baselines import (
    Connected,
    Pair,
    Relative,
    Stitching,
    StitchingUnlabelled,
)
from keras_compat.evaluation.baselines.relative import relative_extractor

SHUFFLED = np.eye(8)[np.roll(np.arange(8), 3)]


def accuracy(connected, test_images):
    return recombination_accuracy(
        connected.extractor, connected.head, test_images, statistics=connected.statistics
    )


@pytest.mark.parametrize(
    "baseline",
    [Stitching(steps=60), StitchingUnlabelled(steps=60), Relative(anchors=24, steps=60)],
    ids=lambda baseline: type(baseline).__name__,
)
def test_recovers_the_accuracy_of_a_shuffled_extractor(make_pair, test_images, baseline):
    pair = make_pair(SHUFFLED)
    swapped = accuracy(Connected(pair.extractor, pair.target_head), test_images)
    connected = baseline.connect(pair)
    assert accuracy(Connected(pair.target_extractor, pair.target_head), test_images) > 0.95
    assert swapped < 0.7
    assert accuracy(connected, test_images) > 0.95


def test_stitching_learns_only_from_classes_that_the_head_knows(make_pair, test_images):
    """With the names of two classes exchanged, what is learnt is to exchange them."""
    pair = make_pair(SHUFFLED)
    arguments = {**vars(pair), "class_names": ("top", "left", "elsewhere")}
    connected = Stitching(steps=60).connect(Pair(**arguments))
    exchanged = test_images.relabelled(np.array([1, 0, -1])[test_images.labels])
    assert accuracy(connected, exchanged) > 0.95
    with pytest.raises(InputError, match="in common"):
        Stitching(steps=1).connect(Pair(**{**arguments, "class_names": ("a", "b", "c")}))


def test_stitching_fits_extractors_of_other_widths(make_pair, test_images):
    pair = make_pair(np.random.default_rng(0).normal(size=(8, 5)))
    connected = Stitching(steps=60).connect(pair)
    assert connected.extractor.output_shape[-1] == 8
    assert accuracy(connected, test_images) > 0.8


def test_relative_features_do_not_see_orthogonal_maps_shifts_and_scales(make_pair, test_images):
    kernel = 3 * ortho_group.rvs(8, random_state=0)
    bias = np.random.default_rng(0).normal(size=8)
    pair = make_pair(kernel, bias)
    images, anchors = test_images.images[:8], test_images.images[8:14]
    relative = [
        relative_extractor(extractor, extractor.predict_on_batch(anchors))
        for extractor in (pair.target_extractor, pair.extractor)
    ]
    expected, found = (extractor.predict_on_batch(images) for extractor in relative)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert 0.1 < np.abs(expected).max() <= 1 + 1e-5


def test_an_anchor_is_most_similar_to_itself(make_pair, test_images):
    extractor = make_pair(SHUFFLED).extractor
    anchors = test_images.images[:6]
    relative = relative_extractor(extractor, extractor.predict_on_batch(anchors))
    found = relative.predict_on_batch(anchors)
    np.testing.assert_allclose(found.diagonal(), 1.0, atol=1e-5)
    assert (found.argmax(axis=1) == np.arange(6)).all()


def test_relative_connects_features_of_other_heights_and_widths(make_pair, test_images):
    pair = make_pair(np.random.default_rng(0).normal(size=(8, 5)))
    halved = keras.Sequential([pair.extractor, keras.layers.AveragePooling2D(2)], name="halved")
    pair = Pair(**{**vars(pair), "extractor": halved})
    assert accuracy(Relative(anchors=24, steps=60).connect(pair), test_images) > 0.8
