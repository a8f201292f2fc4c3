"""Training in 16 bits: what the step computes in, what is left, and how losses are scaled."""

import keras
import numpy as np
import pytest

from keras_compat.layers import UnitLength
from keras_compat.training import NonFiniteLoss, StopOnNonFinite, Task, Trainer
from tests.training.small import CLASSES, assert_close, data, joint_trainer, same, weights

DATA = {"a": data(seed=1), "b": data(seed=2)}


def fit(trainer, rounds=1, **options):
    inputs = {name: DATA[name] for name in trainer.tasks}
    return trainer.fit(inputs, batch_size=8, steps_per_epoch=rounds, verbose=0, **options)


class Noting(keras.layers.Layer):
    """Notes what it is given whenever it is traced."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def call(self, inputs, training=False):
        self.seen.append((training, keras.backend.standardize_dtype(inputs.dtype)))
        return inputs


def dense_parts(last=None):
    """A network without convolutions, quick to compile, with what notes dtypes in it."""
    images = keras.Input((8, 8, 1))
    noting = Noting()
    x = keras.layers.Dense(4, kernel_initializer=keras.initializers.GlorotUniform(1))(
        keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    )
    extractor = keras.Model(images, noting(x), name="extractor")
    features = keras.Input((4,))
    x = UnitLength()(features)
    x = keras.layers.Dense(CLASSES, kernel_initializer=keras.initializers.GlorotUniform(2))(x)
    head = keras.Model(features, last(x) if last else x, name="head")
    return extractor, head, noting


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_the_step_computes_in_16_bits_and_leaves_float32_networks(precision):
    extractor, head, noting = dense_parts()
    trainer = Trainer([Task("a", extractor, head)])
    trainer.compile(keras.optimizers.Adam(0.05), precision=precision)
    noting.seen.clear()
    before = weights(trainer)
    fit(trainer, 3)
    assert not same(before, weights(trainer))
    assert set(noting.seen) == {(True, precision.removeprefix("mixed_"))}
    noting.seen.clear()
    trainer.evaluate({"a": DATA["a"]}, batch_size=24, verbose=0)
    assert set(noting.seen) == {(False, "float32")}
    dtypes = {v.dtype for v in [*trainer.variables, *trainer.optimizer.variables]}
    assert {dtype for dtype in dtypes if "float" in dtype} == {"float32"}
    extractor.layers[-1].seen = None  # not to be saved
    for part in (extractor, head):
        assert {layer.dtype_policy.name for layer in part.layers} == {"float32"}
        assert "bfloat16" not in part.to_json() and "float16" not in part.to_json()


def test_what_makes_logits_and_what_says_so_stays_in_float32():
    extractor, head, _ = dense_parts()
    trainer = Trainer([Task("a", extractor, head)])
    trainer.compile("sgd", precision="mixed_bfloat16")
    with trainer._precision.applied(), trainer._precision.applied():
        policies = [layer.compute_dtype for layer in (*extractor.layers, *head.layers)]
    assert policies == ["bfloat16"] * 5 + ["bfloat16", "float32", "float32"]
    assert {layer.compute_dtype for layer in (*extractor.layers, *head.layers)} == {"float32"}


def state(trainer, task):
    learnt = trainer.tasks[task].learnt_variables()
    groups = trainer.optimizer._of(learnt)
    held = [v for group in groups for v in group.optimizer.variables]
    return [np.array(v.value) for v in [*learnt, *held]]


def test_a_step_whose_gradients_overflow_is_skipped_and_halves_the_scale(tmp_path):
    trainer = joint_trainer(common=False)
    trainer.compile(keras.optimizers.Adam(0.02), precision="mixed_float16")
    fit(trainer)
    scales = {name: trainer.optimizer.loss_scale(name).factor for name in "ab"}
    assert [float(np.array(s.value)) for s in scales.values()] == [2.0**15] * 2
    scales["a"].assign(2.0**120)
    shared = trainer.parts["rotation_head"]
    a, b, both = state(trainer, "a"), state(trainer, "b"), weights(shared)
    own = [np.array(v.value) for v in trainer.parts["a_extractor"].trainable_variables]
    fit(trainer)
    # Task a took no step, nor did the head that it shares; task b's step was its own.
    assert float(np.array(scales["a"].value)) == 2.0**119
    assert float(np.array(scales["b"].value)) == 2.0**15
    assert same(own, [np.array(v.value) for v in trainer.parts["a_extractor"].trainable_variables])
    assert not same(a, state(trainer, "a")) and not same(both, weights(shared))  # by task b
    assert not same(b, state(trainer, "b"))
    counts = {
        group.addresses[0].split("/")[0]: int(group.optimizer.iterations.numpy())
        for group in trainer.optimizer._groups
    }
    assert counts["a_extractor"] == 1 and counts["b_extractor"] == 2
    assert counts["rotation_head"] == 3 and trainer.first_non_finite_round() is None

    trainer.save(tmp_path / "trainer.keras")
    loaded = keras.saving.load_model(tmp_path / "trainer.keras")
    assert float(np.array(loaded.optimizer.loss_scale("a").factor.value)) == 2.0**119
    assert loaded._precision.name == "mixed_float16"


def test_a_scaled_loss_trains_as_an_unscaled_one_and_the_scale_grows():
    plain, scaled = (Trainer([Task("a", *dense_parts()[:2])]) for _ in range(2))
    plain.compile(keras.optimizers.SGD(0.1, global_clipnorm=0.5))
    inner = keras.optimizers.SGD(0.1, global_clipnorm=0.5)
    scaled.compile(keras.optimizers.LossScaleOptimizer(inner, 64.0, dynamic_growth_steps=2))
    for trainer in (plain, scaled):
        fit(trainer, 5)
    assert_close(plain, scaled)
    assert float(np.array(scaled.optimizer.loss_scale("a").factor.value)) == 256.0


class InfiniteSlope(keras.layers.Layer):
    def call(self, inputs):
        return inputs + keras.ops.sqrt(0 * inputs)


def test_gradients_that_no_scale_mends_stop_training():
    trainer = Trainer([Task("a", *dense_parts(last=InfiniteSlope())[:2])])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=4.0)
    trainer.compile(optimizer)
    before = weights(trainer)
    with pytest.raises(NonFiniteLoss, match="task 'a' is not finite since round 2"):
        fit(trainer, 5, callbacks=[StopOnNonFinite(every=1)])
    assert same(before, weights(trainer))
