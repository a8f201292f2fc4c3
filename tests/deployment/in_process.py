"""Exports and runs files in this process, where TensorFlow is imported already.

That a separate process gives the same is shown by test_exporting.py, test_onnx.py, test_serving.py
and test_failures.py; starting each takes five seconds.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from unittest.mock import patch

import keras
import numpy as np
import pytest

from keras_compat import deployment, networks
from keras_compat.deployment import exporting
from keras_compat.deployment.run_exported import RUNNERS
from keras_compat.errors import InputError


def export(jobs, **options):
    """Calls `deployment.export`; another backend than TensorFlow needs the separate process."""
    if keras.backend.backend() != "tensorflow":
        return deployment.export(jobs, **options)
    with patch.object(exporting, "run_python", _convert):
        return deployment.export(jobs, **options)


def _convert(arguments, request, *, with_package):
    from keras_compat.deployment import conversion

    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("request.json", "reply.json")]
        files[0].write_text(json.dumps(request))
        with warnings.catch_warnings(action="ignore"):  # the separate process shows none either
            conversion.main(*map(str, files))
        reply = json.loads(files[1].read_text())
    if "input_error" in reply:
        raise InputError(reply["input_error"])
    return reply


def run(images, *files):
    """Returns the outputs of LiteRT or ONNX files, each feeding the next."""
    kind = "onnx" if files[0].suffix == ".onnx" else "litert"
    return RUNNERS[kind]([str(file) for file in files], images, 500)


def random_images(count, shape, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), "uint8")


def smooth_images(count, shape, low=0, high=256, seed=1):
    """Returns images that are smooth, as pictures are: of noise all features are alike."""
    height, width, channels = shape
    coarse = np.random.default_rng(seed).integers(
        low, high, (count, height // 4, width // 4, channels), "uint8"
    )
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


def make_pair(shape, extractor, head=None, channels=64, classes=3, seed=0, images=None):
    """Returns an extractor and a head with moving statistics."""
    pair = (
        networks.build_extractor(extractor, shape, interface_channels=channels, seed=seed),
        networks.build_head(
            head or extractor, input_channels=channels, classes=classes, seed=seed + 1
        ),
    )
    images = random_images(16, shape) if images is None else images
    return deployment.recalibrate(*pair, images)


def keras_outputs(images, *models):
    """Returns the outputs of Keras models, each feeding the next."""
    for model in models:
        images = keras.ops.convert_to_numpy(model(np.asarray(images, "float32"), training=False))
    return images.astype("float32")


def model_metadata(file):
    """Returns the metadata of a LiteRT file, read with MediaPipe's schema."""
    schema = pytest.importorskip("mediapipe.tasks.metadata.metadata_schema_py_generated")
    from ai_edge_litert import schema_py_generated as litert

    model = litert.ModelT.InitFromObj(litert.Model.GetRootAs(file.read_bytes(), 0))
    (place,) = [m.buffer for m in model.metadata if m.name == b"TFLITE_METADATA"]
    about = bytes(model.buffers[place].data)
    assert schema.ModelMetadata.ModelMetadataBufferHasIdentifier(about, 0)
    return schema.ModelMetadataT.InitFromObj(schema.ModelMetadata.GetRootAs(about, 0))
