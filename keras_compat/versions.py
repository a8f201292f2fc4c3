"""Versions of the software that a figure was measured with."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import keras_compat
from keras_compat.plugins import plugin_versions

_PACKAGES = (
    "keras",
    "tensorflow",
    "jax",
    "jaxlib",
    "numpy",
    "scipy",
    "scikit-learn",
    "pillow",
    "tensorflow-datasets",
    "ai-edge-litert",
)


def collect_versions() -> dict[str, Any]:
    """Returns the versions that a run's figures depend on.

    Returns:
        A dict: `python`, `backend` (of Keras), `keras_compat`, each installed package and each
        loaded plugin. Where `keras_compat` runs from a checkout, also `commit`, and `modified`:
        True if tracked files differ from that commit.

    Example:

    >>> versions = collect_versions()
    >>> versions["keras_compat"] == keras_compat.__version__
    True
    >>> versions["backend"] in ("tensorflow", "jax", "torch", "numpy")
    True
    """
    import keras

    versions: dict[str, Any] = {
        "python": platform.python_version(),
        "backend": keras.config.backend(),
        "keras_compat": keras_compat.__version__,
    }
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    versions |= plugin_versions()
    return {**versions, **_checkout(Path(keras_compat.__file__).parents[1])}


def _checkout(root: Path) -> dict[str, Any]:
    """Returns the commit of `root`; nothing if `root` is not the top of a checkout."""
    # A virtual environment inside someone's repository is not a checkout of ours.
    if not (root / ".git").exists():
        return {}
    try:
        commit = _git(root, "rev-parse", "HEAD")
        modified = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": commit, "modified": bool(modified)}


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20)
    return done.stdout.strip()
