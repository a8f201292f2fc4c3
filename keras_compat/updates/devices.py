"""Installation of a device's folder before its first update."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np

from keras_compat.deployment import LiteRTExport, export, recalibrate
from keras_compat.deployment.litert import QUANTIZATIONS
from keras_compat.errors import InputError, unknown_name
from keras_compat.files import written_atomically
from keras_compat.layers import normalization_layers
from keras_compat.networks import feature_interface
from keras_compat.store import Reference
from keras_compat.store.names import check_name
from keras_compat.store.package import sha256
from keras_compat.updates.device_client import SCHEMA
from keras_compat.updates.output_paths import check_device_folder

EXTRACTOR, DEVICE = "extractor.tflite", "device.json"


def install(
    folder: str | Path,
    extractor: keras.Model,
    reference: Reference,
    *,
    updates: str,
    families: frozenset[str],
    quantization: str = "float32",
    images: np.ndarray | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes the folder of a device: `extractor.tflite`, `extractor.json` and `device.json`.

    `extractor.json` describes the images for apps that call the interpreter themselves; the client
    does not read it.

    Args:
        folder: Folder to be written, whole or not at all.
        extractor: Extractor of images of one size. If it normalizes by batch statistics, moving
            statistics are measured on `images`, because a device sees one image at a time.
        reference: Reference of the extractor, shown to people.
        updates: Name of the updates that the device takes.
        families: Families of the extractor, see `store.Manifest.families`.
        quantization: Quantization of the extractor's file and of its heads: `"float32"`,
            `"float16"`, `"dynamic"` or `"int8"`, see `deployment.LiteRTExport`.
        images: Images without labels, uint8 `[N, his_int8, width, channels]`, for statistics and
            8-bit ranges.
        overwrite: Whether an existing device's folder is replaced, with its heads. A folder that
            holds anything else is never replaced.

    Raises:
        InputError: If the name or the quantization is unknown, images are missing, or `folder` or
            its parent cannot be written.

    Example:

    >>> install("phone", extractor, Reference.parse("phone@1"), updates="digits",
    ...         families=frozenset(), quantization="int8", images=images)  # doctest: +SKIP
    PosixPath('phone')
    """
    folder = Path(folder)
    check_name(updates)
    if quantization not in QUANTIZATIONS:
        raise unknown_name("quantization", quantization, QUANTIZATIONS)
    check_device_folder(folder, overwrite)
    by_batch = any(layer.statistics == "batch" for layer in normalization_layers(extractor))
    if images is None and (by_batch or quantization == "int8"):
        why = "normalizes by batch statistics" if by_batch else "needs images for its 8-bit ranges"
        raise InputError(f"{reference} {why}; expected images without labels")
    if by_batch:
        extractor, _ = recalibrate(extractor, passing_on(feature_interface(extractor)), images)
    is_int8 = quantization == "int8"
    with written_atomically(folder) as temporary:
        temporary.mkdir()
        written = LiteRTExport(
            extractor,
            temporary / EXTRACTOR,
            output_name="features",
            quantization=quantization,
            representative=images if is_int8 else None,
            uint8_input=is_int8,
        )
        export([written])
        content = (temporary / EXTRACTOR).read_bytes()
        about = {
            "schema_version": SCHEMA,
            "updates": updates,
            "component": str(reference),
            "sha256": sha256(content),
            "size": len(content),
            "quantization": quantization,
            "image_shape": extractor.input_shape[1:],
            "interface": feature_interface(extractor),
            "families": sorted(families),
        }
        (temporary / DEVICE).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return folder


def passing_on(shape: tuple[int | None, ...]) -> keras.Model:
    """Returns a model that emits its input, in the place of a missing part.

    Example:

    >>> passing_on((8, 8, 64)).output_shape
    (None, 8, 8, 64)
    """
    features = keras.Input(shape)
    return keras.Model(features, keras.layers.Identity()(features), name="passing_on")
