"""Small LiteRT files, and devices and updates of them, made without a converter in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_compat.store.package import file_record, sha256
from keras_compat.updates.archive import Archive, write_archives
from keras_compat.updates.device_client import head_file

IMAGE, FEATURES = (4, 4, 1), (4, 4, 2)
NAMES = ("cat", "dog", "frog")
FAMILY = "f" * 64
TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "bool": schema.TensorType.BOOL,
}


class Network:
    """A LiteRT file in the making: tensors and operators in the order that they run in."""

    def __init__(self, input_shape: Sequence[int], within: Network | None = None):
        new = schema.ModelT(version=3, operatorCodes=[], buffers=[schema.BufferT()])
        self._model = within._model if within else new
        self._further: list[Network] = []
        self._graph = schema.SubGraphT(tensors=[], operators=[])
        self.last = self._tensor(input_shape)
        self._graph.inputs = [self.last]

    def _tensor(
        self, shape: Sequence[int], values: np.ndarray | None = None, kind: str = "float32"
    ) -> int:
        buffer = 0
        if values is not None:
            buffer = len(self._model.buffers)
            self._model.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), "u1")))
        kind = kind if values is None else str(values.dtype)
        tensor = schema.TensorT(shape=list(shape), type=TYPES[kind], buffer=buffer, name="t")
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def add(
        self,
        operator: str,
        shape: Sequence[int],
        *constants: np.ndarray,
        takes: Sequence[int] | None = None,
        kind: str = "float32",
        **options: int,
    ) -> Network:
        """Adds an operator on what came last, whose output is of a shape."""
        code = getattr(schema.BuiltinOperator, operator)
        inputs = [self.last] if takes is None else list(takes)
        inputs += [self._tensor(values.shape, values) for values in constants]
        self.last = self._tensor(shape, kind=kind)
        kind = OPTIONS.get(operator)
        self._graph.operators.append(
            schema.OperatorT(
                opcodeIndex=len(self._model.operatorCodes),
                inputs=inputs,
                outputs=[self.last],
                builtinOptionsType=getattr(schema.BuiltinOptions, kind) if kind else 0,
                builtinOptions=getattr(schema, f"{kind}T")(**options) if kind else None,
            )
        )
        self._model.operatorCodes.append(
            schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code, version=1)
        )
        return self

    def endless_while_equal(self, shape: Sequence[int], value: float) -> Network:
        """Adds a loop that never ends if what came last is a value, and else is passed by."""
        condition, body = (Network(shape, self) for _ in range(2))
        condition.add("EQUAL", shape, np.full(shape, value, "float32"), kind="bool")
        loops = {"condSubgraphIndex": 1, "bodySubgraphIndex": 2}
        body.add("ADD", shape, np.zeros(shape, "float32"))
        self._further = [condition, body]
        return self.add("WHILE", shape, **loops)

    def content(self) -> bytes:
        """Returns the file's bytes; what came last is the output."""
        self._model.subgraphs = []
        for network in (self, *self._further):
            network._graph.outputs = [network.last]
            self._model.subgraphs.append(network._graph)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


OPTIONS = {
    "CONV_2D": "Conv2DOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "ADD": "AddOptions",
    "SUB": "SubOptions",
    "DIV": "DivOptions",
    "WHILE": "WhileOptions",
}


def extractor(light: float = 1.0) -> bytes:
    """Emits an image, and the image turned dark for light."""
    kernel = np.array([light, -1], "float32").reshape(2, 1, 1, 1)
    bias = np.array([0, 255], "float32")
    strides = {"strideH": 1, "strideW": 1}
    return Network((1, *IMAGE)).add("CONV_2D", (1, *FEATURES), kernel, bias, **strides).content()


def pooled() -> Network:
    """Returns the start of a head: the mean of each channel."""
    pool = {"strideH": 4, "strideW": 4, "filterHeight": 4, "filterWidth": 4}
    return Network((1, *FEATURES)).add("AVERAGE_POOL_2D", (1, 1, 1, 2), **pool)


def head(favourite: int = 0, classes: int = len(NAMES), weight: float = 1.0) -> bytes:
    """Says one class of light images, and the next of dark ones."""
    kernel = np.zeros((classes, 2), "float32")
    kernel[favourite % classes, 0] = kernel[(favourite + 1) % classes, 1] = weight / 255
    bias = np.zeros(classes, "float32")
    return pooled().add("FULLY_CONNECTED", (1, classes), kernel, bias).content()


def head_that_fails_at(grey: int, how: str) -> bytes:
    """A head that says class 2, but of images of one grey: there it never ends, or is no number."""
    network = pooled()
    light, bias = np.array([[1, 0]], "float32"), np.zeros(1, "float32")
    network.add("FULLY_CONNECTED", (1, 1), light, bias)
    network.add("REDUCE_MAX", (1,), np.array([1], "int32"))
    if how == "endless":
        network.endless_while_equal((1,), grey)
        network.add("DIV", (1,), np.full(1, 1000, "float32"))
    else:
        network.add("SUB", (1,), np.full(1, grey, "float32"))
        network.add("DIV", (1,), takes=(network.last, network.last))
    return network.add("ADD", (1, len(NAMES)), np.array([[0, 0, 5]], "float32")).content()


EXTRACTOR = extractor()
LIGHT = np.full(IMAGE, 250, "uint8")
DARK = np.zeros(IMAGE, "uint8")


def device(folder: Path, content: bytes = EXTRACTOR, **changes) -> Path:
    """Writes the folder of a device with an extractor."""
    folder.mkdir(parents=True)
    (folder / "extractor.tflite").write_bytes(content)
    about = {
        "schema_version": 1,
        "updates": "animals",
        "component": "phone@1",
        "sha256": sha256(content),
        "size": len(content),
        "quantization": "float32",
        "image_shape": IMAGE,
        "interface": FEATURES,
        "families": [FAMILY],
    }
    (folder / "device.json").write_text(json.dumps({**about, **changes}))
    return folder


def update(path: Path, number: int, content: bytes | None = None, **changes) -> Path:
    """Writes an update, by default one whose head says the class of its number of light images."""
    record = {
        "component": "phone@1",
        "sha256": sha256(EXTRACTOR),
        "quantization": "float32",
        "interface": FEATURES,
        "accuracy": 0.9,
        "images": 100,
    }
    other = record | {"sha256": "0" * 64, "component": "server@1"}
    files = {
        head_file(sha256(EXTRACTOR)): head(number) if content is None else content,
        head_file(other["sha256"]): head(number + 1),
    }
    said = {
        "schema_version": 1,
        "name": "animals",
        "number": number,
        "created": "2026-01-01T00:00:00Z",
        "class_names": NAMES,
        "families": (FAMILY,),
        "extractors": (record, other),
        "files": {name: vars(file_record(content)) for name, content in files.items()},
    }
    write_archives([Archive(path, said | changes, files)])
    return path
