"""Trains the networks that parts are taken from, and fine-tunes what is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras

from keras_compat import networks
from keras_compat.auxiliary import RotationPrediction
from keras_compat.data import ImageDataset
from keras_compat.experiments.runner.checkpointing import Gathered
from keras_compat.experiments.runner.work_item import Callbacks
from keras_compat.experiments.stored_network import StoredNetwork
from keras_compat.experiments.training import train
from keras_compat.experiments.transfer_learning.settings import Config
from keras_compat.layers import Augmentation
from keras_compat.networks import copy_model, copy_weights
from keras_compat.training import AuxiliaryHead, Task, Trainer

ROTATION_HEAD = "rotation_head"


def train_network(
    config: Config,
    seed: int,
    dataset: ImageDataset,
    weights_seed: int,
    rotation_head: keras.Model | None,
    last_good: Path,
    callbacks: Callbacks,
    pretrained: keras.Model | None = None,
) -> StoredNetwork:
    """Trains a network together with a rotation head (Sec. 3.4, incremental).

    Args:
        config: of the run; `config.training` says how.
        seed: of the run.
        dataset: the images.
        weights_seed: of the initial weights; networks of the same one start alike (IIW).
        rotation_head: frozen, to be compatible with others; `None` trains one of its own.
        last_good: the file for the weights before a loss that was not finite.
        callbacks: for the training.
        pretrained: the extractor that this one starts as; `None` takes the initial weights.

    Raises:
        NonFiniteLoss: when a loss becomes NaN or infinite.
    """
    extractor = networks.build_extractor(
        config.architecture,
        dataset.image_shape,
        interface_channels=None,
        seed=weights_seed,
        name="extractor",
    )
    if pretrained is not None:
        copy_weights(pretrained, extractor)
    head = make_head(config, extractor, len(dataset.class_names), weights_seed, "head")
    if rotation_head is None:
        held = make_head(
            config, extractor, RotationPrediction.outputs, weights_seed + 500, ROTATION_HEAD
        )
    else:
        held = copy_model(rotation_head)
        held.trainable = False
    rotation = RotationPrediction(config.rotation_assignment, seed=1000 * seed + 200)
    task = Task(
        "network",
        extractor,
        head,
        [
            AuxiliaryHead(
                rotation,
                held,
                config.auxiliary_weight,
                config.auxiliary_fraction,
                config.auxiliary_every,
            )
        ],
        augmentation=_augmentation(config, dataset, 1000 * seed + 100),
    )
    trainer = Trainer([task], seed=1000 * seed + 700)
    how = config.training
    train(trainer, {task.name: dataset.train}, how, callbacks(how.rounds), last_good)
    return StoredNetwork(
        extractor, head, {"rotation": held}, dataset.class_names, dataset.flippable
    )


def fine_tune(
    config: Config,
    seed: int,
    extractor: keras.Model,
    head: keras.Model,
    dataset: ImageDataset,
    last_good: Path,
    at_stop: Callable[[int], None],
    gathered: Gathered | None = None,
) -> None:
    """Fine-tunes a recombined network on the target, all of its layers.

    Args:
        config: of the run.
        seed: of the run.
        extractor: learns.
        head: learns.
        dataset: the target.
        last_good: the file for the weights before a loss that was not finite.
        at_stop: is called with the number of steps at each of `stops`.
        gathered: what it collects.

    Raises:
        NonFiniteLoss: when a loss becomes NaN or infinite.
    """
    for part in (extractor, head):
        part.trainable = True
    places = stops(config, len(dataset.train))
    how = replace(
        config.training,
        rounds=places[-1],
        learning_rate=config.fine_tuning_learning_rate,
        schedule="steps",
        drops=(),
        weight_decay=0.0,
        optimizer="adam",
    )
    augmentation = _augmentation(config, dataset, 1000 * seed + 160)
    task = Task("target", extractor, head, augmentation=augmentation)
    trainer = Trainer([task], seed=1000 * seed + 720)
    data = {task.name: dataset.train}
    train(trainer, data, how, (), last_good, places, at_stop, gathered)


def steps_an_epoch(config: Config, images: int) -> int:
    """Returns the number of steps in which fine-tuning sees as many images as there are."""
    return math.ceil(images / config.training.batch_size)


def stops(config: Config, images: int) -> list[int]:
    """Returns the steps after which accuracy is taken: doubling, and after 1 and all epochs.

    Example:

    >>> from keras_compat.experiments.transfer_learning.presets import PRESETS
    >>> stops(PRESETS["demo"], images=640)
    [1, 2, 4, 8, 10, 16, 32, 50]
    """
    epoch = steps_an_epoch(config, images)
    last = max(1, round(config.epochs * epoch))
    doubling = [2**i for i in range(last.bit_length()) if 2**i < last]
    return sorted({*doubling, last, min(epoch, last)})


def make_head(
    config: Config, extractor: keras.Model, classes: int, seed: int, name: str
) -> keras.Model:
    """Builds a head of the run's architecture for an extractor."""
    return networks.build_head(
        config.architecture,
        input_channels=extractor.output_shape[-1],
        classes=classes,
        seed=seed,
        name=name,
    )


def check_architecture(config: Config, dataset: ImageDataset) -> None:
    """Builds the parts of a network, so that what cannot fit is known before training.

    Raises:
        InputError: on an unknown architecture or split.
    """
    extractor = networks.build_extractor(
        config.architecture, dataset.image_shape, interface_channels=None, seed=0
    )
    networks.recombine(extractor, make_head(config, extractor, 2, 0, "head"))


def _augmentation(config: Config, dataset: ImageDataset, seed: int) -> Augmentation | None:
    return Augmentation.for_dataset(dataset, seed=seed) if config.augment else None
