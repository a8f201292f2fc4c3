"""Too little memory for a component, said in one line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keras_compat.store.errors import TooLargeError

_KIB = 1024
# By name: the first is of safetensors, which exports no class of it, the second of TensorFlow.
_ERRORS = ("PanicException", "ResourceExhaustedError")
_WORDS = ("RESOURCE_EXHAUSTED", "can't start new thread", "Out of memory")


def check_memory(size: int, what: str) -> None:
    """Raises `TooLargeError` if so much memory is not free.

    Example:

    >>> check_memory(2**60, "phone@1")
    Traceback (most recent call last):
        ...
    keras_compat.store.errors.TooLargeError: phone@1 takes 1,099,511,627,776 MiB of memory, and ...
    """
    free = free_bytes()
    if size > free:
        raise TooLargeError(
            f"{what} takes {size >> 20:,} MiB of memory, and {int(free) >> 20:,} MiB are free; end "
            "other programs, raise the limit, or use a machine with more"
        )


def free_bytes() -> float:
    """Returns how much memory this process can still take; infinite where the system is silent.

    Example:

    >>> free_bytes() > 0
    True
    """
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        used = _KIB * _line_of("/proc/self/status", "VmSize:")
        allowed = math.inf if limit == resource.RLIM_INFINITY else max(limit - used, 0)
        return min(allowed, _KIB * _line_of("/proc/meminfo", "MemAvailable:"))
    except (ImportError, OSError, StopIteration):
        return math.inf


@contextmanager
def memory_for(what: str) -> Iterator[None]:
    """Makes an error of too little memory, of whichever library, a `TooLargeError`.

    Example:

    >>> with memory_for("phone@1"):
    ...     raise MemoryError
    Traceback (most recent call last):
        ...
    keras_compat.store.errors.TooLargeError: phone@1 takes more memory than is free; ...
    """
    try:
        yield
    # A panic of safetensors is no Exception.
    except BaseException as error:
        short = isinstance(error, MemoryError) or type(error).__name__ in _ERRORS
        if not short and not any(word in str(error) for word in _WORDS):
            raise
        raise TooLargeError(
            f"{what} takes more memory than is free; end other programs, raise the limit, or use "
            "a machine with more"
        ) from None


def _line_of(path: str, name: str) -> int:
    """The number in a line of a file of the system."""
    lines = Path(path).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
