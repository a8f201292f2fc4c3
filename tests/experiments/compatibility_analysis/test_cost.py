"""What a step of each method costs, counted."""

import pytest
from pytest import approx

from keras_compat.experiments.compatibility_analysis import cost
from keras_compat.experiments.compatibility_analysis.cost import (
    METHODS,
    PASSES,
    _time,
    _weigh,
    count_task_flops,
)
from keras_compat.experiments.compatibility_analysis.groups import load_group
from keras_compat.experiments.compatibility_analysis.training import make_setup
from keras_compat.networks import count_flops
from keras_compat.studies.cells import Cell
from tests.experiments.two_sets import make_config

pytestmark = pytest.mark.usefixtures("eager")


def test_each_methods_step_is_made_of_passes_through_extractors_and_heads(tmp_path):
    config = make_config(tmp_path)
    group = load_group(config)
    counted = {}
    for method in METHODS:
        setup = make_setup(config, Cell(method, 0), group)
        counted[method] = sum(map(count_task_flops, setup.tasks.values()))
    networks = setup.networks.values()
    extractors = sum(count_flops(each.extractor) for each in networks)
    heads = sum(count_flops(e.head, e.extractor.output_shape[1:]) for e in networks)
    assert counted["independent"] == PASSES * (extractors + heads)
    # Each extractor also sees its own images and the other one's side by side with it.
    assert counted["fm"] == PASSES * (3 * extractors + heads)
    # Heads differ in their number of outputs only.
    rotation = counted["rp"] / PASSES - 2 * extractors
    assert rotation / heads == approx(2, rel=0.01)
    assert counted["dcc"] < counted["rp"] < counted["rp+dcc"]


@pytest.mark.once
def test_methods_take_turns_and_each_is_weighed(tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "_FIRST_ROUNDS", 1)
    config = make_config(tmp_path)
    seconds = _time(config, ["independent", "rp"], count=2, rounds=1, turns=3)
    assert {method: len(found) for method, found in seconds.items()} == {"independent": 3, "rp": 3}
    flops, memory = _weigh(config, "independent", count=4)
    assert memory > 0.1
    # Four networks of one architecture on as many images.
    assert flops == approx(2 * _weigh(config, "independent", count=2)[0], rel=0.01)
