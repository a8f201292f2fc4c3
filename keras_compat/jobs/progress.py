"""What a person sees on the terminal while a job runs."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

import keras

from keras_compat.printing import tell


class Terminal:
    """Prints each phase with its place among the phases, and how long it took.

    Args:
        phases: how many there will be.
        stream: where to print; standard output unless told otherwise.

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
        """Prints something about the phase."""
        tell(f"      {text}", to=self._stream)


class RoundsBar(keras.callbacks.Callback):
    """Shows Keras' progress bar with the time left, the loss and the mean accuracy.

    A trainer of several tasks has too many figures for a line; TensorBoard has them all. Where
    standard output is a file, a line is written every half minute.

    Args:
        rounds: how many there are.
    """

    def __init__(self, rounds: int):
        super().__init__()
        self._rounds = rounds
        self._dynamic = sys.stdout.isatty()

    def on_train_begin(self, logs: Any = None) -> None:
        # As many as were had before an interruption.
        self._begin = self._done = self.model.rounds
        self._shown = time.monotonic()
        self._bar = keras.utils.Progbar(
            self._rounds, unit_name="round", stateful_metrics=["loss", "accuracy"]
        )

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._done = self._begin + batch + 1
        now = time.monotonic()
        if now - self._shown >= (0.5 if self._dynamic else 30) and self._done < self._rounds:
            self._shown = now
            self._bar.update(self._done, _summary(logs), finalize=False)

    def on_train_end(self, logs: Any = None) -> None:
        self._bar.update(self._done, _summary(logs), finalize=True)


def _summary(logs: dict[str, Any] | None) -> list[tuple[str, float]]:
    logs = {name: float(value) for name, value in (logs or {}).items()}
    accuracies = [v for name, v in logs.items() if name.endswith("_accuracy")]
    shown = [("loss", logs["loss"])] if "loss" in logs else []
    return shown + ([("accuracy", sum(accuracies) / len(accuracies))] if accuracies else [])
