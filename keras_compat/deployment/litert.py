"""What a LiteRT file for phones is to hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_compat.deployment.fitting import check_moving_statistics, fitting_shape
from keras_compat.errors import InputError, unknown_name
from keras_compat.networks import check_interface

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")


@dataclass(frozen=True)
class LiteRTExport:
    """A LiteRT file to be written, for one image at a time.

    With `"float16"` weights take half the room and with `"dynamic"` a quarter; all else stays
    float32. With `"int8"` the whole network computes in 8 bits, from ranges that it takes on
    representative inputs; what goes in and out stays float32, but for an extractor's images, which
    may be uint8. So a head of 8 bits serves any extractor of its interface, and is given what that
    one emits, not what the extractor that it was quantized with would.

    Attributes:
        model: a network, an extractor or a head.
        path: the file to write, by convention `*.tflite`.
        input_shape: shape without the batch, for a model that leaves its height and width open,
            such as a head.
        input_name: name of the input in the file's signature.
        output_name: name of the output in the file's signature.
        quantization: `"float32"`, `"float16"`, `"dynamic"` or `"int8"`.
        representative: for `"int8"`, what the model will be given: `[N, *input_shape]`, some
            hundreds.
        uint8_input: whether the file takes uint8, with `"int8"` and images only.
    """

    model: keras.Model
    path: str | Path
    input_shape: tuple[int, ...] | None = None
    input_name: str = "images"
    output_name: str = "logits"
    quantization: str = "float32"
    representative: np.ndarray | None = None
    uint8_input: bool = False

    format = "litert"
    packages = ("tensorflow", "ai_edge_litert")

    def request(self) -> dict:
        """Returns what the process that writes the file must know."""
        check_moving_statistics(self.model, self.path, "a LiteRT file")
        shape = fitting_shape(self.model, self.input_shape, self.path)
        if self.quantization not in QUANTIZATIONS:
            raise unknown_name("quantization", self.quantization, QUANTIZATIONS)
        found = None if self.representative is None else self.representative.shape
        if self.quantization == "int8" and (found is None or found[1:] != shape or not found[0]):
            raise InputError(
                f"representative for {self.path} is of shape {found}; expected some hundred inputs "
                f"of {shape}, from which the ranges of 8 bits are taken"
            )
        if self.uint8_input and self.quantization != "int8":
            raise InputError(
                f"uint8_input=True for {self.path} with quantization {self.quantization!r}; "
                "expected it with 'int8' alone"
            )
        return {
            "input_shape": shape,
            "input_name": self.input_name,
            "output_name": self.output_name,
            "quantization": self.quantization,
            "uint8_input": self.uint8_input,
        }


def litert_pair(
    extractor: keras.Model,
    head: keras.Model,
    extractor_path: str | Path,
    head_path: str | Path,
) -> list[LiteRTExport]:
    """Returns the jobs that write an extractor and a head to separate LiteRT files.

    A phone that has the extractor's file then needs only the file of a new head.

    Args:
        extractor: takes images of a fixed size; its output `features` is the head's input.
        head: takes what `extractor` emits; its height and width become the extractor's.
        extractor_path: the extractor's file.
        head_path: the head's file.

    Returns:
        Two jobs for `export`.

    Raises:
        InputError: if the head does not take what the extractor emits.

    Example:

    >>> from keras_compat import networks
    >>> extractor = networks.build_extractor("mobilenet_v2_small", (8, 8, 1), seed=0)
    >>> head = networks.build_head("mobilenet_v2_small", classes=3, seed=0)
    >>> jobs = litert_pair(extractor, head, "extractor.tflite", "head.tflite")
    >>> [(job.input_name, job.output_name) for job in jobs]
    [('images', 'features'), ('features', 'logits')]
    """
    check_interface(extractor, head)
    features = tuple(extractor.output_shape[1:])
    return [
        LiteRTExport(extractor, extractor_path, output_name="features"),
        LiteRTExport(head, head_path, input_shape=features, input_name="features"),
    ]
