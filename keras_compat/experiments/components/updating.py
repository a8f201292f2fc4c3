"""What is done with head updates: devices are installed, updates made and received."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_compat import data, evaluation, updates
from keras_compat.data import Examples, stratified_split
from keras_compat.data.options import LoadOptions
from keras_compat.errors import InputError
from keras_compat.experiments.components.operations import fitting, unlabelled
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
    *,
    updates_of: str,
    quantization: str,
    spec: str | None,
    count: int,
    options: LoadOptions,
    overwrite: bool,
) -> None:
    """Writes the folder of a device.

    Args:
        store: where the extractor lies.
        extractor: of an extractor, or of a network, whose extractor is taken.
        folder: to be written.
        updates_of: the name of the updates that the device takes.
        quantization: of its files, see `updates.install`.
        spec: of images as the device will meet them; labels are not used.
        count: of images, at most.
        options: how images are read.
        overwrite: whether a device's folder that is there is replaced, with its heads.
    """
    check_device_folder(folder, overwrite)
    model = load(store, extractor).extractor
    if model is None:
        raise InputError(f"{extractor} has no extractor; expected an extractor, or a network")
    images = None
    if spec is not None:
        images, _ = unlabelled(spec, count, model.input_shape[1:], options)
    updates.install(
        folder,
        model,
        extractor,
        updates=updates_of,
        families=origin(store, "extractor", extractor).families,
        quantization=quantization,
        images=images,
        overwrite=overwrite,
    )


def update(
    store: Store,
    head: Reference,
    archive: Path,
    folders: Sequence[Path],
    *,
    number: int,
    spec: str,
    images_spec: str | None,
    count: int,
    options: LoadOptions,
    component: bool,
    least_accuracy: float,
    overwrite: bool,
) -> list[updates.Measured]:
    """Writes an update of a head for devices.

    Args:
        store: where the head lies.
        head: of a head.
        archive: for all devices, to be written; beside it, one for each device.
        folders: of the devices, as `install` writes them.
        number: higher than that of any update before.
        spec: of labelled images; the test images, of all of the head's classes, are what the
            update is measured on.
        images_spec: of images without labels, for the head's moving statistics; by default the
            training images of `spec`.
        count: of those, at most.
        options: how images are read.
        component: whether the component is in the archive too.
        least_accuracy: below it on any device nothing is written, a part of one.
        overwrite: whether archives that are there may be replaced.
    """
    installed = [read_installed(folder) for folder in folders]
    names = {about["updates"] for about in installed}
    if len(names) != 1:
        raise InputError(f"the devices take updates of {sorted(names)}; expected those of one name")
    (name,) = names
    package = store.package(head)
    check_update(
        archive,
        package,
        folders,
        name=name,
        number=number,
        least_accuracy=least_accuracy,
        overwrite=overwrite,
    )
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
    return updates.make_update(
        archive,
        package,
        devices,
        name=name,
        number=number,
        component=component,
        least_accuracy=least_accuracy,
        overwrite=overwrite,
    )


def _in_memory(examples: data.Examples | data.StreamedExamples) -> Examples:
    if len(examples) > _MOST_TEST_IMAGES:
        rows = stratified_split(examples.labels, [_MOST_TEST_IMAGES], seed=0)[0]
        # One of each class at least, however rare it is.
        first = np.unique(examples.labels, return_index=True)[1]
        examples = examples.subset(np.union1d(rows, first))
    batches = list(examples.evaluation_batches(500))
    images, labels = (np.concatenate(part) for part in zip(*batches, strict=True))
    return Examples(images, labels)
