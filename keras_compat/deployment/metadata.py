"""Metadata of LiteRT files: input range, kind of outputs, and class names.

The format is TensorFlow Lite's metadata, which Android Studio, MediaPipe and the Task Library read:
a flatbuffer in the file, and `labels.txt` in a zip archive at the file's end. This module builds it
field by field: of the two packages with a writer, that of mediapipe 1.2.3 ends in a
ModuleNotFoundError, and tflite-support 0.4.4 needs protobuf below 4.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from keras_compat.deployment.export_requirements import LOGITS, PROBABILITIES
from keras_compat.deployment.representative import PIXELS

LABELS = "labels.txt"
_FIELD, _IDENTIFIER, _MODEL_IDENTIFIER = "TFLITE_METADATA", b"M001", b"TFL3"
# All fields written here exist since the format's first version.
_PARSER = "1.0.0"
# Members of the schema's unions and enumerations.
_FEATURES, _IMAGE, _NORMALIZATION, _AXIS_LABELS = 1, 2, 1, 2
_COLOURS = {3: 1, 1: 2}
# The format has no field for the kind of outputs: its score calibration is a sigmoid per class.
_MEANINGS = {
    LOGITS: "Logits of the classes, any number; softmax makes probabilities of them.",
    PROBABILITIES: "Probabilities of the classes, 0 to 1.",
}


@dataclass(frozen=True)
class Description:
    """Description of a LiteRT file's input and output.

    Attributes:
        channels: Number of channels of the images; None for features.
        values: Kind of the outputs: `"features"`, `"logits"` or `"probabilities"`.
        image_range: Least and greatest value of the images.
        takes_pixels: Whether these two values are a black and a white pixel.
    """

    input_name: str
    output_name: str
    channels: int | None = None
    class_names: Sequence[str] = ()
    values: str = LOGITS
    image_range: tuple[float, float] = PIXELS
    takes_pixels: bool = True

    @property
    def normalization(self) -> tuple[float, float]:
        """Mean and standard deviation: `(pixel - mean) / std` is the input."""
        low, high = self.image_range
        std = 255 / (high - low)
        return 0.0 - low * std, std


def add_metadata(content: bytes, description: Description) -> bytes:
    """Returns a LiteRT file with metadata added and, if there are class names, `labels.txt`.

    Source: https://ai.google.dev/edge/litert/conversion/tensorflow/metadata and the schema,
    `metadata_schema.fbs` of MediaPipe.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    entry, held = schema.MetadataT(), schema.BufferT()
    held.data = np.frombuffer(build_metadata(description), np.uint8)
    entry.name, entry.buffer = _FIELD, len(model.buffers)
    model.buffers = [*model.buffers, held]
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), _MODEL_IDENTIFIER)
    packed = bytes(builder.Output())
    return _with_labels(packed, description.class_names) if description.class_names else packed


