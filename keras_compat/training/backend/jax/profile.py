"""Traces by JAX's profiler."""

from __future__ import annotations

from collections.abc import Callable

import jax


def start_trace(folder: str) -> Callable[[], None]:
    """Begins a trace and returns the function that ends it."""
    jax.profiler.start_trace(folder)
    return jax.profiler.stop_trace
