"""A trace of a few rounds, to see what they spend their time on."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import keras

_FIRST, _COUNT = 10, 5


class ProfileRounds(keras.callbacks.Callback):
    """Writes a trace of a few rounds, of the kind that TensorBoard and Perfetto show.

    On TensorFlow and on JAX, and there without TensorFlow, which
    `keras.callbacks.TensorBoard(profile_batch=...)` needs. The first rounds are left out, in which
    programs are compiled. A training that ends before is not traced.

    Args:
        folder: where to; the trace is `plugins/profile/TIME/HOST.xplane.pb` in it.
        first: the number of the first round in the trace, counted over all epochs and calls of
            `fit`; a call of the step is one, unless `steps_per_execution` says otherwise.
        count: how many there are.

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
            self._stop = _start(self.folder)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._seen += 1
        if self._stop is not None and self._seen >= self._end:
            # A step may be under way still: its figures are there once it is done.
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


def _start(folder: str) -> Callable[[], None]:
    """Begins a trace, and returns what ends it."""
    if keras.backend.backend() == "jax":
        import jax

        jax.profiler.start_trace(folder)
        return jax.profiler.stop_trace
    import tensorflow as tf

    os.makedirs(folder, exist_ok=True)
    tf.profiler.experimental.start(folder)
    return tf.profiler.experimental.stop
