"""Exported files give Keras' logits in a process without this package and without Keras."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_compat import networks
from keras_compat.deployment import (
    LiteRTExport,
    ONNXExport,
    SavedModelExport,
    evaluate_exported,
    evaluate_litert,
    evaluate_saved_model,
    export,
    export_saved_model,
    litert_operators,
    litert_pair,
    onnx_pair,
    optional_dependencies,
    recalibrate,
    run_exported,
)
from keras_compat.deployment.operators import check_operators
from keras_compat.errors import InputError
from tests.deployment.in_process import keras_outputs, make_pair, random_images
from tests.helpers import python

SHAPE = (8, 8, 3)
NAMES = ("cat", "dog", "über")
IMAGES = random_images(5, SHAPE, 0)
SUFFIXES = (".tflite", ".onnx")


@pytest.fixture(scope="module")
def pair():
    return make_pair(SHAPE, "resnet8:filters=4", "mobilenet_v2_small", channels=8)


@pytest.fixture(scope="module")
def new_head(pair):
    """A head for one class more, shipped later to the extractor that is in use."""
    head = networks.build_head("mobilenet_v2_small", input_channels=8, classes=4, seed=2)
    return recalibrate(pair[0], head, random_images(16, SHAPE, 2), keep_extractor=True)[1]


@pytest.fixture(scope="module")
def exported(tmp_path_factory, pair, new_head):
    """Everything that is written and run, in one process each."""
    for package in ("tensorflow", "ai_edge_litert", "tf2onnx", "onnxruntime"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("export")
    network = networks.recombine(*pair)
    features = pair[0].output_shape[1:], "features"
    jobs = [SavedModelExport(network, folder / "server")]
    runs = {"server": folder / "server"}
    for suffix, kind, parts in zip(
        SUFFIXES, (LiteRTExport, ONNXExport), (litert_pair, onnx_pair), strict=True
    ):
        whole, extractor, head, later = (
            folder / f"{name}{suffix}" for name in ("network", "extractor", "head", "new_head")
        )
        jobs += [
            kind(network, whole, class_names=NAMES),
            *parts(*pair, extractor, head, NAMES),
            kind(new_head, later, *features),
        ]
        runs |= {
            f"network{suffix}": (whole,),
            f"pair{suffix}": (extractor, head),
            f"new_head{suffix}": (extractor, later),
        }
    written = export(jobs)
    logits = evaluate_exported(list(runs.values()), IMAGES, batch_size=2)
    return SimpleNamespace(
        folder=folder,
        written={item.path.name: item for item in written},
        logits=dict(zip(runs, logits, strict=True)),
    )


@pytest.mark.once
@pytest.mark.parametrize(
    "name", ["server", *(f"{what}{suffix}" for suffix in SUFFIXES for what in ("network", "pair"))]
)
def test_logits_are_those_of_keras(exported, pair, name):
    logits = exported.logits[name]
    assert logits.dtype == "float32"
    np.testing.assert_allclose(logits, keras_outputs(IMAGES, *pair), atol=1e-3, rtol=0)
    assert np.abs(logits).max() > 0.05


@pytest.mark.once
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_new_head_works_with_the_extractor_file_shipped_before(exported, pair, new_head, suffix):
    expected = keras_outputs(IMAGES, pair[0], new_head)
    np.testing.assert_allclose(exported.logits[f"new_head{suffix}"], expected, atol=1e-3, rtol=0)
    assert expected.shape == (5, 4)


@pytest.mark.once
def test_normalization_is_folded_and_nothing_needs_flex(exported):
    for name in ("extractor", "head", "network"):
        written = exported.written[f"{name}.tflite"]
        assert litert_operators(written.path) == written.operators
        assert not [x for x in written.operators if x.startswith(("CUSTOM", "VAR", "READ"))]
        assert not {"RSQRT", "SUB"} & set(written.operators)
        written = exported.written[f"{name}.onnx"]
        assert written.format == "onnx" and written.size_bytes == written.path.stat().st_size
        assert not {"BatchNormalization", "Sqrt", "Sub", "Div"} & set(written.operators)
        assert written.operators["Conv"] > 1


@pytest.mark.once
@pytest.mark.parametrize("bad", ["CUSTOM:FlexErfinv", "CUSTOM:Own", "VAR_HANDLE", "READ_VARIABLE"])
def test_refuses_operators_outside_the_litert_set(bad):
    with pytest.raises(InputError, match=f"a.tflite would need {bad}"):
        check_operators({"CONV_2D": 3, bad: 1}, "a.tflite")


@pytest.mark.once
def test_files_say_what_goes_in_and_comes_out(exported, pair):
    onnxruntime = pytest.importorskip("onnxruntime")
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    features = pair[0].output_shape[1:]
    names = {"class_names": json.dumps(NAMES, ensure_ascii=False)}
    for part, taken, given, metadata in [
        ("network", ("images", SHAPE), ("logits", (3,)), names),
        ("extractor", ("images", SHAPE), ("features", features), {}),
        ("head", ("features", features), ("logits", (3,)), names),
    ]:
        signatures = interpreter(str(exported.folder / f"{part}.tflite")).get_signature_list()
        assert signatures == {"serving_default": {"inputs": [taken[0]], "outputs": [given[0]]}}
        session = onnxruntime.InferenceSession(exported.folder / f"{part}.onnx")
        for values, (name, shape) in (
            (session.get_inputs(), taken),
            (session.get_outputs(), given),
        ):
            found = [(value.name, value.shape, value.type) for value in values]
            assert found == [(name, ["batch", *shape], "tensor(float)")]
        assert session.get_modelmeta().custom_metadata_map == metadata


@pytest.mark.once
def test_weights_lie_in_the_files_and_nothing_is_left_over(exported, pair):
    for name, model in zip(("extractor.tflite", "head.tflite"), pair, strict=True):
        weights = 4 * sum(np.prod(v.shape) for v in model.trainable_variables)
        assert exported.written[name].size_bytes > 0.8 * weights
    beside = {p.with_suffix(".json").name for p in exported.folder.glob("*.*")}
    beside |= {"network.labels.txt", "head.labels.txt"}
    assert {p.name for p in exported.folder.iterdir()} <= {*exported.written, *beside}


@pytest.mark.once
def test_a_path_in_use_is_refused_before_any_work(pair, tmp_path):
    (tmp_path / "head.tflite").write_text("the one in use")
    pytest.importorskip("tensorflow")
    with pytest.raises(InputError, match="exists"):
        export(litert_pair(*pair, tmp_path / "extractor.tflite", tmp_path / "head.tflite"))
    assert (tmp_path / "head.tflite").read_text() == "the one in use"
    with pytest.raises(InputError, match="distinct paths"):
        export(litert_pair(*pair, tmp_path / "a.tflite", tmp_path / "a.tflite"))


@pytest.mark.once
def test_refuses_models_that_a_format_cannot_take_as_they_are(pair, tmp_path):
    pytest.importorskip("tf2onnx")
    extractor, head = pair
    for shape in (None, (4, 4, 9)):
        with pytest.raises(InputError, match="input_shape"):
            export([LiteRTExport(head, tmp_path / "head.tflite", shape)])
    with pytest.raises(InputError, match="input_shape .* expected whole numbers"):
        export([ONNXExport(head, tmp_path / "head.onnx")])
    batches = networks.build_extractor("resnet8:filters=4", SHAPE, interface_channels=8, seed=0)
    with pytest.raises(InputError, match="recalibrate"):
        export([LiteRTExport(batches, tmp_path / "extractor.tflite")])
    with pytest.raises(InputError, match="an ONNX file on a desktop takes one image at a time"):
        export([ONNXExport(batches, tmp_path / "extractor.onnx")])
    other = networks.build_head("mobilenet_v2_small", input_channels=9, seed=1)
    with pytest.raises(InputError, match="emits"):
        litert_pair(extractor, other, tmp_path / "a", tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.once
def test_without_a_package_the_extra_is_named(pair, tmp_path, monkeypatch):
    file, network = tmp_path / "a.onnx", networks.recombine(*pair)
    lite = tmp_path / "a.tflite"
    file.touch()
    lite.touch()
    one = np.zeros((1, *SHAPE))
    for package, extra, work in [
        ("tensorflow", "tensorflow", lambda: export_saved_model(network, tmp_path / "server")),
        ("tensorflow", "tensorflow", lambda: evaluate_saved_model(tmp_path, one)),
        ("ai_edge_litert", "tensorflow", lambda: evaluate_litert(lite, lite, one)),
        ("ai_edge_litert", "tensorflow", lambda: litert_operators(b"")),
        ("tf2onnx", "onnx", lambda: export([ONNXExport(network, tmp_path / "b.onnx")])),
        ("onnxruntime", "onnx", lambda: evaluate_exported([(file,)], one)),
    ]:
        with monkeypatch.context() as patch, pytest.raises(InputError) as caught:
            hidden = lambda name, hidden=package: None if name == hidden else object()  # noqa: E731
            patch.setattr(optional_dependencies, "find_spec", hidden)
            work()
        assert f"'{package}'" in str(caught.value) and f"keras_compat[{extra}]" in str(caught.value)


@pytest.mark.once
def test_missing_and_damaged_files_are_reported(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        evaluate_exported([tmp_path / "none"], IMAGES)
    with pytest.raises(InputError, match="no images"):
        evaluate_exported([tmp_path], IMAGES[:0])
    files = [tmp_path / f"bad{suffix}" for suffix in SUFFIXES]
    for file in files:
        pytest.importorskip({".onnx": "onnxruntime"}.get(file.suffix, "ai_edge_litert"))
        file.write_bytes(b"not a model")
        with pytest.raises(InputError, match=rf"{file.name} cannot be run: .*\S$") as caught:
            evaluate_exported([(file,)], IMAGES)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="expected files of one format"):
        evaluate_exported([tuple(files)], IMAGES)


@pytest.mark.once
def test_the_script_imports_nothing_but_the_runtimes():
    names = set()
    for node in ast.walk(ast.parse(Path(run_exported.__file__).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    own = {"json", "os", "sys", "concurrent"}
    assert names == own | {"numpy", "tensorflow", "onnxruntime", "ai_edge_litert"}


def test_works_on_jax_without_tensorflow():
    """Importing, evaluating and re-estimating statistics need no TensorFlow."""
    if keras.backend.backend() != "jax":
        pytest.skip("for the JAX backend")
    code = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "ai_edge_litert"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hidden())
import numpy as np
from keras_compat import deployment, evaluation, networks
from keras_compat.data import Examples
extractor = networks.build_extractor("resnet8@stem", (4, 4, 1), interface_channels=2, seed=0)
head = networks.build_head("resnet8@stage2", input_channels=2, classes=3, seed=0)
examples = Examples(np.zeros((2, 4, 4, 1), "uint8"), np.zeros(2, "int32"))
pair = deployment.recalibrate(extractor, head, examples.images)
print(evaluation.predict_logits(*pair, examples, statistics="moving")[0].shape)
"""
    done = python("-c", code)
    assert done.stdout.strip() == "(2, 3)", done.stderr
