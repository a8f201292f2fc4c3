"""The data of a group of networks, their common classes first and in one order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_compat import data
from keras_compat.errors import InputError
from keras_compat.experiments.compatibility_analysis.settings import Settings
from keras_compat.experiments.loading import (
    check_enough_to_test,
    check_same_shape,
    load_classes,
    load_dataset,
    load_options,
)
from keras_compat.experiments.naming import distinct_names


@dataclass(frozen=True)
class Group:
    """The data of networks that are trained together.

    Attributes:
        datasets: Data set of each network by its name; label k means the same class everywhere
            for k below `common`.
        common: Number of classes that all of them have.
    """

    datasets: Mapping[str, data.ImageDataset]
    common: int


def load_group(config: Settings, same_data: bool = False) -> Group:
    """Loads the data of a configuration's networks; each set is read once in a process.

    If `same_data` is True, every network gets the first data set (B.2).

    Raises:
        InputError: if data cannot be read, differ in shape, have too few classes in common or
            too few test images.
    """
    specs = [config.datasets[0]] * len(config.datasets) if same_data else config.datasets
    options = load_options(config)
    loaded = [load_dataset(spec, options) for spec in specs]
    check_same_shape(loaded)
    common = _common_classes(loaded, config.aliases)
    ordered = []
    for spec, dataset, chosen in zip(specs, loaded, common, strict=True):
        rest = [c for c in range(len(dataset.class_names)) if c not in chosen]
        ordered.append(load_classes(spec, options, (*chosen, *rest)))
    names = distinct_names([dataset.name for dataset in ordered])
    group = Group(dict(zip(names, ordered, strict=True)), len(common[0]))
    for dataset in ordered:
        images = int(np.sum(dataset.test.labels < group.common))
        batch = config.evaluation_batch_size
        check_enough_to_test(dataset.name, images, batch, " of the common classes")
    return group


def load_pretraining_data(config: Settings) -> data.ImageDataset:
    """Loads the images that networks learn rotation on before a study.

    Raises:
        InputError: if they cannot be read, or are of another shape than the first data set's.
    """
    options = load_options(config)
    dataset = load_dataset(config.pretraining_dataset, options)
    check_same_shape([load_dataset(config.datasets[0], options), dataset])
    return dataset


def _common_classes(
    datasets: list[data.ImageDataset], aliases: Mapping[str, str]
) -> list[list[int]]:
    """Returns, for each data set, its labels of the classes that all have, in one order."""
    first = datasets[0]
    matches = [
        dict(data.match_classes(first.class_names, other.class_names, aliases))
        for other in datasets
    ]
    shared = [c for c in range(len(first.class_names)) if all(c in match for match in matches)]
    if len(shared) < 2:
        lists = "; ".join(f"{d.name}: {', '.join(d.class_names)}" for d in datasets)
        raise InputError(
            f"the data sets have {len(shared)} classes in common ({lists}); expected two or more, "
            "on which recombined networks are measured: name matching ones with --aliases"
        )
    return [[match[c] for c in shared] for match in matches]
