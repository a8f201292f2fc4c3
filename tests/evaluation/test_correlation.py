"""Streamed correlation against NumPy on everything at once."""

import tracemalloc

import keras
import numpy as np
import pytest
from keras import ops

from keras_compat.data import Examples
from keras_compat.errors import InputError
from keras_compat.evaluation import cross_correlation, optimal_permutation
from keras_compat.evaluation.prediction import using_statistics
from tests.evaluation.small import SHAPE, build_extractor, random_examples


@pytest.fixture(scope="module")
def extractors():
    return build_extractor(seed=1), build_extractor(channels=5, seed=2)


def features(extractor, sets, batch_size):
    """All positions of all images, normalized by the batches that an evaluation has."""
    return np.concatenate(
        [
            ops.convert_to_numpy(extractor(images.astype("float32"), training=False))
            for examples in sets
            for images, _ in examples.evaluation_batches(batch_size)
        ]
    ).reshape(-1, extractor.output_shape[-1])


def test_equals_numpy_on_the_whole_of_several_sets(extractors):
    a, b = extractors
    sets = [random_examples(11), random_examples(5, seed=1)]
    both = np.hstack([features(a, sets, 4), features(b, sets, 4)]).astype("float64")
    found = cross_correlation(a, b, sets, batch_size=4)
    assert found.shape == (8, 5)
    np.testing.assert_allclose(found, np.corrcoef(both.T)[:8, 8:], atol=1e-5)


def test_uses_batch_statistics_whatever_mode_the_extractors_are_in(extractors):
    a, b = extractors
    expected = cross_correlation(a, b, [random_examples(6)])
    with using_statistics("moving", a):
        np.testing.assert_allclose(cross_correlation(a, b, [random_examples(6)]), expected)


def grey_and(scale, offset):
    """One channel hands on the image, one shifts and scales it, one does not vary."""
    images = keras.Input(SHAPE)
    shifted = keras.layers.Rescaling(scale, offset)(images)
    constant = keras.layers.Rescaling(0.0, 0.3)(images)
    return keras.Model(images, keras.layers.Concatenate()([images, shifted, constant]))


def test_large_means_and_small_variations_lose_nothing():
    found = cross_correlation(grey_and(1.0, 5e4), grey_and(-1e-3, 10.0), [random_examples(40)], 8)
    expected = np.array([[1, -1, 0], [1, -1, 0], [0, 0, 0]])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_memory_does_not_grow_with_the_number_of_images(extractors):
    class Repeated(Examples):
        """The same images again and again, so that only what reads them can take memory."""

        def evaluation_batches(self, batch_size, seed=0):
            for _ in range(times):
                yield self.images, self.labels

    images = Repeated(*(lambda x: (x.images, x.labels))(random_examples(64)))
    peaks = {}
    for times in (1, 2, 16):  # the first run compiles
        tracemalloc.start()
        cross_correlation(*extractors, [images])
        peaks[times] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[16] < 1.2 * peaks[2]


def test_features_of_other_heights_are_refused(extractors):
    with pytest.raises(InputError, match=r"\(4, 4, 8\).*\(8, 8, 3\)"):
        cross_correlation(extractors[0], grey_and(1.0, 0.0), [random_examples(2)])
    with pytest.raises(InputError, match="no images"):
        cross_correlation(*extractors, [])


def test_permutation_finds_shuffled_channels(extractors):
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(8)
    values = rng.normal(size=(1000, 8))
    noisy = values[:, shuffled] + 0.1 * rng.normal(size=(1000, 8))
    correlation = np.corrcoef(values.T, noisy.T)[:8, 8:]
    permutation = optimal_permutation(correlation)
    np.testing.assert_array_equal(shuffled[permutation], np.arange(8))
    with pytest.raises(InputError, match=r"\(8, 5\)"):
        optimal_permutation(correlation[:, :5])
