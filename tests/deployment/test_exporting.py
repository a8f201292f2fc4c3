"""Exported files give Keras' logits in a process without this package and without Keras."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_compat import networks
from keras_compat.deployment import (
    LiteRTExport,
    SavedModelExport,
    evaluate_exported,
    evaluate_litert,
    evaluate_saved_model,
    export,
    export_litert,
    export_saved_model,
    litert_operators,
    litert_pair,
    optional_dependencies,
    recalibrate,
    run_exported,
)
from keras_compat.errors import InputError
from tests.deployment.in_process import keras_outputs, random_images

SHAPE = (8, 8, 1)


def build_pair(classes=3):
    extractor = networks.build_extractor("resnet8:filters=4", SHAPE, interface_channels=8, seed=0)
    head = networks.build_head("mobilenet_v2_small", input_channels=8, classes=classes, seed=1)
    return extractor, head


@pytest.fixture(scope="module")
def images():
    return random_images(5, SHAPE, 0)


@pytest.fixture(scope="module")
def pair():
    return recalibrate(*build_pair(), random_images(16, SHAPE))


@pytest.fixture(scope="module")
def new_head(pair):
    """A head for one class more, shipped later to the extractor that is in use."""
    head = networks.build_head("mobilenet_v2_small", input_channels=8, classes=4, seed=2)
    return recalibrate(pair[0], head, random_images(16, SHAPE, 2), keep_extractor=True)[1]


@pytest.fixture(scope="module")
def mixed():
    """A pair that computes in bfloat16."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return recalibrate(*build_pair(), random_images(16, SHAPE))
    finally:
        keras.config.set_dtype_policy(before)


@pytest.fixture(scope="module")
def exported(tmp_path_factory, pair, new_head, mixed, images):
    """Everything that is written and run, in one process each."""
    pytest.importorskip("tensorflow")
    pytest.importorskip("ai_edge_litert")
    folder = tmp_path_factory.mktemp("export")
    network = networks.recombine(*pair)
    written = export(
        [
            SavedModelExport(network, folder / "server"),
            *litert_pair(*pair, folder / "extractor.tflite", folder / "head.tflite"),
            LiteRTExport(network, folder / "network.tflite"),
            LiteRTExport(
                new_head, folder / "new_head.tflite", pair[0].output_shape[1:], "features"
            ),
            SavedModelExport(networks.recombine(*mixed), folder / "mixed"),
            LiteRTExport(networks.recombine(*mixed), folder / "mixed.tflite"),
        ]
    )
    runs = {
        "server": folder / "server",
        "pair": (folder / "extractor.tflite", folder / "head.tflite"),
        "network": (folder / "network.tflite",),
        "new_head": (folder / "extractor.tflite", folder / "new_head.tflite"),
        "mixed": folder / "mixed",
        "mixed_litert": (folder / "mixed.tflite",),
    }
    logits = evaluate_exported(list(runs.values()), images, batch_size=2)
    return SimpleNamespace(
        folder=folder,
        written={item.path.name: item for item in written},
        logits=dict(zip(runs, logits, strict=True)),
    )


@pytest.mark.once
@pytest.mark.parametrize("name", ["server", "pair", "network"])
def test_logits_are_those_of_keras(exported, pair, images, name):
    logits = exported.logits[name]
    assert logits.dtype == "float32"
    np.testing.assert_allclose(logits, keras_outputs(images, *pair), atol=1e-3, rtol=0)
    assert np.abs(logits).max() > 0.05


@pytest.mark.once
def test_a_new_head_works_with_the_extractor_file_shipped_before(exported, pair, new_head, images):
    expected = keras_outputs(images, pair[0], new_head)
    np.testing.assert_allclose(exported.logits["new_head"], expected, atol=1e-3, rtol=0)
    assert expected.shape == (5, 4)


