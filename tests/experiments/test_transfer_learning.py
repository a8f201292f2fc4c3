"""Which networks start alike, which head is held, and what fine-tuning changes."""

from dataclasses import replace

import numpy as np
import pytest

from keras_compat import networks
from keras_compat.errors import InputError
from keras_compat.experiments.runner.item_folder import ItemFolder
from keras_compat.experiments.runner.work_item import no_callbacks
from keras_compat.experiments.settings import APPENDIX_C
from keras_compat.experiments.training import Training, make_optimizer
from keras_compat.experiments.transfer_learning import training
from keras_compat.experiments.transfer_learning.data import load_all, load_rotation_data, names_of
from keras_compat.experiments.transfer_learning.execute import (
    EXECUTION,
    _weights_seed,
    fingerprints,
    settings,
)
from keras_compat.experiments.transfer_learning.items import items_of
from keras_compat.experiments.transfer_learning.presets import PRESETS
from keras_compat.experiments.transfer_learning.settings import Config
from keras_compat.experiments.transfer_learning.training import fine_tune, stops, train_network
from tests.experiments.two_sets import ANIMALS, MORE, THINGS, write_set


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    things = write_set(folder / "things.npz", THINGS, seed=1)
    return Config(
        preset="test",
        rotation_data=write_set(folder / "animals.npz", ANIMALS),
        sources=(write_set(folder / "more.npz", MORE, images=(50, 60), seed=2), things),
        targets=(things,),
        image_size=8,
        architecture="resnet8:filters=4@stage2",
        training=Training(rounds=2, batch_size=16, learning_rate=1e-2),
        fine_tuning_learning_rate=1e-2,
        augment=False,
        evaluation_batch_size=20,
    )


@pytest.fixture(scope="module")
def rotation_network(config, tmp_path_factory):
    last_good = tmp_path_factory.mktemp("last") / "good.keras"
    dataset = load_rotation_data(config)
    return train_network(config, 0, dataset, 0, None, last_good, no_callbacks)


@pytest.fixture(scope="module")
def rotation_head(rotation_network):
    return rotation_network.auxiliary_heads["rotation"]


def weights(model):
    return [np.asarray(w) for w in model.get_weights()]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def still(config):
    """A configuration whose training changes next to nothing."""
    return replace(config, training=replace(config.training, learning_rate=1e-9))


@pytest.mark.once
def test_no_source_is_transferred_to_itself(config):
    assert len(config.pairs()) == 1
    assert list(names_of(config).values()) == ["more", "things"]
    with pytest.raises(InputError, match="source and target are both"):
        replace(config, sources=config.targets)


@pytest.mark.once
def test_a_held_rotation_head_does_not_learn_and_an_own_one_does(config, rotation_head, tmp_path):
    dataset = load_all(config)["things"]
    last_good = tmp_path / "last.keras"
    held = train_network(
        config, 0, dataset, 7, {"rotation": rotation_head}, last_good, no_callbacks
    )
    trained = [np.asarray(w) for w in held.auxiliary_heads["rotation"].trainable_weights]
    assert trained == []
    kernel = held.auxiliary_heads["rotation"].get_layer("logits").get_weights()[0]
    np.testing.assert_array_equal(kernel, rotation_head.get_layer("logits").get_weights()[0])
    own = train_network(config, 0, dataset, 7, None, last_good, no_callbacks)
    start = train_network(still(config), 0, dataset, 7, None, last_good, no_callbacks)
    moved = [
        np.abs(a - b).max()
        for a, b in zip(
            weights(own.auxiliary_heads["rotation"]),
            weights(start.auxiliary_heads["rotation"]),
            strict=True,
        )
    ]
    assert max(moved) > 1e-3


@pytest.mark.once
def test_every_auxiliary_that_is_asked_for_has_a_head_that_others_can_hold(config, tmp_path):
    dataset, last_good = load_all(config)["things"], tmp_path / "last.keras"
    config = replace(config, auxiliaries=("rotation", "jigsaw"))
    first = train_network(config, 0, dataset, 7, None, last_good, no_callbacks)
    assert list(first.auxiliary_heads) == ["rotation", "jigsaw"]
    heads = first.auxiliary_heads
    held = train_network(config, 0, dataset, 8, heads, last_good, no_callbacks).auxiliary_heads
    for name in heads:
        assert not held[name].trainable_weights
        kernels = [h[name].get_layer("logits").get_weights()[0] for h in (heads, held)]
        np.testing.assert_array_equal(*kernels)


@pytest.mark.once
def test_networks_start_alike_with_iiw_and_differ_without(config, rotation_head, tmp_path):
    datasets = load_all(config)

    def kernel(name, weights_seed):
        network = train_network(
            still(config),
            0,
            datasets[name],
            weights_seed,
            {"rotation": rotation_head},
            tmp_path / "last.keras",
            no_callbacks,
        )
        return np.asarray(network.extractor.trainable_weights[0])

    alike = [kernel(name, _weights_seed(0)) for name in ("more", "things")]
    np.testing.assert_allclose(*alike, atol=1e-6)
    apart = [kernel(name, _weights_seed(0, name)) for name in ("more", "things")]
    assert np.abs(apart[0] - apart[1]).max() > 1e-2
    assert _weights_seed(0, "more") != _weights_seed(1, "more")


