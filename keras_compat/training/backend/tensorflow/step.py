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

    # TensorFlow reads in a thread of its own and turns any error there into one of these.
    errors_of_reading = (tf.errors.OpError,)

    def train_step(self, data: Any, number: int = 0) -> dict[str, Any]:
        return self.train_round(data, number)

    def test_step(self, data: Any) -> dict[str, Any]:
        return self.test_round(data)

    def gradients(
        self, compute: Callable[[], tuple[Any, Any]], learnt: list[keras.Variable]
    ) -> tuple[Any, Any, list[Any]]:
        """Returns the loss, the other results of `compute` and the gradients of the variables.

        All replicas together see one batch and get the gradients of its loss. So an optimizer
        need not sum gradients over replicas, and clips as on one device.
        """
        with tf.GradientTape() as tape:
            loss, extra = compute()
        gradients = tape.gradient(loss, learnt)
        found = iter(replica_ops.means([g for g in gradients if g is not None]))
        return loss, extra, [None if g is None else next(found) for g in gradients]

    @staticmethod
    def as_input(batches: Any) -> Any:
        """Returns minibatches in the form that Keras reads."""
        return as_dataset(batches) if isinstance(batches, keras.utils.PyDataset) else batches

    def state_scope(self) -> Any:
        """Returns the scope for making variables that every replica updates."""
        return self.distribute_strategy.scope()

    def default_jit_compile(self) -> bool:
        """Returns whether XLA makes a round faster here."""
        # On CPUs XLA makes a round of the demo seven times slower (benchmarks/joint_step.py). GPUs
        # and TPUs are not measured and keep Keras' own choice.
        return bool(tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU"))
