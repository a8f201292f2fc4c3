"""Networks of domain adaptation, not trained: the rotation head's and the source's (Sec. 5.1)."""

from __future__ import annotations

import keras

from keras_compat.auxiliary import Auxiliary
from keras_compat.data import ImageDataset, UnlabelledImages
from keras_compat.experiments.auxiliaries import make_augmentation, make_auxiliary
from keras_compat.experiments.domain_adaptation.settings import Settings
from keras_compat.experiments.network_building import build_extractor, build_head, join
from keras_compat.experiments.stored_network import StoredNetwork
from keras_compat.networks import copy_weights
from keras_compat.training import AuxiliaryHead, Task, Trainer


def build_rotation(
    config: Settings, seed: int, images: UnlabelledImages
) -> tuple[keras.Model, Trainer]:
    """Returns the head and the trainer of a network that learns rotation alone on other images."""
    extractor = build_extractor(config, images.image_shape, 1000 * seed + 900)
    auxiliary = make_auxiliary(config, "rotation", images, 1000 * seed + 920)
    head = build_head(config, extractor, 1000 * seed + 901, auxiliary)
    held = AuxiliaryHead(auxiliary, head)
    augmentation = make_augmentation(config, images, 1000 * seed + 940)
    task = Task("rotation_init", extractor, None, [held], augmentation=augmentation)
    return head, Trainer([task], seed=1000 * seed + 960)


def build_source(
    config: Settings, seed: int, dataset: ImageDataset, rotation_head: keras.Model | None
) -> tuple[StoredNetwork, Trainer]:
    """Returns the source network with its auxiliary heads, and its trainer.

    Its rotation head starts from `rotation_head`, or from random weights if that is `None`.
    """
    extractor = build_extractor(config, dataset.image_shape, 1000 * seed)
    head = build_head(config, extractor, 1000 * seed + 1, len(dataset.class_names))

    def auxiliary_head(number: int, kind: str, auxiliary: Auxiliary) -> keras.Model:
        own = build_head(config, extractor, 1000 * seed + 500 + number, auxiliary)
        if kind == "rotation" and rotation_head is not None:
            copy_weights(rotation_head, own)
        return own

    return join(config, seed, dataset, "source", extractor, head, auxiliary_head)
