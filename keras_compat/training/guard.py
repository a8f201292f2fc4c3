"""Stops a run whose loss is no longer a number, and keeps the last good weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


class NonFiniteLoss(ArithmeticError):
    """A task's loss became NaN or infinite; the trainer holds the last weights seen good."""


class StopOnNonFinite(keras.callbacks.Callback):
    """Stops training at a NaN or infinite loss and puts the last good weights back.

    The compiled step notes the first round in which a task's loss was not finite. This callback
    looks at that note, and at the weights, after so many calls of the step and after every
    epoch. While all is finite it keeps a copy of weights and optimizer.

    Args:
        every: calls of the step between two looks (a call is one round, unless
            `steps_per_execution` says otherwise); what is put back is at most so old.

    Raises:
        NonFiniteLoss: from `fit`; says which task and which round.
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
        """Keeps a copy of weights and optimizer, or puts back the one before and raises."""
        # On JAX the variables are behind the training state until it is written back.
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        bad = self.model.first_non_finite_round()
        values = [np.array(variable.value) for variable in self._state()]
        # A last update may break the weights after a loss that was finite still.
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
