"""The gradient step on TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


class BackendStep:
    """Turns a trainer's round into Keras' `train_step` and `test_step` for TensorFlow."""

    def train_step(self, data: Any) -> dict[str, Any]:
        return self.train_round(data)

    def test_step(self, data: Any) -> dict[str, Any]:
        return self.test_round(data)

    def gradients(
        self, compute: Callable[[], tuple[Any, Any]], learnt: list[keras.Variable]
    ) -> tuple[Any, Any, list[Any]]:
        """Returns the loss, its by-products and its gradients by the learnt variables."""
        with tf.GradientTape() as tape:
            loss, extra = compute()
            # Gradients of the replicas are added up: together they see one batch.
            share = loss / tf.distribute.get_strategy().num_replicas_in_sync
        return loss, extra, tape.gradient(share, learnt)

    def state_scope(self) -> Any:
        """Returns the scope in which variables are made that every replica updates."""
        return self.distribute_strategy.scope()

    def default_jit_compile(self) -> bool:
        """Says whether XLA is the faster one here."""
        # On CPUs XLA makes a round of the demo seven times slower (benchmarks/joint_step.py). On
        # GPUs and TPUs, where we have not measured, this keeps Keras' own choice.
        return bool(tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU"))
