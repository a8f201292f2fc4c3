"""Options of data sources, and the registry of data sources."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING

from keras_compat.errors import InputError
from keras_compat.escaping import escape
from keras_compat.registry import Registry

if TYPE_CHECKING:
    from keras_compat.data.dataset import ImageDataset

LARGEST_IMAGE = 8192
"""Maximum number of pixels of a side; no component is saved for larger images."""


@dataclass(frozen=True)
class LoadOptions:
    """Options of a source; see `keras_compat.data.load` for each field."""

    image_size: int | None = None
    channels: int | None = None
    data_dir: str | os.PathLike[str] | None = None
    download: bool = False
    memory_limit_bytes: int = 4 * 2**30

    def __post_init__(self) -> None:
        for name in ("image_size", "channels", "memory_limit_bytes"):
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if not whole and (value is not None or name == "memory_limit_bytes"):
                raise InputError(f"{name} is {value!r}; expected a whole number")
        if not isinstance(self.data_dir, str | os.PathLike | None) or "\0" in str(self.data_dir):
            raise InputError(f"data_dir is {self.data_dir!r}; expected the path of a folder")
        if self.image_size is not None and not 1 <= self.image_size <= LARGEST_IMAGE:
            raise InputError(
                f"image_size is {self.image_size}; expected 1 to {LARGEST_IMAGE} pixels"
            )
        if self.channels not in (None, 1, 3):
            raise InputError(f"channels is {self.channels}; expected 1 (grey) or 3 (colour)")
        if self.memory_limit_bytes < 0:
            raise InputError(f"memory_limit_bytes is {self.memory_limit_bytes}; expected 0 or more")

    def conformed_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Returns the shape of images of `shape` after conversion by these options.

        Example:

        >>> LoadOptions(image_size=8).conformed_shape((30, 40, 3))
        (8, 8, 3)
        """
        height, width, channels = shape
        return (self.image_size or height, self.image_size or width, self.channels or channels)

    def check_memory(self, needed: int, what: str) -> None:
        """Raises `InputError` if images need more memory than the limit.

        Args:
            needed: Number of bytes in memory at once.
            what: Words for the images, in the plural, for the error message.

        Example:

        >>> LoadOptions(memory_limit_bytes=2**30).check_memory(2**31, "images in 'pets'")
        Traceback (most recent call last):
            ...
        keras_compat.errors.InputError: images in 'pets' take 2 GiB; the limit is 1 GiB: give a
        smaller image_size, fewer images or a higher memory limit
        """
        if needed > self.memory_limit_bytes:
            raise InputError(
                f"{what} take {needed / 2**30:.4g} GiB; the limit is "
                f"{self.memory_limit_bytes / 2**30:.4g} GiB: give a smaller image_size, fewer "
                "images or a higher memory limit"
            )


def short_name(name: str) -> str:
    r"""Returns the name of a data set from the name of its file or folder.

    Returns:
        One line of 1 to 200 characters, which a component's manifest can hold.

    Example:

    >>> short_name("pets"), short_name("caf\udce9"), short_name("")
    ('pets', 'caf\\xe9', 'data')
    """
    return escape(name)[:200] or "data"


# A source is called with the text after the colon of its spec ("" without one) and the options.
Source = Callable[[str, LoadOptions], "ImageDataset"]
sources: Registry[Source] = Registry("data set")
