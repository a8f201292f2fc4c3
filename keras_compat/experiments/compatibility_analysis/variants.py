"""Changed settings for the study of rotation prediction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from keras_compat.studies.rotation import VARIANTS

if TYPE_CHECKING:
    from keras_compat.experiments.compatibility_analysis.settings import Config


def apply_variant(config: Config, name: str | None) -> Config:
    """Returns the settings with one change.

    Args:
        config: Settings of the run.
        name: Name of the change in `keras_compat.studies.rotation.VARIANTS`; `None` for none.
    """
    if name is None:
        return config
    change, how = VARIANTS[name], config.training
    training = replace(
        how,
        rounds=round(change.rounds * how.rounds),
        drops=tuple(round(change.rounds * drop) for drop in how.drops),
        learning_rate=change.learning_rate * how.learning_rate,
    )
    if change.constant_rate:
        training = replace(training, schedule="steps", drops=())
    config = replace(config, training=training)
    if change.heavier != change.lighter:
        weight = config.weight("rotation") * change.heavier / change.lighter
        config = replace(config, rotation_weight=weight)
    if change.rotation_assignment is not None:
        config = replace(config, rotation_assignment=change.rotation_assignment)
    if change.switched_augmentation:
        config = replace(config, augment=not config.augment)
    return config
