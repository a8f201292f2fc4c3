"""What a LiteRT file for phones is to hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_compat.deployment.export_requirements import (
    FEATURES,
    check_class_names,
    check_moving_statistics,
    check_one_input_and_output,
    full_input_shape,
    output_request,
)
from keras_compat.deployment.representative import check_representative, image_range
from keras_compat.errors import InputError, unknown_name
from keras_compat.networks import check_interface

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")
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

    The file says itself how images go in and whether logits or probabilities come out and, with
    class names, holds `labels.txt`, as Android Studio and MediaPipe read them; MediaPipe shows what
    comes out as it is. For those who call the interpreter themselves the same lies beside it:
    `head.json`, with the file's SHA-256, and `head.labels.txt` for `head.tflite`.

    Images go in as pixels, 0 to 255, unless `representative` shows that the model takes them
    otherwise. If all values lie in [0, 1] or [-1, 1] and use more than half of it, that is their
    range, and uint8 pixels are brought to it. Of other values from 0 to 255, the range is 0 to 255
    if they use more than half of it or are uint8. Else it is from the least to the greatest value;
    what lies outside is cut off by a file of 8 bits, and what MediaPipe would have to do to its
    images is not known, so that it refuses the file.

    Attributes:
        model: a network, an extractor or a head.
        path: the file to write, by convention `*.tflite`.
        input_shape: shape without the batch, for a model that leaves its height and width open,
            such as a head.
        input_name: name of the input in the file's signature; what is not `features` are images.
        output_name: name of the output in the file's signature; none for `logits` or
            `probabilities`, whichever it gives.
        quantization: `"float32"`, `"float16"`, `"dynamic"` or `"int8"`.
        representative: what the model will be given: `[N, *input_shape]`, numbers of any type,
            finite and not all alike; for `"int8"`, which needs it, 10 or more, better some
            hundreds.
        uint8_input: whether the file takes pixels as uint8, with `"int8"` and images only.
        class_names: of the outputs of a network or a head, or none.
        probabilities: whether the file ends in softmax, also where the model does not.
    """

    model: keras.Model
    path: str | Path
    input_shape: tuple[int, ...] | None = None
    input_name: str = "images"
    output_name: str | None = None
    quantization: str = "float32"
    representative: np.ndarray | None = None
    uint8_input: bool = False
    class_names: Sequence[str] = ()
    probabilities: bool = False

    format = "litert"
    packages = ("tensorflow", "ai_edge_litert")

    @property
    def beside(self) -> dict[str, Path]:
        """What is written beside the file: `json`, and `labels` if there are class names."""
        path = Path(self.path)
        files = {"json": path.with_suffix(".json")}
        return files | (
            {"labels": path.with_suffix(".labels.txt")} if len(self.class_names) else {}
        )

    @property
    def takes_images(self) -> bool:
        """Whether images go in, and not an extractor's features."""
        return self.input_name != FEATURES

    def request(self) -> dict:
        """Returns what the process that writes the file must know."""
        check_one_input_and_output(self.model, self.path)
        check_moving_statistics(self.model, self.path, "a LiteRT file")
        shape = full_input_shape(self.model, self.input_shape, self.path)
        if self.quantization not in QUANTIZATIONS:
            raise unknown_name("quantization", self.quantization, QUANTIZATIONS)
        if self.uint8_input and (self.quantization != "int8" or not self.takes_images):
            raise InputError(
                f"uint8_input=True for {self.path} with quantization {self.quantization!r} and "
                f"input {self.input_name!r}; expected it with 'int8' alone, and images"
            )
        if self.quantization == "int8" or self.representative is not None:
            check_representative(self.representative, shape, self.path)
        check_class_names(self.model, self.class_names, self.path)
        return {
            "input_shape": shape,
            "input_name": self.input_name,
            "quantization": self.quantization,
            "uint8_input": self.uint8_input,
            "image_range": (
                image_range(self.representative, self.uint8_input, self.path)
                if self.takes_images
                else None
            ),
            "class_names": list(self.class_names),
            **output_request(self.model, self.output_name, self.probabilities, self.path),
        }


def litert_pair(
    extractor: keras.Model,
    head: keras.Model,
    extractor_path: str | Path,
    head_path: str | Path,
    class_names: Sequence[str] = (),
    quantization: str = "float32",
    representative: np.ndarray | None = None,
    uint8_input: bool = False,
    probabilities: bool = False,
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
        probabilities: whether the head's file ends in softmax, also where the head does not.

    Returns:
        Two jobs for `export`.

    Raises:
        InputError: if the head does not take what the extractor emits.

    Example:

    >>> from keras_compat import networks
    >>> extractor = networks.build_extractor("mobilenet_v2_small", (8, 8, 1), seed=0)
    >>> head = networks.build_head("mobilenet_v2_small", classes=3, seed=0)
    >>> jobs = litert_pair(extractor, head, "extractor.tflite", "head.tflite")
    >>> [(job.input_name, job.path) for job in jobs]
    [('images', 'extractor.tflite'), ('features', 'head.tflite')]
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
        probabilities=probabilities,
    )
    return [first, second]
