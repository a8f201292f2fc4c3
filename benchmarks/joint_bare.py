"""A round of joint training as a bare compiled step, the reference for the trainer.

The same mathematics, written by hand for these tasks: no metrics, no guard, no data pipeline, no
callbacks, nothing that could be frozen or saved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from benchmarks.joint_networks import make_optimizer, parts
from keras_compat.training import Task
from keras_compat.training.precision import Precision

Minibatch = tuple[np.ndarray, np.ndarray]
# Of each part by name: what it learns, what else it keeps, and what its optimizer keeps.
State = dict[str, tuple[list, list, list]]


def task_loss(task: Task, images: Any, labels: Any) -> Any:
    """Returns the sum of a task's three losses."""
    images = ops.cast(images, "float32")
    features = task.extractor(images, training=True)
    loss = _cross_entropy(labels, task.head(features, training=True))
    for held in task.auxiliaries:
        shown, targets = held.auxiliary.transform(images, labels)
        if held.auxiliary.transforms_images:
            seen = task.extractor(shown, training=True)
        else:
            seen = features
        loss = loss + _cross_entropy(targets, held.head(seen, training=True))
    return loss


def _cross_entropy(targets: Any, logits: Any) -> Any:
    losses = keras.losses.sparse_categorical_crossentropy(
        ops.maximum(targets, 0), ops.cast(logits, "float32"), from_logits=True
    )
    return ops.mean(ops.where(targets >= 0, losses, 0.0))


class BareStep:
    """Takes a step of each task in turn on the minibatches it is called with; returns the loss.

    Args:
        tasks: Result of `joint_networks.make_tasks`.
        jit_compile: whether TensorFlow uses XLA; JAX does in any case.
        precision: Dtype policy of the layers, by Keras' name.
    """

    def __init__(self, tasks: Sequence[Task], jit_compile: bool, precision: str = "float32"):
        self.tasks = tasks
        heads = [part for task in tasks for part in task.parts if part is not task.extractor]
        self.precision = Precision(precision, [task.extractor for task in tasks], heads)
        self.optimizers = {}
        for part in parts(tasks):
            self.optimizers[part.name] = make_optimizer()
            self.optimizers[part.name].build(part.trainable_variables)
        make = _on_jax if keras.backend.backend() == "jax" else _on_tensorflow
        self._step = make(self, jit_compile)

    def __call__(self, batches: Sequence[Minibatch]) -> Any:
        return self._step(batches)


def _on_tensorflow(bare: BareStep, jit_compile: bool) -> Any:
    import tensorflow as tf

    @tf.function(jit_compile=jit_compile)
    def step(batches: Sequence[Minibatch]) -> Any:
        total = 0.0
        for task, (images, labels) in zip(bare.tasks, batches, strict=True):
            learnt = [part.trainable_variables for part in task.parts]
            with tf.GradientTape() as tape, bare.precision.applied():
                loss = task_loss(task, images, labels)
            for part, gradients in zip(task.parts, tape.gradient(loss, learnt), strict=True):
                bare.optimizers[part.name].apply(gradients, part.trainable_variables)
            total += loss
        return total

    return lambda batches: step([tuple(map(tf.convert_to_tensor, batch)) for batch in batches])


def _on_jax(bare: BareStep, jit_compile: bool) -> Any:
    import jax

    state, step = pure_step(bare)
    compiled = jax.jit(step, donate_argnums=0)

    def call(batches: Sequence[Minibatch]) -> Any:
        nonlocal state
        state, loss = compiled(state, list(batches))
        return loss

    return call


def pure_step(bare: BareStep) -> tuple[State, Callable[[State, list[Minibatch]], tuple]]:
    """Returns what a step begins with, and the step as a function of it and of minibatches.

    For JAX. The function is neither compiled nor has it effects; it returns what the next step
    begins with, and the loss.
    """
    import jax

    models = {part.name: part for part in parts(bare.tasks)}
    state = {
        name: (
            [v.value for v in part.trainable_variables],
            [v.value for v in part.non_trainable_variables],
            [v.value for v in bare.optimizers[name].variables],
        )
        for name, part in models.items()
    }

    def loss_of(task: Task, learnt: dict, kept: dict, images: Any, labels: Any) -> Any:
        pairs = [
            pair
            for part in task.parts
            for variables, values in (
                (part.trainable_variables, learnt[part.name]),
                (part.non_trainable_variables, kept[part.name]),
            )
            for pair in zip(variables, values, strict=True)
        ]
        with keras.StatelessScope(state_mapping=pairs) as scope, bare.precision.applied():
            loss = task_loss(task, images, labels)
        return loss, {
            part.name: [scope.get_current_value(v) for v in part.non_trainable_variables]
            for part in task.parts
        }

    def step(state: State, batches: list[Minibatch]) -> tuple[State, Any]:
        total = 0.0
        for task, (images, labels) in zip(bare.tasks, batches, strict=True):
            learnt = {part.name: state[part.name][0] for part in task.parts}
            kept = {part.name: state[part.name][1] for part in task.parts}
            (loss, kept), gradients = jax.value_and_grad(
                lambda learnt, kept, task=task, images=images, labels=labels: loss_of(
                    task, learnt, kept, images, labels
                ),
                has_aux=True,
            )(learnt, kept)
            for name, found in gradients.items():
                weights, moments = bare.optimizers[name].stateless_apply(
                    state[name][2], found, learnt[name]
                )
                state = {**state, name: (weights, kept[name], moments)}
            total += loss
        return state, total

    return state, step
