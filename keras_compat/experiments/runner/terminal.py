"""Progress of a run on the terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

import keras

from keras_compat.data import ImageDataset
from keras_compat.printing import tell


class Terminal:
    """Printer of phases, each with its number, and of lines about them.

    Args:
        phases: Number of phases.
        stream: Stream to print to; standard output by default.

    Example:

    >>> terminal = Terminal(phases=2, stream=sys.stdout)
    >>> terminal.phase("Reading the data")
    [1/2] Reading the data
    >>> terminal.line("1,438 images")
          1,438 images
    """

    def __init__(self, phases: int, stream: TextIO | None = None):
        self._phases = phases
        self._number = 0
        self._stream = stream or sys.stdout

    def phase(self, name: str) -> None:
        """Announces the next phase."""
        self._number += 1
        tell(f"[{self._number}/{self._phases}] {name}", to=self._stream)

    def line(self, text: str) -> None:
        """Prints a line about the phase."""
        tell(f"      {text}", to=self._stream)

    def describe(self, datasets: Mapping[str, ImageDataset]) -> None:
        """Prints a line about each data set."""
        for name, dataset in datasets.items():
            self.line(
                f"{name}: {len(dataset.train):,} training images, {len(dataset.test):,} test "
                f"images, {len(dataset.class_names)} classes"
            )


def shows_bars(stream: TextIO | None = None) -> bool:
    """Says whether lines may be coloured and overwritten.

    A file, a pipe and a terminal with `NO_COLOR` or `TERM=dumb` get plain lines.

    Source: https://no-color.org.

    Example:

    >>> import io
    >>> shows_bars(io.StringIO())
    False
    """
    stream = stream or sys.stdout
    declined = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream is not None and stream.isatty() and not declined


class RoundsBar(keras.callbacks.Callback):
    """Keras' progress bar with the time left, the loss and the mean accuracy.

    A trainer of several tasks has too many figures for a line; TensorBoard shows all of them. If
    `shows_bars` is False, a plain line is written every half minute.
    """

    def __init__(self, rounds: int):
        super().__init__()
        self._rounds = rounds
        self._dynamic = shows_bars()

    def on_train_begin(self, logs: Any = None) -> None:
        # Rounds before an interruption.
        self._begin = self._done = self.model.rounds
        self._started = self._shown = time.monotonic()
        self._bar = keras.utils.Progbar(
            self._rounds, unit_name="round", stateful_metrics=["loss", "accuracy"]
        )

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._done = self._begin + batch + 1
        now = time.monotonic()
        if now - self._shown >= (0.5 if self._dynamic else 30) and self._done < self._rounds:
            self._shown = now
            self._show(logs, is_last=False)

    def on_train_end(self, logs: Any = None) -> None:
        self._show(logs, is_last=True)

    def _show(self, logs: dict[str, Any] | None, is_last: bool) -> None:
        if self._dynamic:
            self._bar.update(self._done, _summary(logs), finalize=is_last)
            return
        seconds = time.monotonic() - self._started
        figures = "".join(f" - {name}: {value:.4g}" for name, value in _summary(logs))
        tell(f"{self._done}/{self._rounds} rounds - {seconds:.0f}s{figures}")


def _summary(logs: dict[str, Any] | None) -> list[tuple[str, float]]:
    logs = {name: float(value) for name, value in (logs or {}).items()}
    accuracies = [v for name, v in logs.items() if name.endswith("_accuracy")]
    shown = [("loss", logs["loss"])] if "loss" in logs else []
    return shown + ([("accuracy", sum(accuracies) / len(accuracies))] if accuracies else [])
