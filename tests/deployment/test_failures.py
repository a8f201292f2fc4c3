"""Whatever happens to an export: one line is said, and what was there before is there."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_compat.deployment import LiteRTExport, ONNXExport, SavedModelExport, export
from keras_compat.deployment.processes import run_python
from keras_compat.errors import InputError
from tests.deployment import in_process
from tests.helpers import files_of_at_most

pytestmark = pytest.mark.once


def network(units=3):
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, keras.layers.Dense(units)(keras.layers.Flatten()(inputs)))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("os.kill(os.getpid(), 9)", r"m\.tflite \(litert\): .* SIGKILL, .* memory runs out"),
        ("os.kill(os.getpid(), 11)", r"m\.tflite \(litert\): .* ended by SIGSEGV"),
        ("sys.exit('no memory\\nat all\\n\\n')", "exit code 1; it said last: at all"),
        ("raise MemoryError('64 GiB')", "exit code 1; it said last: MemoryError: 64 GiB"),
        ("sys.exit(0)", "ended with exit code 0"),
        ('open(sys.argv[2], "w").write(\'{"input_error": "no operator"}\')', "^no operator$"),
    ],
)
def test_a_process_that_ends_is_one_line(code, message):
    begin = """
import os, sys
open(sys.argv[2], "w").write('{"at_work_on": "m.tflite (litert)"}')
"""
    with pytest.raises(InputError, match=message) as caught:
        run_python(["-c", begin + code], {}, with_package=False)
    assert "\n" not in str(caught.value)


def test_a_crash_in_the_converter(tmp_path):
    """A range that no float32 holds takes LiteRT's converter's process with it."""
    pytest.importorskip("ai_edge_litert")
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "old").touch()
    inputs = keras.Input((12, 12, 4))
    model = keras.Model(inputs, keras.layers.Activation("exponential")(inputs))
    images = np.random.default_rng(0).uniform(0, 255, (20, 12, 12, 4))
    jobs = [
        SavedModelExport(network(), tmp_path / "server"),
        LiteRTExport(model, tmp_path / "m.tflite", quantization="int8", representative=images),
    ]
    with pytest.raises(InputError, match=r"m\.tflite \(litert\)"):
        export(jobs, overwrite=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["server", "old"]


@pytest.mark.parametrize("kind", [SavedModelExport, LiteRTExport, ONNXExport])
def test_no_room_for_the_model(tmp_path, kind):
    pytest.importorskip("tf2onnx")
    (tmp_path / "m").write_text("the one in use")
    job = kind(network(4000), tmp_path / "m")  # 1 MB
    with files_of_at_most(300_000), pytest.raises(InputError, match="m.* cannot be") as caught:
        export([job], overwrite=True)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    assert (tmp_path / "m").read_text() == "the one in use"


@pytest.mark.parametrize("kind", [SavedModelExport, LiteRTExport, ONNXExport])
def test_no_room_for_the_file(tmp_path, kind):
    pytest.importorskip("tf2onnx")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the process that converts uses TensorFlow, whatever the backend here")
    from keras_compat.deployment import conversion

    model = network(4000)
    job = kind(model, tmp_path / "m")
    request = {"format": job.format, "name": "m", "path": str(tmp_path / "m"), **job.request()}
    with files_of_at_most(300_000), pytest.raises(InputError, match=r"m \(\w+\) cannot") as caught:
        conversion.write(model, {**request, "json": str(tmp_path / "m.json")})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [SavedModelExport, LiteRTExport, ONNXExport])
def test_a_folder_that_cannot_be_made(tmp_path, kind):
    pytest.importorskip("tf2onnx")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written \(.*\); expected a writable"):
        export([kind(network(), tmp_path / "file" / "m")])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_layer_that_cannot_be_saved(tmp_path):
    class Own(keras.layers.Layer):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def get_config(self):
            raise NotImplementedError("no\nconfig")

        def call(self, inputs):
            return self.factor * inputs

    inputs = keras.Input((3,))
    with pytest.raises(InputError, match="m cannot be saved by Keras: no$"):
        export([SavedModelExport(keras.Model(inputs, Own(2)(inputs)), tmp_path / "m")])
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_cannot_be_loaded(tmp_path):
    class Own(keras.layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    inputs = keras.Input((3,))
    jobs = [
        SavedModelExport(network(), tmp_path / "first"),
        SavedModelExport(keras.Model(inputs, Own()(inputs)), tmp_path / "m"),
    ]
    with pytest.raises(InputError, match=r"m \(saved_model\) cannot be written: .*Own") as caught:
        in_process.export(jobs)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
