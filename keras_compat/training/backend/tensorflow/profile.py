"""Traces by TensorFlow's profiler."""

from __future__ import annotations

import os
from collections.abc import Callable

import tensorflow as tf


def start_trace(folder: str) -> Callable[[], None]:
    """Begins a trace and returns the function that ends it."""
    os.makedirs(folder, exist_ok=True)
    tf.profiler.experimental.start(folder)
    return tf.profiler.experimental.stop
