"""Conversion of a TensorFlow function to ONNX, with the cases that tf2onnx alone gets wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def onnx_model(function: Any) -> Any:
    """Returns a function's computation as an ONNX model.

    Args:
        function: TensorFlow function with an `input_signature` of one tensor, which returns a dict
            of tensors; its weights are constants.

    Returns:
        `onnx.ModelProto`.

    Raises:
        RuntimeError: If an operator cannot be converted; the message names it and its layer.

    Source: https://github.com/onnx/tensorflow-onnx.
    """
    import tf2onnx

    plain = _plain(function)
    with _errors_of("tf2onnx") as errors:
        found, _ = tf2onnx.convert.from_function(
            plain, plain.input_signature, custom_op_handlers=_HANDLERS
        )
    # tf2onnx continues after an error and returns a model that cannot be run.
    if errors:
        raise RuntimeError(errors[0])
    _round_up_scales(found)
    return found


def _plain(function: Any) -> Any:
    """Returns the function without captured tensors and without requests for XLA.

    Captured tensors, which layers hold beside their weights, would become further inputs of the
    file. Keras compiles a convolution in groups with XLA, an operator that ONNX does not have.
    """
    import tensorflow as tf

    concrete = function.get_concrete_function()
    held = {inside.name: _value(outside, inside) for outside, inside in concrete.graph.captures}
    (taken,) = (x.name for x in concrete.inputs if x.name not in held)
    graph = concrete.graph.as_graph_def()
    for nodes in (graph.node, *(part.node_def for part in graph.library.function)):
        for node in nodes:
            node.attr.pop(_XLA, None)
    for part in graph.library.function:
        part.attr.pop(_XLA, None)

    def serve(inputs: Any) -> dict[str, Any]:
        known = {name: tf.constant(value) for name, value in held.items()}
        names = [x.name for x in concrete.outputs]
        found = tf.graph_util.import_graph_def(graph, {taken: inputs} | known, names, name="")
        for tensor, source in zip(found, concrete.outputs, strict=True):
            tensor.set_shape(source.shape)
        return dict(zip(concrete.structured_outputs, found, strict=True))

    return tf.function(serve, input_signature=function.input_signature, autograph=False)


def _value(outside: Any, inside: Any) -> np.ndarray:
    if outside.dtype.name in ("resource", "variant"):
        raise RuntimeError(f"{inside.op.name} is a table, which ONNX cannot hold")
    return outside.numpy()


def _round_up_scales(model: Any) -> None:
    """Rounds the scales of resized images up, so that each image gets its intended size.

    ONNX computes the size as the integer part of size times scale in float32: 12 x 7/12 becomes 6.
    """
    from onnx import numpy_helper

    scales = {node.input[2] for node in model.graph.node if node.op_type == "Resize"}
    for constant in model.graph.initializer:
        if constant.name in scales and constant.dims[0]:
            scale = numpy_helper.to_array(constant)
            up = np.where(scale == 1, scale, np.nextafter(scale, np.float32(np.inf)))
            constant.CopyFrom(numpy_helper.from_array(up, constant.name))


def _handler(write: Callable[[Callable[..., str], str, str], list]) -> tuple[Callable, list]:
    """Returns a handler for tf2onnx that replaces an operator by others.

    Args:
        write: Function of three arguments: a function that adds an operator, the name of its input
            and the name of the constant 1. It returns the last operator and its inputs.
    """

    def handle(context: Any, node: Any, name: str, args: list[Any]) -> None:
        how = {
            "dtypes": [context.get_dtype(node.output[0])],
            "shapes": [context.get_shape(node.output[0])],
        }
        value, outputs = node.input[0], node.output
        context.remove_node(node.name)
        one = context.make_const(f"{name}/one", np.array(1, "float32")).output[0]
        last, inputs = write(
            lambda op, *x: context.make_node(op, [*x], **how).output[0], value, one
        )
        context.make_node(last, inputs, outputs=outputs, **how)

    return handle, []


_HANDLERS = {
    # Used by exact GELU.
    "Erfc": _handler(lambda add, x, one: ("Sub", [one, add("Erf", x)])),
    "Expm1": _handler(lambda add, x, one: ("Sub", [add("Exp", x), one])),
    "Log1p": _handler(lambda add, x, one: ("Log", [add("Add", x, one)])),
}
_XLA = "_XlaMustCompile"


@contextmanager
def _errors_of(logger: str) -> Iterator[list[str]]:
    """Collects the errors that a package logs."""
    found: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: found.append(record.getMessage())
    logging.getLogger(logger).addHandler(handler)
    try:
        yield found
    finally:
        logging.getLogger(logger).removeHandler(handler)
