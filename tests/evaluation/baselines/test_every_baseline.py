"""Every baseline of the registry connects a pair, and leaves its networks as they were."""

from dataclasses import fields, replace

import numpy as np
import pytest

from keras_compat.evaluation import recombination_accuracy
from keras_compat.evaluation.baselines import BASELINES
from keras_compat.layers import normalization_layers


def state(pair):
    """Returns all that a baseline could change in a pair's networks."""
    networks = (pair.extractor, pair.target_extractor, pair.target_head)
    layers = [x for network in networks for x in normalization_layers(network)]
    modes = [(x.statistics, x.trainable) for x in layers]
    return [*(weight for network in networks for weight in network.get_weights()), modes]


@pytest.mark.parametrize("name", BASELINES)
def test_it_connects_a_pair_and_changes_neither_network(name, make_pair, test_images):
    pair = make_pair(np.eye(8)[::-1])
    before = state(pair)
    baseline = BASELINES[name]
    few = {"steps": 2, "images": 64}
    known = {f.name: few[f.name] for f in fields(baseline) if f.name in few}
    connected = replace(baseline, **known).connect(pair)
    found = recombination_accuracy(
        connected.extractor, connected.head, test_images, statistics=connected.statistics
    )
    assert 0 <= found <= 1
    for one, other in zip(before, state(pair), strict=True):
        np.testing.assert_array_equal(one, other)
    assert baseline.needs and type(baseline).__doc__
