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
from keras_compat.deployment.optional_dependencies import require
from keras_compat.deployment.processes import run_python, save_array
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
        seconds: Seconds that writing and checking it took, without loading the model.
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
    float32. Each file is run once and its numbers are compared with Keras'; nothing appears at a
    path before all files are whole and right.

    Args:
        jobs: what to write. LiteRT and ONNX need models with moving statistics, see `recalibrate`;
            a SavedModel with batch statistics depends on the batches it is sent.
        overwrite: whether a path that exists is replaced.

    Returns:
        What was written, in the order of the jobs.

    Raises:
        InputError: if a package is not installed, a path exists or is named twice, a shape or
            class names do not fit, a model has several inputs or outputs or takes text, one for
            LiteRT or ONNX uses batch statistics, or one for LiteRT needs Flex (SELECT_TF_OPS) or
            other custom operators; if the model cannot be saved and loaded by Keras, or be
            converted, or the file gives other numbers than Keras; if the process runs out of memory
            or is ended, or a folder is full or cannot be written to. What was at the paths is
            still there.

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
    try:
        results = _write(jobs, requests)
    except OSError as error:
        where = error.filename or ", ".join(map(str, paths))
        raise InputError(
            f"{where} cannot be written ({error.strerror or error}); expected a folder that may be "
            "written to, with room"
        ) from None
    return [
        Exported(path, job.format, _size(path), result["seconds"], result["operators"])
        for job, path, result in zip(jobs, paths, results, strict=True)
    ]


def _write(jobs: Sequence[Export], requests: list[dict]) -> list[dict]:
    """Lets a process write all files, and puts them in their places."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as renames:
        models: dict[int, str] = {}
        for job, request in zip(jobs, requests, strict=True):
            if id(job.model) not in models:
                models[id(job.model)] = str(Path(folder, f"{len(models)}.keras"))
                _save(job.model, models[id(job.model)], job.path)
            if isinstance(job, LiteRTExport) and job.representative is not None:
                request["representative"] = str(Path(folder, f"{requests.index(request)}.npy"))
                save_array(request["representative"], np.asarray(job.representative, "float32"))
            request["model"] = models[id(job.model)]
            # The last one entered is renamed first: what lies beside a file is there before it is.
            for name, place in {"path": Path(job.path), **job.beside}.items():
                request[name] = str(renames.enter_context(written_atomically(place)).absolute())
        arguments = ["-m", "keras_compat.deployment.conversion"]
        return run_python(arguments, {"jobs": requests}, with_package=True)["results"]


def _save(model: keras.Model, file: str, path: str | Path) -> None:
    """Saves a model for the process that writes files of it."""
    try:
        model.save(file)
    except OSError:
        raise
    except Exception as error:  # whatever a layer without a whole get_config ends in
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"the model for {path} cannot be saved by Keras: {first}") from error


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
