"""Trainings of a few steps, which tracing would make slow."""

from __future__ import annotations

import os
from contextlib import contextmanager


@contextmanager
def untraced():
    """Runs TensorFlow's functions without tracing them, which costs more than a few steps do."""
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
