"""Trains what there is to adapt: the rotation head and the source network (Sec. 5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras

from keras_compat import networks
from keras_compat.auxiliary import Auxiliary
from keras_compat.data import ImageDataset, UnlabelledImages
from keras_compat.experiments.auxiliaries import make_auxiliary, weighted_head
from keras_compat.experiments.domain_adaptation.settings import Config
from keras_compat.experiments.runner.work_item import Callbacks, no_callbacks
from keras_compat.experiments.stored_network import StoredNetwork
from keras_compat.experiments.training import train
from keras_compat.layers import Augmentation
from keras_compat.training import AuxiliaryHead, Task, Trainer


def train_rotation_head(
    config: Config,
    seed: int,
    images: UnlabelledImages,
    last_good: Path,
    callbacks: Callbacks = no_callbacks,
) -> keras.Model:
    """Trains a network by rotation alone on other images, and returns its head.

    Args:
        config: of the run; `config.rotation_training` says how.
        seed: of the run.
        images: of the shape of the source's.
        last_good: the file for the weights before a loss that was not finite.
        callbacks: for the training.

    Raises:
        NonFiniteLoss: when a loss becomes NaN or infinite.
    """
    extractor = _extractor(config, images.image_shape, 1000 * seed + 900)
    auxiliary = make_auxiliary(config, "rotation", images, 1000 * seed + 920)
    head = _head(config, extractor, auxiliary, 1000 * seed + 901)
    task = Task(
        "rotation_init",
        extractor,
        None,
        [AuxiliaryHead(auxiliary, head)],
        augmentation=make_augmentation(config, images, 1000 * seed + 940),
    )
    how = config.rotation_training
    trainer = Trainer([task], seed=1000 * seed + 960)
    train(trainer, {task.name: images.images}, how, callbacks(how.rounds), last_good)
    return head


def train_source(
    config: Config,
    seed: int,
    dataset: ImageDataset,
    rotation_head: keras.Model | None,
    last_good: Path,
    callbacks: Callbacks = no_callbacks,
) -> StoredNetwork:
    """Trains the source network with its auxiliary heads.

    Args:
        config: of the run; `config.training` says how.
        seed: of the run.
        dataset: the source's images, of the classes that the target has too.
        rotation_head: to start from; `None` starts it from random weights.
        last_good: the file for the weights before a loss that was not finite.
        callbacks: for the training.

    Raises:
        NonFiniteLoss: when a loss becomes NaN or infinite.
    """
    extractor = _extractor(config, dataset.image_shape, 1000 * seed)
    head = networks.build_head(
        config.architecture,
        input_channels=extractor.output_shape[-1],
        classes=len(dataset.class_names),
        seed=1000 * seed + 1,
        name="head",
    )
    auxiliaries = []
    for number, kind in enumerate(config.auxiliaries):
        auxiliary = make_auxiliary(config, kind, dataset, 1000 * seed + 200 + number)
        own = _head(config, extractor, auxiliary, 1000 * seed + 500 + number)
        if kind == "rotation" and rotation_head is not None:
            networks.copy_weights(rotation_head, own)
        auxiliaries.append(weighted_head(config, kind, auxiliary, own))
    task = Task(
        "source",
        extractor,
        head,
        auxiliaries,
        augmentation=make_augmentation(config, dataset, 1000 * seed + 100),
    )
    how = config.training
    trainer = Trainer([task], seed=1000 * seed + 700)
    train(trainer, {task.name: dataset.train}, how, callbacks(how.rounds), last_good)
    heads = dict(zip(config.auxiliaries, (held.head for held in auxiliaries), strict=True))
    return StoredNetwork(extractor, head, heads, dataset.class_names, dataset.flippable)


def make_augmentation(
    config: Config, images: ImageDataset | UnlabelledImages, seed: int
) -> Augmentation | None:
    """Returns what training images are changed by."""
    return Augmentation.for_dataset(images, seed=seed) if config.augment else None


def check_architecture(config: Config, datasets: Sequence[ImageDataset]) -> None:
    """Builds the parts of the source networks, so that what cannot fit is known at once.

    Raises:
        InputError: on an unknown architecture or split, or a task that makes no sense on images.
    """
    for dataset in datasets:
        extractor = _extractor(config, dataset.image_shape, 0)
        for kind in config.auxiliaries:
            auxiliary = make_auxiliary(config, kind, dataset, 0)
            networks.check_interface(extractor, _head(config, extractor, auxiliary, 0))


def _extractor(config: Config, shape: tuple[int, int, int], seed: int) -> keras.Model:
    return networks.build_extractor(
        config.architecture, shape, interface_channels=None, seed=seed, name="extractor"
    )


def _head(config: Config, extractor: keras.Model, auxiliary: Auxiliary, seed: int) -> keras.Model:
    return networks.build_head(
        config.architecture,
        input_channels=extractor.output_shape[-1],
        classes=auxiliary.outputs,
        seed=seed,
        name=f"{auxiliary.name}_head",
        dense=auxiliary.dense,
    )
