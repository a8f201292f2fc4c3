"""Files say whether they give logits or probabilities, and give softmax once where it is asked."""

from __future__ import annotations

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers, ops
from scipy.special import softmax

from keras_compat.deployment import (
    LiteRTExport,
    ONNXExport,
    SavedModelExport,
    litert_pair,
    onnx_pair,
)
from keras_compat.errors import InputError
from tests.deployment.in_process import export, model_metadata, run

pytestmark = pytest.mark.once
SHAPE = (8, 8, 3)
NAMES = ("cat", "dog", "horse", "frog")
IMAGES = np.random.default_rng(0).integers(0, 256, (3, *SHAPE), "uint8")


def network(end=lambda x: x):
    inputs = keras.Input(SHAPE)
    logits = layers.Dense(4, kernel_initializer="glorot_normal")(layers.Flatten()(inputs / 64))
    return keras.Model(inputs, end(logits))


def as_parts(model):
    """A network as an extractor and a head."""
    taken = keras.Input(SHAPE)
    features = keras.Input((192,))
    head = keras.Model(features, model.layers[-1](features))
    return keras.Model(taken, layers.Flatten()(taken / 64)), head


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Files of a network of logits, of one of probabilities and of one that hides them."""
    pytest.importorskip("tf2onnx")
    folder = tmp_path_factory.mktemp("probabilities")
    logits = network()
    ending = keras.Model(logits.inputs, layers.Softmax()(logits.outputs[0]))
    taken = logits.inputs[0]
    powers = ops.exp(logits.outputs[0])
    hidden = keras.Model(taken, powers / ops.sum(powers, axis=-1, keepdims=True))
    parts = as_parts(logits)
    asked = {"class_names": NAMES, "probabilities": True}
    jobs = [
        SavedModelExport(logits, folder / "logits", NAMES),
        SavedModelExport(ending, folder / "ending", NAMES),
        SavedModelExport(hidden, folder / "hidden", NAMES),
        *litert_pair(*parts, folder / "extractor.tflite", folder / "head.tflite", **asked),
        *onnx_pair(*parts, folder / "extractor.onnx", folder / "head.onnx", **asked),
    ]
    for kind, suffix in ((LiteRTExport, ".tflite"), (ONNXExport, ".onnx")):
        jobs += [
            kind(logits, folder / f"logits{suffix}", class_names=NAMES),
            kind(logits, folder / f"asked{suffix}", **asked),
            kind(ending, folder / f"ending{suffix}", class_names=NAMES),
            kind(ending, folder / f"twice{suffix}", **asked),
            kind(hidden, folder / f"hidden{suffix}", **asked),
        ]
    export(jobs)
    expected = logits.predict_on_batch(IMAGES.astype("float32"))
    return SimpleNamespace(folder=folder, logits=expected, scores=softmax(expected, axis=1))


FILES = ("logits", "asked", "ending", "twice", "hidden")


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_softmax_is_there_once(written, suffix):
    files = [(written.folder / f"{name}{suffix}",) for name in FILES]
    files.append((written.folder / f"extractor{suffix}", written.folder / f"head{suffix}"))
    first, *others = (run(IMAGES, *file) for file in files)
    np.testing.assert_allclose(first, written.logits, atol=1e-4)
    assert np.ptp(written.scores) > 0.1
    for found in others:
        np.testing.assert_allclose(found, written.scores, atol=1e-5)


@pytest.mark.parametrize("name", [*FILES, "head"])
def test_names_say_what_comes_out(written, name):
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter

    expected = "logits" if name == "logits" else "probabilities"
    session = onnxruntime.InferenceSession(written.folder / f"{name}.onnx")
    assert [value.name for value in session.get_outputs()] == [expected]
    signature = Interpreter(str(written.folder / f"{name}.tflite")).get_signature_list()
    assert signature["serving_default"]["outputs"] == [expected]
    about = json.loads((written.folder / f"{name}.json").read_text())["output"]
    assert (about["name"], about["values"]) == (expected, expected)
    metadata = model_metadata(written.folder / f"{name}.tflite")
    (given,) = metadata.subgraphMetadata[0].outputTensorMetadata
    assert given.name.decode() == expected
    if name == "logits":
        assert b"softmax makes probabilities" in given.description and given.stats is None
    else:
        assert b"0 to 1" in given.description
        assert (list(given.stats.min), list(given.stats.max)) == ([0], [1])


@pytest.mark.parametrize("name", ["logits", "ending", "hidden"])
def test_a_server_has_a_signature_for_them(written, name):
    import tensorflow as tf

    signatures = tf.saved_model.load(written.folder / name).signatures
    default = "logits" if name == "logits" else "probabilities"
    images = tf.constant(IMAGES, "float32")
    found = signatures["serving_default"](images=images)[default]
    expected = written.logits if name == "logits" else written.scores
    np.testing.assert_allclose(found, expected, atol=1e-4)
    found = signatures["probabilities"](images=images)["probabilities"]
    np.testing.assert_allclose(found, written.scores, atol=1e-5)
    found = signatures["pixels"](images=tf.constant(IMAGES))["scores"]
    np.testing.assert_allclose(found, written.scores, atol=1e-5)


@pytest.mark.parametrize("kind", [LiteRTExport, ONNXExport])
@pytest.mark.parametrize(
    ("end", "how", "message"),
    [
        (layers.Identity(), {"output_name": "probabilities"}, "which emits logits"),
        (layers.Identity(), {"output_name": "logits", "probabilities": True}, "which emits prob"),
        (layers.Softmax(), {"output_name": "logits"}, "which emits probabilities"),
        (
            layers.Identity(),
            {"output_name": "features", "probabilities": True},
            "output 'features'",
        ),
        (layers.Dense(1), {"probabilities": True}, "which has 1 output; expected one for each"),
    ],
)
def test_what_cannot_be_meant(tmp_path, kind, end, how, message):
    with pytest.raises(InputError, match=message):
        export([kind(network(end), tmp_path / "m", **how)])


@pytest.mark.parametrize(
    "name",
    ["a\nb", "a\rb", "a\x85b", "a\u2028b", "", " ", "\x1b[31m", "a\udce9", "a\u202eb", "\x00", 3],
)
@pytest.mark.parametrize("kind", [SavedModelExport, LiteRTExport, ONNXExport])
def test_class_names_that_would_shift_the_labels(tmp_path, kind, name):
    with pytest.raises(InputError, match="2 class names for .*; expected the 4 of the network"):
        export([kind(network(), tmp_path / "m", class_names=("cat", name))])
    with pytest.raises(InputError, match="expected each to be one line of text"):
        export([kind(network(), tmp_path / "m", class_names=("cat", "dog", name, "frog"))])
    assert list(tmp_path.iterdir()) == []
