"""From a head to an update for all devices."""

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
from pydantic import ValidationError

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
from keras_compat.updates.archive import Archive, write_archives
from keras_compat.updates.device_client import (
    HIGHEST_NUMBER,
    UpdateError,
    check_extractor,
    head_file,
    read_device,
)
from keras_compat.updates.devices import EXTRACTOR, passing_on
from keras_compat.updates.manifest import ExtractorRecord, UpdateManifest, check_kind
from keras_compat.updates.output_paths import check_archive

_MOST_NAMED = 5


@dataclass(frozen=True)
class Device:
    """A device that an update is made for.

    Args:
        folder: as `install` writes it.
        images: without labels, uint8 `[N, height, width, channels]` as its extractor takes them;
            the head's moving statistics are measured on them.
        test: labelled, with images of all of the head's classes.
    """

    folder: Path
    images: np.ndarray
    test: Examples


@dataclass(frozen=True)
class Measured:
    """What an update is and costs on one device.

    Attributes:
        component: the device's extractor.
        quantization: of its files.
        accuracy: of the shipped head's file on the installed extractor's, a part of one.
        archive: the file that this device downloads.
        update_bytes: the size of that file.
        whole_bytes: what it would need of an update that ships the whole model: extractor and head.
    """

    component: str
    quantization: str
    accuracy: float
    archive: str
    update_bytes: int
    whole_bytes: int


def read_installed(folder: str | Path) -> dict:
    """Returns what the `device.json` in a folder says; which head is there does not matter.

    Raises:
        InputError: if it is not the folder of a device, or its extractor is damaged.

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
    """Returns where the archive for one device lies, beside that for all.

    Args:
        path: of the archive for all devices.
        folder: of the device; its name is part of the file's.

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
    """Raises `InputError` if `make_update` would, as far as no image is needed to tell.

    Args:
        path: see `make_update`.
        head: likewise.
        folders: of the devices.
        name: see `make_update`.
        number: likewise.
        least_accuracy: likewise.
        overwrite: likewise.

    Returns:
        What the devices' `device.json` say, in their order.

    Example:

    >>> check_update("7.zip", package, ["phone"], name="digits", number=7)  # doctest: +SKIP
    """
    if type(number) is not int or not 1 <= number <= HIGHEST_NUMBER:
        raise InputError(
            f"number is {number}; expected a whole number from 1 to {HIGHEST_NUMBER}, such as 7, "
            "20261129 or 202611291305"
        )
    if not 0 <= least_accuracy <= 1:
        raise InputError(f"least_accuracy is {least_accuracy}; expected a part of one, 0 to 1")
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
    """Writes an update: the head for every device, measured on the files that ship.

    One archive holds the heads of all devices and the component; beside it lies a small one for
    each device, which holds what that device needs and is named after its folder, see
    `device_archive`. All are whole before the first of them appears, that for all devices last.

    The head is one, but for its moving statistics, which are measured behind each installed
    extractor: extractors are trained to be compatible under batch statistics, and a head with
    those of another extractor, or of several together, is lost on it
    (`results/benchmarks/head_update.json`).

    Args:
        path: of the archive for all devices.
        head: of a head, as `Store.package` returns it.
        devices: that are to have it; each extractor once.
        name: of the updates; each device has to take those.
        number: higher than that of any update before; counted, or a date and time in digits. A
            device takes none above 10**14 unless it has had one not far below.
        component: whether the component is in the archive too, for servers.
        least_accuracy: below it on any device nothing is written, a part of one.
        overwrite: whether archives that are there may be replaced.

    Returns:
        What was measured, in the order of the devices.

    Raises:
        InputError: if a device takes other updates, its extractor emits what the head does not
            take, or is there twice; its test images are not of all of the head's classes; a path
            is taken; or the head is worse on a device than it may be.

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
    update = _manifest(head, devices, installed, found, files, name, number)
    own = [
        Archive(device_archive(path, device.folder), update.for_extractor(about["sha256"]), files)
        for device, about in zip(devices, installed, strict=True)
    ]
    write_archives([Archive(path, update, files), *own])
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
    """Raises `InputError` if the head cannot be that of an update for these devices."""
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
    """Raises `InputError` if the test images leave a class out: accuracy says nothing of it."""
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
            # What the installed file emits, of fewer bits too, and not what Keras would.
            features = evaluate_exported([(device.folder / EXTRACTOR,)], device.images)[0]
            eight = about["quantization"] == "int8"
            jobs.append(
                LiteRTExport(
                    recalibrate(passing_on(features.shape[1:]), head, features)[1],
                    Path(folder, f"{i}.tflite"),
                    features.shape[1:],
                    "features",
                    quantization=about["quantization"],
                    representative=features if eight else None,
                )
            )
        return [file.path.read_bytes() for file in export(jobs)]


def _accuracy(head: bytes, device: Device) -> float:
    """Runs a head's file behind the device's extractor on all test images."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "head.tflite")
        file.write_bytes(head)
        logits = evaluate_litert(device.folder / EXTRACTOR, file, device.test.images)
    return accuracy(logits, device.test.labels)


def _manifest(
    head: Package,
    devices: Sequence[Device],
    installed: Sequence[dict],
    accuracies: Sequence[float],
    files: Mapping[str, bytes],
    name: str,
    number: int,
) -> UpdateManifest:
    try:
        return UpdateManifest(
            name=name,
            number=number,
            created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            class_names=head.manifest.class_names,
            families=tuple(sorted(head.manifest.families)),
            extractors=tuple(
                ExtractorRecord(
                    component=about["component"],
                    sha256=about["sha256"],
                    quantization=about["quantization"],
                    interface=tuple(about["interface"]),
                    accuracy=found,
                    images=len(device.test),
                )
                for device, about, found in zip(devices, installed, accuracies, strict=True)
            ),
            files={name: file_record(content) for name, content in files.items()},
        )
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False)[0]
        raise InputError(f"update {name} {number}: {told['loc']}: {told['msg']}") from None
