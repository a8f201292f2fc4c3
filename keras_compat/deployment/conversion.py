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
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_compat.layers  # noqa: F401 registers the layers that the models hold
from keras_compat.deployment.folding import fold_normalization
from keras_compat.deployment.metadata import (
    Description,
    add_metadata,
    description_text,
    labels_text,
)
from keras_compat.deployment.operators import check_operators, litert_operators
from keras_compat.deployment.signatures import serving_signatures
from keras_compat.errors import InputError
from keras_compat.networks.copying import Copies
from keras_compat.networks.structure import is_functional


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
    if job["class_names"]:
        signatures |= serving_signatures(module.serve, shape, job["class_names"])
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
    channels = job["input_shape"][-1] if job["takes_images"] else None
    names = job["class_names"]
    about = Description(job["input_name"], job["output_name"], channels, names)
    content = add_metadata(content, about)
    Path(job["path"]).write_bytes(content)
    Path(job["json"]).write_text(description_text(content, about), encoding="utf-8")
    if names:
        Path(job["labels"]).write_text(labels_text(names), encoding="utf-8")
    return operators


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
        if job["takes_images"]:
            # With both ends of the range a pixel's value is its code: scale 1, nothing is rounded.
            inputs[0].flat[0], inputs[0].flat[-1] = 0, 255
        converter.representative_dataset = lambda: ([x[None]] for x in inputs)
        # Nothing is left in float32 for want of an operator of 8 bits: that ends in an error.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if job["uint8_input"]:
            converter.inference_input_type = tf.uint8


def write_onnx(model: keras.Model, job: dict[str, Any]) -> dict[str, int]:
    """Writes a model to the file `job["path"]`, batch size free; returns its operators."""
    import onnx
    import tf2onnx

    serve = _with_constants(model, (None, *job["input_shape"]), job)
    found, _ = tf2onnx.convert.from_function(serve, input_signature=serve.input_signature)
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
        return {job["output_name"]: outputs}

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


def main(request_file: str, reply_file: str) -> None:
    """Does the jobs of a request and writes the reply, both JSON."""
    results = []
    loaded: dict[str, keras.Model] = {}
    try:
        for job in json.loads(Path(request_file).read_text())["jobs"]:
            if job["model"] not in loaded:
                loaded[job["model"]] = _load(job["model"])
            start = time.perf_counter()
            operators = WRITERS[job["format"]](loaded[job["model"]], job)
            seconds = time.perf_counter() - start
            results.append({"operators": operators, "seconds": round(seconds, 3)})
        reply: dict[str, Any] = {"results": results}
    except InputError as error:
        reply = {"input_error": str(error)}
    Path(reply_file).write_text(json.dumps(reply))


if __name__ == "__main__":
    main(*sys.argv[1:])
