"""Networks of transfer learning, not trained, and the set-up of fine-tuning (Sec. 5.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import keras

from keras_compat.auxiliary import Auxiliary
from keras_compat.data import ImageDataset
from keras_compat.experiments.auxiliaries import make_augmentation
from keras_compat.experiments.network_building import build_extractor, build_head, join
from keras_compat.experiments.settings import TrainingSettings
from keras_compat.experiments.stored_network import StoredNetwork
from keras_compat.experiments.transfer_learning.settings import Settings
from keras_compat.networks import copy_model, copy_weights
from keras_compat.training import Task, Trainer


def build_network(
    config: Settings,
    seed: int,
    dataset: ImageDataset,
    weights_seed: int,
    frozen: Mapping[str, keras.Model] | None,
    pretrained: keras.Model | None = None,
) -> tuple[StoredNetwork, Trainer]:
    """Returns a network that learns together with auxiliary heads, and its trainer (Sec. 3.4).

    Networks of the same `weights_seed` start alike (IIW), or as the `pretrained` extractor. The
    heads are copies of the `frozen` ones, or the network's own if there are none.
    """
    extractor = build_extractor(config, dataset.image_shape, weights_seed)
    if pretrained is not None:
        copy_weights(pretrained, extractor)
    head = build_head(config, extractor, weights_seed, len(dataset.class_names))

    def auxiliary_head(number: int, kind: str, auxiliary: Auxiliary) -> keras.Model:
        if frozen is None:
            return build_head(config, extractor, weights_seed + 500 + number, auxiliary)
        held = copy_model(frozen[kind])
        held.trainable = False
        return held

    return join(config, seed, dataset, "network", extractor, head, auxiliary_head)


def build_fine_tuning(
    config: Settings, seed: int, extractor: keras.Model, head: keras.Model, dataset: ImageDataset
) -> tuple[Trainer, TrainingSettings]:
    """Returns the trainer that fine-tunes all layers on the target, and its settings."""
    for part in (extractor, head):
        part.trainable = True
    how = replace(
        config.training,
        rounds=stops(config, len(dataset.train))[-1],
        learning_rate=config.fine_tuning_learning_rate,
        schedule="steps",
        drops=(),
        weight_decay=0.0,
        optimizer="adam",
    )
    augmentation = make_augmentation(config, dataset, 1000 * seed + 160)
    task = Task("target", extractor, head, augmentation=augmentation)
    return Trainer([task], seed=1000 * seed + 720), how


def steps_an_epoch(config: Settings, images: int) -> int:
    """Returns the number of steps in which fine-tuning sees as many images as the data have."""
    return math.ceil(images / config.training.batch_size)


def stops(config: Settings, images: int) -> list[int]:
    """Returns the steps after which accuracy is measured: doubling, one epoch, and all epochs.

    Example:

    >>> from keras_compat.experiments.transfer_learning.presets import PRESETS
    >>> stops(PRESETS["demo"], images=640)
    [1, 2, 4, 8, 10, 16, 32, 50]
    """
    epoch = steps_an_epoch(config, images)
    last = max(1, round(config.epochs * epoch))
    doubling = [2**i for i in range(last.bit_length()) if 2**i < last]
    return sorted({*doubling, last, min(epoch, last)})
