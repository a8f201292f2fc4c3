"""Numbered versions of a network for a model server."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from keras_compat import files
from keras_compat.deployment.evaluating import evaluate_saved_model
from keras_compat.deployment.exporting import export
from keras_compat.deployment.saved_model import SavedModelExport
from keras_compat.errors import InputError

_TOLERANCE = 1e-3
"""Of logits, between Keras and what a server computes."""


def export_version(
    network: keras.Model,
    folder: str | Path,
    class_names: Sequence[str],
    images: np.ndarray,
) -> Path:
    """Writes a network as the next version that a model server loads.

    A server takes a folder whose name is a number as soon as it is there. So the version is
    written under another name, run in a process that sees only the files, compared with Keras, and
    renamed at the end.

    Args:
        network: takes images, returns logits; with moving statistics, see `recalibrate`.
        folder: of all versions of this model: `1`, `2`, ... It is made if it is not there.
        class_names: of the outputs.
        images: to compare on, uint8 `[N, height, width, channels]`.

    Returns:
        The folder of the version.

    Raises:
        InputError: if a name or an image does not fit, or TensorFlow is not installed.
        ArithmeticError: if the files give other logits than Keras; nothing is left behind.

    Source: https://www.tensorflow.org/tfx/serving/architecture#aspired_versions.

    Example:

    >>> export_version(network, "models/phone", ["cat", "dog"], images)  # doctest: +SKIP
    PosixPath('models/phone/1')
    """
    folder = Path(folder)
    written = folder / f"unfinished-{uuid.uuid4().hex}"
    with files.folder_made(folder):
        try:
            export([SavedModelExport(network, written, class_names)])
            found = evaluate_saved_model(written, images)
            expected = network.predict_on_batch(np.asarray(images, "float32"))
            difference = float(np.abs(found - expected).max())
            if not difference <= _TOLERANCE:
                raise ArithmeticError(
                    f"the SavedModel for {folder} gives logits that differ from Keras' by "
                    f"{difference:.3g}; expected {_TOLERANCE} at most: nothing was published"
                )
            return _renamed(written, folder)
        finally:
            files.remove(written)


def _renamed(written: Path, folder: Path) -> Path:
    """Gives a version the next number, also when others do the same."""
    while True:
        numbers = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
        version = folder / str(max(numbers, default=0) + 1)
        try:
            os.rename(written, version)
        except OSError:
            if version.exists():
                continue
            raise InputError(
                f"{version} cannot be written; expected a folder of one's own"
            ) from None
        return version
