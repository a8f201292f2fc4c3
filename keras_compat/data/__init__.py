"""Image data: spec strings are loaded as uint8 images, integer labels and class names.

To add a source, write a file in `keras_compat/data/sources/` with a function decorated by
`@sources.register("NAME")` (or `"NAME:PATH"` if it takes a path), and import that file in
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
