"""What learns while an extractor adapts, on what, and how one of the ways is chosen."""

import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_compat import networks
from keras_compat.data import Examples, load
from keras_compat.experiments.domain_adaptation import execute
from keras_compat.experiments.domain_adaptation.adaptation import (
    Best,
    Candidate,
    adapt,
    candidates,
    checkpoints,
    hold_out,
    let_learn,
    mutual_information,
    published,
)
from keras_compat.experiments.domain_adaptation.build import build_rotation, build_source
from keras_compat.experiments.domain_adaptation.domains import load_domains
from keras_compat.experiments.domain_adaptation.execute import EXECUTION, fingerprints
from keras_compat.experiments.domain_adaptation.items import items_of
from keras_compat.experiments.domain_adaptation.presets import PRESETS
from keras_compat.experiments.domain_adaptation.settings import Settings as Config
from keras_compat.experiments.runner.item_folder import ItemFolder
from keras_compat.experiments.settings import TrainingSettings as Training
from keras_compat.experiments.training import make_optimizer
from keras_compat.reporting import select
from keras_compat.training import NonFiniteLoss, Trainer
from tests.experiments.two_sets import ANIMALS, THINGS, write_set
from tests.training.small import same, weights

pytestmark = pytest.mark.usefixtures("eager")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    how = Training(rounds=2, batch_size=16, learning_rate=1e-2)
    return Config(
        preset="test",
        source=write_set(folder / "animals.npz", ANIMALS),
        target=write_set(folder / "things.npz", THINGS, seed=1),
        image_size=8,
        architecture="resnet8:filters=4@stage2",
        training=how,
        adaptation=how,
        rotation_training=how,
        checkpoints=2,
        held_out=0.2,
        augment=False,
        evaluation_batch_size=20,
    )


@pytest.fixture(scope="module")
def domains(config):
    return load_domains(config)


@pytest.fixture(scope="module")
def network(config, domains):
    return build_source(config, 0, domains.source.labelled, None)[0]


@pytest.fixture(scope="module")
def one_way(config):
    """Of the one direction alone."""
    return replace(config, both=False)


@pytest.fixture(scope="module")
def with_a_source(one_way, tmp_path_factory):
    """A folder in which all is done that comes before adapting."""
    place = tmp_path_factory.mktemp("source") / "steps"
    *before, _ = items_of(one_way, [("animals", "things")])
    for step in before:
        EXECUTION.do(one_way, place, step)
    return place


def last_step(config):
    return items_of(config, [("animals", "things")])[-1]


def adapted(config, network, images, candidate, tmp_path):
    found = []
    adapt(
        config,
        0,
        network,
        images,
        candidate,
        tmp_path / "last.keras",
        lambda rounds, loss, model: found.append((rounds, loss, weights(model))),
    )
    return found


@pytest.mark.once
def test_classes_of_one_side_only_are_left_out_on_both_in_one_order(domains, config):
    assert domains.class_names == ("cat", "dog", "automobile")
    assert domains.source.labelled.class_names == domains.class_names
    assert domains.target.labelled.class_names == ("cat", "dog", "car")
    assert set(domains.target.images.images.labels) == {-1}
    # The brightness of an image tells its class: a label is the same class on both sides.
    for label in range(2):
        one, other = (
            side.labelled.test.images[side.labelled.test.labels == label].mean()
            for side in (domains.source, domains.target)
        )
        assert abs(one - other) < 5
    everything = load(config.target)
    kept = int(np.isin(everything.train.labels, [1, 2, 3]).sum())
    assert len(domains.target.images.images) == kept < len(everything.train)


def test_the_extractor_alone_learns_and_a_copy_of_it(config, domains, network, tmp_path):
    before = {name: weights(model) for name, model in network.models().items()}
    found = adapted(config, network, domains.target.images, Candidate(1e-2, "all"), tmp_path)
    assert [rounds for rounds, *_ in found] == [0, 1, 2]
    assert same(found[0][2], before["extractor"])
    assert not same(found[1][2], found[2][2])
    for name, model in network.models().items():
        assert same(weights(model), before[name]), name


