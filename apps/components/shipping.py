"""Commands that write what leaves the library: files for servers and phones, head updates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from apps.components.shared import (
    Command,
    add_images,
    count_of,
    free,
    open_store,
    print_table,
    published,
    reading,
    some_of,
    start,
)
from keras_compat.errors import InputError
from keras_compat.experiments.flags import words
from keras_compat.printing import tell

_FORMATS = ("saved_model", "litert", "onnx")
_PARTS = ("extractor", "head", "network")
_QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")


def add(command: Command) -> None:
    """Adds the commands with their flags."""
    flags = command(
        export, "write a network for servers, desktops and phones", "reference", "folder"
    )
    flags.add_argument(
        "--formats", default="saved_model,litert", help=f"of {', '.join(_FORMATS)}; with commas"
    )
    flags.add_argument(
        "--parts", default="extractor,head", help=f"of litert and onnx: {', '.join(_PARTS)}"
    )
    flags.add_argument(
        "--quantization",
        default="float32",
        help=f"of litert: {', '.join(_QUANTIZATIONS)}; int8 needs --images",
    )
    flags.add_argument("--uint8_input", action="store_true", help="int8 takes images as uint8")
    flags.add_argument(
        "--probabilities",
        action="store_true",
        help="litert and onnx end in softmax; a saved_model has a signature for it in any case",
    )
    add_images(flags, required=False)
    flags.add_argument("--overwrite", action="store_true", help="replace what is in FOLDER")

    flags = command(install, "write the folder of a device", "extractor", "folder")
    flags.add_argument("--updates", required=True, help="the name of the updates it takes")
    flags.add_argument(
        "--quantization", default="float32", help=f"one of {', '.join(_QUANTIZATIONS)}"
    )
    add_images(flags, required=False)
    flags.add_argument(
        "--overwrite", action="store_true", help="replace a device's folder, with its heads"
    )

    flags = command(
        update, "write a head's update for all devices, and for each", "head", "archive"
    )
    flags.add_argument("--devices", required=True, help="their folders, with commas between")
    flags.add_argument("--number", type=int, required=True, help="higher than of any before")
    flags.add_argument(
        "--data", required=True, help="labelled images of all its classes, to measure it on"
    )
    add_images(flags, required=False)
    flags.add_argument("--no_component", action="store_true", help="leave out what servers need")
    flags.add_argument(
        "--least_accuracy",
        type=float,
        default=0.0,
        help="0 to 1; write nothing if a device has less",
    )
    flags.add_argument("--json", action="store_true", help="for programs")
    flags.add_argument("--overwrite", action="store_true", help="replace archives that are there")

    command(receive, "publish the head that is in an update", "archive", "reference")


def export(flags: Any) -> None:
    """Writes a network for servers, desktops and phones."""
    store, count = open_store(flags), count_of(flags.count)
    reference = published(store, flags.reference)
    formats = some_of("formats", flags.formats, _FORMATS)
    parts = some_of("parts", flags.parts, _PARTS)
    quantizations = some_of("quantization", flags.quantization, _QUANTIZATIONS)
    if "litert" not in formats and quantizations != ["float32"]:
        raise InputError(
            f"--quantization is {flags.quantization!r} without litert in --formats; expected both"
        )
    if ("int8" in quantizations) != (flags.images is not None):
        raise InputError(
            f"--quantization is {flags.quantization!r} and --images is {flags.images!r}; expected "
            "images with int8, which takes the ranges of 8 bits from them, and only there"
        )
    if flags.uint8_input and ("int8" not in quantizations or parts == ["head"]):
        raise InputError(
            "--uint8_input is given without int8 in --quantization or a part that takes images; "
            "expected it with --quantization=int8 and an extractor or a network"
        )
    if flags.probabilities and (formats == ["saved_model"] or parts == ["extractor"]):
        raise InputError(
            "--probabilities is given without litert or onnx in --formats, or without a head or a "
            "network in --parts; expected both: a saved_model has the signature 'probabilities'"
        )
    start()
    from keras_compat.experiments.components import operations

    shipment = operations.Shipment(
        formats,
        parts,
        quantizations,
        uint8_input=flags.uint8_input,
        probabilities=flags.probabilities,
        images=flags.images,
        count=count,
    )
    folder = Path(flags.folder)
    files = operations.export(store, reference, folder, shipment, reading(flags), flags.overwrite)
    for file in files:
        tell(f"{file.path}: {file.size_bytes:,} bytes")


def install(flags: Any) -> None:
    """Writes the folder of a device."""
    store, count = open_store(flags), count_of(flags.count)
    reference = published(store, flags.extractor)
    start()
    from keras_compat.experiments.components import updating

    updating.install(
        store,
        reference,
        Path(flags.folder),
        flags.images,
        count,
        reading(flags),
        updates=flags.updates,
        quantization=flags.quantization,
        overwrite=flags.overwrite,
    )
    tell(f"{flags.folder}: {reference} in {flags.quantization}, takes updates of {flags.updates}")


def update(flags: Any) -> None:
    """Writes a head's update for devices."""
    store, count = open_store(flags), count_of(flags.count)
    reference = published(store, flags.head)
    start()
    from keras_compat.experiments.components import updating

    found = updating.update(
        store,
        reference,
        Path(flags.archive),
        [Path(folder) for folder in words(flags.devices)],
        number=flags.number,
        spec=flags.data,
        images_spec=flags.images,
        count=count,
        options=reading(flags),
        component=not flags.no_component,
        least_accuracy=flags.least_accuracy,
        overwrite=flags.overwrite,
    )
    if flags.json:
        tell(*json.dumps([vars(measured) for measured in found], indent=2).splitlines())
        return
    rows = [
        (
            measured.component,
            measured.quantization,
            f"{measured.accuracy:.1%}",
            f"{measured.update_bytes:,}",
            f"{measured.whole_bytes:,}",
            f"{measured.update_bytes / measured.whole_bytes:.0%}",
            measured.archive,
        )
        for measured in found
    ]
    heads = ("device", "quantization", "accuracy", "update", "whole model", "part", "archive")
    print_table([heads, *rows])
    tell(f"{flags.archive}: {Path(flags.archive).stat().st_size:,} bytes for all")


def receive(flags: Any) -> None:
    """Publishes the head that is in an update."""
    store = open_store(flags)
    reference = free(store, flags.reference)
    start()
    from keras_compat.updates import receive as take

    take(store, flags.archive, reference)
    tell(f"published {reference}")
