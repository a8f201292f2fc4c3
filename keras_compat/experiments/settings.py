"""Checks of settings that every job has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from keras_compat.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# Which run it is, and where its data are.
_OF_A_RUN = ("preset", "seeds", "seed", "data_dir", "download", "memory_limit_gib")
# Seeds of weights, orders and augmentation are 1000 times a run's seed and more, in 32 bits.
MAX_SEED = 4_000_000


def check_seeds(seed: int, seeds: int) -> None:
    """Raises an `InputError` unless there is at least one seed, and all are in range.

    Example:

    >>> check_seeds(seed=0, seeds=0)
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: seeds is 0; expected at least 1
    """
    check_at_least(1, {"seeds": seeds})
    if not 0 <= seed <= MAX_SEED - seeds:
        raise InputError(f"seed is {seed}; expected 0 to {MAX_SEED - seeds:,} for {seeds} seeds")


def check_auxiliary_cost(fraction: float, every: int) -> None:
    """Raises an `InputError` unless a fraction of a batch and a number of rounds are in range.

    Example:

    >>> check_auxiliary_cost(fraction=1.5, every=1)
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: auxiliary_fraction is 1.5; expected above 0, at most 1
    """
    if not 0 < fraction <= 1:
        raise InputError(f"auxiliary_fraction is {fraction}; expected above 0, at most 1")
    check_at_least(1, {"auxiliary_every": every})


def check_at_least(least: int, values: Mapping[str, float]) -> None:
    """Raises an `InputError` for the first value that is below `least` or not finite.

    Example:

    >>> check_at_least(0, {"interface_channels": -1})
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: interface_channels is -1; expected at least 0
    """
    for name, value in values.items():
        if not least <= value < math.inf:
            raise InputError(f"{name} is {value}; expected at least {least}")


def settings_without(config: DataclassInstance, *names: str) -> dict[str, Any]:
    """Returns the settings that weights can depend on, but for those of some names.

    Args:
        config: of a run; what says which run it is, and where its data are, is left out too.
        names: of settings.

    Example:

    >>> from keras_compat.experiments.transfer_learning.presets import PRESETS
    >>> found = settings_without(PRESETS["demo"], "epochs")
    >>> found["image_size"], "epochs" in found, "seed" in found
    (16, False, False)
    """
    return {
        name: value for name, value in asdict(config).items() if name not in (*_OF_A_RUN, *names)
    }
