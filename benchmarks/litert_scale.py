"""LiteRT parts of 8 bits that exchange features in 8 bits, with one scale for all heads.

`deployment` lets a quantized extractor emit float32, which a quantized head brings to its own
scale. Here both files lose that: the extractor emits int8 at a given scale and the head takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

Scale = tuple[float, int]
"""What a value of 8 bits stands for: scale and zero point."""


def with_ends(features: np.ndarray, low: float, high: float) -> np.ndarray:
    """Returns features for the converter that give every head the same scale for its input."""
    clipped = np.clip(features, low, high)
    clipped[0].flat[0], clipped[0].flat[-1] = low, high
    return clipped


def head_in_int8(content: bytes) -> tuple[bytes, Scale]:
    """Takes the step from float32 off a head's beginning; returns its scale as well."""
    model, graph = _graph(content)
    (first,) = [op for op in graph.operators if graph.inputs[0] in op.inputs]
    _remove(model, graph, first, "QUANTIZE")
    graph.inputs = [int(first.outputs[0])]
    model.signatureDefs[0].inputs[0].tensorIndex = graph.inputs[0]
    steps = graph.tensors[graph.inputs[0]].quantization
    return _pack(model), (float(steps.scale[0]), int(steps.zeroPoint[0]))


def extractor_in_int8(content: bytes, scale: Scale) -> bytes:
    """Takes the step to float32 off an extractor's end and gives what it emits another scale.

    The interpreter computes a convolution's or an addition's factors from the scales in the file
    when it loads it, so this costs nothing, and values outside saturate.
    """
    model, graph = _graph(content)
    (last,) = [op for op in graph.operators if graph.outputs[0] in op.outputs]
    _remove(model, graph, last, "DEQUANTIZE")
    graph.outputs = [int(last.inputs[0])]
    model.signatureDefs[0].outputs[0].tensorIndex = graph.outputs[0]
    (maker,) = [op for op in graph.operators if graph.outputs[0] in op.outputs]
    if _name(model, maker) not in ("CONV_2D", "ADD"):
        raise ValueError(f"{_name(model, maker)} emits the features; expected CONV_2D or ADD")
    if [op for op in graph.operators if graph.outputs[0] in op.inputs]:
        raise ValueError("the features are used inside of the extractor too; expected at its end")
    steps = graph.tensors[graph.outputs[0]].quantization
    steps.scale, steps.zeroPoint = np.array([scale[0]], np.float32), np.array([scale[1]], np.int64)
    return _pack(model)


class Chain:
    """LiteRT files that run one after another, with nothing between where the types agree."""

    def __init__(self, contents: Sequence[bytes], threads: int = 1):
        self.parts: list[tuple[Any, dict, dict]] = []
        for content in contents:
            part = Interpreter(model_content=content, num_threads=threads)
            part.allocate_tensors()
            self.parts.append((part, part.get_input_details()[0], part.get_output_details()[0]))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        x = image[None]
        for part, inputs, outputs in self.parts:
            part.set_tensor(inputs["index"], x.astype(inputs["dtype"], copy=False))
            part.invoke()
            x = part.get_tensor(outputs["index"])
        return x[0]


def meets_in_int8(chain: Chain) -> bool:
    """Says whether a head takes just what an extractor emits."""
    (_, _, given), (_, taken, _) = chain.parts
    return given["dtype"] == taken["dtype"] == np.int8 and (
        given["quantization"] == taken["quantization"]
    )


def _graph(content: bytes) -> tuple[Any, Any]:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    return model, model.subgraphs[0]


def _name(model: Any, operator: Any) -> str:
    code = model.operatorCodes[operator.opcodeIndex]
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    return names[max(code.builtinCode, code.deprecatedBuiltinCode)]


def _remove(model: Any, graph: Any, operator: Any, expected: str) -> None:
    if _name(model, operator) != expected:
        raise ValueError(f"{_name(model, operator)} is at the edge; expected {expected}")
    graph.operators.remove(operator)


def _pack(model: Any) -> bytes:
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
