"""Reads the state of a trainer between two rounds, and writes it into another trainer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

if TYPE_CHECKING:
    from keras_compat.training.trainer import Trainer


class OtherState(ValueError):
    """A state belongs to a trainer with other variables."""


def read_state(trainer: Trainer, optimizer: bool = True) -> dict[str, np.ndarray]:
    """Returns copies of all variables that the next rounds depend on, by name.

    They are weights, moving statistics, random state (auxiliaries, augmentation, dropout), the
    first bad rounds, and the optimizer with the number of rounds, which the data follow. Metrics
    such as the mean loss are left out, since Keras resets them at every `fit`.

    Args:
        trainer: A compiled trainer; on JAX its variables must be up to date, as after `fit`.
        optimizer: Whether the optimizer's state is included, which training further needs.
    """
    variables = _named(trainer, optimizer)
    return {name: np.array(variable.value, order="C") for name, variable in variables.items()}


def write_state(trainer: Trainer, arrays: Mapping[str, np.ndarray], optimizer: bool = True) -> None:
    """Writes the arrays that `read_state` returned into a trainer with the same settings.

    Args:
        trainer: A trainer compiled with the same groups of its optimizer, see `groups`.

    Raises:
        OtherState: The trainer has other variables than the state; nothing is changed.
    """
    variables = _named(trainer, optimizer)
    more = sorted(arrays.keys() - variables.keys())
    if more:
        raise OtherState(f"there is no {more[0]}, the state has one")
    for name, variable in variables.items():
        array = arrays.get(name)
        if array is None or (array.shape, str(array.dtype)) != (variable.shape, variable.dtype):
            there = "nothing" if array is None else f"{array.dtype} {array.shape}"
            raise OtherState(
                f"{variable.path} is {variable.dtype} {variable.shape}, the state has {there}"
            )
    for name, variable in variables.items():
        variable.assign(arrays[name])


def groups(trainer: Trainer) -> Sequence[Sequence[str]]:
    """Returns the addresses of variables that are updated together, for `RoundOptimizer`."""
    return trainer.optimizer.get_config()["groups"]


def _named(trainer: Trainer, optimizer: bool) -> dict[str, keras.Variable]:
    """Returns variables by their place, the same whenever a trainer is built again."""
    begun_anew = {id(variable) for variable in trainer.metrics_variables}
    kept = [v for v in trainer.variables if id(v) not in begun_anew]
    named = {f"trainer/{i}": variable for i, variable in enumerate(kept)}
    if optimizer:
        named |= {f"optimizer/{i}": v for i, v in enumerate(trainer.optimizer.variables)}
    return named
