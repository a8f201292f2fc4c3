"""Small steps that many tests take."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

ROOT = Path(__file__).parents[1]


def python(
    *arguments: Any, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs Python in its own process, which finds this repository and uses this backend."""
    backend = {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": keras.backend.backend()}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **backend, **environment},
        cwd=cwd,
        timeout=900,
        check=False,
    )


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Layers that are built in the block compute in another precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Lets this process write no larger file, as if a disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
