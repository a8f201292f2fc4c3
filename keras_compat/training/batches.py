"""Brings the data of several tasks together: one minibatch of each task a round."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from keras_compat.data import Examples

DEFAULT_BATCH_SIZE = 32


class _Arrays(Examples):
    """Examples of any type and shape, as a user of the trainer may hand over."""

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images and {len(labels)} labels; expected as many")
        self.images, self.labels = images, labels


def task_batches(source: Any, batch_size: int | None, seed: int) -> Any:
    """Returns a task's training minibatches as something to index or to iterate.

    Args:
        source: `(images, labels)` arrays, `Examples`, a `keras.utils.PyDataset`, a
            `tf.data.Dataset` or any other iterable of `(images, labels)` minibatches.
        batch_size: for arrays.
        seed: of the order in which arrays are drawn.
    """
    if isinstance(source, tuple):
        source = _Arrays(*_with_labels(source))
    if hasattr(source, "batches"):
        source = source.batches(batch_size or DEFAULT_BATCH_SIZE, seed=seed)
    return source


def _with_labels(source: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
    images = np.asarray(source[0])
    labels = source[1] if len(source) > 1 and source[1] is not None else None
    return images, np.full(len(images), -1, "int32") if labels is None else np.asarray(labels)


def rounds_per_epoch(source: Any, batch_size: int | None) -> int | None:
    """Returns how many minibatches cover a task's data once, where that is known."""
    if isinstance(source, tuple):
        return math.ceil(len(source[0]) / (batch_size or DEFAULT_BATCH_SIZE))
    if hasattr(source, "evaluation_batches"):
        return math.ceil(len(source) / (batch_size or DEFAULT_BATCH_SIZE))
    if isinstance(source, keras.utils.PyDataset):
        return source.num_batches
    if hasattr(source, "cardinality"):
        cardinality = int(source.cardinality())
        return cardinality if cardinality >= 0 else None
    return None


class JointBatches(keras.utils.PyDataset):
    """Gives Keras' `fit` one minibatch of every task a round; smaller sets repeat.

    Round i of indexed data is the same whenever it is asked for, so a run that goes on at round
    `start` sees what it would have seen.

    Args:
        tasks: each task's minibatches, as `task_batches` returns them.
        rounds: how many rounds there are.
        start: the number of the first round.
    """

    def __init__(self, tasks: Mapping[str, Any], rounds: int, start: int = 0):
        super().__init__()
        self._tasks = dict(tasks)
        self._rounds = rounds
        self._start = start
        self._iterators: dict[str, Iterator[Any]] = {}

    @property
    def num_batches(self) -> int:
        return self._rounds

    def __getitem__(self, index: int) -> tuple[dict[str, Any], dict[str, Any]]:
        batches = {name: self._minibatch(name, self._start + index) for name in self._tasks}
        return (
            {name: batch[0] for name, batch in batches.items()},
            {name: batch[1] for name, batch in batches.items()},
        )

    def _minibatch(self, name: str, index: int) -> tuple[np.ndarray, np.ndarray]:
        source = self._tasks[name]
        if isinstance(source, keras.utils.PyDataset):
            length = source.num_batches
            return _with_labels(_as_tuple(source[index % length if length else index]))
        if name not in self._iterators:
            self._iterators[name] = iter(source)
        try:
            batch = next(self._iterators[name])
        except StopIteration:
            self._iterators[name] = iter(source)
            batch = next(self._iterators[name])
        return _with_labels(_as_tuple(batch))


class JointEvaluationBatches(keras.utils.PyDataset):
    """Gives Keras' `evaluate` every example of every task once.

    A task whose data is at its end goes on with its last minibatch at weight zero, as each step
    needs the same structure; the minibatches themselves are never padded, which would change
    the batch statistics.

    Args:
        tasks: each task's data, as for `task_batches`.
        batch_size: at most so many examples a minibatch.
    """

    def __init__(self, tasks: Mapping[str, Any], batch_size: int | None):
        super().__init__()
        self._minibatches = {name: _evaluation(s, batch_size) for name, s in tasks.items()}
        self._rounds = max(len(m) for m in self._minibatches.values())

    @property
    def num_batches(self) -> int:
        return self._rounds

    def __getitem__(self, index: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        images, labels, weights = {}, {}, {}
        for name, minibatches in self._minibatches.items():
            images[name], labels[name] = minibatches[min(index, len(minibatches) - 1)]
            weights[name] = np.full(len(images[name]), float(index < len(minibatches)), "float32")
        return images, labels, weights


def _evaluation(source: Any, batch_size: int | None) -> list[tuple[np.ndarray, np.ndarray]]:
    if isinstance(source, tuple):
        source = _Arrays(*_with_labels(source))
    if hasattr(source, "evaluation_batches"):
        return list(source.evaluation_batches(batch_size or DEFAULT_BATCH_SIZE))
    if isinstance(source, keras.utils.PyDataset):
        source = (source[i] for i in range(source.num_batches))
    return [_with_labels(_as_tuple(batch)) for batch in source]


def _as_tuple(batch: Any) -> tuple[Any, ...]:
    return batch if isinstance(batch, tuple) else (batch,)
