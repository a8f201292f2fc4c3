"""Operations on head updates: install a device, make an update."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_compat import data, evaluation, updates
from keras_compat.data import Examples, stratified_split
from keras_compat.data.options import LoadOptions
from keras_compat.errors import InputError
from keras_compat.experiments.components.operations import fitting, unlabelled
from keras_compat.experiments.loading import read
from keras_compat.store import Reference, Store, load
from keras_compat.store.recombining import origin
from keras_compat.updates.making import check_update, read_installed
from keras_compat.updates.output_paths import check_device_folder

# A device sees one image at a time, and so do those who measure it.
_MOST_TEST_IMAGES = 10_000


def install(
    store: Store,
    extractor: Reference,
    folder: Path,
    spec: str | None,
    count: int,
    options: LoadOptions,
    *,
    overwrite: bool,
    **how: str,
) -> None:
    """Writes the folder of a device, by further arguments of `updates.install`.

    Images as the device will meet them are taken for the ranges of 8 bits, without labels.
    """
    check_device_folder(folder, overwrite)
    model = load(store, extractor).extractor
    if model is None:
        raise InputError(f"{extractor} has no extractor; expected an extractor, or a network")
    images = None
    if spec is not None:
        images, _ = unlabelled(spec, count, model.input_shape[1:], options)
    families = origin(store, "extractor", extractor).families
    given = {"families": families, "images": images, "overwrite": overwrite}
    updates.install(folder, model, extractor, **given, **how)


def update(
    store: Store,
    head: Reference,
    archive: Path,
    folders: Sequence[Path],
    *,
    spec: str,
    images_spec: str | None,
    count: int,
    options: LoadOptions,
    component: bool,
    **how: Any,
) -> list[updates.Measured]:
    """Writes an update of a head for devices, by further arguments of `updates.make_update`.

    The update is measured on the test images of `spec`, which must be of all of the head's classes.
    Its moving statistics are those of `images_spec`, by default of the training images of `spec`.
    """
    installed = [read_installed(folder) for folder in folders]
    names = {about["updates"] for about in installed}
    if len(names) != 1:
        raise InputError(f"the devices take updates of {sorted(names)}; expected those of one name")
    how = {"name": names.pop(), **how}
    package = store.package(head)
    check_update(archive, package, folders, **how)
    known = package.manifest.class_names
    loaded: dict[tuple[int, ...], tuple[np.ndarray, Examples]] = {}
    for shape in {tuple(about["image_shape"]) for about in installed}:
        images, _ = unlabelled(images_spec or spec, count, shape, options)
        dataset = data.load(spec, **fitting(options, shape))
        test, _ = evaluation.common_examples(dataset.test, dataset.class_names, known)
        loaded[shape] = (images, _in_memory(test))
    devices = [
        updates.Device(folder, *loaded[tuple(about["image_shape"])])
        for folder, about in zip(folders, installed, strict=True)
    ]
    return updates.make_update(archive, package, devices, component=component, **how)


def _in_memory(examples: data.Examples | data.StreamedExamples) -> Examples:
    if len(examples) > _MOST_TEST_IMAGES:
        rows = stratified_split(examples.labels, [_MOST_TEST_IMAGES], seed=0)[0]
        # One of each class at least, however rare it is.
        first = np.unique(examples.labels, return_index=True)[1]
        examples = examples.subset(np.union1d(rows, first))
    return Examples(*read(examples))
