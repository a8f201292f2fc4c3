"""Trains the networks that parts are taken from, and fine-tunes what is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import keras

from keras_compat import networks
from keras_compat.data import ImageDataset
from keras_compat.experiments.auxiliaries import make_auxiliary, weighted_head
from keras_compat.experiments.runner.checkpointing import Gathered
from keras_compat.experiments.runner.work_item import Callbacks
from keras_compat.experiments.stored_network import StoredNetwork
from keras_compat.experiments.training import train
from keras_compat.experiments.transfer_learning.settings import Config
from keras_compat.layers import Augmentation
from keras_compat.networks import copy_model, copy_weights
from keras_compat.training import Task, Trainer


def train_network(
    config: Config,
    seed: int,
    dataset: ImageDataset,
    weights_seed: int,
    frozen: Mapping[str, keras.Model] | None,
    last_good: Path,
    callbacks: Callbacks,
    pretrained: keras.Model | None = None,
) -> StoredNetwork:
    """Trains a network together with auxiliary heads (Sec. 3.4, incremental).

    Args:
        config: Settings of the run, with those of the training.
        seed: Seed of the run.
        dataset: Labelled images.
        weights_seed: Seed of the initial weights; networks of the same seed start alike (IIW).
        frozen: Auxiliary heads of the network that this one is to be compatible with; they are
            frozen. `None` trains heads of its own.
        last_good: File for the weights before a loss that was not finite.
        callbacks: Callbacks of the training.
        pretrained: Extractor that this one starts as; `None` takes the initial weights.

    Raises:
        NonFiniteLoss: When a loss becomes NaN or infinite.
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
    heads, auxiliaries = {}, []
    for number, name in enumerate(config.auxiliaries):
        auxiliary = make_auxiliary(config, name, dataset, 1000 * seed + 200 + number)
        if frozen is None:
            own_seed = weights_seed + 500 + number
            heads[name] = make_head(
                config,
                extractor,
                auxiliary.outputs,
                own_seed,
                f"{auxiliary.name}_head",
                auxiliary.dense,
            )
        else:
            heads[name] = copy_model(frozen[name])
            heads[name].trainable = False
        auxiliaries.append(weighted_head(config, name, auxiliary, heads[name]))
    augmentation = _augmentation(config, dataset, 1000 * seed + 100)
    task = Task("network", extractor, head, auxiliaries, augmentation=augmentation)
    trainer = Trainer([task], seed=1000 * seed + 700)
    how = config.training
    train(trainer, {task.name: dataset.train}, how, callbacks(how.rounds), last_good)
    return StoredNetwork(extractor, head, heads, dataset.class_names, dataset.flippable)


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
        config: Settings of the run.
        seed: Seed of the run.
        extractor: Extractor of the source; it learns.
        head: Head of the target; it learns.
        dataset: Data of the target.
        last_good: File for the weights before a loss that was not finite.
        at_stop: Function that gets the number of steps at each of `stops`.
        gathered: Results that `at_stop` collects.

    Raises:
        NonFiniteLoss: When a loss becomes NaN or infinite.
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
    """Returns the number of steps in which fine-tuning sees as many images as the data have."""
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
    config: Config,
    extractor: keras.Model,
    classes: int,
    seed: int,
    name: str,
    dense: bool = False,
) -> keras.Model:
    """Builds a head of the run's architecture for an extractor."""
    return networks.build_head(
        config.architecture,
        input_channels=extractor.output_shape[-1],
        classes=classes,
        seed=seed,
        name=name,
        dense=dense,
    )


def check_architecture(config: Config, dataset: ImageDataset) -> None:
    """Builds the parts of a network, so that what cannot fit is known before training.

    Raises:
        InputError: On an unknown architecture or split, or an auxiliary task that makes no sense on
            the images.
    """
    extractor = networks.build_extractor(
        config.architecture, dataset.image_shape, interface_channels=None, seed=0
    )
    networks.recombine(extractor, make_head(config, extractor, 2, 0, "head"))
    for name in config.auxiliaries:
        make_auxiliary(config, name, dataset, 0)


def _augmentation(config: Config, dataset: ImageDataset, seed: int) -> Augmentation | None:
    return Augmentation.for_dataset(dataset, seed=seed) if config.augment else None
