"""The loss and the metrics of one task on one minibatch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_compat.training.forward_passes import run_passes
from keras_compat.training.task import AuxiliaryHead, Task

Logs = dict[str, tuple[Any, Any]]
"""Scalars by the name of a metric: its mean over a minibatch, and the weight of that mean."""


def task_loss(
    task: Task,
    images: Any,
    labels: Any,
    weights: Any,
    training: bool,
    auxiliaries: Sequence[AuxiliaryHead],
) -> tuple[Any, Logs]:
    """Returns a task's loss and its metrics.

    As in Keras, a loss is the mean over all examples of each example's loss times its weight.

    Args:
        weights: Floats `[B]`, the weights of what is learnt from labels; `None` stands for 1.
        training: Whether images are augmented, and the parts train.
    """
    if training and task.augmentation is not None:
        images = task.augmentation(images, training=True)
    logs: Logs = {}
    total = 0.0
    features, seen = run_passes(task, auxiliaries, images, labels, training)
    if task.head is not None:
        logits = _in_float(task.head(features, training=training))
        known = ops.cast(labels >= 0, logits.dtype)
        loss = keras.losses.sparse_categorical_crossentropy(
            ops.maximum(labels, 0), logits, from_logits=True
        )
        mean = ops.mean(_weighted(ops.where(known > 0, loss, ops.zeros_like(loss)), weights))
        right = ops.cast(ops.argmax(logits, axis=-1), labels.dtype) == labels
        logs[f"{task.name}_loss"] = (mean, ops.ones_like(mean))
        score = ops.cast(right, logits.dtype), _weighted(known, weights)
        logs[f"{task.name}_accuracy"] = _mean(*score)
        total = total + task.loss_weight * mean
    for held, targets, outputs in seen:
        if held.head is not None:
            outputs = held.head(outputs, training=training)
        outputs = _in_float(outputs)
        own = weights if held.auxiliary.uses_labels else None
        mean = ops.mean(_weighted(held.auxiliary.loss(targets, outputs), own))
        prefix = f"{task.name}_{held.auxiliary.name}"
        logs[f"{prefix}_loss"] = (mean, ops.ones_like(mean))
        values, counted = held.auxiliary.score(targets, outputs)
        logs[f"{prefix}_{held.auxiliary.score_name}"] = _mean(values, _weighted(counted, own))
        # A loss in every k-th round weighs k times as much.
        total = total + held.loss_weight * held.every * mean
    return total, logs


def _in_float(logits: Any) -> Any:
    """Returns logits in float32 at least, the precision of losses."""
    return logits if logits.dtype == "float64" else ops.cast(logits, "float32")


def _weighted(values: Any, weights: Any) -> Any:
    """Returns values times the first weights, as many as there are values; `None` stands for 1."""
    if weights is None:
        return values
    weights = ops.cast(weights[: ops.shape(values)[0]], values.dtype)
    # A product alone would make NaN of an infinite value with weight 0.
    return ops.where(weights > 0, values * weights, ops.zeros_like(values))


def _mean(values: Any, weights: Any) -> tuple[Any, Any]:
    """Returns the weighted mean of values, 0 without weights, and the mean weight."""
    total = ops.sum(weights)
    total = ops.where(total > 0, total, ops.ones_like(total))
    return ops.sum(values * weights) / total, ops.mean(weights)
