"""Networks of transfer learning, not trained, and the set-up of fine-tuning (Sec. 5.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import keras

from keras_compat import networks
from keras_compat.data import ImageDataset
from keras_compat.experiments.auxiliaries import make_auxiliary, weighted_head
from keras_compat.experiments.settings import TrainingSettings
from keras_compat.experiments.stored_network import StoredNetwork
from keras_compat.experiments.transfer_learning.settings import Config
from keras_compat.layers import Augmentation
from keras_compat.networks import copy_model, copy_weights
from keras_compat.training import Task, Trainer


def build_network(
    config: Config,
    seed: int,
    dataset: ImageDataset,
    weights_seed: int,
    frozen: Mapping[str, keras.Model] | None,
    pretrained: keras.Model | None = None,
) -> tuple[StoredNetwork, Trainer]:
    """Builds a network that learns together with auxiliary heads (Sec. 3.4, incremental).

    Args:
        config: Settings of the run.
        seed: Seed of the run.
        dataset: Labelled images.
        weights_seed: Seed of the initial weights; networks of the same seed start alike (IIW).
        frozen: Auxiliary heads of the network that this one is to be compatible with; they are
            frozen. `None` gives the network heads of its own.
        pretrained: Extractor that this one starts as; `None` takes the initial weights.

    Returns:
        The network and its trainer.
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
    network = StoredNetwork(extractor, head, heads, dataset.class_names, dataset.flippable)
    return network, Trainer([task], seed=1000 * seed + 700)


def build_fine_tuning(
    config: Config, seed: int, extractor: keras.Model, head: keras.Model, dataset: ImageDataset
) -> tuple[Trainer, TrainingSettings]:
    """Prepares a recombined network to be fine-tuned on the target, all of its layers.

    Args:
        config: Settings of the run.
        seed: Seed of the run.
        extractor: Extractor, which is to learn.
        head: Head, which is to learn.
        dataset: Target.

    Returns:
        The trainer and the settings of its training.
    """
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
    augmentation = _augmentation(config, dataset, 1000 * seed + 160)
    task = Task("target", extractor, head, augmentation=augmentation)
    return Trainer([task], seed=1000 * seed + 720), how


def steps_an_epoch(config: Config, images: int) -> int:
    """Returns the number of steps in which fine-tuning sees as many images as the data have."""
    return math.ceil(images / config.training.batch_size)


def stops(config: Config, images: int) -> list[int]:
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
    """Builds the parts of a network, so that faults are known before training.

    Raises:
        InputError: if an architecture or a split is unknown, or an auxiliary task makes no sense on
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
