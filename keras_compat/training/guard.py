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
    looks at that note every so many rounds, and keeps a copy of the weights when all was well.

    Args:
        every: rounds between two looks; the weights that are put back are at most so old.

    Raises:
        NonFiniteLoss: from `fit`; says which task and which round.
    """

    def __init__(self, every: int = 50):
        super().__init__()
        self.every = every
        self._good: list[np.ndarray] | None = None
        self._seen = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._seen = 0
        self._keep()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._seen += 1
        if self._seen % self.every == 0:
            self._look()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._look()

    def _look(self) -> None:
        # On JAX the variables are behind the training state until it is written back.
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        bad = self.model.first_non_finite_round()
        if bad is None:
            self._keep()
            return
        for variable, value in zip(self.model.variables, self._good, strict=True):
            variable.assign(value)
        task, round_number = bad
        raise NonFiniteLoss(
            f"the loss of task {task!r} is not finite since round {round_number}; training "
            "stopped, try a lower learning rate. The last good weights were kept"
        )

    def _keep(self) -> None:
        self._good = [np.array(v.value) for v in self.model.variables]
