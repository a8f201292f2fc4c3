"""Images of source and target, of the classes that both have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from keras_compat import data
from keras_compat.data.options import LoadOptions
from keras_compat.errors import InputError
from keras_compat.experiments.domain_adaptation.settings import PUBLISHED, Config
from keras_compat.experiments.loading import (
    check_enough_to_test,
    check_same_shape,
    load_dataset,
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

    def directions(self, both: bool) -> list[tuple[Domain | None, Domain]]:
        """Returns each source with its target."""
        found = [(self.source, self.target)]
        if both and self.source is not None and self.target.labelled is not None:
            found.append((self.target, self.source))
        return found


def load_domains(config: Config) -> Domains:
    """Loads the images of a run; each set is read once in a process.

    Where the target's classes are known, images of classes that only one side has are left out on
    both, as the literature does (Appendix C). That is the one thing that labels of the target are
    used for before a test.

    Raises:
        InputError: if data cannot be read, differ in shape, have too few classes in common or too
            few images.
    """
    options = load_options(config)
    target_images: data.UnlabelledImages | None = None
    target: data.ImageDataset | None = None
    if data.is_unlabelled(config.target):
        target_images = _load_images(config.target, options)
    else:
        target = load_dataset(config.target, options)
    source = load_dataset(config.source, options)
    if target is not None:
        pairs = data.match_classes(source.class_names, target.class_names, config.aliases)
        _check_common(pairs, source.name, source.class_names, target)
        source = _of_classes(config.source, options, tuple(i for i, _ in pairs))
        target = _of_classes(config.target, options, tuple(j for _, j in pairs))
        target_images = data.without_labels(target)
    check_same_shape([source, target_images])
    _check_square(source.image_shape)
    classes = len(source.class_names)
    _check_enough(config, target_images, target, classes)
    if config.both and target is not None:
        _check_enough(config, data.without_labels(source), source, classes)
    names = distinct_names([source.name, target_images.name])
    return Domains(
        Domain(names[0], data.without_labels(source), source),
        Domain(names[1], target_images, target),
        source.class_names,
        tuple(range(len(source.class_names))),
    )


def load_target(config: Config, class_names: Sequence[str], shape: tuple[int, int, int]) -> Domains:
    """Loads the images that a stored network is to be adapted to.

    Args:
        config: Settings of the run.
        class_names: Class names of the network's head.
        shape: Shape of the network's images.

    Raises:
        InputError: if `load_domains` would raise one.
    """
    options = replace(load_options(config), image_size=shape[0], channels=shape[2])
    names = tuple(class_names)
    _check_square(shape)
    if data.is_unlabelled(config.target):
        images = _load_images(config.target, options)
        _check_enough(config, images, None, len(names))
        classes = tuple(range(len(names)))
        return Domains(None, Domain(identifier(images.name), images, None), names, classes)
    target = load_dataset(config.target, options)
    pairs = data.match_classes(names, target.class_names, config.aliases)
    _check_common(pairs, Path(config.network).name, names, target)
    target = _of_classes(config.target, options, tuple(j for _, j in pairs))
    images = data.without_labels(target)
    _check_enough(config, images, target, len(names))
    classes = tuple(i for i, _ in pairs)
    return Domains(None, Domain(identifier(target.name), images, target), names, classes)


@lru_cache(maxsize=8)
def _load_images(spec: str, options: LoadOptions) -> data.UnlabelledImages:
    return data.load_images(spec, options)


@lru_cache(maxsize=8)
def _of_classes(spec: str, options: LoadOptions, classes: tuple[int, ...]) -> data.ImageDataset:
    return load_dataset(spec, options).select_classes(classes)


def load_rotation_images(config: Config) -> data.UnlabelledImages:
    """Loads the images that the rotation head learns on first.

    Raises:
        InputError: if they cannot be read, or are of another shape than the source's.
    """
    options = load_options(config)
    images = _load_images(config.rotation_init, options)
    check_same_shape([load_dataset(config.source, options), images])
    return images


def _check_common(
    pairs: Sequence[tuple[int, int]], name: str, names: Sequence[str], target: data.ImageDataset
) -> None:
    if len(pairs) < 2:
        raise InputError(
            f"source and target have {len(pairs)} classes in common ({name}: {', '.join(names)}; "
            f"{target.name}: {', '.join(target.class_names)}); expected two or more: name matching "
            "ones with --aliases"
        )


def _check_square(shape: tuple[int, int, int]) -> None:
    if shape[0] != shape[1]:
        raise InputError(
            f"images are {shape[0]} x {shape[1]}; expected squares, which can be turned: give an "
            "--image_size"
        )


def _check_enough(
    config: Config,
    images: data.UnlabelledImages,
    labelled: data.ImageDataset | None,
    classes: int,
) -> None:
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
    if labelled is not None:
        batch = config.evaluation_batch_size
        check_enough_to_test(labelled.name, len(labelled.test), batch, " of the common classes")
