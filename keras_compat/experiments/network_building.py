"""Networks of one architecture with their auxiliary heads, not trained yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import keras

from keras_compat import networks
from keras_compat.auxiliary import Auxiliary
from keras_compat.data import ImageDataset
from keras_compat.experiments.auxiliaries import make_augmentation, make_auxiliary, weighted_head
from keras_compat.experiments.stored_network import StoredNetwork
from keras_compat.training import Task, Trainer

if TYPE_CHECKING:
    from keras_compat.experiments.domain_adaptation.settings import Settings as Adaptation
    from keras_compat.experiments.transfer_learning.settings import Settings as Transfer

    Settings = Adaptation | Transfer


def build_extractor(settings: Settings, shape: tuple[int, int, int], seed: int) -> keras.Model:
    """Builds an extractor of a run's architecture for images of a shape."""
    return networks.build_extractor(
        settings.architecture, shape, interface_channels=None, seed=seed, name="extractor"
    )


def build_head(
    settings: Settings,
    extractor: keras.Model,
    seed: int,
    classes: int | Auxiliary,
) -> keras.Model:
    """Builds a head for classes or an auxiliary task, on the features of an extractor."""
    auxiliary = None if isinstance(classes, int) else classes
    return networks.build_head(
        settings.architecture,
        input_channels=extractor.output_shape[-1],
        classes=auxiliary.outputs if auxiliary else classes,
        seed=seed,
        name=f"{auxiliary.name}_head" if auxiliary else "head",
        dense=bool(auxiliary and auxiliary.dense),
    )


def join(
    settings: Settings,
    seed: int,
    dataset: ImageDataset,
    name: str,
    extractor: keras.Model,
    head: keras.Model,
    auxiliary_head: Callable[[int, str, Auxiliary], keras.Model],
) -> tuple[StoredNetwork, Trainer]:
    """Prepares an extractor and a head to learn together with the run's auxiliary heads.

    `auxiliary_head` returns the head of an auxiliary task from its number, its name and the task.
    """
    heads, held = {}, []
    for number, kind in enumerate(settings.auxiliaries):
        auxiliary = make_auxiliary(settings, kind, dataset, 1000 * seed + 200 + number)
        heads[kind] = auxiliary_head(number, kind, auxiliary)
        held.append(weighted_head(settings, kind, auxiliary, heads[kind]))
    augmentation = make_augmentation(settings, dataset, 1000 * seed + 100)
    task = Task(name, extractor, head, held, augmentation=augmentation)
    network = StoredNetwork(extractor, head, heads, dataset.class_names, dataset.flippable)
    return network, Trainer([task], seed=1000 * seed + 700)


def check_architecture(settings: Settings, dataset: ImageDataset) -> None:
    """Builds the parts of a network, so that faults are known before training.

    Raises:
        InputError: If an architecture or a split is unknown, or an auxiliary task makes no sense on
            the images.
    """
    extractor = build_extractor(settings, dataset.image_shape, 0)
    networks.recombine(extractor, build_head(settings, extractor, 0, 2))
    for kind in settings.auxiliaries:
        auxiliary = make_auxiliary(settings, kind, dataset, 0)
        networks.check_interface(extractor, build_head(settings, extractor, 0, auxiliary))
