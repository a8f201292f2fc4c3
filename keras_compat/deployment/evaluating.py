"""Evaluation of exported files in a process without this package and without Keras."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_compat.deployment.optional_dependencies import require
from keras_compat.deployment.processes import run_python, save_array
from keras_compat.errors import InputError

_SCRIPT = Path(__file__).with_name("run_exported.py")
_PACKAGES = {"saved_model": "tensorflow", "litert": "ai_edge_litert", "onnx": "onnxruntime"}


def evaluate_exported(
    exports: Sequence[str | Path | tuple[str | Path, ...]],
    images: np.ndarray,
    batch_size: int = 500,
) -> list[np.ndarray]:
    """Runs exported files on images in one new process that cannot import Keras or this package.

    Args:
        exports: For each export, a SavedModel's folder, or a tuple of files to run one after
            another:
            `(extractor, head)` or `(network,)`. Files ending in `.onnx` are ONNX, others LiteRT.
        images: uint8 `[N, height, width, channels]`.
        batch_size: Number of images per call; LiteRT files take one image at a time.

    Returns:
        For each export its outputs, float32 `[N, classes]`, in the order of `images`.

    Raises:
        InputError: If there is no image, a path does not exist, a file is damaged or does not take
            these images, or a package (TensorFlow, onnxruntime or ai-edge-litert) is not installed.

    Example:

    >>> files = ["server", ("extractor.tflite", "head.tflite")]
    >>> server, phone = evaluate_exported(files, images)  # doctest: +SKIP
    """
    images = np.asarray(images)
    if not len(images):
        raise InputError("no images; expected at least one to run the exported files on")
    requests = []
    for item in exports:
        files = isinstance(item, tuple)
        paths = [Path(path).absolute() for path in (item if files else (item,))]
        for path in paths:
            if not path.exists():
                raise InputError(f"{path} does not exist; expected an exported file or folder")
        kind = _kind(paths) if files else "saved_model"
        require(_PACKAGES[kind], f"running {paths[0].name}")
        requests.append({"kind": kind, "paths": [str(path) for path in paths]})
    with tempfile.TemporaryDirectory() as folder:
        save_array(Path(folder, "images.npy"), images)
        for i, request in enumerate(requests):
            request["logits"] = str(Path(folder, f"{i}.npy"))
        request = {
            "images": str(Path(folder, "images.npy")),
            "batch_size": batch_size,
            "jobs": requests,
        }
        run_python(["-I", str(_SCRIPT)], request, with_package=False)
        return [np.load(job["logits"]) for job in requests]


def evaluate_saved_model(path: str | Path, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """Runs the SavedModel in a folder; see `evaluate_exported`."""
    return evaluate_exported([path], images, batch_size)[0]


def evaluate_litert(
    extractor_path: str | Path, head_path: str | Path, images: np.ndarray
) -> np.ndarray:
    """Runs an extractor's and a head's LiteRT file; see `evaluate_exported`."""
    return evaluate_exported([(extractor_path, head_path)], images)[0]


def _kind(paths: Sequence[Path]) -> str:
    """Returns the format of files that run one after another."""
    onnx = {path.suffix == ".onnx" for path in paths}
    if len(onnx) > 1:
        raise InputError(f"{', '.join(map(str, paths))}; expected files of one format")
    return "onnx" if True in onnx else "litert"
