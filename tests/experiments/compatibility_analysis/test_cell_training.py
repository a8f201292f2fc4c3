"""What each method shares, freezes and starts from."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_compat.errors import InputError
from keras_compat.experiments.compatibility_analysis.execute import EXECUTION, _start
from keras_compat.experiments.compatibility_analysis.groups import Group, load_group
from keras_compat.experiments.compatibility_analysis.items import Item, pretraining_cell
from keras_compat.experiments.compatibility_analysis.training import (
    _Builder,
    check_cells,
    make_setup,
    pretrain,
    train_cell,
)
from keras_compat.studies.cells import Cell
from tests.experiments.two_sets import MORE, make_config, write_set
from tests.training.small import same as same_weights
from tests.training.small import weights

# What a cell is made of; how its trainer learns on JAX is tested by itself.
pytestmark = [pytest.mark.once, pytest.mark.usefixtures("eager")]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    # A set of another number of classes: its last layer has another shape.
    config = make_config(folder)
    more = write_set(folder / "more.npz", MORE, images=(50, 60), seed=2)
    return replace(config, datasets=(config.datasets[0], more))


@pytest.fixture(scope="module")
def group(config):
    return load_group(config)


def builder(config, group, method, **changes):
    return _Builder(config, Cell(method, seed=3, **changes), group)


def heads_of(made):
    return made.auxiliary_heads(made.networks())


def same(one, other):
    return same_weights(weights(one), weights(other))


def test_iiw_starts_all_from_the_same_weights_also_of_the_common_classes(config, group):
    a, b = builder(config, group, "iiw+rp").networks().values()
    assert same(a.extractor, b.extractor)
    for one, other in zip(weights(a.head)[:-2], weights(b.head)[:-2], strict=True):
        np.testing.assert_array_equal(one, other)
    first, second = weights(a.head)[-2], weights(b.head)[-2]
    assert (first.shape[1], second.shape[1]) == (4, 5)
    np.testing.assert_array_equal(first[:, : group.common], second[:, : group.common])
    assert not np.array_equal(first[:, group.common], second[:, group.common])


def test_without_iiw_all_differ(config, group):
    a, b = builder(config, group, "rp+dcc").networks().values()
    assert not same(a.extractor, b.extractor)


def test_auxiliary_heads_are_shared_but_for_the_bounds(config, group):
    first, second = heads_of(builder(config, group, "rp+dcc"))
    assert [held.auxiliary.name for held in first] == ["rotation", "common_classes"]
    assert [a.head is b.head for a, b in zip(first, second, strict=True)] == [True, True]
    first, second = heads_of(builder(config, group, "upper_bound"))
    assert first[0].head is not second[0].head
    assert not same(first[0].head, second[0].head)
    assert heads_of(builder(config, group, "independent")) == [[], []]


def test_every_other_auxiliary_can_be_shared(config, group):
    method = "jigsaw+exemplar+contrastive"
    first, second = heads_of(builder(config, group, method))
    assert [a.head is b.head for a, b in zip(first, second, strict=True)] == [True] * 3


def test_pulling_features_to_unit_length_needs_no_head(config, group):
    heads = heads_of(builder(config, group, "iiw+dcc", features="unit_length_loss"))
    assert [held.head is None for held in heads[0]] == [False, True]


def test_feature_matching_shows_each_ones_images_to_it_and_the_next(config, group):
    three = Group({**group.datasets, "third": group.datasets["animals"]}, group.common)
    setup = make_setup(config, Cell("rp+fm", 0), three)
    assert list(setup.tasks)[3:] == [f"{n}__matching" for n in ("animals", "more", "third")]
    for name, following in (("animals", "more"), ("more", "third"), ("third", "animals")):
        task = setup.tasks[f"{name}__matching"]
        assert setup.data[task.name] is setup.data[name]
        shown = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 1)).astype("float32")
        found = np.asarray(task.extractor(shown))
        expected = [setup.networks[n].extractor(shown) for n in (name, following)]
        np.testing.assert_allclose(found, np.concatenate(expected, axis=-1), atol=1e-6)
    # Rotation's head stays shared.
    assert len({id(setup.tasks[n].auxiliaries[0].head) for n in three.datasets}) == 1


def test_feature_matching_cannot_be_incremental(config, group):
    with pytest.raises(InputError, match="'fm' needs all networks at once"):
        check_cells(config, [Cell("fm", 0, first="animals")], {False: group})


def test_fewer_common_classes_take_part_when_that_is_asked_for(config, group):
    (held, *_), _ = heads_of(builder(config, group, "dcc"))
    assert held.auxiliary.outputs == held.head.output_shape[-1] == group.common == 2
    config3 = replace(config, datasets=(config.datasets[0],) * 2)
    group3 = load_group(config3)
    chosen = {}
    for count in (2, 3):
        (held, *_), _ = heads_of(builder(config3, group3, "dcc", common_classes=count))
        assert held.auxiliary.outputs == held.head.output_shape[-1] == count
        chosen[count] = set(held.auxiliary.common)
    assert chosen[2] < chosen[3]
    drawn = {
        tuple(_Builder(config3, Cell("dcc", s, common_classes=2), group3)._discriminated())
        for s in range(6)
    }
    assert len(drawn) > 1  # not the same classes for every seed


def test_the_control_leaves_out_images_of_all_classes_alike(config):
    config = replace(config, datasets=(config.datasets[0],) * 2)
    made = builder(config, load_group(config), "iiw+dcc", common_classes=2, control=True)
    name = made.names[0]
    labels = made.examples(name).labels
    np.testing.assert_array_equal(labels % 4, made.group.datasets[name].train.labels)
    (held, *_), _ = heads_of(made)
    assert held.auxiliary.outputs == 4
    _, targets = held.auxiliary.transform(np.zeros((len(labels), 8, 8, 1)), labels)
    taking_part = np.asarray(targets) >= 0
    counts = np.bincount(np.asarray(targets)[taking_part])
    assert counts.tolist() == [6, 6, 6, 6]  # of twelve each
    np.testing.assert_array_equal(np.asarray(targets)[taking_part], labels[taking_part])


def test_leaving_images_out_does_not_change_what_the_target_task_learns(config):
    """The loss of a doubled head is that of the head and log 2: the gradient is the same."""
    config = replace(config, datasets=(config.datasets[0],) * 2)
    group = load_group(config)
    plain = builder(config, group, "independent").networks()
    made = builder(config, group, "independent", common_classes=2, control=True)
    name = made.names[0]
    task = made.task(0, name, plain[name], [])
    images = group.datasets[name].train.images[:8].astype("float32")
    features = plain[name].extractor(images, training=True)
    logits = keras.ops.convert_to_numpy(plain[name].head(features, training=True))
    twice = keras.ops.convert_to_numpy(task.head(features, training=True))
    np.testing.assert_array_equal(twice, np.concatenate([logits, logits], axis=1))
    labels = np.arange(8) % 4

    def loss(labels, logits):
        found = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        return keras.ops.convert_to_numpy(found)

    for shift in (0, 4):
        np.testing.assert_allclose(
            loss(labels + shift, twice), loss(labels, logits) + np.log(2), rtol=1e-5
        )


def test_incremental_training_freezes_what_the_first_network_learnt_with(
    config, group, tmp_path, monkeypatch
):
    seen = []

    def watched(trainer, data, how, callbacks, last_good):
        task = next(iter(trainer.tasks.values()))
        seen.append((list(trainer.tasks), [h.head.trainable for h in task.auxiliaries]))

    monkeypatch.setattr("keras_compat.experiments.compatibility_analysis.training.train", watched)
    train_cell(config, Cell("iiw+rp+dcc", 0, first="more"), group, tmp_path / "last.keras")
    assert seen == [(["more"], [True, True]), (["animals"], [False, False])]
    seen.clear()
    train_cell(config, Cell("iiw+rp+dcc", 0), group, tmp_path / "last.keras")
    assert seen == [(["animals", "more"], [True, True])]


def test_pretrained_networks_pass_on_all_but_their_last_layer(config, group, tmp_path, monkeypatch):
    start = pretrain(config, 0, group, group.datasets["more"], tmp_path / "last.keras")
    assert not same(start["animals"].extractor, start["more"].extractor)
    monkeypatch.setattr(
        "keras_compat.experiments.compatibility_analysis.training.train", lambda *arguments: None
    )
    cell = Cell("rp", 0, pretrained=True)
    found = train_cell(config, cell, group, tmp_path / "last.keras", start)
    for name, network in found.items():
        assert same(network.extractor, start[name].extractor)
        for one, other in zip(
            weights(network.head)[:-2], weights(start[name].head)[:-2], strict=True
        ):
            np.testing.assert_array_equal(one, other)
        assert network.head.output_shape == (None, len(group.datasets[name].class_names))


def test_what_the_others_learn_with_is_what_the_first_left(config, group, tmp_path):
    """Incremental training for real: the second network does not change the frozen heads."""
    kept = {}

    def note(rounds):
        class Note(keras.callbacks.Callback):
            def on_train_end(self, logs=None):
                for task in self.model.tasks.values():
                    for held in task.auxiliaries:
                        kept.setdefault(held.head.name, []).append(weights(held.head))

        return [Note()]

    cell = Cell("rp+dcc", 0, first="animals")
    found = train_cell(config, cell, group, tmp_path / "last.keras", callbacks=note)
    assert set(found) == {"animals", "more"}
    for first, second in kept.values():
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("method", "same_start"), [("iiw", True), ("independent", False)])
def test_iiw_starts_all_from_one_pretrained_network(config, tmp_path, method, same_start):
    config = replace(config, pretraining_dataset=config.datasets[1])
    cell = Cell(method, 0, pretrained=True)
    EXECUTION.do(config, tmp_path, Item(pretraining_cell(cell)))
    start = _start(Item(cell), tmp_path)
    a, b = start.values()
    assert same(a.extractor, b.extractor) is same_start


def test_a_loss_that_is_not_finite_ends_its_cell_alone(config, tmp_path):
    wild = replace(config, training=replace(config.training, learning_rate=1e30, rounds=4))
    item = Item(Cell("independent", 0), ("matrix",))
    EXECUTION.do(wild, tmp_path, item)
    folder = EXECUTION.folder(tmp_path / item.name)
    assert "round" in folder.failure() and folder.made_by() is None
    assert EXECUTION.is_done(item, tmp_path)


def test_networks_of_other_images_are_not_gone_on_with(config, tmp_path):
    item = Item(Cell("independent", 0))
    EXECUTION.do(config, tmp_path, item)
    other = write_set(tmp_path / "more.npz", MORE, images=(50, 60), seed=9)
    changed = replace(config, datasets=(config.datasets[0], other))
    folder = EXECUTION.folder(tmp_path / item.name)
    folder.check(EXECUTION.settings(config, item), EXECUTION.fingerprints(config, item))
    with pytest.raises(InputError, match="was trained on other images of more than there are now"):
        folder.check(EXECUTION.settings(changed, item), EXECUTION.fingerprints(changed, item))


def test_images_that_a_task_would_show_in_another_size_are_refused(config, tmp_path):
    specs = [
        write_set(tmp_path / f"{name}.npz", MORE, images=(50, 60), shape=(9, 9, 1))
        for name in ("one", "other")
    ]
    odd = replace(config, datasets=tuple(specs), image_size=None)
    with pytest.raises(InputError, match="'jigsaw' makes images of .* even --image_size"):
        check_cells(odd, [Cell("jigsaw", 0)], {False: load_group(odd)})


def test_networks_that_cannot_fit_are_refused_before_training(config, group):
    groups = {False: group}
    mixed = replace(config, architectures=("resnet8:filters=4@stage2", "wide_resnet10@stage2"))
    with pytest.raises(InputError, match=r"'iiw\+rp' starts from identical weights, but"):
        check_cells(mixed, [Cell("iiw+rp", 0)], groups)
    with pytest.raises(InputError, match=r"emits \(4, 4, 8\), but head .* takes"):
        check_cells(mixed, [Cell("rp", 0)], groups)
    check_cells(replace(mixed, interface_channels=8), [Cell("rp", 0)], groups)
    with pytest.raises(InputError, match="unknown split 'stage4'"):
        check_cells(config, [Cell("rp", 0, split="stage4")], groups)
