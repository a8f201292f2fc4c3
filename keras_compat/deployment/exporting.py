"""Export of networks, extractors and heads for servers, desktops and phones."""

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
"""Job of `export`: a model, a path and the format's options."""


@dataclass(frozen=True)
class Exported:
    """A file or folder that was written.

    Attributes:
        format: Format: `"saved_model"`, `"litert"` or `"onnx"`.
        size_bytes: Size of the file, or of all files in the folder.
        seconds: Seconds that writing and checking took, without loading the model.
        operators: Number of operators by name in a LiteRT or ONNX file; empty for a SavedModel.
    """

    path: Path
    format: str
    size_bytes: int
    seconds: float
    operators: dict[str, int]


def export(jobs: Sequence[Export], *, overwrite: bool = False) -> list[Exported]:
    """Writes any number of SavedModels, LiteRT and ONNX files.

    One separate process writes all files: TensorFlow's converter leaks memory, and a run on JAX
    stays free of TensorFlow. Starting the process takes seconds, a file less than one, so pass all
    jobs at once. Weights of another precision are written as float32. Each file is run once and
    compared with Keras. No file appears at its path before all files are complete and checked.

    Args:
        jobs: Files to write. LiteRT and ONNX need models with moving statistics, see `recalibrate`;
            the outputs of a SavedModel with batch statistics depend on the batches it is sent.

    Returns:
        The written files, in the order of the jobs.

    Raises:
        InputError: If a package is not installed; a path exists or is named twice; a shape or class
            names do not fit; a model has several inputs or outputs, takes text, or uses batch
            statistics (for LiteRT or ONNX); Keras cannot save and load it; it cannot be converted,
            or needs Flex (SELECT_TF_OPS) or other custom operators; a file returns other numbers
            than Keras; the process runs out of memory or is killed; or a folder is full or
            read-only. Existing files stay as they were.

    Source: https://keras.io/api/models/model_saving_apis/export,
    https://ai.google.dev/edge/litert and https://onnx.ai.

    Example:

    >>> network = networks.recombine(extractor, head)  # doctest: +SKIP
    >>> jobs = litert_pair(extractor, head, "extractor.tflite", "head.tflite")  # doctest: +SKIP
    >>> export([SavedModelExport(network, "server"), *jobs])  # doctest: +SKIP
    """
    paths = [Path(job.path) for job in jobs]
    outputs = [*paths, *(path for job in jobs for path in job.beside.values())]
    if len(set(outputs)) < len(outputs):
        raise InputError(f"paths {[str(p) for p in outputs]}; expected distinct paths")
    for job, path in zip(jobs, paths, strict=True):
        for package in job.packages:
            require(package, f"writing {path.name} ({job.format})")
        for output in (path, *job.beside.values()):
            check_free(output, overwrite)
    requests = [{"format": job.format, "name": str(job.path), **job.request()} for job in jobs]
    if not jobs:
        return []
    try:
        results = _write(jobs, requests)
    except OSError as error:
        where = error.filename or ", ".join(map(str, paths))
        raise InputError(
            f"{where} cannot be written ({error.strerror or error}); expected a writable "
            "folder with free space"
        ) from None
    return [
        Exported(path, job.format, _size(path), result["seconds"], result["operators"])
        for job, path, result in zip(jobs, paths, results, strict=True)
    ]


def _write(jobs: Sequence[Export], requests: list[dict]) -> list[dict]:
    """Writes all files in a separate process and renames them to their paths."""
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
            # ExitStack renames in reverse order: companion files appear before the main file.
            for name, target in {"path": Path(job.path), **job.beside}.items():
                request[name] = str(renames.enter_context(written_atomically(target)).absolute())
        arguments = ["-m", "keras_compat.deployment.conversion"]
        return run_python(arguments, {"jobs": requests}, with_package=True)["results"]


def _save(model: keras.Model, file: str, path: str | Path) -> None:
    """Saves a model for the process that converts it."""
    try:
        model.save(file)
    except OSError:
        raise
    except Exception as error:  # a layer with an incomplete get_config raises any error
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"the model for {path} cannot be saved by Keras: {first}") from error


def export_saved_model(
    network: keras.Model, path: str | Path, *, overwrite: bool = False
) -> Exported:
    """Writes one network as a SavedModel; see `SavedModelExport` and `export`."""
    return export([SavedModelExport(network, path)], overwrite=overwrite)[0]


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
