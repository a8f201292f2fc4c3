"""Brings the data of several tasks together: one minibatch of each task a round."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np

from keras_compat.data import Examples
from keras_compat.data.examples import near_equal_sizes

DEFAULT_BATCH_SIZE = 32

Minibatch = tuple[np.ndarray, np.ndarray]


class _Arrays(Examples):
    """Examples of any type and shape, as a user of the trainer may hand over."""

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images and {len(labels)} labels; expected as many")
        self.images, self.labels = images, labels


class InOrder:
    """Serves by index what can only be iterated.

    Keras looks at the first minibatches before it begins, and asks for them again: the last few
    are kept.

    Args:
        make: returns the minibatches from the first on.
        repeat: whether they begin again at their end.

    Raises:
        ValueError: when asked for more than there are.

    Example:

    >>> batches = InOrder(lambda: "abc", repeat=True)
    >>> [batches[i] for i in (0, 1, 0, 1, 2, 3, 4)]
    ['a', 'b', 'a', 'b', 'c', 'a', 'b']
    """

    _KEPT = 4

    def __init__(self, make: Callable[[], Iterable[Any]], repeat: bool):
        self._make = make
        self._repeat = repeat
        self._begin()

    def _begin(self) -> None:
        self._iterator = iter(self._make())
        self._next = 0
        self._kept: dict[int, Any] = {}

    def __getitem__(self, index: int) -> Any:
        if index < self._next and index not in self._kept:
            self._begin()
        while self._next <= index:
            self._kept[self._next] = self._draw()
            self._kept.pop(self._next - self._KEPT, None)
            self._next += 1
        return self._kept[index]

    def _draw(self) -> Any:
        try:
            return next(self._iterator)
        except StopIteration:
            if self._repeat:
                self._iterator = iter(self._make())
                for item in self._iterator:
                    return item
            raise ValueError(
                f"the data ended after {self._next} minibatches; give data that can be read again"
            ) from None


def task_batches(source: Any, batch_size: int | None, seed: int, start: int) -> Any:
    """Returns a task's training minibatches by index, without end.

    Args:
        source: `(images, labels)` arrays, `Examples`, a `keras.utils.PyDataset`, a
            `tf.data.Dataset` or any other iterable of `(images, labels)` minibatches.
        batch_size: for arrays and examples.
        seed: of the order in which arrays and examples are drawn.
        start: the round to begin with; minibatches that can only be iterated begin at their
            first.
    """
    if isinstance(source, tuple):
        source = _Arrays(*_with_labels(source))
    if hasattr(source, "batches"):
        source = source.batches(batch_size or DEFAULT_BATCH_SIZE, seed=seed, start=start)
    elif isinstance(source, keras.utils.PyDataset):
        return _Indexed(source, start)
    return source if isinstance(source, keras.utils.PyDataset) else InOrder(lambda: source, True)


class _Indexed:
    """A `PyDataset` from some index on, begun again at its end."""

    def __init__(self, source: keras.utils.PyDataset, start: int):
        self._source, self._start = source, start

    def __getitem__(self, index: int) -> Any:
        length = self._source.num_batches
        index += self._start
        return self._source[index % length if length else index]


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
    return len(source) if hasattr(source, "__len__") else None


def highest_label(source: Any) -> int | None:
    """Returns the highest label of arrays or examples; `None` where reading them costs a pass."""
    if isinstance(source, tuple):
        labels = source[1] if len(source) > 1 else None
    else:
        labels = getattr(source, "labels", None)
    return None if labels is None or len(labels) == 0 else int(np.max(labels))


class JointBatches(keras.utils.PyDataset):
    """Gives Keras' `fit` one minibatch of every task a round; smaller sets repeat.

    Round i of indexed data is the same whenever it is asked for, so a run that goes on at round
    `start` sees what it would have seen.

    Args:
        tasks: functions from the first round to a task's minibatches, see `task_batches`.
        rounds: how many rounds there are.
        start: the number of the first round.
    """

    def __init__(self, tasks: Mapping[str, Callable[..., Any]], rounds: int, start: int = 0):
        super().__init__()
        self._tasks = dict(tasks)
        self._rounds = rounds
        self._start: int | None = None
        self.error: Exception | None = None
        """What reading a minibatch has raised; Keras may make another error of it."""
        self.go_to(start)

    def go_to(self, start: int) -> None:
        """Begins at another round."""
        if start != self._start:
            self._start = start
            self._sources = {name: make(start=start) for name, make in self._tasks.items()}

    @property
    def num_batches(self) -> int:
        return self._rounds

    def __getitem__(self, index: int) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            batches = {name: _as_minibatch(source[index]) for name, source in self._sources.items()}
        except Exception as error:
            self.error = error
            raise
        return (
            {name: batch[0] for name, batch in batches.items()},
            {name: batch[1] for name, batch in batches.items()},
        )


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
        self._sources = {name: _evaluation(s, batch_size) for name, s in tasks.items()}

    @property
    def num_batches(self) -> int:
        return max(length for length, _ in self._sources.values())

    def __getitem__(self, index: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        images, labels, weights = {}, {}, {}
        for name, (length, source) in self._sources.items():
            images[name], labels[name] = _as_minibatch(source[min(index, length - 1)])
            weights[name] = np.full(len(images[name]), float(index < length), "float32")
        return images, labels, weights


class PredictionBatches(keras.utils.PyDataset):
    """Gives Keras' `predict` one task's images in their order, in near-equal minibatches.

    Args:
        task: its name.
        images: `[N, H, W, C]`.
        batch_size: at most so many images a minibatch.
    """

    def __init__(self, task: str, images: np.ndarray, batch_size: int | None):
        super().__init__()
        self._task = task
        self._images = np.asarray(images)
        sizes = near_equal_sizes(len(self._images), batch_size or DEFAULT_BATCH_SIZE)
        self._ends = np.cumsum([0, *sizes])

    @property
    def num_batches(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray]]:
        return ({self._task: self._images[self._ends[index] : self._ends[index + 1]]},)


def _evaluation(source: Any, batch_size: int | None) -> tuple[int, Any]:
    """Returns how many minibatches there are, and the minibatches by index."""
    if isinstance(source, tuple):
        source = _Arrays(*_with_labels(source))
    length = rounds_per_epoch(source, batch_size)
    if hasattr(source, "evaluation_batches"):
        size = batch_size or DEFAULT_BATCH_SIZE
        return length, InOrder(lambda: source.evaluation_batches(size), repeat=False)
    if length is None:
        source = list(source)
        return len(source), source
    if isinstance(source, keras.utils.PyDataset):
        return length, source
    return length, InOrder(lambda: source, repeat=False)


def _with_labels(source: tuple[Any, ...]) -> Minibatch:
    images = np.asarray(source[0])
    labels = source[1] if len(source) > 1 and source[1] is not None else None
    return images, np.full(len(images), -1, "int32") if labels is None else np.asarray(labels)


def _as_minibatch(batch: Any) -> Minibatch:
    return _with_labels(batch if isinstance(batch, tuple) else (batch,))
