"""The state of a trainer between two rounds: read, and put into another one like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

if TYPE_CHECKING:
    from keras_compat.training.trainer import Trainer


class OtherState(ValueError):
    """A state is not that of this trainer: it has other variables."""


def read_state(trainer: Trainer, optimizer: bool = True) -> dict[str, np.ndarray]:
    """Returns what the next rounds depend on: copies, by name.

    That is weights, moving statistics, the state of random draws (auxiliaries, augmentation,
    dropout), the optimizer with the number of rounds, by which data go on too, and what the guard
    noted. Figures such as the mean loss are left out: Keras begins them anew at every `fit`.

    Args:
        trainer: compiled; on JAX its variables must be up to date, as they are after `fit`.
        optimizer: whether to go on: without, it is what the trainer leaves.
    """
    variables = _named(trainer, optimizer)
    return {name: np.array(variable.value, order="C") for name, variable in variables.items()}


def write_state(trainer: Trainer, arrays: Mapping[str, np.ndarray], optimizer: bool = True) -> None:
    """Puts what `read_state` returned into a trainer of the same set-up.

    Args:
        trainer: compiled with the optimizer's groups in place, see `groups`.
        arrays: Arrays by name, as many as there are.
        optimizer: as in `read_state`.

    Raises:
        OtherState: if variables are others than those of the state; nothing is changed then.
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
    """Returns which variables are updated together, as `RoundOptimizer` takes it."""
    return trainer.optimizer.get_config()["groups"]


def _named(trainer: Trainer, optimizer: bool) -> dict[str, keras.Variable]:
    """Returns variables by their place, which is the same whenever a trainer is built again."""
    begun_anew = {id(variable) for variable in trainer.metrics_variables}
    kept = [v for v in trainer.variables if id(v) not in begun_anew]
    named = {f"trainer/{i}": variable for i, variable in enumerate(kept)}
    if optimizer:
        named |= {f"optimizer/{i}": v for i, v in enumerate(trainer.optimizer.variables)}
    return named
