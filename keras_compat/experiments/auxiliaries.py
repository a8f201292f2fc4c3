"""Tasks of networks with their auxiliary tasks and heads, as settings ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_compat.auxiliary import AUXILIARIES, Auxiliary, RotationPrediction
from keras_compat.layers import Augmentation
from keras_compat.training import AuxiliaryHead

if TYPE_CHECKING:
    import keras

    from keras_compat.data import ImageDataset, UnlabelledImages
    from keras_compat.experiments.settings import AuxiliaryLossSettings, DataSettings


def make_auxiliary(
    settings: AuxiliaryLossSettings, name: str, images: ImageDataset | UnlabelledImages, seed: int
) -> Auxiliary:
    """Returns an auxiliary task for images, by its name in `keras_compat.auxiliary.AUXILIARIES`."""
    if name == "rotation":
        return RotationPrediction(settings.rotation_assignment, seed=seed)
    return AUXILIARIES[name].for_dataset(images, seed=seed)


def weighted_head(
    settings: AuxiliaryLossSettings, name: str, auxiliary: Auxiliary, head: keras.Model | None
) -> AuxiliaryHead:
    """Returns an auxiliary task with its head, its weight, and its part of batches and rounds."""
    weight = settings.weight(name)
    if not auxiliary.transforms_images:
        # It costs no pass through the extractor.
        return AuxiliaryHead(auxiliary, head, weight)
    return AuxiliaryHead(
        auxiliary, head, weight, settings.auxiliary_fraction, settings.auxiliary_every
    )


def make_augmentation(
    settings: DataSettings, images: ImageDataset | UnlabelledImages, seed: int
) -> Augmentation | None:
    """Returns the augmentation of training images, if the run has one."""
    return Augmentation.for_dataset(images, seed=seed) if settings.augment else None
