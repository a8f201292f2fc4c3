"""Data set: train and test examples with class names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from keras_compat.data.classes import check_class_names
from keras_compat.data.examples import Examples
from keras_compat.data.labels import label_out_of_range
from keras_compat.data.streaming import StreamedExamples
from keras_compat.errors import InputError


@dataclass(frozen=True)
class ImageDataset:
    """Images to classify, of one shape, with the same classes in train and test.

    Args:
        name: Short name of the source, without a path.
        train: Training examples.
        test: Test examples, never used in training.
        class_names: Names of label 0, 1, ...
        flippable: Whether a mirrored image keeps its meaning.

    Raises:
        InputError: If there are fewer than two classes, a label has no name, a name cannot be
            saved (`classes.check_class_names`), a split is empty, or train and test differ in
            image shape or classes.

    Example:

    >>> from keras_compat import data
    >>> dataset = data.load("digits").select_classes([7, 3])
    >>> dataset.class_names, sorted(set(dataset.test.labels.tolist()))
    (('7', '3'), [0, 1])
    """

    name: str
    train: Examples | StreamedExamples
    test: Examples | StreamedExamples
    class_names: tuple[str, ...]
    flippable: bool

    def __post_init__(self) -> None:
        if len(self.class_names) < 2:
            raise InputError(
                f"{self.name} has one class ({', '.join(self.class_names) or 'none'}); "
                "expected at least two"
            )
        check_class_names(self.class_names, self.name)
        for split, examples in (("train", self.train), ("test", self.test)):
            if len(examples) == 0:
                raise InputError(f"{self.name} has no {split} images; expected at least one")
            problem = label_out_of_range(examples.labels, len(self.class_names), unknown=False)
            if problem is not None:
                raise InputError(f"{self.name} has the {split} label {problem[0]}; {problem[1]}")
        if self.train.image_shape != self.test.image_shape:
            raise InputError(
                f"{self.name} has train images of {self.train.image_shape} and test images of "
                f"{self.test.image_shape}; expected one shape: give an image_size and channels"
            )
        self._check_same_classes()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self.train.image_shape

    def fingerprint(self) -> dict[str, object]:
        """Returns names, counts, shapes and SHA-256, which identify the data in a report.

        The first call reads all pixels in memory; later calls are free.
        """
        return {
            "name": self.name,
            "image_shape": list(self.image_shape),
            "class_names": list(self.class_names),
            "train": self.train.fingerprint(),
            "test": self.test.fingerprint(),
        }

    def select_classes(self, classes: Sequence[int], relabel: bool = True) -> ImageDataset:
        """Returns a data set with the examples of some classes, in their order.

        Args:
            classes: At least two class indices; see `keras_compat.data.parse_classes`.
            relabel: Whether the classes become 0, 1, ... in the order given, and other names are
                dropped. `False` keeps labels and names.

        Raises:
            InputError: If a class is unknown or occurs twice, or fewer than two are given.
        """
        classes = [int(c) for c in classes]
        unknown = [c for c in classes if not 0 <= c < len(self.class_names)]
        if unknown or len(set(classes)) < len(classes) or len(classes) < 2:
            raise InputError(
                f"classes are {classes}; expected at least two different numbers from 0 to "
                f"{len(self.class_names) - 1}"
            )
        new_label = np.arange(len(self.class_names))
        if relabel:
            new_label[classes] = np.arange(len(classes))

        def select(examples: Examples | StreamedExamples) -> Examples | StreamedExamples:
            kept = examples.subset(np.flatnonzero(np.isin(examples.labels, classes)))
            return kept.relabelled(new_label[kept.labels])

        names = tuple(self.class_names[c] for c in classes) if relabel else self.class_names
        return replace(self, train=select(self.train), test=select(self.test), class_names=names)

    def _check_same_classes(self) -> None:
        only = np.setxor1d(self.train.labels, self.test.labels)
        if len(only):
            names = ", ".join(repr(self.class_names[c]) for c in only[:5])
            raise InputError(
                f"{self.name} has train and test images of different classes: {names} "
                f"{'is' if len(only) == 1 else 'are'} in one of them only; expected the same"
            )
