"""Options of a run on how it goes on after an interruption."""

from __future__ import annotations

import math
from dataclasses import dataclass

from keras_compat.errors import InputError

CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True)
class Resuming:
    """Says how a run goes on after an interruption; results do not depend on it.

    Args:
        resume: Whether to go on where an interrupted run of the same settings was.
        checkpoint_seconds: Seconds between two checkpoints of a training; 0 writes none.

    Raises:
        InputError: if the seconds are negative or no number.

    Example:

    >>> Resuming(checkpoint_seconds=-1)
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: checkpoint_seconds is -1; expected 0 (none) or more
    """

    resume: bool = True
    checkpoint_seconds: float = CHECKPOINT_SECONDS

    def __post_init__(self) -> None:
        if not 0 <= self.checkpoint_seconds < math.inf:
            raise InputError(
                f"checkpoint_seconds is {self.checkpoint_seconds:g}; expected 0 (none) or more"
            )


RESUMING = Resuming()
"""The options of a run unless others are given."""
