"""Images of source and target, of the classes that both have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keras_compat import data
from keras_compat.data.options import LoadOptions
from keras_compat.errors import InputError
from keras_compat.experiments.domain_adaptation.settings import PUBLISHED, Settings
from keras_compat.experiments.loading import (
    check_enough_to_test,
    check_same_shape,
    load_classes,
    load_dataset,
    load_images,
    load_options,
)
from keras_compat.experiments.naming import distinct_names, identifier


@dataclass(frozen=True)
class Domain:
    """Images of one side.

    Attributes:
        name: Name of the data.
        images: Images without labels, to adapt to.
        labelled: The same images with labels, to train a source on and to test. They are of the
            common classes alone, which have the first labels. `None` if there are no labels.
    """

    name: str
    images: data.UnlabelledImages
    labelled: data.ImageDataset | None

    def fingerprint(self) -> dict[str, object]:
        """Returns what identifies the images."""
        return (self.labelled or self.images.images).fingerprint()


@dataclass(frozen=True)
class Domains:
    """Images of both sides.

    Attributes:
        source: Source; `None` if a stored network is adapted.
        target: Target.
        class_names: Class names of the source's head.
        classes: Indices of the target's classes among them; all, if the target has no labels.
    """

    source: Domain | None
    target: Domain
    class_names: tuple[str, ...]
    classes: tuple[int, ...]

    @property
    def sides(self) -> list[Domain]:
        """Source, if there is one, and target."""
        return [side for side in (self.source, self.target) if side is not None]

    def directions(self, both: bool) -> list[tuple[Domain | None, Domain]]:
        """Returns each source with its target."""
        found = [(self.source, self.target)]
        if both and self.source is not None and self.target.labelled is not None:
            found.append((self.target, self.source))
        return found


def load_domains(config: Settings) -> Domains:
    """Loads the images of a run; each set is read once in a process.

    Where the target's classes are known, images of classes that only one side has are left out on
    both, as the literature does (Appendix C). That is the one thing that labels of the target are
    used for before a test.

    Raises:
        InputError: if data cannot be read, differ in shape, have too few classes in common or too
            few images.
    """
    options = load_options(config)
    source = load_dataset(config.source, options)
    target, classes = _load_target(config, options, source.name, source.class_names)
    if target.labelled is not None:
        source = load_classes(config.source, options, classes)
    first = Domain(source.name, data.without_labels(source), source)
    check_same_shape([source, target.images])
    _check_square(source.image_shape)
    count = len(source.class_names)
    for side in (target, first) if config.both and target.labelled is not None else (target,):
        _check_enough(config, side, count)
    names = distinct_names([source.name, target.name])
    sides = [replace(side, name=name) for side, name in zip((first, target), names, strict=True)]
    return Domains(*sides, source.class_names, tuple(range(count)))


def load_target(
    config: Settings, class_names: Sequence[str], shape: tuple[int, int, int]
) -> Domains:
    """Loads the images that a stored network is to be adapted to, in the shape of its images.

    Raises:
        InputError: if `load_domains` would raise one.
    """
    options = replace(load_options(config), image_size=shape[0], channels=shape[2])
    names = tuple(class_names)
    _check_square(shape)
    target, classes = _load_target(config, options, Path(config.network).name, names)
    _check_enough(config, target, len(names))
    return Domains(None, replace(target, name=identifier(target.name)), names, classes)


def _load_target(
    config: Settings, options: LoadOptions, name: str, class_names: tuple[str, ...]
) -> tuple[Domain, tuple[int, ...]]:
    """Loads the target; returns the indices of its classes among those of `name`, too."""
    if data.is_unlabelled(config.target):
        images = load_images(config.target, options)
        return Domain(images.name, images, None), tuple(range(len(class_names)))
    target = load_dataset(config.target, options)
    pairs = data.match_classes(class_names, target.class_names, config.aliases)
    if len(pairs) < 2:
        raise InputError(
            f"source and target have {len(pairs)} classes in common ({name}: "
            f"{', '.join(class_names)}; {target.name}: {', '.join(target.class_names)}); expected "
            "two or more: name matching ones with --aliases"
        )
    target = load_classes(config.target, options, tuple(j for _, j in pairs))
    return Domain(target.name, data.without_labels(target), target), tuple(i for i, _ in pairs)


def load_rotation_images(config: Settings) -> data.UnlabelledImages:
    """Loads the images that the rotation head learns on first.

    Raises:
        InputError: if they cannot be read, or are of another shape than the source's.
    """
    options = load_options(config)
    images = load_images(config.rotation_init, options)
    check_same_shape([load_dataset(config.source, options), images])
    return images


def _check_square(shape: tuple[int, int, int]) -> None:
    if shape[0] != shape[1]:
        raise InputError(
            f"images are {shape[0]} x {shape[1]}; expected squares, which can be turned: give an "
            "--image_size"
        )


def _check_enough(config: Settings, side: Domain, classes: int) -> None:
    images = side.images
    count, held_out = len(images.images), int(np.rint(config.held_out * len(images.images)))
    if count - held_out < config.adaptation.batch_size or held_out < 1:
        raise InputError(
            f"{images.name} has {count} images, of which {held_out} are held out; expected one of "
            f"these and {config.adaptation.batch_size} others, a batch: give a lower --batch_size"
        )
    if config.choose_by != PUBLISHED and held_out < 2 * classes:
        raise InputError(
            f"{images.name} has {count} images, of which {held_out} are held out to choose by; "
            f"expected at least {2 * classes}, two a class: give a higher --held_out, or choose "
            f"nothing with --choose_by={PUBLISHED}"
        )
    if side.labelled is not None:
        tests, batch = len(side.labelled.test), config.evaluation_batch_size
        check_enough_to_test(side.name, tests, batch, " of the common classes")
