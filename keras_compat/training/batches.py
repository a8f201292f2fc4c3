"""The data of several tasks, read as one minibatch of each task in a round."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_compat.data import Examples, StreamedExamples
from keras_compat.data.batch_sizes import near_equal_sizes
from keras_compat.data.batches import Minibatches
from keras_compat.data.labels import UNKNOWN, check_begin_with_0, check_labels
from keras_compat.errors import InputError
from keras_compat.training.weights import check_weights, weights_of_labels

DEFAULT_BATCH_SIZE = 32


class Minibatch(NamedTuple):
    """Images with their labels and weights.

    Attributes:
        images: `[B, H, W, C]`.
        labels: int32 `[B]`; -1 stands for no label.
        weights: Floats `[B]`, weights in losses of labels; `None` if all are 1.
    """

    images: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Checks:
    """The checks of a task's minibatches, made on the host.

    Args:
        classes: Number of classes; `None` if nothing is learnt from labels.
        class_weights: Weights of the classes, see `class_weights`; `None` if all are equal.
    """

    task: str
    classes: int | None = None
    class_weights: np.ndarray | None = None

    def minibatch(self, batch: Any) -> Minibatch:
        """Returns `(images,)`, `(images, labels)` or `(images, labels, weights)` as a minibatch.

        Raises:
            InputError: Labels or weights are not valid, or the tuple is another.
        """
        what = f"the data of task {self.task!r}"
        batch = tuple(batch) if isinstance(batch, tuple | list) else (batch,)
        if not 1 <= len(batch) <= 3 or batch[0] is None:
            raise InputError(
                f"{what} is a tuple of {len(batch)}; expected (images, labels) or (images, labels, "
                "sample weights)"
            )
        images = np.asarray(batch[0])
        if not images.ndim or images.dtype.kind in "OSU":
            raise InputError(
                f"images in {what} are of type {type(batch[0]).__name__}; expected an array of "
                "numbers: give minibatches of (images, labels)"
            )
        labels, weights = (*batch[1:], None, None)[:2]
        if labels is None:
            if weights is not None:
                raise InputError(f"sample weights without labels in {what}; expected labels too")
            return Minibatch(images, np.full(len(images), UNKNOWN, "int32"))
        labels = check_labels(labels, len(images), what, self.classes, whole_floats=True)
        if weights is not None:
            weights = check_weights(weights, len(images), what)
        if self.class_weights is not None:
            if weights is not None:
                raise InputError(
                    f"class_weight and sample weights for task {self.task!r}; expected one of them"
                )
            weights = weights_of_labels(self.class_weights, labels)
        return Minibatch(images, labels, weights)


class _Arrays(Examples):
    """A user's examples of any type and shape, with weights."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, weights: np.ndarray | None):
        self.images, self.labels, self.weights = images, labels, weights

    def at(self, rows: np.ndarray) -> Minibatch:
        """Returns the examples at some rows."""
        weights = None if self.weights is None else self.weights[rows]
        return Minibatch(self.images[rows], self.labels[rows], weights)

    def batches(self, batch_size: int, seed: int, start: int = 0) -> Minibatches:
        return _ArrayMinibatches(self, batch_size, seed, start)

    def evaluation_batches(self, batch_size: int, seed: int = 0) -> Iterator[Minibatch]:
        yield from map(self.at, self.evaluation_rows(batch_size, seed))


class _ArrayMinibatches(Minibatches):
    def __getitem__(self, index: int) -> Minibatch:
        return self.examples.at(self.rows(index))


def checked(source: Any, checks: Checks, weights: Any = None, learnt: bool = False) -> Any:
    """Returns a task's data after checking all labels that are in memory.

    Args:
        source: Data of the task, see `task_batches`, or a tuple of arrays.
        weights: Weights for arrays and `Examples` in memory.
        learnt: Whether the data are trained on, so that labels that begin with 1 are refused.

    Raises:
        InputError: Labels or weights are not valid.
    """
    what = f"the data of task {checks.task!r}"
    is_examples = isinstance(source, Examples | StreamedExamples)
    if weights is not None:
        if isinstance(source, tuple) and len(source) == 2:
            source = (*source, weights)
        elif isinstance(source, Examples):
            source = (source.images, source.labels, weights)
        else:
            raise InputError(
                f"sample_weight for task {checks.task!r}, whose data is {type(source).__name__}; "
                "expected arrays (images, labels): give minibatches of (images, labels, weights)"
            )
    if isinstance(source, tuple):
        # Class weights are applied to minibatches.
        source = _Arrays(*replace(checks, class_weights=None).minibatch(source))
        is_examples = True
        if len(source):
            checks.minibatch(source.at(np.arange(1)))
    elif is_examples:
        check_labels(source.labels, len(source), what, checks.classes)
    if learnt and is_examples and checks.classes is not None:
        check_begin_with_0(source.labels, checks.classes, what)
    return source


class InOrder:
    """Gives minibatches by index that can only be iterated.

    The last few are kept, since Keras reads the first ones twice.

    Args:
        make: A function that returns the minibatches from the first on.
        repeat: Whether the minibatches begin again at their end.

    Raises:
        ValueError: An index is beyond the last minibatch.

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
        source: `Examples`, a `keras.utils.PyDataset`, a `tf.data.Dataset` or any other iterable of
            minibatches, see `Checks.minibatch`; `checked` makes examples of arrays.
        batch_size: Size of minibatches of arrays and examples.
        seed: Seed of the order of arrays and examples.
        start: Number of the first round; an iterable always begins with its first minibatch.
    """
    if hasattr(source, "batches"):
        source = source.batches(batch_size or DEFAULT_BATCH_SIZE, seed=seed, start=start)
    elif isinstance(source, keras.utils.PyDataset):
        return _Indexed(source, start)
    return source if isinstance(source, keras.utils.PyDataset) else InOrder(lambda: source, True)