@pytest.mark.once
@pytest.mark.parametrize("name", ["mixed", "mixed_litert"])
def test_reduced_precision_is_written_as_float32(exported, mixed, images, name):
    single = build_pair()
    for model, source in zip(single, mixed, strict=True):
        model.set_weights(source.get_weights())
        for layer in model._flatten_layers():
            if hasattr(layer, "statistics"):
                layer.statistics = "moving"
    expected = keras_outputs(images, *single)
    np.testing.assert_allclose(exported.logits[name], expected, atol=1e-3, rtol=0)


@pytest.mark.once
def test_normalization_is_folded_and_nothing_needs_flex(exported):
    for name in ("extractor.tflite", "head.tflite", "network.tflite", "mixed.tflite"):
        operators = litert_operators(exported.folder / name)
        assert operators == exported.written[name].operators
        assert not [x for x in operators if x.startswith(("CUSTOM", "VAR", "READ"))]
        assert "RSQRT" not in operators
        assert "SUB" not in operators


@pytest.mark.once
def test_files_say_what_goes_in_and_comes_out(exported):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    for name, inputs, outputs in [
        ("extractor.tflite", ["images"], ["features"]),
        ("head.tflite", ["features"], ["logits"]),
        ("network.tflite", ["images"], ["logits"]),
    ]:
        signatures = interpreter(str(exported.folder / name)).get_signature_list()
        assert signatures == {"serving_default": {"inputs": inputs, "outputs": outputs}}


@pytest.mark.once
def test_weights_lie_in_the_files_and_nothing_is_left_over(exported, pair):
    for name, model in zip(("extractor.tflite", "head.tflite"), pair, strict=True):
        weights = 4 * sum(np.prod(v.shape) for v in model.trainable_variables)
        assert exported.written[name].size_bytes > 0.8 * weights
    descriptions = {p.with_suffix(".json").name for p in exported.folder.glob("*.tflite")}
    assert {p.name for p in exported.folder.iterdir()} == {*exported.written, *descriptions}


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
def test_refuses_models_that_litert_cannot_take_as_they_are(pair, tmp_path):
    pytest.importorskip("tensorflow")
    head = pair[1]
    with pytest.raises(InputError, match="input_shape"):
        export_litert(head, tmp_path / "head.tflite")
    with pytest.raises(InputError, match="input_shape"):
        export_litert(head, tmp_path / "head.tflite", (4, 4, 9))
    with pytest.raises(InputError, match="recalibrate"):
        export_litert(build_pair()[0], tmp_path / "extractor.tflite")
    other = networks.build_head("mobilenet_v2_small", input_channels=9, seed=1)
    with pytest.raises(InputError, match="emits"):
        litert_pair(pair[0], other, tmp_path / "a", tmp_path / "b")


@pytest.mark.once
def test_without_tensorflow_the_extra_is_named(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(optional_dependencies, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"'tensorflow'.*keras_compat\[tensorflow\]"):
        export_saved_model(pair[0], tmp_path / "server")
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match=r"'tensorflow'.*keras_compat\[tensorflow\]"):
        evaluate_saved_model(tmp_path / "a", np.zeros((1, *SHAPE)))
    with pytest.raises(InputError, match=r"'ai_edge_litert'.*keras_compat\[tensorflow\]"):
        evaluate_litert(tmp_path / "a", tmp_path / "a", np.zeros((1, *SHAPE)))
    with pytest.raises(InputError, match=r"keras_compat\[tensorflow\]"):
        litert_operators(b"")


@pytest.mark.once
def test_missing_and_damaged_files_are_reported(tmp_path, images):
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(InputError, match="does not exist"):
        evaluate_exported([tmp_path / "none"], images)
    with pytest.raises(InputError, match="no images"):
        evaluate_exported([tmp_path], images[:0])
    (tmp_path / "bad.tflite").write_bytes(b"not a model")
    with pytest.raises(InputError, match=r"bad\.tflite cannot be run: .*\S$"):
        evaluate_exported([(tmp_path / "bad.tflite",)], images)


@pytest.mark.once
def test_the_script_imports_nothing_but_the_runtimes():
    tree = ast.parse(Path(run_exported.__file__).read_text())
    names = set()
    for node in ast.walk(tree):
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
    root = str(Path(networks.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.stdout.strip() == "(2, 3)", done.stderr
