"""Prediction with an extractor and a head without building their network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from weakref import WeakKeyDictionary

import keras
import numpy as np

from keras_compat.data import Examples, StreamedExamples
from keras_compat.layers.statistics import changed
from keras_compat.networks import check_interface

Predict = Callable[[np.ndarray], np.ndarray]

# A compiled function keeps the mode of its tracing, so each mode has its own.
_compiled_parts: WeakKeyDictionary[keras.Model, dict[str, keras.Model]] = WeakKeyDictionary()


def predict_logits(
    extractor: keras.Model,
    head: keras.Model,
    examples: Examples | StreamedExamples,
    batch_size: int = 512,
    statistics: str = "batch",
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the logits of an extractor with a head on every example, and the labels.

    Each part is compiled once for all partners: a grid of N extractors and M heads costs N + M
    compilations, not N x M. Batches are shuffled in a fixed order, so that each has several
    classes and representative batch statistics.

    Args:
        examples: Images uint8 and labels, such as `data.load("digits").test`.
        batch_size: Maximum number of examples in a batch; batch statistics depend on it.
        statistics: `"batch"` to normalize with the statistics of each batch, or `"moving"` for
            moving statistics. The mode of the models is restored.

    Returns:
        `(logits, labels)`: float32 `[N, classes]` and int32 `[N]`, in the order of
        `examples.evaluation_batches(batch_size)`.

    Raises:
        InputError: If the head does not fit the extractor, or a mode is unknown.

    Source: Gygli et al. 2021, Sec. 4 (recombination accuracy; batch statistics at test time).

    Example:

    >>> from keras_compat.data import Examples
    >>> extractor = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.AveragePooling2D(4)])
    >>> head = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])  # 4 classes
    >>> examples = Examples(np.zeros((4, 8, 8, 1), "uint8"), np.arange(4))
    >>> logits, labels = predict_logits(extractor, head, examples)
    >>> logits.shape, sorted(labels.tolist())
    ((4, 4), [0, 1, 2, 3])
    """
    check_interface(extractor, head)
    all_logits, all_labels = [], []
    with predicting(statistics, extractor, head) as (features, logits):
        for images, labels in examples.evaluation_batches(batch_size):
            all_logits.append(np.asarray(logits(features(images)), "float32"))
            all_labels.append(np.asarray(labels, "int32"))
    return np.concatenate(all_logits), np.concatenate(all_labels)


@contextmanager
def predicting(statistics: str, *parts: keras.Model) -> Iterator[list[Predict]]:
    """Yields a compiled function of each part, for calls within this context.

    Args:
        statistics: Mode of normalization in this context, `"batch"` or `"moving"`.
        *parts: Models with one input and one output.

    Raises:
        InputError: If the mode is unknown.
    """
    with using_statistics(statistics, *parts):
        yield [_compiled(part, statistics).predict_on_batch for part in parts]


def _compiled(part: keras.Model, statistics: str) -> keras.Model:
    """Returns a model of the same layers whose `predict` is traced in one mode only."""
    by_mode = _compiled_parts.setdefault(part, {})
    if statistics not in by_mode:
        by_mode[statistics] = keras.Model(part.inputs, part.outputs[0])
    return by_mode[statistics]


def using_statistics(mode: str, *models: keras.Model) -> AbstractContextManager[None]:
    """Sets the mode of normalization, `"batch"` or `"moving"`, within this context."""
    return changed(models, statistics=mode)
