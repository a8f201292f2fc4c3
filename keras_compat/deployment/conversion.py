"""The process that writes SavedModels, LiteRT and ONNX files: `python -m` this, see `export`.

Weights enter the traced function through `stateless_call`: as constants for LiteRT and ONNX, whose
converters then fold normalization into the convolutions (with variables LiteRT's leaves the weights
outside of the graph, or takes four times as long by way of a SavedModel), and as plain
`tf.Variable`s for the SavedModel, which loads twice as fast without Keras' own objects in it.
Nothing folds those, so normalization is folded here (benchmarks/saved_model.py).
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

_LONGEST = 300
"""Characters of what is told of another library's error."""


def write_saved_model(model: keras.Model, job: dict[str, Any]) -> dict[str, int]:
    """Writes a model to the folder `job["path"]`, batch size free; returns no operators."""
    write_as_it_is(fold_normalization(model) if is_functional(model) else model, job)
    return {}


def write_as_it_is(model: keras.Model, job: dict[str, Any]) -> None:
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
        # The converter has no error of its own for this case; it lists the operators in the text.
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
    """Tells LiteRT's converter in which types to store and to compute."""
    import tensorflow as tf

    quantization = job["quantization"]
    if quantization != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        inputs = np.load(job["representative"], allow_pickle=False)
        if job["image_range"] is not None and job["image_range"][1]:
            # With both ends of the range a pixel's value is its code: nothing is rounded.
            inputs[0].flat[0], inputs[0].flat[-1] = job["image_range"][0]
        converter.representative_dataset = lambda: ([x[None]] for x in inputs)
        # Nothing is left in float32 for want of an operator of 8 bits: that ends in an error.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if job["uint8_input"]:
            converter.inference_input_type = tf.uint8


def write_onnx(model: keras.Model, job: dict[str, Any]) -> dict[str, int]:
    """Writes a model to the file `job["path"]`, batch size free; returns its operators."""
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
    """Loads a model; one of another precision than float32 is rebuilt in float32."""
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
        InputError: if the model cannot be written, or the file does not give what Keras does.
    """
    with _in_one_line(job):
        inputs = sample_inputs(model, job)
        (expected,) = keras.tree.flatten(model(inputs, training=False))
        job |= _what_it_is(keras.ops.convert_to_numpy(expected), job)
        if job["softmax"]:
            expected = keras.ops.softmax(expected)
        operators = WRITERS[job["format"]](model, job)
        check_file(inputs, keras.ops.convert_to_numpy(expected), job)
    return operators


@contextmanager
def _in_one_line(job: dict[str, Any]) -> Iterator[None]:
    """Makes an `InputError` of any error of Keras, TensorFlow, tf2onnx, onnx or a runtime."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        what = f"{job['name']} ({job['format']})"
        raise InputError(f"{what} cannot be written: {_told(error)}") from error


def _what_it_is(outputs: np.ndarray, job: dict[str, Any]) -> dict[str, Any]:
    """Says of outputs that they are probabilities already, also of a layer that nobody knows."""
    if job["values"] == LOGITS or job["softmax"]:
        sums = outputs.sum(axis=-1)
        if outputs.shape[-1] > 1 and outputs.min() >= 0 and np.allclose(sums, 1, atol=1e-4):
            name = PROBABILITIES if job["output_name"] == LOGITS else job["output_name"]
            return {"values": PROBABILITIES, "softmax": False, "output_name": name}
    return {}


def _told(error: object) -> str:
    """Returns what an error of a library says, as one line of a length that is read."""
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
    results = []
    loaded: dict[str, keras.Model] = {}
    try:
        for job in json.loads(Path(request_file).read_text())["jobs"]:
            # It is what is read if this process ends here.
            name = f"{job['name']} ({job['format']})"
            Path(reply_file).write_text(json.dumps({"at_work_on": name}))
            if job["model"] not in loaded:
                with _in_one_line(job):
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