@pytest.mark.once
def test_pretrained_a_network_starts_as_the_extractor_of_the_rotation_head(config, tmp_path):
    slow = still(config)
    steps = items_of(replace(slow, methods=("pretrained+rp",), epochs=0), names_of(config))
    rotation, *networks = steps[:3]
    EXECUTION.do(config, tmp_path, rotation)
    before = ItemFolder(tmp_path / rotation.name).load_model("extractor")
    for step in networks:
        EXECUTION.do(slow, tmp_path, step)
        after = ItemFolder(tmp_path / step.name).load_model("extractor")
        for x, y in zip(before.trainable_weights, after.trainable_weights, strict=True):
            np.testing.assert_allclose(x, y, atol=1e-6)


def test_fine_tuning_changes_all_parts_and_is_measured_on_the_way(config, rotation_head, tmp_path):
    dataset = load_all(config)["things"]
    last_good = tmp_path / "last.keras"
    network = train_network(
        config, 0, dataset, 7, {"rotation": rotation_head}, last_good, no_callbacks
    )
    network.head.trainable = False  # as a part may come from where it was frozen
    before = {name: weights(model) for name, model in network.models().items()}
    seen = {}
    fine_tune(
        replace(config, epochs=2.0),
        0,
        network.extractor,
        network.head,
        dataset,
        last_good,
        lambda steps: seen.update({steps: weights(network.extractor)}),
    )
    assert list(seen) == [1, 2, 3, 4, 6]  # 48 images in batches of 16
    assert not same(seen[1], seen[2])
    for name in ("extractor", "head"):
        assert not same(weights(network.models()[name]), before[name]), name
    assert same(weights(network.auxiliary_heads["rotation"]), before["rotation_head"])


@pytest.mark.once
def test_fine_tuning_has_no_weight_decay_and_the_precision_of_the_run(
    config, tmp_path, monkeypatch
):
    how = replace(
        config.training,
        weight_decay=0.1,
        schedule="cosine",
        precision="mixed_bfloat16",
        batch_statistics_over="device",
    )
    seen = []
    monkeypatch.setattr(training, "train", lambda trainer, data, how, *_: seen.append(how))
    dataset = load_all(config)["things"]
    extractor = networks.build_extractor("resnet8:filters=4", (8, 8, 1), seed=0)
    head = networks.build_head("resnet8:filters=4", classes=4, seed=0)
    changed = replace(config, training=how, epochs=1.0)
    fine_tune(changed, 0, extractor, head, dataset, tmp_path / "last.keras", lambda steps: None)
    assert seen == [
        Training(
            rounds=3,
            batch_size=16,
            learning_rate=config.fine_tuning_learning_rate,
            precision="mixed_bfloat16",
            batch_statistics_over="device",
        )
    ]
    assert make_optimizer(seen[0]).weight_decay is None


@pytest.mark.once
def test_the_paper_preset_is_the_papers():
    paper = PRESETS["paper"]
    assert paper.training == APPENDIX_C
    assert (APPENDIX_C.rounds, APPENDIX_C.batch_size, APPENDIX_C.weight_decay) == (
        20_000,
        512,
        1e-7,
    )
    assert (paper.architecture, paper.epochs) == ("resnet56@stage2", 5.0)
    assert paper.rotation_data == "cifar100"
    assert (paper.sources, set(paper.targets)) == (
        ("imagenet_resized/32x32",),
        {"stl10", "cifar10", "cifar100"},
    )


@pytest.mark.once
def test_less_than_an_epoch_ends_where_it_should(config):
    assert stops(replace(config, epochs=0.5), images=160) == [1, 2, 4, 5]


@pytest.mark.once
def test_each_step_comes_after_what_it_starts_from_and_serves_all_methods(config):
    names = names_of(config)
    steps = items_of(replace(config, seeds=2), names)
    seen = set()
    for step in steps:
        assert set(step.starts_from) <= seen
        seen.add(step.name)
    assert len(seen) == len(steps)
    of_seed = [step.name for step in steps if step.seed == 0]
    # One rotation head; of each of two networks four trainings, which serve six methods, of
    # which four can rank.
    assert len(of_seed) == 1 + 2 * 4 + 4 + 6
    kinds = [step.kind for step in steps]
    assert kinds.index("transfer") > max(i for i, kind in enumerate(kinds) if kind == "ranking")
    alone = items_of(replace(config, methods=("independent",)), names)
    assert [step.kind for step in alone] == ["network", "network", "ranking", "transfer"]
    ranked = items_of(replace(config, methods=("independent",), epochs=0), names)
    assert [step.kind for step in ranked] == ["network", "network", "ranking"]


@pytest.mark.once
def test_a_step_depends_on_what_those_before_it_depend_on(config):
    steps = {step.name: step for step in items_of(config, names_of(config))}
    for step in steps.values():
        for before in step.starts_from:
            assert fingerprints(config, steps[before]).items() <= fingerprints(config, step).items()
            earlier = settings(config, steps[before])
            assert earlier.items() <= settings(config, step).items()


@pytest.mark.once
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": ()}, "sources are ''; expected some, each once"),
        ({"targets": ("digits", "digits")}, "targets are 'digits,digits'"),
        ({"methods": ("dcc",)}, "unknown method 'dcc'"),
        ({"epochs": -1.0}, "epochs is -1.0"),
        ({"fine_tuning_learning_rate": -1.0}, "fine_tuning_learning_rate is -1.0"),
        ({"ranking_images": 0}, "ranking_images is 0"),
        ({"rotation_assignment": "some"}, "unknown rotation_assignment 'some'"),
    ],
)
def test_settings_that_make_no_sense_are_named(config, changes, message):
    with pytest.raises(InputError, match=message):
        replace(config, **changes)
