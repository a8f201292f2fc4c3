"""Parts that each training of classifier transfer shares, freezes and starts from."""

from dataclasses import replace

import numpy as np
import pytest

from keras_compat.experiments.classifier_transfer.build import Builder
from keras_compat.experiments.classifier_transfer.experiment import EXPERIMENT
from keras_compat.experiments.classifier_transfer.items import items_of
from keras_compat.experiments.classifier_transfer.preparation import load_prepared
from keras_compat.experiments.classifier_transfer.presets import PRESETS
from keras_compat.experiments.runner.runner import Work
from keras_compat.experiments.runner.terminal import Terminal

pytestmark = pytest.mark.once
SMALL = "resnet8:filters=4@stage2"
CONFIG = replace(
    PRESETS["demo"],
    image_size=8,
    extractors={"a": SMALL, "b": SMALL},
    head=SMALL,
    reference="b",
    interface_channels=6,
    upper_bounds="all",
    seeds=2,
)


@pytest.fixture(scope="module")
def builder():
    return Builder(CONFIG, load_prepared(CONFIG, 0).dataset, seed=0)


@pytest.fixture(scope="module")
def initial(builder):
    return builder.initial(classes=5)


def same(one, other):
    return all(map(np.array_equal, one.get_weights(), other.get_weights()))


def test_all_extractors_learn_with_one_head_and_one_rotation_head(initial):
    parts, tasks = initial
    rotation_head = parts.auxiliary_heads["rotation"]
    assert [task.head is parts.head for task in tasks] == [True, True]
    assert [t.auxiliaries[0].head is rotation_head for t in tasks] == [True, True]
    assert not same(parts.extractors["a"], parts.extractors["b"])
    assert sorted(parts.models()) == ["a_extractor", "b_extractor", "head", "rotation_head"]


@pytest.mark.parametrize("maintain", ["extractor", "rotation"])
def test_an_update_learns_on_a_copy_of_the_reference(builder, initial, maintain):
    before, _ = initial
    parts, (task,) = builder.update(before, maintain)
    assert task.name == "b" and parts.head.output_shape == (None, 10)
    assert parts.extractors["a"] is before.extractors["a"]
    copy = parts.extractors["b"]
    assert copy is not before.extractors["b"] and same(copy, before.extractors["b"])
    assert copy.trainable == (maintain == "rotation")
    rotation_head = before.auxiliary_heads["rotation"]
    frozen = [(same(held.head, rotation_head), held.head.trainable) for held in task.auxiliaries]
    assert frozen == ([(True, False)] if maintain == "rotation" else [])


def test_every_auxiliary_that_is_asked_for_has_one_head_for_all_extractors(builder):
    config = replace(CONFIG, auxiliaries=("rotation", "jigsaw"))
    parts, tasks = Builder(config, builder.dataset, seed=0).initial(classes=5)
    for task in tasks:
        heads = [held.head for held in task.auxiliaries]
        assert heads == list(parts.auxiliary_heads.values())
    assert {"rotation_head", "jigsaw_head"} < set(parts.models())
    alone = replace(config, auxiliaries=(), maintain=("extractor",))
    parts, tasks = Builder(alone, builder.dataset, seed=0).initial(classes=5)
    assert not parts.auxiliary_heads and not any(task.auxiliaries for task in tasks)


@pytest.mark.parametrize("changed", [False, True])
def test_a_bound_is_each_network_alone(builder, changed):
    found, tasks = builder.bounds(changed)
    heads = [h for parts in found.values() for h in (parts.head, *parts.auxiliary_heads.values())]
    assert len({id(head) for head in heads}) == 4
    assert [task.name for task in tasks] == ["a", "b"]
    assert found["a"].extractors["a"].output_shape[-1] == (6 if changed else 8)


def test_each_seed_has_its_trainings_and_an_update_comes_after_the_first():
    items = items_of(CONFIG)
    stages = ["initial", "update_extractor", "update_rotation", "bound_original", "bound_changed"]
    assert [item.name for item in items] == [f"{s}_seed{n}" for n in (0, 1) for s in stages]
    before = {item.name: item.starts_from for item in items if item.starts_from}
    assert before == {
        f"update_{what}_seed{n}": (f"initial_seed{n}",)
        for n in (0, 1)
        for what in ("extractor", "rotation")
    }


def test_checkpoints_of_the_release_before_go_to_the_trainings_that_they_are_of(tmp_path):
    for number in (1, 2):
        folder = tmp_path / "checkpoints" / "seed1" / f"0{number}"
        folder.mkdir(parents=True)
        (folder / "state").write_text(str(number))
    place = tmp_path / "steps"
    EXPERIMENT.adopt(Work(CONFIG, items_of(CONFIG), place, Terminal(1)))
    found = {str(p.relative_to(place)): p.read_text() for p in place.rglob("state")}
    assert found == {
        "initial_seed1/checkpoints/01/state": "1",
        "update_extractor_seed1/checkpoints/01/state": "2",
    }
    assert not (tmp_path / "checkpoints").exists()
