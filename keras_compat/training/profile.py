"""A callback that traces a few rounds, to see where their time goes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import keras

from keras_compat.training.backend import start_trace

_FIRST, _COUNT = 10, 5


class ProfileRounds(keras.callbacks.Callback):
    """Writes a trace of a few rounds that TensorBoard and Perfetto show.

    It works on TensorFlow, and on JAX without TensorFlow, which
    `keras.callbacks.TensorBoard(profile_batch=...)` needs. The first rounds, in which programs
    are compiled, are left out. A training that ends before round `first` is not traced.

    Args:
        folder: Folder of the trace, whose file is `plugins/profile/TIME/HOST.xplane.pb`.
        first: Number of the first round in the trace, counted over all epochs and calls of
            `fit`; with `steps_per_execution` it counts calls of the step instead.
        count: Number of traced rounds.

    Source: https://www.tensorflow.org/guide/profiler, https://docs.jax.dev/en/latest/profiling.html

    Example:

    >>> ProfileRounds("profile", first=20, count=3).count
    3
    """

    def __init__(self, folder: str | os.PathLike[str], first: int = _FIRST, count: int = _COUNT):
        super().__init__()
        self.folder = os.fspath(folder)
        self.first = first
        self.count = count
        self._seen = 0
        self._written = False
        self._stop: Callable[[], None] | None = None

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._seen >= self.first and self._stop is None and not self._written:
            self._end = self._seen + self.count
            self._stop = start_trace(self.folder)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._seen += 1
        if self._stop is not None and self._seen >= self._end:
            # Waits for a step that still runs, whose metrics are ready when it is done.
            keras.tree.map_structure(lambda value: float(value), logs)
            self._finish()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._finish()

    def on_train_end(self, logs: Any = None) -> None:
        self._finish()

    def _finish(self) -> None:
        if self._stop is not None:
            stop, self._stop, self._written = self._stop, None, True
            stop()
