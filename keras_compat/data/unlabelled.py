"""Images without labels, which a network is adapted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_compat.data.dataset import ImageDataset
from keras_compat.data.examples import Examples
from keras_compat.data.loading import load_source
from keras_compat.data.options import LoadOptions
from keras_compat.data.sources.folder import has_class_folders, load_image_files
from keras_compat.data.streaming import StreamedExamples
from keras_compat.errors import InputError


@dataclass(frozen=True)
class UnlabelledImages:
    """Images without labels.

    Args:
        images: Images, with the label -1 each.

    Raises:
        InputError: If there are no images, or an image has a label.

    Example:

    >>> from keras_compat import data
    >>> images = without_labels(data.load("digits"))
    >>> images.name, len(images.images), set(images.images.labels.tolist())
    ('digits', 1438, {-1})
    """

    name: str
    images: Examples | StreamedExamples
    flippable: bool

    def __post_init__(self) -> None:
        if len(self.images) == 0:
            raise InputError(f"{self.name} has no images; expected at least one")
        if np.any(self.images.labels != -1):
            raise InputError(f"{self.name} has labels; expected images without (-1)")

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self.images.image_shape


def without_labels(dataset: ImageDataset) -> UnlabelledImages:
    """Returns the training images of a data set without their labels.

    Example:

    >>> from keras_compat import data
    >>> without_labels(data.load("digits")).image_shape
    (8, 8, 1)
    """
    train = dataset.train
    unlabelled = train.relabelled(np.full(len(train), -1))
    return UnlabelledImages(dataset.name, unlabelled, dataset.flippable)


def load_images(spec: str, options: LoadOptions) -> UnlabelledImages:
    """Loads images without labels.

    Args:
        spec: `folder:PATH` of image files at any depth, read as by `load`; or any spec of `load`,
            whose training images are used without labels.

    Raises:
        InputError: See `load`; also if a folder has no images.
    """
    if not is_unlabelled(spec):
        return without_labels(load_source(spec, options))
    name, images = load_image_files(spec.partition(":")[2], options)
    return UnlabelledImages(name, images, flippable=images.image_shape[-1] == 3)


def is_unlabelled(spec: str) -> bool:
    """Returns True if a spec names a folder of images that are not sorted into classes.

    Example:

    >>> is_unlabelled("digits")
    False
    """
    kind, _, path = spec.partition(":")
    return kind == "folder" and bool(path) and not has_class_folders(path)
