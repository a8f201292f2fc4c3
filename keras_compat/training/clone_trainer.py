"""A trainer once more, for a scope in which variables are made in another way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_compat.errors import InputError
from keras_compat.layers import normalization_layers, set_synchronized
from keras_compat.networks.copying import Copies
from keras_compat.networks.copying import copy_state as copy_layer_state
from keras_compat.training.round_optimizer import RoundOptimizer
from keras_compat.training.task import Task


def copy_trainer(trainer: Any, synchronized: bool) -> Any:
    """Returns a trainer of the same kind, with parts, optimizer and random state of its own.

    What parts share, copies share.

    Args:
        trainer: a compiled `Trainer`.
        synchronized: see `BatchStatisticsNormalization`.

    Raises:
        InputError: if the optimizer leaves single variables out of weight decay, or a part cannot
            be copied.
    """
    optimizer = trainer.optimizer
    if optimizer._not_decayed_keys:
        raise InputError(
            "the optimizer leaves variables out of weight decay by themselves; name them with "
            "exclude_from_weight_decay(var_names=...) to train on several devices"
        )
    copies = Copies()
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
    copies.finish()
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
    for one, other in zip(_layers(source), _layers(target), strict=True):
        copy_layer_state(one, other)
    for one, other in zip(_own_state(source), _own_state(target), strict=True):
        other.assign(np.array(one.value))


def moving_statistics(trainer: Any) -> list[keras.Variable]:
    """Returns the moving statistics of a trainer's parts, each once."""
    layers = [x for part in trainer.parts.values() for x in normalization_layers(part)]
    found = {id(v): v for layer in layers for v in layer.non_trainable_variables}
    return list(found.values())


def _layers(trainer: Any) -> list[keras.layers.Layer]:
    return [*trainer.parts.values(), *trainer.auxiliaries, *trainer.augmentations]


def _own_state(trainer: Any) -> list[keras.Variable]:
    return [*trainer._first_bad, *trainer.optimizer.variables]
