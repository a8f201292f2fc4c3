"""Every argument of every optimizer of Keras is honoured: the trainer ends where `fit` does."""

import inspect

import keras
import numpy as np
import pytest

from keras_compat.auxiliary import RotationPrediction
from keras_compat.errors import InputError
from keras_compat.training import AuxiliaryHead, Task, Trainer, set_distribution
from tests.training.plain import Batches, arrays, assert_same, by_keras, by_trainer, parts
from tests.training.small import (
    assert_close,
    data,
    eager,
    extractor,
    head,
    joint_trainer,
    same,
    weights,
)

WRAPPERS = ("LossScaleOptimizer", "MultiOptimizer")
OPTIMIZERS = {
    name: cls
    for name, cls in vars(keras.optimizers).items()
    if isinstance(cls, type)
    and issubclass(cls, keras.optimizers.Optimizer)
    and cls is not keras.optimizers.Optimizer
    and name not in WRAPPERS
}
DECAYING = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)

# A value for each argument; those of one line are given together.
COMMON = [
    {"learning_rate": 0.05, "weight_decay": 0.1, "clipnorm": 0.1, "name": "mine"},
    {
        "learning_rate": DECAYING,
        "clipvalue": 0.02,
        "loss_scale_factor": 1024.0,
        "use_ema": True,
        "ema_momentum": 0.7,
        "ema_overwrite_frequency": 4,
    },
    {
        "learning_rate": lambda: 0.07,
        "gradient_accumulation_steps": 2,
        "global_clipnorm": 0.1,
        "loss_scale_factor": 64.0,
        "weight_decay": 0.1,
        "use_ema": True,
        "ema_overwrite_frequency": 2,
    },
]
OWN = {
    "adam_beta_1": 0.5,
    "adam_beta_2": 0.9,
    "adam_lr_ratio": 0.5,
    "adam_weight_decay": 0.1,
    "amsgrad": True,
    "beta": 0.1,
    "beta_1": 0.5,
    "beta_2": 0.9,
    "beta_2_decay": -0.5,
    "centered": True,
    "clip_threshold": 0.5,
    "epsilon": 1e-3,
    "epsilon_1": 1e-4,
    "epsilon_2": 1e-2,
    "exclude_embeddings": False,
    "exclude_layers": ["head"],
    "initial_accumulator_value": 0.3,
    "l1_regularization_strength": 0.01,
    "l2_regularization_strength": 0.01,
    "l2_shrinkage_regularization_strength": 0.01,
    "learning_rate_power": -0.4,
    "momentum": 0.5,
    "muon_a": 3.0,
    "muon_b": -4.0,
    "muon_c": 2.0,
    "nesterov": True,
    "ns_steps": 3,
    "relative_step": False,
    "rho": 0.8,
    "rms_rate": 0.4,
    "warmup_steps": 3,
}


def arguments(cls):
    found = inspect.signature(cls).parameters.values()
    return {p.name for p in found if p.kind is not inspect.Parameter.VAR_KEYWORD}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_argument_does_what_it_does_in_keras(name):
    cls = OPTIMIZERS[name]
    own = {key: value for key, value in OWN.items() if key in arguments(cls)}
    untested = arguments(cls) - set(own) - {key for line in COMMON for key in line}
    assert not untested, f"{name} has new arguments"
    # Five minibatches, of which every second and fourth are due in the settings above.
    batches = Batches(*arrays(33))
    for settings in ({**COMMON[0], **own}, *COMMON[1:]):
        ours, theirs = (
            train(batches, cls(**settings), epochs=1, eager=True)
            for train in (by_trainer, by_keras)
        )
        assert_same(ours, theirs)


@pytest.mark.parametrize("settings", COMMON[1:])
def test_adam_is_honoured_in_a_compiled_step(settings):
    batches = Batches(*arrays())
    ours, theirs = (
        train(batches, keras.optimizers.Adam(**settings)) for train in (by_trainer, by_keras)
    )
    assert_same(ours, theirs)


def test_loss_scaling_of_keras_does_what_it_does_in_keras():
    # At first the gradients overflow; later the scale doubles.
    def optimizer():
        inner = keras.optimizers.Adam(0.05, global_clipnorm=0.1, loss_scale_factor=8.0)
        return keras.optimizers.LossScaleOptimizer(inner, 3e38, dynamic_growth_steps=2)

    batches = Batches(*arrays())
    ours, theirs = (train(batches, optimizer()) for train in (by_trainer, by_keras))
    assert_same(ours, theirs)


