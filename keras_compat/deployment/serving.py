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
"""Largest allowed difference between the logits of Keras and of the server."""


def export_version(
    network: keras.Model,
    folder: str | Path,
    class_names: Sequence[str],
    images: np.ndarray,
) -> Path:
    """Writes a network as the next version that a model server loads.

    A server loads a folder as soon as its name is a number. So the version is written under another
    name, run in a process that sees only the files, compared with Keras, and renamed last.

    Args:
        network: Network of images, with moving statistics, see `recalibrate`.
        folder: Folder of all versions of this model: `1`, `2`, ... It is made if it does not exist.
        images: Images to compare on, uint8 `[N, height, width, channels]`.

    Returns:
        The folder of the version.

    Raises:
        InputError: If a name or an image does not fit, or TensorFlow is not installed.
        ArithmeticError: If the files give other logits than Keras; no version is written.

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
    """Renames a version to the next number, also while other publishers do the same."""
    while True:
        numbers = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
        version = folder / str(max(numbers, default=0) + 1)
        try:
            os.rename(written, version)
        except OSError:
            if version.exists():
                continue
            raise InputError(
                f"{version} cannot be written; expected a folder for versions alone"
            ) from None
        return version
