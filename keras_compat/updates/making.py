"""Making of an update for all devices from one head."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np

from keras_compat.data import Examples
from keras_compat.deployment import (
    LiteRTExport,
    evaluate_exported,
    evaluate_litert,
    export,
    recalibrate,
)
from keras_compat.errors import InputError
from keras_compat.evaluation import accuracy
from keras_compat.store import Package, unpack
from keras_compat.store.package import file_record
from keras_compat.updates.archive import Archive, check_kind, write_archives
from keras_compat.updates.device_client import (
    HIGHEST_NUMBER,
    SCHEMA,
    UpdateError,
    check_extractor,
    head_file,
    read_device,
)
from keras_compat.updates.devices import EXTRACTOR, passing_on
from keras_compat.updates.output_paths import check_archive

_MOST_NAMED = 5


@dataclass(frozen=True)
class Device:
    """A device that an update is made for.

    Args:
        folder: Folder that `install` wrote.
        images: Images without labels, uint8 `[N, his_int8, width, channels]`, on which the head's
            moving statistics are measured.
        test: Labelled images of all of the head's classes.
    """

    folder: Path
    images: np.ndarray
    test: Examples


@dataclass(frozen=True)
class Measured:
    """Accuracy and size of an update on one device.

    Attributes:
        component: Reference of the device's extractor.
        accuracy: Accuracy, a fraction, of the shipped head's file on the installed extractor's
            file.
        archive: Path of the archive that this device downloads.
        update_bytes: Size of that archive.
        whole_bytes: Size of an update that would ship the whole model: extractor and head.
    """

    component: str
    quantization: str
    accuracy: float
    archive: str
    update_bytes: int
    whole_bytes: int


def read_installed(folder: str | Path) -> dict:
    """Returns the content of a folder's `device.json`; the installed head does not matter.

    Raises:
        InputError: If the folder is not a device's, or its extractor is damaged.

    Example:

    >>> read_installed("no/device")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: no/device: device.json cannot be read: ...
    """
    try:
        about = read_device(folder)
        check_extractor(folder, about)
    except UpdateError as error:
        raise InputError(f"{folder}: {error}") from None
    return about


def device_archive(path: str | Path, folder: str | Path) -> Path:
    """Returns the path of the archive for one device, beside the archive for all.

    Example:

    >>> device_archive("updates/digits-7.zip", "devices/phone").as_posix()
    'updates/digits-7-phone.zip'
    """
    path = Path(path)
    return path.with_name(f"{path.stem}-{os.path.basename(os.path.abspath(folder))}.zip")


def check_update(
    path: str | Path,
    head: Package,
    folders: Sequence[Path],
    *,
    name: str,
    number: int,
    least_accuracy: float = 0.0,
    overwrite: bool = False,
) -> list[dict]:
    """Raises each `InputError` of `make_update` that needs no images.

    The arguments are those of `make_update`, with the devices' folders for the devices.

    Returns:
        The contents of the devices' `device.json`, in their order.
    """
    if type(number) is not int or not 1 <= number <= HIGHEST_NUMBER:
        raise InputError(
            f"number is {number}; expected a whole number from 1 to {HIGHEST_NUMBER}, such as 7, "
            "20261129 or 202611291305"
        )
    if not 0 <= least_accuracy <= 1:
        raise InputError(f"least_accuracy is {least_accuracy}; expected a fraction from 0 to 1")
    archives = [device_archive(path, folder) for folder in folders]
    for archive, count in Counter(archives).items():
        if count > 1:
            raise InputError(
                f"{archive} would be the archive of {count} devices; expected folders of different "
                "names, and each once"
            )
    for archive in (path, *archives):
        check_archive(archive, overwrite)
    installed = [read_installed(folder) for folder in folders]
    _check_head(head, installed, name)
    return installed


def make_update(
    path: str | Path,
    head: Package,
    devices: Sequence[Device],
    *,
    name: str,
    number: int,
    component: bool = True,
    least_accuracy: float = 0.0,
    overwrite: bool = False,
) -> list[Measured]:
    """Writes an update: a head for every device, measured on the files that ship.

    One archive holds the heads of all devices and the component. Beside it, each device has a small
    archive with its head alone, named after the device's folder, see `device_archive`. All archives
    are complete before the first one appears; the archive for all devices appears last.

    Only the moving statistics differ between the heads; they are measured behind each installed
    extractor. Extractors are trained to be compatible under batch statistics: a head with the
    moving statistics of another extractor, or of several together, fails
    (`results/benchmarks/head_update.json`).

    Args:
        head: Package of a head, from `Store.package`.
        devices: Devices of the update, each extractor once.
        name: Name of the updates; each device must take this name.
        number: Number above those of all earlier updates: a count, or a date and time in digits. A
            device refuses numbers above 10**14, unless it had one close below.
        component: Whether the archive also holds the component, for servers.
        least_accuracy: Minimum accuracy, a fraction; below it on any device nothing is written.

    Returns:
        The measurements, in the order of the devices.

    Raises:
        InputError: If a device takes other updates, its extractor does not fit the head or is there
            twice, its test images lack classes, a path exists, or the accuracy is too low.

    Example:

    >>> make_update("digits-7.zip", package, devices, name="digits", number=7)  # doctest: +SKIP
    """
    path = Path(path)
    installed = check_update(
        path,
        head,
        [device.folder for device in devices],
        name=name,
        number=number,
        least_accuracy=least_accuracy,
        overwrite=overwrite,
    )
    for device in devices:
        _check_classes(head.manifest.class_names, device)
    heads = _heads(unpack(head, name).head, devices, installed)
    found = [_accuracy(content, device) for content, device in zip(heads, devices, strict=True)]
    poor = [
        f"{part:.1%} on {about['component']}"
        for part, about in zip(found, installed, strict=True)
        if part < least_accuracy
    ]
    if poor:
        raise InputError(
            f"the head reaches {', '.join(poor)}; expected {least_accuracy:.1%} on every "
            "device: nothing was written"
        )
    names = [head_file(about["sha256"]) for about in installed]
    files = dict(zip(names, heads, strict=True)) | (head.content() if component else {})
    whole = Archive(path, _about(head, devices, installed, found, files, name, number), files)
    own = [
        whole.for_extractor(device_archive(path, device.folder), about["sha256"])
        for device, about in zip(devices, installed, strict=True)
    ]
    write_archives([whole, *own])
    return [
        Measured(
            component=about["component"],
            quantization=about["quantization"],
            accuracy=part,
            archive=str(archive.path),
            update_bytes=archive.path.stat().st_size,
            whole_bytes=about["size"] + len(content),
        )
        for about, part, archive, content in zip(installed, found, own, heads, strict=True)
    ]


def _check_head(head: Package, installed: Sequence[dict], name: str) -> None:
    """Raises `InputError` if the head does not fit these devices."""
    manifest = head.manifest
    check_kind(manifest)
    if not installed:
        raise InputError("no devices; expected at least one to make the update for")
    for about in installed:
        what = f"{about['component']} in {about['quantization']}"
        if sum(about["sha256"] == other["sha256"] for other in installed) > 1:
            raise InputError(f"{what} is there twice; expected each extractor's file once")
        if about["updates"] != name:
            raise InputError(
                f"{what} takes updates of {about['updates']!r}; this one is of {name!r}"
            )
        if about["interface"][-1] != manifest.interface[-1]:
            raise InputError(
                f"{what} emits features of {about['interface'][-1]} channels; the head takes "
                f"{manifest.interface[-1]}"
            )
        if about["families"] and not manifest.families & set(about["families"]):
            raise InputError(
                f"{what} and the head share no auxiliary head: its device would refuse the update"
            )


def _check_classes(class_names: Sequence[str], device: Device) -> None:
    """Raises `InputError` if the test images lack a class, whose accuracy would remain unknown."""
    missing = sorted(set(range(len(class_names))) - set(device.test.labels.tolist()))
    if missing:
        named = ", ".join(repr(class_names[index]) for index in missing[:_MOST_NAMED])
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        raise InputError(
            f"the test images for {device.folder} show no {named}{more}; expected images of all "
            f"{len(class_names)} of the head's classes"
        )


def _heads(head: keras.Model, devices: Sequence[Device], installed: Sequence[dict]) -> list[bytes]:
    """Returns the head's file for each device, as bytes."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for i, (device, about) in enumerate(zip(devices, installed, strict=True)):
            # The features of the installed file, which may be quantized, not those of Keras.
            features = evaluate_exported([(device.folder / EXTRACTOR,)], device.images)[0]
            is_int8 = about["quantization"] == "int8"
            jobs.append(
                LiteRTExport(
                    recalibrate(passing_on(features.shape[1:]), head, features)[1],
                    Path(folder, f"{i}.tflite"),
                    features.shape[1:],
                    "features",
                    quantization=about["quantization"],
                    representative=features if is_int8 else None,
                )
            )
        return [file.path.read_bytes() for file in export(jobs)]


def _accuracy(head: bytes, device: Device) -> float:
    """Returns the accuracy of a head's file behind the device's extractor on all test images."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "head.tflite")
        file.write_bytes(head)
        logits = evaluate_litert(device.folder / EXTRACTOR, file, device.test.images)
    return accuracy(logits, device.test.labels)


def _about(
    head: Package,
    devices: Sequence[Device],
    installed: Sequence[dict],
    accuracies: Sequence[float],
    files: Mapping[str, bytes],
    name: str,
    number: int,
) -> dict:
    """Returns the content of `update.json`."""
    return {
        "schema_version": SCHEMA,
        "name": name,
        "number": number,
        "created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "class_names": list(head.manifest.class_names),
        "families": sorted(head.manifest.families),
        "extractors": [
            {
                **{key: about[key] for key in ("component", "sha256", "quantization", "interface")},
                "accuracy": float(accuracy),
                "images": len(device.test),
            }
            for device, about, accuracy in zip(devices, installed, accuracies, strict=True)
        ],
        "files": {name: file_record(content).model_dump() for name, content in files.items()},
    }
