"""Loading and checks of the data that settings name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache

import numpy as np

from keras_compat import data, networks
from keras_compat.data.loading import check_spec
from keras_compat.data.options import LoadOptions
from keras_compat.errors import InputError
from keras_compat.experiments.fields import names_in
from keras_compat.experiments.settings import DataSettings, RunSettings


def load_options(settings: DataSettings) -> LoadOptions:
    """Returns the settings of data as `keras_compat.data` takes them."""
    return LoadOptions(
        settings.image_size,
        settings.channels,
        settings.data_dir,
        settings.download,
        # So high a limit is none, and a float beyond that has no integer.
        memory_limit_bytes=int(min(settings.memory_limit_gib, 2**30) * 2**30),
    )


@lru_cache(maxsize=16)
def load_dataset(spec: str, options: LoadOptions) -> data.ImageDataset:
    """Loads the data set that `spec` names, once in a process, see `keras_compat.data.load`."""
    return data.load(spec, **asdict(options))


@lru_cache(maxsize=8)
def load_classes(spec: str, options: LoadOptions, classes: tuple[int, ...]) -> data.ImageDataset:
    """Returns some classes of a data set in an order; one copy, however many networks use it."""
    return load_dataset(spec, options).select_classes(classes)


@lru_cache(maxsize=8)
def load_images(spec: str, options: LoadOptions) -> data.UnlabelledImages:
    """Loads images without labels, once in a process, see `keras_compat.data.load_images`."""
    return data.load_images(spec, options)


def read(examples: data.Examples | data.StreamedExamples) -> tuple[np.ndarray, np.ndarray]:
    """Reads a few examples whole and once, be they in memory or streamed.

    Returns:
        (images uint8 `[N, H, W, C]`, labels int32 `[N]`) in the order of `evaluation_batches`.
    """
    images, labels = zip(*examples.evaluation_batches(256), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def check_names(settings: RunSettings) -> None:
    """Checks the names of architectures and data in settings; no data are read.

    Raises:
        InputError: If an architecture, its split point or a data set is unknown.

    Example:

    >>> from keras_compat.experiments.transfer_learning.presets import PRESETS
    >>> check_names(PRESETS["demo"].changed({"architecture": "resnet8@stag2"}))
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: unknown split of resnet8 'stag2'; did you mean 'stage2' or
    'stage3' or 'stage1'? Known: ...
    """
    options = load_options(settings)
    checks = {
        "architectures": networks.parse_architecture,
        "sources": lambda spec: check_spec(spec, options),
    }
    for listed, check in checks.items():
        for name in names_in(settings, listed):
            check(name)


def check_same_shape(datasets: Sequence[data.ImageDataset | data.UnlabelledImages]) -> None:
    """Raises an `InputError` that says how to make images alike, if they differ in shape."""
    first = datasets[0]
    for other in datasets[1:]:
        if other.image_shape[-1] != first.image_shape[-1]:
            raise InputError(
                f"{first.name} has images of {first.image_shape[-1]} channels, {other.name} of "
                f"{other.image_shape[-1]}; make them alike with --channels=1 or --channels=3"
            )
        if other.image_shape != first.image_shape:
            raise InputError(
                f"{first.name} has images of {first.image_shape}, {other.name} of "
                f"{other.image_shape}; make them alike with --image_size"
            )


def check_enough_to_test(name: str, images: int, batch_size: int, of: str = "") -> None:
    """Raises an `InputError` if there are fewer test images than batch statistics are taken over.

    Example:

    >>> check_enough_to_test("mine", images=60, batch_size=500, of=" of the common classes")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: mine has 60 test images of the common classes, fewer than a \
batch of 500; give a lower --evaluation_batch_size
    """
    if images < batch_size:
        raise InputError(
            f"{name} has {images} test images{of}, fewer than a batch of {batch_size}; give a "
            "lower --evaluation_batch_size"
        )
