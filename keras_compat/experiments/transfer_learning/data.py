"""The images of all sources and targets, of one shape."""

from __future__ import annotations

from collections.abc import Mapping

from keras_compat import data
from keras_compat.errors import InputError
from keras_compat.experiments.loading import (
    check_enough_to_test,
    check_same_shape,
    load_dataset,
    load_options,
)
from keras_compat.experiments.naming import distinct_names
from keras_compat.experiments.transfer_learning.settings import Settings


def load_all(config: Settings) -> dict[str, data.ImageDataset]:
    """Loads the sources and targets of a run by name; each is read once in a process.

    Raises:
        InputError: if data cannot be read, differ in shape, or have too few images.
    """
    names = names_of(config)
    datasets = {name: load_dataset(spec, load_options(config)) for spec, name in names.items()}
    check_same_shape([*datasets.values(), load_rotation_data(config)])
    for target in dict.fromkeys(target for _, target in config.pairs()):
        dataset = datasets[names[target]]
        check_enough_to_test(dataset.name, len(dataset.test), config.evaluation_batch_size)
        if len(dataset.train) < config.training.batch_size:
            raise InputError(
                f"{dataset.name} has {len(dataset.train)} training images, fewer than a batch of "
                f"{config.training.batch_size}; give a lower --batch_size"
            )
    return datasets


def names_of(config: Settings) -> Mapping[str, str]:
    """Returns a name for each of a run's data sets, by its spec."""
    specs = config.specs()
    loaded = [load_dataset(spec, load_options(config)).name for spec in specs]
    return dict(zip(specs, distinct_names(loaded), strict=True))


def load_rotation_data(config: Settings) -> data.ImageDataset:
    """Loads what the rotation head is trained on."""
    return load_dataset(config.rotation_data, load_options(config))
