"""Exports and runs files in this process, where TensorFlow is imported already.

That a separate process gives the same is shown by test_exporting.py, test_onnx.py, test_serving.py
and test_failures.py; starting each takes five seconds.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from unittest.mock import patch

import keras

from keras_compat import deployment
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
        conversion.main(*map(str, files))
        reply = json.loads(files[1].read_text())
    if "input_error" in reply:
        raise InputError(reply["input_error"])
    return reply


def run(images, *files):
    """Returns the outputs of LiteRT or ONNX files, each feeding the next."""
    kind = "onnx" if files[0].suffix == ".onnx" else "litert"
    return RUNNERS[kind]([str(file) for file in files], images, 500)
