"""A callback that stops a run whose loss is not finite, and restores the last good weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


class NonFiniteLoss(ArithmeticError):
    """A task's loss became NaN or infinite, and the trainer has the last good weights again."""


class StopOnNonFinite(keras.callbacks.Callback):
    """Stops training at a NaN or infinite loss and restores the last good weights.

    The compiled step stores the first round in which a task's loss was not finite. This callback
    reads that round, and checks the weights, after every so many calls of the step and after
    every epoch. As long as all are finite, it keeps a copy of weights and optimizer.

    Args:
        every: Calls of the step between two checks, and the greatest age of the restored weights.
            A call is one round, unless `steps_per_execution` says otherwise.

    Raises:
        NonFiniteLoss: Raised by `fit`, with the task and the round.
    """

    def __init__(self, every: int = 50):
        super().__init__()
        self.every = every
        self._good: list[np.ndarray] = []
        self._seen = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._seen = 0
        self.look()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._seen += 1
        if self._seen % self.every == 0:
            self.look()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.look()

    def _state(self) -> list[keras.Variable]:
        return [*self.model.variables, *self.model.optimizer.variables]

    def look(self) -> None:
        """Keeps a copy of weights and optimizer, or restores the last copy and raises."""
        # On JAX the variables are older than the training state until it is written back.
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        bad = self.model.first_non_finite_round()
        values = [np.array(variable.value) for variable in self._state()]
        # The update after a finite loss may still break the weights.
        broken = not all(np.isfinite(v).all() for v in values if v.dtype.kind == "f")
        if bad is None and not broken:
            self._good = values
            return
        what = (
            f"the loss of task {bad[0]!r} is not finite since round {bad[1]}"
            if bad
            else f"weights are not finite after round {self.model.rounds}"
        )
        if self._good:
            for variable, value in zip(self._state(), self._good, strict=True):
                variable.assign(value)
        raise NonFiniteLoss(
            f"{what}; training stopped, try a lower learning rate. The last good weights were kept"
        )
