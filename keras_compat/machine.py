"""Processor cores and memory of the machine that this process runs on, in plain Python."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

_STATUS = Path("/proc/self/status")
# `getrusage` returns kibibytes, on macOS bytes.
_UNIT = 1 if platform.system() == "Darwin" else 1024


def cores() -> int:
    """Returns the number of processor cores that this process may use.

    Example:

    >>> cores() >= 1
    True
    """
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def peak_memory_bytes() -> int | None:
    """Returns the peak memory of this process.

    On Linux `getrusage` returns at least the peak of the parent process; `VmHWM` of the kernel
    does not.

    Returns:
        Bytes; `None` where the system has no such figure (Windows).

    Example:

    >>> peak_memory_bytes() > 2**20
    True
    """
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB$", _STATUS.read_text(), re.M)
    except OSError:  # not on Linux
        found = None
    return 1024 * int(found[1]) if found else _used("RUSAGE_SELF")


def peak_memory_gib() -> float | None:
    """Returns the peak memory of this process or of its largest child process.

    Returns:
        GiB; `None` where the system has no such figure (Windows).

    Example:

    >>> peak_memory_gib() > 0
    True
    """
    own, children = peak_memory_bytes(), _used("RUSAGE_CHILDREN")
    return None if own is None or children is None else round(max(own, children) / 2**30, 2)


def _used(by: str) -> int | None:
    try:
        import resource
    except ImportError:
        return None
    return _UNIT * resource.getrusage(getattr(resource, by)).ru_maxrss
