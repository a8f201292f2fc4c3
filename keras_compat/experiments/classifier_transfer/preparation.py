"""Data of a run, split so that no image serves two purposes (Sec. 5.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_compat import data
from keras_compat.errors import InputError
from keras_compat.experiments.classifier_transfer.settings import Settings
from keras_compat.experiments.loading import load_dataset, load_options


@dataclass(frozen=True)
class Prepared:
    """Images of one seed, by their purpose.

    Attributes:
        dataset: Data set of all classes; the initial ones have the first labels.
        initial: Number of initial classes.
        train: Training images without those for recalibration.
        recalibration: Images for recalibration, whose labels are not used.
        test: Test images, which nothing is trained on.
    """

    dataset: data.ImageDataset
    initial: int
    train: data.Examples | data.StreamedExamples
    recalibration: data.Examples | data.StreamedExamples
    test: data.Examples | data.StreamedExamples

    @property
    def classes(self) -> int:
        """Number of all classes."""
        return len(self.dataset.class_names)

    def of_initial_classes(
        self, examples: data.Examples | data.StreamedExamples
    ) -> data.Examples | data.StreamedExamples:
        """Returns the examples of the initial classes."""
        return examples.subset(np.flatnonzero(examples.labels < self.initial))


def load_prepared(config: Settings, seed: int) -> Prepared:
    """Loads the data of a run, once in a process, and splits them by `prepare`."""
    return prepare(config, load_dataset(config.dataset, load_options(config)), seed)


def prepare(config: Settings, dataset: data.ImageDataset, seed: int) -> Prepared:
    """Puts the initial classes first and sets images for recalibration aside.

    Raises:
        InputError: if the initial classes are unknown, fewer than two or all there are, the
            images do not suffice, or a class has none.
    """
    initial = data.parse_classes(config.initial_classes, dataset.class_names, config.aliases)
    rest = [c for c in range(len(dataset.class_names)) if c not in initial]
    if len(initial) < 2 or not rest:
        raise InputError(
            f"initial_classes {config.initial_classes!r} are {len(initial)} of the "
            f"{len(dataset.class_names)} classes of {dataset.name}; expected at least two, "
            "and at least one left to add"
        )
    dataset = dataset.select_classes([*initial, *rest])
    count = len(dataset.train)
    if config.recalibration_images >= count // 2:
        raise InputError(
            f"recalibration_images is {config.recalibration_images}; expected fewer than half of "
            f"the {count} training images of {dataset.name}"
        )
    recalibration, train = data.stratified_split(
        dataset.train.labels,
        [config.recalibration_images, count - config.recalibration_images],
        seed,
    )
    for what, labels in (
        ("training images", dataset.train.labels),
        ("test images", dataset.test.labels),
        ("training images beside those for recalibration", dataset.train.labels[train]),
    ):
        _check_every_class(dataset, labels, what)
    return Prepared(
        dataset,
        len(initial),
        dataset.train.subset(train),
        dataset.train.subset(recalibration),
        dataset.test,
    )


def _check_every_class(dataset: data.ImageDataset, labels: np.ndarray, what: str) -> None:
    counts = np.bincount(labels, minlength=len(dataset.class_names))
    without = [repr(dataset.class_names[c]) for c in np.flatnonzero(counts == 0)]
    if without:
        raise InputError(
            f"{dataset.name} has no {what} of {', '.join(without[:5])}; "
            "expected some of every class that it names"
        )
