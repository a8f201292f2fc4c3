"""Source `npz:PATH`: arrays in an `.npz` file, read without TensorFlow."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from keras_compat.data.classes import (
    check_class_count,
    check_class_names,
    look_flippable,
)
from keras_compat.data.dataset import ImageDataset
from keras_compat.data.examples import Examples
from keras_compat.data.images import conform, to_uint8
from keras_compat.data.labels import check_labels
from keras_compat.data.npz_file import NpzFile, open_npz
from keras_compat.data.options import LoadOptions, short_name, sources
from keras_compat.errors import InputError

_NAMES = ("classes", "class_names")
_WANTED = ("x_train", "y_train", "x_test", "y_test")


@sources.register("npz:PATH")
def load_npz(argument: str, options: LoadOptions) -> ImageDataset:
    """Loads `x_train`, `y_train`, `x_test`, `y_test` and, if there, `classes` or `class_names`."""
    path = Path(os.path.expanduser(argument))
    with open_npz(path) as file:
        where, arrays = file.where, _read(file, options)
    train, test = (_examples(where, arrays, split, options) for split in ("train", "test"))
    names = _class_names(where, arrays, train.labels)
    named = any(key in arrays for key in _NAMES)
    flippable = named and look_flippable(names, arrays["x_train"].shape[3:] == (3,))
    return ImageDataset(short_name(path.stem), train, test, names, flippable)


def _read(file: NpzFile, options: LoadOptions) -> dict[str, np.ndarray]:
    """Returns the arrays; raises `InputError` first if they do not fit into memory."""
    missing = [key for key in _WANTED if key not in file]
    if missing:
        names = file.names[:20]
        raise InputError(
            f"{file.where} has no {', '.join(missing)}; expected {', '.join(_WANTED)} "
            f"and optionally classes; it has {', '.join(names) or 'nothing'}"
        )
    headers = {key: file.header(key) for key in (*_WANTED, *_NAMES) if key in file}
    needed = sum(header.bytes for header in headers.values())
    for key in ("x_train", "x_test"):
        count, *shape = _with_channels(file.where, key, headers[key].shape)
        conformed = options.conformed_shape(tuple(shape))
        if headers[key].dtype != np.uint8 or conformed != tuple(shape):
            needed += count * math.prod(conformed)
    options.check_memory(needed, f"arrays in {file.where}")
    for key in _NAMES:
        if key in headers:
            check_class_count(math.prod(headers[key].shape), f"{key} in {file.where}")
    return {key: file.read(key) for key in headers}


def _with_channels(where: str, key: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape of images with a channel axis, `(N, H, W, C)`."""
    with_channels = (*shape, 1) if len(shape) == 3 else shape
    if len(with_channels) != 4 or with_channels[3] not in (1, 3) or 0 in with_channels[1:3]:
        raise InputError(
            f"{key} in {where} has shape {shape}; "
            "expected (N, H, W), (N, H, W, 1) or (N, H, W, 3), channels last"
        )
    return with_channels


def _examples(
    where: str, arrays: dict[str, np.ndarray], split: str, options: LoadOptions
) -> Examples:
    x, y = f"x_{split}", f"y_{split}"
    images = arrays[x].reshape(_with_channels(where, x, arrays[x].shape))
    if arrays[y].ndim and len(images) != len(arrays[y]):
        raise InputError(
            f"{where} has {len(images)} images in {x} but {len(arrays[y])} labels in {y}; "
            "expected one label for each image"
        )
    labels = check_labels(arrays[y], len(images), f"{y} of {where}", unknown=False)
    images = to_uint8(images, f"{x} in {where}")
    return Examples(conform(images, options.image_size, options.channels), labels)


def _class_names(
    where: str, arrays: dict[str, np.ndarray], train_labels: np.ndarray
) -> tuple[str, ...]:
    for key in _NAMES:
        if key in arrays:
            if arrays[key].ndim != 1 or arrays[key].dtype.kind not in "US":
                raise InputError(
                    f"{key} in {where} is {arrays[key].dtype} of shape {arrays[key].shape}; "
                    "expected strings of shape (classes,)"
                )
            names = _decoded(arrays[key], f"{key} in {where}")
            check_class_names(names, f"{key} in {where}")
            return names
    # A class that only the test labels have is an error.
    count = int(train_labels.max(initial=-1)) + 1
    check_class_count(count, f"y_train in {where}")
    return tuple(map(str, range(count)))


def _decoded(names: np.ndarray, where: str) -> tuple[str, ...]:
    try:
        return tuple(n.decode() if isinstance(n, bytes) else str(n) for n in names)
    except (ValueError, SystemError):  # NumPy has one of each
        raise InputError(
            f"{where} are not UTF-8 or beyond Unicode; store them as an array of strings"
        ) from None
