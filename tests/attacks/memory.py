"""A limit on the memory that an attack takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keras_compat.machine import peak_memory_bytes


@contextmanager
def little_memory(surplus: int) -> Iterator[None]:
    """What is done meanwhile takes no more than so many bytes at its peak, whatever came before."""
    clear = Path("/proc/self/clear_refs")
    if not clear.exists():
        yield
        return
    clear.write_text("5")  # the peak starts again from what is in use
    before = peak_memory_bytes()
    yield
    assert peak_memory_bytes() - before < surplus
