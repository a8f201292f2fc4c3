"""ONNX files give Keras' logits through onnxruntime, in a process without this package."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from keras_compat import networks
from keras_compat.deployment import (
    ONNXExport,
    evaluate_exported,
    onnx_pair,
    optional_dependencies,
)
from keras_compat.errors import InputError
from tests.deployment import in_process
from tests.deployment.in_process import export, keras_outputs, make_pair

pytestmark = pytest.mark.once
SHAPE = (8, 8, 3)
NAMES = ("cat", "dog", "über")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, *SHAPE), "uint8")


def run_files(pairs, folder):
    """Writes each pair as one file and as two, and runs all; returns logits by name."""
    jobs, files = [], {}
    for name, pair in pairs.items():
        whole, *parts = [folder / f"{name}{part}.onnx" for part in ("", "_extractor", "_head")]
        jobs += [ONNXExport(networks.recombine(*pair), whole, class_names=NAMES)]
        jobs += onnx_pair(*pair, *parts, NAMES)
        files |= {name: (whole,), f"{name}_parts": tuple(parts)}
    written = export(jobs)
    logits = evaluate_exported(list(files.values()), IMAGES, batch_size=2)
    return written, dict(zip(files, logits, strict=True))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("onnx")
    pairs = {
        "mobilenet": make_pair(SHAPE, "mobilenet_v2_small@block2"),
        "resnet": make_pair(SHAPE, "resnet8:filters=4@stage2", "mobilenet_v2_small@block2", seed=2),
    }
    written, logits = run_files(pairs, folder)
    return SimpleNamespace(folder=folder, pairs=pairs, written=written, logits=logits)


@pytest.mark.parametrize("name", ["mobilenet", "resnet"])
@pytest.mark.parametrize("kind", ["", "_parts"])
def test_logits_are_those_of_keras(exported, name, kind):
    found = exported.logits[name + kind]
    assert found.dtype == "float32" and np.abs(found).max() > 0.05
    np.testing.assert_allclose(
        found, keras_outputs(IMAGES, *exported.pairs[name]), atol=1e-4, rtol=0
    )


def test_a_head_file_serves_another_extractor(exported):
    files = (exported.folder / "resnet_extractor.onnx", exported.folder / "mobilenet_head.onnx")
    found = in_process.run(IMAGES, *files)
    expected = keras_outputs(IMAGES, exported.pairs["resnet"][0], exported.pairs["mobilenet"][1])
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


def test_files_say_what_goes_in_and_comes_out(exported):
    import onnxruntime

    features = exported.pairs["resnet"][0].output_shape[1:]
    names = {"class_names": json.dumps(NAMES, ensure_ascii=False)}
    for kind, inputs, outputs, metadata in [
        ("", ("images", ["batch", *SHAPE]), ("logits", ["batch", 3]), names),
        ("_extractor", ("images", ["batch", *SHAPE]), ("features", ["batch", *features]), {}),
        ("_head", ("features", ["batch", *features]), ("logits", ["batch", 3]), names),
    ]:
        session = onnxruntime.InferenceSession(exported.folder / f"resnet{kind}.onnx")
        for values, (name, shape) in (
            (session.get_inputs(), inputs),
            (session.get_outputs(), outputs),
        ):
            (value,) = values
            assert (value.name, value.shape, value.type) == (name, shape, "tensor(float)")
        assert session.get_modelmeta().custom_metadata_map == metadata


def test_normalization_is_folded_into_the_convolutions(exported):
    for written in exported.written:
        assert written.format == "onnx" and written.size_bytes == written.path.stat().st_size
        assert not {"BatchNormalization", "Sqrt", "Sub", "Div"} & set(written.operators)
        assert written.operators["Conv"] > 1


@pytest.mark.slow
def test_every_architecture(tmp_path):
    sized = {"resnet": "resnet:depth=14", "wide_resnet": "wide_resnet:depth=10,width=2"}
    pairs = {name: make_pair(SHAPE, sized.get(name, name)) for name in networks.ARCHITECTURES}
    _, logits = run_files(pairs, tmp_path)
    for name, pair in pairs.items():
        expected = keras_outputs(IMAGES, *pair)
        for kind in ("", "_parts"):
            np.testing.assert_allclose(
                logits[name + kind], expected, atol=1e-3 * np.abs(expected).max(), err_msg=name
            )


def test_what_cannot_be_written_is_refused(tmp_path):
    pytest.importorskip("tf2onnx")
    head = networks.build_head("resnet8:filters=4", input_channels=8, classes=3, seed=0)
    with pytest.raises(InputError, match="an ONNX file on a desktop takes one image at a time"):
        export([ONNXExport(head, tmp_path / "head.onnx", (4, 4, 8), "features")])
    _, head = make_pair(SHAPE, "resnet8:filters=4")
    with pytest.raises(InputError, match="input_shape .* expected whole numbers"):
        export([ONNXExport(head, tmp_path / "head.onnx")])
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_run_is_said_in_one_line(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(InputError, match=r"bad\.onnx cannot be run: .*\S$") as caught:
        evaluate_exported([(tmp_path / "bad.onnx",)], IMAGES)
    assert "\n" not in str(caught.value)
    (tmp_path / "a.tflite").touch()
    with pytest.raises(InputError, match="expected files of one format"):
        evaluate_exported([(tmp_path / "bad.onnx", tmp_path / "a.tflite")], IMAGES)


def test_without_the_packages_the_extra_is_named(tmp_path, monkeypatch):
    hidden = ("tf2onnx", "onnxruntime")
    monkeypatch.setattr(
        optional_dependencies, "find_spec", lambda name: None if name in hidden else object()
    )
    network = networks.recombine(*make_pair(SHAPE, "resnet8:filters=4"))
    with pytest.raises(InputError, match=r"'tf2onnx'.*keras_compat\[onnx\]"):
        export([ONNXExport(network, tmp_path / "network.onnx")])
    (tmp_path / "network.onnx").touch()
    with pytest.raises(InputError, match=r"'onnxruntime'.*keras_compat\[onnx\]"):
        evaluate_exported([(tmp_path / "network.onnx",)], IMAGES)
