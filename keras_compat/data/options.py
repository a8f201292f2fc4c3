"""What every data source is told besides its name, and the registry they are in."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_compat.registry import Registry

if TYPE_CHECKING:
    from keras_compat.data.dataset import ImageDataset


@dataclass(frozen=True)
class LoadOptions:
    """How a source shall deliver its images; see `keras_compat.data.load` for each field."""

    image_size: int | None = None
    channels: int | None = None
    data_dir: str | os.PathLike[str] | None = None
    download: bool = False
    memory_limit_bytes: int = 4 * 2**30


# A source gets what follows the colon of its spec ("" if there is none) and the options.
Source = Callable[[str, LoadOptions], "ImageDataset"]
sources: Registry[Source] = Registry("data set")
