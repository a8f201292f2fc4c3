"""Writes networks, extractors and heads for servers and phones."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_compat.deployment.packages import require
from keras_compat.deployment.processes import run_python
from keras_compat.errors import InputError, unknown_name
from keras_compat.files import check_free, written_atomically
from keras_compat.layers import normalization_layers
from keras_compat.networks import check_interface

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")


@dataclass(frozen=True)
class SavedModelExport:
    """A TensorFlow SavedModel to be written, for batches of any size.

    Its signature `serving_default` takes `images`, float32 `[batch, height, width, channels]` in
    [0, 255], and returns `{"logits": [batch, classes]}`. With class names there are two more,
    which return `scores`, float32 `[batch, classes]` that add up to 1, and `classes`, their names
    as strings of the same shape: `pixels` takes `images` as uint8, and `encoded` takes
    `image_bytes`, strings `[batch]` of JPEG or PNG files of any size, as TensorFlow Serving's
    clients send them. A file is decoded as it is: an orientation in its EXIF data is for the
    client to apply, and what is transparent keeps the colour beneath.

    Attributes:
        model: a network, such as `networks.recombine` returns.
        path: the folder to write.
        class_names: of the network's outputs; none for the first signature alone.
    """

    model: keras.Model
    path: str | Path
    class_names: Sequence[str] = ()

    format = "saved_model"
    packages = ("tensorflow",)

    def request(self) -> dict:
        """Returns what the process that writes the file must know."""
        outputs = self.model.output_shape[-1]
        if self.class_names and len(self.class_names) != outputs:
            raise InputError(
                f"{len(self.class_names)} class names for {self.path}; expected the {outputs} of "
                "the network's outputs"
            )
        if self.class_names and None in self.model.input_shape[1:]:
            raise InputError(
                f"the network for {self.path} takes images of {self.model.input_shape[1:]}; "
                "expected one size, to which encoded images are brought"
            )
        return {
            "input_name": "images",
            "output_name": "logits",
            "class_names": list(self.class_names),
        }


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
        if any(layer.statistics == "batch" for layer in normalization_layers(self.model)):
            raise InputError(
                f"the model for {self.path} uses batch statistics, but a LiteRT file takes one"
                " image at a time; expected moving statistics: call recalibrate first"
            )
        shape = tuple(self.input_shape or self.model.input_shape[1:])
        own = tuple(self.model.input_shape[1:])
        fits = len(shape) == len(own) and all(
            size == fixed or fixed is None for size, fixed in zip(shape, own, strict=False)
        )
        if None in shape or not fits:
            raise InputError(
                f"input_shape {shape} for {self.path}; expected whole numbers that fit the"
                f" model's input {own}"
            )
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


@dataclass(frozen=True)
class Exported:
    """A file or folder that was written.

    Attributes:
        path: where it lies.
        format: `"saved_model"` or `"litert"`.
        size_bytes: of the file, or of all files in the folder.
        seconds: what writing it took, without starting the process and loading the model.
        operators: of a LiteRT file, a count by name; empty for a SavedModel.
    """

    path: Path
    format: str
    size_bytes: int
    seconds: float
    operators: dict[str, int]


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


def export(
    jobs: Sequence[SavedModelExport | LiteRTExport], *, overwrite: bool = False
) -> list[Exported]:
    """Writes any number of SavedModels and LiteRT files.

    All in one process of its own: TensorFlow's converter leaks memory, and a run on JAX keeps
    TensorFlow out of its own process this way. Starting that process takes seconds, a file less
    than one, so pass all jobs at once. Weights of reduced or double precision are written as
    float32. Nothing appears at a path before it is whole.

    Args:
        jobs: what to write. LiteRT needs models with moving statistics, see `recalibrate`; a
            SavedModel with batch statistics depends on the batches it is sent.
        overwrite: whether a path that exists is replaced.

    Returns:
        What was written, in the order of the jobs.

    Raises:
        InputError: if TensorFlow is not installed, a path exists or is named twice, a shape does
            not fit, or a model for LiteRT uses batch statistics or needs Flex (SELECT_TF_OPS) or
            other custom operators.
        RuntimeError: if the process fails, for instance on a layer that Keras cannot load.

    Source: https://keras.io/api/models/model_saving_apis/export and
    https://ai.google.dev/edge/litert.

    Example:

    >>> network = networks.recombine(extractor, head)  # doctest: +SKIP
    >>> jobs = litert_pair(extractor, head, "extractor.tflite", "head.tflite")  # doctest: +SKIP
    >>> export([SavedModelExport(network, "server"), *jobs])  # doctest: +SKIP
    """
    paths = [Path(job.path) for job in jobs]
    if len(set(paths)) < len(paths):
        raise InputError(f"paths {[str(p) for p in paths]}; expected each one once")
    for job, path in zip(jobs, paths, strict=True):
        for package in job.packages:
            require(package, f"writing {path.name} ({job.format})")
        check_free(path, overwrite)
    requests = [{"format": job.format, "name": str(job.path), **job.request()} for job in jobs]
    if not jobs:
        return []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as renames:
        models: dict[int, str] = {}
        for job, path, request in zip(jobs, paths, requests, strict=True):
            if id(job.model) not in models:
                models[id(job.model)] = str(Path(folder, f"{len(models)}.keras"))
                job.model.save(models[id(job.model)])
            if isinstance(job, LiteRTExport) and job.quantization == "int8":
                request["representative"] = str(Path(folder, f"{requests.index(request)}.npy"))
                np.save(request["representative"], np.asarray(job.representative, "float32"))
            request["model"] = models[id(job.model)]
            request["path"] = str(renames.enter_context(written_atomically(path)).absolute())
        arguments = ["-m", "keras_compat.deployment.conversion"]
        reply = run_python(arguments, {"jobs": requests}, with_package=True)
    return [
        Exported(path, job.format, _size(path), result["seconds"], result["operators"])
        for job, path, result in zip(jobs, paths, reply["results"], strict=True)
    ]


def export_saved_model(
    network: keras.Model, path: str | Path, *, overwrite: bool = False
) -> Exported:
    """Writes one network as a SavedModel; see `SavedModelExport` and `export`.

    Args:
        network: takes images, returns logits; should use moving statistics, see `recalibrate`.
        path: the folder to write.
        overwrite: whether a path that exists is replaced.

    Returns:
        What was written.

    Raises:
        InputError: if TensorFlow is not installed, or the path exists.

    Example:

    >>> export_saved_model(networks.recombine(extractor, head), "server")  # doctest: +SKIP
    """
    return export([SavedModelExport(network, path)], overwrite=overwrite)[0]


def export_litert(
    model: keras.Model,
    path: str | Path,
    input_shape: tuple[int, ...] | None = None,
    *,
    overwrite: bool = False,
) -> Exported:
    """Writes one network, extractor or head as a LiteRT file; see `LiteRTExport` and `export`.

    Args:
        model: should use moving statistics, see `recalibrate`.
        path: the file to write.
        input_shape: shape without the batch, needed for a head: the extractor's output.
        overwrite: whether a path that exists is replaced.

    Returns:
        What was written.

    Raises:
        InputError: if TensorFlow or ai-edge-litert is not installed, the path exists, the shape
            does not fit, or the model uses batch statistics or needs Flex (SELECT_TF_OPS) or other
            custom operators.

    Example:

    >>> export_litert(head, "head.tflite", extractor.output_shape[1:])  # doctest: +SKIP
    """
    return export([LiteRTExport(model, path, input_shape)], overwrite=overwrite)[0]


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
