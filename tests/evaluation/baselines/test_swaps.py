"""The plain swap, with the statistics of training and with new ones."""

import numpy as np
import pytest

from keras_compat.evaluation import recalibrate, recombination_accuracy
from keras_compat.evaluation.baselines import BASELINES, Swap, SwapRecalibrated


@pytest.mark.parametrize(
    ("name", "part", "statistics"),
    [("swap", "extractor", "moving"), ("target_network", "target_extractor", "batch")],
)
def test_parts_and_statistics_are_used_as_they_are(make_pair, name, part, statistics):
    pair = make_pair(np.eye(8))
    connected = BASELINES[name].connect(pair)
    assert connected.extractor is getattr(pair, part)
    assert connected.head is pair.target_head
    assert connected.statistics == statistics


def test_recalibration_repairs_what_is_only_statistics(make_pair, test_images):
    # The head normalizes what it makes of the features, but not with statistics of its training.
    pair = make_pair(0.05 * np.eye(8))
    accuracies = {}
    for baseline in (Swap(), SwapRecalibrated()):
        connected = baseline.connect(pair)
        accuracies[baseline.needs] = recombination_accuracy(
            connected.extractor, connected.head, test_images, statistics=connected.statistics
        )
    assert accuracies["up to 2,048 images"] > 0.9 > accuracies["nothing"] + 0.2


def test_recalibrates_on_the_extractors_own_training_images(make_pair):
    pair = make_pair(np.eye(8))
    connected = SwapRecalibrated().connect(pair)
    expected = recalibrate(pair.extractor, pair.target_head, pair.train.images)
    for found, wanted in zip(connected.head.get_weights(), expected[1].get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_every_baseline_says_what_it_needs():
    needs = {name: BASELINES[name].needs for name in BASELINES}
    assert needs["swap"] == "nothing"
    assert needs["least_squares"] == "up to 2,048 images through both"
    assert needs["stitching"] == "labels, 500 steps"
    assert "256 anchors" in needs["relative"]
    assert all(needs.values())
