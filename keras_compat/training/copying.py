"""A trainer once more, for a scope in which variables are made in another way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_compat.errors import InputError
from keras_compat.layers import normalization_layers, set_synchronized
from keras_compat.training.round_optimizer import RoundOptimizer
from keras_compat.training.task import Task


def copy_trainer(trainer: Any, synchronized: bool) -> Any:
    """Returns a trainer of the same kind, with parts, optimizer and random state of its own.

    What parts share, copies share. The values of variables are not copied, see `copy_state`.

    Args:
        trainer: a compiled `Trainer`.
        synchronized: see `BatchStatisticsNormalization`.

    Raises:
        InputError: if the optimizer leaves single variables out of weight decay.
    """
    optimizer = trainer.optimizer
    if optimizer._not_decayed_keys:
        raise InputError(
            "the optimizer leaves variables out of weight decay by themselves; name them with "
            "exclude_from_weight_decay(var_names=...) to train on several devices"
        )
    copies = _Copies()
    tasks = [
        Task(
            task.name,
            copies.of(task.extractor),
            copies.of(task.head),
            [
                replace(held, auxiliary=copies.of(held.auxiliary), head=copies.of(held.head))
                for held in task.auxiliaries
            ],
            task.loss_weight,
            copies.of(task.augmentation),
            task.passes,
        )
        for task in trainer.tasks.values()
    ]
    copies.freeze()
    made = type(trainer)(tasks, seed=trainer.seed, name=trainer.name)
    for part in made.parts.values():
        set_synchronized(part, synchronized)
    made.compile(
        RoundOptimizer.from_config(optimizer.get_config()),
        run_eagerly=trainer.run_eagerly,
        jit_compile=False,
        precision=trainer.precision,
    )
    return made


def copy_state(source: Any, target: Any) -> None:
    """Gives a trainer the weights, the optimizer's state and the random state of its copy."""
    for one, other in zip(_state(source), _state(target), strict=True):
        other.assign(np.array(one.value))


def moving_statistics(trainer: Any) -> list[keras.Variable]:
    """Returns the moving statistics of a trainer's parts, each once."""
    layers = [x for part in trainer.parts.values() for x in normalization_layers(part)]
    found = {id(v): v for layer in layers for v in layer.non_trainable_variables}
    return list(found.values())


def _state(trainer: Any) -> list[keras.Variable]:
    layers = [*trainer.parts.values(), *trainer.auxiliaries, *trainer.augmentations]
    found = {id(v): v for layer in layers for v in layer.variables}
    return [*found.values(), *trainer._first_bad, *trainer.optimizer.variables]


class _Copies:
    """Copies layers and models, each once."""

    def __init__(self) -> None:
        self._pairs: dict[int, tuple[keras.layers.Layer, keras.layers.Layer]] = {}

    def of(self, layer: Any) -> Any:
        """Returns the copy of a layer or a model, nested ones included; `None` of `None`."""
        if layer is None:
            return None
        if id(layer) not in self._pairs:
            if isinstance(layer, keras.Model):
                copy = keras.models.clone_model(layer, clone_function=self.of)
            else:
                copy = type(layer).from_config(layer.get_config())
            self._pairs[id(layer)] = layer, copy
        return self._pairs[id(layer)][1]

    def freeze(self) -> None:
        """Freezes what is frozen; a model freezes all that it holds, so models come first."""
        for layer, copy in reversed(self._pairs.values()):
            copy.trainable = layer.trainable
