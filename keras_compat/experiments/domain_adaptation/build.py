"""Networks of domain adaptation, not trained: the rotation head's and the source's (Sec. 5.1)."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from keras_compat import networks
from keras_compat.auxiliary import Auxiliary
from keras_compat.data import ImageDataset, UnlabelledImages
from keras_compat.experiments.auxiliaries import make_auxiliary, weighted_head
from keras_compat.experiments.domain_adaptation.settings import Config
from keras_compat.experiments.stored_network import StoredNetwork
from keras_compat.layers import Augmentation
from keras_compat.training import AuxiliaryHead, Task, Trainer


def build_rotation(
    config: Config, seed: int, images: UnlabelledImages
) -> tuple[keras.Model, Trainer]:
    """Builds a network that learns rotation alone on other images.

    Args:
        config: Settings of the run.
        seed: Seed of the run.
        images: Images of the shape of the source's.

    Returns:
        The rotation head and its trainer.
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
    return head, Trainer([task], seed=1000 * seed + 960)


def build_source(
    config: Config, seed: int, dataset: ImageDataset, rotation_head: keras.Model | None
) -> tuple[StoredNetwork, Trainer]:
    """Builds the source network with its auxiliary heads.

    Args:
        config: Settings of the run.
        seed: Seed of the run.
        dataset: Images of the source, of the classes that the target has too.
        rotation_head: Rotation head to start from; `None` starts it from random weights.

    Returns:
        The network and its trainer.
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
    heads = dict(zip(config.auxiliaries, (held.head for held in auxiliaries), strict=True))
    network = StoredNetwork(extractor, head, heads, dataset.class_names, dataset.flippable)
    return network, Trainer([task], seed=1000 * seed + 700)


def make_augmentation(
    config: Config, images: ImageDataset | UnlabelledImages, seed: int
) -> Augmentation | None:
    """Returns the augmentation of training images, if the run has one."""
    return Augmentation.for_dataset(images, seed=seed) if config.augment else None


def check_architecture(config: Config, datasets: Sequence[ImageDataset]) -> None:
    """Builds the parts of the source networks, so that faults are known before training.

    Raises:
        InputError: if an architecture or a split is unknown, or a task makes no sense on images.
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
