"""Jobs that write ONNX files for desktops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import keras

from keras_compat.deployment.export_requirements import FEATURES, single_image_request
from keras_compat.networks import check_interface


@dataclass(frozen=True)
class ONNXExport:
    """An ONNX file to be written, float32, for batches of any size.

    A network takes `images`, float32 `[batch, height, width, channels]` in the range that it was
    trained on, and returns `logits` or `probabilities`, float32 `[batch, classes]`. The file's
    metadata hold its class names as JSON under `class_names`.

    The attributes are those of `LiteRTExport` of the same names; by convention `path` is `*.onnx`.
    """

    model: keras.Model
    path: str | Path
    input_shape: tuple[int, ...] | None = None
    input_name: str = "images"
    output_name: str | None = None
    class_names: Sequence[str] = ()
    probabilities: bool = False

    format = "onnx"
    beside: ClassVar[dict[str, Path]] = {}
    packages = ("tensorflow", "tf2onnx", "onnxruntime")

    def request(self) -> dict:
        """Returns the request for the process that writes the file."""
        return single_image_request(self, "an ONNX file on a desktop")


def onnx_pair(
    extractor: keras.Model,
    head: keras.Model,
    extractor_path: str | Path,
    head_path: str | Path,
    class_names: Sequence[str] = (),
    probabilities: bool = False,
) -> list[ONNXExport]:
    """Returns the jobs that write an extractor and a head to separate ONNX files.

    Arguments and errors are those of `litert_pair`.

    Example:

    >>> from keras_compat import networks
    >>> extractor = networks.build_extractor("resnet8", (8, 8, 1), seed=0)
    >>> head = networks.build_head("resnet8", classes=3, seed=0)
    >>> jobs = onnx_pair(extractor, head, "extractor.onnx", "head.onnx")
    >>> [(job.input_name, job.path) for job in jobs]
    [('images', 'extractor.onnx'), ('features', 'head.onnx')]
    """
    check_interface(extractor, head)
    shape = tuple(extractor.output_shape[1:])
    how = {"class_names": class_names, "probabilities": probabilities}
    return [
        ONNXExport(extractor, extractor_path, output_name=FEATURES),
        ONNXExport(head, head_path, shape, FEATURES, **how),
    ]
