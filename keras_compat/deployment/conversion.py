"""Entry point of the process that writes SavedModels, LiteRT and ONNX files, see `export`.

Weights enter the traced function through `stateless_call`. For LiteRT and ONNX they are constants,
so that the converters fold normalization into the convolutions. (With variables, LiteRT's converter
leaves the weights outside of the graph; by way of a SavedModel it takes four times as long.) For
the SavedModel they are plain `tf.Variable`s, without Keras objects: the file loads twice as fast.
TensorFlow does not fold these, so this module folds normalization (benchmarks/saved_model.py).
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_compat.layers  # noqa: F401 registers the layers that the models hold
from keras_compat.deployment.checking import check_file, sample_inputs
from keras_compat.deployment.export_requirements import LOGITS, PROBABILITIES
from keras_compat.deployment.folding import fold_normalization
from keras_compat.deployment.metadata import (
    Description,
    add_metadata,
    description_text,
    labels_text,
)
from keras_compat.deployment.onnx_graph import onnx_model
from keras_compat.deployment.operators import check_operators, litert_operators
from keras_compat.deployment.signatures import serving_signatures
from keras_compat.errors import InputError
from keras_compat.networks.copying import Copies
from keras_compat.networks.structure import is_functional
from keras_compat.plugins import load_plugins

_LONGEST = 300
"""Maximum number of characters quoted from another library's error."""


def write_saved_model(model: keras.Model, job: dict[str, Any]) -> dict[str, int]:
    """Writes a model, normalization folded, to the folder `job["path"]` for any batch size."""
    write_unfolded(fold_normalization(model) if is_functional(model) else model, job)
    return {}


def write_unfolded(model: keras.Model, job: dict[str, Any]) -> None:
    """Writes a model, layer by layer, to the folder `job["path"]`."""
    import tensorflow as tf

    module = tf.Module()
    module.trained = [tf.Variable(v, trainable=False) for v in _arrays(model.trainable_variables)]
    module.others = [
        tf.Variable(v, trainable=False) for v in _arrays(model.non_trainable_variables)
    ]
    shape = (None, *model.input_shape[1:])
    module.serve = _function(model, module.trained, module.others, shape, job)
    signatures = {"serving_default": module.serve}
    (emitted,) = keras.tree.flatten(model.outputs)
    numbers = keras.backend.is_float_dtype(emitted.dtype)
    if numbers and (job["values"] == PROBABILITIES or (emitted.shape[-1] or 0) > 1):
        signatures |= serving_signatures(module.serve, shape, job["values"], job["class_names"])
    tf.saved_model.save(module, job["path"], signatures=signatures)


def write_litert(model: keras.Model, job: dict[str, Any]) -> dict[str, int]:
    """Writes a model to the file `job["path"]`, for one image; returns its operators."""
    import tensorflow as tf

    module = tf.Module()
    module.serve = _with_constants(model, (1, *job["input_shape"]), job)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.serve.get_concrete_function()], module
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    _quantize(converter, job)
    try:
        content = converter.convert()
    except Exception as error:
        # The converter has no error class for this case; its message lists the operators.
        outside = re.search(r"^(?:TF Select|Custom) ops: (.+)$", str(error), re.MULTILINE)
        if outside is None:
            raise
        names = outside.group(1).split(", ")
        check_operators({f"CUSTOM:Flex{name}": 1 for name in names}, job["name"])
    operators = litert_operators(content)
    check_operators(operators, job["name"])
    about, names = _description(job), job["class_names"]
    content = add_metadata(content, about)
    Path(job["path"]).write_bytes(content)
    Path(job["json"]).write_text(description_text(content, about), encoding="utf-8")
    if names:
        Path(job["labels"]).write_text(labels_text(names), encoding="utf-8")
    return operators


def _description(job: dict[str, Any]) -> Description:
    names = (job["input_name"], job["output_name"])
    about = Description(*names, class_names=job["class_names"], values=job["values"])
    if job["image_range"] is None or len(job["input_shape"]) != 3:
        return about
    ends, takes_pixels = job["image_range"]
    return replace(
        about, channels=job["input_shape"][-1], image_range=tuple(ends), takes_pixels=takes_pixels
    )


def _quantize(converter: Any, job: dict[str, Any]) -> None:
    """Sets the types in which LiteRT's converter stores weights and computes."""
    import tensorflow as tf

    quantization = job["quantization"]
    if quantization != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        inputs = np.load(job["representative"], allow_pickle=False)
        if job["image_range"] is not None and job["image_range"][1]:
            # With both ends of the range present, a pixel's value is its 8-bit code: no rounding.
            inputs[0].flat[0], inputs[0].flat[-1] = job["image_range"][0]
        converter.representative_dataset = lambda: ([x[None]] for x in inputs)
        # An operator without an 8-bit version is an error, not a float32 operator.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if job["uint8_input"]:
            converter.inference_input_type = tf.uint8


