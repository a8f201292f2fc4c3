"""Files of a run that several workers do together: the chief writes them, the others read them."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from keras_compat.errors import InputError
from keras_compat.experiments.settings import TrainingSettings
from keras_compat.files import copy_plain
from keras_compat.training import current_distribution, start_distribution


class _Folder(Protocol):
    partial: Path


Folder = TypeVar("Folder", bound=_Folder)

_scratch: list[tempfile.TemporaryDirectory[str]] = []


def start_workers(name: str, stages: Sequence[TrainingSettings]) -> None:
    """Begins to train on several devices, in all workers alike; only the chief is heard.

    All stages have the same `batch_statistics_over`, and batches that can be split.

    Raises:
        InputError: if the backend has no such distribution, or a batch cannot be split evenly.
    """
    distribution = start_distribution(name, stages[0].batch_statistics_over)
    if distribution is None:
        return
    for how in stages:
        distribution.check_batch(how.batch_size)
    if not distribution.is_chief:
        # To its end: the process does nothing else.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def open_for_workers(
    path: str | os.PathLike[str],
    begin: Callable[[str | os.PathLike[str]], Folder],
    kept: Sequence[str],
) -> Folder:
    """Opens a run's folder in each worker, by a function of the folder's path such as `RunFolder`.

    A worker that is not the chief gets a temporary folder of its own, with a copy of what an
    interrupted run left. All workers thus find the same steps done, and do the same.

    Raises:
        InputError: if the chief cannot open its folder (in all workers), or a worker cannot read
            the chief's files.
    """
    distribution = current_distribution()
    if distribution is None or distribution.workers == 1:
        return begin(path)
    if distribution.is_chief:
        try:
            folder = begin(path)
        except InputError as error:
            distribution.share(json.dumps({"error": str(error)}))
            raise
        distribution.share(json.dumps({"partial": str(folder.partial)}))
        distribution.share()  # until the others have read it
        return folder
    told = json.loads(distribution.share())
    if "error" in told:
        raise InputError(told["error"])
    theirs = Path(told["partial"])
    if not theirs.is_dir():
        raise InputError(
            f"worker {distribution.worker} finds no {str(theirs)!r}, into which the chief writes; "
            "expected an --output_dir in a file system that all workers share"
        )
    _scratch.append(tempfile.TemporaryDirectory(prefix="keras_compat-worker-"))
    folder = begin(Path(_scratch[-1].name) / "run")
    for name in kept:
        if (theirs / name).is_dir():
            copy_plain(theirs / name, folder.partial / name)
    distribution.share()
    return folder


def wait() -> None:
    """Waits until all workers have done their work: one that ends would end the others."""
    distribution = current_distribution()
    if distribution is not None:
        distribution.share()


def leave(code: int, said: str = "") -> None:
    """Says something and ends this process at once, where there are other workers.

    As usual it would wait for them, perhaps for minutes, while they wait for it.

    As usual it would wait for them, perhaps for minutes, while they wait for it.
    """
    distribution = current_distribution()
    if distribution is None or distribution.workers == 1:
        return
    sys.stderr.write(said)
    for folder in _scratch:
        folder.cleanup()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
