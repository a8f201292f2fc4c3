"""The gradient step on TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_compat import replica_ops
from keras_compat.training.backend.tensorflow.input import as_dataset


class BackendStep:
    """Turns a trainer's round into Keras' `train_step` and `test_step` for TensorFlow."""

    # TensorFlow reads in a place of its own, and tells of any error there by one of these.
    errors_of_reading = (tf.errors.OpError,)

    def train_step(self, data: Any, number: int = 0) -> dict[str, Any]:
        return self.train_round(data, number)

    def test_step(self, data: Any) -> dict[str, Any]:
        return self.test_round(data)

    def gradients(
        self, compute: Callable[[], tuple[Any, Any]], learnt: list[keras.Variable]
    ) -> tuple[Any, Any, list[Any]]:
        """Returns the loss, its by-products and its gradients by the learnt variables.

        Replicas see one batch together: the gradients are those of its loss, the same on all of
        them, so that optimizers need not add them up and clip what one device would clip.
        """
        with tf.GradientTape() as tape:
            loss, extra = compute()
        gradients = tape.gradient(loss, learnt)
        there = replica_ops.means([g for g in gradients if g is not None])
        found = iter(there)
        return loss, extra, [None if g is None else next(found) for g in gradients]

    @staticmethod
    def as_input(batches: Any) -> Any:
        """Returns minibatches as Keras shall read them."""
        return as_dataset(batches) if isinstance(batches, keras.utils.PyDataset) else batches

    def state_scope(self) -> Any:
        """Returns the scope in which variables are made that every replica updates."""
        return self.distribute_strategy.scope()

    def default_jit_compile(self) -> bool:
        """Says whether XLA is the faster one here."""
        # On CPUs XLA makes a round of the demo seven times slower (benchmarks/joint_step.py). On
        # GPUs and TPUs, where we have not measured, this keeps Keras' own choice.
        return bool(tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU"))
