"""The most memory that a process has held; plain Python, for whatever environment measures it."""

from __future__ import annotations

import platform
import re
from pathlib import Path

_STATUS = Path("/proc/self/status")
# Of what `getrusage` tells: kibibytes, on macOS bytes.
_UNIT = 1 if platform.system() == "Darwin" else 1024


def peak_memory_bytes() -> int | None:
    """Returns the most memory that this process has held so far.

    On Linux `getrusage` does not tell less than what the process held that started this one; the
    kernel's `VmHWM` does.

    Returns:
        Bytes; `None` where the system does not tell (Windows).

    Example:

    >>> peak_memory_bytes() > 2**20
    True
    """
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB$", _STATUS.read_text(), re.M)
    except OSError:  # not on Linux
        found = None
    return 1024 * int(found[1]) if found else _used("RUSAGE_SELF")


def peak_memory_with_children_bytes() -> int | None:
    """Returns the most memory that this process, or the largest it started, has held so far.

    Example:

    >>> peak_memory_with_children_bytes() >= peak_memory_bytes()
    True
    """
    own, children = peak_memory_bytes(), _used("RUSAGE_CHILDREN")
    return None if own is None or children is None else max(own, children)


def _used(by: str) -> int | None:
    try:
        import resource
    except ImportError:
        return None
    return _UNIT * resource.getrusage(getattr(resource, by)).ru_maxrss
