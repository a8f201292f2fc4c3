"""A trained network, and extractors that differ from its own in ways that can be undone."""

import keras
import numpy as np
import pytest

from keras_compat.data import Examples
from keras_compat.evaluation.baselines import Pair
from keras_compat.networks import recombine
from tests.evaluation.small import SHAPE, build_pair

NAMES = ("left", "top", "middle")


def bright_places(count, seed):
    """Images that are bright to the left, on top or in the middle."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 120, (count, *SHAPE))
    bright = np.zeros((3, *SHAPE), int)
    bright[0, :, :4], bright[1, :4], bright[2, 2:6, 2:6] = 80, 80, 80
    return Examples((images + bright[labels]).astype("uint8"), labels)


@pytest.fixture(scope="package")
def target():
    """An extractor and a head that know the bright places."""
    keras.utils.set_random_seed(0)
    extractor, head = build_pair()
    network = recombine(extractor, head)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(0.01), loss)
    train = bright_places(240, seed=1)
    network.fit(train.images, train.labels, batch_size=48, epochs=8, verbose=0)
    return extractor, head


@pytest.fixture(scope="package")
def test_images():
    return bright_places(90, seed=2)


@pytest.fixture(scope="package")
def make_pair(target):
    """Makes a pair of the target network with its own extractor, followed by a linear map."""

    def make(kernel, bias=0.0):
        features = keras.layers.Conv2D(kernel.shape[1], 1, name="mixed")
        extractor = keras.Sequential([keras.Input(SHAPE), target[0], features], name="other")
        features.set_weights([kernel[None, None], np.broadcast_to(bias, kernel.shape[1])])
        train = bright_places(200, seed=3)
        return Pair(extractor, train, NAMES, *target, bright_places(240, seed=1), NAMES)

    return make
