"""What a LiteRT file for phones is to hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_compat.deployment.fitting import (
    check_class_names,
    check_moving_statistics,
    fitting_shape,
)
from keras_compat.errors import InputError, unknown_name
from keras_compat.networks import check_interface

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")
FEATURES = "features"
_BATCH = 32


@dataclass(frozen=True)
class LiteRTExport:
    """A LiteRT file to be written, for one image at a time.

    With `"float16"` weights take half the room and with `"dynamic"` a quarter; all else stays
    float32. With `"int8"` the whole network computes in 8 bits, from ranges that it takes on
    representative inputs; what goes in and out stays float32, but for an extractor's images, which
    may be uint8. So a head of 8 bits serves any extractor of its interface, and is given what that
    one emits, not what the extractor that it was quantized with would. Features in 8 bits, at one
    scale recorded for all extractors and heads, are as accurate and 5 % faster
    (`results/benchmarks/litert.json`): too little for files that no longer fit those of float32.

    The file says itself how images go in (pixels as they are: mean 0, standard deviation 1) and,
    with class names, holds `labels.txt`, as Android Studio and MediaPipe read them. For those who
    call the interpreter themselves the same lies beside it: `head.json`, with the file's SHA-256,
    and `head.labels.txt` for `head.tflite`.

    Attributes:
        model: a network, an extractor or a head.
        path: the file to write, by convention `*.tflite`.
        input_shape: shape without the batch, for a model that leaves its height and width open,
            such as a head.
        input_name: name of the input in the file's signature; what is not `features` are images.
        output_name: name of the output in the file's signature.
        quantization: `"float32"`, `"float16"`, `"dynamic"` or `"int8"`.
        representative: for `"int8"`, what the model will be given: `[N, *input_shape]`, some
            hundreds.
        uint8_input: whether the file takes uint8, with `"int8"` and images only.
        class_names: of the outputs of a network or a head, or none.
    """

    model: keras.Model
    path: str | Path
    input_shape: tuple[int, ...] | None = None
    input_name: str = "images"
    output_name: str = "logits"
    quantization: str = "float32"
    representative: np.ndarray | None = None
    uint8_input: bool = False
    class_names: Sequence[str] = ()

    format = "litert"
    packages = ("tensorflow", "ai_edge_litert")

    @property
    def beside(self) -> dict[str, Path]:
        """What is written beside the file: `json`, and `labels` if there are class names."""
        path = Path(self.path)
        files = {"json": path.with_suffix(".json")}
        return files | ({"labels": path.with_suffix(".labels.txt")} if self.class_names else {})

    @property
    def takes_images(self) -> bool:
        """Whether images go in, and not an extractor's features."""
        return self.input_name != FEATURES

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
        if self.uint8_input and (self.quantization != "int8" or not self.takes_images):
            raise InputError(
                f"uint8_input=True for {self.path} with quantization {self.quantization!r} and "
                f"input {self.input_name!r}; expected it with 'int8' alone, and images"
            )
        check_class_names(self.model, self.class_names, self.path)
        if not are_labels(self.class_names):
            raise InputError(
                f"class names {list(self.class_names)} for {self.path}; expected each to be one "
                "line, as in labels.txt"
            )
        return {
            "input_shape": shape,
            "input_name": self.input_name,
            "output_name": self.output_name,
            "quantization": self.quantization,
            "uint8_input": self.uint8_input,
            "takes_images": self.takes_images,
            "class_names": list(self.class_names),
        }


def are_labels(class_names: Sequence[str]) -> bool:
    """Says whether `labels.txt` can hold class names: each is one line.

    Example:

    >>> are_labels(["cat", "dog"]), are_labels(["cat\\ndog"])
    (True, False)
    """
    return all(len(name.splitlines()) == 1 for name in class_names)


def litert_pair(
    extractor: keras.Model,
    head: keras.Model,
    extractor_path: str | Path,
    head_path: str | Path,
    class_names: Sequence[str] = (),
    quantization: str = "float32",
    representative: np.ndarray | None = None,
    uint8_input: bool = False,
) -> list[LiteRTExport]:
    """Returns the jobs that write an extractor and a head to separate LiteRT files.

    A phone that has the extractor's file then needs only the file of a new head.

    Args:
        extractor: takes images of a fixed size; its output `features` is the head's input.
        head: takes what `extractor` emits; its height and width become the extractor's.
        extractor_path: the extractor's file.
        head_path: the head's file.
        class_names: of the head's outputs, or none.
        quantization: of both, see `LiteRTExport`.
        representative: for `"int8"`, images as the extractor will be given: `[N, height, width,
            channels]`; the head's inputs are what the extractor makes of them.
        uint8_input: whether the extractor's file takes uint8.

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
    first = LiteRTExport(
        extractor,
        extractor_path,
        output_name=FEATURES,
        quantization=quantization,
        representative=representative,
        uint8_input=uint8_input,
    )
    features = None
    if representative is not None:
        first.request()  # raises before images of another shape go through the extractor
        images = np.asarray(representative, "float32")
        features = extractor.predict(images, batch_size=_BATCH, verbose=0)
    second = LiteRTExport(
        head,
        head_path,
        tuple(extractor.output_shape[1:]),
        FEATURES,
        quantization=quantization,
        representative=features,
        class_names=class_names,
    )
    return [first, second]
