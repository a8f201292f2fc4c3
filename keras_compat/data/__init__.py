"""Data: a spec string becomes uint8 images, integer labels, class names and minibatches.

To add a source, write one file in `keras_compat/data/sources/` whose function is decorated with
`@sources.register("NAME")` (or `"NAME:PATH"` if it takes a path), and name that file in
`keras_compat/data/sources/__init__.py`.
"""

from __future__ import annotations

from keras_compat.data.classes import match_classes, parse_classes
from keras_compat.data.dataset import ImageDataset
from keras_compat.data.examples import Examples
from keras_compat.data.loading import load
from keras_compat.data.splits import stratified_split
from keras_compat.data.streaming import StreamedExamples
from keras_compat.data.unlabelled import (
    UnlabelledImages,
    is_unlabelled,
    load_images,
    without_labels,
)

__all__ = [
    "Examples",
    "ImageDataset",
    "StreamedExamples",
    "UnlabelledImages",
    "is_unlabelled",
    "load",
    "load_images",
    "match_classes",
    "parse_classes",
    "stratified_split",
    "without_labels",
]