def write_onnx(model: keras.Model, job: dict[str, Any]) -> dict[str, int]:
    """Writes a model to the file `job["path"]` for any batch size; returns its operators."""
    import onnx

    found = onnx_model(_with_constants(model, (None, *job["input_shape"]), job))
    for value in (*found.graph.input, *found.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    if job["class_names"]:
        names = json.dumps(job["class_names"], ensure_ascii=False)
        onnx.helper.set_model_props(found, {"class_names": names})
    onnx.checker.check_model(found, full_check=True)
    onnx.save(found, job["path"])
    return dict(sorted(Counter(node.op_type for node in found.graph.node).items()))


WRITERS = {"saved_model": write_saved_model, "litert": write_litert, "onnx": write_onnx}


def _arrays(variables: list[keras.Variable]) -> list[Any]:
    return [keras.ops.convert_to_numpy(v) for v in variables]


def _with_constants(model: keras.Model, shape: tuple[int | None, ...], job: dict[str, Any]) -> Any:
    trained, others = _arrays(model.trainable_variables), _arrays(model.non_trainable_variables)
    return _function(model, trained, others, shape, job)


def _function(
    model: keras.Model,
    trained: list[Any],
    others: list[Any],
    shape: tuple[int | None, ...],
    job: dict[str, Any],
) -> Any:
    import tensorflow as tf

    def serve(inputs: Any) -> dict[str, Any]:
        outputs, _ = model.stateless_call(trained, others, inputs, training=False)
        (outputs,) = keras.tree.flatten(outputs)
        return {job["output_name"]: keras.ops.softmax(outputs) if job["softmax"] else outputs}

    spec = tf.TensorSpec(shape, tf.float32, name=job["input_name"])
    return tf.function(serve, input_signature=[spec], autograph=False)


def _load(path: str) -> keras.Model:
    """Loads a model; rebuilds a model of another precision in float32."""
    model = keras.saving.load_model(path, compile=False)
    layers = [layer for layer in model._flatten_layers() if not isinstance(layer, keras.Model)]
    if all(layer.compute_dtype == layer.variable_dtype == "float32" for layer in layers):
        return model

    def in_float32(layer: keras.layers.Layer, config: dict[str, Any]) -> tuple[type, dict]:
        is_float = keras.backend.is_float_dtype(layer.dtype)
        return type(layer), {**config, "dtype": "float32"} if is_float else config

    copies = Copies(in_float32)
    single = copies.of(model)
    copies.finish()
    return single


def write(model: keras.Model, job: dict[str, Any]) -> dict[str, int]:
    """Writes a model as a job says and runs the file once; returns its operators.

    Raises:
        InputError: If the model cannot be written, or the file returns other numbers than Keras.
    """
    with _as_input_error(job):
        inputs = sample_inputs(model, job)
        (expected,) = keras.tree.flatten(model(inputs, training=False))
        job |= _detected_probabilities(keras.ops.convert_to_numpy(expected), job)
        if job["softmax"]:
            expected = keras.ops.softmax(expected)
        operators = WRITERS[job["format"]](model, job)
        check_file(inputs, keras.ops.convert_to_numpy(expected), job)
    return operators


@contextmanager
def _as_input_error(job: dict[str, Any]) -> Iterator[None]:
    """Turns any error of Keras, TensorFlow, tf2onnx, onnx or a runtime into an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        what = f"{job['name']} ({job['format']})"
        raise InputError(f"{what} cannot be written: {_one_line(error)}") from error


def _detected_probabilities(outputs: np.ndarray, job: dict[str, Any]) -> dict[str, Any]:
    """Returns changes to a job whose model emits probabilities that its layers do not reveal."""
    if job["values"] == LOGITS or job["softmax"]:
        sums = outputs.sum(axis=-1)
        if outputs.shape[-1] > 1 and outputs.min() >= 0 and np.allclose(sums, 1, atol=1e-4):
            name = PROBABILITIES if job["output_name"] == LOGITS else job["output_name"]
            return {"values": PROBABILITIES, "softmax": False, "output_name": name}
    return {}


def _one_line(error: object) -> str:
    """Returns an error's message as one line of limited length."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
    # Keras puts the configuration of the whole model before the layer that is at fault.
    text = text.rsplit("Exception encountered: ", 1)[-1]
    # TensorFlow names where in a program it was, before and after what it says.
    text = re.sub(r"\{\{.*?\}\} *| *\[Op:.*$", "", text)
    line = " ".join(text.split()) or type(error).__name__
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def main(request_file: str, reply_file: str) -> None:
    """Does the jobs of a request and writes the reply, both JSON."""
    load_plugins()  # a model may have their layers
    results = []
    loaded: dict[str, keras.Model] = {}
    try:
        for job in json.loads(Path(request_file).read_text())["jobs"]:
            # `run_python` reads this reply if the process dies here.
            name = f"{job['name']} ({job['format']})"
            Path(reply_file).write_text(json.dumps({"at_work_on": name}))
            if job["model"] not in loaded:
                with _as_input_error(job):
                    loaded[job["model"]] = _load(job["model"])
            start = time.perf_counter()
            operators = write(loaded[job["model"]], job)
            seconds = time.perf_counter() - start
            results.append({"operators": operators, "seconds": round(seconds, 3)})
        reply: dict[str, Any] = {"results": results}
    except InputError as error:
        reply = {"input_error": str(error)}
    Path(reply_file).write_text(json.dumps(reply))


if __name__ == "__main__":
    main(*sys.argv[1:])
