"""Start of a program without the messages of the libraries that it loads."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

from keras_compat.escaping import escape


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Hides the messages of libraries that are loaded in the block; shows them after an error."""
    from keras_compat.data.quiet_tensorflow import silent_loading

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # It warns of each new function; a run has one for every network, which is as it should be.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # On a new machine it tells that it looks for fonts.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with silent_loading():
        yield


def one_line_warnings() -> None:
    """Makes each warning one line, without the line of code that gave it."""

    def one_line(message: Warning | str, *_: Any, **__: Any) -> str:
        return f"warning: {escape(message)}\n"

    warnings.formatwarning = one_line


def spread_operations() -> None:
    """Lets TensorFlow work on two operations at a time, each on one core, where there are two.

    Call it before TensorFlow is loaded. A round of joint training has enough independent
    operations, and each is faster alone on its core; `benchmarks/demo_threads.py` compares.
    Variables of the environment on TensorFlow's threads are kept. More cores were not measured.
    """
    from keras_compat.machine import cores

    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    if cores() == 2 and not any(name in os.environ for name in names):
        os.environ.update(zip(names, ("1", "2"), strict=True))


def share_accelerators() -> None:
    """Lets several processes use one GPU; call it before a backend is loaded.

    Otherwise both backends take most of the GPU's memory when they start.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
