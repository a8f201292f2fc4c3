"""Every baseline of the registry connects a pair, and leaves its networks as they were."""

from dataclasses import fields, replace

import numpy as np
import pytest

from keras_compat.evaluation import recombination_accuracy
from keras_compat.evaluation.baselines import BASELINES


@pytest.mark.parametrize("name", BASELINES)
def test_it_connects_a_pair_and_changes_neither_network(name, make_pair, test_images):
    pair = make_pair(np.eye(8)[::-1])
    networks = (pair.extractor, pair.target_extractor, pair.target_head)
    before = [weight for network in networks for weight in network.get_weights()]
    baseline = BASELINES[name]
    few = {"steps": 2, "images": 64}
    known = {f.name: few[f.name] for f in fields(baseline) if f.name in few}
    connected = replace(baseline, **known).connect(pair)
    found = recombination_accuracy(
        connected.extractor, connected.head, test_images, statistics=connected.statistics
    )
    assert 0 <= found <= 1
    after = [weight for network in networks for weight in network.get_weights()]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert baseline.needs and type(baseline).__doc__
