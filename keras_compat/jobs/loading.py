"""Data sets as a job's configuration asks for them."""

from __future__ import annotations

from typing import Protocol

from keras_compat import data


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


def load_dataset(spec: str, options: DataOptions) -> data.ImageDataset:
    """Loads the data set that `spec` names, see `keras_compat.data.load`."""
    return data.load(
        spec,
        image_size=options.image_size,
        channels=options.channels,
        data_dir=options.data_dir,
        download=options.download,
        memory_limit_bytes=int(options.memory_limit_gib * 2**30),
    )
