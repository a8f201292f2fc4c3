"""Writes networks, extractors and heads for servers, desktops and phones."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_compat.deployment.litert import LiteRTExport
from keras_compat.deployment.onnx import ONNXExport
from keras_compat.deployment.packages import require
from keras_compat.deployment.processes import run_python
from keras_compat.deployment.saved_model import SavedModelExport
from keras_compat.errors import InputError
from keras_compat.files import check_free, written_atomically

Export = SavedModelExport | LiteRTExport | ONNXExport
"""What `export` takes: a model, where to write it, and how."""


@dataclass(frozen=True)
class Exported:
    """A file or folder that was written.

    Attributes:
        path: where it lies.
        format: `"saved_model"`, `"litert"` or `"onnx"`.
        size_bytes: of the file, or of all files in the folder.
        seconds: what writing it took, without starting the process and loading the model.
        operators: of a LiteRT or ONNX file, a count by name; empty for a SavedModel.
    """

    path: Path
    format: str
    size_bytes: int
    seconds: float
    operators: dict[str, int]


def export(jobs: Sequence[Export], *, overwrite: bool = False) -> list[Exported]:
    """Writes any number of SavedModels, LiteRT and ONNX files.

    All in one process of its own: TensorFlow's converter leaks memory, and a run on JAX keeps
    TensorFlow out of its own process this way. Starting that process takes seconds, a file less
    than one, so pass all jobs at once. Weights of reduced or double precision are written as
    float32. Nothing appears at a path before it is whole.

    Args:
        jobs: what to write. LiteRT and ONNX need models with moving statistics, see `recalibrate`;
            a SavedModel with batch statistics depends on the batches it is sent.
        overwrite: whether a path that exists is replaced.

    Returns:
        What was written, in the order of the jobs.

    Raises:
        InputError: if a package is not installed, a path exists or is named twice, a shape or
            class names do not fit, a model for LiteRT or ONNX uses batch statistics, or one for
            LiteRT needs Flex (SELECT_TF_OPS) or other custom operators.
        RuntimeError: if the process fails, for instance on a layer that Keras cannot load.

    Source: https://keras.io/api/models/model_saving_apis/export,
    https://ai.google.dev/edge/litert and https://onnx.ai.

    Example:

    >>> network = networks.recombine(extractor, head)  # doctest: +SKIP
    >>> jobs = litert_pair(extractor, head, "extractor.tflite", "head.tflite")  # doctest: +SKIP
    >>> export([SavedModelExport(network, "server"), *jobs])  # doctest: +SKIP
    """
    paths = [Path(job.path) for job in jobs]
    places = [*paths, *(path for job in jobs for path in job.beside.values())]
    if len(set(places)) < len(places):
        raise InputError(f"paths {[str(p) for p in places]}; expected each one once")
    for job, path in zip(jobs, paths, strict=True):
        for package in job.packages:
            require(package, f"writing {path.name} ({job.format})")
        for place in (path, *job.beside.values()):
            check_free(place, overwrite)
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
            # The last one entered is renamed first: what lies beside a file is there before it is.
            places = {"path": path, **job.beside}
            for name, place in places.items():
                request[name] = str(renames.enter_context(written_atomically(place)).absolute())
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
