"""Which networks start alike, which head is held, and what fine-tuning changes."""

from dataclasses import replace

import numpy as np
import pytest

from keras_compat import networks
from keras_compat.experiments.runner.item_folder import ItemFolder
from keras_compat.experiments.settings import APPENDIX_C
from keras_compat.experiments.settings import TrainingSettings as Training
from keras_compat.experiments.training import make_optimizer, train
from keras_compat.experiments.transfer_learning import execute
from keras_compat.experiments.transfer_learning.build import build_fine_tuning, build_network, stops
from keras_compat.experiments.transfer_learning.data import load_all, load_rotation_data, names_of
from keras_compat.experiments.transfer_learning.execute import (
    EXECUTION,
    _weights_seed,
    fingerprints,
)
from keras_compat.experiments.transfer_learning.items import items_of
from keras_compat.experiments.transfer_learning.presets import PRESETS
from keras_compat.experiments.transfer_learning.settings import Settings as Config
from tests.experiments.two_sets import ANIMALS, MORE, THINGS, write_set
from tests.training.small import same, weights

pytestmark = pytest.mark.usefixtures("eager")


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
def heads(config):
    return build_network(config, 0, load_rotation_data(config), 0, None)[0].auxiliary_heads


@pytest.mark.once
def test_no_source_is_transferred_to_itself(config):
    assert len(config.pairs()) == 1
    assert list(names_of(config).values()) == ["more", "things"]


@pytest.mark.once
def test_a_held_rotation_head_does_not_learn_and_an_own_one_does(config, heads):
    dataset = load_all(config)["things"]
    held, own = (build_network(config, 0, dataset, 7, h)[0].auxiliary_heads for h in (heads, None))
    assert held["rotation"].trainable_weights == []
    assert same(weights(held["rotation"]), weights(heads["rotation"]))
    assert own["rotation"].trainable_weights != []
    assert not same(weights(own["rotation"]), weights(heads["rotation"]))


@pytest.mark.once
def test_every_auxiliary_that_is_asked_for_has_a_head_that_others_can_hold(config):
    dataset = load_all(config)["things"]
    config = replace(config, auxiliaries=("rotation", "jigsaw"))
    first, _ = build_network(config, 0, dataset, 7, None)
    assert list(first.auxiliary_heads) == ["rotation", "jigsaw"]
    heads = first.auxiliary_heads
    held = build_network(config, 0, dataset, 8, heads)[0].auxiliary_heads
    for name in heads:
        assert not held[name].trainable_weights
        kernels = [h[name].get_layer("logits").get_weights()[0] for h in (heads, held)]
        np.testing.assert_array_equal(*kernels)


@pytest.mark.once
def test_networks_start_alike_with_iiw_and_differ_without(config, heads):
    datasets = load_all(config)

    def extractor(name, weights_seed):
        return build_network(config, 0, datasets[name], weights_seed, heads)[0].extractor

    alike = [weights(extractor(name, _weights_seed(0))) for name in ("more", "things")]
    assert same(*alike)
    apart = [weights(extractor(name, _weights_seed(0, name))) for name in ("more", "things")]
    assert not same(*apart)
    assert _weights_seed(0, "more") != _weights_seed(1, "more")


@pytest.mark.once
def test_pretrained_a_network_starts_as_the_extractor_of_the_rotation_head(
    config, tmp_path, monkeypatch
):
    items = items_of(replace(config, methods=("pretrained+rp",), epochs=0), names_of(config))
    rotation, *networks = items[:3]
    EXECUTION.do(config, tmp_path, rotation)
    before = ItemFolder(tmp_path / rotation.name).load_model("extractor")
    monkeypatch.setattr(execute, "train", lambda *arguments: None)
    for item in networks:
        EXECUTION.do(config, tmp_path, item)
        after = ItemFolder(tmp_path / item.name).load_model("extractor")
        assert same(weights(before), weights(after))


def test_fine_tuning_changes_all_parts_and_is_measured_on_the_way(config, heads, tmp_path):
    dataset = load_all(config)["things"]
    network, _ = build_network(config, 0, dataset, 7, heads)
    network.head.trainable = False  # as a part may come from where it was frozen
    before = {name: weights(model) for name, model in network.models().items()}
    seen = {}
    config = replace(config, epochs=2.0)
    trainer, how = build_fine_tuning(config, 0, network.extractor, network.head, dataset)
    train(
        trainer,
        {"target": dataset.train},
        how,
        (),
        tmp_path / "last.keras",
        stops(config, len(dataset.train)),
        lambda steps: seen.update({steps: weights(network.extractor)}),
    )
    assert list(seen) == [1, 2, 3, 4, 6]  # 48 images in batches of 16
    assert not same(seen[1], seen[2])
    for name in ("extractor", "head"):
        assert not same(weights(network.models()[name]), before[name]), name
    assert same(weights(network.auxiliary_heads["rotation"]), before["rotation_head"])


@pytest.mark.once
def test_fine_tuning_has_no_weight_decay_and_the_precision_of_the_run(config):
    how = replace(
        config.training,
        weight_decay=0.1,
        schedule="cosine",
        precision="mixed_bfloat16",
        batch_statistics_over="device",
    )
    dataset = load_all(config)["things"]
    extractor = networks.build_extractor("resnet8:filters=4", (8, 8, 1), seed=0)
    head = networks.build_head("resnet8:filters=4", classes=4, seed=0)
    changed = replace(config, training=how, epochs=1.0)
    _, found = build_fine_tuning(changed, 0, extractor, head, dataset)
    assert [found] == [
        Training(
            rounds=3,
            batch_size=16,
            learning_rate=config.fine_tuning_learning_rate,
            precision="mixed_bfloat16",
            batch_statistics_over="device",
        )
    ]
    assert make_optimizer(found).weight_decay is None


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
            earlier = EXECUTION.settings(config, steps[before])
            assert earlier.items() <= EXECUTION.settings(config, step).items()
