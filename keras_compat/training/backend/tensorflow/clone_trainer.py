"""Copies a trainer for a strategy's scope, in which variables are made in another way."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_compat.errors import InputError
from keras_compat.layers import normalization_layers, set_synchronized
from keras_compat.networks.copying import Copies
from keras_compat.networks.copying import copy_state as copy_layer_state


def copy_trainer(trainer: Any, synchronized: bool) -> Any:
    """Returns a trainer of the same kind, with parts, optimizer and random state of its own.

    Parts that share a layer share it in the copy too.

    Args:
        synchronized: Whether replicas normalize with the whole batch, see
            `BatchStatisticsNormalization`.

    Raises:
        InputError: The optimizer leaves single variables out of weight decay, or a part cannot
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
        task.from_config(keras.tree.map_structure(copies.of, task.get_config()))
        for task in trainer.tasks.values()
    ]
    copies.finish()
    made = type(trainer)(tasks, seed=trainer.seed, name=trainer.name)
    for part in made.parts.values():
        set_synchronized(part, synchronized)
    made.compile(
        optimizer.from_config(optimizer.get_config()),
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
    """Returns the moving statistics of a trainer's parts, each variable once."""
    layers = [x for part in trainer.parts.values() for x in normalization_layers(part)]
    found = {id(v): v for layer in layers for v in layer.non_trainable_variables}
    return list(found.values())


def _layers(trainer: Any) -> list[keras.layers.Layer]:
    return [*trainer.parts.values(), *trainer.auxiliaries, *trainer.augmentations]


def _own_state(trainer: Any) -> list[keras.Variable]:
    return [*trainer._first_bad, *trainer.optimizer.variables]
