"""Changes of training by which the study of rotation prediction looks for what moves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from keras_compat.registry import Registry

if TYPE_CHECKING:
    from keras_compat.experiments.compatibility_analysis.settings import Config

VARIANTS: Registry[Callable[[Config], Config]] = Registry("variant")


def apply_variant(config: Config, name: str | None) -> Config:
    """Returns the configuration with one change, or as it is for `None`."""
    return config if name is None else VARIANTS[name](config)


def _training(config: Config, rounds: float = 1, learning_rate: float = 1) -> Config:
    how = config.training
    changed = replace(
        how,
        rounds=round(rounds * how.rounds),
        drops=tuple(round(rounds * drop) for drop in how.drops),
        learning_rate=learning_rate * how.learning_rate,
    )
    return replace(config, training=changed)


@VARIANTS.register("three times the rounds")
def longer(config: Config) -> Config:
    return _training(config, rounds=3)


@VARIANTS.register("a third of the learning rate")
def slower(config: Config) -> Config:
    return _training(config, learning_rate=1 / 3)


@VARIANTS.register("three times the learning rate")
def faster(config: Config) -> Config:
    return _training(config, learning_rate=3)


@VARIANTS.register("constant learning rate")
def constant(config: Config) -> Config:
    return replace(config, training=replace(config.training, schedule="steps", drops=()))


@VARIANTS.register("a third of rotation's weight")
def lighter(config: Config) -> Config:
    return replace(config, rotation_weight=config.weight("rotation") / 3)


@VARIANTS.register("three times rotation's weight")
def heavier(config: Config) -> Config:
    return replace(config, rotation_weight=3 * config.weight("rotation"))


@VARIANTS.register("all four rotations")
def all_rotations(config: Config) -> Config:
    return replace(config, rotation_assignment="all")


@VARIANTS.register("augmentation switched")
def other_augmentation(config: Config) -> Config:
    return replace(config, augment=not config.augment)
