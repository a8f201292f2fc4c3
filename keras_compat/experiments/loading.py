"""Data sets as a job's configuration asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Protocol

from keras_compat import data
from keras_compat.data.options import LoadOptions
from keras_compat.errors import InputError


class DataOptions(Protocol):
    """What the configuration of every job says about its data."""

    @property
    def image_size(self) -> int | None: ...
    @property
    def channels(self) -> int | None: ...
    @property
    def data_dir(self) -> str | None: ...
    @property
    def download(self) -> bool: ...
    @property
    def memory_limit_gib(self) -> float: ...


def load_options(options: DataOptions) -> LoadOptions:
    """Returns a configuration's say on data as `keras_compat.data` takes it."""
    return LoadOptions(
        options.image_size,
        options.channels,
        options.data_dir,
        options.download,
        # So high a limit is none, and a float beyond that has no integer.
        memory_limit_bytes=int(min(options.memory_limit_gib, 2**30) * 2**30),
    )


def load_dataset(spec: str, options: LoadOptions) -> data.ImageDataset:
    """Loads the data set that `spec` names, see `keras_compat.data.load`."""
    return data.load(spec, **asdict(options))


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

    Args:
        name: of the data.
        images: how many there are.
        batch_size: for evaluation.
        of: which ones count, in words.

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
