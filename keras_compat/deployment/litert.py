"""Jobs that write LiteRT files for phones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_compat.deployment.export_requirements import FEATURES, single_image_request
from keras_compat.deployment.representative import check_representative, image_range
from keras_compat.errors import InputError, unknown_name
from keras_compat.networks import check_interface

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")
_BATCH = 32


@dataclass(frozen=True)
class LiteRTExport:
    """A LiteRT file to be written, for one image at a time.

    Quantization: `"float16"` halves the size of the weights and `"dynamic"` quarters it; inputs,
    outputs and features stay float32. `"int8"` computes in 8 bits, with ranges measured on
    representative inputs; the file's input and output stay float32, except an extractor's images,
    which may be uint8. So an 8-bit head takes the features of any extractor of its interface. One
    8-bit scale for the features of all extractors and heads would be as accurate and 5 % faster
    (`results/benchmarks/litert.json`): too little for files that no longer fit those of float32.

    Metadata: the file states the range of its images, and whether it returns logits or
    probabilities. With class names it holds `labels.txt`, as Android Studio and MediaPipe read it;
    MediaPipe shows the outputs unchanged. The same is written beside `head.tflite` for apps that
    call the interpreter themselves: `head.json`, with the file's SHA-256, and `head.labels.txt`.

    Image range: 0 to 255, unless `representative` shows another. If all values lie in [0, 1] or
    [-1, 1] and span more than half of it, that is the range, and uint8 pixels are scaled to it. If
    values lie in [0, 255] and span more than half of it or are uint8, the range is 0 to 255. Else
    it is from the least to the greatest value: an 8-bit file clips values outside of it, and
    MediaPipe refuses the file, because it does not know how to scale its images.

    Attributes:
        model: Network, extractor or head.
        path: Path of the file to write, by convention `*.tflite`.
        input_shape: Shape without the batch, for a model without a fixed height and width, such as
            a head.
        input_name: Name of the input in the file's signature; any name but `features` means images.
        output_name: Name of the output in the file's signature; None for `logits` or
            `probabilities`.
        quantization: `"float32"`, `"float16"`, `"dynamic"` or `"int8"`.
        representative: Typical inputs `[N, *input_shape]`, finite numbers of any type, not all
            equal. `"int8"` needs at least 10, better some hundreds.
        uint8_input: Whether the file takes pixels as uint8; with `"int8"` and images only.
        class_names: Names of the outputs of a network or a head, or none.
        probabilities: Whether the file ends in softmax, also where the model does not.
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
        """Files written beside the file: `json`, and `labels` if there are class names."""
        path = Path(self.path)
        files = {"json": path.with_suffix(".json")}
        return files | (
            {"labels": path.with_suffix(".labels.txt")} if len(self.class_names) else {}
        )

    @property
    def takes_images(self) -> bool:
        """Whether the input is images, not an extractor's features."""
        return self.input_name != FEATURES

    def request(self) -> dict:
        """Returns the request for the process that writes the file."""
        request = single_image_request(self, "a LiteRT file")
        if self.quantization not in QUANTIZATIONS:
            raise unknown_name("quantization", self.quantization, QUANTIZATIONS)
        if self.uint8_input and (self.quantization != "int8" or not self.takes_images):
            raise InputError(
                f"uint8_input=True for {self.path} with quantization {self.quantization!r} and "
                f"input {self.input_name!r}; expected it with 'int8' alone, and images"
            )
        if self.quantization == "int8" or self.representative is not None:
            check_representative(self.representative, request["input_shape"], self.path)
        return {
            **request,
            "quantization": self.quantization,
            "uint8_input": self.uint8_input,
            "image_range": (
                image_range(self.representative, self.uint8_input, self.path)
                if self.takes_images
                else None
            ),
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
        extractor: Model of images of a fixed size; its output is named `features`.
        head: Model of the extractor's features; it takes their height and width.
        quantization: Quantization of both files, see `LiteRTExport`.
        representative: For `"int8"`, typical images `[N, height, width, channels]`. The extractor
            computes the head's representative inputs from them.
        uint8_input: Whether the extractor's file takes uint8.

    Raises:
        InputError: If the head does not take the extractor's features.

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
        first.request()  # raises an InputError before the extractor gets images of another shape
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