class _Indexed:
    """A `PyDataset` from some index on, repeated without end."""

    def __init__(self, source: keras.utils.PyDataset, start: int):
        self._source, self._start = source, start

    def __getitem__(self, index: int) -> Any:
        length = self._source.num_batches
        index += self._start
        return self._source[index % length if length else index]


def rounds_per_epoch(source: Any, batch_size: int | None) -> int | None:
    """Returns the number of minibatches that show a task's data once; `None` if unknown."""
    if hasattr(source, "evaluation_batches"):
        return math.ceil(len(source) / (batch_size or DEFAULT_BATCH_SIZE))
    if isinstance(source, keras.utils.PyDataset):
        return source.num_batches
    if hasattr(source, "cardinality"):
        cardinality = int(source.cardinality())
        return cardinality if cardinality >= 0 else None
    return len(source) if hasattr(source, "__len__") else None


class _OfTasks(keras.utils.PyDataset):
    """The base of datasets that join tasks: checks minibatches and keeps errors.

    Args:
        checks: Checks by task; a task without them may have any number of classes.
    """

    def __init__(self, checks: Mapping[str, Checks]):
        super().__init__()
        self._checks = dict(checks)
        self._weighted: dict[str, bool] = {}
        self.error: Exception | None = None
        """The error of reading a minibatch, of which Keras may make another one."""

    @contextmanager
    def _noting_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.error = error
            raise

    def _minibatch(self, task: str, batch: Any) -> Minibatch:
        found = self._checks.get(task, Checks(task)).minibatch(batch)
        weighted = found.weights is not None
        if self._weighted.setdefault(task, weighted) != weighted:
            raise InputError(
                f"some minibatches of task {task!r} have sample weights, others have none; "
                "expected them in all or in none"
            )
        return found


class JointBatches(_OfTasks):
    """Gives Keras' `fit` one minibatch of every task in a round; smaller sets repeat.

    Round i of indexed data is always the same, so a run that goes on at round `start` sees the
    data of a run without a break.

    Args:
        tasks: Functions from the first round to a task's minibatches, see `task_batches`.
    """

    def __init__(
        self,
        tasks: Mapping[str, Callable[..., Any]],
        rounds: int,
        start: int = 0,
        checks: Mapping[str, Checks] | None = None,
    ):
        super().__init__(checks or {})
        self._tasks = dict(tasks)
        self._rounds = rounds
        self._start: int | None = None
        self.go_to(start)

    def go_to(self, start: int) -> None:
        """Sets the number of the first round."""
        if start != self._start:
            self._start = start
            self._sources = {name: make(start=start) for name, make in self._tasks.items()}

    @property
    def num_batches(self) -> int:
        return self._rounds

    def __getitem__(self, index: int) -> tuple[dict[str, Any], ...]:
        with self._noting_errors():
            found = {n: self._minibatch(n, source[index]) for n, source in self._sources.items()}
        images = {name: batch.images for name, batch in found.items()}
        labels = {name: batch.labels for name, batch in found.items()}
        weights = {n: batch.weights for n, batch in found.items() if batch.weights is not None}
        return (images, labels, weights) if weights else (images, labels)


class JointEvaluationBatches(_OfTasks):
    """Gives Keras' `evaluate` every example of every task once.

    Each step needs a minibatch of every task. A task whose data has ended repeats its last
    minibatch with weight 0. Minibatches are never padded, which would change batch statistics.

    Example:

    >>> data = np.zeros((2, 8, 8, 1)), np.array([0, 1])
    >>> sources = {"a": checked(data, Checks("a", classes=2))}
    >>> _, labels, weights = JointEvaluationBatches(sources, 2)[0]
    >>> sorted(labels["a"].tolist()), weights["counted"]["a"].tolist()
    ([0, 1], [1.0, 1.0])
    """

    def __init__(
        self,
        tasks: Mapping[str, Any],
        batch_size: int | None,
        checks: Mapping[str, Checks] | None = None,
    ):
        super().__init__(checks or {})
        self._sources = {name: _evaluation(s, batch_size) for name, s in tasks.items()}

    @property
    def num_batches(self) -> int:
        return max(length for length, _ in self._sources.values())

    def __getitem__(self, index: int) -> tuple[dict[str, Any], ...]:
        images, labels, counted, weights = {}, {}, {}, {}
        with self._noting_errors():
            for name, (length, source) in self._sources.items():
                found = self._minibatch(name, source[min(index, length - 1)])
                images[name], labels[name] = found.images, found.labels
                counted[name] = np.full(len(found.images), float(index < length), "float32")
                if found.weights is not None:
                    weights[name] = found.weights
        return images, labels, {"counted": counted, **({"weights": weights} if weights else {})}


class PredictionBatches(keras.utils.PyDataset):
    """Gives Keras' `predict` one task's images in order, in near-equal minibatches.

    Args:
        images: `[N, H, W, C]`.
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
    """Returns the number of minibatches, and the minibatches by index."""
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