def test_the_loss_is_of_images_that_nothing_learns_from(config, domains):
    learnt, held_out = hold_out(config, domains.target.images, seed=0)
    every = domains.target.images.images.images
    assert len(learnt) + len(held_out) == len(every)
    assert len(held_out) == round(0.2 * len(every))
    images = {image.tobytes() for image in learnt.images}
    assert not images & {image.tobytes() for image in held_out.images}


@pytest.mark.once
def test_the_rotation_head_can_start_from_other_images(config, domains):
    head, _ = build_rotation(config, 0, domains.target.images)
    network, plain = (
        build_source(config, 0, domains.source.labelled, start)[0].auxiliary_heads["rotation"]
        for start in (head, None)
    )
    assert same(weights(head), weights(network))
    assert not same(weights(head), weights(plain))


@pytest.mark.parametrize("layers", ["all", "normalization", "first_half"])
def test_layers_that_do_not_learn_are_frozen(layers):
    extractor = networks.build_extractor("resnet8:filters=4", (8, 8, 1), seed=0)
    every = {w.path for w in extractor.trainable_weights}
    order = [layer.name for layer in extractor.layers if layer.trainable_weights]
    let_learn(extractor, layers)
    learning = {w.path for w in extractor.trainable_weights}
    if layers == "all":
        assert learning == every
    elif layers == "normalization":
        assert learning == {p for p in every if p.split("/")[-1] in ("gamma", "beta")}
    else:
        first = set(order[: (len(order) + 1) // 2])
        assert {p.split("/")[-2] for p in learning} == first


@pytest.mark.once
def test_the_published_way_is_of_all_layers_whatever_comes_first(config):
    more = replace(config, learning_rates=(1e-3, 1e-2), layers=("normalization", "all"))
    found = candidates(more)
    assert published(more) == Candidate(config.adaptation.learning_rate, "all")
    assert published(more) in found and len(found) == len(set(found)) == 4


@pytest.mark.once
def test_the_rotation_head_of_other_images_is_what_a_source_starts_with(
    one_way, tmp_path, monkeypatch
):
    config = replace(one_way, rotation_init=one_way.target)
    rotation, source, _ = items_of(config, [("animals", "things")])
    EXECUTION.do(config, tmp_path, rotation)
    monkeypatch.setattr(execute, "train", lambda *arguments: None)
    EXECUTION.do(config, tmp_path, source)
    learnt, held = (
        ItemFolder(tmp_path / i.name).load_model("rotation_head") for i in (rotation, source)
    )
    assert same(weights(learnt), weights(held))


@pytest.mark.once
def test_the_paper_preset_is_the_papers():
    paper = PRESETS["paper"]
    for how in (paper.training, paper.rotation_training):
        optimizer = make_optimizer(how)
        rate = optimizer._learning_rate
        rates = [float(rate(step)) for step in (0, 20_001, 40_001, 60_001)]
        assert rates == pytest.approx([1e-2, 1e-3, 1e-4, 1e-5])
        # Keras' weight decay is beside the gradient, not in it: see the preset.
        assert (optimizer.momentum, optimizer.weight_decay) == (0.9, pytest.approx(5e-4 * 10))
        assert (how.rounds, how.batch_size) == (70_000, 64)
    adaptation = make_optimizer(paper.adaptation)
    assert float(adaptation.learning_rate) == pytest.approx(1e-5)
    assert (adaptation.weight_decay, paper.adaptation.rounds) == (None, 1_000)
    assert paper.architecture == "wide_resnet:depth=28,width=16@stage2"


@pytest.mark.once
def test_a_step_depends_on_what_those_before_it_depend_on(config):
    config = replace(config, rotation_init=config.target)
    names = [("animals", "things"), ("things", "animals")]
    steps = {step.name: step for step in items_of(config, names)}
    for step in steps.values():
        for before in step.starts_from:
            assert fingerprints(config, steps[before]).items() <= fingerprints(config, step).items()
            earlier = EXECUTION.settings(config, steps[before])
            assert earlier.items() <= EXECUTION.settings(config, step).items()
    # Other ways to adapt need no new source network.
    other = replace(config, learning_rates=(1e-3,), layers=("normalization",))
    of = EXECUTION.settings
    changed = [s.kind for s in steps.values() if of(config, s) != of(other, s)]
    assert set(changed) == {"adaptation"}


@pytest.mark.once
def test_labels_of_the_target_change_nothing_of_what_is_chosen_without_them(
    one_way, with_a_source, tmp_path, tmp_path_factory
):
    """With other labels to test by, what is chosen with them differs, and nothing else."""
    config = replace(one_way, learning_rates=(1e-3,))
    path = config.target.partition(":")[2]
    with np.load(path) as file:
        arrays = dict(file)
    for split in ("train", "test"):
        labels = arrays[f"y_{split}"]
        arrays[f"y_{split}"] = np.where(labels > 0, labels % 3 + 1, labels)
    other = tmp_path_factory.mktemp("other") / "things.npz"
    np.savez(other, **arrays)
    stored, records = [], []
    for number, spec in enumerate((config.target, f"npz:{other}")):
        changed = replace(config, target=spec)
        place = shutil.copytree(with_a_source, tmp_path / str(number))
        step = last_step(changed)
        EXECUTION.do(changed, place, step)
        folder = ItemFolder(place / step.name)
        stored.append(weights(folder.load_model("extractor")))
        records.append(folder.load_records("records"))
    assert same(*stored)
    for chosen_by in ("published", "loss", "mutual_information"):
        one, two = (select(found, metric="chosen_rounds", chosen_by=chosen_by) for found in records)
        assert one == two
    one, two = (select(found, metric="accuracy_on_the_way") for found in records)
    assert one != two


@pytest.mark.once
def test_killed_between_two_ways_it_chooses_as_one_that_was_not(
    one_way, with_a_source, tmp_path, monkeypatch
):
    class Killed(BaseException):
        pass

    config = replace(one_way, learning_rates=(1e-3,))
    step = last_step(config)
    killed, whole = (shutil.copytree(with_a_source, tmp_path / name) for name in ("one", "other"))
    EXECUTION.do(config, whole, step)
    kept = execute._Measured.checkpoint

    def killing(self, candidate, rounds, *found):
        if (candidate.learning_rate, rounds) == (1e-3, 2):
            raise Killed
        kept(self, candidate, rounds, *found)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(execute._Measured, "checkpoint", killing)
        EXECUTION.do(config, killed, step, checkpoint_seconds=1e-9)
    fits = []
    fit = Trainer.fit
    monkeypatch.setattr(Trainer, "fit", lambda *args, **kw: (fits.append(kw), fit(*args, **kw))[1])
    EXECUTION.do(config, killed, step)
    # What is left is the last round's measure.
    assert fits == []
    ours, theirs = (ItemFolder(place / step.name) for place in (killed, whole))
    assert ours.load_records("records") == theirs.load_records("records")
    assert same(*(weights(folder.load_model("extractor")) for folder in (ours, theirs)))
    assert not ours.checkpoints.exists()


@pytest.mark.once
def test_a_way_that_diverges_is_noted_and_never_chosen(
    one_way, with_a_source, tmp_path, monkeypatch
):
    kept = execute.adapt

    def diverging(config, seed, network, images, candidate, *rest):
        if candidate.learning_rate == 1e-3:
            raise NonFiniteLoss("the loss of task 'target' is not finite since round 1")
        kept(config, seed, network, images, candidate, *rest)

    monkeypatch.setattr(execute, "adapt", diverging)
    config = replace(one_way, learning_rates=(1e-3,))
    step = last_step(config)
    place = shutil.copytree(with_a_source, tmp_path / "steps")
    EXECUTION.do(config, place, step)
    records = ItemFolder(place / step.name).load_records("records")
    (failure,) = select(records, metric="failure")
    assert failure["step"] == "animals_to_things_seed0, learning rate 0.001, all"
    chosen = select(records, metric="chosen_rounds")
    assert {r["learning_rate"] for r in chosen} == {1e-2}
    # Where none is left, the step has no result.
    other = shutil.copytree(with_a_source, tmp_path / "none")
    none_left = replace(config, adaptation=replace(config.adaptation, learning_rate=1e-3))
    EXECUTION.do(none_left, other, step)
    assert "not finite" in ItemFolder(other / step.name).failure()


@pytest.mark.once
def test_logits_that_are_not_finite_are_a_failure_and_no_traceback(
    one_way, with_a_source, tmp_path, monkeypatch
):
    monkeypatch.setattr(execute, "mutual_information", lambda *_: float("nan"))
    step = last_step(one_way)
    place = shutil.copytree(with_a_source, tmp_path / "steps")
    EXECUTION.do(one_way, place, step)
    assert "logits are not finite" in ItemFolder(place / step.name).failure()


def test_a_loss_that_is_not_finite_on_held_out_images_is_told(config, domains, network, tmp_path):
    config = replace(config, adaptation=replace(config.adaptation, learning_rate=1e30))
    with pytest.raises(NonFiniteLoss):
        adapted(config, network, domains.target.images, Candidate(1e30, "all"), tmp_path)


@pytest.mark.once
def test_checkpoints_end_with_the_last_round(config):
    long = replace(config, adaptation=Training(rounds=1000), checkpoints=3)
    assert checkpoints(long) == [333, 667, 1000]


@pytest.mark.once
def test_each_step_comes_after_what_it_starts_from(config):
    names = [("a", "b"), ("b", "a")]
    for changes in ({}, {"rotation_init": "digits"}):
        steps = items_of(replace(config, seeds=2, **changes), names)
        seen = set()
        for step in steps:
            assert set(step.starts_from) <= seen
            assert len(step.starts_from) == int(
                step.kind == "adaptation" or bool(changes and step.kind == "source")
            )
            seen.add(step.name)
        assert len(seen) == len(steps) == 2 * (4 + len(changes))
    alone = replace(config, source=None, network="somewhere")
    assert [step.kind for step in items_of(alone, names[:1])] == ["adaptation"]


def test_mutual_information_tells_clear_and_varied_answers_from_others():
    class Answers(keras.layers.Layer):
        def call(self, inputs):
            return 20.0 * keras.ops.one_hot(keras.ops.cast(inputs[:, 0, 0, 0], "int32"), 4)

    features = keras.Input((2, 2, 1))
    head = keras.Model(features, Answers()(features))
    images = keras.Input((2, 2, 1))
    extractor = keras.Model(images, keras.layers.ReLU()(images))

    def of(values):
        pixels = np.zeros((len(values), 2, 2, 1), "uint8") + np.reshape(values, (-1, 1, 1, 1))
        examples = Examples(pixels.astype("uint8"), np.full(len(values), -1))
        return mutual_information(extractor, head, examples, batch_size=3)

    assert of([0, 1, 2, 3]) == pytest.approx(np.log(4), abs=1e-6)
    assert of([1, 1, 1, 1]) == pytest.approx(0, abs=1e-6)
    assert of([0, 0, 1, 1]) == pytest.approx(np.log(2), abs=1e-6)


def test_of_equally_good_ways_the_one_that_adapted_least_is_kept():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    best = Best()
    for rounds, score in ((0, 0.1), (5, 0.3), (10, 0.3), (15, 0.2)):
        model.set_weights([np.full((1, 1), rounds), np.zeros(1)])
        best.offer(Candidate(1e-3, "all"), rounds, score, model)
    assert (best.choice.rounds, best.choice.score) == (5, 0.3)
    assert best.choice.weights[0].item() == 5
