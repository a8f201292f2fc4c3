"""Auxiliaries on a part of a batch, in some rounds, or in the pass of the target task."""

import keras
import numpy as np
import pytest

from keras_compat.auxiliary import CommonClasses, Contrastive, RotationPrediction
from keras_compat.training import AuxiliaryHead, Task, Trainer
from keras_compat.training.forward_passes import run_passes
from tests.training.small import (
    CLASSES,
    assert_close,
    data,
    eager,
    extractor,
    head,
    same,
    weights,
)

DATA = {"a": data(seed=1), "b": data(seed=2)}


def plain_extractor():
    """Without batch statistics, so that features of an image do not depend on the pass."""
    images = keras.Input((8, 8, 1))
    init = keras.initializers.GlorotUniform(seed=0)
    features = keras.layers.Conv2D(4, 3, strides=2, kernel_initializer=init)(images)
    return keras.Model(images, features, name="extractor")


def shown(passes, fraction=1.0, training=True):
    """Returns what heads see of 6 images, and the same images turned."""
    rotation = RotationPrediction("cyclic")
    held = [
        AuxiliaryHead(rotation, head("rotation_head", 4), fraction=fraction),
        AuxiliaryHead(CommonClasses([0, 1], CLASSES), head("common_head", 2), fraction=fraction),
    ]
    task = Task("a", plain_extractor(), head("head"), held, passes=passes)
    images, labels = data(6, seed=3)
    images = keras.ops.cast(images, "float32")
    turned, _ = rotation.transform(images, labels)
    found, seen = run_passes(task, held, images, keras.ops.cast(labels, "int32"), training)
    upright, turned = (np.array(task.extractor(x)) for x in (images, turned))
    return np.array(found), [(s.targets, np.array(s.features)) for s in seen], upright, turned


@pytest.mark.parametrize("passes", ["separate", "joint"])
def test_a_fraction_is_of_the_first_images_in_one_pass_or_two(passes):
    found, seen, upright, turned = shown(passes, fraction=0.4)
    np.testing.assert_allclose(found, upright, rtol=1e-4, atol=1e-3)
    for (targets, features), expected in zip(seen, (turned, upright), strict=True):
        assert len(targets) == 3  # 2.4, rounded up
        np.testing.assert_allclose(features, expected[:3], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("fraction", "count"), [(1.0, 6), (0.5, 3)])
def test_turned_images_may_take_the_place_of_upright_ones(fraction, count):
    found, seen, upright, turned = shown("transformed", fraction)
    mixed = np.concatenate([turned[:count], upright[count:]])
    np.testing.assert_allclose(found, mixed, rtol=1e-4, atol=1e-3)
    for targets, features in seen:
        assert len(targets) == count
        np.testing.assert_allclose(features, mixed[:count], rtol=1e-4, atol=1e-3)


def test_evaluation_shows_everything_upright_and_turned():
    found, seen, upright, turned = shown("transformed", 0.5, training=False)
    np.testing.assert_allclose(found, upright, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(seen[0][1], turned, rtol=1e-4, atol=1e-3)


def make_trainer(every=1, loss_weight=1.0, rotation=True):
    rotation_head = head("rotation_head", 4, seed=5)
    common_head = head("common_head", 2, seed=7)
    tasks = []
    for number, name in enumerate("ab"):
        held = [AuxiliaryHead(CommonClasses([0, 1], CLASSES), common_head)]
        if rotation:
            auxiliary = RotationPrediction("cyclic")
            held.append(AuxiliaryHead(auxiliary, rotation_head, loss_weight, every=every))
        parts = extractor(f"{name}_extractor", seed=10 + number), head(f"{name}_head", seed=number)
        tasks.append(Task(name, *parts, held))
    return eager(Trainer(tasks), keras.optimizers.SGD(0.1))


def fit(trainer, rounds):
    return trainer.fit(DATA, batch_size=8, steps_per_epoch=rounds, verbose=0)


def assert_alike(one, other):
    for name, part in one.parts.items():
        assert_close(part, other.parts[name])


def test_every_other_round_counts_twice_and_the_others_not_at_all(tmp_path):
    trainer, twice = make_trainer(every=2), make_trainer(loss_weight=2.0)
    for each in (trainer, twice):
        fit(each, 1)
    assert_alike(trainer, twice)

    # The next round is one without rotation.
    without = make_trainer(rotation=False)
    for name, part in without.parts.items():
        part.set_weights(trainer.parts[name].get_weights())
    without.optimizer.iterations.assign(1)
    rotation_head = weights(trainer.parts["rotation_head"])
    assert fit(trainer, 1).history["a_rotation_loss"] == [0.0]
    fit(without, 1)
    assert_alike(without, trainer)
    assert same(rotation_head, weights(trainer.parts["rotation_head"]))

    # Frozen, saved in between and loaded, it goes on with the round that is next.
    fit(trainer, 1)
    trainer.parts["rotation_head"].trainable = False
    trainer.save(tmp_path / "trainer.keras")
    loaded = keras.saving.load_model(tmp_path / "trainer.keras")
    rotation_head = weights(loaded.parts["rotation_head"])
    assert loaded.tasks["a"].auxiliaries[1].every == 2
    losses = [fit(loaded, 1).history["a_rotation_loss"][0] for _ in range(2)]
    assert losses[0] == 0 and losses[1] > 0
    assert same(rotation_head, weights(loaded.parts["rotation_head"]))


def test_clear_errors():
    rotation, own = RotationPrediction(), head("r", 4)
    with pytest.raises(ValueError, match="fraction is 0; expected above 0, at most 1"):
        AuxiliaryHead(rotation, own, fraction=0)
    with pytest.raises(ValueError, match=r"every is 1\.5; expected a whole number from 1"):
        AuxiliaryHead(rotation, own, every=1.5)
    with pytest.raises(ValueError, match="no head, and no auxiliary in every round"):
        Task("a", extractor("e"), None, [AuxiliaryHead(rotation, own, every=2)])
    with pytest.raises(ValueError, match="passes is 'both'; expected one of separate"):
        Task("a", extractor("e"), head("h"), passes="both")
    for auxiliary in (RotationPrediction("all"), Contrastive(outputs=4)):
        with pytest.raises(ValueError, match="expected one, which shows each image once"):
            Task(
                "a",
                extractor("e"),
                head("h"),
                [AuxiliaryHead(auxiliary, own)],
                passes="transformed",
            )
    trainer = Trainer(
        [Task("a", extractor("e"), head("h"), [AuxiliaryHead(rotation, own, every=2)])]
    )
    with pytest.raises(ValueError, match="steps_per_execution is 4, and auxiliaries take part in"):
        trainer.compile("sgd", steps_per_execution=4)