def description_text(content: bytes, description: Description) -> str:
    """Returns a file's description as JSON, for apps that call the interpreter themselves.

    Returns:
        JSON with `input` and `output`, each with name, shape, type and, for 8 bits, `scale` and
        `zero_point`: a value means `(value - zero_point) * scale`. For images it has their `range`
        and, if known, `mean` and `std`: `(pixel - mean) / std` is the input. The output has
        `values` (`"features"`, `"logits"` or `"probabilities"`) and the `classes`. `sha256` is the
        file's.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0)).subgraphs[0]
    types = {v: k.lower() for k, v in vars(schema.TensorType).items() if isinstance(v, int)}

    def tensor(name: str, index: int) -> dict[str, Any]:
        found = graph.tensors[index]
        shape = [int(size) for size in found.shape]
        about = {"name": name, "shape": shape, "type": types[found.type]}
        steps = found.quantization
        if steps is not None and steps.scale is not None and len(steps.scale):
            about |= {"scale": float(steps.scale[0]), "zero_point": int(steps.zeroPoint[0])}
        return about

    taken = tensor(description.input_name, graph.inputs[0])
    given = tensor(description.output_name, graph.outputs[0])
    if description.channels is not None:
        taken |= {"range": list(description.image_range)}
        if description.takes_pixels:
            mean, std = description.normalization
            taken |= {"mean": [mean], "std": [std]}
        taken["colour"] = {1: "grey", 3: "RGB"}.get(description.channels, "other")
    given["values"] = description.values
    if description.class_names:
        given["classes"] = list(description.class_names)
    about = {"input": taken, "output": given, "sha256": hashlib.sha256(content).hexdigest()}
    return json.dumps(about, indent=2, ensure_ascii=False) + "\n"


def labels_text(class_names: Sequence[str]) -> str:
    """Returns class names as the text of `labels.txt`, one name a line.

    Example:

    >>> labels_text(["cat", "dog"])
    'cat\\ndog\\n'
    """
    return "".join(f"{name}\n" for name in class_names)


def build_metadata(description: Description) -> bytes:
    """Returns the flatbuffer `ModelMetadata` for a description.

    Example:

    >>> build_metadata(Description("images", "logits", 3))[4:8]
    b'M001'
    """
    import flatbuffers

    build = _Tables(flatbuffers.Builder(256))
    subgraph = build.table(
        10,
        {
            2: build.list_of([_input(build, description)]),
            3: build.list_of([_output(build, description)]),
        },
    )
    what = f"{description.input_name} to {description.output_name}"
    fields = {
        0: build.text(what),
        3: build.list_of([subgraph]),
        7: build.text(_PARSER),
    }
    build.builder.Finish(build.table(8, fields), _IDENTIFIER)
    return bytes(build.builder.Output())


class _Tables:
    """Builder of flatbuffer tables; fields are numbered in the schema's order."""

    def __init__(self, builder: Any):
        self.builder = builder

    def text(self, value: str) -> int:
        return self.builder.CreateString(value)

    def table(
        self,
        fields: int,
        offsets: Mapping[int, int],
        numbers: Mapping[int, int] = MappingProxyType({}),
    ) -> int:
        self.builder.StartObject(fields)
        for field, offset in offsets.items():
            self.builder.PrependUOffsetTRelativeSlot(field, offset, 0)
        for field, number in numbers.items():
            self.builder.PrependUint8Slot(field, number, 0)
        return self.builder.EndObject()

    def list_of(self, offsets: Sequence[int]) -> int:
        return self._vector(offsets, self.builder.PrependUOffsetTRelative)

    def floats(self, values: Sequence[float]) -> int:
        return self._vector(values, self.builder.PrependFloat32)

    def _vector(self, values: Sequence[Any], prepend: Callable[[Any], None]) -> int:
        self.builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            prepend(value)
        return self.builder.EndVector()


def _input(build: _Tables, description: Description) -> int:
    if description.channels is None:
        return _tensor(build, description.input_name, "What an extractor emits.", _features(build))
    colour = _COLOURS.get(description.channels, 0)
    properties = build.table(2, {}, {0: colour})
    low, high = description.image_range
    further = {5: build.table(2, {0: build.floats([high]), 1: build.floats([low])})}
    text = f"Images with values from {low:g} to {high:g}."
    if description.takes_pixels:
        mean, std = description.normalization
        options = build.table(2, {0: build.floats([mean]), 1: build.floats([std])})
        further[4] = build.list_of([build.table(2, {1: options}, {0: _NORMALIZATION})])
        text = f"Pixels from {low:g} to {high:g}."
    content = build.table(3, {1: properties}, {0: _IMAGE})
    return _tensor(build, description.input_name, text, content, further)


def _output(build: _Tables, description: Description) -> int:
    further = {}
    if description.values == PROBABILITIES:
        further[5] = build.table(2, {0: build.floats([1.0]), 1: build.floats([0.0])})
    if description.class_names:
        file = build.table(
            5, {0: build.text(LABELS), 1: build.text("Names of the classes.")}, {2: _AXIS_LABELS}
        )
        further[6] = build.list_of([file])
    text = _MEANINGS.get(description.values, "What an extractor emits.")
    return _tensor(build, description.output_name, text, _features(build), further)


def _features(build: _Tables) -> int:
    return build.table(3, {1: build.table(0, {})}, {0: _FEATURES})


def _tensor(
    build: _Tables, name: str, text: str, content: int, further: dict[int, int] | None = None
) -> int:
    fields = {0: build.text(name), 1: build.text(text), 3: content, **(further or {})}
    return build.table(7, fields)


def _with_labels(content: bytes, class_names: Sequence[str]) -> bytes:
    """Appends the zip archive, uncompressed because phones read it in place."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        # `ZipInfo` has a fixed date: the same model gives the same file.
        archive.writestr(zipfile.ZipInfo(LABELS), labels_text(class_names))
    return file.getvalue()