@pytest.mark.parametrize("on_epoch", [False, True])
def test_averages_are_swapped_in_for_validation(on_epoch):
    def swapped(train, *callbacks):
        how = {"validation": arrays(20, seed=1), "batch_size": 20, "eager": True}
        optimizer = keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9)
        return train(Batches(*arrays()), optimizer, callbacks, **how)

    ours, theirs = (
        swapped(train, keras.callbacks.SwapEMAWeights(swap_on_epoch=on_epoch))
        for train in (by_trainer, by_keras)
    )
    without = swapped(by_trainer)
    assert_same(ours, theirs)
    assert not np.allclose(ours[0]["val_loss"], without[0]["val_loss"], rtol=1e-3)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="nothing is evaluated while JAX spreads rounds"
)
def test_averages_are_swapped_in_where_training_is_spread():
    import tensorflow as tf

    from keras_compat.training.backend.tensorflow.distribution import TensorFlowDistribution

    def val_loss():
        history, *_ = by_trainer(
            Batches(*arrays()),
            keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9),
            callbacks=[keras.callbacks.SwapEMAWeights()],
            validation=arrays(20, seed=1),
            batch_size=20,
            eager=True,
        )
        return history["val_loss"]

    alone = val_loss()
    set_distribution(TensorFlowDistribution(tf.distribute.MirroredStrategy(["CPU:0"])))
    try:
        np.testing.assert_allclose(val_loss(), alone, rtol=1e-5)
    finally:
        set_distribution(None)


def test_averages_of_what_is_frozen_are_not_put_in_its_place():
    trainer = eager(joint_trainer(("a",), common=False), keras.optimizers.SGD(0.1, use_ema=True))
    fit = {"batch_size": 8, "steps_per_epoch": 2, "verbose": 0}
    trainer.fit({"a": data()}, **fit)
    frozen = trainer.parts["a_head"]
    frozen.set_weights([w + 1 for w in frozen.get_weights()])
    frozen.trainable = False
    before, swap = weights(frozen), keras.callbacks.SwapEMAWeights()
    trainer.fit({"a": data()}, validation_data={"a": data()}, callbacks=[swap], **fit)
    assert same(before, weights(frozen))


def test_what_wraps_several_optimizers_is_refused():
    several = keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(keras.optimizers.SGD(), {"head/.*": keras.optimizers.Adam()})
    )
    trainer = Trainer([Task("a", *parts())])
    for optimizer in (several, keras.optimizers.LossScaleOptimizer(several)):
        with pytest.raises(InputError, match="MultiOptimizer; expected one with a learning rate"):
            trainer.compile(optimizer)


def test_tasks_that_share_a_head_take_a_step_each_by_the_mean_of_their_own_gradients():
    """Three rounds of a third of the examples move all parts as one round of all of them does."""
    sets = {name: data(24, seed=ord(name)) for name in "ab"}
    thirds = {name: [(x[i::3], y[i::3]) for i in range(3)] for name, (x, y) in sets.items()}

    def trained(steps):
        shared = keras.Sequential(
            [keras.Input((3, 3, 4)), keras.layers.Flatten(), keras.layers.Dense(3)], name="shared"
        )
        shared.set_weights([np.full(w.shape, 0.1) for w in shared.weights])
        parts = {name: without_statistics(name) for name in "ab"}
        trainer = Trainer([Task(name, parts[name], shared) for name in "ab"])
        sgd = keras.optimizers.SGD(0.1, momentum=0.5, gradient_accumulation_steps=steps)
        eager(trainer, sgd)
        given = thirds if steps else {name: [batch] for name, batch in sets.items()}
        trainer.fit(given, epochs=1, verbose=0)
        return trainer, [w for part in trainer.parts.values() for w in weights(part)]

    (several, moved), (_, at_once) = trained(3), trained(None)
    # Task b's gradients of the first two rounds are of the head before task a's step.
    for one, other in zip(moved, at_once, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-2)
    np.testing.assert_allclose(moved[0], at_once[0], rtol=1e-4, atol=1e-6)
    counts = {int(group.optimizer.iterations.numpy()) for group in several.optimizer._groups}
    assert counts == {1, 2} and several.rounds == 3


def without_statistics(name):
    images = keras.Input((8, 8, 1))
    x = keras.layers.Rescaling(1 / 255)(images)
    init = keras.initializers.GlorotUniform(seed=ord(name))
    x = keras.layers.Conv2D(4, 3, strides=2, kernel_initializer=init)(x)
    return keras.Model(images, x, name=name + "_extractor")


def test_gradients_summed_up_are_saved_with_the_trainer(tmp_path):
    def trainer():
        adam = keras.optimizers.Adam(0.01, gradient_accumulation_steps=3, use_ema=True)
        return eager(joint_trainer(common=False), adam)

    sets = {name: data(seed=ord(name)) for name in "ab"}
    fit = {"batch_size": 8, "verbose": 0}
    whole, half = trainer(), trainer()
    for rounds in (2, 2):
        whole.fit(sets, steps_per_epoch=rounds, **fit)
    half.fit(sets, steps_per_epoch=2, **fit)
    half.save(tmp_path / "half.keras")
    loaded = keras.saving.load_model(tmp_path / "half.keras")
    loaded.fit(sets, steps_per_epoch=2, **fit)
    assert_close(whole, loaded, rtol=2e-5)


def test_rounds_that_are_not_alike_are_not_summed_up():
    held = AuxiliaryHead(RotationPrediction(), head("rotation_head", 4), every=2)
    trainer = Trainer([Task("a", extractor("e"), head("h"), [held])])
    with pytest.raises(InputError, match="gradient_accumulation_steps, and auxiliaries"):
        trainer.compile(keras.optimizers.SGD(gradient_accumulation_steps=2))
