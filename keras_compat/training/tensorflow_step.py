"""The gradient step on TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


class BackendStep:
    """Turns a trainer's round into Keras' `train_step` and `test_step` for TensorFlow."""

    def train_step(self, data: Any) -> dict[str, Any]:
        return self.train_round(data, _gradients)

    def test_step(self, data: Any) -> dict[str, Any]:
        return self.test_round(data)

    def default_jit_compile(self) -> bool:
        # XLA's depthwise convolutions on CPUs are ten times slower than TensorFlow's own
        # (MobileNetV2: 775 ms a step instead of 71); on GPUs and TPUs it is the faster one.
        return bool(tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU"))


def _gradients(
    compute: Callable[[], tuple[Any, Any]],
    learnt: list[keras.Variable],
    others: list[keras.Variable],
) -> tuple[Any, Any, list[Any]]:
    """Returns the loss, its by-products and its gradients by the learnt variables."""
    with tf.GradientTape() as tape:
        loss, extra = compute()
    return loss, extra, tape.gradient(loss, learnt)
