"""What has to be set before anything imports Keras, TensorFlow or Matplotlib, and shared runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from keras_compat.experiments.start_up import spread_operations
from tests.untraced import untraced

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("MPLBACKEND", "Agg")
# Tests compile much and compute little.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")
# As the apps do, so that what they compute in this process is the same as in one of their own.
spread_operations()


@pytest.fixture(scope="module")
def eager():
    """Trains without tracing in all tests of a module."""
    with untraced():
        yield


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Returns a function that makes a file or folder once for all processes of a session.

    Tests read it only, or copy it first.
    """
    import fcntl

    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def get(name: str, make, complete="") -> Path:
        place = root / "shared" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        with (root / f"{place.parent.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (place / complete).exists():
                make(place)
        return place

    return get
