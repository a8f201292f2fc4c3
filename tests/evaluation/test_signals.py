"""What tells without labels whether a head works on an extractor."""

import keras
import numpy as np
import pytest

from keras_compat.errors import InputError
from keras_compat.evaluation import (
    ChannelStatistics,
    channel_statistics,
    compatibility_signals,
    information,
    mutual_information,
)
from keras_compat.evaluation.signals import divergence
from tests.evaluation.small import build_head, build_pair

# A dot left of the middle, or right of it: two classes that are each other's mirror images.
DOTS = np.zeros((8, 4, 4, 1), "uint8")
DOTS[::2, 1, 0] = 255
DOTS[1::2, 2, 3] = 255


def model(function, shape, name):
    inputs = keras.Input(shape)
    return keras.Model(inputs, function(inputs), name=name)


@pytest.fixture
def plain():
    return model(lambda x: keras.layers.Rescaling(1 / 255)(x), (4, 4, 1), "plain")


@pytest.fixture
def head():
    """Tells a left from a right half."""
    halves = model(
        lambda x: keras.layers.Flatten()(keras.layers.AveragePooling2D((4, 2))(x)), (4, 4, 1), "h"
    )
    logits = keras.layers.Rescaling(100)(halves.output)
    return keras.Model(halves.input, logits, name="head")


def test_clear_answers_that_use_all_classes_say_much(plain, head):
    found = compatibility_signals(plain, head, DOTS, mirror=False)
    assert found["information"] == pytest.approx(1, abs=0.02)
    assert found["confidence"] == pytest.approx(1, abs=0.01)
    assert set(found) == {"information", "recovered", "confidence", "agreement"}


def test_what_is_recovered_is_between_permuted_channels_and_the_heads_own_extractor():
    # Three classes, each told by a channel of its own.
    images = np.zeros((400, 4, 4, 3), "uint8")
    labels = np.arange(400) % 3
    images[np.arange(400), :, :, labels] = 255
    sharp = model(
        lambda x: keras.layers.Rescaling(1 / 25)(keras.layers.GlobalAveragePooling2D()(x)),
        (4, 4, 3),
        "sharp",
    )
    plain = model(lambda x: keras.layers.Rescaling(1.0)(x), (4, 4, 3), "plain")
    assert information(plain, sharp, images) == pytest.approx(1, abs=0.01)
    # Here any order of channels is as good for it as the right one.
    assert compatibility_signals(plain, sharp, images)["recovered"] == pytest.approx(0, abs=0.01)
    # A head that takes one channel only, and is lost in most orders.
    kernel = np.array([[10.0, -10.0, 0], [0, 0, 0], [0, 0, 0]], "float32")
    one = model(
        lambda x: keras.layers.Dense(3, name="logits")(keras.layers.GlobalAveragePooling2D()(x)),
        (4, 4, 3),
        "one",
    )
    one.get_layer("logits").set_weights([kernel, np.zeros(3, "float32")])
    dark = np.where(np.arange(3) == 0, images, 0).astype("uint8")
    found = {
        own: compatibility_signals(plain, one, dark, own_information=own) for own in (None, 0.5)
    }
    told = information(plain, one, dark)
    assert told == pytest.approx(found[None]["information"]) and 0.1 < told < 0.6
    permuted = (told - found[None]["recovered"]) / (1 - found[None]["recovered"])
    assert 0 <= permuted < told
    assert found[0.5]["recovered"] == pytest.approx((told - permuted) / (0.5 - permuted))


def test_one_answer_for_all_says_nothing(plain, head):
    found = compatibility_signals(plain, head, DOTS[::2])
    assert found["information"] == pytest.approx(0, abs=1e-6)
    assert found["confidence"] > 0.99


def test_agreement_is_of_the_image_moved_and_mirrored(plain, head):
    # Moved by a pixel, the dots on the right come in again on the left: half stay as they are.
    assert compatibility_signals(plain, head, DOTS, mirror=False)["agreement"] == 0.5
    mirrored = compatibility_signals(plain, head, DOTS)["agreement"]
    assert mirrored == pytest.approx((0.5 + 0.5) / 2)


def test_the_rotation_head_is_asked_for_the_angle(plain):
    corner = np.zeros((8, 4, 4, 1), "uint8")
    corner[:, 0, 0] = 255
    # The corners in the order in which quarter turns counter-clockwise bring the dot there.
    kernel = np.zeros((16, 4), "float32")
    for turn, place in enumerate([0, 12, 15, 3]):
        kernel[place, turn] = 1
    rotation = model(
        lambda x: keras.layers.Dense(4, name="logits")(keras.layers.Flatten()(x)), (4, 4, 1), "r"
    )
    rotation.get_layer("logits").set_weights([kernel, np.zeros(4, "float32")])
    found = compatibility_signals(plain, rotation, corner, rotation_head=rotation)
    assert found["rotation"] == 1
    found = compatibility_signals(plain, rotation, corner[:, ::-1], rotation_head=rotation)
    assert found["rotation"] == 0


def test_features_are_compared_with_those_of_training(plain, head):
    own = channel_statistics(plain, DOTS)
    assert own.mean == pytest.approx(DOTS.mean() / 255) and own.variance.shape == (1,)
    assert compatibility_signals(plain, head, DOTS, trained_on=own)["features"] == pytest.approx(1)
    other = ChannelStatistics(own.mean + 3 * np.sqrt(own.variance), own.variance)
    found = compatibility_signals(plain, head, DOTS, trained_on=other)["features"]
    assert found == pytest.approx(1 / (1 + 9 / 2))


def test_divergence_is_that_of_normal_distributions():
    one = ChannelStatistics(np.array([0.0, 1.0]), np.array([1.0, 4.0]))
    other = ChannelStatistics(np.array([1.0, 1.0]), np.array([2.0, 1.0]))
    by_hand = [np.log(2**0.5) + (1 + 1) / (2 * 2) - 0.5, np.log(1 / 2) + 4 / 2 - 0.5]
    assert divergence(one, other) == pytest.approx(np.mean(by_hand))


def test_information_has_the_bounds_it_says():
    chance = np.random.default_rng(0).normal(0, 5, (50, 7))
    assert 0 < mutual_information(chance) < np.log(7)
    assert mutual_information(np.eye(7) * 1000) == pytest.approx(np.log(7))


def test_what_does_not_fit():
    extractor, head = build_pair()
    images = np.zeros((4, 8, 8, 1), "uint8")
    other = build_head(channels=3, classes=4)
    with pytest.raises(InputError, match="takes"):
        compatibility_signals(extractor, head, images, rotation_head=other)
    with pytest.raises(InputError, match="1 images; expected some hundreds"):
        compatibility_signals(extractor, head, images[:1])
    with pytest.raises(InputError, match="no variance below zero"):
        ChannelStatistics(np.zeros(2), -np.ones(2))
