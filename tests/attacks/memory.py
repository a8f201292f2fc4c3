"""How much memory an attack takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def little_memory(surplus: int) -> Iterator[None]:
    """What is done meanwhile takes no more than so many bytes at its peak, whatever came before."""
    clear = Path("/proc/self/clear_refs")
    if not clear.exists():
        yield
        return
    clear.write_text("5")  # the peak starts again from what is in use
    before = peak()
    yield
    assert peak() - before < surplus


def peak() -> int:
    """The most memory that this process has had in use, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])
